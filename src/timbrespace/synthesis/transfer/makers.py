"""Makes a reconstruction or a variation from the windows of a recording."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from timbrespace.noise import Noise, Purpose, seed_of
from timbrespace.synthesis import sequences
from timbrespace.synthesis.detail.blend import hold_background
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.transfer.feed import Feed
from timbrespace.synthesis.transfer.views import SILENCE, in_levels, power_of, silenced, silent_frames
from timbrespace.synthesis.transfer.windowed import Encoded, WindowModel, encoded_windows
from timbrespace.synthesis.transfer.windows import Window

_KNOT_SECONDS, _WANDERING = 4.0, 0.5  # of a variation that changes over time: time between its values, and their share, as of sounds
_MOST_DB = 30.0  # by which a variation changes a cell


class Maker(ABC):
    """Makes features, or samples, of windows. They must be asked for in order."""

    def __init__(self, contents: InstrumentContents):
        self.contents, self.model = contents, WindowModel(contents)
        self.view = self.model.view

    def weight(self, number: int, sample: int) -> float:
        """Returns how much of what is made at a sample is the recording of that number, 0 to 1."""
        return 1.0

    @abstractmethod
    def start(self, windows: Sequence[Window]) -> None:
        """Sets the windows, before the first one is made."""

    @abstractmethod
    def features(self, window: Window) -> Tensor:
        """Returns features `(parts, bands, frames)` of a window, at the level of the recording, for a plain view that `continues`."""

    @abstractmethod
    def audio(self, window: Window) -> Tensor:
        """Returns samples `(channels, time)` of a window, at the level of the recording, for any other view."""


class Reconstruction(Maker):
    """A recording, encoded and decoded. Each window has the power that it has in the recording.

    feed: the recording. peak: of it. seed: of phases in views that keep them; it is not used by others.
    """

    def __init__(self, contents: InstrumentContents, feed: Feed, *, peak: float, seed: int):
        super().__init__(contents)
        self._feed, self._peak, self._seed = feed, peak, seed
        self._encoded: Iterator[Encoded] = iter(())

    def start(self, windows: Sequence[Window]) -> None:
        """See `Maker`."""
        self._encoded = encoded_windows(self.model, self._feed, windows, peak=self._peak)

    def features(self, window: Window) -> Tensor:
        """See `Maker`."""
        found = next(self._encoded)
        return silent_frames(self.view, self.model.frames(window)) if found.z is None else self._made(found, found.z, window)

    def audio(self, window: Window) -> Tensor:
        """See `Maker`."""
        found = next(self._encoded)
        if found.z is None:
            return torch.zeros_like(found.audio)
        made = self.model.decode_audio(self._latent(found.z, window), window, seed=seed_of(self._seed, window.start))
        return made * (float(found.audio.double().square().sum()) / max(float(made.double().square().sum()), 1e-20)) ** 0.5

    def _latent(self, z: Tensor, window: Window) -> Tensor:
        return z

    def _made(self, found: Encoded, z: Tensor, window: Window) -> Tensor:
        return self._with_power(silenced(self.view, self.model.decode(z, window)), found.own)

    def _with_power(self, features: Tensor, own: Tensor) -> Tensor:
        """Features with the power of others, both `(parts, bands, frames)`."""
        power = power_of(self.view, features)
        if not power > 0:
            return features
        scaled: Tensor = self.view.scaled(features, torch.tensor(math.sqrt(max(power_of(self.view, own), 1e-20) / power)).float())
        return torch.where(features > SILENCE / 2, scaled, SILENCE) if in_levels(self.view) else scaled


class Variation(Reconstruction):
    """A recording whose latent is moved by an offset of the corpus's spread, which partly changes over time.

    Where the view keeps detail, the recording is changed by the difference of the features that both latents decode to, so that
    everything that the latent does not hold stays; elsewhere it is what the new latent decodes to. amount: in units of the corpus's
    spread. number: of the variation, each has its own offset.
    """

    def __init__(self, contents: InstrumentContents, feed: Feed, *, peak: float, seed: int, amount: float, number: int):
        super().__init__(contents, feed, peak=peak, seed=seed)
        self._amount, self._number = amount, number
        self._constant = self._drawn(0)

    def _latent(self, z: Tensor, window: Window) -> Tensor:
        rate, model = self.contents.sample_rate, self.contents.model
        if model.time_varying:
            samples = window.start - window.before + (torch.arange(z.shape[1]) + 0.5) * (self.model.hop * model.stride)
            moved = z + self._offsets(samples / rate).T
        else:
            moved = z + self._offsets(torch.tensor([(window.start + window.stop) / 2 / rate]))[0]
        moved = model.project(moved[None])[0]
        if known := model.conditioning.size:
            moved[-known:] = z[-known:]
        return moved

    def _made(self, found: Encoded, z: Tensor, window: Window) -> Tensor:
        new = self.model.decode(self._latent(z, window), window)
        if not self.contents.representation.starts_near:
            return self._with_power(silenced(self.view, new), found.own)
        change = (new - self.model.decode(z, window)).clamp(-_MOST_DB, _MOST_DB)
        loudest = float(found.own.max())
        if loudest <= SILENCE / 2:
            return found.own
        changed = hold_background(found.own + change - loudest, found.own - loudest, floor=-self.view.floor) + loudest
        return self._with_power(torch.where(found.own > SILENCE / 2, changed, SILENCE), found.own)

    def _offsets(self, seconds: Tensor) -> Tensor:
        """Offsets `(times, dims)` at `seconds (times,)`."""
        places = seconds.double().clamp_min(0) / _KNOT_SECONDS
        first = int(places.min())
        knots = torch.stack([self._drawn(1 + k) for k in range(first, int(places.max()) + 2)])
        low = places.long() - first
        share = (places - places.floor()).float()[:, None]
        return self._amount * (self._constant + _WANDERING * torch.lerp(knots[low], knots[low + 1], share))

    def _drawn(self, knot: int) -> Tensor:
        """A random offset `(dims,)` with the spread of the corpus."""
        spread = sequences.trajectories_of(self.contents).spread if self.contents.model.time_varying else self.contents.space.shared
        standard = torch.from_numpy(Noise(self._seed, Purpose.VARIATION, self._number, knot).normal(spread.shape[1]).astype(np.float32))
        return spread @ standard if self.contents.model.time_varying else self.contents.space.offset(standard)
