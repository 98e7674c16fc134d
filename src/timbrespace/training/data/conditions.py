"""Settings that training decides by the corpus: ranges of notes and velocities, and labels and ranges of conditions."""

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
from timbrespace.training.data.levels import with_levels

LEAST_SHARE = 0.75  # of the training clips that have a pitch, from which a corpus is one of notes
FEWEST_NOTE_CLIPS, FEWEST_NOTES = 16, 3
CLEARLY_APART = 16  # velocities; as far apart are the softest and hardest twentieth of the clips at least
_SOFT_HARD = 0.05
NARROWEST = 4.0  # semitones; the range of a model is never narrower
FEWEST_CLIPS = 3  # of one label; rarer labels are left out
MOST_LABELS = 512
_TAILS = 0.01  # share of the numbers outside a range, at either end
_LEAST = 1e-4  # Hz, s: the lowest end of a logarithmic range


def resolved(config: Config, corpus: Corpus, clips: Sequence[int]) -> Config:
    """Returns the settings with notes, velocities, conditions and levels resolved from the training clips. Raises ConfigError."""
    config = with_notes(config, [corpus.clips[index].pitch for index in clips])
    config = with_velocity(config, [corpus.clips[index].velocity for index in clips])
    return with_levels(with_conditions(config, corpus, clips), corpus, clips)


def with_notes(config: Config, pitches: Sequence[float | None]) -> Config:
    """Returns the settings with `model.notes: auto` resolved: the range of the training clips' pitches, or None if too few have one.

    The range is wider if variations shift pitches by more than MARGIN. pitches: of the training clips, MIDI numbers or None.
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


def with_velocity(config: Config, velocities: Sequence[float | None]) -> Config:
    """Returns the settings with `model.velocity: auto` resolved: the range of the training clips' velocities, or None.

    None if fewer than three quarters of the clips have one, or if they hardly differ. velocities: of the training clips, 1 to 127 or None.
    """
    if config.model.get("velocity") != "auto":
        return config
    known = torch.tensor([float(velocity) for velocity in velocities if velocity], dtype=torch.float64)
    velocity: list[float] | None = None
    if len(known) >= max(FEWEST_NOTE_CLIPS, LEAST_SHARE * len(velocities)):
        soft, hard = known.quantile(_SOFT_HARD), known.quantile(1 - _SOFT_HARD)
        velocity = [float(known.min()), float(known.max())] if hard - soft >= CLEARLY_APART else None
    return config.model_copy(update={"model": config.model | {"velocity": velocity}})


def with_conditions(config: Config, corpus: Corpus, clips: Sequence[int]) -> Config:
    """Returns the settings with labels and ranges of `model.conditions` from the training clips, where it is a list of names.

    Names without two labels of three clips or more, and without a range of numbers, are left out. Raises ConfigError if none remains.
    """
    names = config.model.get("conditions")
    if not isinstance(names, list):
        return config
    by_name = clip_values(corpus, clips, names)
    known = {name: values for name in names if (values := _values(name, by_name[name]))}
    if not known:
        labels = sorted({*LABEL_FIELDS, *(label for index in clips for label in corpus.clips[index].labels)})
        usable = [name for name in labels if _values(name, [clip_label(corpus.clips[index], name) for index in clips])]
        raise ConfigError(
            f"model.conditions is {', '.join(names)}, and these sounds differ in none of them as far as is known; "
            f"known here are {', '.join([*usable, *DESCRIPTORS])}"
        )
    return config.model_copy(update={"model": config.model | {"conditions": known}})


def _values(name: str, values: Sequence[str | float | None]) -> list[str] | list[float] | None:
    """Returns the frequent labels, or the range of the numbers; None without two labels or a range."""
    if any(isinstance(value, str) for value in values):
        counts = Counter(value for value in values if isinstance(value, str))
        labels = sorted(label for label, count in counts.most_common(MOST_LABELS) if count >= FEWEST_CLIPS)
        return labels if len(labels) >= 2 else None
    numbers = torch.tensor([value for value in values if isinstance(value, float)], dtype=torch.float64)
    if len(numbers) < FEWEST_CLIPS:
        return None
    low, high = (float(numbers.quantile(share)) for share in (_TAILS, 1 - _TAILS))
    if name in LOGARITHMIC:
        low = max(low, _LEAST)
    return [low, high] if high > low else None
