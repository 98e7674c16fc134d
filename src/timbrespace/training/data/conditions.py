"""What a `conditional` model is told of the clips of a corpus."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.labels.descriptors import DESCRIPTORS, LABEL_FIELDS, clip_label, measure_descriptor
from timbrespace.model.conditioning.conditions import LOGARITHMIC
from timbrespace.model.wrappers.conditional import Conditional
from timbrespace.parallel import Pool

FEWEST_CLIPS = 3  # of one label; a label of fewer is not told
MOST_LABELS = 512
_TAILS = 0.01  # of the figures at either end of a range lie outside it
_LEAST = 1e-4  # Hz, s: a lowest figure heard in proportion

Facts = dict[str, list[str | float | None]]  # by name, one a clip


def facts_of(corpus: Corpus, clips: Sequence[int], names: Sequence[str]) -> Facts:
    """What is known of `clips` by each name: the manifest's, or measured."""
    heard = [name for name in names if name in DESCRIPTORS]

    def listen(index: int) -> list[float | None]:
        audio = corpus.audio(index)
        return [measure_descriptor(name, audio, corpus.sample_rate) for name in heard]

    found: Facts = {name: [clip_label(corpus.clips[index], name) for index in clips] for name in names if name not in DESCRIPTORS}
    if heard:
        with Pool() as pool:
            rows = list(pool.map(listen, clips))
        found |= {name: [row[k] for row in rows] for k, name in enumerate(heard)}
    return found


def with_conditions(config: Config, corpus: Corpus, clips: Sequence[int]) -> Config:
    """The settings with the labels and ranges of `model.conditions` looked up in the training clips, where they are names alone.

    Names that tell nothing here (no two labels of three clips or more; no two figures) are left out. Raises ConfigError where none is
    left.
    """
    names = config.model.get("conditions")
    if not isinstance(names, list):
        return config
    found = facts_of(corpus, clips, names)
    known = {name: values for name in names if (values := _values(name, found[name]))}
    if not known:
        told = sorted({*LABEL_FIELDS, *(label for index in clips for label in corpus.clips[index].labels)})
        usable = [name for name in told if _values(name, [clip_label(corpus.clips[index], name) for index in clips])]
        raise ConfigError(
            f"model.conditions is {', '.join(names)}, and these sounds differ in none of them as far as is known; "
            f"known here are {', '.join([*usable, *DESCRIPTORS])}"
        )
    return config.model_copy(update={"model": config.model | {"conditions": known}})


def clip_facts(model: Conditional, corpus: Corpus, clips: Sequence[int]) -> Tensor:
    """`(clips, conditions)` as `Conditions.numbers` takes them."""
    found = facts_of(corpus, clips, [condition.name for condition in model.conditions.all])
    columns = []
    for condition in model.conditions.all:
        places = {label: float(place) for place, label in enumerate(condition.labels)}
        values = found[condition.name]
        columns.append([places.get(value, math.nan) if isinstance(value, str) else _figure(value, condition.labels) for value in values])
    return torch.tensor(columns, dtype=torch.float32).T


def _figure(value: float | None, labels: tuple[str, ...]) -> float:
    return math.nan if value is None or labels else value


def _values(name: str, facts: Sequence[str | float | None]) -> list[str] | list[float] | None:
    """Labels that are there often enough, or the range of the figures; None where that tells nothing."""
    if any(isinstance(value, str) for value in facts):
        counts = Counter(value for value in facts if isinstance(value, str))
        labels = sorted(label for label, count in counts.most_common(MOST_LABELS) if count >= FEWEST_CLIPS)
        return labels if len(labels) >= 2 else None
    figures = torch.tensor([value for value in facts if isinstance(value, float)], dtype=torch.float64)
    if len(figures) < FEWEST_CLIPS:
        return None
    low, high = (float(figures.quantile(share)) for share in (_TAILS, 1 - _TAILS))
    if name in LOGARITHMIC:
        low = max(low, _LEAST)
    return [low, high] if high > low else None
