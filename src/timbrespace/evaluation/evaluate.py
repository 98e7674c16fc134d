"""Evaluates instruments on a folder of sounds: everything that is known to be measurable, in bounded time, as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from timbrespace import __version__
from timbrespace.atomic import write_json
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.parts.budget import NEW, QUICK, Budget, Progress, Steps
from timbrespace.evaluation.parts.imitation import Imitations, measure_imitations, measure_trained
from timbrespace.evaluation.parts.kinds import measure_kinds
from timbrespace.evaluation.parts.latent import measure_latent
from timbrespace.evaluation.parts.likeness import measure_artefacts, measure_likeness, measure_novelty
from timbrespace.evaluation.parts.morphs import measure_morphs
from timbrespace.evaluation.parts.sounds import (
    HELD_OUT,
    TRAINED,
    UNKNOWN,
    RealSound,
    RealSounds,
    gather,
    is_learned,
    learned_names,
    statuses,
    training_sounds,
)
from timbrespace.evaluation.parts.sounds import NEW as OTHER
from timbrespace.evaluation.parts.speed import machine, measure_speed
from timbrespace.instrument import Instrument
from timbrespace.synthesis.sound import Sound

FORMAT, VERSION = "timbrespace-evaluation", 1
MOST_INSTRUMENTS = 12
_FEWEST_COMMON = 4  # sounds that no instrument learned, for a comparison of several
_LONGEST_EXAMPLE_S = 2.5
Evaluated = Instrument | Path | str


@dataclass(frozen=True)
class Example:
    """Sounds side by side, to be listened to: `sounds` are pairs of a label and audio `(channels, time)` at `sample_rate` (Hz)."""

    kind: str  # "imitation", "new", "morph"
    name: str
    sample_rate: int
    sounds: list[tuple[str, Tensor]]


@dataclass(frozen=True)
class Evaluation:
    """What was measured. values: plain JSON values, described in docs/evaluate.md. examples: sounds to listen to, for the page."""

    values: dict[str, Any]
    examples: list[Example] = field(default_factory=list)

    def save(self, path: Path | str, *, force: bool = False) -> None:
        """Writes the values as JSON. Raises OutputExistsError, TimbrespaceError."""
        write_json(Path(path), self.values, force=force)


@dataclass
class _Opened:
    """An instrument in work. given: the sounds at its rate; status: of each; learned: its training sounds, as far as they were found."""

    name: str
    file: Path | None
    instrument: Instrument
    given: RealSounds
    status: list[str]
    learned: RealSounds | None


def evaluate(
    instruments: Evaluated | Sequence[Evaluated],
    folder: Path | str | Corpus,
    *,
    new: int | None = None,
    quick: bool = False,
    training: Path | str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Measures one instrument or several on the sounds of a folder or corpus, as far as the sounds allow.

    instruments: instruments or their files. new: new sounds of each; None: 200, or 48 if `quick`, which measures fewer sounds of all kinds.
    training: folder or corpus that they were trained on, for control rows; None: found by the note in the instrument. seed: of new sounds
    and random choices. progress: called with the sounds measured and expected. Bad files are left out and listed under "skipped"; a part
    that cannot be measured is {"not_measured": reason}. Raises TimbrespaceError for a folder without a usable sound, ConfigError.
    """
    several = list(instruments) if isinstance(instruments, Sequence) and not isinstance(instruments, str) else [instruments]
    if not 1 <= len(several) <= MOST_INSTRUMENTS:
        raise ConfigError(f"{len(several)} instruments were given, allowed are 1 to {MOST_INSTRUMENTS}")
    budget = QUICK if quick else Budget()
    budget = replace(budget, new=budget.new if new is None else int(NEW.check(new)))
    opened = _open(several, folder, Path(training) if training is not None else None, budget)
    steps = Steps(
        len(opened) * (9 * budget.imitated + budget.trained + budget.new + budget.encoded + 2 * budget.pairs * budget.steps), progress
    )
    common = _common_ground(opened)
    found, examples = [], list[Example]()
    imitations = []
    for one in opened:
        values, own, made = _measure(one, common, budget, steps, seed=seed)
        found.append(values)
        imitations.append((one, made))
        examples += own
    steps.finish()
    given = opened[0].given
    values = {
        "format": FORMAT,
        "version": VERSION,
        "made_with": f"timbrespace {__version__}",
        "machine": machine(),
        "settings": {"quick": quick, "new": budget.new, "seed": seed, "most_real": budget.real, "most_imitated": budget.imitated},
        "sounds": {
            "name": Path(given.place).resolve().name,
            "files": given.files,
            "used": len(given.sounds),
            "left_out": given.unread,
            "seconds": round(sum(sound.audio.shape[1] for sound in given.sounds) / given.sample_rate, 2),
            "categories": _counts(sound.category for sound in given.sounds),
            "common": None if common is None else len(common),
        },
        "skipped": given.skipped,
        "instruments": found,
    }
    return Evaluation(_plain(values), [*_imitation_examples(imitations), *examples])


def _open(instruments: list[Evaluated], folder: Path | str | Corpus, training: Path | None, budget: Budget) -> list[_Opened]:
    """Opens the instruments and reads the sounds once for each rate and number of channels."""
    read: dict[tuple[int, int], RealSounds] = {}
    files = [None if isinstance(one, Instrument) else Path(one) for one in instruments]
    loaded = [one if isinstance(one, Instrument) else Instrument.load(one) for one in instruments]
    later, most = is_learned(learned_names(loaded)), budget.factors if _has_factors(folder) else budget.real
    out, names = [], set[str]()
    for number, (file, instrument) in enumerate(zip(files, loaded, strict=True), start=1):
        stem = file.stem if file is not None else "instrument" if len(instruments) == 1 else f"instrument {number}"
        name = stem if stem not in names else f"{stem} ({number})"
        names.add(name)
        key = (instrument.sample_rate, instrument.channels)
        if key not in read:
            read[key] = gather(folder, sample_rate=key[0], channels=key[1], most=most, later=later)
        given = read[key]
        learned = training_sounds(instrument, file, training, most=budget.learned, given=given)
        out.append(_Opened(name, file, instrument, given, _statuses(instrument, given, learned, training), learned))
    return out


def _has_factors(folder: Path | str | Corpus) -> bool:
    """Whether the sounds are of a toy corpus, whose spectra are short: more of them are read."""
    from timbrespace.corpus.corpus import is_corpus

    corpus = folder if isinstance(folder, Corpus) else Corpus.open(folder) if is_corpus(folder) else None
    return corpus is not None and sum(type(value) is int for value in corpus.clips[0].labels.values()) > 1


def _statuses(instrument: Instrument, given: RealSounds, learned: RealSounds | None, training: Path | None) -> list[str]:
    """Those of `sounds.statuses`; of a stripped instrument by the digests of the training sounds, where their folder was given."""
    status = statuses(instrument, given)
    if training is None or learned is None or UNKNOWN not in status:
        return status
    known = {sound.digest for sound in learned.sounds}
    return [TRAINED if sound.digest in known else OTHER for sound in given.sounds]


def _common_ground(opened: list[_Opened]) -> set[str] | None:
    """Names of the sounds that no instrument learned, the common ground of several; None for one instrument, or for too few sounds."""
    if len(opened) < 2:
        return None
    sets = [{sound.name for sound, status in zip(one.given.sounds, one.status, strict=True) if status != TRAINED} for one in opened]
    common = set.intersection(*sets)
    return common if len(common) >= _FEWEST_COMMON else None


def _measure(
    one: _Opened, common: set[str] | None, budget: Budget, steps: Steps, *, seed: int
) -> tuple[dict[str, Any], list[Example], Imitations]:
    """All values of one instrument, its examples, and its imitations."""
    instrument = one.instrument
    pairs = list(zip(one.given.sounds, one.status, strict=True))
    trained = [sound for sound, status in pairs if status == TRAINED]
    other = [sound for sound, status in pairs if status != TRAINED]
    measured = [sound for sound in other if common is None or sound.name in common]
    on = "not_learned" if measured else "trained"
    real = measured or trained  # what new sounds are compared with
    chosen = _spread(real, budget.imitated)
    digests = {sound.digest for sound in chosen}
    learned = [] if one.learned is None else [sound for sound in one.learned.sounds if sound.digest not in digests]
    imitations = measure_imitations(instrument, chosen, learned, budget=budget, steps=steps, seed=seed)
    own = measure_trained(instrument, _spread(trained, budget.trained), budget=budget, steps=steps, seed=seed)
    made = instrument.generate(budget.new, seed=seed, progress=lambda done, of: steps.add(1)) if budget.new else []
    morphs, paths = measure_morphs(instrument, real, budget=budget, steps=steps, seed=seed)
    latent, factors = measure_latent(instrument, real if not measured else [*other, *trained], budget=budget, steps=steps, seed=seed)
    values = {
        "name": one.name,
        "dims": instrument.dims,
        "parameters": sum(parameter.numel() for parameter in instrument.model.parameters()),
        "model": instrument.contents.settings.get("model", {}).get("name"),
        "sample_rate": instrument.sample_rate,
        "longest_seconds": None if instrument.longest is None else instrument.longest / instrument.sample_rate,
        "sounds": {
            **{name: one.status.count(name) for name in (TRAINED, HELD_OUT, OTHER, UNKNOWN)},
            "measured_on": on,
            "training_found": 0 if one.learned is None else len(one.learned.sounds),
        },
        "imitation": imitations.values,
        "imitation_of_trained": own,
        "likeness": measure_likeness(instrument, made, real, learned, budget=budget, seed=seed) | {"against": on},
        "novelty": measure_novelty(instrument, made),
        "artefacts": measure_artefacts(instrument, made, real),
        "kinds": measure_kinds(instrument, made, measured, seed=seed),
        "morphs": morphs,
        "latent": latent,
        "disentanglement": factors,
        "speed": measure_speed(instrument, real, budget=budget, seed=seed),
    }
    return values, _own_examples(one, made, paths), imitations


def _spread(sounds: list[RealSound], most: int) -> list[RealSound]:
    """At most `most` of the sounds, evenly spaced."""
    return sounds if len(sounds) <= most else [sounds[k * len(sounds) // most] for k in range(most)]


def _counts(categories: Any) -> dict[str, int]:
    """Sounds of each category, the largest first; those without one under "no category"."""
    found: dict[str, int] = {}
    for category in categories:
        found[category or "no category"] = found.get(category or "no category", 0) + 1
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _own_examples(one: _Opened, made: list[Sound], paths: list[tuple[str, list[Tensor], list[Tensor]]]) -> list[Example]:
    rate = one.instrument.sample_rate
    out = []
    if made:
        chosen = [made[k * len(made) // 6] for k in range(6)] if len(made) > 6 else made
        out.append(Example("new", one.name, rate, [(sound.name, _cut(sound.audio, rate)) for sound in chosen]))
    for name, path, faded in paths:
        for label, sounds in ((f"{one.name}, morph", path), ("cross-fade", faded)):
            shown = [(f"step {k + 1}", _cut(sound, rate)) for k, sound in enumerate(sounds) if k % 2 == 0]
            out.append(Example("morph", f"{label}: {name}", rate, shown))
    return out


def _imitation_examples(imitations: list[tuple[_Opened, Imitations]]) -> list[Example]:
    """A good, a middling, a weak and the worst imitation of the first instrument, with the same sounds by the others."""
    first, ours = imitations[0]
    if not ours.sounds:
        return []
    places = dict.fromkeys(round(share * (len(ours.order) - 1)) for share in (0.1, 0.5, 0.85, 1.0))
    out = []
    for place in places:
        sound = ours.sounds[ours.order[place]]
        rate = first.instrument.sample_rate
        row = [("original", _cut(sound.audio, rate))]
        for one, theirs in imitations:
            index = next((k for k, other in enumerate(theirs.sounds) if other.name == sound.name), None)
            if index is not None and one.instrument.sample_rate == rate:
                row.append((one.name, _cut(theirs.rows["instrument"][index], rate)))
        out.append(Example("imitation", sound.name, rate, row))
    return out


def _cut(audio: Tensor, rate: int) -> Tensor:
    """At most 2.5 s of a sound, faded out where it is cut."""
    most = round(_LONGEST_EXAMPLE_S * rate)
    if audio.shape[1] <= most:
        return audio
    import torch

    from timbrespace.audio.trim import shorten

    return torch.from_numpy(shorten(audio.numpy(), most, rate))


def _plain(value: Any) -> Any:
    """Values that JSON holds: NaN and infinite numbers become None, other numbers have six digits."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bool) or value is None or isinstance(value, str | int):
        return value
    number = float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None
