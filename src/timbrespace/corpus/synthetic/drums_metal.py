"""Hats and cymbals of the drum synthesiser. Same interface as `drums`."""

from __future__ import annotations

import numpy as np

from timbrespace.corpus.synthetic.drum_parts import (
    bank,
    decay,
    filtered,
    level,
    noise_bands,
    room,
    saturate,
    squares,
)
from timbrespace.corpus.synthetic.sampler import ParameterSampler, Wave


def hat(sampler: ParameterSampler) -> Wave:
    """A hi-hat: closed, pedalled, half open or open; drum-machine squares, a bank of partials and noise, mixed in drawn proportions."""
    style = sampler.style(closed=5, pedal=1, half=1, open=3)
    low, high = {"closed": (0.035, 0.16), "pedal": (0.06, 0.2), "half": (0.2, 0.5), "open": (0.4, 1.5)}[style]
    t60 = sampler.log_uniform("decay_s", low, high)
    time = sampler.time(min(1.9, 1.5 * t60 + 0.03))
    edge = sampler.log_uniform("edge_hz", 2500, 8000)
    attack = sampler.log_uniform("attack_s", 0.003, 0.012) if style == "pedal" else 0.0003
    ring = sampler.uniform("ring", 0, 1)
    machine, metal, hiss = sampler.rng.dirichlet([0.6, 1.2, 1.2])
    sampler.labels.update(machine=round(float(machine), 3), metal=round(float(metal), 3), hiss=round(float(hiss), 3))
    pitch = sampler.log_uniform("pitch_hz", 200, 560)
    cluster = pitch * np.array([1.0, 1.342, 1.2312, 1.6532, 1.9523, 2.1523]) * sampler.rng.uniform(0.94, 1.06, 6)
    tones = squares(sampler, cluster, time=time, ring=ring) * decay(time, t60, attack=attack)
    damping = sampler.uniform("damping", 0.1, 0.5)
    plates = bank(sampler, 90, edge * 0.35, 17000, tilt=sampler.uniform("tilt_db", -1, 4), t60=t60 * 1.6, damping=damping, time=time)
    bands = [
        (edge * 0.5, -14, t60 * 0.7),
        (edge, -3, t60),
        (edge * 1.8, 0, t60 * 0.9),
        (min(17000, edge * 3), sampler.uniform("air_db", -10, 3), t60 * 0.7),
    ]
    noise = level(noise_bands(sampler, bands, time=time, attack=attack))
    out = machine * level(filtered(tones, sampler.rate, low=edge)) + metal * plates * decay(time, 3 * t60, attack=attack) + hiss * noise
    out = filtered(out, sampler.rate, low=edge * sampler.uniform("low_cut", 0.3, 0.9), order=2)
    strike = level(noise_bands(sampler, [(edge * 0.4, -8, 0.012), (edge, 0, 0.01), (12000, 0, 0.006)], time=time))
    out = level(out) + 10 ** (sampler.uniform("strike_db", -20, 0) / 20) * strike * (style != "pedal")
    out = saturate(out, sampler.uniform("drive", 0, 1.2))
    if sampler.chance(0.5):
        out = room(sampler, out, seconds=0.2, wet=sampler.uniform("room", 0, 0.1), dark=9000.0)
    return out


def cymbal(sampler: ParameterSampler) -> Wave:
    """A crash, splash, ride or china: hundreds of inharmonic partials under noise whose brightness rises after the strike."""
    style = sampler.style(crash=4, splash=2, ride=3, china=1)
    low, high = {"crash": (1.2, 2.6), "splash": (0.4, 1.0), "ride": (1.0, 2.4), "china": (0.7, 1.6)}[style]
    t60 = sampler.log_uniform("decay_s", low, high)
    time = sampler.time(min(2.0, 1.5 * t60))
    base = sampler.log_uniform("pitch_hz", 180, 520) * (1.6 if style == "splash" else 1.0)
    damping = sampler.uniform("damping", 0.15, 0.45)
    tilt = sampler.uniform("tilt_db", -3.5, 1.0) - (1.5 if style == "ride" else 0.0)
    out = bank(sampler, int(sampler.rng.integers(140, 320)), base, 16500, tilt=tilt, t60=t60 * 1.3, damping=damping, time=time)
    if style == "ride":
        bell = bank(sampler, 9, base * 1.5, 6500, tilt=-1.0, t60=t60, damping=0.3, time=time)
        out = out + sampler.uniform("bell", 0.3, 1.6) * bell
    swell = sampler.log_uniform("swell_s", 0.004, 0.05) if style in ("crash", "china") else 0.002
    # Energy moves upwards after the strike: the high bands start later and rise slower than the low ones.
    dark = [(base / 2, -26, t60 * 0.9), (base, -14, t60 * 0.8), (base * 3, -8, t60 * 0.9), (2500, -3, t60 * 0.8)]
    light = [(4500, 0, t60 * 0.8), (8000, sampler.uniform("air_db", -6, 4), t60 * 0.65), (14000, -4, t60 * 0.45)]
    wash = noise_bands(sampler, dark, time=time, attack=0.001) + noise_bands(sampler, light, time=time, attack=swell)
    share = {"crash": 1.1, "splash": 0.9, "ride": 0.3, "china": 1.4}[style] * sampler.log_uniform("wash", 0.5, 1.6)
    out = level(out) + share * level(wash)
    if style == "china":
        out = saturate(out, sampler.uniform("trash", 0.5, 3)) * decay(time, 1.5 * t60)
    stick = level(noise_bands(sampler, [(1500, -6, 0.015), (5000, 0, 0.01), (11000, -2, 0.006)], time=time))
    out = level(out) + 10 ** (sampler.uniform("stick_db", -20, 0 if style == "ride" else -8) / 20) * stick
    return filtered(out, sampler.rate, low=sampler.log_uniform("low_cut_hz", 50, 400), order=1)
