"""A MIDI file in time with a device: it can be started, stopped and continued."""

from __future__ import annotations

import heapq
import math

from timbrespace.contracts import ConfigError
from timbrespace.live.actions import Action
from timbrespace.live.clock.follower import STOP
from timbrespace.live.clock.sending import SentPulses, sends
from timbrespace.live.conductor import Conductor
from timbrespace.live.midi.file import MidiFile
from timbrespace.live.midi.receiver import CONTROLLER
from timbrespace.live.performance import EARLY

Timed = tuple[int, Action]  # sample, and what happens there
_RESET = 121  # controller: bend, pressure, timbre and pedal as at the start


class MidiFileSource:
    """Plays a MIDI file once, by the mapping where that names a message; again after "start". samples: its length.

    ahead: see `live.performance.Source`. settings, clocked: see `live.conductor.Steered`.
    """

    ahead = EARLY
    settings: tuple[str, ...] = ()
    clocked = False

    def __init__(self, file: MidiFile, conductor: Conductor, *, sample_rate: int, sends_clock: bool = False):
        """sends_clock: also the messages of a MIDI clock."""
        self._sent = SentPulses(lambda beat: file.seconds_of(beat) * sample_rate, file.beats if sends_clock else 0.0)
        self._file, self._conductor, self._rate, self._sends = file, conductor, sample_rate, sends_clock
        self._channels = sorted({timed.message[0] & 0x0F for timed in file.messages if timed.message[0] < 0xF0})
        self._next = 0
        self._begin, self._until = 0, 0  # sample of its beginning, as it plays now; samples before which all is handed over
        self._stopped: int | None = None  # sample of the file
        self._orders: list[str] = []
        self.samples = math.ceil(file.seconds * sample_rate)

    @property
    def end(self) -> int | None:
        """The sample, counted from the start, at which it has been played to its end; None while it is stopped."""
        return None if self._stopped is not None else self._begin + self.samples

    @property
    def playing(self) -> bool:
        """Whether it plays: it is not stopped, and not at its end."""
        return self._stopped is None and self._place <= self.samples

    @property
    def tempo(self) -> float:
        """Beats a minute, to a hundredth, of the tempo map where it plays."""
        return round(self._file.tempo_at(self._place / self._rate), 2)

    def observe(self, sample: int, seconds: float) -> None:
        """See `live.performance.Source`; a file has its own tempo."""

    def steer(self, name: str, value: float) -> None:
        """Raises ConfigError: nothing of a file can be set."""
        raise ConfigError(f"a MIDI file has no {name} that could be set; it can be started, stopped and continued; --walk has settings")

    def takes(self, action: Action) -> bool:
        """See `Walk.takes`: a file moves nothing of itself."""
        return False

    def transport(self, what: str) -> None:
        """Carries out "start" (from the beginning), "stop" (also what sounds) or "continue", after the events handed over already."""
        self._orders.append(what)

    def advance(self, until: int) -> list[Timed]:
        """See `live.performance.Source`."""
        out = [timed for order in self._orders for timed in self._ordered(order)]
        self._orders.clear()
        self._until = max(self._until, until)
        if self._stopped is not None:
            return out
        played: list[Timed] = []
        begin, messages = self._begin, self._file.messages
        while self._next < len(messages) and (sample := begin + round(messages[self._next].seconds * self._rate)) < until:
            played += [(sample, action) for action in self._conductor.midi_actions(messages[self._next].message)]
            self._next += 1
        sent = [(begin + sample, action) for sample, action in self._sent.advance(until - begin)]
        return [*out, *heapq.merge(played, sent, key=lambda timed: timed[0])]

    @property
    def _place(self) -> int:
        """The sample of the file before which all is handed over."""
        return self._until - self._begin if self._stopped is None else self._stopped

    def _ordered(self, what: str) -> list[Timed]:
        """Starts or stops, and tells so to those that follow its clock."""
        now = self._until
        if what == "continue":
            if self._stopped is None:
                return []
            self._begin, self._stopped = now - self._stopped, None
            return [(now, action) for action in self._sent.go_on()]
        out = []
        if now and self._stopped is None:
            out += [(now, Action("all_sound_off")), *([(now, sends(STOP))] if self._sends else [])]
        if what == "start":
            self._begin, self._stopped, self._next = now, None, 0
            self._sent.begin()
            resets = [bytes((CONTROLLER | channel, _RESET, 0)) for channel in self._channels] if now else []
            out += [(now, action) for message in resets for action in self._conductor.midi_actions(message)]
        elif self.playing:
            self._stopped = self._place
        return out
