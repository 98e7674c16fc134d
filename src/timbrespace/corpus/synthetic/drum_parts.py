"""Building blocks of the drum synthesiser: noise bands, partial banks, sweeps, saturation, rooms, endings.

All waves are mono numpy arrays `(time,)` float64; times in seconds, frequencies in Hz, levels in dB unless noted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft, signal

from timbrespace.corpus.synthetic.sampler import ParameterSampler, Wave

SHORTEST, LONGEST = 0.05, 1.8  # s, of every sound
_T60 = np.log(1000.0)  # exp(-_T60) is -60 dB
_SILENT = 10 ** (-84 / 20)  # relative to the peak: the end below it is cut off


def decay(time: Wave, t60: float, *, attack: float = 0.0, hold: float = 0.0, start: float = 0.0) -> Wave:
    """An envelope `(time,)`: 0 before `start`, raised-cosine attack, flat for `hold`, then exponential, -60 dB after another `t60`."""
    rate, block = _rate_of(time), 512
    silent, flat = (min(time.size, round(seconds * rate)) for seconds in (start, attack + hold))
    # exp(-(a·block + b)) is exp(-a·block) · exp(-b): an outer product instead of an exponential for every sample.
    step = -_T60 / (t60 * rate)
    fall = np.outer(np.exp(step * np.arange(0, time.size, block)), np.exp(step * np.arange(block))).ravel()
    envelope = np.concatenate([np.zeros(silent), np.ones(flat), fall])[: time.size]
    rise = min(round(attack * rate), time.size - silent)
    if rise > 0:
        envelope[silent : silent + rise] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(rise) / rise)
    return envelope


def sweep(time: Wave, start: float, end: float, drop: float, *, droop: float = 0.0, shape: float = 0.0) -> Wave:
    """A sine `(time,)` that falls from `start` to `end` Hz with the time constant `drop`.

    droop: an additional slow fall in Hz/s, at most to half of `end`. shape: 0 for a sine … 1 for nearly a triangle.
    """
    hertz = end + (start - end) * np.exp(-time / drop) - np.minimum(droop * time, end / 2)
    phase = 2 * np.pi * np.cumsum(hertz) / _rate_of(time)
    sine = np.sin(phase - phase[0])
    return sine - shape * 0.111 * np.sin(3 * (phase - phase[0]))


def partials(
    hertz: Sequence[float] | Wave, gains: Sequence[float] | Wave, t60s: Sequence[float] | Wave, phases: Wave, *, time: Wave
) -> Wave:
    """A sum `(time,)` of exponentially damped sines; every argument is `(partials,)`. Partials near or above half the rate are left out.

    A power z^(a·block + b) is z^(a·block) · z^b, so hundreds of partials need one small matrix product.
    """
    rate, block = _rate_of(time), 512
    hertz, gains, t60s = (np.asarray(values, dtype=float) for values in (hertz, gains, t60s))
    gains = np.where(hertz < 0.47 * rate, gains, 0.0)
    pole = -_T60 / (t60s * rate) + 2j * np.pi * hertz / rate
    starts = np.arange(0, time.size, block)
    coarse = np.exp(np.outer(starts, pole)) * (gains * np.exp(1j * phases))
    return (coarse @ np.exp(np.outer(pole, np.arange(block)))).imag.ravel()[: time.size]


def bank(sampler: ParameterSampler, count: int, low: float, high: float, *, tilt: float, t60: float, damping: float, time: Wave) -> Wave:
    """An inharmonic, metallic bank `(time,)`: `count` partials, denser towards `high`, with random gains and phases.

    tilt: dB an octave above `low`. t60: decay at 1 kHz. damping: exponent of the decay over frequency (t60 · f^-damping).
    """
    hertz = low * (high / low) ** np.sort(sampler.rng.uniform(size=count) ** 0.7)
    gains = sampler.rng.gamma(1.5, size=count) * 10 ** (tilt * np.log2(hertz / low) / 20)
    t60s = t60 * (hertz / 1000.0) ** -damping * np.exp(sampler.rng.normal(0.0, 0.3, size=count))
    return level(partials(hertz, gains, t60s, sampler.rng.uniform(0, 2 * np.pi, size=count), time=time))


def noise_bands(sampler: ParameterSampler, bands: Sequence[tuple[float, float, float]], *, time: Wave, attack: float = 0.0) -> Wave:
    """Noise `(time,)` in overlapping bands, each with its own decay; the spectrum is smooth between the centres of the bands.

    bands: (centre Hz, gain dB, t60 s), centres ascending. attack: s, of all bands.
    """
    size = fft.next_fast_len(time.size + 1, real=True)
    spectrum = fft.rfft(sampler.noise.standard_normal(size, dtype=np.float32))  # single precision takes half the time
    octave = np.log2(np.maximum(np.arange(spectrum.size) * _rate_of(time) / size, 1.0))
    centres = np.log2([band[0] for band in bands])
    widths = np.diff(centres) if len(bands) > 1 else np.array([1.0])
    total = np.zeros(time.size)
    for k, (_, gain, t60) in enumerate(bands):
        below, above = widths[max(k - 1, 0)], widths[min(k, len(widths) - 1)]
        distance = octave - centres[k]
        window = np.exp(-2.0 * (distance / np.where(distance < 0, below, above)) ** 2)
        part = fft.irfft(spectrum * window.astype(np.float32), n=size)[: time.size]
        total += part * (10 ** (gain / 20)) * decay(time, t60, attack=attack)
    return total


def squares(sampler: ParameterSampler, hertz: Sequence[float] | Wave, *, time: Wave, ring: float = 0.0) -> Wave:
    """A cluster `(time,)` of band-limited square waves, the metal of old drum machines; `ring` 0 … 1 mixes in products of pairs."""
    waves = []
    for pitch in hertz:
        odd = np.arange(1, max(2.0, min(40.0, 0.45 * _rate_of(time) / pitch)), 2)
        phases = odd * sampler.rng.uniform(0, 2 * np.pi)
        waves.append(partials(pitch * odd, 1 / odd, np.full(odd.size, 1e6), phases, time=time))
    cluster = level(np.sum(waves, axis=0))
    if ring > 0:
        product = np.sum([waves[k] * waves[k - 1] for k in range(len(waves))], axis=0)
        cluster = (1 - ring) * cluster + ring * level(product - product.mean())
    return cluster


def filtered(wave: Wave, rate: int, *, low: float | None = None, high: float | None = None, order: int = 2) -> Wave:
    """The wave through causal Butterworth filters: a high-pass at `low` and a low-pass at `high` Hz."""
    if low is not None:
        wave = signal.sosfilt(signal.butter(order, min(low, 0.45 * rate), "highpass", fs=rate, output="sos"), wave)
    if high is not None and high < 0.45 * rate:
        wave = signal.sosfilt(signal.butter(order, high, "lowpass", fs=rate, output="sos"), wave)
    return wave


def saturate(wave: Wave, drive: float, *, bias: float = 0.0) -> Wave:
    """The wave after soft clipping: `drive` 0 changes nothing, 10 is nearly square; `bias` adds even harmonics."""
    if drive <= 0:
        return wave
    pushed = level(wave) * (1 + drive)
    return np.tanh(pushed + bias) - np.tanh(bias)


def room(sampler: ParameterSampler, wave: Wave, *, seconds: float, wet: float, dark: float) -> Wave:
    """The wave with a small room added: a few early echoes and a noise tail of `seconds`, low-passed at `dark` Hz. Longer by the tail."""
    time = sampler.time(seconds)
    tail = filtered(sampler.noise.standard_normal(time.size), sampler.rate, low=120.0, high=dark, order=1)
    tail *= decay(time, seconds, attack=min(0.012, seconds / 4))
    for delay in sampler.rng.uniform(0.002, 0.4 * seconds, size=5):
        tail[int(delay * sampler.rate)] += sampler.rng.normal(0.0, 6.0)
    tail /= np.sqrt((tail**2).sum()) + 1e-12
    out = np.concatenate([wave, np.zeros(time.size)])
    return out + wet * signal.fftconvolve(out, tail)[: out.size]


def drawn_room(
    sampler: ParameterSampler, wave: Wave, *, seconds: tuple[float, float], wet: tuple[float, float], dark: tuple[float, float]
) -> Wave:
    """The wave in a `room` whose parameters are drawn: seconds and dark log-uniform, wet uniform between the given limits."""
    return room(
        sampler,
        wave,
        seconds=sampler.log_uniform("room_s", *seconds),
        wet=sampler.uniform("room", *wet),
        dark=sampler.log_uniform("room_hz", *dark),
    )


def level(wave: Wave) -> Wave:
    """The wave scaled to a peak of 1."""
    return wave / (np.abs(wave).max() + 1e-12)


def mix(*parts: Wave) -> Wave:
    """The sum of waves of different lengths."""
    out = np.zeros(max(part.size for part in parts))
    for part in parts:
        out[: part.size] += part
    return out


def ending(wave: Wave, rate: int) -> Wave:
    """The wave high-passed at 18 Hz, cut where it has decayed, faded to exact silence, with a peak of -1 dB."""
    wave = level(filtered(wave, rate, low=18.0, order=1))
    alive = np.flatnonzero(np.abs(wave) > _SILENT)
    shortest, longest = round(SHORTEST * rate), round(LONGEST * rate)
    size = int(np.clip(alive[-1] + 1 if alive.size else 1, shortest, longest))
    cut_alive = alive.size > 0 and alive[-1] >= longest
    wave = np.concatenate([wave, np.zeros(max(0, size - wave.size))])[:size]
    fade = int(size * (0.45 if cut_alive else 0.12))
    wave[size - fade :] *= np.cos(np.linspace(0.0, np.pi / 2, fade)) ** (3 if cut_alive else 2)
    onset = round(0.0002 * rate)
    wave[:onset] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(onset) / onset)
    wave[-1] = 0.0
    return level(wave) * 10 ** (-1 / 20)


def _rate_of(time: Wave) -> float:
    return 1.0 / (time[1] - time[0])
