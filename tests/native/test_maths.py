"""Mathematics of the core: errors in units in the last place, the ends of the range, one number as in an array."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from native_core import Core

mpmath = pytest.importorskip("mpmath")
Values = NDArray[np.float64]
TINY = 2.0**-1022


def units(got: Values, wanted: list[object], dtype: type) -> float:
    """The largest error in units in the last place of the wanted values, which have more digits than double."""
    worst = 0.0
    for value, exact in zip(got, wanted, strict=True):
        spacing = float(np.spacing(dtype(abs(float(exact)))))  # type: ignore[arg-type]
        worst = max(worst, abs(float(exact - mpmath.mpf(float(value)))) / spacing)
    return worst


def numbers(low: float, high: float, count: int = 2000) -> Values:
    return np.concatenate([np.linspace(low, high, count // 2), np.random.default_rng(1).uniform(low, high, count // 2)])


def wide(low: float, high: float) -> Values:
    return np.exp(numbers(np.log(low), np.log(high)))


DOUBLES: dict[str, tuple[Callable[..., object], Values]] = {
    "ts_exp": (lambda x: mpmath.exp(x), numbers(-708, 709.7)),
    "ts_exp2": (lambda x: mpmath.mpf(2) ** x, numbers(-1021.9, 1023.9)),
    "ts_pow10": (lambda x: mpmath.mpf(10) ** x, numbers(-307, 308)),
    "ts_log": (lambda x: mpmath.log(x), np.concatenate([wide(5e-324, 1e308), numbers(0.5, 2)])),
    "ts_log2": (lambda x: mpmath.log(x, 2), np.concatenate([wide(5e-324, 1e308), numbers(0.5, 2)])),
    "ts_log10": (lambda x: mpmath.log10(x), np.concatenate([wide(5e-324, 1e308), numbers(0.5, 2)])),
}


@pytest.mark.parametrize("name", DOUBLES)
def test_doubles_are_within_two_units(core: Core, name: str) -> None:
    function, x = DOUBLES[name]
    with mpmath.workdps(40):
        wanted = [function(mpmath.mpf(float(value))) for value in x]
        got = np.array([core(name, float(value), result=ctypes.c_double) for value in x])
        assert units(got, wanted, np.float64) <= 2


@pytest.mark.parametrize(("name", "low", "high"), [("ts_exp_array", -87, 88.7), ("ts_log_array", 1e-44, 3e38)])
def test_floats_are_within_two_units(core: Core, name: str, low: float, high: float) -> None:
    x = (numbers(low, high, 4001) if low < 0 else np.concatenate([wide(low, high), numbers(0.7, 1.4)])).astype(np.float32)
    y = np.zeros_like(x)
    core(name, x, y, len(x))
    with mpmath.workdps(30):
        function = mpmath.exp if low < 0 else mpmath.log
        assert units(y, [function(mpmath.mpf(float(value))) for value in x], np.float32) <= 2
    one = [core(name.replace("_array", "f"), ctypes.c_float(value), result=ctypes.c_float) for value in x]
    np.testing.assert_array_equal(y, np.array(one, np.float32))  # the same bits, also at the end of the array


def test_frequencies_of_notes(core: Core) -> None:
    notes = np.array([69.0, 57.0, 0.0, 127.0, 60.5])
    got = [core("ts_midi_hertz", float(note), result=ctypes.c_double) for note in notes]
    np.testing.assert_allclose(got, 440.0 * 2.0 ** ((notes - 69) / 12), rtol=1e-15)


def test_sine_and_cosine_of_turns(core: Core) -> None:
    x = np.concatenate([numbers(-2, 2), numbers(-1e6, 1e6), np.arange(-9, 9) / 8, numbers(-1e-9, 1e-9, 10), [0.0]])
    sine, cosine = np.zeros_like(x), np.zeros_like(x)
    core("ts_sincos_turns_array", x, sine, cosine, len(x), result=None)
    with mpmath.workdps(40):
        for got, function in ((sine, mpmath.sinpi), (cosine, mpmath.cospi)):
            assert units(got, [function(2 * mpmath.mpf(float(value))) for value in x], np.float64) <= 2
    for name, array in (("ts_sin_turns", sine), ("ts_cos_turns", cosine)):
        np.testing.assert_array_equal([core(name, float(value), result=ctypes.c_double) for value in x], array)
    assert core("ts_cos_turns", 1e300, result=ctypes.c_double) == 1  # a whole number of turns
    assert np.isnan(core("ts_sin_turns", float("inf"), result=ctypes.c_double))


def test_whole_numbers_below(core: Core, rng: np.random.Generator) -> None:
    x = np.concatenate(
        [rng.normal(size=500) * 10.0 ** rng.integers(0, 20, 500), np.arange(-4, 4) / 2, 2.0**51 + np.arange(-4, 4) / 2, [-np.inf, np.inf]]
    )
    np.testing.assert_array_equal([core("ts_floor", float(value), result=ctypes.c_double) for value in x], np.floor(x))
    short = x.astype(np.float32)
    np.testing.assert_array_equal([core("ts_floorf", ctypes.c_float(value), result=ctypes.c_float) for value in short], np.floor(short))


INF, NAN = float("inf"), float("nan")
ENDS = {
    "ts_exp": [(-INF, 0), (INF, INF), (NAN, NAN), (710, INF), (-746, 0), (709.79, INF), (-708.4, 0), (0, 1)],
    "ts_exp2": [(-INF, 0), (INF, INF), (NAN, NAN), (1024, INF), (-1023, 0), (10, 1024), (-1022, TINY)],
    "ts_pow10": [(-INF, 0), (INF, INF), (NAN, NAN), (309, INF), (-308, 0), (2, 100)],
    "ts_log": [(0, -INF), (-1, NAN), (INF, INF), (NAN, NAN), (-INF, NAN), (1, 0)],
    "ts_log2": [(0, -INF), (-1, NAN), (INF, INF), (NAN, NAN), (8, 3), (2.0**-1074, -1074)],
    "ts_log10": [(0, -INF), (-1, NAN), (INF, INF), (NAN, NAN), (1, 0)],
    "ts_expf": [(-INF, 0), (INF, INF), (NAN, NAN), (88.73, INF), (-88, 0), (0, 1)],
    "ts_logf": [(0, -INF), (-1, NAN), (INF, INF), (NAN, NAN), (-INF, NAN), (1, 0)],
    "ts_log10f": [(0, -INF), (-1, NAN), (INF, INF), (NAN, NAN), (100, 2)],
}


@pytest.mark.parametrize("name", ENDS)
def test_ends_of_the_range(core: Core, name: str) -> None:
    kind = ctypes.c_float if name.endswith("f") else ctypes.c_double
    for x, wanted in ENDS[name]:
        np.testing.assert_array_equal(core(name, kind(x), result=kind), wanted, err_msg=f"{name}({x})")
