"""Strings of the tonal synthesiser: plucked and bowed.

Every function takes the sampler of one note, its articulation and the instrument's name, and returns its wave `(time,)`.
"""

from __future__ import annotations

import numpy as np

from timbrespace.corpus.synthetic.drum_parts import level, noise_bands, partials
from timbrespace.corpus.synthetic.sampler import ParameterSampler, Wave
from timbrespace.corpus.synthetic.tonal_parts import TOP_HZ, Articulation, body, damped, harmonics, rolled_off, swell, vibrato


def plucked(sampler: ParameterSampler, articulation: Articulation, instrument: str) -> Wave:
    """A plucked string: stiff, so that its partials spread; each has its own decay, in two planes that beat slowly.

    The frequency of partial n is n · f · sqrt((1 + B n²) / (1 + B)): the first is exactly the pitch f.
    """
    soft, hard = {"nylon": (320, 5000), "steel": (600, 10000), "muted": (260, 3200)}[instrument]
    low, high = {"nylon": (1.2, 4.0), "steel": (2.5, 8.0), "muted": (0.25, 0.7)}[instrument]
    stiff = sampler.log_uniform("stiffness", 4e-6, 4e-5) if instrument == "nylon" else sampler.log_uniform("stiffness", 1e-5, 9e-5)
    t60 = sampler.log_uniform("decay_s", low, high) * (220 / articulation.hertz) ** 0.4
    point = sampler.uniform("pluck_point", 0.07, 0.4)
    damping = sampler.log_uniform("damping", 0.25, 1.2) * (0.6 if instrument == "steel" else 1.2)
    corner = soft * (hard / soft) ** (0.85 * articulation.velocity + sampler.uniform("hardness", 0.0, 0.2))
    attack = sampler.log_uniform("attack_s", 0.0008, 0.003)
    pick = 10 ** ((sampler.uniform("pick_db", -34, -16) + 14 * (articulation.velocity - 0.7)) / 20)
    thump = 10 ** (sampler.uniform("thump_db", -30, -14) / 20)
    box = body(sampler, low=110, high=4500, count=9, height=7.0)

    time = sampler.time(articulation.seconds)
    n = np.arange(1, 200)
    hertz = n * articulation.hertz * np.sqrt((1 + stiff * n**2) / (1 + stiff))
    n, hertz = n[hertz < TOP_HZ], hertz[hertz < TOP_HZ]
    gains = np.sin(np.pi * n * point) / n * rolled_off(hertz, corner, octave_db=14.0) * box(hertz)
    gains[0] += 0.15 * np.sign(gains[0])  # keeps the pitch audible at any plucking point
    t60s = t60 / (1 + damping * (hertz / 1000) ** 1.2 + 0.01 * n)
    apart = np.exp2(sampler.uniform("beating_cents", 0.1, 1.2) / 1200)
    share = sampler.uniform("second_plane", 0.1, 0.4)
    still = np.zeros(n.size)
    out = partials(hertz, gains * (1 - share), t60s, still, time=time)
    out += partials(hertz * apart, gains * share, 1.7 * t60s, still, time=time)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip(time / attack, 0, 1))
    out = level(out * rise)
    knock = sampler.log_uniform("thump_hz", 90, 220) * np.array([1.0, 1.9, 2.7])
    out += thump * level(partials(knock, [1.0, 0.6, 0.3], [0.12, 0.09, 0.06], np.zeros(3), time=time)) * rise
    out += pick * level(noise_bands(sampler, [(1200, -6, 0.03), (3500, 0, 0.02), (8000, -5, 0.012)], time=time, attack=attack))
    return out * damped(time, seconds=articulation.seconds, release=min(0.25, 0.4 * articulation.seconds))


def bowed(sampler: ParameterSampler, articulation: Articulation, instrument: str) -> Wave:
    """A bowed string: band-limited sawtooth harmonics that move over the body's resonances with the vibrato, and bow noise."""
    size = {"viol": 1.0, "cello": 0.5}[instrument]
    attack = sampler.log_uniform("attack_s", 0.05, 0.22) * (1.4 - 0.8 * articulation.velocity)
    release = min(sampler.log_uniform("release_s", 0.1, 0.25), 0.35 * articulation.seconds)
    depth, speed = sampler.uniform("vibrato_cents", 3, 20), sampler.uniform("vibrato_hz", 4.6, 6.6)
    onset = sampler.uniform("vibrato_onset_s", 0.05, 0.4)
    scoop = sampler.uniform("scoop_cents", -35, 5)
    corner = sampler.log_uniform("corner_hz", 900, 2000) * 2 ** (2.6 * articulation.velocity - 0.8)
    contact = sampler.uniform("bow_point", 0.05, 0.14)
    rustle = 10 ** (sampler.uniform("bow_noise_db", -40, -26) / 20)
    scratch = 10 ** ((sampler.uniform("scratch_db", -34, -18) + 6 * (articulation.velocity - 0.6)) / 20)
    box = body(sampler, low=270 * size, high=5200 * size**0.5, count=14, height=11.0)

    time = sampler.time(articulation.seconds)
    hertz = articulation.hertz * vibrato(sampler, time, cents=depth, rate_hz=speed, onset=onset)
    hertz *= np.exp2(scoop * np.exp(-time / 0.035) / 1200)
    envelope = swell(time, attack=attack, seconds=articulation.seconds, release=release, sag=sampler.uniform("sag_db", -2.0, 5.0))

    def gains(n: Wave, f: Wave, t: Wave) -> Wave:
        notch = 0.35 + 0.65 * np.abs(np.sin(np.pi * n * contact)) / np.maximum(np.sin(np.pi * contact), 0.2)
        opening = 0.35 + 0.65 * np.clip(t / (1.3 * attack), 0, 1)  # the high harmonics start when the bow grips
        first = np.where(n == 1, 1.3, 1.0)
        return first * notch / n * box(f) * rolled_off(f, corner * opening, octave_db=9.0) * rolled_off(f, 5500, octave_db=10.0)

    tone = level(harmonics(sampler, hertz, gains, phases=lambda n: 0.0 * n) * envelope)
    noise = level(noise_bands(sampler, [(500, -8, 30.0), (1800, -2, 30.0), (4200, 0, 30.0), (9000, -9, 30.0)], time=time))
    phase = np.cumsum(hertz) / sampler.rate % 1.0  # the bow slips once a period, which modulates its noise
    out = tone + rustle * noise * envelope * (0.4 + 0.6 * np.cos(np.pi * phase) ** 2)
    bite = noise_bands(sampler, [(700, -4, 0.12), (2500, 0, 0.1), (6000, -4, 0.06)], time=time, attack=min(0.02, attack))
    return out + scratch * level(bite) * np.clip(envelope * 4, 0, 1)
