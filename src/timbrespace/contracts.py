"""Definitions that all parts of timbrespace share: default values, errors, checks of shapes.

Every module may import this one; it imports no other module of the project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Defaults of the whole project.
SAMPLE_RATE = 44_100  # Hz
CLIP_SECONDS = 2.0  # s; a corpus with longer sounds uses its 95th percentile instead
LONGEST_CLIP_SECONDS = 6.0  # s


class TimbrespaceError(Exception):
    """Base class of all errors for the user: they say what was given, what is allowed, and what to do.

    The command line prints the text without a traceback and exits with code 2.
    """


class AudioFileError(TimbrespaceError):
    """A sound file that cannot be read or contains no usable audio."""


class ShapeError(TimbrespaceError, ValueError):
    """A tensor argument with the wrong shape, type or content."""


class ConfigError(TimbrespaceError, ValueError):
    """A preset, a setting or an option that is unknown or out of range."""


class InstrumentFileError(TimbrespaceError):
    """An instrument file that is damaged, foreign, or of a version that this release does not read."""


class FeatureFileError(TimbrespaceError):
    """An array or image of features that is damaged, foreign, inconsistent with its JSON, or of an unknown version."""


class CorpusError(TimbrespaceError):
    """A folder that is not a usable corpus, or a corpus too small for the request."""


class OutputExistsError(TimbrespaceError):
    """An output exists and `--force` was not given."""


@dataclass(frozen=True)
class Parameter:
    """A control that knows its range, unit and default.

    The same object feeds the command line, sliders, OSC/MIDI and export metadata.
    """

    name: str
    low: float
    high: float
    default: float
    unit: str = ""
    help: str = ""

    def check(self, value: float) -> float:
        """Returns `value` as a float, or raises ConfigError when it is not a number within [low, high]."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ConfigError(f"{self.name} must be a number, not {value!r}") from None
        if not self.low <= number <= self.high:  # also refuses NaN
            unit = f" {self.unit}" if self.unit else ""
            raise ConfigError(
                f"{self.name} is {value}, allowed is {self.low:g} to {self.high:g}{unit}; the default is {self.default:g}{unit}"
            )
        return number


def check_audio(audio: Tensor, *, channels: int | None = None) -> Tensor:
    """Returns `audio` unchanged if it is valid.

    audio: `(batch, channels, time)`, floating point, finite, at least one sample. channels: required number; None: any.
    Raises ShapeError.
    """
    import torch

    if not isinstance(audio, torch.Tensor):
        raise ShapeError(f"audio must be a torch.Tensor (batch, channels, time), not {type(audio).__name__}; use torch.as_tensor")
    if audio.ndim != 3:
        raise ShapeError(f"audio must have the shape (batch, channels, time), not {tuple(audio.shape)}; add dimensions with audio[None]")
    if not audio.is_floating_point():
        raise ShapeError(f"audio must be floating point in [-1, 1], not {audio.dtype}; divide integers by their full scale first")
    if channels is not None and audio.shape[1] != channels:
        raise ShapeError(f"audio has {audio.shape[1]} channels, {channels} expected; mix or repeat channels first")
    if audio.shape[-1] == 0:
        raise ShapeError("audio has no samples (time = 0); at least one is needed")
    if not torch.isfinite(audio).all():
        raise ShapeError("audio contains NaN or infinite samples; repair or drop the sound first")
    return audio


def check_lengths(lengths: Tensor | None, audio: Tensor) -> Tensor:
    """Returns the lengths of the sounds in a padded batch, `(batch,)` int64 on the device of `audio`.

    lengths: `(batch,)` integers in samples, 1 ≤ length ≤ time; None: every sound has the full length. audio: `(batch, channels, time)`.
    Raises ShapeError.
    """
    import torch

    batch, time = audio.shape[0], audio.shape[-1]
    if lengths is None:
        return torch.full((batch,), time, dtype=torch.int64, device=audio.device)
    try:
        lengths = torch.as_tensor(lengths, device=audio.device)
    except (TypeError, ValueError, RuntimeError):
        raise ShapeError(f"lengths must be {batch} integers, one for each sound, not {type(lengths).__name__}") from None
    if lengths.shape != (batch,) or lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise ShapeError(f"lengths must be {batch} integers, one for each sound, not {tuple(lengths.shape)} of {lengths.dtype}")
    if batch and (int(lengths.min()) < 1 or int(lengths.max()) > time):
        raise ShapeError(f"lengths must be within 1…{time} samples, not {int(lengths.min())}…{int(lengths.max())}")
    return lengths.to(torch.int64)
