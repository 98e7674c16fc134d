"""Noise of the core: the words and the numbers of timbrespace/noise.py."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from native_core import Arena, Core, aligned
from timbrespace.noise import Noise, Purpose, seed_of

STREAMS = [(0, 1, ()), (7, 5, (3,)), (2**64 - 1, 4, (2**64 - 1, 0, 2**63)), (12345678901234567890, 6, (1, 2, 3))]


def opened(core: Core, seed: int, purpose: int, path: tuple[int, ...]) -> np.ndarray:
    state = aligned(128)
    core("noise_open", state, seed, purpose, *path, *[0] * (3 - len(path)), result=None)
    return state


@pytest.mark.parametrize(("seed", "purpose", "path"), STREAMS)
def test_words_are_the_same(core: Core, seed: int, purpose: int, path: tuple[int, ...]) -> None:
    state = opened(core, seed, purpose, path)
    words = [core("noise_word", state, result=ctypes.c_uint64) for _ in range(1001)]
    assert words == Noise(seed, Purpose(purpose), *path).words(1001).tolist()


@pytest.mark.parametrize(("seed", "purpose", "path"), STREAMS)
def test_numbers_are_the_same_call_by_call(core: Core, seed: int, purpose: int, path: tuple[int, ...]) -> None:
    state, noise = opened(core, seed, purpose, path), Noise(seed, Purpose(purpose), *path)
    for count in (1, 2, 7, 8, 9, 64, 129, 1000):
        got = np.zeros(count)
        core("noise_uniform", state, got, count, result=None)
        np.testing.assert_array_equal(got, noise.uniform(count))
        core("noise_normal", state, got, count, result=None)
        np.testing.assert_allclose(got, noise.normal(count), rtol=1e-14, atol=1e-14)
        short = np.zeros(count, np.float32)
        core("noise_normalf", state, short, count, result=None)
        np.testing.assert_allclose(short, noise.normal(count), rtol=1e-6, atol=1e-14)


def test_choices_are_the_same(core: Core, rng: np.random.Generator) -> None:
    state, noise = opened(core, 3, 2, ()), Noise(3, Purpose.LATENT)
    for weights in (np.ones(1), np.array([0.0, 1, 0]), np.array([0.0, 0, 2, 3, 0]), rng.random(50), np.eye(9)[8]):
        for _ in range(40):
            assert core("noise_choice", state, weights, len(weights), result=ctypes.c_size_t) == noise.choice(weights)


def test_seeds_of_a_batch_are_the_same(core: Core) -> None:
    for seed, index in ((0, 0), (1, 5), (2**63 - 1, 2**40)):
        assert core("seed_of", seed, index, result=ctypes.c_uint64) == seed_of(seed, index)


def test_memory_is_aligned_counted_and_limited(core: Core) -> None:
    arena = Arena(1000)
    first = core("arena_take", arena, 3, 4, result=ctypes.c_void_p)
    second = core("arena_take", arena, 100, 8, result=ctypes.c_void_p)
    assert (first % 64, second % 64, second - first) == (0, 0, 64)
    assert (arena.used, arena.peak) == (864, 864)
    for count, size in ((200, 1), (2**63, 4), (2**64 - 1, 1)):
        assert core("arena_take", arena, count, size, result=ctypes.c_void_p) is None
    assert arena.used == 864
    assert core("arena_take", arena, 0, 8, result=ctypes.c_void_p) is not None


def test_sizes_are_summed_up_without_memory(core: Core) -> None:
    sizes = Arena(0)
    sizes.base = None
    for count in (3, 100, 17):
        assert core("arena_take", sizes, count, 8, result=ctypes.c_void_p) is None
    for shift in (0, 1, 32):  # enough wherever the memory begins
        arena = Arena(sizes.peak + 64)
        arena.base, arena.size = arena.base + shift, sizes.peak
        assert all(core("arena_take", arena, count, 8, result=ctypes.c_void_p) for count in (3, 100, 17))
