"""The wrapper: calls are checked, sounds are kept and given back, the queue may be full."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from tests.native.live.conftest import NewLive
from tests.native.live.held import RATE, rendered

from timbrespace.contracts import ConfigError
from timbrespace.native.calls import Core
from timbrespace.native.live import Live, QueueFullError


@pytest.mark.parametrize("way", ["native", "wasm"])
def test_one_shots_and_held_voices_add_up(cores: dict[str, Core], way: str) -> None:
    def render(*, shot: bool, held: bool) -> np.ndarray:
        live = Live(core=cores[way])
        live.sound(3, np.linspace(0, 0.3, 1_000), sample_rate=RATE)
        live.partials(0, [1.0, 3.0], [0.2, 0.1])
        if shot:
            live.play(3, time=500)
        if held:
            live.hold(1, 60.0)
        return live.render(2_000)

    np.testing.assert_allclose(render(shot=True, held=True), render(shot=True, held=False) + render(shot=False, held=True), atol=1e-7)


@pytest.mark.parametrize("way", ["native", "wasm"])
def test_memory_of_replaced_sounds_is_given_back_when_nothing_plays_it(cores: dict[str, Core], way: str) -> None:
    live = Live(core=cores[way])
    live.sound(0, np.ones(RATE))
    live.play(0)
    live.render(64)
    live.sound(0, np.ones((2, 100)))
    assert live.collect() == 4 * RATE
    live.render(1_000)
    assert live.collect() == 0
    for k in range(200):  # flat
        live.sound(0, np.ones(RATE))
        live.render(500)
        if k == 20:
            before = live.collect()
    assert live.collect() <= before


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("sound", (-1, np.ones(3)), {}), ("sound", (0, np.full(3, np.nan)), {}), ("sound", (0, np.ones((3, 3))), {}),
    ("sound", (0, np.ones(3)), {"sample_rate": 10}), ("play", (5_000,), {}), ("play", (0,), {"velocity": 0}), ("play", (0,), {"gian": 1}),
    ("play", (0,), {"gain": math.nan}), ("release", (-1,), {}), ("silence", (), {"lane": 16}), ("master", (math.inf,), {}),
    ("hold", (0, 141), {}), ("hold", (0, math.nan), {}), ("hold", (0, 60), {"kind": "piano"}), ("hold", (0, 60), {"timbre": 16}),
    ("hold", (-1, 60), {}), ("hold", (0, 60), {"attack": -1}), ("hold", (0, 60), {"pan": 2}), ("hold", (0, 60), {"velocity": 128}),
    ("move", (0, "bend", 97), {}), ("move", (0, "colour", 1), {}), ("move", (0, "gain", math.nan), {}),
    ("move", (0, "note", 1), {"seconds": math.inf}), ("partials", (0, [1.0], [17.0]), {}), ("partials", (0, [-1.0], [0.1]), {}),
    ("partials", (0, [math.nan], [0.1]), {}), ("partials", (0, [1.0], []), {}), ("partials", (99, [1.0], [0.1]), {}),
    ("partials", (0, np.ones(257), np.ones(257)), {}), ("spectrum", (0, np.ones(4)), {"spacing": 10, "hertz": 100}),
    ("spectrum", (0, np.ones(5_000)), {"spacing": 10, "hertz": 100}), ("spectrum", (0, -np.ones(64)), {"spacing": 10, "hertz": 100}),
    ("spectrum", (0, np.ones(64)), {"spacing": 0, "hertz": 100}), ("spectrum", (0, np.ones(64)), {"spacing": 10, "hertz": math.nan}),
    ("tempo", (9,), {}), ("start", (), {"tick": -2}), ("steps", (0, [(200, 1, 0, 0, 1)]), {}), ("play", (0,), {"id": 2**40}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "options"), CALLS)
def test_what_is_out_of_range_is_refused_and_changes_nothing(
    new: NewLive, name: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    live, other = new(), new()
    for player in (live, other):
        player.partials(0, [1.0], [0.2])
        player.hold(0, 60.0)
    with pytest.raises(ConfigError):
        getattr(live, name)(*arguments, **options)
    np.testing.assert_array_equal(rendered(live, 500), rendered(other, 500))


@pytest.mark.parametrize("bad", [{"sample_rate": 7_999}, {"voices": 0}, {"held": 65}, {"timbres": 0}, {"frames": 3}, {"bins": 4_098}])
def test_options_out_of_range_are_refused(new: NewLive, bad: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=str(next(iter(bad.values())))):
        new(**bad)


def test_a_full_queue_is_said_and_is_emptied(new: NewLive) -> None:
    live = new(commands=64, frames=8)
    for _ in range(8):
        live.partials(0, [1.0], [0.1])
    with pytest.raises(QueueFullError):
        live.partials(0, [1.0], [0.1])
    live.render(1)
    live.partials(0, [1.0], [0.1])
    for _ in range(63):
        live.release(5)
    with pytest.raises(QueueFullError):
        live.release(5)
    live.render(1)
    live.release(5)


def test_the_state_is_that_of_the_last_block(new: NewLive) -> None:
    live = new()
    live.partials(0, [1.0], [0.5])
    live.hold(0, 60.0, attack=0)
    live.release(0, time=2**40)
    live.render(1_234)
    state = live.state()
    assert (state.time, state.voices, state.waiting, state.playing, state.tempo) == (1_234, 1, 1, False, 120.0)
    assert 0.4 < state.peak <= 0.5
