"""Instruments that are told what to play: what is known of a given sound, and what is asked of new ones."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from timbrespace.audio.pitch import estimate_midi
from timbrespace.contracts import ConfigError
from timbrespace.corpus.labels.descriptors import DESCRIPTORS, measure_descriptor
from timbrespace.model.base import Model
from timbrespace.model.wrappers.conditional import Conditional

Wanted = Mapping[str, str | float]


def heard(model: Conditional, audio: Tensor, sample_rate: int) -> Tensor:
    """Facts `(1, conditions)` of a sound `(channels, time)` as far as they can be heard: measured figures and a pitch, NaN elsewhere."""

    def one(name: str) -> float:
        value = measure_descriptor(name, audio, sample_rate) if name in DESCRIPTORS else None
        if name == "pitch":
            value = estimate_midi(audio.numpy(), sample_rate)[0]
        return math.nan if value is None else value

    return torch.tensor([[one(condition.name) for condition in model.conditions.all]])


def asked_conditions(model: Model, wanted: Wanted | None, *, category: str | None, pitch: float | None) -> dict[int, float]:
    """What is asked of new sounds, as places in the latent and their values. Raises ConfigError.

    category, pitch: asked for by themselves; told where the model knows them as conditions.
    """
    if not isinstance(model, Conditional) or not model.known_dims:
        if wanted:
            raise ConfigError(
                f"conditions {', '.join(wanted)} are asked for, and this instrument takes none; train one with --preset conditional"
            )
        return {}
    names = [condition.name for condition in model.conditions.all]
    labels = next((condition.labels for condition in model.conditions.all if condition.name == "category"), ())
    known: dict[str, str | float] = {"category": category} if category is not None and category in labels else {}
    known |= {"pitch": pitch} if pitch is not None and "pitch" in names else {}
    return {model.inferred_dims + place: value for place, value in model.conditions.asked({**known, **(wanted or {})}).items()}


def takes_pitch(model: Model) -> bool:
    """Whether a pitch is one of the conditions."""
    return isinstance(model, Conditional) and any(condition.name == "pitch" for condition in model.conditions.all)


def described(model: Model) -> list[str]:
    """The conditions of an instrument, for people: "category: kick, snare"."""
    return [condition.describe() for condition in model.conditions.all] if isinstance(model, Conditional) else []
