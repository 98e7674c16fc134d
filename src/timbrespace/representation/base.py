"""What every representation of sound promises."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from timbrespace.contracts import SAMPLE_RATE, ConfigError, ShapeError, check_audio, check_lengths


class Representation(ABC):
    """An invertible view of audio: `encode` there, `decode` back, any length in and the same length out.

    sample_rate: Hz of the audio it takes and gives. channels: 1, or 2 for stereo.
    Constructor arguments are the keys of the preset; `parts` and `bands` say the shape of the features.
    A new one writes `frames`, `_encode` and `_decode`; the checks are here.
    """

    parts: int
    bands: int
    decibels: bool = False  # whether features are levels in dB, cut `floor` dB under the sound's loudest cell
    exact: bool = False  # whether the way back gives the same samples (120 dB or better in float32)

    def __init__(self, *, sample_rate: int = SAMPLE_RATE, channels: int = 1):
        if channels not in (1, 2):
            raise ConfigError(f"channels is {channels}, allowed are 1 (mono) and 2 (stereo)")
        self.sample_rate, self.channels = sample_rate, channels

    @abstractmethod
    def frames(self, samples: int) -> int:
        """How many frames `samples` samples of audio become."""

    @property
    def values_per_second(self) -> float:
        """Numbers a second of long audio."""
        return self.parts * self.bands * (self.frames(1_001 * self.sample_rate) - self.frames(self.sample_rate)) / 1_000

    def encode(self, audio: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """`(batch, channels, time) -> (batch, parts, bands, frames)`; what lies beyond `lengths` counts as silence.

        audio: floating point, finite, at least one sample; half precision is worked on in single. Differentiable. Raises ShapeError.
        """
        check_audio(audio, channels=self.channels)
        if lengths is not None:
            lengths = check_lengths(lengths, audio)
            audio = audio * (torch.arange(audio.shape[-1], device=audio.device) < lengths[:, None])[:, None]
        return self._encode(_single(audio))

    def decode(self, features: Tensor, *, length: int, seed: int = 0) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, channels, length)`, `frames` as `frames(length)` says.

        length: samples, at least 1. seed: of whatever the way back has to invent (phase). Each sound is decoded on its own, so its
        audio does not depend on the batch that it stands in. Raises ShapeError.
        """
        if length < 1:
            raise ShapeError(f"length is {length} samples, at least 1 is needed")
        wanted = (self.parts, self.bands, self.frames(length))
        if not isinstance(features, Tensor) or features.ndim != 4 or tuple(features.shape[1:]) != wanted:
            found = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise ShapeError(f"features must be (batch, {', '.join(map(str, wanted))}) for {length} samples, not {found}")
        if not features.is_floating_point():
            raise ShapeError(f"features must be floating point, not {features.dtype}; use features.float()")
        if not torch.isfinite(features).all():
            raise ShapeError("features hold NaN or infinite values; repair them first, for instance with torch.nan_to_num")
        sounds = [self._decode(sound, length=length, seed=seed) for sound in _single(features)]
        return torch.stack(sounds) if sounds else features.new_zeros(0, self.channels, length)

    @abstractmethod
    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, parts, bands, frames)`; checked audio, silent beyond its end."""

    @abstractmethod
    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        """One sound: `(parts, bands, frames) -> (channels, length)`; checked features."""


def _single(values: Tensor) -> Tensor:
    return values if values.dtype in (torch.float32, torch.float64) else values.float()
