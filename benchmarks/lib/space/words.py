"""Part `words`: 140 prompts written before the parser; an independent classifier and descriptors judge the sounds made for them."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from lib.page import table
from lib.process import say

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus
    from timbrespace.instrument import Instrument

PROMPTS = Path(__file__).with_name("prompts.yaml")
PLAIN = 32  # new sounds without wishes, of each category: their median is what directions are judged against
FEWEST = 20  # real sounds of a class that the judge knows
NEAR = 0.2  # octaves: a value or factor is met within 15 % (pitch: 0.05, 60 cents)

NOTE = """140 prompts (`benchmarks/lib/space/prompts.yaml`), written before the parser. *Class right*: by a support vector machine (RBF,
C 3, classes weighted alike) on 20 MFCCs and their changes in five segments (librosa), which no instrument uses, trained on all real
sounds of classes with 20 or more; the last table says how often it is right on real sounds. *Direction right*: of each asked descriptor,
against the median of 32 new sounds of the category without wishes, or against the real compared sound. A sound at the limit of a descriptor
(a kick as clean as can be measured) counts as right. *Not defined*: descriptors that a sound lacks, such as the pitch of a drum. *Values
met*: within 15 % (pitch: 60 cents). *Unknown reported*: of the words that the file of prompts lists as unknown. *Falsely unknown*: other
words that were reported. *Read as expected*: category, directions, degrees, contradictions and unknown words, all as the file has them."""


@dataclass
class Tally:
    """Counts of one group of prompts."""

    prompts: int = 0
    read: int = 0
    sounds: int = 0
    classes: list[bool] = field(default_factory=list)
    plain_classes: list[bool] = field(default_factory=list)
    directions: list[bool] = field(default_factory=list)
    undefined: int = 0
    values: list[bool] = field(default_factory=list)
    unknown: list[bool] = field(default_factory=list)
    false_unknown: int = 0
    seconds: float = 0.0

    def row(self, name: str) -> list[str]:
        """The row of the table."""

        def share(hits: Sequence[bool]) -> str:
            return f"{100 * float(np.mean(hits)):.1f} % ({sum(hits)}/{len(hits)})" if hits else "–"

        return [
            name, str(self.prompts), f"{self.read}/{self.prompts}", share(self.classes), share(self.directions), str(self.undefined),
            share(self.values), share(self.unknown), str(self.false_unknown), f"{1000 * self.seconds / max(1, self.sounds):.0f} ms",
        ]  # fmt: skip


HEAD = [
    "prompts", "n", "read as expected", "class right", "direction right", "not defined", "values met", "unknown reported",
    "falsely unknown", "CPU time a sound",
]  # fmt: skip


def words(instruments: dict[str, Instrument], corpora: dict[str, Corpus], *, each: int = 2, seed: int = 0, only: str = "") -> str:
    """Tables of the part. instruments, corpora: by "drums" and "notes". each: sounds for each prompt. only: a part of their text."""
    given = yaml.safe_load(PROMPTS.read_text(encoding="utf-8"))
    tallies: dict[str, Tally] = defaultdict(Tally)
    per_descriptor: dict[str, list[bool]] = defaultdict(list)
    judged: list[list[str]] = []
    for what, instrument in instruments.items():
        judge = Judge(instrument, corpora[what], seed=seed)
        listed = [(kind, one) for kind in ("templated", "free") for one in given[kind]]
        prompts = [(kind, one) for kind, one in listed if one["instrument"] == what and only in one["prompt"]]
        for number, (kind, one) in enumerate(prompts):
            say(f"{what} {number + 1}/{len(prompts)}: {one['prompt']}")
            found = _one(instrument, judge, one, each=each, seed=seed + number, directions=per_descriptor)
            for name in (kind, f"{what}", f"language {one['language']}", "all"):
                _add(tallies[name], found)
        judged.append(judge.row(what))
    order = ["all", "templated", "free", *instruments, *(f"language {name}" for name in ("en", "de", "es", "fr"))]
    main = table(HEAD, [tallies[name].row(name) for name in order if name in tallies])
    directions = table(
        ["descriptor", "direction right"],
        [[name, f"{100 * np.mean(hits):.1f} % ({sum(hits)}/{len(hits)})"] for name, hits in sorted(per_descriptor.items())],
    )
    judges = table(["judge", "classes", "real sounds, cross-validated", "new sounds without a prompt, category asked for"], judged)
    return "\n\n".join([NOTE, main, directions, judges])


def _add(tally: Tally, found: Tally) -> None:
    for name, value in vars(found).items():
        setattr(tally, name, getattr(tally, name) + value)


class Judge:
    """What real sounds of the corpus say about new ones: a classifier, medians of new sounds without wishes, the compared sounds."""

    def __init__(self, instrument: Instrument, corpus: Corpus, *, seed: int):
        from sklearn.model_selection import cross_val_predict
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        self.instrument, self.corpus, self.seed = instrument, corpus, seed
        kinds = [clip.category for clip in corpus.clips]
        rows = [i for i, kind in enumerate(kinds) if kind is not None and kinds.count(kind) >= FEWEST]
        points = np.stack([mfcc_points(corpus.audio(i).mean(0).numpy(), corpus.sample_rate) for i in rows])
        labels = np.array([str(kinds[i]) for i in rows])
        self.classes = sorted(set(labels))
        self.model = make_pipeline(StandardScaler(), SVC(C=3.0, class_weight="balanced"))
        self.real = float((cross_val_predict(self.model, points, labels, cv=5) == labels).mean())
        self.model.fit(points, labels)
        self.rng = np.random.default_rng(seed)
        self._plain: dict[str | None, Any] = {}
        self.plain_right: list[bool] = []

    def kind(self, sound: Any) -> str:
        """The class of a sound."""
        return str(self.model.predict(mfcc_points(sound.audio.mean(0).numpy(), sound.sample_rate)[None])[0])

    def plain(self, category: str | None) -> np.ndarray:
        """The median of each descriptor over new sounds of a category without wishes."""
        from timbrespace.audio.describe import describe_all

        if category not in self._plain:
            sounds = self.instrument.generate(PLAIN, seed=10_000 + self.seed, category=category)
            if category in self.classes:
                self.plain_right += [self.kind(sound) == category for sound in sounds]
            self._plain[category] = describe_all([sound.audio for sound in sounds], sounds[0].sample_rate).nanmedian(0).values.numpy()
        return np.asarray(self._plain[category])

    def compared(self, category: str) -> str:
        """The full name of a training sound of a category, drawn at random."""
        clips = self.instrument.contents.clips
        assert clips is not None
        names = [name for name, kind in zip(clips.names, clips.categories, strict=True) if kind == category]
        return str(self.rng.choice(names))

    def audio(self, name: str) -> Any:
        """The audio of a clip of the corpus."""
        found = next((place for place, clip in enumerate(self.corpus.clips) if clip.name == name), None)
        if found is None:
            raise SystemExit(f"{name} is no sound that the benchmark trains on; leave --instrument out, or give one of these sounds")
        return self.corpus.audio(found)

    def row(self, what: str) -> list[str]:
        """Its row in the table of judges."""
        right = self.plain_right
        return [
            what,
            str(len(self.classes)),
            f"{100 * self.real:.1f} %",
            f"{100 * float(np.mean(right)):.1f} % ({sum(right)}/{len(right)})",
        ]


def mfcc_points(audio: np.ndarray, rate: int) -> np.ndarray:
    """Features of the judge: means of 20 MFCCs and of their changes in five segments after the onset, and the length."""
    import librosa

    audio = audio / max(1e-9, float(np.abs(audio).max()))
    start = int((np.abs(audio) > 0.01).argmax())
    audio = audio[start:]
    end = len(audio) - int((np.abs(audio[::-1]) > 0.001).argmax())
    audio = np.pad(audio[:end], (0, max(0, 4096 - end)))
    found = librosa.feature.mfcc(y=audio.astype(np.float32), sr=rate, n_mfcc=20, n_fft=1024, hop_length=256)
    change = librosa.feature.delta(found, width=5, mode="nearest")
    edges = [0, 4, 12, 32, 86, max(87, found.shape[1])]
    parts = []
    for a, b in itertools.pairwise(edges):
        for rows in (found, change):
            part = rows[:, a:b]
            parts.append(part.mean(1) if part.shape[1] else rows[:, -1] * 0 + rows.min(1))
    return np.concatenate([*parts, [math.log2(len(audio) / rate)]])


def _one(instrument: Instrument, judge: Judge, one: dict[str, Any], *, each: int, seed: int, directions: dict[str, list[bool]]) -> Tally:
    """The counts of one prompt."""
    from timbrespace.audio.describe import NAMES, describe
    from timbrespace.contracts import ConfigError

    found = Tally(prompts=1)
    compared = None
    text = one["prompt"]
    if match := re.search(r"\{([\w-]+)\}", text):
        if match[1] not in instrument.categories:
            return Tally()  # an instrument without this category
        compared = judge.compared(match[1])
        text = text.replace(match[0], compared.rsplit("/", 1)[-1])
    category = one["category"]
    if category is not None and category not in instrument.categories:
        return Tally()
    reading = instrument.understand(text)
    if reading.compared is not None and reading.compared.clip is not None and instrument.contents.clips is not None:
        compared = instrument.contents.clips.names[reading.compared.clip]  # of several of one name
    expected, reported = _expected_unknown(one), {word for item in reading.unknown for word in _pieces(item.word)}
    found.unknown = [word in reported for word in expected]
    found.false_unknown = len(reported - set(expected))
    found.read = int(_as_expected(reading, one) and reported == set(expected))
    start = time.process_time()
    try:
        sounds = instrument.generate(each, seed=seed, prompt=text)
    except ConfigError as error:
        found.classes = [False] * each if category is not None else []
        found.directions = [False] * each * len(one["wishes"])
        if one["wishes"] or category:
            say(f"    refused: {error}")
        return found
    found.seconds, found.sounds = time.process_time() - start, len(sounds)
    if category in judge.classes:
        kinds = [judge.kind(sound) for sound in sounds]
        found.classes = [kind == category for kind in kinds]
        if not all(found.classes):
            say(f"    class {category}: {kinds}")
    base = judge.plain(category)
    if compared is not None and "like" in one:
        base = describe(judge.audio(compared), judge.corpus.sample_rate).numpy()
    for name, wish in one["wishes"].items():
        place = NAMES.index(name)
        for sound in sounds:
            value = float(describe(sound.audio, sound.sample_rate, only=[name])[place])
            hit, met = _follows(value, float(base[place]), wish, name)
            if hit is None and met is None:
                found.undefined += 1
            if hit is not None:
                found.directions.append(hit)
                directions[name].append(hit)
                if not hit:
                    say(f"    {name} {wish}: {value:.2f} against {base[place]:.2f}")
            if met is not None:
                found.values.append(met)
    return found


def _follows(value: float, base: float, wish: str, name: str) -> tuple[bool | None, bool | None]:
    """Whether a value is in the direction of a wish, and whether it is the value asked for; None where neither is asked or defined."""
    from timbrespace.audio.describe import DESCRIPTORS

    near = 0.05 if name == "pitch" else NEAR
    if wish.startswith("="):
        met = math.isfinite(value) and abs(value - DESCRIPTORS[name].to_scale(float(wish[1:]))) <= near
        return None, met if math.isfinite(value) else None
    if not (math.isfinite(value) and math.isfinite(base)):
        return None, None
    if wish.startswith("x"):
        octaves = math.log2(float(wish[1:]))
        return (value - base) * octaves > 0, abs(value - base - octaves) <= near
    sign = 1 if wish[0] == "+" else -1
    one = DESCRIPTORS[name]
    limit = one.to_scale(one.high if sign > 0 else one.low)
    return (value - base) * sign > 0 or abs(value - limit) < 1e-3, None


def _pieces(word: str) -> list[str]:
    return re.findall(r"\w+", word.lower())


def _expected_unknown(one: dict[str, Any]) -> list[str]:
    return [piece for word in one.get("unknown", []) for piece in _pieces(word)]


def _as_expected(reading: Any, one: dict[str, Any]) -> bool:
    """Whether categories, wishes with their degrees, and contradictions are those of the file."""
    from timbrespace.prompt.reading import DEGREES

    kinds = list(reading.categories) or ([reading.compared.category] if reading.compared is not None else [])
    wishes = {}
    for wish in reading.wishes:
        if wish.target is not None:
            wishes[wish.descriptor] = f"= {wish.target:.4g}"
        elif wish.factor is not None:
            wishes[wish.descriptor] = f"x{wish.factor:g}"
        elif wish.amount is not None:
            degree = next(name for name, size in DEGREES.items() if abs(abs(wish.amount) - size) < 1e-6)
            wishes[wish.descriptor] = ("+" if wish.amount > 0 else "-") + ("" if degree == "plain" else f" {degree}")
    expected = {name: f"= {float(wish[1:]):.4g}" if wish.startswith("=") else wish for name, wish in one["wishes"].items()}
    category = [one["category"]] if one["category"] else []
    return kinds == category and wishes == expected and [conflict.descriptor for conflict in reading.conflicts] == one.get("conflicts", [])
