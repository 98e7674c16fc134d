"""`waveform`: the samples."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from timbrespace.contracts import SAMPLE_RATE
from timbrespace.representation.axes import CHANNELS, Axes, Part, name_parts
from timbrespace.representation.base import Representation
from timbrespace.representation.spec import Values


class Waveform(Representation):
    """Samples, -1 to 1: parts = channels. Exact.

    Args:
        block: samples per frame, as its bands; with 1 there is one band and a frame is a sample. The last frame is padded with zeros.
        sample_rate: Hz.
        channels: 1 or 2.
    """

    exact = True

    def __init__(self, *, block: Annotated[int, Field(ge=1, le=65_536)] = 1, sample_rate: int = SAMPLE_RATE, channels: int = 1):
        super().__init__(sample_rate=sample_rate, channels=channels)
        self.block, self.bands, self.parts = block, block, channels

    @classmethod
    def values(cls) -> Values:
        """Samples of audio."""
        return "samples"

    def frames(self, samples: int) -> int:
        """Returns samples / block, rounded up."""
        return -(-samples // self.block)

    def axes(self, length: int) -> Axes:
        """Returns bands in s relative to the frame's time, which is the middle of its block."""
        middle, step = (self.block - 1) / 2 / self.sample_rate, 1 / self.sample_rate
        offsets = np.arange(self.block, dtype=np.float64) * step - middle
        return Axes(
            parts=name_parts([Part("sample", "", "full scale is 1", "signed")], CHANNELS[self.channels]),
            centres=offsets,
            lower=offsets - step / 2,
            upper=offsets + step / 2,
            frames=self.frames(length),
            first_s=middle,
            step_s=self.block * step,
            band_unit="s",
        )

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, channels, block, frames)`."""
        frames = self.frames(audio.shape[-1])
        padded = functional.pad(audio, (0, frames * self.block - audio.shape[-1]))
        return padded.unflatten(-1, (frames, self.block)).transpose(-1, -2)

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        """`(channels, block, frames) -> (channels, length)`."""
        return features.transpose(-1, -2).flatten(-2)[:, :length]
