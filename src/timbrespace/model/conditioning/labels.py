"""Conditioning on labels and numbers: categories, velocity, brightness … as entries at the end of a latent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.audio.pitch_estimation import estimate_midi
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.labels.descriptors import DESCRIPTORS, clip_label, measure_descriptor
from timbrespace.model.conditioning.base import Conditioning, ConditionValues, Fixed
from timbrespace.model.conditioning.conditions import Conditions
from timbrespace.parallel import Pool

ClipValues = dict[str, list[str | float | None]]  # condition -> a label or number a clip


class LabelConditioning(Conditioning):
    """Conditions by name, each a label or a number; see `Conditions` for how a latent holds them."""

    def __init__(self, conditions: Conditions):
        self.conditions = conditions
        self.names = tuple(condition.name for condition in conditions.all)
        self.size = conditions.size

    def describe(self) -> list[str]:
        """Returns a line for each condition, with its labels or its range."""
        return [condition.describe() for condition in self.conditions.all]

    def request(self, wanted: ConditionValues | None, *, category: str | None, pitch: float | None, velocity: float | None = None) -> Fixed:
        """Returns entries of the conditions asked for; category, pitch, velocity count where they are conditions. Raises ConfigError."""
        if not self.size:
            return super().request(wanted, category=category, pitch=pitch, velocity=velocity)
        labels = next((condition.labels for condition in self.conditions.all if condition.name == "category"), ())
        known: dict[str, str | float] = {"category": category} if category is not None and category in labels else {}
        asked = {"pitch": pitch, "velocity": velocity}
        known |= {name: value for name, value in asked.items() if value is not None and name in self.names}
        other = {name: None if name in self.names else value for name, value in asked.items()}
        super().request(None, category=None, pitch=other["pitch"], velocity=other["velocity"])
        entries = self.conditions.asked({**known, **(wanted or {})})
        return Fixed(entries={place - self.size: value for place, value in entries.items()})

    def of_clips(self, corpus: Corpus, clips: Sequence[int]) -> Tensor | None:
        """Returns conditions `(clips, names)`, a label as its index among the labels; None without any condition."""
        if not self.size:
            return None
        values = clip_values(corpus, clips, self.names)
        columns = []
        for condition in self.conditions.all:
            places = {label: float(place) for place, label in enumerate(condition.labels)}
            columns.append([
                places.get(value, math.nan) if isinstance(value, str) else _number(value, condition.labels)
                for value in values[condition.name]
            ])  # fmt: skip
        return torch.tensor(columns, dtype=torch.float32).T

    def of_sound(self, audio: Tensor, sample_rate: int) -> Tensor:
        """Returns `(1, names)` of a sound `(channels, time)`: measured numbers and an estimated pitch, NaN for labels."""

        def one(name: str) -> float:
            value = measure_descriptor(name, audio, sample_rate) if name in DESCRIPTORS else None
            if name == "pitch":
                value = estimate_midi(audio.numpy(), sample_rate)[0]
            return math.nan if value is None else value

        return torch.tensor([[one(name) for name in self.names]])

    def shifted(self, conditions: Tensor, semitones: Sequence[tuple[float, float]]) -> Tensor:
        """Returns conditions `(rows, names)`, a pitch among them moved by the shifts."""
        conditions = conditions.clone()
        if "pitch" in self.names:
            conditions[:, self.names.index("pitch")] += torch.tensor([one + other for one, other in semitones])
        return conditions

    @property
    def measured(self) -> dict[int, str]:
        """Columns of the numbers that are measured from audio, by column."""
        return {column: name for column, name in enumerate(self.names) if name in DESCRIPTORS}

    @property
    def measured_entries(self) -> dict[int, str]:
        """Entries from the end that hold a measured number, the first of the two of its condition."""
        return {one.start - self.size: one.name for one in self.conditions.all if one.name in DESCRIPTORS and not one.labels}


def clip_values(corpus: Corpus, clips: Sequence[int], names: Sequence[str]) -> ClipValues:
    """Returns a value of each of `clips` by name: a label or number of the corpus, or a measured one; None where unknown."""
    measurable = [name for name in names if name in DESCRIPTORS]

    def measure(index: int) -> list[float | None]:
        audio = corpus.audio(index)
        return [measure_descriptor(name, audio, corpus.sample_rate) for name in measurable]

    values: ClipValues = {name: [clip_label(corpus.clips[index], name) for index in clips] for name in names if name not in DESCRIPTORS}
    if measurable:
        with Pool() as pool:
            rows = list(pool.map(measure, clips))
        values |= {name: [row[k] for row in rows] for k, name in enumerate(measurable)}
    return values


def _number(value: float | None, labels: tuple[str, ...]) -> float:
    return math.nan if value is None or labels else value
