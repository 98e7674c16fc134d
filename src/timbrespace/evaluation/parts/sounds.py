"""The real sounds of an evaluation: those of a folder or a corpus, in bounded number, and whether an instrument was trained on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio.embedding import embedding
from timbrespace.audio.files import find_audio, resample
from timbrespace.contracts import CLIP_SECONDS, ConfigError, CorpusError
from timbrespace.corpus.corpus import Corpus, is_corpus
from timbrespace.corpus.labels.collect import collect_labels
from timbrespace.corpus.labels.readers.registry import read_labels
from timbrespace.corpus.prepared.origin import digest_of_audio, held_out_split, origin_paths
from timbrespace.corpus.sources import ClipFormat, folder_units, named_files, prepare_unit, relative_name
from timbrespace.corpus.synthetic.registry import SYNTHETIC_PREFIX
from timbrespace.evaluation.distribution import nearest
from timbrespace.instrument import Instrument
from timbrespace.parallel import closed_after, ordered_map
from timbrespace.paths import is_folder
from timbrespace.synthesis.novelty import COPY_DB, REPEAT_DB

TRAINED, HELD_OUT, NEW, UNKNOWN = "trained", "held_out", "new", "unknown"
_LONGEST_S = 10.0  # kept of a sound
_EMBEDDED = 16  # sounds at a time
_MOST_SAMPLES = 60_000_000  # kept in all: 240 MB


@dataclass(frozen=True)
class RealSound:
    """A sound as `prepare` makes it, `(channels, time)` from the onset, at most 10 s; file: its relative path; split: of a corpus only.

    points: embeddings that were computed, by the length of the instrument's longest clip.
    """

    name: str
    file: str
    audio: Tensor
    digest: str
    category: str | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)
    split: str | None = None
    points: dict[int, Tensor] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class RealSounds:
    """The sounds of one folder or corpus. skipped: {"file", "reason"} each. files: found in all; unread: left out to bound the work."""

    place: str
    sounds: list[RealSound]
    skipped: list[dict[str, str]]
    files: int
    unread: int
    sample_rate: int


def gather(
    source: Path | str | Corpus, *, sample_rate: int, channels: int, most: int, later: Callable[[str], bool] | None = None
) -> RealSounds:
    """Returns at most `most` sounds of a folder or corpus, drawn from all of its files, in the order of their names.

    sample_rate (Hz), channels: of the result. later(name): whether a sound is only to fill what others leave, and a tenth. Files become
    sounds as in `prepare`: bad ones are skipped and listed, long ones are cut. The draw is seeded: the same folder gives the same sounds.
    Raises CorpusError without a usable sound, ConfigError.
    """
    text = str(source.path if isinstance(source, Corpus) else source)
    if text.startswith(SYNTHETIC_PREFIX):
        raise ConfigError(f"{text} is to be evaluated on; prepare it first: timbrespace prepare {text} --out CORPUS, and give CORPUS")
    path = Path(text)
    if not path.exists():
        raise CorpusError(f"{path} does not exist; give a folder of sounds, or a corpus made by `timbrespace prepare`")
    if not is_folder(path):
        raise CorpusError(f"{path} is not a folder; give a folder of sounds, or a corpus made by `timbrespace prepare`")
    if isinstance(source, Corpus) or is_corpus(path):
        return _of_corpus(source if isinstance(source, Corpus) else Corpus.open(path), sample_rate, channels, most, later)
    return _of_folder(path, ClipFormat(sample_rate, channels, "auto", CLIP_SECONDS), most, later)


def learned_names(instruments: Sequence[Instrument]) -> frozenset[str]:
    """Returns the names of the training sounds of instruments, without the numbers of clips of one file."""
    clips = [one.contents.clips for one in instruments]
    return frozenset(_file_name(name) for one in clips if one is not None for name in one.names)


def training_sounds(instrument: Instrument, file: Path | None, source: Path | None, *, most: int, given: RealSounds) -> RealSounds | None:
    """Returns sounds that an instrument was trained on, for the control rows that need their audio; None where they are not found.

    source: where they are; None: in `given`, else where the note in the instrument says, relative to its `file`.
    """
    places, found = [source] if source is not None else [], None
    if source is None:
        inside = [one for one, known in zip(given.sounds, statuses(instrument, given), strict=True) if known == TRAINED]
        clips, note = instrument.contents.clips, instrument.contents.origin
        found = replace(given, sounds=inside[:most]) if inside else None
        if clips is not None and len(inside) >= min(most, len(clips.names)):
            return found
        places = [path for path in origin_paths(note, file) if is_folder(path)] if note and file is not None else []
    names = learned_names([instrument])
    later = (lambda name: _file_name(name) not in names) if names else None
    for place in places:
        try:
            there = gather(place, sample_rate=instrument.sample_rate, channels=instrument.channels, most=most, later=later)
        except CorpusError:
            if source is not None:
                raise
            continue
        known = statuses(instrument, there)
        kept = [one for one, status in zip(there.sounds, known, strict=True) if status in (TRAINED, UNKNOWN)]
        if kept and (found is None or len(kept) > len(found.sounds)):
            found = replace(there, sounds=kept)
    return found


def points_of(sounds: Sequence[RealSound], instrument: Instrument) -> Tensor:
    """Returns embeddings `(count, features)`, of the length and with the rounding of those that an instrument file holds."""
    samples = instrument.contents.samples
    missing = [one for one in sounds if samples not in one.points]
    for start in range(0, len(missing), _EMBEDDED):
        part = missing[start : start + _EMBEDDED]
        found = embedding([one.audio[:, :samples] for one in part], sample_rate=instrument.sample_rate).half().float()
        for one, point in zip(part, found, strict=True):
            one.points[samples] = point.clone()
    return torch.stack([one.points[samples] for one in sounds])


def statuses(instrument: Instrument, given: RealSounds) -> list[str]:
    """Returns for every sound whether the instrument was trained on it: "trained", "held_out", "new", or "unknown" (a stripped file).

    Trained: within 0.1 dB of a training sound, or within 1 dB of one whose file has the same name. Held out: the same samples as a clip
    that its training held out.
    """
    clips, note = instrument.contents.clips, instrument.contents.origin or {}
    if clips is None:
        return [UNKNOWN] * len(given.sounds)
    if not given.sounds:
        return []
    index, distance = nearest(points_of(given.sounds, instrument), clips.embeddings)
    out = []
    for sound, near, far in zip(given.sounds, index, distance, strict=True):
        same_name = PurePosixPath(sound.name).name == PurePosixPath(clips.names[int(near)]).name
        if held_out_split(note, sound.digest):
            out.append(HELD_OUT)
        else:
            out.append(TRAINED if far < REPEAT_DB or (same_name and far < COPY_DB) else NEW)
    return out


def is_learned(names: frozenset[str]) -> Callable[[str], bool]:
    """Returns the question whether a sound has the name of one of `learned_names`."""
    return lambda name: _file_name(name) in names


def _file_name(name: str) -> str:
    """The name of a clip without its number."""
    stem, mark, number = name.rpartition("#")
    return stem if mark and number.isdigit() else name


def _of_folder(folder: Path, clip_format: ClipFormat, most: int, later: Callable[[str], bool] | None) -> RealSounds:
    problems: list[tuple[Path, str]] = []
    paths = find_audio(folder, problems=problems)
    skipped = [{"file": relative_name(path, folder), "reason": reason} for path, reason in problems]
    files = named_files(paths, folder)
    if not files:
        raise CorpusError(f"there are no sound files in {folder}; give a folder with WAV, AIFF, FLAC, OGG or MP3 files")
    tables = read_labels(folder, frozenset(file for _, file in files), layout="auto")
    skipped += tables.problems
    files = [(path, file) for path, file in files if file not in tables.refused]
    labels = collect_labels([file for _, file in files], tables, None, root=folder.resolve().name or "folder")
    order = [files[k] for k in _any_order([str(PurePosixPath(file).with_suffix("")) for _, file in files], most, later)]
    sounds, kept, read = list[RealSound](), 0, 0
    results = ordered_map(lambda unit: prepare_unit(unit, clip_format), folder_units(order, clip_format, compare=lambda file: False))
    for result in closed_after(results):
        if result.reason:
            skipped.append({"file": result.file, "reason": result.reason})
        for number, clip in enumerate(result.clips, start=1):
            if len(sounds) >= most or kept >= _MOST_SAMPLES:
                break
            own = labels[result.file]
            name = str(PurePosixPath(result.file).with_suffix("")) + (f"#{number}" if len(result.clips) > 1 else "")
            audio = torch.from_numpy(np.ascontiguousarray(clip.audio))
            factors = {
                **own.labels,
                **({} if own.labels_at is None else own.labels_at(clip.start_s, audio.shape[1] / clip_format.sample_rate)[1]),
            }
            kept_audio = audio[:, : round(_LONGEST_S * clip_format.sample_rate)]
            sounds.append(RealSound(name, result.file, kept_audio, digest_of_audio(audio), own.category, factors))
            kept += kept_audio.numel()
        read += result.last
        if len(sounds) >= most or kept >= _MOST_SAMPLES:
            break
    if not sounds:
        reasons = "; ".join(f"{row['file']}: {row['reason']}" for row in skipped[:3])
        raise CorpusError(f"no usable sound in {folder}: all {len(skipped)} files were skipped ({reasons}); see `timbrespace doctor`")
    sounds.sort(key=lambda one: one.name)
    return RealSounds(str(folder), sounds, skipped, len(files) + len(problems), len(files) - read, clip_format.sample_rate)


def _of_corpus(corpus: Corpus, sample_rate: int, channels: int, most: int, later: Callable[[str], bool] | None) -> RealSounds:
    sounds, kept = list[tuple[int, RealSound]](), 0
    for index in _any_order([clip.name for clip in corpus.clips], most, later):
        if len(sounds) >= most or kept >= _MOST_SAMPLES:
            break
        clip, audio = corpus.clips[index], corpus.audio(index)
        if not audio.any():  # toy corpora have silent ones
            continue
        digest = digest_of_audio(audio)
        audio = _with_format(audio, corpus.sample_rate, sample_rate, channels)[:, : round(_LONGEST_S * sample_rate)]
        labels = dict(clip.labels)
        sounds.append((index, RealSound(clip.name, clip.file, audio, digest, clip.category, labels, clip.split)))
        kept += audio.numel()
    if not sounds:
        raise CorpusError(f"{corpus.path} holds silence only; give another corpus")
    ordered = [one for _, one in sorted(sounds, key=lambda pair: pair[0])]
    return RealSounds(str(corpus.path), ordered, corpus.skipped(), len(corpus), len(corpus) - len(ordered), sample_rate)


def _with_format(audio: Tensor, rate: int, sample_rate: int, channels: int) -> Tensor:
    """Audio `(channels, time)` at another rate and with another number of channels: mixed to mono, or mono repeated."""
    if audio.shape[0] != channels:
        audio = audio.mean(0, keepdim=True).expand(channels, -1).clone()
    return audio if rate == sample_rate else resample(audio, rate, sample_rate)


def _any_order(names: Sequence[str], most: int, later: Callable[[str], bool] | None) -> list[int]:
    """The numbers of all names in a seeded random order, whose first ones are a fair sample; nine tenths of `most` are not `later`."""
    order = np.random.default_rng(0).permutation(len(names)).tolist()
    if later is None:
        return order
    first, last = ([k for k in order if later(names[k]) == which] for which in (False, True))
    kept = most - most // 10
    return first[:kept] + last[: most - min(len(first), kept)] + first[kept:] + last[most - min(len(first), kept) :]
