"""What every representation of sound promises."""

from __future__ import annotations

import functools
import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import SAMPLE_RATE, ConfigError, ShapeError, check_audio, check_lengths
from timbrespace.representation.axes import Axes, View
from timbrespace.representation.spec import FeatureKind, FeatureSpec, Values
from timbrespace.validation import checked_arguments

LOWEST_RATE, HIGHEST_RATE = 8_000, 192_000  # Hz
_AT_ONCE = 1 << 18  # samples encoded together on a CPU: what lies between stays in the cache and is not paged in anew


class Representation(ABC):
    """An invertible view of audio: `encode` there, `decode` back, any length in and the same length out.

    sample_rate: Hz of the audio it takes and gives. channels: 1, or 2 for stereo.
    Constructor arguments are the keys of the preset, held to the limits of their annotation whoever calls; `parts` and `bands` say the
    shape of the features.
    A new one writes `frames`, `axes`, `_encode` and `_decode`; the checks are here.
    """

    parts: int
    bands: int
    decibels: bool = False  # whether features are levels in dB, cut `floor` dB under the sound's loudest cell
    exact: bool = False  # whether the way back gives the same samples (120 dB or better in float32)

    def __init__(self, *, sample_rate: int = SAMPLE_RATE, channels: int = 1):
        if not _is_integer(channels) or channels not in (1, 2):
            raise ConfigError(f"channels is {channels!r}, allowed are 1 (mono) and 2 (stereo)")
        if not _is_integer(sample_rate) or not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
            raise ConfigError(
                f"sample_rate is {sample_rate!r}, allowed are whole numbers from {LOWEST_RATE} to {HIGHEST_RATE} Hz; "
                f"resample the audio to {SAMPLE_RATE}"
            )
        self.sample_rate, self.channels = int(sample_rate), int(channels)

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = _with_checked_arguments(cls.__init__)  # type: ignore[method-assign]

    @abstractmethod
    def frames(self, samples: int) -> int:
        """How many frames `samples` samples of audio become."""

    def axes(self, length: int) -> Axes:
        """What the features of `length` samples stand for: parts, Hz, s, units. Here: parts and bands that are only numbered."""
        frames, numbers = self.frames(length), np.arange(self.bands, dtype=np.float64)
        return Axes(
            parts=tuple(View(f"part {k}", "", "", "signed") for k in range(self.parts)),
            centres=numbers,
            lower=numbers - 0.5,
            upper=numbers + 0.5,
            frames=frames,
            first_s=0.0,
            step_s=length / self.sample_rate / max(frames, 1),
            band_unit="",
        )

    @classmethod
    def values(cls) -> Values:
        """What the features are, see `FeatureKind`."""
        return "levels" if cls.decibels else "other"

    def spec(self, samples: int) -> FeatureSpec:
        """Returns what a model must know of the features of sounds of up to `samples` samples."""
        with torch.device("cpu"):  # an instrument file is read with all new tensors on "meta"
            axes = self.axes(samples)
        return FeatureSpec(
            parts=self.parts,
            bands=self.bands,
            frames=self.frames(samples),
            samples=samples,
            sample_rate=self.sample_rate,
            frames_of=self.frames,
            kind=FeatureKind(self.values(), type(self).__name__, block=getattr(self, "block", 1)),
            floor=getattr(self, "floor", None) if self.decibels else None,
            hop=getattr(self, "hop", None),
            centres=tuple(float(hertz) for hertz in axes.centres) if axes.band_unit == "Hz" else None,
        )

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
        audio = _single(audio)
        if not len(audio):  # no FFT of no sounds
            return audio.new_zeros(0, self.parts, self.bands, self.frames(audio.shape[-1]))
        some = max(1, _AT_ONCE // (audio.shape[1] * audio.shape[2]))
        if audio.device.type != "cpu" or len(audio) <= some:
            return self._encode(audio)
        pieces = [self._encode(piece) for piece in audio.split(some)]
        if pieces[0].stride(-1) == 1:
            return torch.cat(pieces)
        return torch.cat([piece.mT for piece in pieces]).mT  # frames first in memory, as they come

    def decode(self, features: Tensor, *, length: int, seed: int = 0) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, channels, length)`, `frames` as `frames(length)` says.

        length: samples, at least 1. seed: of whatever the way back has to invent (phase). Each sound is decoded on its own, so its
        audio does not depend on the batch that it stands in. Raises ShapeError, ConfigError (seed).
        """
        if not _is_integer(length) or length < 1:
            raise ShapeError(f"length is {length!r} samples, a whole number of at least 1 is needed")
        if not _is_integer(seed) or not 0 <= seed < 2**63:
            raise ConfigError(f"seed is {seed!r}, allowed are whole numbers from 0 to 2^63 - 1")
        wanted = (self.parts, self.bands, self.frames(length))
        if not isinstance(features, Tensor) or features.ndim != 4 or tuple(features.shape[1:]) != wanted:
            found = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise ShapeError(f"features must be (batch, {', '.join(map(str, wanted))}) for {length} samples, not {found}")
        if not features.is_floating_point():
            raise ShapeError(f"features must be floating point, not {features.dtype}; use features.float()")
        if not torch.isfinite(features).all():
            raise ShapeError("features hold NaN or infinite values; repair them first, for instance with torch.nan_to_num")
        features = _single(features)
        if not len(features):
            return features.new_zeros(0, self.channels, length)
        try:
            audio = torch.stack([self._decode(sound, length=length, seed=seed) for sound in features])
            fits = bool(torch.isfinite(audio).all())
        except ShapeError:  # a step inside met infinite magnitudes
            fits = False
        if not fits:
            most = float(features.abs().max())
            raise ShapeError(f"features reach {most:.3g}, far beyond any sound, and give no finite audio; clamp them to what encode gives")
        return audio

    @abstractmethod
    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, parts, bands, frames)`; checked audio, silent beyond its end."""

    @abstractmethod
    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        """One sound: `(parts, bands, frames) -> (channels, length)`; checked features."""


def _single(values: Tensor) -> Tensor:
    return values if values.dtype in (torch.float32, torch.float64) else values.float()


def _is_integer(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _with_checked_arguments(construct: Callable[..., None]) -> Callable[..., None]:
    """Returns a constructor that first checks its annotated arguments. It raises ConfigError."""

    @functools.wraps(construct)
    def checked(self: Any, *positional: Any, **arguments: Any) -> None:
        construct(self, *positional, **checked_arguments(construct, arguments))

    return checked
