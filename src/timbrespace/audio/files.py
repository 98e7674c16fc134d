"""Finding, reading, writing and resampling sound files. Nothing here ever opens a source file for writing."""

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
UNREADABLE_SUFFIXES: frozenset[str] = frozenset((".m4a", ".aac", ".wma", ".ape", ".wv", ".rex", ".rx2"))  # sound, but no open reader
SUBTYPES = ("PCM_16", "PCM_24", "FLOAT")
_BLOCK = 1 << 22  # frames read at once: long many-channel files are mixed block by block


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a sound file says: `sample_rate` in Hz, `frames` samples per channel."""

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
    """All sound files below `folder`, sorted by relative path; hidden files and folders are left out.

    Links to folders are followed, each real folder is visited once, so loops end. Files are chosen by suffix only. What cannot be
    read (a closed sub-folder, a format without an open reader) is appended to `problems` as (path, reason).
    Raises AudioFileError when `folder` is missing, not a folder, or closed.
    """
    folder = Path(folder)
    if not folder.exists():
        raise AudioFileError(f"{folder} does not exist; give a folder of sound files")
    if not folder.is_dir():
        raise AudioFileError(f"{folder} is not a folder; give the folder that holds the sound files")
    found: list[Path] = []
    _walk(folder, folder, set(), found, problems if problems is not None else [])
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _walk(folder: Path, top: Path, seen: set[str], found: list[Path], problems: list[tuple[Path, str]]) -> None:
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
                _walk(path, top, seen, found, problems)
            elif suffix in AUDIO_SUFFIXES:
                found.append(path)  # a broken link too: it is reported when it is opened
            elif suffix in UNREADABLE_SUFFIXES:
                problems.append((path, f"{suffix} files are not read; convert it to WAV or FLAC"))
        except OSError as error:
            problems.append((path, f"cannot be looked at: {error.strerror or error}"))


def probe(path: Path | str) -> AudioInfo:
    """Reads the header. Raises AudioFileError with the reason: missing, empty, not audio, truncated, impossible figures."""
    path = Path(path)
    try:
        if not path.is_file():
            raise AudioFileError(f"{path}: {'is not a regular file' if path.exists() else 'does not exist'}")
        if path.stat().st_size == 0:
            raise AudioFileError(f"{path}: empty file (0 bytes)")
        reason = truncation(path)
        if reason:
            raise AudioFileError(f"{path}: {reason}; get a whole copy of it")
        head = soundfile.info(_name(path))
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be opened: {error.strerror or error}") from None
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        raise AudioFileError(f"{path}: not readable as audio ({_library_reason(error)})") from None
    if not LOWEST_RATE <= head.samplerate <= HIGHEST_RATE or head.channels < 1:
        raise AudioFileError(f"{path}: damaged header ({head.samplerate} Hz, {head.channels} channels)")
    if head.frames < 1:
        raise AudioFileError(f"{path}: holds no samples")
    return AudioInfo(head.samplerate, head.channels, head.frames, head.format, head.subtype)


def read(path: Path | str, *, sample_rate: int | None = None, channels: int | None = None) -> tuple[Tensor, int]:
    """Reads a whole file as ((channels, time) float32, rate in Hz), resampled and mixed to what is asked.

    Raises AudioFileError: not audio, truncated, no samples, NaN or infinite samples.
    """
    import torch

    audio, rate = read_array(path, channels=channels)
    if sample_rate is not None and sample_rate != rate:
        audio, rate = resample_array(audio, rate, sample_rate), sample_rate
    return torch.from_numpy(audio), rate


def read_array(
    path: Path | str, *, channels: int | None = None, start: int = 0, frames: int | None = None, info: AudioInfo | None = None
) -> tuple[np.ndarray, int]:
    """`read` without torch and without resampling, from frame `start` on, `frames` long (None: to the end).

    Returns ((channels, time) float32 C-order, rate in Hz). Mono of a file whose channels cancel is its loudest channel.
    `info`: what `probe` said, to save asking again. Raises AudioFileError.
    """
    path = Path(path)
    info = info or probe(path)
    expected = max(0, min(info.frames - start, info.frames if frames is None else frames))
    audio, energy = _read_blocks(path, info, start, expected, channels, only=None)
    if channels == 1 and info.channels > 1 and float(np.vdot(audio, audio)) < 1e-3 * energy.max():
        audio, _ = _read_blocks(path, info, start, expected, 1, only=int(energy.argmax()))
    if not np.isfinite(audio).all():
        raise AudioFileError(f"{path}: holds NaN or infinite samples; export it again from where it came")
    return audio, info.sample_rate


def _read_blocks(
    path: Path, info: AudioInfo, start: int, expected: int, channels: int | None, *, only: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns audio (channels, time) and, where channels are mixed, the energy of each; `only` picks one source channel."""
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
        raise AudioFileError(f"{path}: damaged ({_library_reason(error)}); get a whole copy of it") from None
    if missing:
        raise AudioFileError(f"{path}: truncated: {expected - missing} of {expected} frames could be read; get a whole copy of it")
    return (blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)), energy


def _name(path: Path) -> str | bytes:
    """The name as the library takes it; bytes where a name need not be text."""
    return str(path) if os.name == "nt" else os.fsencode(path)


def _library_reason(error: Exception) -> str:
    text = getattr(error, "error_string", "") or str(error)
    return text.strip().rstrip(".") or type(error).__name__


def write(path: Path | str, audio: Tensor, sample_rate: int, *, subtype: str = "PCM_24", force: bool = False) -> None:
    """Writes (channels, time) as a WAV file, whole or not at all; the same audio always gives the same bytes.

    `subtype`: PCM_16, PCM_24 (both clip at full scale) or FLOAT. Raises ShapeError, ConfigError, OutputExistsError, TimbrespaceError.
    """
    data = np.asarray(audio.detach().cpu().numpy() if hasattr(audio, "detach") else audio, dtype=np.float32)
    if data.ndim != 2 or 0 in data.shape:
        raise ShapeError(f"audio to write must have the shape (channels, time) with at least one sample, not {tuple(data.shape)}")
    if not np.isfinite(data).all():
        raise ShapeError(f"audio for {path} holds NaN or infinite samples")
    if subtype not in SUBTYPES:
        raise ConfigError(f"subtype is {subtype!r}, allowed are {', '.join(SUBTYPES)}")
    # The encoder calls back into Python, where a Ctrl-C would be swallowed and the file come out broken: threads get no signals.
    with ThreadPoolExecutor(1) as pool:
        wav = pool.submit(_encoded, data.T, int(sample_rate), subtype).result()
    peak = wav[:4096].find(b"PEAK")
    if subtype == "FLOAT" and peak > 0:
        wav[peak + 12 : peak + 16] = bytes(4)  # the time of day that libsndfile puts there
    write_bytes(path, bytes(wav), force=force)


def _encoded(data: np.ndarray, sample_rate: int, subtype: str) -> bytearray:
    """A WAV file in memory of (time, channels) float32."""
    buffer = io.BytesIO()
    soundfile.write(buffer, data, sample_rate, format="WAV", subtype=subtype)
    return bytearray(buffer.getvalue())
