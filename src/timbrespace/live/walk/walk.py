"""Walks that play for ever: latents wander within bounds while patterns, or a Markov chain over a MIDI file, strike the sounds."""

from __future__ import annotations

import heapq
import math
from typing import Any

from timbrespace.contracts import ConfigError
from timbrespace.live.actions import CLOCK_OUT, Action
from timbrespace.live.clock.follower import CONTINUE, PULSE, START, STOP
from timbrespace.live.clock.sending import position, pulses, sends
from timbrespace.live.mapping.targets import WALK_TARGETS
from timbrespace.live.midi.file import MidiFile
from timbrespace.live.walk.bounds import Playable, parse_bounds
from timbrespace.live.walk.chain import Chain
from timbrespace.live.walk.steps import ChainSteps, Step, pattern_steps
from timbrespace.live.walk.wander import Wander

KINDS = ("kits", "notes")
TEMPO = 110.0  # beats a minute
_SLOWEST, _FASTEST = 10.0, 400.0

Timed = tuple[int, Action]  # sample, and what happens there


class Walk:
    """Endless music of one instrument. The same seed, settings and instrument give the same actions at the same samples.

    Latents move between two steps of the rhythm, right after its sounds, so that the next ones can be made before they are struck.
    ahead: see `live.performance.Source`. settings: what `steer` sets. tempo: beats a minute. warnings: what a user should know of the file.
    """

    ahead = 0.06
    settings = tuple(WALK_TARGETS)
    clocked = False

    def __init__(
        self, instrument: Playable, kind: str, *, sample_rate: int, bounds: str | None = None, seed: int = 0, tempo: float | None = None,
        file: MidiFile | None = None, sends_clock: bool = False,
    ):  # fmt: skip
        """kind: "kits" strikes pads, "notes" plays pitches. bounds: see `parse_bounds`. tempo: beats a minute; None: of the file, else 110.

        file: what a Markov chain plays; None: patterns. sends_clock: also the messages of a MIDI clock. Raises ConfigError.
        """
        if kind not in KINDS:
            raise ConfigError(f"--walk is {kind[:40]!r}, allowed are kits and notes")
        if kind == "notes" and not instrument.pitched:
            raise ConfigError("--walk notes needs an instrument of notes, and this one has no pitches; use --walk kits")
        if not 0 <= seed < 2**63:
            raise ConfigError(f"--seed is {seed}, allowed are whole numbers from 0 to 2**63 - 1")
        self.wander = Wander(parse_bounds(bounds, instrument), seed)
        pads = instrument.pads if kind == "kits" and not instrument.pitched else ()
        chain = Chain(file, drums=kind == "kits", seed=seed, pads=pads) if file is not None else None
        self.warnings = chain.warnings if chain is not None else []
        self._steps = ChainSteps(chain, seed) if chain else pattern_steps(instrument, kind, seed)
        self.density, self.tempo = 1.0, TEMPO
        self.steer("tempo", tempo if tempo is not None else min(max(chain.tempo, _SLOWEST), _FASTEST) if chain else TEMPO)
        self._rate = sample_rate
        self._sample = 0.0  # where the next step begins
        self._waiting: list[tuple[int, int, Action]] = []
        self._number = 0
        self._beat = 0.0  # where the next step begins
        self._until = 0  # samples before which all is handed over
        self._playing, self._sends = True, sends_clock
        self._orders = ["start"] if sends_clock else []
        self._begin = self.state()

    def steer(self, name: str, value: float) -> None:
        """Sets the speed or spread of the latents, the density of the rhythm, or the tempo, from the next step on. Raises ConfigError."""
        low, high = (_SLOWEST, _FASTEST) if name == "tempo" else WALK_TARGETS.get(name, (math.nan, math.nan))
        if not low <= value <= high:
            known = ", ".join(f"{one} ({WALK_TARGETS[one][0]:g} to {WALK_TARGETS[one][1]:g})" for one in ("speed", "spread", "density"))
            raise ConfigError(f"walk {name} is {value!r:.20}; settings are {known}, tempo ({_SLOWEST:g} to {_FASTEST:g})")
        if name in ("speed", "spread"):
            setattr(self.wander, name, float(value))
        elif name == "density":
            self.density = float(value)
        else:
            self.tempo = float(value)

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return self._playing

    def takes(self, action: Action) -> bool:
        """Whether a user's action sets what the walk moves: its value then becomes the centre of that walk."""
        return action.name in ("set_latent", "set_axis", "set_control") and self.wander.centre(action)

    def observe(self, sample: int, seconds: float) -> None:
        """Does nothing: a walk has its own tempo."""

    def advance(self, until: int) -> list[Timed]:
        """Returns what happens before a sample, counted from the start, in order of time."""
        out = [timed for order in self._orders for timed in self._ordered(order)]
        self._orders.clear()
        while self._playing and self._sample < until:
            self._step()
        while self._waiting and self._waiting[0][0] < until:
            sample, _, action = heapq.heappop(self._waiting)
            out.append((sample, action))
        self._until = max(self._until, until)
        return out

    def transport(self, what: str) -> None:
        """Carries out "start" (from the first step), "stop" (also what sounds) or "continue", after the events handed over already."""
        self._orders.append(what)

    def _ordered(self, what: str) -> list[Timed]:
        """Starts or stops, and tells so to those that follow its clock."""
        out: list[Timed] = []
        if what == "continue" and self._playing:
            return out
        if self._playing and self._until:
            self._waiting.clear()
            out += [(self._until, Action("all_sound_off")), (self._until, sends(STOP))]
        self._playing = what != "stop"
        if what == "start":
            self.restore(self._begin)
            self._beat = 0.0
            out.append((self._until, sends(START)))
        elif what == "continue":
            out += [(self._until, position(self._beat)), (self._until, sends(CONTINUE))]
        self._sample = float(self._until)
        return out if self._sends else [one for one in out if one[1].name != CLOCK_OUT]

    def step(self) -> Step:
        """Returns the next step in beats: its sounds, and then the values of the latents."""
        length, struck = self._steps.next(self.density)
        self.wander.advance(length)
        return length, [*struck, *((0.0, action) for action in self.wander.actions())]

    def state(self) -> Any:
        """Returns where the walk is, for `restore`."""
        return self._steps.state(), self.wander.place

    def restore(self, state: Any) -> None:
        """Goes back to where `state` was called; what was steered stays."""
        steps, self.wander.place = state
        self._steps.restore(steps)

    def _step(self) -> None:
        length, actions = self.step()
        beats = 60 / self.tempo * self._rate  # samples of a beat
        for offset, action in actions:
            self._put(self._sample + offset * beats, action)
        for beat in pulses(self._beat, self._beat + length) if self._sends else ():
            self._put(self._sample + (beat - self._beat) * beats, sends(PULSE))
        self._sample += length * beats
        self._beat += length

    def _put(self, sample: float, action: Action) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (round(sample), self._number, action))
