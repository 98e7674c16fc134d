"""Finds, reads and writes sound files. A source file is never opened for writing."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from timbrespace.atomic import write_bytes
from timbrespace.audio.containers.base import Remark
from timbrespace.audio.containers.inspection import inspect
from timbrespace.audio.decoding.levels import impossible_samples
from timbrespace.audio.decoding.open import AudioInfo, describe, open_sound
from timbrespace.audio.decoding.speakers import ChannelEnergies, mix_weights
from timbrespace.audio.resampling import HIGHEST_RATE, LOWEST_RATE, mix, mix_weighted, resample, resample_array
from timbrespace.contracts import AudioFileError, ConfigError, ShapeError
from timbrespace.wording import similar_names

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "AUDIO_SUFFIXES",
    "SUBTYPES",
    "AudioInfo",
    "find_audio",
    "log_remarks",
    "mix",
    "probe",
    "read",
    "read_array",
    "resample",
    "resample_array",
    "write",
]


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_READ = _listed(
    """.wav .wave .bwf .bw64 .rf64 .w64 .aif .aiff .aifc .caf .au .snd .voc .8svx .svx .iff .amb .sph .nist .flac .ogg .oga .opus
    .mp3 .mp2 .mpga"""
)
_NAMED = _listed(  # need PyAV, or are refused with what they are and what to do
    """.m4a .m4b .m4p .m4r .3ga .aac .adts .wma .asf .ape .wv .tta .tak .ofr .mpc .spx .ac3 .eac3 .dts .amr .mka .weba .dsf .dff .ra
    .shn .rex .rx2 .rcy"""
)
AUDIO_SUFFIXES = _READ | _NAMED
# Files that may hold sounds but are not opened, by their suffix, and what to do about them.
UNOPENED: dict[str, str] = {
    **dict.fromkeys(_listed(".zip .rar .7z .tar .tgz .gz .bz2 .xz"), "is an archive; unpack it to use the sounds in it"),
    **dict.fromkeys(
        _listed(".mp4 .m4v .mov .mkv .webm .avi .3gp .3g2 .mpg .mpeg .flv .wmv"),
        "is a video file; convert its sound to WAV or FLAC to use it",
    ),
    **dict.fromkeys(
        _listed(".sf2 .sf3 .gig .dls .nkx .ncw .ens .sxt"), "is an instrument of a sampler; export its sounds as WAV to use them"
    ),
    **dict.fromkeys(
        _listed(".sd2 .ircam .sf .paf .xi .sds .avr .pvf .gsm .vox .mmf .wve .oma .aa .aax"),
        "is in a format that is not read; convert it to WAV or FLAC",
    ),
    **dict.fromkeys(_listed(".part .crdownload .download"), "is an incomplete download; download it again"),
}
SUBTYPES = ("PCM_16", "PCM_24", "FLOAT")
_MPEG_PREROLL = 32 * 1152  # samples; frames of MP3 need bits of those before them, which a seek leaves out (soundfile seeks after a read)
_LOG = logging.getLogger(__name__)
_SYSTEM_FOLDERS = _listed(
    "#recycle #snapshot $recycle.bin recycler recycled lost+found __macosx @eadir @recycle @tmp @recently-snapshot found.000"
) | {"system volume information"}
INVERTED = "one channel is nearly the inverse of the other and they would cancel in mono; one is inverted for the mix"
CANCELLING = "the channels cancel in mono; only the loudest one is used"
_BLOCK = 1 << 22  # frames read at once: long files with many channels are mixed block by block


def find_audio(folder: Path | str, *, problems: list[tuple[Path, str]] | None = None) -> list[Path]:
    """All sound files below `folder`, sorted by relative path, without hidden files and folders.

    Files are found by suffix. Links to folders are followed after all other folders, and each real folder is visited once, so that
    loops end. Skipped entries are appended to `problems` as (path, reason): folders that cannot be opened, links that lead to a
    folder that was visited already or nowhere, folders of the system such as `#recycle`, and files of UNOPENED.
    Raises AudioFileError if `folder` is missing, not a folder, or cannot be opened.
    """
    folder = Path(folder)
    if not folder.exists():
        raise AudioFileError(f"{folder} does not exist; give a folder of sound files")
    if not folder.is_dir():
        raise AudioFileError(f"{folder} is not a folder; give the folder that holds the sound files")
    files: list[Path] = []
    _walk(folder, files, problems if problems is not None else [])
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def is_system_folder(name: str) -> bool:
    """Whether a folder of this name is kept by an operating system, an archiver or a file server: trash, thumbnails, indexes."""
    return name.casefold() in _SYSTEM_FOLDERS or name.startswith(".Trash")


def suffix_of(path: Path) -> str:
    """The suffix of a file in lower case; dots and spaces behind it do not count."""
    return PurePath(path.name.rstrip(" .")).suffix.lower()


def _walk(top: Path, files: list[Path], problems: list[tuple[Path, str]]) -> None:
    """Appends the sound files below `top` to `files`, and the skipped entries to `problems`. Not recursive: folders may be deep."""
    visited: dict[str, Path] = {}  # real path -> the path by which it was visited
    waiting, links = [top], list[Path]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        try:
            real = os.path.realpath(folder)
            if real in visited:
                other = visited[real].relative_to(top).as_posix()
                where = "the folder itself" if other == "." else other
                problems.append((folder, f"a link to a folder that is read already ({where})"))
                continue
            visited[real] = folder
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            reason = f"the folder cannot be opened: {error.strerror or error}"
            if folder == top:
                raise AudioFileError(f"{folder}: {reason}; check its permissions") from None
            problems.append((folder, reason))
            continue
        inner = []
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith(".") and not is_system_folder(entry.name):
                continue
            try:
                if entry.is_dir():
                    if is_system_folder(entry.name):
                        problems.append((path, "a folder of the system (trash, thumbnails, indexes); move sounds out of it to use them"))
                    elif entry.is_symlink():
                        links.append(path)
                    else:
                        inner.append(path)
                else:
                    suffix = suffix_of(path)
                    if suffix in AUDIO_SUFFIXES:
                        files.append(path)  # also a broken link: it is reported when it is opened
                    elif suffix in UNOPENED:
                        problems.append((path, UNOPENED[suffix]))
            except OSError as error:
                problems.append((path, f"cannot be examined: {error.strerror or error}"))
        waiting += reversed(inner)


def probe(path: Path | str) -> AudioInfo:
    """The header of a sound file, compared with the content of the file.

    Raises AudioFileError if it is missing, empty, not audio, truncated, of a codec without a decoder, or has impossible values.
    """
    path = Path(path)
    try:
        if not path.is_file():
            near = "" if path.is_symlink() else similar_names(path)  # a link to nothing has its name
            raise AudioFileError(f"{path}: {'is not a regular file' if path.exists() else f'does not exist{near}'}")
        if path.stat().st_size == 0:
            raise AudioFileError(f"{path}: empty file (0 bytes)")
        header = inspect(path)
        if header.damage:
            raise AudioFileError(f"{path}: {header.damage}; {header.advice or 'get a complete copy of it'}")
        info = describe(path, header)
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be opened: {error.strerror or error}") from None
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        raise AudioFileError(f"{path}: not readable as audio ({_library_reason(error)})") from None
    if info.format == "RAW":  # what libsndfile makes of any bytes whose name ends in .au or .snd
        raise AudioFileError(f"{path}: not readable as audio (format not recognised)")
    if not LOWEST_RATE <= info.sample_rate <= HIGHEST_RATE or info.channels < 1:
        raise AudioFileError(f"{path}: damaged header ({info.sample_rate} Hz, {info.channels} channels)")
    if info.frames < 1:
        raise AudioFileError(f"{path}: contains no samples")
    return info


def read(path: Path | str, *, sample_rate: int | None = None, channels: int | None = None) -> tuple[Tensor, int]:
    """Audio of a whole file and its rate in Hz: `((channels, time) float32, rate)`.

    sample_rate, channels: what it is resampled and mixed to; None: as in the file. Raises AudioFileError for a file that is not audio,
    is truncated, or contains no, NaN or infinite samples.
    """
    import torch

    info = probe(path)
    log_remarks(path, info)
    audio, rate = read_array(path, channels=channels, info=info)
    if sample_rate is not None and sample_rate != rate:
        audio, rate = resample_array(audio, rate, sample_rate), sample_rate
    return torch.from_numpy(audio), rate


def log_remarks(path: Path | str, info: AudioInfo) -> None:
    """Logs a warning where a part of the file is not read or may be missing."""
    for remark in info.remarks:
        if remark.kind != "streamed":
            _warn_once(str(path), remark.text)


@lru_cache(maxsize=4096)
def _warn_once(path: str, text: str) -> None:
    """Logs a warning about a file that is read several times, as the ends of a morph are."""
    _LOG.warning("%s: %s", path, text)


def read_array(
    path: Path | str, *, channels: int | None = None, start: int = 0, frames: int | None = None, info: AudioInfo | None = None
) -> tuple[np.ndarray, int]:
    """As `read`, without PyTorch and resampling: `((channels, time) float32 in C order, rate in Hz)`.

    start, frames: the part to read, in samples; None: to the end. info: the result of `probe`, if it is known. Raises AudioFileError.
    """
    audio, rate, _ = read_mixed(path, channels=channels, start=start, frames=frames, info=info)
    return audio, rate


def read_mixed(
    path: Path | str, *, channels: int | None = None, start: int = 0, frames: int | None = None, info: AudioInfo | None = None
) -> tuple[np.ndarray, int, Remark | None]:
    """As `read_array`, with a remark if the channels cancel in mono, so they were mixed in another way (see `decoding.speakers`)."""
    path = Path(path)
    info = info or probe(path)
    expected = max(0, min(info.frames - start, info.frames if frames is None else frames))
    weights = mix_weights(info.speakers, channels) if info.speakers and channels else None
    audio, energies = _read_blocks(path, info, start, expected, channels, weights)
    remark = None
    if channels == 1 and info.channels > 1:
        rescue = energies.rescue(np.full(info.channels, 1 / info.channels) if weights is None else weights[0])
        if rescue is not None:
            audio, _ = _read_blocks(path, info, start, expected, 1, rescue[None])
            remark = Remark("inverted", INVERTED if info.channels == 2 else CANCELLING)
    reason = impossible_samples(audio)
    if reason:
        raise AudioFileError(f"{path}: {reason}")
    return audio, info.sample_rate, remark


def _read_blocks(
    path: Path, info: AudioInfo, start: int, expected: int, channels: int | None, weights: np.ndarray | None
) -> tuple[np.ndarray, ChannelEnergies]:
    """Audio `(channels, time)` and the energies of the source channels, which are measured only if they are mixed to mono.

    start, expected: the part to read, in samples. weights: `(channels, source channels)` of the mix; None: as `mix`.
    """
    blocks, energies, missing = [], ChannelEnergies(info.channels), expected
    try:
        with open_sound(path, info) as file:
            if start or info.decoder == "PyAV":
                file.seek(start)
            while missing > 0:
                position = start + expected - missing
                preroll = min(position, _MPEG_PREROLL) if info.subtype.startswith("MPEG") else 0
                if preroll:
                    file.seek(position - preroll)
                block = file.read(preroll + min(missing, _BLOCK), dtype="float32", always_2d=True)[preroll:]
                if not len(block):
                    break
                missing -= len(block)
                if info.channels > 1 and channels == 1:
                    energies.add(block)
                blocks.append(mix(block.T, channels) if weights is None else mix_weighted(block.T, weights))
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be opened: {error.strerror or error}") from None
    except (soundfile.SoundFileError, RuntimeError, ValueError, MemoryError) as error:
        raise AudioFileError(f"{path}: damaged ({_library_reason(error)}); get a complete copy of it") from None
    if missing:
        raise AudioFileError(f"{path}: truncated: {expected - missing} of {expected} frames could be read; get a complete copy of it")
    return (blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)), energies


def _library_reason(error: Exception) -> str:
    text = getattr(error, "error_string", "") or str(error)
    if text.startswith(("File does not exist", "Format not recognised")):  # what libsndfile says of files that it does not recognise
        text = "format not recognised"
    return text.strip().rstrip(".") or type(error).__name__


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, hexadecimal. Raises AudioFileError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be opened: {error.strerror or error}") from None


def write(path: Path | str, audio: Tensor | np.ndarray, sample_rate: int, *, subtype: str = "PCM_24", force: bool = False) -> None:
    """Writes audio `(channels, time)` atomically as a WAV file; the same audio always gives the same bytes.

    sample_rate: Hz. subtype: PCM_16, PCM_24 (both clip at full scale) or FLOAT. Raises ShapeError, ConfigError, OutputExistsError,
    TimbrespaceError.
    """
    write_bytes(path, wav_bytes(audio, sample_rate, subtype=subtype, name=str(path)), force=force)


def wav_bytes(audio: Tensor | np.ndarray, sample_rate: int, *, subtype: str = "PCM_24", name: str = "a player") -> bytes:
    """Returns the bytes of the WAV file that `write` writes, of audio `(channels, time)`. name: for messages. Raises as `write`."""
    data = np.asarray(audio.detach().cpu().numpy() if hasattr(audio, "detach") else audio, dtype=np.float32)
    if data.ndim != 2 or 0 in data.shape:
        raise ShapeError(f"audio to write must have the shape (channels, time) with at least one sample, not {tuple(data.shape)}")
    if not np.isfinite(data).all():
        raise ShapeError(f"audio for {name} contains NaN or infinite samples")
    if subtype not in SUBTYPES:
        raise ConfigError(f"subtype is {subtype!r}, allowed are {', '.join(SUBTYPES)}")
    # The encoder calls back into Python, where Ctrl-C would be lost and the file broken; threads receive no signals.
    with ThreadPoolExecutor(1) as pool:
        wav = pool.submit(_encoded, data.T, int(sample_rate), subtype).result()
    peak = wav[:4096].find(b"PEAK")
    if subtype == "FLOAT" and peak > 0:
        wav[peak + 12 : peak + 16] = bytes(4)  # the time of day that libsndfile writes there
    return bytes(wav)


def _encoded(data: np.ndarray, sample_rate: int, subtype: str) -> bytearray:
    """The bytes of a WAV file of `data (time, channels)` float32."""
    buffer = io.BytesIO()
    soundfile.write(buffer, data, sample_rate, format="WAV", subtype=subtype)
    return bytearray(buffer.getvalue())
