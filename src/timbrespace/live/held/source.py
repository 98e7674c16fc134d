"""Instruments whose latent varies in time, held as long as a key: one point of the latent space is one steady spectrum."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from timbrespace.contracts import ConfigError
from timbrespace.live.held.pitch import Spectrum, clarity, find_pitch, loudness
from timbrespace.live.held.steering import Partials, ToneControls
from timbrespace.live.sound.pads import PADS, Pad
from timbrespace.live.sound.places import Places
from timbrespace.live.state import SoundKey
from timbrespace.native.live import BINS
from timbrespace.noise import seed_of

if TYPE_CHECKING:
    from torch import Tensor

    from timbrespace.synthesis.file.contents import InstrumentContents

_STEPS = 5  # latent steps that are decoded around the one that is played, for decoders that look around
_MIDDLE = (0.2, 0.6)  # part of a drawn path whose mean is the point that is held
_TRIES = 6  # sounds that are drawn for each pad; the clearest one is kept
_LEVEL = 0.12  # root mean square of the middle one of the pads' sounds
_MOST = 3.0  # spreads of a control
_FEWEST, _MEASURED = 16, 200  # points of the corpus that controls are fitted to
LOWEST, HIGHEST = 0.0, 127.0


class Frame(NamedTuple):
    """What a held voice is made from. pitch: of the spectrum as it is, in Hz. gains: of its partials, see `Tone`."""

    spectrum: Spectrum
    pitch: float
    gains: np.ndarray | None = None


class HeldSource:
    """Sounds of an instrument that are held, see `SoundSource`. Any thread may call it, one at a time."""

    notes, velocities, held = True, False, True

    def __init__(self, contents: InstrumentContents, *, title: str, seed: int = 0):
        """contents: of an instrument with a time-varying latent. Raises ConfigError where its features hold no spectra."""
        self.title, self._contents, self._lock = title, contents, threading.RLock()
        self.sample_rate, self.dims, self.lowest, self.highest = contents.sample_rate, contents.model.dims, LOWEST, HIGHEST
        self.left_out: dict[str, str] = {}
        self.places = Places.of_contents(contents)
        self.mapped, self._axes = self.places.known, self.places.axes
        self.axes = len(self._axes)
        self._gain = 1.0
        self._points, labels = self._drawn(seed)
        counts: dict[str | None, int] = {}
        self.pads: list[Pad] = []
        for label in labels:
            self.pads.append(Pad(60, label, counts.get(label, 0)))
            counts[label] = counts.get(label, 0) + 1
        spectra = [self._spectrum(point) for point in self._points]
        self.bins = max(len(one.magnitudes) for one in spectra)
        if self.bins > BINS:
            raise ConfigError(f"{title} has spectra of {self.bins} bins; held voices have at most {BINS}: train with shorter windows")
        levels = [loudness(one) for one in spectra]
        self._gain = _LEVEL / max(float(np.median(levels)), 1e-9)
        self._fitted: ToneControls | None = None
        self.partials: Partials | None = None  # what sounds of a spectrum, where that is oscillators; see `hear`

    @property
    def tones(self) -> ToneControls:
        """What moves tones by named controls; fitted at first use, which takes a good half second."""
        with self._lock:
            if self._fitted is None:
                free = self.dims - self._contents.model.conditioning.size
                self._fitted = ToneControls(self._spectra, self._corpus(), free=free, partials=self.partials)
            return self._fitted

    @property
    def controls(self) -> dict[str, tuple[float, float]]:
        """See `SoundSource`."""
        return self.tones.ranges

    def render(self, key: SoundKey) -> np.ndarray:
        """Raises ConfigError: held sounds have no end."""
        raise ConfigError(f"{self.title} is held, and has no sounds of their own length")

    def frame(self, key: SoundKey, before: float | None) -> Frame:
        """Returns the spectrum of a sound. before: the pitch of the one that sounded last, in Hz."""
        with self._lock:
            if key.wanted.controls:
                names = list(self.controls)
                spectrum, pitch, gains = self.tones.tone(
                    self.latent(key), {names[number]: min(_MOST, max(-_MOST, value)) for number, value in key.wanted.controls}
                )
            else:
                spectrum, gains = self._spectrum(self.latent(key)), None
                pitch = find_pitch(spectrum, before)
        magnitudes = (spectrum.magnitudes * np.float32(self._gain)).astype(np.float32)
        return Frame(spectrum._replace(magnitudes=magnitudes), pitch, gains)

    def latent(self, key: SoundKey) -> np.ndarray:
        """Returns the point `(dims,)` of a sound, before its controls."""
        z = self._points[key.pad]
        if key.wanted.place is not None:
            z = self.places.at(key.wanted.place)
        if key.morph is not None:
            other, share = key.morph
            z = (1 - np.float32(share)) * z + np.float32(share) * self._points[other]
        z = z.copy()
        for number, value in key.wanted.latents:
            z[number] += np.float32(value)
        for number, value in key.wanted.axes:
            z += np.float32(value) * self._axes[number]
        return z

    def _drawn(self, seed: int) -> tuple[list[np.ndarray], list[str | None]]:
        """Points of new sounds, and their categories: the mean of what follows the attack of a drawn path.

        Of several in turn the one is taken whose pitch is the clearest: a point between the notes of a corpus sounds like several at once.
        """
        from timbrespace.synthesis.request import DrawOptions, draw

        labels = [request.category for request in draw(self._contents, PADS, DrawOptions(), seed=seed_of(seed, 0))]
        points: dict[int, np.ndarray] = {}
        for number, label in enumerate(dict.fromkeys(labels)):
            pads = [pad for pad in range(PADS) if labels[pad] == label]
            drawn = draw(self._contents, len(pads) * _TRIES, DrawOptions(category=label), seed=seed_of(seed, number + 1))
            for place, pad in enumerate(pads):
                found = [_middle_of(request.z) for request in drawn[place * _TRIES : (place + 1) * _TRIES]]
                points[pad] = max(found, key=self._clarity)
        return [points[pad] for pad in range(PADS)], labels

    def _clarity(self, point: np.ndarray) -> float:
        spectrum = self._spectrum(point)
        return clarity(spectrum, find_pitch(spectrum))

    def _corpus(self) -> np.ndarray:
        """Points `(n, dims)` of the corpus: the training sounds, or those of a stripped instrument that were drawn."""
        clips = self._contents.clips
        if clips is None or len(clips.latents) < _FEWEST:
            return np.stack(self._points)
        rows = np.linspace(0, len(clips.latents) - 1, min(_MEASURED, len(clips.latents))).round().astype(int)
        return clips.latents[rows].float().numpy()

    def _spectrum(self, z: np.ndarray) -> Spectrum:
        return self._spectra(z[None])[0]

    def _spectra(self, points: np.ndarray) -> list[Spectrum]:
        """A spectrum of each of points `(n, dims)`."""
        import torch

        model, view = self._contents.model, self._contents.representation
        with torch.inference_mode():
            paths = torch.from_numpy(np.repeat(points[:, :, None], _STEPS, 2))
            features = model.decode(paths).features
            middle = features.shape[3] // 2
            return [self._of_features(view.magnitudes(one), view) for one in features[..., middle : middle + 1]]

    def _of_features(self, found: tuple[Tensor, float, float] | None, view: object) -> Spectrum:
        if found is None:
            name = type(view).__name__.lower()
            raise ConfigError(f"{self.title} cannot be held: its features ({name}) hold no spectra; --preset spectra makes one that can")
        values, spacing, bandwidth = found
        return Spectrum(np.nan_to_num(values[:, 0].numpy().astype(np.float32), posinf=0.0, neginf=0.0), spacing, bandwidth)


def _middle_of(path: Tensor) -> np.ndarray:
    """The point `(dims,)` that is held of a path `(dims, steps)`."""
    steps = path.shape[1]
    first, last = (int(share * steps) for share in _MIDDLE)
    return np.asarray(path[:, first : max(first + 1, last)].mean(1).float().numpy())
