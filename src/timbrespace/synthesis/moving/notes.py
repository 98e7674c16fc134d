"""Moving notes: their partials by oscillators, whose pitch glides from note to note.

    keys, all moved to the highest pitch of the path  ->  features of one pitch  ->  partials and noise  ->  oscillators that glide

Without this a glide would be a cross-fade between neighbouring pitches, and a held note would beat: a phase search knows no pitch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.audio.pitch import midi_to_hz
from timbrespace.synthesis.detail.timing import read_smooth
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.harmonic.note import bin_layout
from timbrespace.synthesis.harmonic.render import drawn_cents, render_note
from timbrespace.synthesis.moving.evenness import Values
from timbrespace.synthesis.moving.levels import course_of
from timbrespace.synthesis.moving.plan import Moving

_GLIDE = 0.05  # semitones; a path of less is of one pitch


def glides(contents: InstrumentContents, moving: Moving) -> bool:
    """Returns whether a moving sound is rendered by oscillators: of an instrument of notes, where the pitch moves or the note is held.

    New notes always are; a morph at one pitch that is not held keeps the phases of the given sounds instead.
    """
    if contents.notes is None or bin_layout(contents.representation) is None:
        return False
    pitches = _pitches(contents, moving)
    return moving.hold or not moving.sources or float(pitches.max() - pitches.min()) > _GLIDE


@torch.no_grad()
def note_to_audio(contents: InstrumentContents, moving: Moving, *, seed: int, pace: Values | None = None) -> tuple[Tensor, Tensor]:
    """Returns the audio `(channels, length)` of a moving note, and its places `(frames,)`. pace: see `levels.course_of`."""
    layout, pitches = bin_layout(contents.representation), _pitches(contents, moving)
    assert layout is not None
    assert contents.notes is not None
    highest = int(pitches.argmax())
    level = at_one_pitch(contents, moving)
    course = course_of(contents, level, seed=seed, pace=pace)
    loudest = float(course.levels.max())
    glide = 100 * (read_smooth(pitches, course.places) - pitches[highest])
    traits = contents.notes.of(level.keys[len(level.keys) // 2].z)
    cents = drawn_cents(traits, layout, frames=len(glide), seed=seed) + glide.numpy()
    audio = render_note(
        course.levels - loudest,
        layout,
        hertz=midi_to_hz(float(pitches[highest])),
        traits=traits,
        length=moving.length,
        seed=seed,
        cents=cents,
    )
    return audio * 10 ** (loudest / 20), course.places


def at_one_pitch(contents: InstrumentContents, moving: Moving) -> Moving:
    """Returns a moving note with all its keys at the highest pitch of its path: their features are those that its oscillators play."""
    highest = int(_pitches(contents, moving).argmax())
    keys = []
    for key in moving.keys:
        z = key.z.clone()
        z[-1] = moving.keys[highest].z[-1]
        keys.append(key._replace(z=z))
    return moving._replace(keys=tuple(keys))


def _pitches(contents: InstrumentContents, moving: Moving) -> Tensor:
    """The MIDI numbers of the keys `(keys,)`."""
    found = [contents.model.conditioning.pitch_of(key.z) for key in moving.keys]
    return torch.tensor([60.0 if pitch is None else pitch for pitch in found], dtype=torch.float64)
