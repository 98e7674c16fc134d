"""Spectra of held notes: their tones as lobes of a window, and their noise."""

from __future__ import annotations

import numpy as np

from timbrespace.live.held.notes import BINS

SPACING = 24_000.0 / (BINS - 1)  # Hz between bins of tones and noise together
_BANDWIDTH = 1.5  # of a Hann window, bins
_LOBE = np.arange(-2, 3)  # bins about the middle of a tone


def noise_magnitudes(power: np.ndarray, spacing: float, bandwidth: float) -> np.ndarray:
    """Returns magnitudes `(bins,)`, see `Live.spectrum`, of noise with a power a Hz `(bins,)`; a sine of amplitude 1 has a half."""
    return np.asarray(np.sqrt(2 * bandwidth * spacing * power), np.float32)


def combined(hertz: np.ndarray, amplitudes: np.ndarray, noise: np.ndarray, spacing: float) -> tuple[np.ndarray, float]:
    """Returns magnitudes `(2049,)` of tones through a Hann window, and of noise, and the spacing of their bins in Hz.

    hertz, amplitudes `(tones,)`. noise `(bins,)`: its power a Hz, `spacing` Hz apart.
    """
    sounding = (amplitudes > 0) & (hertz > 0) & (hertz < 24_000.0)
    places, levels = hertz[sounding].astype(np.float64) / SPACING, amplitudes[sounding].astype(np.float64)
    bins = np.round(places).astype(int)[:, None] + _LOBE
    away = bins - places[:, None]
    lobe = np.abs(np.sinc(away) + 0.5 * (np.sinc(away - 1) + np.sinc(away + 1))) * (np.abs(away) < 2)
    bins = np.abs(bins)
    inside = bins < BINS
    tones = np.bincount(bins[inside], (lobe * levels[:, None])[inside], minlength=BINS)
    power = np.interp(np.arange(BINS) * SPACING, np.arange(len(noise)) * spacing, noise, right=0.0)
    return np.sqrt(np.square(tones) + 2 * _BANDWIDTH * SPACING * power).astype(np.float32), SPACING
