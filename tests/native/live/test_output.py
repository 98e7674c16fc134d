"""The callback of an audio device: what PortAudio would call, without a device."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from tests.native.live.conftest import NewLive

from timbrespace.contracts import ConfigError
from timbrespace.native.calls import Core
from timbrespace.native.live import Live

CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p
)


def called(output: Any, frames: int, *, flags: int = 0, times: tuple[float, float, float] | None = None) -> np.ndarray:
    """A block of the callback as PortAudio calls it, with a guard behind it."""
    buffer = np.full(frames * output.channels + 8, np.nan, np.float32)
    clock = None if times is None else np.array(times)
    place = None if clock is None else clock.ctypes.data
    assert CALLBACK(output.callback)(None, buffer.ctypes.data, frames, place, flags, output.data) == 0
    assert np.isnan(buffer[frames * output.channels :]).all()
    return buffer[: frames * output.channels].reshape(frames, output.channels)


def tuned(live: Live) -> Live:
    live.partials(0, [1.0, 2.0], [0.3, 0.1])
    live.hold(1, 57.0, pan=0.4)
    return live


def test_the_callback_plays_what_render_plays(new: NewLive) -> None:
    output, expected = tuned(new()).output(), tuned(new()).render(1_000)
    blocks = [called(output, frames) for frames in (1, 64, 65, 0, 128, 742)]
    np.testing.assert_array_equal(np.concatenate(blocks), expected)
    state = output.state()
    assert (state.blocks, state.frames, state.shortest, state.longest) == (6, 1_000, 0, 742)
    assert state.peak == np.abs(expected).max()
    assert output.state().peak == 0


def test_mono_is_the_mean(new: NewLive) -> None:
    output, expected = tuned(new()).output(channels=1), tuned(new()).render(300)
    np.testing.assert_array_equal(called(output, 300)[:, 0], 0.5 * (expected[:, 0] + expected[:, 1]))


def test_flags_and_times_are_counted(new: NewLive) -> None:
    output = new().output()
    for flags in (0, 4, 2, 6, 16):
        called(output, 10, flags=flags, times=(1.0, 12.5, 12.75))
    state = output.state()
    assert (state.blocks, state.underflows, state.overflows) == (5, 2, 2)
    assert (state.time, state.latency) == (12.5, 0.25)


def test_what_was_played_is_taken_for_a_recording(new: NewLive) -> None:
    output = tuned(new()).output(room=1_024)
    played = []
    for _ in range(20):
        played += [called(output, frames) for frames in (100, 300)]
        taken, lost = output.take()
        assert lost == 0
        np.testing.assert_array_equal(taken, np.concatenate(played[-2:]))
    assert len(output.take()[0]) == 0
    for _ in range(5):
        played.append(called(output, 300))
    taken, lost = output.take()
    assert (len(taken), lost) == (900, 600)
    np.testing.assert_array_equal(taken, np.concatenate(played[-5:-2]))


def test_a_block_for_python_is_that_of_the_callback(cores: dict[str, Core]) -> None:
    blocks = []
    for core in cores.values():
        output = tuned(Live(core=core)).output(room=4_096)
        blocks.append(output.block(500, underflow=True))
        assert output.state().underflows == 1
        np.testing.assert_array_equal(output.take()[0], blocks[-1])
        assert (output.callback is None) == (core.way == "wasm")
    np.testing.assert_array_equal(*blocks)


@pytest.mark.parametrize("bad", [{"channels": 0}, {"channels": 3}, {"room": 3}, {"room": -1}, {"room": 2**25}])
def test_what_is_no_output_is_refused(new: NewLive, bad: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="channels is"):
        new().output(**bad)
