"""Moving notes: the pitch glides evenly, partials are those of the given notes at both ends, the level is between theirs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from timbrespace.audio.pitch import midi_to_hz
from timbrespace.instrument import Instrument
from timbrespace.synthesis.moving import plan
from timbrespace.synthesis.moving.evenness import BLOCKS, projected
from timbrespace.synthesis.moving.levels import _held_notes, course_of
from tiny import RATE

LOW, HIGH = 57, 64


def played(pitch: float, *, seconds: float = 1.0, decay: float = 1.0, tilt: float = 1.0) -> torch.Tensor:
    """A note with partials of amplitude k ** -tilt, `(1, time)`. decay: 1/s."""
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    turns = midi_to_hz(pitch) * time
    wave = sum(torch.sin(2 * math.pi * k * turns + k) / k**tilt for k in range(1, 11))
    assert isinstance(wave, torch.Tensor)
    fade = torch.minimum((time / 0.005).clamp_max(1), ((seconds - time) / 0.1).clamp_max(1))
    return (0.2 * wave * fade * torch.exp(-decay * time)).float()[None]


def _no_cells() -> Any:
    """In place of the cells of keys, of which a path at even times needs none."""
    return None


def pitch_at(audio: torch.Tensor, seconds: float) -> float:
    """MIDI number about a time, by the phase of the fundamental, which is searched for between both notes."""
    size = round(0.06 * RATE)
    middle = round(seconds * RATE)
    part = audio[0, middle - size : middle + size].double() * torch.hann_window(2 * size, dtype=torch.float64)
    spectrum = torch.fft.rfft(part, 1 << 17).abs()
    bins = torch.arange(len(spectrum)) * (RATE / (1 << 17))
    spectrum[(bins < midi_to_hz(LOW - 1)) | (bins > midi_to_hz(HIGH + 1))] = 0
    return 69 + 12 * math.log2(float(bins[spectrum.argmax()]) / 440)


@pytest.mark.parametrize("seconds", [None, 1.5])
def test_the_pitch_glides_evenly(seconds: float | None, notes: Instrument) -> None:
    move = notes.moves.line([played(LOW), played(HIGH, tilt=2)])
    moving = move.one_request(seconds).moving
    assert moving is not None
    course = course_of(notes.contents, moving, seed=move.seed, by_partials=True)
    start, end = (frame * notes.contents.representation.hop / RATE for frame in (course.start, course.end))
    audio = move.as_one(seconds).audio
    for at in np.linspace(start + 0.08, min(end, audio.shape[1] / RATE) - 0.12, 8):
        assert pitch_at(audio, at) == pytest.approx(LOW + (HIGH - LOW) * (at - start) / (end - start), abs=0.2)


def test_partials_at_the_ends_are_those_of_the_notes(notes: Instrument) -> None:
    """By their number, at each note's own pitch."""
    move = notes.moves.line([played(LOW, tilt=1), played(HIGH, tilt=2)])
    moving = move.one_request().moving
    assert moving is not None
    course = course_of(notes.contents, moving, seed=move.seed, by_partials=True)
    numbers = torch.arange(1, 7)
    for frames, tilt in ((slice(course.start, course.start + 4), 1), (slice(course.end, course.end + 4), 2)):
        levels = course.levels[0, :6, frames].mean(1)
        assert torch.allclose(levels - levels[0], -20 * tilt * torch.log10(numbers), atol=2.0)


def test_the_level_is_between_those_of_the_notes(notes: Instrument) -> None:
    """Of a note that lasts and one that dies away: nothing swells, nothing ends in full swing."""
    lasting, dying = played(LOW, decay=0), played(LOW + 3, decay=6)

    def level(audio: torch.Tensor, at: float) -> float:
        return float(10 * torch.log10(audio[0, round(at * RATE) : round((at + 0.05) * RATE)].square().mean() + 1e-12))

    audio = notes.moves.line([dying, lasting]).as_one().audio
    for at in np.arange(0.05, 0.85, 0.1):
        low, high = sorted((level(dying, at), level(lasting, at)))
        assert low - 2 < level(audio, at) < high + 2


def test_the_join_of_the_first_note_keeps_its_phase(notes: Instrument) -> None:
    """The oscillators take over where the samples of the note end: no dip."""
    first = played(LOW, decay=0)
    audio = notes.moves.line([first, played(HIGH, decay=0)]).as_one().audio
    inside = slice(round(0.015 * RATE), round(0.06 * RATE))
    apart = audio[0, inside] - first[0, inside]
    assert float(apart.norm() / first[0, inside].norm()) < 0.3


def test_recipes_of_before_the_partials_give_their_sounds(notes: Instrument) -> None:
    given = [played(LOW), played(HIGH)]
    move = notes.moves.line(given, seed=3)
    one, moving = move.as_one(), move.one_request().moving
    assert moving is not None
    assert torch.equal(notes.replay(one.recipe, sources=given).audio, one.audio)
    before = plan.to_text(notes.contents, moving)
    del before["by_partials"]
    old = torch.as_tensor(notes.replay({**one.recipe, "moving": before}, sources=given).audio)
    assert old.shape == one.audio.shape
    assert not torch.equal(old, one.audio)


def test_places_that_do_not_rise_with_the_key_are_found() -> None:
    """Keys that stay, go back and jump: all blocks make equal steps."""
    ends = torch.stack([torch.zeros(20, 64), torch.full((20, 64), 10.0)])
    shares = torch.tensor([0.0, 0.5, 0.5, 0.45, 0.5, 0.9, 1.0])
    levels = torch.stack([torch.lerp(ends[0], ends[1], share) for share in shares.tolist()])[:, None]
    places = projected(levels, start=0, end=64, weights=torch.ones(20))
    first = places.floor().long().clamp_max(5)
    values = torch.lerp(shares[first], shares[first + 1], (places - first).float())
    steps = torch.stack([part.mean() for part in values.tensor_split(BLOCKS)]).diff()
    assert float(steps.max()) < 1.1 * float(steps.mean())


@pytest.mark.parametrize(("frames", "some"), [(200, 200), (1_000, 37)])
def test_a_long_held_note_is_read_between_some_of_its_frames(frames: int, some: int, notes: Instrument) -> None:
    """Cells that are straight in time, and keys of equal steps: exact at every frame."""
    moving = notes.moves.line([played(LOW), played(HIGH)]).one_request().moving
    assert moving is not None
    at, keys = torch.linspace(0, 1, some), torch.arange(5.0)
    cells = (10 * keys[:, None, None, None] - 30 * at).expand(5, 1, 3, some)
    places, held = _held_notes(moving._replace(even=False), _no_cells(), cells, frames=frames, first=frames // 10, last=frames // 2)
    time = torch.arange(frames)
    share = ((time - frames // 10) / (frames // 2 - frames // 10)).clamp(0, 1)
    assert torch.allclose(places.float(), 4 * share, atol=1e-4)
    assert torch.allclose(held, (40 * share - 30 * time / (frames - 1)).expand(1, 3, frames), atol=1e-3)
