"""The result of a transfer: samples in an unnamed temporary file, so that the memory does not grow with their number."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from timbrespace.atomic import disk_error, replacing
from timbrespace.audio.loudness import WINDOW, momentary_loudness
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.synthesis.finish import CEILING_DB, LOUDNESS_DB, PEAK_DB, Level, check_target
from timbrespace.synthesis.transfer.feed import Wave, resampled

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK = 1 << 19  # samples read at once
_LARGEST_WAV = 4_000_000_000  # bytes: a header of WAV has 32 bits for the size


class Take:
    """Samples, written once and read any number of times. channels. rate: Hz."""

    def __init__(self, channels: int, rate: int, *, folder: Path | None = None):
        """folder: for the temporary file; None: the system's. Raises TimbrespaceError."""
        self.channels, self.rate, self.samples, self.peak = channels, rate, 0, 0.0
        self._folder = folder or Path(tempfile.gettempdir())
        try:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  # as long as the take
        except OSError as error:
            raise disk_error(error, self._folder) from error

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def add(self, audio: Wave) -> None:
        """Appends samples `(channels, any)`. Raises ShapeError for values that are not finite, TimbrespaceError for a full disk."""
        if not np.isfinite(audio).all():
            raise ShapeError("the instrument decodes the recording to infinite samples; its file is damaged, train it again")
        self.peak = max(self.peak, float(np.abs(audio).max(initial=0.0)))
        self.samples += audio.shape[1]
        try:
            self._file.write(np.ascontiguousarray(audio.T, np.float32).tobytes())
        except OSError as error:
            raise disk_error(error, self._folder) from error

    def blocks(self, *, size: int | None = None, overlap: int = 0) -> Iterator[Wave]:
        """Yields the samples in order, `(channels, size)`; each block begins with the last `overlap` samples of the one before."""
        each, size = 4 * self.channels, size or _BLOCK
        self._file.flush()
        for start in range(0, self.samples, size):
            begin = max(0, start - overlap)
            self._file.seek(begin * each)
            data = self._file.read((min(self.samples, start + size) - begin) * each)
            yield np.frombuffer(data, np.float32).reshape(-1, self.channels).T
        self._file.seek(0, 2)

    def array(self) -> Wave:
        """Returns all samples `(channels, time)`, mapped from the file."""
        self._file.flush()
        if not self.samples:
            return np.zeros((self.channels, 0), np.float32)
        return np.memmap(self._file, np.float32, "c", shape=(self.samples, self.channels)).T

    def at_rate(self, rate: int) -> Take:
        """Returns the take at another rate in Hz; itself where it has it."""
        if rate == self.rate:
            return self
        check_target(self.rate, "keep", None, rate)
        other, length = Take(self.channels, rate, folder=self._folder), max(1, round(self.samples * rate / self.rate))
        for block in resampled(self.blocks(), self.rate, rate, channels=self.channels):
            other.add(block[:, : length - other.samples])
        if other.samples < length:
            other.add(np.zeros((self.channels, length - other.samples), np.float32))
        return other

    def gain(self, level: Level | None) -> float:
        """Returns the factor that sets a level, as `finish` does; None, keep: 1, less where it would clip. Raises ConfigError."""
        if level not in (None, "keep", "peak", "loudness"):
            raise ConfigError(f"level is {level!r}, allowed is one of: peak, loudness, keep")
        if not self.peak > 0:
            return 1.0
        ceiling = 10 ** (CEILING_DB / 20) / self.peak
        if level == "peak":
            return 10 ** (PEAK_DB / 20) / self.peak
        if level == "loudness":
            pieces = self.blocks(size=10 * self.rate, overlap=round(2 * WINDOW * self.rate))
            loudest = max(momentary_loudness(block, self.rate) for block in pieces)
            return min(ceiling, 10 ** ((LOUDNESS_DB - loudest) / 20)) if np.isfinite(loudest) else 1.0
        return 1.0 if self.peak <= 1.0 else ceiling

    def write(self, path: Path, *, gain: float = 1.0, subtype: str = "PCM_24", force: bool = False) -> None:
        """Writes a WAV file, atomically. gain: factor. Raises OutputExistsError, TimbrespaceError."""
        with replacing(path, force=force) as temporary:
            large = self.samples * self.channels * 4 > _LARGEST_WAV
            options: dict[str, Any] = {"format": "RF64" if large else "WAV", "subtype": subtype}
            try:
                with soundfile.SoundFile(temporary, "w", self.rate, self.channels, **options) as file:
                    for block in self.blocks():
                        file.write((block * np.float32(gain)).T)
                _clear_time(temporary)
            except (soundfile.SoundFileError, RuntimeError) as error:
                raise OSError(None, f"requested and not written: {error}") from error


def as_tensor(audio: Take | Tensor) -> Tensor:
    """Returns samples `(channels, time)`; those of a take with the level at which they are written."""
    import torch

    return torch.from_numpy(audio.array() * np.float32(audio.gain(None))) if isinstance(audio, Take) else audio


def _clear_time(path: Path) -> None:
    """Sets the time of day that libsndfile writes into files of floating point numbers to 0: the same audio gives the same bytes."""
    with path.open("r+b") as file:
        place = file.read(4096).find(b"PEAK")
        if place > 0:
            file.seek(place + 12)
            file.write(bytes(4))
