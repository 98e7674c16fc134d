"""Settings that training decides by the corpus: the range of notes of a model, and the labels and ranges of its conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch

from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.labels.descriptors import DESCRIPTORS, LABEL_FIELDS, clip_label
from timbrespace.model.conditioning.conditions import LOGARITHMIC
from timbrespace.model.conditioning.labels import clip_values
from timbrespace.model.parts.pitch import MARGIN

LEAST_SHARE = 0.75  # of the training clips that have a pitch, from which a corpus is one of notes
FEWEST_NOTE_CLIPS, FEWEST_NOTES = 16, 3
NARROWEST = 4.0  # semitones; the range of a model is never narrower
FEWEST_CLIPS = 3  # of one label; rarer labels are left out
MOST_LABELS = 512
_TAILS = 0.01  # share of the numbers outside a range, at either end
_LEAST = 1e-4  # Hz, s: the lowest end of a logarithmic range


def resolved(config: Config, corpus: Corpus, clips: Sequence[int]) -> Config:
    """Returns the settings with everything decided that the training clips decide. Raises ConfigError."""
    return with_conditions(with_notes(config, [corpus.clips[index].pitch for index in clips]), corpus, clips)


def with_notes(config: Config, pitches: Sequence[float | None]) -> Config:
    """The settings with `model.notes` decided where they say auto: the range of the training clips' pitches, or None: too few have one.

    The range is widened where variations shift them by more than an axis allows for. pitches: of the training clips, MIDI numbers or None.
    """
    if config.model.get("notes") != "auto":
        return config
    known = [pitch for pitch in pitches if pitch is not None]
    notes: list[float] | None = None
    if len(known) >= max(FEWEST_NOTE_CLIPS, LEAST_SHARE * len(pitches)) and len({round(pitch) for pitch in known}) >= FEWEST_NOTES:
        augmentation = config.training.augmentation
        shift = max(kind.semitones * (kind.chance > 0) for kind in (augmentation.pitch, augmentation.transpose))
        low, high = min(known) - max(0.0, shift - MARGIN), max(known) + max(0.0, shift - MARGIN)
        wider = max(0.0, NARROWEST - (high - low)) / 2
        notes = [round(max(0.0, low - wider), 2), round(min(127.0, high + wider), 2)]
    return config.model_copy(update={"model": config.model | {"notes": notes}})


def with_conditions(config: Config, corpus: Corpus, clips: Sequence[int]) -> Config:
    """The settings with the labels and ranges of `model.conditions` looked up in the training clips, where they are names alone.

    Names that tell nothing here (no two labels of three clips or more; no two figures) are left out. Raises ConfigError where none is
    left.
    """
    names = config.model.get("conditions")
    if not isinstance(names, list):
        return config
    found = clip_values(corpus, clips, names)
    known = {name: values for name in names if (values := _values(name, found[name]))}
    if not known:
        told = sorted({*LABEL_FIELDS, *(label for index in clips for label in corpus.clips[index].labels)})
        usable = [name for name in told if _values(name, [clip_label(corpus.clips[index], name) for index in clips])]
        raise ConfigError(
            f"model.conditions is {', '.join(names)}, and these sounds differ in none of them as far as is known; "
            f"known here are {', '.join([*usable, *DESCRIPTORS])}"
        )
    return config.model_copy(update={"model": config.model | {"conditions": known}})


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
