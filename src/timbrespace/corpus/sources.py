"""Where clips come from: files of a folder, decoded and cut by a few threads in a fixed order."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from timbrespace.audio.files import AudioInfo, probe, read_array, resample_array
from timbrespace.audio.trim import SILENT_PEAK, dc_offset, make_clip
from timbrespace.contracts import AudioFileError, TimbrespaceError
from timbrespace.corpus.cutting import pieces
from timbrespace.corpus.fingerprint import fingerprint
from timbrespace.corpus.labels.readers.labels import FileLabels

SYNTHETIC_PREFIX = "synthetic:"
_STRETCH_SECONDS = 600.0  # a longer recording is worked on ten minutes at a time
_QUIET_PIECE_DB = -60.0  # a piece this far under its file's peak is a pause
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Shape:
    """What `prepare` makes of every file."""

    sample_rate: int
    channels: int
    cut: str
    segment_seconds: float


@dataclass(frozen=True)
class Unit:
    """A file to work on, or ten minutes of one (`start`, `frames` in its own rate); `info` is None where `reason` says why.

    `pitch`: estimate it. `compare`: take a fingerprint.
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
class MadeClip:
    """A finished clip: audio (channels, time) float32, where it began, what was done to it, and what was asked for besides."""

    audio: np.ndarray
    start_s: float
    gain_db: float
    fingerprint: np.ndarray | None
    pitch: float | None = None
    pitch_confidence: float | None = None


@dataclass(frozen=True)
class Made:
    """What came of one unit: clips, or the reason why there are none. `name` and `labels` are a synthesiser's."""

    file: str
    clips: list[MadeClip] = field(default_factory=list)
    reason: str | None = None
    source_rate: int = 0
    source_channels: int = 0
    last: bool = True
    name: str = ""
    labels: FileLabels | None = None


def reason_of(error: Exception, path: Path) -> str:
    """The error's text without the path before it: the list of skipped files names the file itself."""
    return str(error).removeprefix(f"{path}: ")


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item], *, workers: int | None = None) -> Iterator[Result]:
    """`map` on a few threads: results in order, never more than workers + 1 of them waiting. Decoding and resampling leave the GIL."""
    workers = workers or min(4, os.cpu_count() or 1)
    if workers == 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers)
    waiting: deque = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def relative(path: Path, folder: Path) -> str:
    """Relative posix path as text that can be written anywhere: what is not UTF-8, or means a path elsewhere, is replaced."""
    text = os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "replace").replace("\\", "_")
    return text.replace(":", "_", 1) if text[1:3] == ":/" else text


def unique_names(files: list[str]) -> list[str]:
    """Names without suffix where that is unambiguous, with it where two files differ in the suffix only, numbered as a last resort."""
    stems = [file.rpartition(".")[0] if "." in file.rpartition("/")[2] else file for file in files]
    twice = {stem for stem, count in Counter(stem.casefold() for stem in stems).items() if count > 1}
    names: list[str] = []
    seen: Counter[str] = Counter()
    for file, stem in zip(files, stems, strict=True):
        name = file if stem.casefold() in twice else stem
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def folder_units(
    files: list[tuple[Path, str]],
    shape: Shape,
    *,
    pitch: Callable[[str], bool] = lambda file: False,
    compare: Callable[[str], bool] = lambda file: True,
) -> Iterator[Unit]:
    """The units of sound files given as (path, relative name); only long recordings make more than one.

    pitch(file), compare(file): is the pitch to be estimated, a fingerprint to be taken?
    """
    for path, file in files:
        whole = Unit(path, file, pitch=pitch(file), compare=compare(file))
        try:
            info = probe(path)
        except AudioFileError as error:
            yield replace(whole, reason=reason_of(error, path))
            continue
        step = round(_STRETCH_SECONDS * info.sample_rate)
        if shape.cut == "keep" or info.frames <= 1.5 * step:
            yield replace(whole, info=info)
            continue
        for start in range(0, info.frames, step):
            frames = min(step, info.frames - start)
            yield replace(whole, info=info, start=start, frames=frames, last=start + frames >= info.frames)


def make(unit: Unit, shape: Shape) -> Made:
    """Reads, resamples and cuts one unit into clips. Never raises for a bad file: the reason is in the result."""
    info = unit.info
    if info is None:
        return Made(unit.file, reason=unit.reason, last=unit.last)
    try:
        audio, rate = read_array(unit.path, channels=shape.channels, start=unit.start, frames=unit.frames, info=info)
        clips = clips_of(audio, rate, shape, offset_s=unit.start / rate, pitch=unit.pitch, compare=unit.compare)
    except TimbrespaceError as error:
        return Made(unit.file, reason=reason_of(error, unit.path), last=unit.last)
    except MemoryError:
        return Made(unit.file, reason="too long for this machine's memory; cut it into shorter files", last=unit.last)
    if not clips:
        return Made(unit.file, reason="all silence", last=unit.last)
    return Made(unit.file, clips, None, info.sample_rate, info.channels, last=unit.last)


def clips_of(
    audio: np.ndarray, rate: int, shape: Shape, *, offset_s: float = 0.0, pitch: bool = False, compare: bool = True
) -> list[MadeClip]:
    """Clips of (channels, time) float32 at `rate` Hz, empty when it is silent. `offset_s` is where `audio` begins in its file."""
    peak = float(np.abs(audio).max(initial=0.0))
    if peak < SILENT_PEAK:
        return []
    if peak > 8.0:  # integers stored as float: keep clear of overflow in what follows
        audio, level = audio / np.float32(peak), 20 * np.log10(peak)
    else:
        level = 0.0
    audio = resample_array(audio, rate, shape.sample_rate)
    rate = shape.sample_rate
    offset = dc_offset(audio, rate)
    if offset.any():
        audio = audio - offset[:, None]
    peak = float(np.abs(audio).max())
    if peak < SILENT_PEAK:
        return []
    if pitch:
        from timbrespace.audio.pitch import estimate_midi  # late: it loads PyTorch
    cut = pieces(audio, rate, cut=shape.cut, segment_seconds=shape.segment_seconds)
    made = []
    for piece in cut:
        part = np.abs(audio[:, piece.start : piece.end]).max(initial=0.0)
        if len(cut) > 1 and part < peak * 10 ** (_QUIET_PIECE_DB / 20):
            continue
        clip = make_clip(audio, piece, rate)
        if clip is not None:
            sound, first, gain = clip
            note, sure = estimate_midi(sound, rate) if pitch else (None, None)
            image = fingerprint(sound, rate) if compare else None
            made.append(MadeClip(sound, offset_s + first / rate, gain - level, image, note, sure))
    return made
