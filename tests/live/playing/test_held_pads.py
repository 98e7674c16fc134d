"""Which sounds the pads of a held instrument choose: clear in pitch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from timbrespace.live.held.pitch import Spectrum, clarity, find_pitch

SPACING, BANDWIDTH = 10.0, 1.36


def lines(*hertz: float, levels: Sequence[float] = ()) -> Spectrum:
    """A spectrum of sines with the lobe of a window."""
    places = np.arange(1000) * SPACING
    return Spectrum(
        sum(
            level * np.exp(-0.5 * ((places - one) / SPACING) ** 2) for one, level in zip(hertz, levels or [1.0] * len(hertz), strict=True)
        ).astype(np.float32),
        SPACING,
        BANDWIDTH,
    )  # type: ignore[union-attr]


def test_a_harmonic_tone_is_clear_at_its_pitch_and_less_so_at_others() -> None:
    tone = lines(*(220.0 * number for number in range(1, 11)))
    assert clarity(tone, 220.0) > 0.98
    assert clarity(tone, find_pitch(tone)) > 0.98
    for other in (110.0 * 3, 196.0, 440.0):
        assert clarity(tone, other) < 0.6


@pytest.mark.parametrize("interval", [2 ** (3 / 12), 2 ** (6 / 12), 1.19])
def test_two_notes_at_once_are_less_clear_than_one(interval: float) -> None:
    one = [220.0 * number for number in range(1, 9)]
    both = lines(*one, *(interval * hertz for hertz in one))
    assert clarity(both, find_pitch(both)) < 0.75 < clarity(lines(*one), 220.0)


def test_noise_and_silence_have_no_pitch() -> None:
    flat = Spectrum(np.ones(1000, np.float32), SPACING, BANDWIDTH)
    assert clarity(flat, 220.0) < 0.05
    assert clarity(Spectrum(np.zeros(1000, np.float32), SPACING, BANDWIDTH), 220.0) == 0
    assert clarity(flat, 45.0) == 0  # harmonics that the spectrum cannot tell apart


@pytest.mark.parametrize("pitch", [130.0, 220.0, 330.0])
@pytest.mark.parametrize(("odd", "even", "times"), [(0.01, 1.0, 2), (1.0, 1.0, 1), (1.0, 0.01, 1), (0.5, 1.0, 1)])
def test_a_tone_with_weak_odd_harmonics_is_an_octave_higher(pitch: float, odd: float, even: float, times: int) -> None:
    numbers = range(1, 13)
    tone = lines(*(number * pitch for number in numbers), levels=[(odd if number % 2 else even) / number for number in numbers])
    assert abs(1200 * np.log2(find_pitch(tone) / (times * pitch))) < 25


def test_a_pitch_that_sounds_is_kept_a_little_longer() -> None:
    tone = lines(*(number * 220.0 for number in range(1, 13)), levels=[0.14 if number % 2 else 1.0 for number in range(1, 13)])
    assert find_pitch(tone) == pytest.approx(440, rel=0.02)
    assert find_pitch(tone, 220.0) == pytest.approx(220, rel=0.02)
