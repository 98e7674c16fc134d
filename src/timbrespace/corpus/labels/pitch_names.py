"""Notes in file names, compared with the sound: which octave a library means, and which names are not pitches at all.

Libraries disagree about the name of middle C (MIDI 60): C4, C3 (Ableton, Logic, Cubase) or C5; in German B is a semitone lower, and H
is B. Numbers and letters in names may also be tempos, chords, or pads of a sampler. So the pitch of up to 60 files of each kind of name
is estimated, and the majority decides.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from timbrespace.audio.files import probe, read_array
from timbrespace.audio.pitch_estimation import estimate_midi
from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.corpus.labels.categories import DRUM_CATEGORIES
from timbrespace.corpus.labels.names import PitchReading, named_velocity, pitch_readings
from timbrespace.corpus.labels.readers.labels import CorpusLabels, FileLabels
from timbrespace.parallel import ordered_map

MODES = ("auto", "c4", "c3", "c5", "off")
_OCTAVES = {"c4": 0, "c3": 1, "c5": -1}  # added to note names, by the name of middle C
_SAMPLE = 60  # files of each kind whose pitch is estimated first
_SECONDS = 3.0  # analysed of each file
_AGREES, _CONTRADICTS = 0.7, 1.0  # semitones between name and sound, whatever the octave
_RANGE = (28.0, 93.0)  # MIDI numbers whose octave the estimator knows
_MIXED = 0.1  # share of files in another octave from which each folder is decided by itself
_MAJORITY = 0.6  # of the agreeing files that must have the same octave
_FEW, _SURE = 3, 0.85  # below so many files, all must agree and be estimated with this confidence
_LEAST = {"note": 0.2, "number": 0.2, "drum": 0.5}  # least share of files whose sound agrees, unvoiced ones included
_WHAT = {"note": "note names", "number": "numbers such as 060_100", "drum": "note names of drums"}

Estimate = tuple[float | None, float]


@dataclass(frozen=True)
class NameVote:
    """What was decided about one kind of names: 'note' (C3), 'number' (060_100), 'drum' (C1 in the name of a drum).

    files: with such a name. estimated: of these, files with an estimated pitch. agree: of these, files whose name fits, with octaves
    added. another_octave: of these, files that fit but for the octave; their names count. octaves: added to the names; by_folder: in
    folders where it is another number. used: whether the names count. contradicted: files of a kind in use whose own sound contradicts;
    their estimate counts. german: whether B is read a semitone lower.
    """

    kind: str
    files: int
    estimated: int
    agree: int
    another_octave: int
    octaves: int
    used: bool
    by_folder: dict[str, int] = field(default_factory=dict)
    contradicted: list[str] = field(default_factory=list)
    german: bool = False

    @property
    def text(self) -> str:
        """The decision in one line, such as 'note names read one octave up (middle C is C3): 118 of 120 agree'."""
        agree = f"{self.agree} of {self.estimated} agree with the sound" if self.estimated else "no pitch could be estimated"
        if not self.used:
            return f"{_WHAT[self.kind]} are not read as pitches: {agree}"
        how = {0: "as written", 1: "one octave up", -1: "one octave down"}
        middle = f" (middle C is C{4 - self.octaves})" if self.kind == "note" else ""
        folders = "".join(f", in {folder or 'the folder itself'} {how[octaves]}" for folder, octaves in self.by_folder.items())
        apart = f", {self.another_octave} of them in another octave" if self.another_octave else ""
        german = ", B as B flat as in German" if self.german else ""
        return f"{_WHAT[self.kind]} read {how[self.octaves]}{middle}{german}{folders}: {agree}{apart}"

    def octaves_of(self, file: str) -> int:
        """The octaves that are added to the name of `file`."""
        return self.by_folder.get(_folder(file), self.octaves)

    def as_dict(self) -> dict[str, Any]:
        """The fields and the text, ready for JSON."""
        return {**asdict(self), "text": self.text}


def check_mode(mode: str) -> None:
    """Raises ConfigError if `mode` is not one of MODES."""
    if mode not in MODES:
        raise ConfigError(f"pitch_names is {mode!r}, allowed are {', '.join(MODES)}: auto, the name of middle C, or off")


def check_pitch_names(
    labels: Mapping[str, FileLabels],
    tables: CorpusLabels,
    paths: Mapping[str, Path],
    *,
    mode: str = "auto",
    workers: int | None = None,
    cache: dict[str, Estimate] | None = None,
) -> tuple[dict[str, FileLabels], list[NameVote]]:
    """`labels` with pitches from names as the sound confirms them, and what was decided. Labels from tables stay as they are.

    labels: of `collect_labels`, by file. paths: of the readable files. mode: 'auto' compares with the sound; 'c4', 'c3' and 'c5' read
    note names with this name for middle C, without comparing; 'off' reads no pitch from names. cache: estimates that are known, by file;
    those that are made are added.
    """
    cache = {} if cache is None else cache
    readings = _readings(labels, tables)
    if mode == "off":
        return _with_readings(labels, tables, dict.fromkeys(readings)), []
    if mode != "auto":
        chosen = {file: _shifted(own[0], 0 if own[0].kind == "number" else _OCTAVES[mode]) for file, own in readings.items()}
        return _with_readings(labels, tables, chosen), []
    kinds: dict[str, dict[str, PitchReading]] = {}
    for file, own in readings.items():
        for reading in own:
            if file in paths:
                kinds.setdefault(reading.kind, {})[file] = reading
    estimates = _estimate({file for files in kinds.values() for file in _sample(sorted(files))}, paths, cache, workers=workers)
    german = _is_german(kinds.get("note", {}), estimates)
    if german:
        readings = {file: tuple(map(_german, own)) for file, own in readings.items()}
        kinds["note"] = {file: _german(reading) for file, reading in kinds["note"].items()}
    doubtful = {file for kind, files in kinds.items() if _is_doubtful(kind, files, estimates) for file in files}
    estimates |= _estimate(doubtful - set(estimates), paths, cache, workers=workers)
    votes = {kind: _vote(kind, files, estimates) for kind, files in sorted(kinds.items())}
    if german:
        votes["note"] = replace(votes["note"], german=True)
    result = {file: _choose(file, own, votes, estimates) if file in paths else own[0] for file, own in readings.items()}
    return _with_readings(labels, tables, result), list(votes.values())


def _readings(labels: Mapping[str, FileLabels], tables: CorpusLabels) -> dict[str, tuple[PitchReading, ...]]:
    """The readings of every file whose pitch is from its name."""
    out = {}
    for file, own in labels.items():
        listed = tables.files.get(file)
        if own.pitch is not None and (listed is None or listed.pitch is None):
            out[file] = pitch_readings(PurePosixPath(file).stem, is_drum=own.category in DRUM_CATEGORIES)
    return out


def _with_readings(
    labels: Mapping[str, FileLabels], tables: CorpusLabels, chosen: Mapping[str, PitchReading | None]
) -> dict[str, FileLabels]:
    """`labels` with the pitch and velocity of the chosen readings; None: no pitch, and only a velocity that is named as such."""
    out = dict(labels)
    for file, reading in chosen.items():
        listed = tables.files.get(file)
        velocity = reading.velocity if reading and reading.velocity is not None else named_velocity(PurePosixPath(file).stem)
        if listed is not None and listed.velocity is not None:
            velocity = listed.velocity
        out[file] = replace(labels[file], pitch=reading.pitch if reading else None, velocity=velocity)
    return out


def _is_german(files: Mapping[str, PitchReading], estimates: Mapping[str, Estimate]) -> bool:
    """Whether B is a semitone lower, as in German names: most sounds of the files with a B say so, and none is a B."""
    apart = [
        (estimates[file][0] - reading.pitch + 6) % 12 - 6  # type: ignore[operator]
        for file, reading in files.items()
        if reading.letter == "B" and estimates.get(file, (None, 0.0))[0] is not None
    ]
    lower, same = (sum(abs(one + step) < 0.5 for one in apart) for step in (1, 0))
    enough = 1 if any(reading.letter == "H" for reading in files.values()) else _FEW
    return lower >= max(enough, _MAJORITY * len(apart)) and not same


def _german(reading: PitchReading) -> PitchReading:
    return replace(reading, pitch=reading.pitch - 1) if reading.letter == "B" else reading


def _shifted(reading: PitchReading, octaves: int) -> PitchReading:
    return replace(reading, pitch=reading.pitch + 12 * octaves)


def _sample(files: Sequence[str]) -> list[str]:
    """At most 60 of the files, spread evenly."""
    count = min(len(files), _SAMPLE)
    return [files[i * len(files) // count] for i in range(count)]


def _estimate(files: set[str], paths: Mapping[str, Path], cache: dict[str, Estimate], *, workers: int | None) -> dict[str, Estimate]:
    """(MIDI number or None, confidence) of the first three seconds of each file; None also if the file cannot be read."""
    missing = sorted(files - set(cache))
    if missing:
        cache.update(zip(missing, ordered_map(partial(_estimate_file, paths=paths), missing, workers=workers), strict=True))
    return {file: cache[file] for file in sorted(files)}


def _estimate_file(file: str, *, paths: Mapping[str, Path]) -> Estimate:
    try:
        info = probe(paths[file])
        audio, rate = read_array(paths[file], channels=1, frames=min(info.frames, round(_SECONDS * info.sample_rate)), info=info)
        return estimate_midi(audio, rate)
    except TimbrespaceError:
        return None, 0.0


def _folder(file: str) -> str:
    return file.rpartition("/")[0]


def _distance(reading: PitchReading, midi: float) -> float:
    """Semitones between a name and a sound, whatever the octave; more than an octave apart counts as a contradiction, 12.

    Beyond the range of the estimator, which finds a multiple of the period or of the frequency there, up to the fourth.
    """
    if _RANGE[0] <= reading.pitch <= _RANGE[1]:
        apart = midi - reading.pitch
        return abs((apart + 6) % 12 - 6) if abs(apart) <= 12 + _CONTRADICTS else 12.0
    sign = 1 if reading.pitch < _RANGE[0] else -1
    return min(abs(reading.pitch + sign * 12 * math.log2(k) - midi) for k in range(1, 5))


def _is_doubtful(kind: str, files: Mapping[str, PitchReading], estimates: Mapping[str, Estimate]) -> bool:
    """Whether names of a kind in use are contradicted in the sample, or octaves are mixed: then all of them are compared."""
    vote = _vote(kind, files, estimates)
    return vote.used and (bool(vote.contradicted) or vote.another_octave > _MIXED * vote.agree or bool(vote.by_folder))


def _contradicts(reading: PitchReading, estimate: Estimate) -> bool:
    return estimate[0] is not None and _distance(reading, estimate[0]) > _CONTRADICTS


def _is_another_octave(reading: PitchReading, estimate: Estimate) -> bool:
    in_range = _RANGE[0] <= reading.pitch <= _RANGE[1]
    return estimate[0] is not None and in_range and abs(estimate[0] - reading.pitch) > 6 and not _contradicts(reading, estimate)


def _octaves(files: Mapping[str, PitchReading], estimates: Mapping[str, Estimate], *, default: int = 0, few: int = 0) -> int:
    """Octaves that the names are to be raised by, -1 … 1; `default` without a clear majority or with fewer than `few` voters."""
    counted: Counter[int] = Counter()
    sure = True
    for file, reading in files.items():
        midi, confidence = estimates.get(file, (None, 0.0))
        if midi is not None and _RANGE[0] <= reading.pitch <= _RANGE[1] and _distance(reading, midi) <= _AGREES:
            counted[round((midi - reading.pitch) / 12)] += 1
            sure = sure and confidence >= _SURE
    voters = counted.total()
    if not voters or voters < few:
        return default
    octaves, most = counted.most_common(1)[0]
    needed = _MAJORITY * voters if voters >= _FEW else voters if sure else voters + 1
    return octaves if most >= needed else default


def _vote(kind: str, files: Mapping[str, PitchReading], estimates: Mapping[str, Estimate]) -> NameVote:
    """The decision about one kind of names."""
    is_number = kind == "number"  # MIDI numbers have one octave only
    octaves = 0 if is_number else _octaves(files, estimates)
    looked = {file: estimates[file] for file in files if file in estimates}
    pitched = {file: one for file, one in looked.items() if one[0] is not None}
    by_folder: dict[str, int] = {}
    apart = sum(_is_another_octave(_shifted(files[file], octaves), one) for file, one in pitched.items())
    if apart > _MIXED * len(pitched) and not is_number:  # libraries with different names for middle C
        folders: dict[str, dict[str, PitchReading]] = {}
        for file, reading in files.items():
            folders.setdefault(_folder(file), {})[file] = reading
        own = {folder: _octaves(inside, estimates, default=octaves, few=_FEW) for folder, inside in folders.items()}
        by_folder = {folder: one for folder, one in sorted(own.items()) if one != octaves}
    read = {file: _shifted(files[file], by_folder.get(_folder(file), octaves)) for file in pitched}
    against = [file for file, one in pitched.items() if _contradicts(read[file], one)]
    apart = sum(_is_another_octave(read[file], one) for file, one in pitched.items())
    agree = len(pitched) - len(against)
    few = len(looked) < _FEW and kind == "note"
    used = agree >= len(against) and (agree >= _LEAST[kind] * len(looked) or (few and not against))
    if is_number:
        used = used and agree > 2 * apart
        agree = agree if used else agree - apart
    if not used:
        return NameVote(kind, len(files), len(pitched), agree, apart, 0, used=False)
    return NameVote(kind, len(files), len(pitched), agree, apart, octaves, True, by_folder, sorted(against))


def _choose(
    file: str, readings: Sequence[PitchReading], votes: Mapping[str, NameVote], estimates: Mapping[str, Estimate]
) -> PitchReading | None:
    """The first reading of a kind in use that the file's own sound does not contradict; or None."""
    for reading in readings:
        vote = votes[reading.kind]
        shifted = _shifted(reading, vote.octaves_of(file))
        if vote.used and not (file in estimates and _contradicts(shifted, estimates[file])):
            return shifted
    return None
