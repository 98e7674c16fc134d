"""Moving notes: their partials by oscillators, whose pitch glides from note to note.

    keys  ->  levels of partials by number (`cells`)  ->  blended along the path  ->  oscillators
                                 pitch: from the first note to the last, even in time ---´

Without this a glide would be a cross-fade between neighbouring pitches, and a held note would beat: a phase search knows no pitch.
Of recipes of before, all keys are moved to the highest pitch of the path, and the pitch goes at the speed of the timbre.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio.pitch import midi_to_hz
from timbrespace.representation.stereo import to_mid_side
from timbrespace.synthesis.detail.timing import Timing, positions, read_smooth
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.harmonic.note import bin_layout
from timbrespace.synthesis.harmonic.render import Near, drawn_cents, render_note, render_parts
from timbrespace.synthesis.moving.ends import FADE_SECONDS, own_start
from timbrespace.synthesis.moving.evenness import Values
from timbrespace.synthesis.moving.levels import Course, course_of
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
def note_to_audio(contents: InstrumentContents, moving: Moving, *, seed: int) -> Tensor:
    """Returns the audio `(channels, length)` of a moving note."""
    course = course_of(contents, moving, seed=seed, by_partials=True)
    notes = course.notes
    assert notes is not None
    frames = course.levels.shape[-1]
    time = torch.arange(frames, dtype=torch.float64)
    share = course.places / (len(moving.keys) - 1)
    if moving.between_two:
        share = ((time - course.start) / max(course.end - course.start, 1)).clamp(0, 1)
    pitch = read_smooth(notes.pitches, share * (len(moving.keys) - 1))
    cents, flutter = _modulation(contents, moving, course, share, seed=seed)
    hertz = midi_to_hz(1.0) * 2 ** ((pitch.numpy() - 1 + cents / 100) / 12)
    lowest = float(hertz.min())
    parts = notes.parts(course.levels, hertz)
    parts = [part._replace(places=part.places * lowest) for part in parts]
    glide = np.asarray(1200 * np.log2(hertz / lowest))
    near = _near(contents, moving)
    return render_parts(parts, notes.layout, hertz=lowest, cents=glide, flutter=flutter, length=moving.length, seed=seed, near=near)


def _near(contents: InstrumentContents, moving: Moving) -> Near | None:
    """The first sound, and the middle of the fade that leads from its samples to the oscillators; None where it is none."""
    first = moving.first
    if first is None or not (count := own_start(contents, first, moving.length)):
        return None
    own = first.given.audio[:, first.lead.shape[1] :]
    at = max(0, count - round(FADE_SECONDS / 2 * contents.sample_rate))
    return Near(to_mid_side(own).double().numpy(), at)


def _modulation(contents: InstrumentContents, moving: Moving, course: Course, share: Tensor, *, seed: int) -> tuple[Values, Values]:
    """The course of the pitch about its glide in cents, and the strength of drawn flutter in dB, `(frames,)` each.

    Between two notes that take their course it is that of both; their levels flutter by themselves. share: of the way, `(frames,)`.
    """
    assert course.notes is not None
    frames = len(share)
    details = [None if source is None else source.detail for source in (moving.first, moving.last)]
    if moving.between_two and not moving.hold:
        courses = []
        for detail in details:
            if detail is None or detail.note is None:
                break
            timing = detail.timing
            read = positions(timing, Timing(frames, min(timing.attack, frames - 1), timing.held)).numpy()
            courses.append(np.interp(read, np.arange(len(detail.note.cents)), detail.note.cents))
        if len(courses) == len(details):
            return np.asarray(courses[0] + (courses[1] - courses[0]) * share.numpy()), np.zeros(frames)
    traits = [note.traits for note in course.notes.notes]
    at = share * (len(traits) - 1)
    wander, flutter = (
        read_smooth(torch.tensor(values, dtype=torch.float64), at).numpy()
        for values in ([one.wander for one in traits], [one.flutter for one in traits])
    )
    steady = traits[len(traits) // 2]._replace(wander=1.0)
    return drawn_cents(steady, course.notes.layout, frames=frames, seed=seed) * wander, np.asarray(flutter)


@torch.no_grad()
def earlier_note_to_audio(contents: InstrumentContents, moving: Moving, *, seed: int, pace: Values | None = None) -> tuple[Tensor, Tensor]:
    """Returns the audio `(channels, length)` of a moving note of an earlier recipe, and its places `(frames,)`. pace: see `levels`."""
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
