"""`waveform`: the samples themselves."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.representation.base import Representation


class Waveform(Representation):
    """Samples in [-1, 1], a part a channel. Exact.

    block: samples a frame holds, as its bands; 1 leaves one band and a frame a sample. The last frame is filled up with zeros.
    """

    exact = True

    def __init__(self, *, block: Annotated[int, Field(ge=1, le=65_536)] = 1, sample_rate: int = SAMPLE_RATE, channels: int = 1):
        super().__init__(sample_rate=sample_rate, channels=channels)
        if block < 1:
            raise ConfigError(f"block is {block}, allowed are whole numbers from 1; 1 is one sample a frame")
        self.block, self.bands, self.parts = block, block, channels

    def frames(self, samples: int) -> int:
        """samples / block, rounded up."""
        return -(-samples // self.block)

    def _encode(self, audio: Tensor) -> Tensor:
        frames = self.frames(audio.shape[-1])
        padded = functional.pad(audio, (0, frames * self.block - audio.shape[-1]))
        return padded.unflatten(-1, (frames, self.block)).transpose(-1, -2)

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        return features.transpose(-1, -2).flatten(-2)[:, :length]
