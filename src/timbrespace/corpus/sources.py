"""Sound files become clips: decoded, resampled, cut, trimmed and normalised, a few files at a time and in a fixed order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np

from timbrespace.audio.containers.base import Remark
from timbrespace.audio.files import AudioInfo, probe, read_mixed, resample_array
from timbrespace.audio.offset import remove_offset
from timbrespace.audio.pitch_estimation import estimate_midi
from timbrespace.audio.trim import SILENT_PEAK, make_clip
from timbrespace.contracts import AudioFileError, TimbrespaceError
from timbrespace.corpus.cutting import cut_audio
from timbrespace.corpus.fingerprint import fingerprint
from timbrespace.corpus.labels.readers.labels import FileLabels

_STRETCH_SECONDS = 600.0  # longer recordings are processed ten minutes at a time
_PAUSE_DB = -60.0  # a segment this far below the peak of its file is a pause
_INTEGER_PEAK = 8.0  # a higher peak is integers stored as float


@dataclass(frozen=True)
class ClipFormat:
    """What `prepare` makes of every file: sample rate in Hz, channels, how it is cut (see `cutting`), length of a segment in s."""

    sample_rate: int
    channels: int
    cut: str
    segment_seconds: float


@dataclass(frozen=True)
class SourceUnit:
    """A file, or ten minutes of one, to be prepared.

    start, frames: the part of the file, in samples at its own rate. info is None if the file cannot be read, and `reason` says why.
    last: whether this is the last unit of the file. pitch: estimate the pitch. compare: compute a fingerprint.
    """

    path: Path
    file: str
    info: AudioInfo | None = None
    start: int = 0
    frames: int | None = None
    reason: str | None = None
    last: bool = True
    pitch: bool = False
    compare: bool = True


@dataclass(frozen=True)
class PreparedClip:
    """A finished clip: audio `(channels, time)` float32, its start in the file, its gain, and what was estimated from it."""

    audio: np.ndarray
    start_s: float
    gain_db: float
    fingerprint: np.ndarray | None
    pitch: float | None = None
    pitch_confidence: float | None = None


@dataclass(frozen=True)
class UnitResult:
    """The clips of one unit, or the reason why there are none. `name` and `labels` are set for synthetic clips only.

    remarks: of the file, with its last unit, and of the mix of this unit.
    """

    file: str
    clips: list[PreparedClip] = field(default_factory=list)
    reason: str | None = None
    source_rate: int = 0
    source_channels: int = 0
    last: bool = True
    name: str = ""
    labels: FileLabels | None = None
    remarks: tuple[Remark, ...] = ()


def reason_of(error: Exception, path: Path) -> str:
    """The text of an error without the path in front: the list of skipped files names the file itself."""
    return str(error).removeprefix(f"{path}: ")


def relative_name(path: Path, folder: Path) -> str:
    """The posix path of `path` relative to `folder`, as text; bytes that are not UTF-8 and other systems' path signs are replaced."""
    text = os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "replace").replace("\\", "_")
    return text.replace(":", "_", 1) if text[1:3] == ":/" else text


def named_files(paths: Iterable[Path], folder: Path) -> list[tuple[Path, str]]:
    """(path, relative name) of files; where two names are equal as text, ' (2)' and so on is added to the stem of the later ones."""
    out, taken = [], set[str]()
    for path in paths:
        name = file = relative_name(path, folder)
        suffix = PurePosixPath(name).suffix
        count = 1
        while file in taken:
            count += 1
            file = f"{name.removesuffix(suffix)} ({count}){suffix}"
        taken.add(file)
        out.append((path, file))
    return out


def folder_units(
    files: list[tuple[Path, str]],
    clip_format: ClipFormat,
    *,
    pitch: Callable[[str], bool] = lambda file: False,
    compare: Callable[[str], bool] = lambda file: True,
    whole: Callable[[str], bool] = lambda file: False,
) -> Iterator[SourceUnit]:
    """Yields the units of files given as (path, relative name); only long recordings have more than one.

    pitch(file): whether the pitch is to be estimated. compare(file): whether a fingerprint is to be computed.
    whole(file): whether the file is not to be opened here; it is one unit then.
    """
    for path, file in files:
        unit = SourceUnit(path, file, pitch=pitch(file), compare=compare(file))
        if whole(file):
            yield unit
            continue
        try:
            info = probe(path)
        except AudioFileError as error:
            yield replace(unit, reason=reason_of(error, path))
            continue
        step = round(_STRETCH_SECONDS * info.sample_rate)
        if clip_format.cut == "keep" or info.frames <= 1.5 * step:
            yield replace(unit, info=info)
            continue
        for start in range(0, info.frames, step):
            frames = min(step, info.frames - start)
            yield replace(unit, info=info, start=start, frames=frames, last=start + frames >= info.frames)


def prepare_unit(unit: SourceUnit, clip_format: ClipFormat) -> UnitResult:
    """The clips of one unit. Never raises for a bad file: the reason is in the result."""
    info = unit.info
    if info is None:
        return UnitResult(unit.file, reason=unit.reason, last=unit.last)
    try:
        audio, rate, remark = read_mixed(unit.path, channels=clip_format.channels, start=unit.start, frames=unit.frames, info=info)
        clips = extract_clips(audio, rate, clip_format, offset_s=unit.start / rate, pitch=unit.pitch, compare=unit.compare)
    except TimbrespaceError as error:
        return UnitResult(unit.file, reason=reason_of(error, unit.path), last=unit.last)
    except MemoryError:
        return UnitResult(unit.file, reason="too long for the memory of this machine; cut it into shorter files", last=unit.last)
    if not clips:
        return UnitResult(unit.file, reason="all silence", last=unit.last)
    remarks = (info.remarks if unit.last else ()) + ((remark,) if remark else ())
    return UnitResult(unit.file, clips, None, info.sample_rate, info.channels, last=unit.last, remarks=remarks)


def extract_clips(
    audio: np.ndarray, rate: int, clip_format: ClipFormat, *, offset_s: float = 0.0, pitch: bool = False, compare: bool = True
) -> list[PreparedClip]:
    """Clips of `audio (channels, time)` float32 at `rate` Hz; none if it is silent.

    offset_s: start of `audio` in its file. pitch: estimate the pitch of every clip. compare: compute fingerprints.
    """
    peak = float(np.abs(audio).max(initial=0.0))
    if peak < SILENT_PEAK:
        return []
    if peak > _INTEGER_PEAK:  # scaled down first, so that squares do not overflow
        audio, level = audio / np.float32(peak), 20 * np.log10(peak)
    else:
        level = 0.0
    audio = remove_offset(audio, rate)  # before the rate changes: resampling rings where an offset starts
    audio = resample_array(audio, rate, clip_format.sample_rate)
    rate = clip_format.sample_rate
    peak = float(np.abs(audio).max())
    if peak < SILENT_PEAK:
        return []
    segments = cut_audio(audio, rate, cut=clip_format.cut, segment_seconds=clip_format.segment_seconds)
    clips = []
    for segment in segments:
        segment_peak = np.abs(audio[:, segment.start : segment.end]).max(initial=0.0)
        if len(segments) > 1 and segment_peak < peak * 10 ** (_PAUSE_DB / 20):
            continue
        clip = make_clip(audio, segment, rate)
        if clip is not None:
            sound, first, gain = clip
            midi, confidence = estimate_midi(sound, rate) if pitch else (None, None)
            print_ = fingerprint(sound, rate) if compare else None
            clips.append(PreparedClip(sound, offset_s + first / rate, gain - level, print_, midi, confidence))
    return clips
