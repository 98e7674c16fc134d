"""Makes a survey: chooses and renders its sounds, makes them equally loud, and plans who hears what."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from timbrespace.atomic import check_absent, write_json
from timbrespace.audio.files import write
from timbrespace.contracts import ConfigError
from timbrespace.evaluation.survey import stimuli
from timbrespace.evaluation.survey.plan import make_plans
from timbrespace.evaluation.survey.questions import CHECK, MORPH, background_questions, sound_questions
from timbrespace.evaluation.survey.stimuli import CROSS_FADE, Stimulus
from timbrespace.evaluation.survey.survey import FILE, PUBLIC, SOUNDS, Item, Survey
from timbrespace.instrument import Instrument

_NAME = re.compile(r"[\w .+()-]{1,40}")
_CHECKS = (3, 2, 4)  # beeps of the attention checks
_FEWEST, _MOST = 2, 200  # sounds a condition
Progress = Callable[[str], None]


@dataclass(frozen=True)
class SurveyOptions:
    """Options of a survey.

    sounds: of each condition. morphs: pairs of real sounds that each instrument morphs. steps: of a morph. listeners: for whom there are
    plans; the next listener after the last gets the first plan. items: that each listener rates, at most all; None: at most 30, as many
    of each condition. repeats: of them that are rated twice.
    """

    title: str = "A listening test"
    sounds: int = 12
    morphs: int = 0
    steps: int = 6
    listeners: int = 24
    items: int | None = None
    repeats: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (
            ("sounds", _FEWEST, _MOST), ("morphs", 0, 50), ("steps", 3, 16), ("listeners", 1, 1000), ("repeats", 0, 10),
        ):  # fmt: skip
            if not least <= getattr(self, name) <= most:
                raise ConfigError(f"{name} is {getattr(self, name)}, allowed is {least} to {most}")


def make_survey(
    sources: Mapping[str, Path], options: SurveyOptions, *, progress: Progress | None = None
) -> tuple[Survey, dict[str, Stimulus]]:
    """Returns a survey and its sounds by the names of their items.

    sources: condition -> folder of sounds, or instrument file. Raises ConfigError, AudioFileError, InstrumentFileError.
    """
    _check_conditions(sources)
    skipped: list[tuple[str, str]] = []
    folders = {name: path for name, path in sources.items() if path.is_dir()}
    instruments = {name: Instrument.load(path) for name, path in sources.items() if name not in folders}
    if options.morphs and not (folders and instruments):
        raise ConfigError("morphs compare instruments on pairs of real sounds: give one instrument and one folder or more")
    say = progress or (lambda text: None)
    sounds: list[Stimulus] = []
    for name, folder in folders.items():
        say(f"reading {name}")
        sounds += stimuli.real_sounds(name, folder, options.sounds, seed=options.seed, skipped=skipped)
    categories = sorted({sound.category for sound in sounds if sound.category is not None})
    for name, instrument in instruments.items():
        say(f"generating {name}")
        sounds += stimuli.new_sounds(name, instrument, categories, options.sounds, seed=options.seed)
    if options.morphs:
        pairs = stimuli.pairs_of([sound for sound in sounds if sound.condition in folders], options.morphs, seed=options.seed)
        for name, instrument in instruments.items():
            say(f"morphing {name}")
            sounds += stimuli.morphs(name, instrument, pairs, steps=options.steps, seed=options.seed)
        sounds += stimuli.cross_fades(pairs, steps=options.steps)
    checks = [stimuli.beeps(count) for count in _CHECKS]
    loud, loudness = stimuli.equally_loud([*sounds, *checks], skipped=skipped)
    return _assembled(loud, options, loudness=loudness, skipped=skipped)


def write_survey(survey: Survey, sounds: Mapping[str, Stimulus], folder: Path, page: str, *, force: bool = False) -> None:
    """Writes `survey.json`, and `public/` with the listener's page and the sounds. Raises OutputExistsError, TimbrespaceError."""
    from timbrespace.atomic import write_text

    check_absent(folder / FILE, force=force)
    check_absent(folder / PUBLIC / "index.html", force=force)
    for name, sound in sounds.items():
        write(folder / PUBLIC / SOUNDS / f"{name}.wav", sound.audio, stimuli.RATE, subtype="PCM_16", force=force)
    write_text(folder / PUBLIC / "index.html", page, force=force)
    write_json(folder / FILE, survey.as_dict(), force=force)


def _assembled(
    sounds: list[Stimulus], options: SurveyOptions, *, loudness: float, skipped: list[tuple[str, str]]
) -> tuple[Survey, dict[str, Stimulus]]:
    """The survey of ready sounds: names, questions, plans."""
    rng = np.random.default_rng(options.seed)
    names = [f"{value:010x}" for value in rng.choice(2**40, len(sounds), replace=False)]
    by_name = dict(sorted(zip(names, sounds, strict=True)))
    items = {
        name: Item(name, one.kind, one.condition, one.source, one.seconds, one.category, one.accepted) for name, one in by_name.items()
    }
    groups: dict[tuple[str, str], list[str]] = {}
    for name, item in items.items():
        if item.kind != CHECK:
            groups.setdefault((item.kind, item.condition), []).append(name)
    total = sum(map(len, groups.values()))
    count = options.items if options.items is not None else min(total, max(len(groups), 30 - 30 % len(groups)))
    checks = [name for name, item in items.items() if item.kind == CHECK]
    plans = make_plans(list(groups.values()), checks, listeners=options.listeners, items=count, repeats=options.repeats, seed=options.seed)
    categories = sorted({answer for item in items.values() if item.kind != CHECK for answer in item.accepted})
    questions = sound_questions(categories)
    if not any(item.kind == MORPH for item in items.values()):
        del questions[MORPH]
    text = json.dumps([options.title, [item.as_dict() for item in items.values()], plans], sort_keys=True)
    identity = hashlib.sha256(text.encode()).hexdigest()[:16]
    survey = Survey(identity, options.title, options.seed, questions, background_questions(), items, plans, loudness, skipped)
    return survey, by_name


def _check_conditions(sources: Mapping[str, Path]) -> None:
    if len(sources) < 2:
        raise ConfigError("a survey compares two conditions or more; give NAME=FOLDER or NAME=INSTRUMENT at least twice")
    for name, path in sources.items():
        if not _NAME.fullmatch(name) or name == CROSS_FADE:
            raise ConfigError(
                f"the condition is named {name!r:.60}, allowed are letters, digits, spaces and . + ( ) -, and not {CROSS_FADE!r}"
            )
        if not path.exists():
            raise ConfigError(f"{name}={path}: there is no such file or folder")
