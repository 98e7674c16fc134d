"""A Markov chain over the notes of a MIDI file, which goes on for ever.

A state is what begins at one time: its notes, and the beats to the next. The chain chooses what follows the last two states in the file;
where only one continuation is known, what follows the last state; so that every step from one state to the next is in the file, and
pieces are recombined wherever the file repeats itself. The end of the file is followed by its beginning.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from timbrespace.contracts import ConfigError
from timbrespace.live.midi.file import MidiFile
from timbrespace.live.sound.pads import note_at
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
        """Pitches, and the gap on a grid, by which states are compared."""
        return tuple(sorted(played.note for played in self.notes)), round(self.gap * _GRID)


class Chain:
    """Endless states of a file.

    tempo: its mean, beats a minute. place: how many were chosen, and the last one. warnings: what a user should know of the file.
    """

    def __init__(self, file: MidiFile, *, drums: bool, seed: int, pads: Sequence[int] = ()):
        """drums: the drum channel alone, where the file has one; else all but that. seed: of the choices.

        pads: notes of the pads that play the drums; notes without one are left out, those of other channels are dealt out to the pads.
        Raises ConfigError.
        """
        self.states = states_of(file, drums=drums)
        self.warnings: list[str] = []
        if file.notes > _MOST:
            self.warnings.append(f"the MIDI file has {file.notes:,} notes; the first {_MOST:,} of them are used")
        if pads and self.states:
            self.states = self._on_pads(self.states, pads, has_drums(file))
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

    def _on_pads(self, states: list[State], pads: Sequence[int], drums: bool) -> list[State]:
        """The states with notes that have pads. Raises ConfigError where none has."""
        used = {played.note for state in states for played in state.notes}
        lacking = sorted(note for note in used if note_at(pads, note) is None)
        if not lacking:
            return states
        if drums:
            names = ", ".join(map(str, lacking[:8])) + (" …" if len(lacking) > 8 else "")
            if len(lacking) == len(used):
                raise ConfigError(
                    f"no drum of the MIDI file has a pad in this instrument: its notes are {names}, the pads {min(pads)} to {max(pads)}"
                )
            self.warnings.append(f"drums of the MIDI file without a pad are left out: {names}")
            return [dataclasses.replace(one, notes=tuple(p for p in one.notes if p.note not in lacking)) for one in states]
        self.warnings.append(f"the MIDI file has no drums; its notes without a pad are dealt out to the {len(pads)} pads")
        places = {note: pads[place % len(pads)] for place, note in enumerate(lacking)}
        moved = [
            dataclasses.replace(one, notes=tuple(dataclasses.replace(p, note=places.get(p.note, p.note)) for p in one.notes))
            for one in states
        ]
        return [dataclasses.replace(one, notes=_once(one.notes)) for one in moved]

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
        states.append(State(_once(together), min(max(gap, 1 / _GRID), _LONGEST_REST)))
    return states


def has_drums(file: MidiFile) -> bool:
    """Whether notes are on the drum channel."""
    return any(timed.message[0] == 0x90 | DRUMS and timed.message[2] > 0 for timed in file.messages)


def _once(notes: Iterable[Played]) -> tuple[Played, ...]:
    """The notes that begin together; of the same pitch the loudest and longest: two would only be louder than both."""
    found: dict[int, Played] = {}
    for played in notes:
        other = found.get(played.note, played)
        found[played.note] = Played(played.note, max(played.velocity, other.velocity), max(played.length, other.length))
    return tuple(found.values())


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
