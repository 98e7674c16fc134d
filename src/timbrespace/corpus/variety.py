"""As many kinds of sounds as cheap synthesis gives: drums, notes, electronic tones, and events made of several of them."""

from __future__ import annotations

import numpy as np

from timbrespace.corpus.drum_parts import (
    Dice,
    Wave,
    bank,
    decay,
    ending,
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
from timbrespace.corpus.synthetic import SyntheticClip, drum_wave, synthetic_drum, synthetic_note

FAMILIES = ("drum", "tone", "note", "event")  # in turn
_LEAD_S = 0.001  # kept before the onset, as clips of a corpus begin
_HEARD = 10 ** (-30 / 20)  # of the peak: where a sound that rises slowly is taken to begin


def various(index: int, *, seed: int, sample_rate: int) -> SyntheticClip:
    """Sound number `index` of the corpus that `seed` names; the same whatever else is drawn. Lasts at most 2 s, peak -1 dB or less."""
    turn, place = divmod(index, len(FAMILIES))
    family = FAMILIES[place]
    if family == "drum":
        return synthetic_drum(turn, seed=seed, sample_rate=sample_rate)
    if family == "note":
        return synthetic_note(turn, seed=seed, sample_rate=sample_rate)
    import torch

    dice = Dice(np.random.default_rng([seed, index, 2]), np.random.default_rng([seed, index, 3]), sample_rate)
    wave = ending(tone(dice) if family == "tone" else event(dice), sample_rate)
    begins = int((np.abs(wave) > _HEARD).argmax()) - round(_LEAD_S * sample_rate)
    wave = wave[max(0, begins) :]
    labels: dict[str, float | int | str] = {"kind": family, **dice.labels, "seconds": round(wave.size / sample_rate, 4)}
    return SyntheticClip(f"{family}/{family} {turn + 1:04d}", family, torch.from_numpy(wave.astype(np.float32))[None], labels)


def tone(dice: Dice) -> Wave:
    """Electronic: a beep of a few harmonics, frequency modulation, a chirp, a bank of inharmonic partials, or a square buzz."""
    style = dice.style(beep=2, modulated=3, chirp=2, bank=2, buzz=1)
    time = dice.time(dice.scaled("seconds", 0.06, 2.0))
    pitch, t60 = min(dice.scaled("pitch_hz", 60, 6000), 0.2 * dice.rate), dice.scaled("decay_s", 0.05, 4.0)
    if style == "beep":
        ratios = np.arange(1.0, dice.rng.integers(2, 7))
        gains = np.exp(dice.rng.normal(0, 0.7, ratios.size)) * ratios ** -dice.between("tilt", 0, 2)
        t60s = t60 * ratios ** -dice.between("damping", 0, 1)
        wave = partials(pitch * ratios, gains, t60s, dice.rng.uniform(0, 2 * np.pi, ratios.size), time=time)
    elif style == "modulated":
        other = pitch * dice.scaled("ratio", 0.25, 8)
        index = dice.scaled("index", 0.3, 12) * np.exp(-time / dice.scaled("index_s", 0.02, 1.0))
        wave = np.sin(2 * np.pi * pitch * time + index * np.sin(2 * np.pi * other * time)) * decay(time, t60)
    elif style == "chirp":
        start, drop = pitch * dice.scaled("sweep_ratio", 0.2, 5), dice.scaled("sweep_s", 0.01, 0.5)
        wave = sweep(time, start, pitch, drop, shape=dice.between("shape", 0, 1)) * decay(time, t60)
    elif style == "bank":
        count, top = int(dice.rng.integers(3, 16)), min(18_000.0, pitch * dice.scaled("span", 2, 16))
        tilt, damping = dice.between("tilt", -9, 2), dice.between("damping", 0, 1)
        wave = bank(dice, count, pitch, top, tilt=tilt, t60=t60, damping=damping, time=time)
    else:
        pitches = [pitch, pitch * dice.between("interval", 1, 1.7)][: int(dice.rng.integers(1, 3))]
        edge = min(18_000.0, pitch * dice.scaled("edge", 1.5, 20))
        wave = filtered(squares(dice, pitches, time=time), dice.rate, high=edge) * decay(time, t60)
    wave = level(wave)
    if dice.often(0.6):
        bands = [(1500, -3, dice.scaled("tick_s", 0.01, 0.1)), (6000, 0, dice.scaled("click_s", 0.005, 0.05))]
        wave = wave + 10 ** (dice.between("tick_db", -30, 0) / 20) * level(noise_bands(dice, bands, time=time))
    if dice.often(0.3):
        seconds, wet, dark = dice.scaled("room_s", 0.1, 0.8), dice.between("room", 0, 0.3), dice.scaled("room_hz", 1500, 9000)
        wave = room(dice, wave, seconds=seconds, wet=wet, dark=dark)
    return saturate(wave, dice.between("drive", 0, 4)) if dice.often(0.3) else wave


def event(dice: Dice) -> Wave:
    """What has its loudest moment late: a roll, a swell, one sound after another, a sound backwards."""
    style = dice.style(roll=2, swell=2, double=2, reverse=1)
    wave = _source(dice)
    if style == "reverse":
        return wave[::-1].copy()
    if style == "swell":
        time = np.arange(wave.size) / dice.rate
        return wave * np.minimum(1.0, time / dice.scaled("rise_s", 0.008, 0.5)) ** dice.between("power", 0.5, 3)
    if style == "double":
        second = _source(dice)
        after = np.zeros(round(dice.scaled("gap_s", 0.01, 0.6) * dice.rate))
        return mix(10 ** (dice.between("first_db", -24, 6) / 20) * wave, np.concatenate([after, second]))
    strokes, louder = int(dice.rng.integers(3, 14)), dice.between("louder_db", -2, 2)
    gaps = dice.scaled("gap_s", 0.03, 0.15) * np.exp(dice.rng.normal(0, 0.15, strokes))
    gains = 10 ** ((louder * np.arange(strokes) + dice.rng.normal(0, 2, strokes)) / 20)
    at = np.round((np.cumsum(gaps) - gaps[0]) * dice.rate).astype(int)
    out = np.zeros(int(at[-1]) + wave.size)
    for moment, gain in zip(at, gains, strict=True):
        out[moment : moment + wave.size] += gain * wave
    return out


def _source(dice: Dice) -> Wave:
    """A drum or a tone at full level; its own labels are not kept."""
    inner = Dice(dice.rng, dice.noise, dice.rate)
    return level(drum_wave(int(dice.rng.integers(20)), inner)[1] if dice.often(0.5) else tone(inner))
