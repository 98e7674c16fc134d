"""Instruments with a pitch of their own: at which one a given sound lies, and which ones a new sound may take."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from timbrespace.audio.pitch import estimate_midi, refine_midi
from timbrespace.contracts import ConfigError
from timbrespace.model.base import Model
from timbrespace.model.codec.linear import LinearCodecVAE
from timbrespace.model.parts.pitch import MARGIN, OCTAVE, NoteRange
from timbrespace.model.wrappers.conditional import Conditional
from timbrespace.synthesis.conditions import heard

_BEYOND = OCTAVE  # semitones outside the range learned that may be asked for
_LADDER = 3.0  # semitones between the pitches tried where a sound tells none
_CLEARLY = 0.98  # of the misfit so far: what is heard is left only for something better
_SURE = 0.9  # confidence from which a pitch is not doubted


def locate(model: Model, features: Tensor, lengths: Tensor, audio: Tensor, sample_rate: int) -> Tensor:
    """The latent `(1, dims)` of a sound `(channels, time)` with features `(1, parts, bands, frames)` and `lengths (1,)` in samples.

    A `conditional` model is told what can be heard of its conditions, and the likeliest labels. For a model with notes the pitch is
    heard; where it is not clear, also an octave off or, where nothing is heard, all over the range, and the latent that comes nearest to
    the sound after the search counts.
    """
    if isinstance(model, Conditional):
        facts = model.guessed(features, lengths, heard(model, audio, sample_rate))
        return model.encode(features, lengths, facts).mean
    if not isinstance(model, LinearCodecVAE) or model.axis is None:
        return model.refine(features, lengths, model.encode(features, lengths).mean)
    axis = model.axis
    midi, confidence = estimate_midi(audio.numpy(), sample_rate)
    if midi is None:
        steps = int((axis.highest - axis.lowest) / _LADDER)
        pitches = [axis.middle, *(axis.lowest + _LADDER * step for step in range(1, steps))]
    else:
        midi = refine_midi(audio.numpy(), sample_rate, midi) if model.needs_fine_pitch else midi
        octaves = (midi, midi - OCTAVE, midi + OCTAVE) if confidence < _SURE else (midi,)
        pitches = [midi, *(pitch for pitch in octaves[1:] if axis.lowest - MARGIN <= pitch <= axis.highest + MARGIN)]
    best, least = torch.empty(0), math.inf
    for pitch in pitches:  # one by one: a sound's latent must not depend on how many are tried
        z = model.refine(features, lengths, model.encode(features, lengths, torch.tensor([pitch])).mean)
        misfit = float(model.objective(features, lengths, z))
        if misfit < least * _CLEARLY:
            best, least = z, misfit
    return best


def asked_note(model: Model, pitch: float | None) -> float | None:
    """A MIDI number to ask `LatentSpace.draw` for, as the latent holds it. Raises ConfigError when this model cannot play it."""
    if pitch is None:
        return None
    axis = _axis(model)
    if axis is None:
        raise ConfigError(f"pitch is {pitch:g}, and this instrument was learned from sounds without a pitch; leave it out")
    low, high = max(0.0, axis.lowest - _BEYOND), min(127.0, axis.highest + _BEYOND)
    if not low <= pitch <= high:
        raise ConfigError(f"pitch is {pitch:g}, allowed are MIDI numbers from {low:g} to {high:g}: its range and an octave beyond")
    return float(axis.standard(torch.tensor([float(pitch)])))


def tempered(model: Model, value: float) -> float:
    """The pitch that a latent holds, moved to the nearest note of equal temperament within the range learned."""
    axis = _axis(model)
    assert axis is not None
    midi = float(axis.midi(torch.tensor([[value]])))
    note = min(max(round(midi), round(axis.lowest)), round(axis.highest))
    return float(axis.standard(torch.tensor([float(note)])))


def note_of(model: Model, z: Tensor) -> int | None:
    """Nearest MIDI number of the pitch that a latent `(dims,)` holds; None for a model without notes."""
    axis = _axis(model)
    return None if axis is None else round(float(axis.midi(z[None, -1:])))


def _axis(model: Model) -> NoteRange | None:
    return model.axis if isinstance(model, LinearCodecVAE) else None
