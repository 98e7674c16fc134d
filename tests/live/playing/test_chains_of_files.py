"""Markov chains over files of users: notes without pads, notes twice at once, files of no drums."""

from __future__ import annotations

import pytest

from timbrespace.contracts import ConfigError
from timbrespace.live.midi.file import MidiFile, Timed
from timbrespace.live.walk.bounds import Playable
from timbrespace.live.walk.chain import Chain
from timbrespace.live.walk.walk import Walk

PADS = (36, 38, 42, 46)


def song(*notes: tuple[float, int, int], channel: int = 9) -> MidiFile:
    """A file of notes: beat, pitch, velocity; each a quarter of a beat."""
    events = [(beat, bytes((0x90 | channel, note, velocity))) for beat, note, velocity in notes]
    events += [(beat + 0.25, bytes((0x80 | channel, note, 0))) for beat, note, _ in notes]
    events.sort(key=lambda event: (event[0], event[1][0] & 0x10))
    return MidiFile(tuple(Timed(beat / 2, beat, message) for beat, message in events), 4.0, 8.0)


def test_drums_without_a_pad_are_left_out_and_named() -> None:
    file = song((0, 36, 90), (0, 54, 90), (1, 40, 90), (2, 70, 90))
    chain = Chain(file, drums=True, seed=1, pads=PADS)
    assert [[played.note for played in state.notes] for state in chain.states] == [[36], [40], []]  # 40 is a snare too
    assert [state.gap for state in chain.states] == [1.0, 1.0, 6.0]  # the rhythm stays
    assert chain.warnings == ["drums of the MIDI file without a pad are left out: 54, 70"]
    with pytest.raises(ConfigError, match="no drum of the MIDI file has a pad in this instrument: its notes are 54, 70, the pads 36 to 46"):
        Chain(song((0, 54, 90), (1, 70, 90)), drums=True, seed=1, pads=PADS)


def test_a_melody_is_dealt_out_to_pads() -> None:
    chain = Chain(song(*[(beat, 72 + beat, 80) for beat in range(8)], channel=0), drums=True, seed=1, pads=PADS)
    assert [played.note for state in chain.states for played in state.notes] == [36, 38, 42, 46] * 2
    assert chain.warnings == ["the MIDI file has no drums; its notes without a pad are dealt out to the 4 pads"]
    instrument = Playable(PADS, False, 0, 0, 4, 8, {})
    walk = Walk(instrument, "kits", sample_rate=48_000, file=song((0, 100, 90), channel=3))
    assert {action.values[0] for _, action in walk.advance(480_000) if action.name == "note_on"} == {36}
    assert len(walk.warnings) == 1


def test_a_note_twice_at_once_is_one_note() -> None:
    chain = Chain(song(*[(0, 36, 20 + number) for number in range(60)], (1, 38, 90)), drums=True, seed=1)
    assert [[(played.note, played.velocity) for played in state.notes] for state in chain.states] == [[(36, 79)], [(38, 90)]]
