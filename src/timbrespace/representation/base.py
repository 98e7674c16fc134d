"""The interface of all representations: audio to features and back."""

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
from timbrespace.representation.axes import CHANNELS, Axes, Part, name_parts
from timbrespace.representation.spec import FeatureKind, FeatureSpec, Values
from timbrespace.validation import checked_arguments

LOWEST_RATE, HIGHEST_RATE = 8_000, 192_000  # Hz
_CPU_BATCH_SAMPLES = 1 << 18  # encoded together on a CPU: intermediate tensors then fit into the cache


class Representation(ABC):
    """Base class of an invertible view of audio: `encode` gives features, `decode` gives audio of the same length, from 1 sample up.

    sample_rate: of the audio, Hz. channels: 1, or 2 for stereo.

    A subclass sets `parts` and `bands`, and `floor`, `hop` or `block` where it has them. It implements `frames`, `_encode` and `_decode`;
    `axes` gives its parts, bands and frames names and units. Arguments are checked here, before `_encode` and `_decode`. Keyword arguments
    of its constructor that are annotated with a pydantic `Field` are keys of a preset; the constructor checks them against the annotation
    and raises ConfigError.
    """

    parts: int
    bands: int
    decibels: bool = False  # whether features are levels in dB with a floor `floor` dB under the sound's loudest cell
    starts_near: bool = False  # whether decoding can start near a given sound: `Spectral.decode_from`
    floor: float = 0.0  # of levels in dB: dB under the sound's loudest cell that are kept
    hop: int = 0  # samples between frames; 0 for a view without such a hop
    block: int = 1  # samples of audio in a frame, for a view of plain samples
    continues: bool = False  # whether decoding searches a phase, and can continue given audio: `decode` with `past`
    exact: bool = False  # whether decoding gives the same samples, with a signal-to-noise ratio of 120 dB or better in float32

    def __init__(self, *, sample_rate: int = SAMPLE_RATE, channels: int = 1):
        if not _is_integer(channels) or channels not in (1, 2):
            raise ConfigError(f"channels is {channels!r}, allowed are 1 (mono) and 2 (stereo); the default is 1")
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
        """Returns the number of frames of `samples` samples of audio."""

    def axes(self, length: int) -> Axes:
        """Returns names and units of the parts, bands and frames of `length` samples. Default: parts and bands are numbered."""
        frames, numbers = self.frames(length), np.arange(self.bands, dtype=np.float64)
        names = CHANNELS[self.channels]
        return Axes(
            parts=name_parts([Part(f"part {k}", "", "dimensionless", "signed") for k in range(self.parts // self.channels)], names),
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
            kind=FeatureKind(self.values(), type(self).__name__, block=self.block),
            floor=(self.floor or None) if self.decibels else None,
            hop=self.hop or None,
            centres=tuple(float(hertz) for hertz in axes.centres) if axes.band_unit == "Hz" else None,
        )

    @property
    def values_per_second(self) -> float:
        """Feature values per second of long audio."""
        return self.parts * self.bands * (self.frames(1_001 * self.sample_rate) - self.frames(self.sample_rate)) / 1_000

    def encode(self, audio: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Returns features: `(batch, channels, time) -> (batch, parts, bands, frames)`. Differentiable.

        audio: floating point, finite, at least one sample; half precision is computed in single precision. lengths: `(batch,)` samples;
        audio beyond them counts as silence. Raises ShapeError.
        """
        check_audio(audio, channels=self.channels)
        if lengths is not None:
            lengths = check_lengths(lengths, audio)
            audio = audio * (torch.arange(audio.shape[-1], device=audio.device) < lengths[:, None])[:, None]
        audio = _single(audio)
        if not len(audio):  # an FFT of an empty batch is an error
            return audio.new_zeros(0, self.parts, self.bands, self.frames(audio.shape[-1]))
        sounds = max(1, _CPU_BATCH_SAMPLES // (audio.shape[1] * audio.shape[2]))
        if audio.device.type != "cpu" or len(audio) <= sounds:
            return self._encode(audio)
        pieces = [self._encode(piece) for piece in audio.split(sounds)]
        if pieces[0].stride(-1) == 1:
            return torch.cat(pieces)
        return torch.cat([piece.mT for piece in pieces]).mT  # keeps the memory layout of the pieces: frames first

    def scaled(self, features: Tensor, gain: Tensor) -> Tensor:
        """Returns the features `(…, parts, bands, frames)` of a sound that is louder by a factor `gain`, `()` or `(frames,)`, over 0.

        Of views without a phase.
        """
        return features + 20 * torch.log10(gain) if self.decibels else features * gain

    def decode(self, features: Tensor, *, length: int, seed: int = 0, past: Tensor | None = None) -> Tensor:
        """Returns audio: `(batch, parts, bands, frames) -> (batch, channels, length)`, where frames is `self.frames(length)`.

        length: samples, at least 1. seed: of random phases, where the representation has no phase. Each sound is decoded separately, so
        that its audio does not depend on the rest of the batch. past: the first samples of one sound, `(channels, any)`, where the view
        `continues`: they stay as they are, and the phase search continues them. Raises ShapeError, ConfigError (seed).
        """
        if not _is_integer(length) or length < 1:
            raise ShapeError(f"length is {length!r}, it must be a whole number of at least 1 sample")
        if not _is_integer(seed) or not 0 <= seed < 2**63:
            raise ConfigError(f"seed is {seed!r}, allowed are whole numbers from 0 to 2^63 - 1")
        expected = (self.parts, self.bands, self.frames(length))
        if not isinstance(features, Tensor) or features.ndim != 4 or tuple(features.shape[1:]) != expected:
            given = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise ShapeError(f"features must be (batch, {', '.join(map(str, expected))}) for {length} samples, not {given}")
        if not features.is_floating_point():
            raise ShapeError(f"features must be floating point, not {features.dtype}; use features.float()")
        if not torch.isfinite(features).all():
            raise ShapeError("features hold NaN or infinite values; replace them first, for instance with torch.nan_to_num")
        features = _single(features)
        if not len(features):
            return features.new_zeros(0, self.channels, length)
        try:
            more: dict[str, Any] = {"past": past} if past is not None and self.continues else {}
            audio = torch.stack([self._decode(sound, length=length, seed=seed, **more) for sound in features])
            finite = bool(torch.isfinite(audio).all())
        except ShapeError:  # phase retrieval refuses infinite magnitudes
            finite = False
        if not finite:
            largest = float(features.abs().max())
            raise ShapeError(f"features reach {largest:.3g}, too large for finite audio; clamp them to the range of encoded sounds")
        return audio

    def magnitudes(self, features: Tensor) -> tuple[Tensor, float, float] | None:
        """Returns magnitude spectra `(bins, frames)` from 0 Hz up of features `(parts, bands, frames)`, of stereo those of the middle.

        With the Hz between bins, and the noise bandwidth of the window in bins. Values are proportional to amplitudes, alike for all
        sounds. None for a view without spectra.
        """
        return None

    @abstractmethod
    def _encode(self, audio: Tensor) -> Tensor:
        """Returns features of checked audio: `(batch, channels, time) -> (batch, parts, bands, frames)`."""

    @abstractmethod
    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        """Returns audio of one sound from checked features: `(parts, bands, frames) -> (channels, length)`."""


def _single(values: Tensor) -> Tensor:
    """Returns float32 for half precision, same shape; float32 and float64 are unchanged."""
    return values if values.dtype in (torch.float32, torch.float64) else values.float()


def _is_integer(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _with_checked_arguments(construct: Callable[..., None]) -> Callable[..., None]:
    """Returns a constructor that first checks its annotated arguments. It raises ConfigError."""

    @functools.wraps(construct)
    def checked(self: Any, *positional: Any, **arguments: Any) -> None:
        construct(self, *positional, **checked_arguments(construct, arguments))

    return checked
