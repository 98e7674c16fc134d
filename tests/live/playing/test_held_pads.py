"""Which sounds the pads of a held instrument choose: clear in pitch."""

from __future__ import annotations

import numpy as np
import pytest

from timbrespace.live.held.pitch import Spectrum, clarity, find_pitch

SPACING, BANDWIDTH = 10.0, 1.36


def lines(*hertz: float) -> Spectrum:
    """A spectrum of sines with the lobe of a window."""
    places = np.arange(1000) * SPACING
    return Spectrum(sum(np.exp(-0.5 * ((places - one) / SPACING) ** 2) for one in hertz).astype(np.float32), SPACING, BANDWIDTH)  # type: ignore[union-attr]


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
