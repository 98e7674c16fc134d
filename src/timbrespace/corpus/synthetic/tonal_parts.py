"""Building blocks of the tonal synthesiser: harmonics that follow a pitch, resonances, vibrato, envelopes, endings.

All waves are mono numpy arrays `(time,)` float64; times in seconds, frequencies in Hz, levels in dB unless noted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from timbrespace.corpus.synthetic.drum_parts import filtered, level
from timbrespace.corpus.synthetic.sampler import ParameterSampler, Wave

SHORTEST, LONGEST = 0.3, 2.0  # s, of every note
TOP_HZ = 18_000.0  # no partial above it, at any sample rate
_FRAMES_A_SECOND = 400  # of time-varying gains


@dataclass(frozen=True)
class Articulation:
    """How a note is played: hertz (fundamental), velocity 0 … 1 (of 127), seconds (length including the release)."""

    hertz: float
    velocity: float
    seconds: float


def harmonics(
    sampler: ParameterSampler, hertz: Wave, gains: Callable[[Wave, Wave, Wave], Wave], *, phases: Callable[[Wave], Wave] | None = None
) -> Wave:
    """A sum of harmonics that follow the pitch `hertz (time,)`, each fading out below half the sample rate: `(time,)`.

    gains: a function from harmonic numbers `(harmonics, 1)`, frequencies in Hz and times in s, both `(harmonics, frames)`, to
    amplitudes `(harmonics, frames)`, 400 frames a second, interpolated linearly. phases: a function from harmonic numbers to starting
    phases `(harmonics,)`; None: random.
    """
    rate = sampler.rate
    hop = max(1, rate // _FRAMES_A_SECOND)
    frames = -(-hertz.size // hop) + 1
    at = np.minimum(np.arange(frames) * hop, hertz.size - 1)
    top = min(TOP_HZ, 0.48 * rate)
    number = np.arange(1, max(2, int(top / hertz.min()) + 1))[:, None].astype(float)
    places = number * hertz[at]
    size = gains(number, places, np.broadcast_to(at / rate, places.shape)) * _fade(places, 0.88 * top, top)
    start = sampler.rng.uniform(0, 2 * np.pi, 1024)[: number.size] if phases is None else phases(number[:, 0])
    turn = np.zeros((frames - 1) * hop)
    turn[: hertz.size] = np.concatenate([[0.0], np.cumsum(hertz[:-1])]) * (2 * np.pi / rate)
    ramp, out = np.arange(hop) / hop, np.zeros((frames - 1, hop))
    step = max(1, 4096 // hop)  # frames computed at once: a block fits into the cache
    for first in range(0, frames - 1, step):
        rows = slice(first, min(first + step, frames - 1))
        unit = np.exp(1j * turn.reshape(-1, hop)[rows])
        power = np.ones_like(unit)
        for k in range(number.size):
            power *= unit
            low, high = size[k, rows], size[k, first + 1 : rows.stop + 1]
            if max(low.max(), high.max()) > 1e-6:
                wave = power.imag * np.cos(start[k]) + power.real * np.sin(start[k])
                out[rows] += wave * (low[:, None] + (high - low)[:, None] * ramp)
    return out.ravel()[: hertz.size]


def _fade(hertz: Wave, low: float, high: float) -> Wave:
    """Gain 1 below `low`, 0 above `high`, a raised cosine between."""
    return 0.5 + 0.5 * np.cos(np.pi * np.clip((hertz - low) / (high - low), 0.0, 1.0))


def vibrato(sampler: ParameterSampler, time: Wave, *, cents: float, rate_hz: float, onset: float, drift: float = 1.5) -> Wave:
    """Frequency ratio around 1, `(time,)`: vibrato that starts at `onset`, and a slow drift of `drift` cents."""
    grow = np.clip((time - onset) / 0.3, 0.0, 1.0) ** 2
    wave = np.sin(2 * np.pi * rate_hz * time + sampler.rng.uniform(0, 2 * np.pi))
    slow = sum(np.sin(2 * np.pi * hertz * time + sampler.rng.uniform(0, 2 * np.pi)) for hertz in (0.7, 1.9, 3.1)) / 3
    return np.exp2((cents * grow * wave + drift * slow) / 1200)


def body(sampler: ParameterSampler, *, low: float, high: float, count: int, height: float) -> Callable[[ArrayLike], Wave]:
    """Random resonances of a wooden body: a function from Hz to linear gain, about 1 on average. height: dB of peaks and dips."""
    centres = np.log2(np.geomspace(low, high, count)) + sampler.rng.uniform(-0.25, 0.25, count)
    heights = height * sampler.rng.uniform(-0.6, 1.0, count)
    widths = sampler.rng.uniform(0.06, 0.2, count)  # octaves

    def gain(hertz: ArrayLike) -> Wave:
        octave = np.linspace(4.0, 15.0, 1101)  # a table, because many thousand frequencies are looked up
        curve = (heights * np.exp(-0.5 * ((octave[:, None] - centres) / widths) ** 2)).sum(axis=1)
        return np.asarray(10 ** (np.interp(np.log2(np.maximum(hertz, 16.0)), octave, curve) / 20))

    return gain


def rolled_off(hertz: ArrayLike, corner: ArrayLike, *, octave_db: float) -> Wave:
    """Gain of a smooth low-pass: 1 well below `corner` Hz, falling by `octave_db` an octave above it."""
    return np.asarray((1 + (np.asarray(hertz) / corner) ** 2) ** (-octave_db / 12.04))


def swell(time: Wave, *, attack: float, seconds: float, release: float, sag: float = 0.0) -> Wave:
    """An envelope `(time,)`: raised-cosine attack, then a fall by `sag` dB a second, and a release that ends at `seconds`."""
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip(time / attack, 0.0, 1.0))
    return rise * 10 ** (-sag * time / 20) * damped(time, seconds=seconds, release=release)


def damped(time: Wave, *, seconds: float, release: float) -> Wave:
    """An envelope `(time,)`: 1 until `release` before `seconds`, then smoothly down to 0."""
    left = np.clip((seconds - time) / release, 0.0, 1.0)
    return np.asarray((0.5 - 0.5 * np.cos(np.pi * left)) ** 2)


def finish(wave: Wave, rate: int) -> Wave:
    """The wave high-passed at 20 Hz, faded at both ends, SHORTEST to LONGEST s long, with a peak of -1 dB."""
    size = int(np.clip(wave.size, round(SHORTEST * rate), round(LONGEST * rate)))
    wave = filtered(np.concatenate([wave, np.zeros(max(0, size - wave.size))])[:size], rate, low=20.0, order=1)
    onset, end = max(2, round(0.0005 * rate)), max(2, round(0.01 * rate))
    wave[:onset] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(onset) / onset)
    wave[-end:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(end) / (end - 1))
    return level(wave) * 10 ** (-1 / 20)
