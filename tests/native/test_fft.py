"""Fourier transforms of the core against NumPy's, at every size, in batches, in lanes, and as a round trip."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from native_core import ARGUMENT, MEMORY, OK, Arena, Core

SIZES = [2**k for k in range(4, 15)]


def opened(core: Core, n: int, *, name: str = "fft_open") -> tuple[ctypes.c_void_p, Arena]:
    arena, fft = Arena(40 * n + 4096), ctypes.c_void_p()
    assert core(name, ctypes.byref(fft), n, arena) == OK
    return fft, arena


def error(got: np.ndarray, wanted: np.ndarray) -> float:
    """The error relative to the size of the whole."""
    return float(np.abs(got - wanted).max() / np.sqrt((np.abs(wanted) ** 2).mean()))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("count", [1, 8, 19])
def test_frames_are_transformed_as_by_numpy(core: Core, n: int, count: int, rng: np.random.Generator) -> None:
    (fft, _arena), work = opened(core, n), Arena(80 * n + 4096)
    x, bins = rng.normal(size=(count, n)).astype(np.float32), np.zeros((count, n // 2 + 1), np.complex64)
    assert core("fft_forward", fft, x, bins, count, work) == OK
    assert error(bins, np.fft.rfft(x.astype(np.float64))) < 3e-6
    again = np.zeros_like(x)
    assert core("fft_inverse", fft, bins, again, count, work) == OK
    assert error(again, x) < 3e-6
    assert work.used == 0
    alone = np.zeros((1, n // 2 + 1), np.complex64)  # a frame has the same bits alone and in a batch
    for i in range(count):
        assert core("fft_forward", fft, x[i], alone, 1, work) == OK
        assert (alone[0] == bins[i]).all()


@pytest.mark.parametrize("n", [16, 64, 1024, 2**14, 2**17, 2**20])
def test_double_precision(core: Core, n: int, rng: np.random.Generator) -> None:
    (fft, _arena), work = opened(core, n, name="fft_open_double"), Arena(8 * n + 4096)
    x, bins, again = rng.normal(size=n), np.zeros(n // 2 + 1, complex), np.zeros(n)
    assert core("fft_forward_double", fft, x, bins, work) == OK
    assert error(bins, np.fft.rfft(x)) < 1e-14
    assert core("fft_inverse_double", fft, bins, again, work) == OK
    assert error(again, x) < 1e-14


def test_imaginary_parts_of_the_ends_do_not_count(core: Core, rng: np.random.Generator) -> None:
    (fft, _arena), work = opened(core, 64), Arena(2**14)
    bins = (rng.normal(size=(1, 33)) + 1j * rng.normal(size=(1, 33))).astype(np.complex64)
    x = np.zeros((1, 64), np.float32)
    assert core("fft_inverse", fft, bins, x, 1, work) == OK
    assert error(x, np.fft.irfft(bins)) < 1e-6


@pytest.mark.parametrize("n", [16, 256, 1024])
def test_lanes_have_the_bits_of_frames(core: Core, n: int, rng: np.random.Generator) -> None:
    (fft, _arena), work, lanes = opened(core, n), Arena(80 * n + 4096), Arena(80 * n + 4096)
    audio, window, hop = rng.normal(size=3 * n).astype(np.float32), np.hanning(n).astype(np.float32), n // 4
    frames = np.stack([audio[i * hop : i * hop + n] * window for i in range(8)])
    bins = np.zeros((8, n // 2 + 1, 2), np.float32)
    assert core("fft_forward", fft, frames, bins, 8, work) == OK
    x, y = (core("arena_take", lanes, 8 * (n + 2), 4, result=ctypes.c_void_p) for _ in range(2))
    x, y = ctypes.c_void_p(x), ctypes.c_void_p(y)
    core("lanes_gather", audio, hop, window, x, n, result=None)
    np.testing.assert_array_equal(core.take(x, (n, 8)), frames.T)
    core("fft_forward_lanes", fft, x, y, result=None)
    np.testing.assert_array_equal(core.take(y, (n // 2 + 1, 2, 8)), bins.transpose(1, 2, 0))
    core("fft_inverse_lanes", fft, y, x, result=None)
    again = np.zeros((8, n), np.float32)
    assert core("fft_inverse", fft, bins, again, 8, work) == OK
    rows, added, expected = np.zeros((8, n), np.float32), np.zeros(3 * n, np.float32), np.zeros(3 * n, np.float32)
    core("lanes_scatter", x, n, rows, n, result=None)
    np.testing.assert_array_equal(rows, again)
    core("lanes_overlap_add", x, n, window, added, hop, result=None)
    for i in range(8):
        expected[i * hop : i * hop + n] += again[i] * window
    np.testing.assert_allclose(added, expected, rtol=0, atol=1e-5)


def test_sizes_and_memory_are_checked(core: Core) -> None:
    fft = ctypes.c_void_p()
    for n in (0, 8, 24, 2**21, 2**63):
        assert core("fft_open", ctypes.byref(fft), n, Arena(2**12)) == ARGUMENT
    assert core("fft_open", ctypes.byref(fft), 1024, Arena(2**12)) == MEMORY
    fft, _arena = opened(core, 1024)
    assert core("fft_forward", fft, np.zeros(1024, np.float32), np.zeros(1026, np.float32), 1, Arena(2**12)) == MEMORY
