"""Hours of playing by workers, as when a device plays, but as fast as they can: memory, answered events, lost decodes."""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lib.page import table
from lib.process import anonymous_mb, say
from timbrespace.live import Engine
from timbrespace.live.actions import Action
from timbrespace.live.conductor import Conductor
from timbrespace.live.osc.addresses import Addresses
from timbrespace.live.osc.packets import read_packet
from timbrespace.live.sound.pads import pad_at

RATE, BLOCK = 48_000, 1024
EVERY = 1800.0  # s of playing between two rows
LONGEST_GAP = 60_000  # samples between two events: 1.6 a second
MOST_LATE = 8  # sounds that may be waited for: playing is faster than real time here, and goes on when the workers are this near
LONGEST_NOTE = 12  # events until a key is let go


class Player:
    """Random playing of several instruments by MIDI messages and OSC packets. answered: what the engine did, by name of its method."""

    def __init__(self, engine: Engine, *, seed: int):
        self.engine, self.answered, self.refused = engine, Counter[str](), list[str]()
        self.asked = self.sounds = self.held = 0
        self._conductor = Conductor(engine, say=self.refused.append, done=[self._done])
        self._addresses = Addresses(self._conductor.midi_actions)
        self._rng = np.random.default_rng(seed)
        self._down: list[tuple[int, int, int]] = []  # number of the event that lets a key go, channel, note
        self._number = 0
        self.started = Counter[bool]()
        start: Any = engine._start

        def counted(slot: int | None, *arguments: Any) -> None:
            self.started[slot is not None] += 1
            start(slot, *arguments)

        engine._start = counted  # type: ignore[method-assign,assignment]

    def event(self) -> int:
        """Sends one event, and lets keys go whose time has come. Returns samples until the next one."""
        rng, self._number = self._rng, self._number + 1
        for down in [one for one in self._down if one[0] <= self._number]:
            self._down.remove(down)
            self._midi(0x80 | down[1], down[2], 0)
        kind, channel = int(rng.integers(24)), int(rng.integers(len(self.engine.sounds.sources)))
        note, velocity = int(rng.integers(35, 82)), int(rng.integers(1, 128))
        if kind < 14:
            self._midi(0x90 | channel, note, velocity)
            self._down.append((self._number + int(rng.integers(1, LONGEST_NOTE)), channel, note))
        elif kind < 17:
            self._osc("/pad/" + str(int(rng.integers(1, 17))), float(velocity))
        elif kind < 19:
            self._osc(f"/axis/{int(rng.integers(1, 4))}", round(float(rng.uniform(-1.5, 1.5)), 1))
        elif kind == 19:
            self._midi(0xE0 | channel, 0, int(rng.integers(128)))
        elif kind == 20:
            self._midi(0xB0 | channel, 64, int(rng.integers(2)) * 127)
        elif kind == 21:
            self._osc("/map", round(float(rng.uniform()), 1), round(float(rng.uniform()), 1))
        elif kind == 22:
            self._osc("/gain", float(rng.uniform(0.5, 1.0)))
        else:
            self._midi(0xC0 | channel, channel)
            if rng.uniform() < 0.1:
                self._osc("/allsoundoff")
        self._conductor.step()
        return int(rng.integers(1, LONGEST_GAP))

    def end(self) -> None:
        """Lets all go."""
        self._osc("/allnotesoff")
        self._conductor.step()

    def _midi(self, *message: int) -> None:
        self._put(self._conductor.midi_actions(bytes(message)))

    def _osc(self, address: str, *values: float) -> None:
        data = _text(address) + _text("," + "f" * len(values)) + struct.pack(f">{len(values)}f", *values)
        for one in read_packet(data):
            self._put(self._addresses.actions(one.address, one.values))

    def _put(self, actions: Sequence[Action]) -> None:
        self.asked += len(actions)
        self._conductor.put(actions)

    def _done(self, action: Action) -> None:
        self.answered[action.name] += 1
        engine = self.engine
        if action.name not in ("note_on", "pad"):
            return
        source = engine.sounds.sources[engine.sounds.program(action.channel or 0)]
        if source.held:  # a pad only chooses its sound
            self.held += action.name == "note_on"
        else:  # a note outside a kit has no pad
            self.sounds += action.name == "pad" or source.notes or pad_at(source.pads, round(action.values[0])) is not None


def _text(text: str) -> bytes:
    return text.encode() + bytes(4 - len(text) % 4)


def hours_part(instruments: Sequence[Path], *, hours: float) -> str:
    """The table of memory, and the counts of events, for instruments that are the programs of an engine."""
    rows, done, used = [], 0, time.process_time()
    with Engine(*instruments, sample_rate=RATE, humanise=0.2) as engine:
        player = Player(engine, seed=3)
        for channel in range(len(instruments)):
            engine.program(channel, channel=channel)
        engine.go_live(workers=1)
        engine.settle(120.0)
        begun = time.process_time() - used

        def row() -> None:
            state = engine.state()
            rows.append([
                f"{done / RATE / 3600:.1f}", f"{anonymous_mb():.0f}", f"{engine._bank._bytes / 1e6:.0f}", f"{player.asked:,}",
                f"{player.started[True]:,}", f"{state.late:,}", f"{player.started[False] + state.dropped}",
            ])  # fmt: skip
            say(" ".join(rows[-1]))

        row()
        following = EVERY * RATE
        while done < hours * 3600 * RATE:
            gap = player.event()
            for first in range(0, gap, BLOCK):
                engine.render(min(BLOCK, gap - first))
            _keep_up(engine)
            done += gap
            if done >= following:
                following += EVERY * RATE
                row()
        player.end()
        engine.settle(120.0)
        for _ in range(2000):
            engine.render(BLOCK)
        state, waiting = engine.state(), engine.mixer.collect()
    merged = player._conductor.inbox.merged
    load = (time.process_time() - used - begun) / (hours * 3600)
    counts = [
        ["events asked; carried out; refused", f"{player.asked:,}; {player.answered.total() + merged:,}; {len(player.refused)}"],
        ["one-shots asked; played; lost", f"{player.sounds:,}; {player.started[True]:,}; {player.sounds - player.started[True]}"],
        ["of these made after their note, and played late", f"{state.late:,}"],
        ["held notes", f"{player.held:,}"],
        ["voices, and bytes of sounds that still wait, 20 s after the end", f"{state.voices}, {waiting}"],
        ["processor time with decoding, over the time of the sound", f"{100 * load:.1f} %"],
    ]
    heads = ["hours", "memory of the process (MB)", "of these sounds (MB)", "events", "one-shots", "late", "lost"]
    return "\n\n".join([table(heads, rows), table(["", ""], counts)])


def _keep_up(engine: Engine) -> None:
    """Waits while more than a few sounds that notes wait for are not made yet."""
    while sum(bool(job.then) for job in list(engine._bank._jobs.values())) > MOST_LATE:
        time.sleep(0.001)
