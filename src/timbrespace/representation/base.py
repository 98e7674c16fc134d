"""What every representation of sound promises."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from timbrespace.contracts import SAMPLE_RATE, ConfigError


class Representation(ABC):
    """An invertible view of audio: `encode` there, `decode` back, any length in and the same length out.

    sample_rate: Hz of the audio it takes and gives. channels: 1, or 2 for stereo.
    Constructor arguments are the keys of the preset; `parts` and `bands` say the shape of the features.
    """

    parts: int
    bands: int

    def __init__(self, *, sample_rate: int = SAMPLE_RATE, channels: int = 1):
        if channels not in (1, 2):
            raise ConfigError(f"channels is {channels}, allowed are 1 (mono) and 2 (stereo)")
        self.sample_rate, self.channels = sample_rate, channels

    @abstractmethod
    def frames(self, samples: int) -> int:
        """How many frames `samples` samples of audio become."""

    @abstractmethod
    def encode(self, audio: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """`(batch, channels, time) -> (batch, parts, bands, frames)`; what lies beyond `lengths` counts as silence."""

    @abstractmethod
    def decode(self, features: Tensor, *, length: int, seed: int = 0) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, channels, length)`, `frames` as `frames(length)` says.

        seed: of whatever the way back has to invent (phase). Each sound is decoded on its own, so its audio does not
        depend on the batch that it stands in.
        """
