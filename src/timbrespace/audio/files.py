"""Finds, reads and writes sound files. A source file is never opened for writing."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from timbrespace.atomic import write_bytes
from timbrespace.audio.damage import truncation
from timbrespace.audio.resampling import HIGHEST_RATE, LOWEST_RATE, mix, resample, resample_array
from timbrespace.contracts import AudioFileError, ConfigError, ShapeError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "AUDIO_SUFFIXES",
    "SUBTYPES",
    "AudioInfo",
    "find_audio",
    "mix",
    "probe",
    "read",
    "read_array",
    "resample",
    "resample_array",
    "write",
]

AUDIO_SUFFIXES: frozenset[str] = frozenset(
    (".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".caf", ".au", ".snd")
)
UNREADABLE_SUFFIXES: frozenset[str] = frozenset((".m4a", ".aac", ".wma", ".ape", ".wv", ".rex", ".rx2"))  # audio, but no reader
SUBTYPES = ("PCM_16", "PCM_24", "FLOAT")
_BLOCK = 1 << 22  # frames read at once: long files with many channels are mixed block by block


@dataclass(frozen=True)
class AudioInfo:
    """The header of a sound file: sample_rate in Hz, frames is samples per channel."""

    sample_rate: int
    channels: int
    frames: int
    format: str
    subtype: str

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


def find_audio(folder: Path | str, *, problems: list[tuple[Path, str]] | None = None) -> list[Path]:
    """All sound files below `folder`, sorted by relative path, without hidden files and folders.

    Files are found by suffix. Links to folders are followed, and each real folder is visited once, so that loops end. Sub-folders that
    cannot be opened and formats that cannot be read are appended to `problems` as (path, reason).
    Raises AudioFileError if `folder` is missing, not a folder, or cannot be opened.
    """
    folder = Path(folder)
    if not folder.exists():
        raise AudioFileError(f"{folder} does not exist; give a folder of sound files")
    if not folder.is_dir():
        raise AudioFileError(f"{folder} is not a folder; give the folder that holds the sound files")
    files: list[Path] = []
    _walk(folder, folder, set(), files, problems if problems is not None else [])
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def _walk(folder: Path, top: Path, seen: set[str], files: list[Path], problems: list[tuple[Path, str]]) -> None:
    """Appends the sound files below `folder` to `files`."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        reason = f"the folder cannot be opened: {error.strerror or error}"
        if folder == top:
            raise AudioFileError(f"{folder}: {reason}; check its permissions") from None
        problems.append((folder, reason))
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        path = folder / entry.name
        suffix = path.suffix.lower()
        try:
            if entry.is_dir():
                _walk(path, top, seen, files, problems)
            elif suffix in AUDIO_SUFFIXES:
                files.append(path)  # also a broken link: it is reported when it is opened
            elif suffix in UNREADABLE_SUFFIXES:
                problems.append((path, f"{suffix} files are not read; convert it to WAV or FLAC"))
        except OSError as error:
            problems.append((path, f"cannot be examined: {error.strerror or error}"))


def probe(path: Path | str) -> AudioInfo:
    """The header of a sound file. Raises AudioFileError if it is missing, empty, not audio, truncated, or has impossible values."""
    path = Path(path)
    try:
        if not path.is_file():
            raise AudioFileError(f"{path}: {'is not a regular file' if path.exists() else 'does not exist'}")
        if path.stat().st_size == 0:
            raise AudioFileError(f"{path}: empty file (0 bytes)")
        reason = truncation(path)
        if reason:
            raise AudioFileError(f"{path}: {reason}; get a complete copy of it")
        head = soundfile.info(_name(path))
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be opened: {error.strerror or error}") from None
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        raise AudioFileError(f"{path}: not readable as audio ({_library_reason(error)})") from None
    if not LOWEST_RATE <= head.samplerate <= HIGHEST_RATE or head.channels < 1:
        raise AudioFileError(f"{path}: damaged header ({head.samplerate} Hz, {head.channels} channels)")
    if head.frames < 1:
        raise AudioFileError(f"{path}: contains no samples")
    return AudioInfo(head.samplerate, head.channels, head.frames, head.format, head.subtype)


def read(path: Path | str, *, sample_rate: int | None = None, channels: int | None = None) -> tuple[Tensor, int]:
    """Audio of a whole file and its rate in Hz: `((channels, time) float32, rate)`.

    sample_rate, channels: what it is resampled and mixed to; None: as in the file. Raises AudioFileError for a file that is not audio,
    is truncated, or contains no, NaN or infinite samples.
    """
    import torch

    audio, rate = read_array(path, channels=channels)
    if sample_rate is not None and sample_rate != rate:
        audio, rate = resample_array(audio, rate, sample_rate), sample_rate
    return torch.from_numpy(audio), rate


def read_array(
    path: Path | str, *, channels: int | None = None, start: int = 0, frames: int | None = None, info: AudioInfo | None = None
) -> tuple[np.ndarray, int]:
    """As `read`, without PyTorch and resampling: `((channels, time) float32 in C order, rate in Hz)`.

    start, frames: the part to read, in samples; None: to the end. info: the result of `probe`, if it is known. If the channels cancel
    in mono, the result is the loudest channel. Raises AudioFileError.
    """
    path = Path(path)
    info = info or probe(path)
    expected = max(0, min(info.frames - start, info.frames if frames is None else frames))
    audio, energy = _read_blocks(path, info, start, expected, channels, only=None)
    if channels == 1 and info.channels > 1 and float(np.vdot(audio, audio)) < 1e-3 * energy.max():
        audio, _ = _read_blocks(path, info, start, expected, 1, only=int(energy.argmax()))
    if not np.isfinite(audio).all():
        raise AudioFileError(f"{path}: contains NaN or infinite samples; export it again from its source")
    return audio, info.sample_rate


def _read_blocks(
    path: Path, info: AudioInfo, start: int, expected: int, channels: int | None, *, only: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Audio `(channels, time)` and the energy of each source channel, which is 0 unless channels are mixed.

    start, expected: the part to read, in samples. only: a single source channel.
    """
    blocks, energy, missing = [], np.zeros(info.channels), expected
    mixing = info.channels > 1 and channels == 1 and only is None
    try:
        with soundfile.SoundFile(_name(path)) as file:
            if start:
                file.seek(start)
            while missing > 0:
                block = file.read(min(missing, _BLOCK), dtype="float32", always_2d=True)
                if not len(block):
                    break
                missing -= len(block)
                if mixing:
                    with np.errstate(over="ignore", invalid="ignore"):
                        energy += np.einsum("tc,tc->c", block, block)
                blocks.append(np.ascontiguousarray(block[:, only : only + 1].T) if only is not None else mix(block.T, channels))
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be opened: {error.strerror or error}") from None
    except (soundfile.SoundFileError, RuntimeError, ValueError, MemoryError) as error:
        raise AudioFileError(f"{path}: damaged ({_library_reason(error)}); get a complete copy of it") from None
    if missing:
        raise AudioFileError(f"{path}: truncated: {expected - missing} of {expected} frames could be read; get a complete copy of it")
    return (blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)), energy


def _name(path: Path) -> str | bytes:
    """The file name for libsndfile: bytes on systems where a name need not be text."""
    return str(path) if os.name == "nt" else os.fsencode(path)


def _library_reason(error: Exception) -> str:
    text = getattr(error, "error_string", "") or str(error)
    return text.strip().rstrip(".") or type(error).__name__


def write(path: Path | str, audio: Tensor, sample_rate: int, *, subtype: str = "PCM_24", force: bool = False) -> None:
    """Writes audio `(channels, time)` atomically as a WAV file; the same audio always gives the same bytes.

    sample_rate: Hz. subtype: PCM_16, PCM_24 (both clip at full scale) or FLOAT. Raises ShapeError, ConfigError, OutputExistsError,
    TimbrespaceError.
    """
    data = np.asarray(audio.detach().cpu().numpy() if hasattr(audio, "detach") else audio, dtype=np.float32)
    if data.ndim != 2 or 0 in data.shape:
        raise ShapeError(f"audio to write must have the shape (channels, time) with at least one sample, not {tuple(data.shape)}")
    if not np.isfinite(data).all():
        raise ShapeError(f"audio for {path} contains NaN or infinite samples")
    if subtype not in SUBTYPES:
        raise ConfigError(f"subtype is {subtype!r}, allowed are {', '.join(SUBTYPES)}")
    # The encoder calls back into Python, where Ctrl-C would be lost and the file broken; threads receive no signals.
    with ThreadPoolExecutor(1) as pool:
        wav = pool.submit(_encoded, data.T, int(sample_rate), subtype).result()
    peak = wav[:4096].find(b"PEAK")
    if subtype == "FLOAT" and peak > 0:
        wav[peak + 12 : peak + 16] = bytes(4)  # the time of day that libsndfile writes there
    write_bytes(path, bytes(wav), force=force)


def _encoded(data: np.ndarray, sample_rate: int, subtype: str) -> bytearray:
    """The bytes of a WAV file of `data (time, channels)` float32."""
    buffer = io.BytesIO()
    soundfile.write(buffer, data, sample_rate, format="WAV", subtype=subtype)
    return bytearray(buffer.getvalue())
