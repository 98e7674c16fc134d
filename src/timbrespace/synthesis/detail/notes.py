"""Given notes in an instrument of notes: their pitch and its course, and sounds between them without a phase search.

Between two notes a phase search would have to invent the phases of partials that neither sound has at that pitch. Oscillators glide
from pitch to pitch instead, with the vibrato of both notes on the way from one to the other (`harmonic.render`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from timbrespace.audio.pitch import midi_to_hz
from timbrespace.audio.pitch_estimation import estimate_midi
from timbrespace.synthesis.detail.timing import Timing, positions
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.harmonic.measure import measure_note, pitch_course
from timbrespace.synthesis.harmonic.note import bin_layout, quiet_as_recorded
from timbrespace.synthesis.harmonic.render import render_note
from timbrespace.synthesis.harmonic.traits import NoteTraits, Values, traits_of

_OF_PITCH = 0.5  # semitone; a sound whose estimated pitch is farther from that of its latent is no note of this pitch
_MOST_CENTS = 200.0


class GivenNote(NamedTuple):
    """A given sound with a clear pitch: its fundamental in Hz, the course of its pitch in cents `(frames,)`, its traits."""

    hertz: float
    cents: Values
    traits: NoteTraits


def given_note(contents: InstrumentContents, sound: Tensor, z: Tensor, *, frames: int) -> GivenNote | None:
    """Returns the measurements of a sound `(channels, time)` with a clear pitch, that of its latent `z (dims,)`; None for any other.

    None also for an instrument that is not of notes. frames: of the sound's features.
    """
    pitch, layout = contents.model.conditioning.pitch_of(z), bin_layout(contents.representation)
    if contents.notes is None or pitch is None or layout is None:
        return None
    found, _ = estimate_midi(sound.numpy(), contents.sample_rate)
    if found is None or abs(found - pitch) > _OF_PITCH:
        return None
    wave, hertz = np.asarray(sound.mean(0).numpy(), np.float64), midi_to_hz(found)
    times = np.arange(frames, dtype=np.float64) * (layout.hop / layout.sample_rate)
    cents = pitch_course(wave, contents.sample_rate, hertz, np.asarray(times, np.float64))
    if cents is None:
        return None
    middle = float(np.median(cents))
    traits = traits_of(measure_note(wave, contents.sample_rate, hertz), unknown=contents.notes.of(z))
    return GivenNote(hertz * 2 ** (middle / 1200), np.clip(cents - middle, -_MOST_CENTS, _MOST_CENTS), traits)


def note_between(
    contents: InstrumentContents, notes: Sequence[GivenNote], timings: Sequence[Timing], weights: Sequence[float], features: Tensor,
    timing: Timing, *, hertz: float | None, length: int, seed: int,
) -> Tensor:  # fmt: skip
    """Returns audio `(channels, length)` for the levels in dB `(parts, bands, frames)` of a sound between one or two given notes.

    timings: of the given notes; timing: of the features. weights: of the notes, which add up to 1. hertz: the fundamental; None: on the
    way between theirs. The levels fluctuate as theirs do, so that no flutter is drawn.
    """
    layout = bin_layout(contents.representation)
    assert layout is not None
    cents, noise, attack = np.zeros(timing.frames), np.zeros_like(notes[0].traits.noise), np.zeros_like(notes[0].traits.attack)
    for note, own, weight in zip(notes, timings, weights, strict=True):
        cents = cents + weight * np.interp(positions(own, timing).numpy(), np.arange(len(note.cents)), note.cents)
        noise, attack = noise + weight * np.log(note.traits.noise), attack + weight * np.log(note.traits.attack)
    if hertz is None:
        hertz = float(np.exp(sum(weight * np.log(note.hertz) for note, weight in zip(notes, weights, strict=True))))
    traits = NoteTraits(np.exp(noise), np.exp(attack), flutter=0.0, wander=0.0, rate=1.0)
    levels = quiet_as_recorded(features, None, floor=layout.floor)  # between recorded notes: expanded, not mapped
    return render_note(levels, layout, hertz=hertz, traits=traits, length=length, seed=seed, cents=cents)
