"""The bank of oscillators against a plain sum of cosines."""

import numpy as np
import pytest

from timbrespace.synthesis.harmonic.oscillators import sum_partials


@pytest.mark.parametrize("length", [1, 63, 64, 65, 1_000])
@pytest.mark.parametrize("count", [1, 2, 17])
def test_the_bank_is_the_sum_of_its_partials(length: int, count: int) -> None:
    rng = np.random.default_rng(length + count)
    turns = np.cumsum(rng.uniform(0.001, 0.01, length))
    points = -(-length // 64) + 1
    amplitudes = rng.uniform(0.1, 1.0, (points, count))
    angle = rng.uniform(0, 2 * np.pi, count)
    out = np.zeros(length)
    sum_partials(turns, amplitudes, np.cos(angle), np.sin(angle), 64, 0.0, out)

    at = np.arange(length) / 64
    expected = np.zeros(length)
    for k in range(count):
        level = np.interp(at, np.arange(points), amplitudes[:, k])
        expected += level * np.cos(2 * np.pi * (k + 1) * turns + angle[k])
    np.testing.assert_allclose(out, expected, atol=1e-9)


def test_partials_under_the_least_level_are_left_out() -> None:
    turns = np.arange(128) * 0.01
    amplitudes = np.tile([1.0, 1e-6], (3, 1))
    out, alone = np.zeros(128), np.zeros(128)
    sum_partials(turns, amplitudes, np.ones(2), np.zeros(2), 64, 1e-3, out)
    sum_partials(turns, amplitudes[:, :1].copy(), np.ones(1), np.zeros(1), 64, 1e-3, alone)
    np.testing.assert_array_equal(out, alone)


def test_one_block_does_not_change_the_samples_of_another() -> None:
    """A note that is twice as long begins with the same samples."""
    turns = np.arange(256) * 0.013
    amplitudes = np.linspace(1, 0.5, 5)[:, None] * np.ones((5, 3))
    long, short = np.zeros(256), np.zeros(128)
    sum_partials(turns, amplitudes, np.ones(3), np.zeros(3), 64, 0.0, long)
    sum_partials(turns[:128].copy(), amplitudes[:3].copy(), np.ones(3), np.zeros(3), 64, 0.0, short)
    np.testing.assert_array_equal(long[:128], short)
