"""What must not grow while an engine plays for hours: memory of sounds, counts of hits, keys; and threads that must not end."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.live import Engine
from timbrespace.live.keys import HeldKeys
from timbrespace.live.state import SoundKey
from timbrespace.native.blocks import ALIGNMENT, Blocks
from timbrespace.native.library import load_core


class Memory:
    """A memory that grows, and which of its bytes are taken."""

    def __init__(self, start: int):
        self.end, self.taken = start, np.zeros(0, bool)

    def reach(self, end: int) -> None:
        assert end > self.end
        self.end, self.taken = end, np.concatenate([self.taken, np.zeros(end - len(self.taken), bool)])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 200), st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 99)), max_size=80))
def test_parts_of_a_memory_never_overlap_and_join_again(start: int, steps: list[tuple[int, int]]) -> None:
    memory = Memory(start)
    blocks, used = Blocks(start, memory.reach), dict[int, int]()
    for size, choice in steps:
        if choice < 40 and used:
            place = sorted(used)[choice % len(used)]
            memory.taken[place : place + used.pop(place)] = False
            blocks.give(place)
            continue
        place, room = blocks.take(size)
        assert room >= size
        assert place % ALIGNMENT == room % ALIGNMENT == 0
        assert place >= start
        assert place + room <= memory.end
        assert not memory.taken[place : place + room].any()
        memory.taken[place : place + room] = True
        used[place] = room
    assert blocks.free == np.count_nonzero(~memory.taken[-(-start // ALIGNMENT) * ALIGNMENT :])
    for place in used:
        blocks.give(place)
    if memory.end > start:  # all in one part: a request of that size makes nothing grow
        assert blocks.take(blocks.free)[1] == memory.end - -(-start // ALIGNMENT) * ALIGNMENT


def test_sounds_of_changing_lengths_need_little_more_than_their_own_memory() -> None:
    memory = Memory(0)
    memory.reach = lambda end: setattr(memory, "end", end)  # type: ignore[method-assign]
    rng, blocks, used, total, most = np.random.default_rng(0), Blocks(0, memory.reach), list[tuple[int, int]](), 0, 0
    for step in range(6_000):
        longest = 900_000 if step < 3_000 else 200_000  # such as after a change of the decay
        while total > 2**26:
            place, room = used.pop(int(rng.integers(min(len(used), 20))))
            blocks.give(place)
            total -= room
        used.append(blocks.take(int(rng.integers(20_000, longest))))
        total += used[-1][1]
        most = max(most, total)
    assert memory.end < 1.2 * most


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resident memory is read from /proc")
def test_memory_of_a_sound_goes_back_to_the_system_at_once() -> None:
    core = load_core()
    if core.way != "native":
        pytest.skip("WebAssembly never gives memory back; it uses it again")
    space, size = core.space(), 300_000
    ones = np.ones(size, np.uint8)
    places = [space.take(size) for _ in range(200)]
    for place in places:
        space.write(place, ones.ctypes.data, size)
    full = _resident()
    for place in places[::2]:  # each beside one that stays
        space.give(place)
    assert full - _resident() > 0.95 * 100 * size
    for place in places[1::2]:
        space.give(place)


def _resident() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def test_a_worker_that_meets_a_fault_makes_the_next_sound(drums_file: Path) -> None:
    with Engine(drums_file) as engine:
        make = engine._bank._make

        def faulty(key: SoundKey) -> np.ndarray:
            if key.pad == 1:
                raise ZeroDivisionError("of a test")
            return make(key)

        engine._bank._make = faulty
        engine.go_live(workers=1)
        for pad in (1, 0, 1, 2):
            engine.pad(pad)
        assert engine.settle(60)
        engine.render(64)
        state = engine.state()
        assert state.voices == 2
        assert state.dropped >= 1
        assert "of a test" in " ".join(state.last)


def test_frequencies_without_end_do_not_fill_memory(notes_file: Path) -> None:
    with Engine(notes_file) as engine:
        key = engine.sounds.key
        for step in range(6_000):
            key(0, 0, 100.0, 0, pitch=45 + step / 200)
        assert len(engine.sounds._hits) <= 4_096


def test_notes_that_never_end_do_not_fill_memory() -> None:
    keys, let_go = HeldKeys(), list[int]()
    keys.sustain(0, True)
    for number in range(3_000):
        let_go += keys.press((0, ("id", number)), number)
        if number % 2:
            let_go += keys.let_go((0, ("id", number)))
    assert len(let_go) == len(set(let_go)) == 3_000 - 1_024
    assert len(keys.all_off()) == 1_024
    assert sorted([*let_go]) == sorted(set(let_go))
