"""`spectrum`: single spectra, one point a frame (source E).

Frames are not centred: a sound of up to one window is one spectrum, a point without a time axis.

    samples  0        hop               n_fft
    frame 0  └──────────────────────────┘
    frame 1           └──────────────────────────┘        frames = 1 + ceil((time - n_fft) / hop), at least 1
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from timbrespace.audio.stft import overlap_add
from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.representation.axes import CHANNELS, MIDDLE_SIDE, Axes, View, levels, linear_bins, name_parts, phases
from timbrespace.representation.base import Representation
from timbrespace.representation.levels import Floor, heard, to_level
from timbrespace.representation.phase.pghi import integrate_phase
from timbrespace.representation.phase.projection import Grid
from timbrespace.representation.phase.recover import METHODS, random_phase, search
from timbrespace.representation.spectral import Hop, Iterations, PhaseMethod, Window, check_grid, interleave, polar, root
from timbrespace.representation.stereo import from_parts, to_parts

_LEAST_OVERLAP = 0.03  # of squared windows; a Hamming window alone comes down to 0.0064 at its ends, where too little is known


class Spectrum(Representation):
    """Magnitudes of the first `bands` bins of plain spectra, with the phase (rad) beside them or without.

    n_fft: window in samples (Hamming, which is nowhere zero, so that a single frame can be undone); hop: samples between frames, divides
    n_fft. bands: bins kept from 0 Hz on, the rest is lost (1025 of 4096: up to 11 kHz). phase: whether it is kept, as a part of its own.
    scale: the magnitudes as they are, or in dB (0 dB: magnitude 1), cut `floor` dB under the sound's loudest cell; silence reads -120 dB.
    method, iterations: of the phase search where there is none; stereo is then middle and side. A single spectrum, or spectra that overlap
    by less than half a window, have no slopes to follow: the search then starts from random phases that `seed` draws. They stay about
    random, so that a steady tone sounds steady; all zero, they would pile the whole sound up in one click.
    """

    def __init__(
        self,
        *,
        n_fft: Window = 4096,
        hop: Hop = 1024,
        bands: Annotated[int, Field(ge=1, le=8_193)] = 1025,
        phase: Annotated[bool, Field()] = False,
        scale: Annotated[Literal["magnitude", "decibels"], Field()] = "magnitude",
        floor: Floor = 80.0,
        method: PhaseMethod = "pghi+raar",
        iterations: Iterations = 32,
        sample_rate: int = SAMPLE_RATE,
        channels: int = 1,
    ):
        super().__init__(sample_rate=sample_rate, channels=channels)
        check_grid(n_fft, hop, overlap=1)
        if not 1 <= bands <= n_fft // 2 + 1:
            raise ConfigError(f"bands is {bands}, n_fft {n_fft} has 1 to {n_fft // 2 + 1} bins; take fewer or a longer window")
        self.n_fft, self.hop, self.phase = n_fft, hop, phase
        self.scale, self.floor = scale, floor
        self.method, self.iterations = method, iterations
        self.bands, self.parts = bands, channels * (2 if phase else 1)
        self._window = torch.hamming_window(n_fft, periodic=True, dtype=torch.float64)

    def frames(self, samples: int) -> int:
        """1 + (samples - n_fft) / hop, rounded up, at least 1."""
        return 1 + max(0, -(-(samples - self.n_fft) // self.hop))

    def axes(self, length: int) -> Axes:
        """Bins in Hz; frame 0 lies around half a window, since windows are not centred."""
        reads = float(self._window.sum()) / 2
        plain = View("magnitude", "", f"a full-scale sine reads {reads:.0f}", "magnitude")
        views = [levels("0 dB is magnitude 1") if self.scale == "decibels" else plain, *([phases()] if self.phase else [])]
        return Axes(
            parts=name_parts(views, (CHANNELS if self.phase else MIDDLE_SIDE)[self.channels]),
            frames=self.frames(length),
            first_s=self.n_fft / 2 / self.sample_rate,
            step_s=self.hop / self.sample_rate,
            **linear_bins(self.bands, self.sample_rate / self.n_fft, top=self.sample_rate / 2),
        )

    def _encode(self, audio: Tensor) -> Tensor:
        spectrum = self._spectra(audio if self.phase else to_parts(audio))[..., : self.bands]
        if self.phase:
            magnitude, angle = polar(spectrum)
            return interleave(to_level(magnitude.square(), floor=self.floor) if self.scale == "decibels" else magnitude, angle)
        pairs = torch.view_as_real(spectrum)
        power = pairs[..., 0].square() + pairs[..., 1].square()
        return (to_level(power, floor=self.floor) if self.scale == "decibels" else root(power)).transpose(-1, -2)

    def _magnitude(self, frames: Tensor) -> Tensor:
        """What the features say, `(channels, frames, bands)`, as magnitudes with all bins of the window."""
        if self.scale == "decibels":
            frames = torch.where(heard(frames, loudest=frames.max(), floor=self.floor), 10 ** (frames / 20), 0.0)
        return functional.pad(frames.clamp_min(0), (0, self.n_fft // 2 + 1 - self.bands))

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        frames = features.transpose(-1, -2)
        if self.phase:
            angle = functional.pad(frames[1::2], (0, self.n_fft // 2 + 1 - self.bands))
            return self._to_audio(torch.polar(self._magnitude(frames[0::2]), angle), length=length)
        magnitude = self._magnitude(frames)
        return from_parts(torch.stack([self._find_phase(part, length=length, seed=seed + k) for k, part in enumerate(magnitude)]))

    def _spectra(self, audio: Tensor) -> Tensor:
        """`(..., time) -> complex (..., frames, n_fft // 2 + 1)`."""
        total = (self.frames(audio.shape[-1]) - 1) * self.hop + self.n_fft
        padded = functional.pad(audio, (0, total - audio.shape[-1]))
        return torch.fft.rfft(padded.unfold(-1, self.n_fft, self.hop) * self._window.to(audio))

    def _to_audio(self, spectrum: Tensor, *, length: int) -> Tensor:
        """Least-squares overlap-add: `complex (..., frames, n_fft // 2 + 1) -> (..., length)`."""
        pieces = torch.fft.irfft(spectrum, n=self.n_fft)
        window = self._window.to(pieces)
        envelope = overlap_add(window.square().expand(spectrum.shape[-2], self.n_fft), hop=self.hop)[:length]
        return overlap_add(pieces * window, hop=self.hop)[..., :length] / envelope

    def _find_phase(self, magnitude: Tensor, *, length: int, seed: int) -> Tensor:
        """Magnitudes of one sound `(frames, n_fft // 2 + 1) -> (length,)`; silence stays silence."""
        if not bool(magnitude.any()):
            return magnitude.new_zeros(length)
        magnitude, way = magnitude.T, METHODS[self.method]
        if way.pghi and (magnitude.shape[1] == 1 or 2 * self.hop > self.n_fft):
            way = METHODS["fast-griffin-lim"]
        if way.pghi:
            start = integrate_phase(magnitude, n_fft=self.n_fft, hop=self.hop, window="hamming", seed=seed)
        else:
            start = random_phase(magnitude, seed=seed)
        grid = Grid(n_fft=self.n_fft, hop=self.hop, length=length, like=magnitude, window=self._window, centred=False, least=_LEAST_OVERLAP)
        return search(magnitude, start, grid, way=way._replace(iterations=self.iterations))
