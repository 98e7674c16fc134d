"""A Markov chain over the notes of a MIDI file, which goes on for ever.

A state is what begins at one time: its notes, and the beats to the next. The chain chooses what follows the last two states in the file;
where only one continuation is known, what follows the last state; so that every step from one state to the next is in the file, and
pieces are recombined wherever the file repeats itself. The end of the file is followed by its beginning.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from timbrespace.contracts import ConfigError
from timbrespace.live.midi.file import MidiFile
from timbrespace.noise import Noise, Purpose

_TOGETHER = 1 / 12  # beats within which notes begin together
_GRID = 12  # parts of a beat in which the times of states are compared
_LONGEST_REST = 8.0  # beats; longer ones are cut
DRUMS = 9  # the MIDI channel of drums, from 0
_MOST = 50_000  # notes


@dataclass(frozen=True)
class Played:
    """A note. length: beats."""

    note: int
    velocity: int
    length: float


@dataclass(frozen=True)
class State:
    """Notes that begin together, and beats until the next ones do."""

    notes: tuple[Played, ...]
    gap: float

    @property
    def name(self) -> tuple[tuple[int, ...], int]:
        """What is compared: pitches, and the gap on a grid."""
        return tuple(sorted(played.note for played in self.notes)), round(self.gap * _GRID)


class Chain:
    """Endless states of a file. tempo: its mean, beats a minute. place: how many were chosen, and the last one."""

    def __init__(self, file: MidiFile, *, drums: bool, seed: int):
        """drums: the drum channel alone, where the file has one; else all but that. seed: of the choices. Raises ConfigError."""
        self.states = states_of(file, drums=drums)
        if not self.states:
            raise ConfigError("the MIDI file has no notes for this walk; give one with notes")
        self.tempo = 60 * file.beats / file.seconds if file.seconds > 0 and file.beats > 0 else 120.0
        self._seed, self.place = seed, (0, len(self.states) - 1)
        self._after: dict[object, list[int]] = defaultdict(list)
        names = [state.name for state in self.states]
        self._numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        self._names = [self._numbers[name] for name in names]
        count = len(names)
        for index in range(count):
            one, two = self._names[(index - 1) % count], self._names[(index - 2) % count]
            self._after[one].append(index)
            self._after[two, one].append(index)

    def next(self) -> State:
        """Returns the next state."""
        number, at = self.place
        one, two = self._names[at], self._names[at - 1]
        choices = self._after[two, one]
        if len({self._names[index] for index in choices}) < 2:
            choices = self._after[one]
        draw = float(Noise(self._seed, Purpose.LIVE, 2, number).uniform(1)[0])
        at = choices[int(draw * len(choices))]
        self.place = (number + 1, at)
        return self.states[at]


def states_of(file: MidiFile, *, drums: bool) -> list[State]:
    """Returns the states of a file in order."""
    notes = _notes(file)
    of_drums = [timed for timed in notes if timed[2] == DRUMS]
    others = [timed for timed in notes if timed[2] != DRUMS]
    chosen = (of_drums or others) if drums else (others or of_drums)
    groups: list[tuple[float, list[Played]]] = []
    for beat, played, _ in chosen[:_MOST]:
        if groups and beat - groups[-1][0] <= _TOGETHER:
            groups[-1][1].append(played)
        else:
            groups.append((beat, [played]))
    states = []
    for index, (beat, together) in enumerate(groups):
        # The last state is followed by the first one after the rest of the file, at least a sixteenth.
        gap = groups[index + 1][0] - beat if index + 1 < len(groups) else max(file.beats - beat, 0.25)
        states.append(State(tuple(together), min(max(gap, 1 / _GRID), _LONGEST_REST)))
    return states


def _notes(file: MidiFile) -> list[tuple[float, Played, int]]:
    """Beat, note and channel of each note, in order of time."""
    sounding: dict[tuple[int, int], list[tuple[float, int]]] = defaultdict(list)
    notes: list[tuple[float, Played, int]] = []
    for _, beat, message in file.messages:
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind == 0x90 and message[2] > 0:
            sounding[channel, message[1]].append((beat, message[2]))
        elif kind in (0x80, 0x90) and sounding[channel, message[1]]:
            start, velocity = sounding[channel, message[1]].pop(0)
            notes.append((start, Played(message[1], velocity, max(beat - start, 1 / 24)), channel))
    return sorted(notes, key=lambda timed: (timed[0], timed[2], timed[1].note))
