"""A recording that a user gives: a file of any length, or samples; opened as often as it is read, with another duration if asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from timbrespace.audio import time_stretch
from timbrespace.audio.files import probe
from timbrespace.contracts import ShapeError
from timbrespace.synthesis.detail.given import GivenSound
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.transfer.feed import SILENT, ArrayFeed, Feed, FileFeed, Survey, Wave, survey
from timbrespace.synthesis.transfer.onsets import note_onsets, onsets
from timbrespace.synthesis.transfer.stretching import to_length

Given = Path | str | Tensor | GivenSound


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording at the rate, in Hz, and with the channels of an instrument. Use `recording_of`.

    found: of a file. audio: samples `(channels, time)` in memory; entry: what a recipe holds of them. length: samples of the result; None:
    as long as it is. named: whether recipes hold the name of the file.
    """

    rate: int
    channels: int
    found: Survey | None = None
    audio: Wave | None = None
    entry: dict[str, Any] = field(default_factory=dict)
    length: int | None = None
    _cache: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def stem(self) -> str:
        """The name without suffix, "recording" where it is not named."""
        return Path(self.entry.get("file", "recording")).stem

    @property
    def sha256(self) -> str:
        """Of the file, or of the samples where there is none."""
        return str(self.entry["sha256"])

    @property
    def peak(self) -> float:
        """Largest absolute sample."""
        return self.found.peak if self.found is not None else float(np.abs(self.audio).max(initial=0.0))  # type: ignore[arg-type]

    @cached_property
    def own_samples(self) -> int:
        """Samples of the recording as it is."""
        return self._own().samples

    @property
    def samples(self) -> int:
        """Samples of the recording with its new duration."""
        return self.own_samples if self.length is None else self.length

    def lasting(self, samples: int) -> Recording:
        """Returns the recording with another duration. Raises ConfigError for one that is out of range."""
        to_length(self._own(), samples, sample_rate=self.rate, marks=[0])
        return replace(self, length=samples)

    def open(self, *, centred: bool = True) -> Feed:
        """Returns the samples, to be read from their start. centred: without their mean."""
        own = self._own(centred=centred)
        return own if self.length in (None, own.samples) else to_length(own, self.samples, sample_rate=self.rate, marks=self._marks())

    def onsets(self) -> list[int]:
        """Returns the samples at which hits and notes start, with the new duration."""
        notes = [0, *note_onsets(self._own(), self.rate)]
        if self.length in (None, self.own_samples):
            return notes
        size = time_stretch.window_size(self.rate)
        positions, _ = time_stretch.frame_positions(self.own_samples, self.samples, self._marks(), hop=size // 4, size=size)
        return [int(place) for place in np.interp(notes, positions, np.arange(len(positions)) * (size // 4))]

    def _own(self, *, centred: bool = True) -> Feed:
        if self.found is not None:
            return FileFeed(self.found, rate=self.rate, channels=self.channels, centred=centred)
        assert self.audio is not None
        return ArrayFeed(self.audio - self.audio.mean(1, keepdims=True, dtype=np.float64).astype(np.float32) if centred else self.audio)

    def _marks(self) -> list[int]:
        if "marks" not in self._cache:
            self._cache["marks"] = [0, *onsets(self._own(), self.rate)]
        found: list[int] = self._cache["marks"]
        return found


def recording_of(contents: InstrumentContents, given: Given | Recording, *, named: bool = True) -> Recording:
    """Returns a recording for an instrument: a file, or samples `(channels, time)` at its rate.

    named: whether recipes hold the name of the file. Raises AudioFileError, ShapeError.
    """
    if isinstance(given, Recording):
        return given
    rate, channels = contents.sample_rate, contents.channels
    if isinstance(given, str | Path):
        path = Path(given)
        found = survey(path, channels)
        return Recording(rate, channels, found, entry={**({"file": path.name} if named else {}), "sha256": found.sha256})
    audio, entry = given, dict[str, Any]()
    if isinstance(given, GivenSound):
        audio, entry = given.audio, {**({"file": given.file} if given.file else {}), "sha256": given.sha256}
    if not isinstance(audio, Tensor) or audio.ndim != 2 or audio.shape[0] != channels or not audio.shape[1]:
        shape = tuple(audio.shape) if isinstance(audio, Tensor) else type(audio).__name__
        raise ShapeError(f"a recording must be a file, or a tensor ({channels}, time) of samples, not {shape}")
    wave = np.ascontiguousarray(audio.detach().cpu().float().numpy())
    if not np.isfinite(wave).all():
        raise ShapeError("the recording holds NaN or infinite samples; repair it first")
    if not float(np.abs(wave).max()) >= SILENT:
        raise ShapeError("the recording is silent; there is nothing to encode")
    return Recording(rate, channels, audio=wave, entry=entry or {"sha256": hashlib.sha256(wave.tobytes()).hexdigest()})


def seconds_of(path: Path) -> float:
    """Returns the duration of a sound file by its header. Raises AudioFileError."""
    info = probe(path)
    return info.frames / info.sample_rate
