"""Finishing in the core: the samples of timbrespace/synthesis/finish.py; recursive filters against the same frequency responses."""

from __future__ import annotations

import ctypes
from typing import Literal

import numpy as np
import pytest
from scipy import signal

from native_core import ARGUMENT, MEMORY, OK, Arena, Core
from timbrespace.audio.loudness import k_weighting
from timbrespace.synthesis.finish import finish_array, high_pass

LEVELS: tuple[Literal["peak", "loudness", "keep"], ...] = ("peak", "loudness", "keep")


class Options(ctypes.Structure):
    """`Finish` of parts.h."""

    _fields_ = (("level", ctypes.c_int), ("target_db", ctypes.c_double), ("trim", ctypes.c_int), ("subsonics", ctypes.c_int))


class Biquad(ctypes.Structure):
    """`Biquad` of finish.h."""

    _fields_ = tuple((name, ctypes.c_double) for name in ("b0", "b1", "b2", "a1", "a2"))


def finished(
    core: Core, audio: np.ndarray, rate: int, *, level: int = 0, target: float = -1.0, trim: bool = True, subsonics: bool = False,
    spare: int = 300,
) -> tuple[int, np.ndarray]:  # fmt: skip
    """Returns the status and the finished sound."""
    channels, size = audio.shape
    padded = np.zeros((channels, size + spare), np.float32)
    padded[:, :size] = audio
    samples, options = ctypes.c_int64(size), Options(level, target, trim, subsonics)
    needed = core("finish_work_size", ctypes.c_int(channels), size, ctypes.c_int(rate), result=ctypes.c_size_t)
    work = Arena(needed)
    status = core(
        "finish_sound", padded, ctypes.c_int(channels), ctypes.byref(samples), size + spare, ctypes.c_int(rate), ctypes.byref(options), work
    )
    assert work.used == 0
    assert not padded[:, samples.value :].any()
    return status, padded[:, : samples.value].copy()


def sound(rng: np.random.Generator, size: int, channels: int, rate: int) -> np.ndarray:
    """A decaying sound with or without a jump at its start, an offset and a silent tail."""
    time = np.arange(size) / rate
    audio = rng.standard_normal((channels, size)) * np.exp(-time * rng.uniform(0, 60)) * rng.uniform(0.01, 2)
    audio += np.sin(2 * np.pi * 50 * time) * np.exp(-5 * time) + rng.choice([0, 0.1])
    audio *= np.minimum(1, np.arange(size) / 50) if rng.random() < 0.5 else 1
    audio[:, size - size // 4 :] *= rng.choice([0, 1])
    return audio.astype(np.float32)


@pytest.mark.parametrize("size", [1, 3, 50, 63, 64, 65, 300, 1000, 9000, 57_330, 120_001])
def test_samples_are_those_of_python(core: Core, rng: np.random.Generator, size: int) -> None:
    for _ in range(8):
        rate, channels, level = int(rng.choice([8000, 44_100, 48_000, 96_000])), int(rng.integers(1, 3)), int(rng.integers(0, 3))
        trim, subsonics, target = bool(rng.random() < 0.7), bool(rng.random() < 0.3), float(rng.uniform(-40, 0))
        audio = sound(rng, size, channels, rate)
        wanted = finish_array(audio, rate, level=LEVELS[level], target_db=target, trim=trim, subsonics=subsonics)
        status, found = finished(core, audio, rate, level=level, target=target, trim=trim, subsonics=subsonics)
        assert status == OK
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max()  # -120 dB


def test_silence_keeps_its_length(core: Core) -> None:
    status, found = finished(core, np.zeros((2, 77), np.float32), 44_100)
    assert status == OK
    np.testing.assert_array_equal(found, np.zeros((2, 77)))


def test_a_jump_gets_a_ramp_and_needs_room(core: Core, rng: np.random.Generator) -> None:
    audio = (1 + 0.1 * rng.standard_normal((1, 2000))).astype(np.float32)
    assert finished(core, audio, 44_100)[1].shape == (1, 2011)
    assert finished(core, audio, 44_100, spare=10)[0] == MEMORY
    assert finished(core, audio, 44_100, spare=10, trim=False)[1].shape == (1, 2000)


@pytest.mark.parametrize(("rate", "cutoff"), [(44_100, 10.0), (8000, 30.0), (192_000, 10.0), (1000, 10.0)])
@pytest.mark.parametrize("size", [1, 63, 64, 1001, 60_000])
def test_a_recursive_filter_is_its_frequency_response(core: Core, rng: np.random.Generator, rate: int, cutoff: float, size: int) -> None:
    wave = rng.standard_normal(size) + 0.5
    wanted = high_pass(wave[None], rate, cutoff=cutoff)[0]
    core("biquad_run", ctypes.byref(core("high_pass", cutoff, float(rate), result=Biquad)), wave, size, result=None)
    assert np.abs(wave - wanted).max() < 1e-6  # -130 dB; at 44.1 kHz far less


def test_any_second_order_filter_runs_as_scipy_runs_it(core: Core, rng: np.random.Generator) -> None:
    for row in [*k_weighting(44_100), *signal.butter(4, [0.001, 0.4], "band", output="sos")]:
        for size in (10, 999, 20_000):
            wave = rng.standard_normal(size)
            wanted = signal.sosfilt(row[None], wave)
            core("biquad_run", ctypes.byref(Biquad(row[0], row[1], row[2], row[4], row[5])), wave, size, result=None)
            np.testing.assert_allclose(wave, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(core: Core, bad: float) -> None:
    audio = np.zeros((1, 100), np.float32)
    audio[0, 50] = bad
    assert finished(core, audio, 44_100)[0] == ARGUMENT


@pytest.mark.parametrize(
    "change", [{"rate": 999}, {"rate": 768_001}, {"level": 3}, {"level": -1}, {"target": 0.1}, {"target": -101.0}, {"target": float("nan")}]
)
def test_options_out_of_range_are_refused(core: Core, change: dict[str, float]) -> None:
    options = {"rate": 44_100, **change}
    assert finished(core, np.ones((1, 100), np.float32), int(options.pop("rate")), **options)[0] == ARGUMENT


def test_little_memory_is_an_error(core: Core, rng: np.random.Generator) -> None:
    audio, options = sound(rng, 5000, 1, 44_100), Options(1, -16.0, 1, 0)
    needed = core("finish_work_size", ctypes.c_int(1), 5000, ctypes.c_int(44_100), result=ctypes.c_size_t)
    for size in range(0, needed // 2, needed // 40):
        samples = ctypes.c_int64(5000)
        arguments = (audio.copy(), ctypes.c_int(1), ctypes.byref(samples), 5000, ctypes.c_int(44_100), ctypes.byref(options))
        assert core("finish_sound", *arguments, Arena(size)) == MEMORY
