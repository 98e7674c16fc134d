"""The metal of the drum synthesiser: hats and cymbals. Same contract as `drums`."""

from __future__ import annotations

import numpy as np

from timbrespace.corpus.drum_parts import Dice, Wave, bank, decay, filtered, level, noise_bands, room, saturate, squares


def hat(dice: Dice) -> Wave:
    """A hi-hat: closed, pedalled, half open or open; drum-machine squares, a bank of partials and noise in changing shares."""
    style = dice.style(closed=5, pedal=1, half=1, open=3)
    low, high = {"closed": (0.035, 0.16), "pedal": (0.06, 0.2), "half": (0.2, 0.5), "open": (0.4, 1.5)}[style]
    t60 = dice.scaled("decay_s", low, high)
    time = dice.time(min(1.9, 1.5 * t60 + 0.03))
    edge = dice.scaled("edge_hz", 2500, 8000)
    attack = dice.scaled("attack_s", 0.003, 0.012) if style == "pedal" else 0.0003
    ring = dice.between("ring", 0, 1)
    machine, metal, hiss = dice.rng.dirichlet([0.6, 1.2, 1.2])
    dice.labels.update(machine=round(float(machine), 3), metal=round(float(metal), 3), hiss=round(float(hiss), 3))
    pitch = dice.scaled("pitch_hz", 200, 560)
    cluster = pitch * np.array([1.0, 1.342, 1.2312, 1.6532, 1.9523, 2.1523]) * dice.rng.uniform(0.94, 1.06, 6)
    tones = squares(dice, cluster, time=time, ring=ring) * decay(time, t60, attack=attack)
    damping = dice.between("damping", 0.1, 0.5)
    plates = bank(dice, 90, edge * 0.35, 17000, tilt=dice.between("tilt_db", -1, 4), t60=t60 * 1.6, damping=damping, time=time)
    bands = [
        (edge * 0.5, -14, t60 * 0.7),
        (edge, -3, t60),
        (edge * 1.8, 0, t60 * 0.9),
        (min(17000, edge * 3), dice.between("air_db", -10, 3), t60 * 0.7),
    ]
    noise = level(noise_bands(dice, bands, time=time, attack=attack))
    out = machine * level(filtered(tones, dice.rate, low=edge)) + metal * plates * decay(time, 3 * t60, attack=attack) + hiss * noise
    out = filtered(out, dice.rate, low=edge * dice.between("low_cut", 0.3, 0.9), order=2)
    strike = level(noise_bands(dice, [(edge * 0.4, -8, 0.012), (edge, 0, 0.01), (12000, 0, 0.006)], time=time))
    out = level(out) + 10 ** (dice.between("strike_db", -20, 0) / 20) * strike * (style != "pedal")
    out = saturate(out, dice.between("drive", 0, 1.2))
    if dice.often(0.5):
        out = room(dice, out, seconds=0.2, wet=dice.between("room", 0, 0.1), dark=9000.0)
    return out


def cymbal(dice: Dice) -> Wave:
    """A crash, splash, ride or china: hundreds of inharmonic partials under noise whose brightness rises after the strike."""
    style = dice.style(crash=4, splash=2, ride=3, china=1)
    low, high = {"crash": (1.2, 2.6), "splash": (0.4, 1.0), "ride": (1.0, 2.4), "china": (0.7, 1.6)}[style]
    t60 = dice.scaled("decay_s", low, high)
    time = dice.time(min(2.0, 1.5 * t60))
    base = dice.scaled("pitch_hz", 180, 520) * (1.6 if style == "splash" else 1.0)
    damping = dice.between("damping", 0.15, 0.45)
    tilt = dice.between("tilt_db", -3.5, 1.0) - (1.5 if style == "ride" else 0.0)
    out = bank(dice, int(dice.rng.integers(140, 320)), base, 16500, tilt=tilt, t60=t60 * 1.3, damping=damping, time=time)
    if style == "ride":
        bell = bank(dice, 9, base * 1.5, 6500, tilt=-1.0, t60=t60, damping=0.3, time=time)
        out = out + dice.between("bell", 0.3, 1.6) * bell
    swell = dice.scaled("swell_s", 0.004, 0.05) if style in ("crash", "china") else 0.002
    # Energy creeps upwards after the strike: the high bands start later and slower than the low ones.
    dark = [(base / 2, -26, t60 * 0.9), (base, -14, t60 * 0.8), (base * 3, -8, t60 * 0.9), (2500, -3, t60 * 0.8)]
    light = [(4500, 0, t60 * 0.8), (8000, dice.between("air_db", -6, 4), t60 * 0.65), (14000, -4, t60 * 0.45)]
    wash = noise_bands(dice, dark, time=time, attack=0.001) + noise_bands(dice, light, time=time, attack=swell)
    share = {"crash": 1.1, "splash": 0.9, "ride": 0.3, "china": 1.4}[style] * dice.scaled("wash", 0.5, 1.6)
    out = level(out) + share * level(wash)
    if style == "china":
        out = saturate(out, dice.between("trash", 0.5, 3)) * decay(time, 1.5 * t60)
    stick = level(noise_bands(dice, [(1500, -6, 0.015), (5000, 0, 0.01), (11000, -2, 0.006)], time=time))
    out = level(out) + 10 ** (dice.between("stick_db", -20, 0 if style == "ride" else -8) / 20) * stick
    return filtered(out, dice.rate, low=dice.scaled("low_cut_hz", 50, 400), order=1)
