"""Rise times in the core: sounds sharpened as timbrespace/synthesis/detail_model/rise.py does, and the transform that they need."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch

from native_core import ARGUMENT, MEMORY, OK, Arena, Core
from timbrespace.audio.descriptors import fft_size
from timbrespace.synthesis.detail_model.rise import sharpened

SIZES = [1, 2, 3, 4, 5, 6, 8, 12, 16, 75, 125, 128, 9375, 1600, 2187, 8192]


class Smooth(ctypes.Structure):
    """`Smooth` of rise.h."""

    _fields_ = (*((name, ctypes.c_size_t) for name in ("n", "first", "second")), *((name, ctypes.c_void_p) for name in "abcd"))


@pytest.mark.parametrize("size", SIZES)
def test_transforms_are_those_of_numpy(core: Core, rng: np.random.Generator, size: int) -> None:
    memory, smooth = Arena(40 * size + 1000), Smooth()
    assert core("smooth_open", ctypes.byref(smooth), size, memory) == OK
    real, imaginary = rng.standard_normal((2, size)).astype(np.float32)
    wanted = np.fft.fft(real + 1j * imaginary)
    assert core("smooth_run", ctypes.byref(smooth), real, imaginary, Arena(40 * size + 4000)) == OK
    np.testing.assert_allclose(real + 1j * imaginary, wanted, rtol=0, atol=3e-7 * np.abs(wanted).max() * np.log2(size + 1))


def test_sizes_are_those_of_scipy(core: Core) -> None:
    for least in (*range(1, 300), 9262, 19_000, 40_000):
        assert core("smooth_size", least, result=ctypes.c_size_t) == fft_size(least)


def struck(rng: np.random.Generator, size: int, channels: int, rate: int, rise: float) -> np.ndarray:
    """Noise and a tone that rise within about `rise` seconds and decay."""
    time = np.arange(size) / rate
    audio = 0.3 * rng.standard_normal((channels, size)) + np.sin(2 * np.pi * rng.uniform(50, 2000) * time)
    return (audio * np.minimum(1, time / rise) ** 2 * np.exp(-time * rng.uniform(1, 40))).astype(np.float32)


def run(core: Core, rise: ctypes.c_void_p, audio: np.ndarray, rises: np.ndarray, work: Arena) -> int:
    return int(core("rise_sharpen", rise, rises, audio, ctypes.c_int(len(audio)), audio.shape[1], work))


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 96_000])
def test_sharpened_sounds_are_those_of_python(core: Core, rng: np.random.Generator, rate: int) -> None:
    memory, rise = Arena(4_000_000), ctypes.c_void_p()
    assert core("rise_open", ctypes.byref(rise), ctypes.c_int(rate), memory) == OK
    work, changed = Arena(core("rise_work_size", rise, result=ctypes.c_size_t)), 0
    for size in (1, 2, 7, 100, 3000, round(0.4 * rate), round(0.4 * rate) + 1, 40_000):
        for _ in range(5):
            audio = struck(rng, size, int(rng.integers(1, 3)), rate, rng.uniform(0.0005, 0.06))
            rendered = np.sort(rng.uniform(-3, 6, 9))
            rises = np.stack([rendered, rendered - rng.uniform(0, 3)]).astype(np.float32)
            wanted = sharpened(torch.from_numpy(audio), rate, torch.from_numpy(rises)).numpy()
            found = audio.copy()
            assert run(core, rise, found, rises, work) == OK
            assert np.abs(found - wanted).max() <= 1e-6 * max(np.abs(wanted).max(), 1e-3)
            changed += not np.array_equal(wanted, audio)
    assert changed > 10
    assert work.used == 0


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1e38])
def test_no_input_breaks_it(core: Core, value: float) -> None:
    memory, rise = Arena(4_000_000), ctypes.c_void_p()
    assert core("rise_open", ctypes.byref(rise), ctypes.c_int(44_100), memory) == OK
    rises = np.stack([np.linspace(-3, 6, 9), np.linspace(-5, 2, 9)]).astype(np.float32)
    for place in (slice(0, 1), slice(500, 600), slice(None)):
        audio = np.zeros((1, 20_000), np.float32)
        audio[:, place] = value
        assert run(core, rise, audio, rises, Arena(4_000_000)) == OK
    assert run(core, rise, np.zeros((1, 0), np.float32), rises, Arena(4_000_000)) == ARGUMENT


def test_little_memory_is_an_error(core: Core, rng: np.random.Generator) -> None:
    memory, rise = Arena(4_000_000), ctypes.c_void_p()
    assert core("rise_open", ctypes.byref(rise), ctypes.c_int(44_100), Arena(1000)) == MEMORY
    assert core("rise_open", ctypes.byref(rise), ctypes.c_int(44_100), memory) == OK
    rises = np.stack([np.linspace(-3, 6, 9), np.linspace(-5, 2, 9)]).astype(np.float32)
    audio = struck(rng, 9000, 1, 44_100, 0.02)
    for size in (0, 10_000, 50_000, 100_000):
        assert run(core, rise, audio.copy(), rises, Arena(size)) == MEMORY
