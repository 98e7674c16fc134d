"""`spectrum`: magnitude spectra of long windows (source E).

Frames are not centred: a sound of up to one window is a single spectrum.

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
from timbrespace.representation.axes import CHANNELS, MIDDLE_SIDE, Axes, Part, level_part, linear_bins, name_parts, phase_part
from timbrespace.representation.base import Representation
from timbrespace.representation.levels import Floor, above_floor, to_level
from timbrespace.representation.phase.pghi import integrate_phase
from timbrespace.representation.phase.projection import StftGrid
from timbrespace.representation.phase.recover import METHODS, iterate, kept_past, random_phase
from timbrespace.representation.phase.start import continued
from timbrespace.representation.spectral import Hop, Iterations, PhaseMethod, Window, check_grid, interleave, safe_sqrt, to_polar
from timbrespace.representation.stereo import from_mid_side, to_mid_side

_MIN_OVERLAP = 0.03  # of squared windows; a single Hamming window is 0.0064 at its ends, where audio would be amplified too much


class Spectrum(Representation):
    """Magnitude of the first `bands` bins of an STFT, optionally with phase: parts = channels, or 2 × channels with phase.

    Without phase, decoding estimates it. A single spectrum, and spectra that overlap by less than half a window, have no phase gradient
    that PGHI could integrate: the initial phase is then random, from `seed`. A steady tone stays steady that way; phases of zero would
    concentrate the sound in one click.

    Args:
        n_fft: window, samples; a Hamming window, which is nowhere zero, so that a single frame can be inverted.
        hop: samples between frames, a divisor of n_fft.
        bands: bins kept, from 0 Hz up; the others are lost (1025 of a window of 4096: up to 11 kHz).
        phase: whether phase (rad, -π to π) is a part.
        scale: magnitude, or decibels (0 dB: magnitude 1; silence: -120 dB), clamped `floor` dB under the sound's loudest cell.
        method, iterations: of the phase retrieval, see `phase.recover`.
        sample_rate: Hz.
        channels: 2: with phase, left and right; without, the parts are middle and side.
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
            raise ConfigError(f"bands is {bands}, n_fft {n_fft} has 1 to {n_fft // 2 + 1} bins; use fewer bands or a longer window")
        self.n_fft, self.hop, self.phase = n_fft, hop, phase
        self.scale, self.floor, self.continues = scale, floor, not phase
        self.method, self.iterations = method, iterations
        self.bands, self.parts = bands, channels * (2 if phase else 1)
        self._window = torch.hamming_window(n_fft, periodic=True, dtype=torch.float64)

    def frames(self, samples: int) -> int:
        """Returns 1 + (samples - n_fft) / hop, rounded up, at least 1."""
        return 1 + max(0, -(-(samples - self.n_fft) // self.hop))

    def axes(self, length: int) -> Axes:
        """Returns bins in Hz; frame 0 is centred on half a window."""
        full_scale = float(self._window.sum()) / 2
        magnitude = Part("magnitude", "", f"a full-scale sine reads {full_scale:.0f}", "magnitude")
        parts = [level_part("0 dB is magnitude 1") if self.scale == "decibels" else magnitude, *([phase_part()] if self.phase else [])]
        return Axes(
            parts=name_parts(parts, (CHANNELS if self.phase else MIDDLE_SIDE)[self.channels]),
            frames=self.frames(length),
            first_s=self.n_fft / 2 / self.sample_rate,
            step_s=self.hop / self.sample_rate,
            **linear_bins(self.bands, self.sample_rate / self.n_fft, top=self.sample_rate / 2),
        )

    def magnitudes(self, features: Tensor) -> tuple[Tensor, float, float] | None:
        """See `Representation.magnitudes`: `(parts, bands, frames) -> (bands, frames)`."""
        parts = self._magnitude((features[0::2] if self.phase else features[:1]).transpose(-1, -2))
        values = parts.square().mean(0).sqrt()[:, : self.bands].T
        bandwidth = self.n_fft * float(self._window.square().sum() / self._window.sum().square())
        return values / (float(self._window.sum()) / 2), self.sample_rate / self.n_fft, bandwidth

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, parts, bands, frames)`."""
        spectrum = self._spectra(audio if self.phase else to_mid_side(audio))[..., : self.bands]
        if self.phase:
            magnitude, angle = to_polar(spectrum)
            return interleave(to_level(magnitude.square(), floor=self.floor) if self.scale == "decibels" else magnitude, angle)
        pairs = torch.view_as_real(spectrum)
        power = pairs[..., 0].square() + pairs[..., 1].square()
        return (to_level(power, floor=self.floor) if self.scale == "decibels" else safe_sqrt(power)).transpose(-1, -2)

    def _magnitude(self, frames: Tensor) -> Tensor:
        """Returns magnitudes with all bins: `(channels, frames, bands) -> (channels, frames, n_fft // 2 + 1)`."""
        if self.scale == "decibels":
            frames = torch.where(above_floor(frames, loudest=frames.max(), floor=self.floor), 10 ** (frames / 20), 0.0)
        return functional.pad(frames.clamp_min(0), (0, self.n_fft // 2 + 1 - self.bands))

    def _decode(self, features: Tensor, *, length: int, seed: int, past: Tensor | None = None) -> Tensor:
        """`(parts, bands, frames) -> (channels, length)`."""
        frames = features.transpose(-1, -2)
        if self.phase:
            angle = functional.pad(frames[1::2], (0, self.n_fft // 2 + 1 - self.bands))
            return self._to_audio(torch.polar(self._magnitude(frames[0::2]), angle), length=length)
        magnitude = self._magnitude(frames)
        before = [None] * len(magnitude) if past is None else to_mid_side(past[None])[0]
        return from_mid_side(
            torch.stack(
                [
                    self._recover_audio(part, length=length, seed=seed + k, past=one)
                    for k, (part, one) in enumerate(zip(magnitude, before, strict=True))
                ]
            )
        )

    def scaled(self, features: Tensor, gain: Tensor) -> Tensor:
        """See `Representation.scaled`."""
        return features + 20 * torch.log10(gain) if self.scale == "decibels" else features * gain

    def _spectra(self, audio: Tensor) -> Tensor:
        """Returns the STFT: `(..., time) -> complex (..., frames, n_fft // 2 + 1)`."""
        total = (self.frames(audio.shape[-1]) - 1) * self.hop + self.n_fft
        padded = functional.pad(audio, (0, total - audio.shape[-1]))
        return torch.fft.rfft(padded.unfold(-1, self.n_fft, self.hop) * self._window.to(audio))

    def _to_audio(self, spectrum: Tensor, *, length: int) -> Tensor:
        """Returns the least-squares inverse STFT: `complex (..., frames, n_fft // 2 + 1) -> (..., length)`."""
        pieces = torch.fft.irfft(spectrum, n=self.n_fft)
        window = self._window.to(pieces)
        envelope = overlap_add(window.square().expand(spectrum.shape[-2], self.n_fft), hop=self.hop)[:length]
        return overlap_add(pieces * window, hop=self.hop)[..., :length] / envelope

    def _recover_audio(self, magnitude: Tensor, *, length: int, seed: int, past: Tensor | None = None) -> Tensor:
        """Returns audio `(length,)` for magnitudes of one sound `(frames, n_fft // 2 + 1)`; silence stays silence. past: see `decode`."""
        if not bool(magnitude.any()):
            return kept_past(past, magnitude.new_zeros(length))
        magnitude, method = magnitude.T, METHODS[self.method]
        if method.pghi and (magnitude.shape[1] == 1 or 2 * self.hop > self.n_fft):
            method = METHODS["fast-griffin-lim"]
        start = None
        if past is not None:
            start = continued(None, magnitude, past, window=self._window, hop=self.hop, centred=False)
            magnitude = start.magnitude
        if method.pghi:
            phase = integrate_phase(magnitude, n_fft=self.n_fft, hop=self.hop, window="hamming", seed=seed, start=start)
        else:
            phase = random_phase(magnitude, seed=seed)
            phase = phase if start is None else torch.where(start.known, start.phase, phase)
        grid = StftGrid(
            n_fft=self.n_fft,
            hop=self.hop,
            length=length,
            like=magnitude,
            window=self._window,
            centred=False,
            min_overlap=_MIN_OVERLAP,
            past=past,
        )
        return iterate(magnitude, phase, grid, method=method._replace(iterations=self.iterations))
