"""Opens a sound file with its decoder: libsndfile, or FFmpeg through the optional package PyAV."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile

from timbrespace.audio.containers.base import NO_LENGTH, Header, Part, Remark
from timbrespace.audio.containers.file_view import FileView
from timbrespace.audio.decoding.speakers import Speakers, speakers_of, usual_speakers
from timbrespace.contracts import AudioFileError

CONVERT = "convert it to WAV or FLAC"
INSTALL = f"install PyAV, which reads it (pip install 'timbrespace[decoders]'), or {CONVERT}"
MAYBE = f"{CONVERT}, or install PyAV, which may read it (pip install 'timbrespace[decoders]')"
# Names of codecs that FFmpeg does not read in every case.
_UNSURE = re.compile("codec|-bit|DWVW|PureVoice|RealAudio|OptimFROG|Theora|CELT|Dirac|AAC in WAV|Vorbis in WAV|Opus in WAV")


@dataclass(frozen=True)
class AudioInfo:
    """Properties of a sound file before it is decoded: `sample_rate` in Hz, `frames` samples per channel.

    remarks: oddities of the file, see `containers.base.Remark`. parts: what libsndfile reads instead of the file; None: the file.
    decoder: 'libsndfile' or 'PyAV'. speakers: of three to eight channels, see `audio.decoding.speakers`; None: unknown.
    """

    sample_rate: int
    channels: int
    frames: int
    format: str
    subtype: str
    remarks: tuple[Remark, ...] = ()
    parts: tuple[Part, ...] | None = None
    decoder: str = "libsndfile"
    speakers: Speakers | None = None

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


class SoundReader(Protocol):
    """An open sound file that is read from its current position."""

    def seek(self, frames: int, /) -> int:
        """Moves to a sample."""

    def read(self, frames: int, /, *, dtype: str, always_2d: bool) -> np.ndarray:
        """The next samples, `(time, channels)`."""


def describe(path: Path, header: Header) -> AudioInfo:
    """Properties of a file according to its header and decoder. Raises AudioFileError, OSError, and the errors of soundfile."""
    if header.codec is not None:
        return _described_by_av(path, header)
    speakers = None
    if header.parts is None:
        head = soundfile.info(_name(path))
        if head.channels > 2:
            with soundfile.SoundFile(_name(path)) as file:
                speakers = speakers_of(file)
    else:
        with FileView(path, header.parts) as view:
            head = soundfile.info(view)
        if head.channels > 2:
            with FileView(path, header.parts) as view, soundfile.SoundFile(view) as file:
                speakers = speakers_of(file)
    frames = head.frames if header.frames is None else min(head.frames, header.frames)
    name = header.format if header.parts is not None and header.format else head.format
    return AudioInfo(head.samplerate, head.channels, frames, name, head.subtype, header.remarks, header.parts, speakers=speakers)


def _described_by_av(path: Path, header: Header) -> AudioInfo:
    """As `describe`, for a file that needs PyAV."""
    from timbrespace.audio.decoding.ffmpeg import measure

    try:
        rate, channels, frames, codec, has_length = measure(path)
    except ImportError:
        advice = header.advice or (MAYBE if _UNSURE.search(header.codec or "") else INSTALL)
        raise AudioFileError(f"{path}: {header.codec} needs another decoder; {advice}") from None
    remarks = header.remarks if has_length or NO_LENGTH in header.remarks else (NO_LENGTH, *header.remarks)
    return AudioInfo(rate, channels, frames, header.format, codec, remarks, decoder="PyAV", speakers=usual_speakers(channels))


@contextmanager
def open_sound(path: Path, info: AudioInfo) -> Iterator[SoundReader]:
    """Yields an open reader of the file with the properties `info`. Raises AudioFileError, OSError, and the errors of soundfile."""
    if info.decoder == "PyAV":
        from timbrespace.audio.decoding.ffmpeg import AvReader

        yield AvReader.at(path)
    elif info.parts is None:
        with soundfile.SoundFile(_name(path)) as file:
            yield file
    else:
        with FileView(path, info.parts) as view, soundfile.SoundFile(view) as file:
            yield file


def _name(path: Path) -> str | bytes:
    """The file name for soundfile: bytes on systems where a name need not be text."""
    return str(path) if os.name == "nt" else os.fsencode(path)
