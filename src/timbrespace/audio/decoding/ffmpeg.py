"""Decoding with FFmpeg through PyAV (the extra `decoders`): AAC, ALAC, WMA, APE, WavPack and others that libsndfile does not support."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace.contracts import AudioFileError

_SLACK = 0.1  # s; announced lengths count the samples that a decoder skips at the start
_ESTIMATED = frozenset(
    ("aac", "ac3", "eac3", "dts", "dtshd", "amr", "mp3", "truehd", "mlp", "loas")
)  # raw streams: FFmpeg guesses their length
_PADDING = 4096  # samples; what an encoder adds to fill its last packet
_LOCAL = threading.local()


def measure(path: Path) -> tuple[int, int, int, str, bool]:
    """Sample rate in Hz, channels, samples per channel, codec, and whether the length is in the header.

    The file is decoded, because lengths in headers may be inexact.

    Raises AudioFileError if it cannot be decoded, is damaged or truncated, or contains no sound; ImportError without PyAV.
    """
    reader = AvReader(path)
    frames = sum(block.shape[0] for block in reader)
    announced = reader.announced_seconds
    if reader.announced_frames and 0 <= frames - reader.announced_frames <= _PADDING:
        frames = reader.announced_frames
    if announced is not None and frames / reader.rate < 0.99 * announced - _SLACK:
        present = frames / reader.rate
        raise AudioFileError(
            f"{path}: truncated: the header says {announced:.2f} s, the file has {present:.2f} s; get a complete copy of it"
        )
    return reader.rate, reader.channels, frames, reader.codec, announced is not None


class AvReader:
    """Reads a sound file with PyAV from start to end; `read` and `seek` are as in soundfile."""

    def __init__(self, path: Path) -> None:
        av = _pyav()
        av.logging.set_level(av.logging.PANIC)
        self.path = path
        self.version = _version(path)
        self.position = 0
        self._left = np.zeros((0, 0), np.float32)
        try:
            container = av.open(str(path), metadata_errors="ignore")
            stream = next(iter(container.streams.audio), None)
            if stream is None:
                raise AudioFileError(f"{path}: contains no sound")
            if stream.codec_context is None:
                raise AudioFileError(f"{path}: FFmpeg has no decoder for it; convert it to WAV or FLAC")
            self.rate, self.channels = int(stream.rate or 0), int(stream.channels or 0)
            self.codec = str(stream.codec_context.name).upper()
            self.announced_seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
            if self.announced_seconds is None and container.duration and "matroska" in container.format.name:
                self.announced_seconds = container.duration / 1_000_000
            if container.format.name in _ESTIMATED:
                self.announced_seconds = None
            self.announced_frames = int(stream.duration or 0) if stream.time_base == Fraction(1, self.rate or 1) else 0
            self._blocks = self._decode(container, stream)
        except (av.FFmpegError, ValueError, LookupError) as error:
            raise AudioFileError(f"{path}: not readable as audio ({_reason(error)})") from None

    @classmethod
    def at(cls, path: Path) -> AvReader:
        """A reader of `path`: the last one of this thread if it reads the same file, so that successive parts are decoded once."""
        reader = getattr(_LOCAL, "reader", None)
        if reader is None or reader.path != path or reader.version != _version(path):
            reader = _LOCAL.reader = cls(path)
        return reader

    def __iter__(self) -> Iterator[np.ndarray]:
        """The remaining blocks, `(time, channels)` float32."""
        return self._blocks

    def _decode(self, container: Any, stream: Any) -> Iterator[np.ndarray]:
        from av import FFmpegError

        started = False
        try:
            for frame in container.decode(stream):
                if frame.sample_rate != self.rate or len(frame.layout.channels) != self.channels:
                    raise AudioFileError(f"{self.path}: changes its sample rate or channels within the file; convert it to WAV or FLAC")
                block = _floats(frame, self.channels)
                started = True
                yield block
        except (FFmpegError, ValueError) as error:
            if not started:
                raise AudioFileError(f"{self.path}: FFmpeg cannot decode it ({_reason(error)}); convert it to WAV or FLAC") from None
            raise AudioFileError(f"{self.path}: damaged ({_reason(error)}); get a complete copy of it") from None
        finally:
            container.close()

    def seek(self, frames: int) -> int:
        """Moves to a sample: forwards by decoding, backwards by a restart. Returns the position in samples."""
        if frames < self.position:
            self.__init__(self.path)  # type: ignore[misc]
        while self.position < frames:
            if not len(self.read(min(1 << 20, frames - self.position))):
                break
        return self.position

    def read(self, frames: int, *, dtype: str = "float32", always_2d: bool = True) -> np.ndarray:
        """The next `frames` samples, `(time, channels)` float32, fewer at the end."""
        pieces, missing = [], frames
        while missing > 0:
            if not len(self._left):
                block = next(self._blocks, None)
                if block is None:
                    break
                self._left = block
            piece, self._left = self._left[:missing], self._left[missing:]
            pieces.append(piece)
            missing -= len(piece)
        self.position += frames - missing
        return np.concatenate(pieces) if pieces else np.zeros((0, self.channels), np.float32)


def _pyav() -> Any:
    """The package PyAV. Raises ImportError if it is missing, or another package has its name."""
    import av

    if not hasattr(av, "open") or not hasattr(av, "logging"):
        raise ImportError("the package `av` is not PyAV")
    return av


def _floats(frame: Any, channels: int) -> np.ndarray:
    """Samples of a frame, `(time, channels)` float32; integers are divided by full scale."""
    data = frame.to_ndarray()
    data = data.T if frame.format.is_planar else data.reshape(-1, channels)
    if data.dtype.kind == "u":
        return ((data.astype(np.float32) - 128) / 128).astype(np.float32)
    if data.dtype.kind == "i":
        return (data.astype(np.float64) / -float(np.iinfo(data.dtype).min)).astype(np.float32)
    with np.errstate(over="ignore"):
        return data.astype(np.float32)


def _version(path: Path) -> tuple[int, int]:
    """Modification time and size, to detect a changed file."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip().rstrip(".")
