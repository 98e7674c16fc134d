"""Writes the sound to a file, while it is played or as fast as it can be computed."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from timbrespace.atomic import disk_error, replacing
from timbrespace.contracts import ConfigError

_FORMATS = {".wav": "WAV", ".flac": "FLAC", ".w64": "W64"}
SUBTYPE = "PCM_24"
_BYTES, _MOST_WAV = 3, 2**32 - 2**16  # of a sample; of a WAV file
_LITTLE = 8 * 2**20  # bytes that are left on the disk: the end of a FLAC file needs some
_UNKNOWN = OSError(errno.EIO, "the disk takes no more")


class Recorder:
    """A sound file of 24 bits that grows; it appears under its name when it is closed, and not at all if an error ends the block.

    full: whether it takes no more. lost: frames that were played and came too late to be written; skipped: those before it began.
    """

    def __init__(self, path: Path, *, sample_rate: int, channels: int, force: bool = False):
        """Raises ConfigError for another ending than .wav, .flac or .w64, OutputExistsError without `force`."""
        import soundfile

        check_recording(path)
        self.path, self.channels, self.sample_rate = path, channels, sample_rate
        self.frames, self.full, self.lost, self.skipped, self._looked = 0, False, 0, 0, 0
        self._limit = _MOST_WAV if path.suffix.lower() == ".wav" else None
        self._stack = ExitStack()
        temporary = self._stack.enter_context(replacing(path, force=force))
        try:
            kind = _FORMATS[path.suffix.lower()]
            self._file: Any = soundfile.SoundFile(str(temporary), "w", sample_rate, channels, subtype=SUBTYPE, format=kind)
        except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
            self._stack.close()
            raise ConfigError(f"{path} cannot be written: {error}") from error

    @property
    def seconds(self) -> float:
        """Length so far."""
        return self.frames / self.sample_rate

    def write(self, audio: np.ndarray) -> None:
        """Adds samples `(frames, channels)`. After 4 GB of a WAV file `full` is set, and no more is added.

        Raises TimbrespaceError.
        """
        if self._limit is not None and (self.frames + len(audio)) * self.channels * _BYTES > self._limit:
            self.full = True
        if self.full or not len(audio):
            return
        if self.frames >= self._looked:  # once a second
            self._looked = self.frames + self.sample_rate
            self._check_room()
        try:
            self._file.write(audio)
        except (OSError, RuntimeError) as error:  # libsndfile says no more than "System error"
            raise disk_error(error if isinstance(error, OSError) else _UNKNOWN, self.path) from error
        self.frames += len(audio)

    def end(self) -> None:
        """Adds no more from now on. What was written is kept, also where the disk has no room left."""
        self.full = True
        with suppress(OSError, RuntimeError):
            self._file.close()

    def _check_room(self) -> None:
        """Raises TimbrespaceError where the disk is as good as full."""
        free = _LITTLE
        with suppress(OSError):
            free = shutil.disk_usage(self.path.absolute().parent).free
        if free < _LITTLE:
            raise disk_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), self.path)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._file.close()
        except (OSError, RuntimeError) as problem:
            if not self.full:
                raise disk_error(problem if isinstance(problem, OSError) else _UNKNOWN, self.path) from problem
        self._stack.__exit__(kind, error, trace)


def check_recording(path: Path) -> None:
    """Raises ConfigError for the name of a file that is not recorded."""
    if path.suffix.lower() not in _FORMATS:
        raise ConfigError(f"--record is {path.name!r}; the name of a recording must end in {', '.join(_FORMATS)}")
