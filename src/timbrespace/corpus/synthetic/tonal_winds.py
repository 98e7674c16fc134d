"""Winds and bells of the tonal synthesiser. Same interface as `tonal_strings`."""

from __future__ import annotations

import numpy as np

from timbrespace.corpus.synthetic.drum_parts import level, noise_bands, partials
from timbrespace.corpus.synthetic.sampler import ParameterSampler, Wave
from timbrespace.corpus.synthetic.tonal_parts import TOP_HZ, Articulation, damped, harmonics, rolled_off, swell, vibrato

# Partials relative to the nominal note.
HANDBELL = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.51, 2.66, 3.01, 4.1, 5.43, 6.79, 8.21, 9.7])
TUBE = np.array([25.0, 49.0, 81.0, 121.0, 169.0, 225.0, 289.0, 361.0, 441.0]) / 40.5  # the fourth is the octave of the note
GLASS = np.array([1.0, 2.32, 4.25, 6.63, 9.38, 12.5])


def blown(sampler: ParameterSampler, articulation: Articulation, instrument: str) -> Wave:
    """A pipe: flute (few harmonics, much breath), reed (odd harmonics), brass (harmonics that open with the loudness).

    At a velocity over about 100 the second harmonic of a flute and the third of a reed get stronger, above all in the attack.
    """
    low, high = {"flute": (0.04, 0.16), "reed": (0.025, 0.09), "brass": (0.03, 0.12)}[instrument]
    attack = sampler.log_uniform("attack_s", low, high) * (1.35 - 0.6 * articulation.velocity)
    release = min(sampler.log_uniform("release_s", 0.06, 0.2), 0.35 * articulation.seconds)
    depth, speed = sampler.uniform("vibrato_cents", 1, 9), sampler.uniform("vibrato_hz", 4.2, 6.2)
    tremor, onset = sampler.uniform("tremolo_db", 0.3, 3.0), sampler.uniform("vibrato_onset_s", 0.1, 0.45)
    tilt, even = sampler.uniform("tilt", 0.0, 1.0), sampler.uniform("even_db", -30, -14)
    breath_db = {"flute": (-34, -19), "reed": (-42, -28), "brass": (-46, -34)}[instrument]
    breath = 10 ** ((sampler.uniform("breath_db", *breath_db) - 4 * (articulation.velocity - 0.5)) / 20)
    chiff = 10 ** ((sampler.uniform("chiff_db", -36, -20) + (6 if instrument == "flute" else 0)) / 20)
    scoop = sampler.uniform("scoop_cents", -50, 20) if instrument == "brass" else sampler.uniform("scoop_cents", -25, 10)

    hard = float(np.clip((articulation.velocity - 0.78) / 0.22, 0.0, 1.0))
    time = sampler.time(articulation.seconds)
    hertz = articulation.hertz * vibrato(sampler, time, cents=depth, rate_hz=speed, onset=onset)
    hertz *= np.exp2(scoop * np.exp(-time / 0.03) / 1200)
    envelope = swell(time, attack=attack, seconds=articulation.seconds, release=release, sag=sampler.uniform("sag_db", -2.0, 4.0))
    beat = np.clip((time - onset) / 0.3, 0, 1) * np.sin(2 * np.pi * speed * time + sampler.rng.uniform(0, 2 * np.pi))
    envelope *= 10 ** (tremor * (beat - 1) / 2 / 20)

    def gains(n: Wave, f: Wave, t: Wave) -> Wave:
        risen = np.clip(t / attack, 0, 1.5)
        early = np.exp(-(((t - 0.5 * attack) / (0.6 * attack)) ** 2))
        if instrument == "flute":
            slope = 2.6 - 0.9 * articulation.velocity - 0.4 * tilt
            over = np.where(n == 2, 1 + 1.6 * hard + (0.5 + 2.5 * hard) * early, 1.0)
            return n**-slope * over * rolled_off(f, 1500 * 2 ** (1.6 * articulation.velocity), octave_db=8)
        if instrument == "reed":
            odd = np.where(n % 2 == 1, 1.0, 10 ** (np.minimum(even + 2.2 * n, -3.0) / 20))
            over = np.where(n == 3, 1 + 0.8 * hard + (0.2 + 1.2 * hard) * early, 1.0)
            corner = 800 * 2 ** (1.9 * articulation.velocity + 0.8 * tilt) * (0.5 + 0.5 * np.minimum(risen, 1))
            return n**-0.75 * odd * over * rolled_off(f, corner, octave_db=14)
        loud = np.interp(t, time, envelope) * (0.3 + 0.9 * articulation.velocity)  # brass opens as it swells
        corner = 350 + 700 * tilt + 3200 * loud**1.5
        horn = 0.6 + 0.9 * np.exp(-0.5 * (np.log2(f / 900) / 0.9) ** 2)
        return n**-0.5 * horn * rolled_off(f, corner, octave_db=15)

    tone = level(harmonics(sampler, hertz, gains) * envelope)
    colour = [
        (min(articulation.hertz, 900) * 0.9, -10, 30.0),
        (min(2.1 * articulation.hertz, 2500), -4, 30.0),
        (4200, 0, 30.0),
        (9500, -8, 30.0),
    ]
    out = tone + breath * level(noise_bands(sampler, colour, time=time)) * envelope**0.7
    puff = noise_bands(
        sampler, [(articulation.hertz, 0, 0.09), (2.5 * articulation.hertz, -3, 0.07), (6500, -8, 0.05)], time=time, attack=0.4 * attack
    )
    return out + chiff * level(puff) * damped(time, seconds=articulation.seconds, release=release)


def bell(sampler: ParameterSampler, articulation: Articulation, instrument: str) -> Wave:
    """Struck metal or glass: a few inharmonic partials, each a pair that beats, the high ones decaying faster."""
    ratios = {"handbell": HANDBELL, "chime": TUBE, "glass": GLASS}[instrument]
    t60 = sampler.log_uniform("decay_s", 1.2, 6.0) * (660 / articulation.hertz) ** 0.5
    damping = sampler.uniform("damping", 0.35, 1.1)
    corner = sampler.log_uniform("mallet_hz", 1100, 3500) * 2 ** (3.6 * articulation.velocity - 1.6)
    beating = sampler.log_uniform("beating_hz", 0.2, 4.0)
    spread = sampler.uniform("spread", 0.0, 0.012)
    strike = 10 ** ((sampler.uniform("strike_db", -34, -16) + 12 * (articulation.velocity - 0.7)) / 20)
    attack = sampler.log_uniform("attack_s", 0.0008, 0.003)
    shape = np.exp(sampler.rng.normal(0.0, 0.45, 13))[: ratios.size]
    bend = 1 + spread * sampler.rng.normal(0.0, 1.0, 13)[: ratios.size]
    pair = sampler.rng.uniform(0.3, 1.0, 13)[: ratios.size]
    phases = sampler.rng.uniform(-0.4, 0.4, (2, 13))[:, : ratios.size]  # near a sine: other phases make the stroke a thud

    note = np.abs(ratios - 1.0) < 1e-9  # this partial, if there is one, is exactly the pitch
    octave = np.abs(ratios - 2.0) < 1e-9
    hertz = articulation.hertz * ratios * np.where(note | octave, 1.0, bend)
    gains = shape * ratios**-0.35 * rolled_off(hertz, corner, octave_db=9.0)
    gains = np.where(note | octave, np.maximum(gains, 0.8 * gains.max()), gains)
    if instrument == "handbell":
        gains[0] *= 0.5  # the hum is weak at the stroke and outlasts the other partials
    ring, hertz, gains = (values[hertz < TOP_HZ] for values in (ratios, hertz, gains))
    count = ring.size
    t60s = np.clip(t60 * (ring / ring[0]) ** -damping, 0.03, 20.0)
    time = sampler.time(articulation.seconds)
    apart = beating * pair[:count] * ring**0.3
    out = partials(hertz - apart / 2, 0.6 * gains, t60s, phases[0, :count], time=time)
    out += partials(hertz + apart / 2, 0.4 * gains, 1.1 * t60s, phases[1, :count], time=time)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip(time / attack, 0, 1))
    tick = noise_bands(sampler, [(1800, -5, 0.02), (5000, 0, 0.012), (11000, -5, 0.006)], time=time, attack=attack)
    return (level(out * rise) + strike * level(tick)) * damped(
        time, seconds=articulation.seconds, release=min(0.4, 0.5 * articulation.seconds)
    )
