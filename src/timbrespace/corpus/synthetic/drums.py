"""A small parametric drum synthesiser: membranes, claps and sticks; hats and cymbals are in `drums_metal`.

Every function takes the sampler of one sound and returns its wave `(time,)`, neither trimmed nor normalised.
"""

from __future__ import annotations

import numpy as np

from timbrespace.corpus.synthetic.drum_parts import (
    decay,
    drawn_room,
    filtered,
    level,
    mix,
    noise_bands,
    partials,
    room,
    saturate,
    squares,
    sweep,
)
from timbrespace.corpus.synthetic.sampler import ParameterSampler, Wave

# Mode frequencies of a circular membrane, relative to the lowest.
MEMBRANE = np.array([1.0, 1.593, 2.135, 2.295, 2.653, 2.917, 3.155, 3.5, 3.598, 4.06])


def kick(sampler: ParameterSampler) -> Wave:
    """A bass drum: a falling sine with click, knock and, depending on the style, skin, room or distortion."""
    style = sampler.style(electronic=4, acoustic=4, distorted=2)
    pitch = sampler.log_uniform("pitch_hz", 38, 72 if style != "acoustic" else 85)
    t60 = sampler.log_uniform("decay_s", 0.22, 1.5) if style != "acoustic" else sampler.log_uniform("decay_s", 0.15, 0.55)
    start = pitch * sampler.log_uniform("sweep_ratio", 1.5, 9.0 if style != "acoustic" else 3.0)
    drop = sampler.log_uniform("sweep_s", 0.006, 0.07)
    time = sampler.time(min(1.9, 1.5 * t60 + 0.05))
    body = sweep(time, start, pitch, drop, droop=sampler.uniform("droop", 0, 18), shape=sampler.uniform("shape", 0, 1))
    body *= decay(time, t60, attack=sampler.log_uniform("attack_s", 0.0004, 0.004), hold=sampler.uniform("hold_s", 0, 0.05))
    click = 10 ** (sampler.uniform("click_db", -30, -4) / 20)
    edge = sampler.log_uniform("click_hz", 1500, 9000)
    t60_click = sampler.log_uniform("click_s", 0.004, 0.04)
    out = body + click * level(noise_bands(sampler, [(edge / 2, -6, t60_click * 2), (edge, 0, t60_click)], time=time))
    knock = sampler.log_uniform("knock_hz", 180, 1100) * np.array([1.0, 1.52, 2.31])
    gains = 10 ** (sampler.uniform("knock_db", -30, -10) / 20) * np.array([1.0, 0.7, 0.4])
    out += partials(knock, gains, [0.07, 0.05, 0.03], np.zeros(3), time=time)
    if style == "acoustic":
        modes = partials(pitch * MEMBRANE[1:6], np.full(5, 0.09), t60 * np.linspace(0.7, 0.25, 5), np.zeros(5), time=time)
        skin = noise_bands(
            sampler, [(120, 0, t60 * 0.6), (500, -8, t60 * 0.4), (2500, -14, 0.08), (8000, -22, 0.05)], time=time, attack=0.001
        )
        out += modes + 10 ** (sampler.uniform("skin_db", -26, -12) / 20) * level(skin)
        return drawn_room(sampler, out, seconds=(0.1, 0.4), wet=(0, 0.12), dark=(800, 6000))
    drive = sampler.log_uniform("drive", 2.0, 9.0) if style == "distorted" else sampler.uniform("drive", 0, 1.5)
    return saturate(out, drive, bias=sampler.uniform("bias", 0, 0.3)) * decay(time, max(0.25, 1.4 * t60), hold=0.06)


def snare(sampler: ParameterSampler) -> Wave:
    """A snare drum: the modes of two heads, the noise of the wires in bands with separate decays, a stick."""
    style = sampler.style(acoustic=5, electronic=3, brush=1, tight=2)
    pitch = sampler.log_uniform("pitch_hz", 130, 300)
    t60 = sampler.log_uniform("body_s", 0.06, 0.5)
    wires = sampler.log_uniform("wires_s", 0.15, 1.0) * (0.45 if style == "tight" else 1.0)
    time = sampler.time(min(1.6, 1.5 * max(t60, wires) + 0.05))
    bend = sampler.log_uniform("sweep_ratio", 1.02, 2.5 if style == "electronic" else 1.4)
    body = sweep(time, pitch * bend, pitch, sampler.log_uniform("sweep_s", 0.004, 0.03)) * decay(time, t60, attack=0.0006)
    upper = pitch * sampler.uniform("second_head", 1.45, 1.9)
    body += 0.7 * sweep(time, upper * bend, upper, 0.008) * decay(time, 0.7 * t60, attack=0.0004)
    count = 2 if style == "electronic" else 8
    ring = np.exp(sampler.rng.normal(0, 0.5, count)) * 0.16 * MEMBRANE[1 : count + 1] ** -0.5
    modes = pitch * MEMBRANE[1 : count + 1] * sampler.rng.uniform(0.98, 1.02, count)
    body += partials(modes, ring, t60 * MEMBRANE[1 : count + 1] ** -0.8, sampler.rng.uniform(0, 6.28, count), time=time)
    bright = sampler.uniform("brightness_db", -9, 7)
    colour = sampler.log_uniform("wires_hz", 1800, 5500)
    low = sampler.uniform("low_db", -14, -2)
    bands = [(colour / 10, low - 3, 0.6 * wires), (colour / 3, low, 0.9 * wires), (colour, 0, wires)]
    bands += [(colour * 2, bright, 0.8 * wires), (min(16000, colour * 4), bright - 4, 0.55 * wires)]
    attack = sampler.log_uniform("brush_s", 0.01, 0.05) if style == "brush" else 0.0006
    noise = level(noise_bands(sampler, bands, time=time, attack=attack))
    body_gain = 10 ** (sampler.uniform("body_db", -16, 2) / 20) * (0.3 if style == "brush" else 1.0)
    stick = level(noise_bands(sampler, [(900, -4, 0.02), (3500, 0, 0.012), (9000, -6, 0.008)], time=time))
    out = body_gain * level(body) + noise + 10 ** (sampler.uniform("stick_db", -20, 2) / 20) * stick * (style != "brush")
    out = saturate(out, sampler.uniform("drive", 0, 3 if style == "electronic" else 1))
    if style in ("acoustic", "brush"):
        out = drawn_room(sampler, out, seconds=(0.12, 0.7), wet=(0.02, 0.3), dark=(2000, 9000))
    return out


def tom(sampler: ParameterSampler) -> Wave:
    """A tom: membrane modes that fall a little in pitch, higher ones decaying faster, stick and skin noise."""
    style = sampler.style(acoustic=3, electronic=2)
    pitch = sampler.log_uniform("pitch_hz", 65, 260)
    t60 = sampler.log_uniform("decay_s", 0.35, 2.2) * (120 / pitch) ** 0.25
    time = sampler.time(min(1.9, 1.5 * t60))
    bend = sampler.log_uniform("sweep_ratio", 1.03, 2.2 if style == "electronic" else 1.25)
    drop = sampler.log_uniform("sweep_s", 0.02, 0.15)
    count = 2 if style == "electronic" else 8
    out = np.zeros(time.size)
    for k in range(count):
        ratio = MEMBRANE[k] * (sampler.rng.uniform(0.99, 1.01) if k else 1.0)
        gain = 1.0 if k == 0 else np.exp(sampler.rng.normal(-1.3, 0.5)) * ratio**-0.5
        wave = sweep(time, pitch * ratio * bend, pitch * ratio, drop, shape=0.5 * (k == 0))
        out += gain * wave * decay(time, t60 * ratio**-1.3, attack=0.0008)
    strike = [(200, -4, 0.12), (900, -6, 0.06), (3000, -8, 0.03), (8000, -14, 0.02)]
    out = level(out) + 10 ** (sampler.uniform("stick_db", -20, -3) / 20) * level(noise_bands(sampler, strike, time=time))
    out += 10 ** (sampler.uniform("skin_db", -38, -14) / 20) * level(
        noise_bands(sampler, [(150, 6, t60 * 0.8), (600, 0, t60 * 0.5), (2500, -8, t60 * 0.3)], time=time)
    )
    out = saturate(out, sampler.uniform("drive", 0, 1.5))
    if style == "acoustic":
        out = drawn_room(sampler, out, seconds=(0.15, 0.6), wet=(0, 0.15), dark=(1000, 6000))
    return out


def clap(sampler: ParameterSampler) -> Wave:
    """A hand clap: several short bursts of band noise, the last with a longer tail."""
    style = sampler.style(machine=3, crowd=2, single=1)
    colour = sampler.log_uniform("colour_hz", 750, 2600)
    tail = sampler.log_uniform("tail_s", 0.1, 0.7)
    time = sampler.time(min(1.4, tail * 1.5 + 0.12))
    hands = 1 if style == "single" else int(sampler.rng.integers(3, 6)) if style == "machine" else int(sampler.rng.integers(6, 14))
    sampler.labels["bursts"] = float(hands)
    gap = sampler.log_uniform("gap_s", 0.006, 0.016)
    jitter = 0.1 if style == "machine" else 1.2
    at = np.cumsum(np.maximum(0.001, gap * (1 + jitter * sampler.rng.normal(size=hands)))) if hands > 1 else np.zeros(1)
    at -= at[0]
    if style == "crowd":
        at = at * 0.06 / max(at[-1], 0.06)  # many hands, all within 60 ms
    envelope = np.zeros(time.size)
    for k, moment in enumerate(at):
        burst = decay(time, sampler.rng.uniform(0.018, 0.04), attack=0.0005, start=moment)
        envelope = np.maximum(envelope, burst * (1.0 if k == hands - 1 else sampler.rng.uniform(0.55, 1.0)))
    after = decay(time, tail, attack=0.0005, start=float(at[-1]))
    envelope += 10 ** (sampler.uniform("tail_db", -16, -3) / 20) * after
    flat = 30.0  # s: the envelope above makes the decay
    bands = [(colour / 3, -22, flat), (colour, 0, flat), (colour * 2.2, sampler.uniform("air_db", -18, -5), flat), (colour * 5, -20, flat)]
    out = envelope * noise_bands(sampler, bands, time=time)
    out = saturate(filtered(out, sampler.rate, low=250), sampler.uniform("drive", 0, 2))
    wet = sampler.uniform("room", 0.02, 0.25)
    return room(sampler, out, seconds=sampler.log_uniform("room_s", 0.12, 0.6), wet=wet, dark=sampler.log_uniform("room_hz", 2500, 9000))


def rim(sampler: ParameterSampler) -> Wave:
    """A rim shot, side stick or clave: few hard partials that decay in a moment."""
    style = sampler.style(sidestick=2, clave=1, shot=2)
    pitch = sampler.log_uniform("pitch_hz", 350, 1100) if style != "clave" else sampler.log_uniform("pitch_hz", 900, 2600)
    t60 = sampler.log_uniform("decay_s", 0.03, 0.16)
    time = sampler.time(max(0.08, 2 * t60) + 0.05)
    ratios = np.array([1.0, 2.71, 5.2]) if style == "clave" else np.array([1.0, 1.62, 2.43, 3.17, 4.6, 6.3])
    ratios = ratios * sampler.rng.uniform(0.96, 1.04, ratios.size)
    gains = np.exp(sampler.rng.normal(0, 0.4, ratios.size)) * ratios ** -sampler.uniform("tilt", 0.3, 1.2)
    out = level(partials(pitch * ratios, gains, t60 * ratios**-0.5, sampler.rng.uniform(0, 6.28, ratios.size), time=time))
    click = noise_bands(sampler, [(1200, -6, 0.03), (4000, 0, 0.015), (10000, -4, 0.01)], time=time)
    out = mix(out, 10 ** (sampler.uniform("click_db", -18, 0) / 20) * level(click))
    if style == "shot":
        wires = noise_bands(sampler, [(400, -6, 0.15), (2500, 0, 0.25), (7000, -3, 0.2)], time=sampler.time(0.4))
        out = mix(out, 10 ** (sampler.uniform("wires_db", -24, -8) / 20) * level(wires))
    return room(sampler, saturate(out, sampler.uniform("drive", 0, 2)), seconds=0.25, wet=sampler.uniform("room", 0, 0.2), dark=7000.0)


def cowbell(sampler: ParameterSampler) -> Wave:
    """A cowbell or agogo: two square-like tones or a struck shell, a strong strike and a ringing tail."""
    style = sampler.style(machine=1, struck=1)
    pitch = sampler.log_uniform("pitch_hz", 380, 950)
    interval = sampler.uniform("interval", 1.38, 1.6)
    t60 = sampler.log_uniform("decay_s", 0.2, 1.4)
    time = sampler.time(min(1.8, 1.5 * t60))
    if style == "machine":
        tone = squares(sampler, [pitch, pitch * interval], time=time)
        tone = filtered(tone, sampler.rate, low=pitch * 0.9, high=pitch * sampler.log_uniform("edge", 3, 9))
        tone *= 0.55 * decay(time, 0.06, attack=0.0004) + 0.45 * decay(time, t60)
    else:
        ratios = np.array([1.0, interval, 2.53, 3.65, 4.21, 5.4, 6.9, 8.3]) * sampler.rng.uniform(0.97, 1.03, 8)
        gains = np.exp(sampler.rng.normal(0, 0.5, 8)) * ratios ** -sampler.uniform("tilt", 0.4, 1.1)
        tone = partials(pitch * ratios, gains, t60 * ratios**-0.7, sampler.rng.uniform(0, 6.28, 8), time=time)
    strike = noise_bands(sampler, [(1500, -3, 0.02), (5000, 0, 0.012)], time=time)
    out = level(tone) + 10 ** (sampler.uniform("strike_db", -22, -6) / 20) * level(strike)
    out = saturate(out, sampler.uniform("drive", 0, 1.5))
    return room(sampler, out, seconds=0.2, wet=sampler.uniform("room", 0, 0.12), dark=6000.0)
