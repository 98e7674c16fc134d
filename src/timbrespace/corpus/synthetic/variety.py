"""As many kinds of sounds as cheap synthesis gives: drums, notes, electronic tones, and events made of several of them."""

from __future__ import annotations

import numpy as np

from timbrespace.corpus.synthetic.drum_parts import (
    ParameterSampler,
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
from timbrespace.corpus.synthetic.registry import SyntheticClip, drum_wave, synthetic_drum, synthetic_note

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

    sampler = ParameterSampler(np.random.default_rng([seed, index, 2]), np.random.default_rng([seed, index, 3]), sample_rate)
    wave = ending(tone(sampler) if family == "tone" else event(sampler), sample_rate)
    begins = int((np.abs(wave) > _HEARD).argmax()) - round(_LEAD_S * sample_rate)
    wave = wave[max(0, begins) :]
    labels: dict[str, float | int | str] = {"kind": family, **sampler.labels, "seconds": round(wave.size / sample_rate, 4)}
    return SyntheticClip(f"{family}/{family} {turn + 1:04d}", family, torch.from_numpy(wave.astype(np.float32))[None], labels)


def tone(sampler: ParameterSampler) -> Wave:
    """Electronic: a beep of a few harmonics, frequency modulation, a chirp, a bank of inharmonic partials, or a square buzz."""
    style = sampler.style(beep=2, modulated=3, chirp=2, bank=2, buzz=1)
    time = sampler.time(sampler.scaled("seconds", 0.06, 2.0))
    pitch, t60 = min(sampler.scaled("pitch_hz", 60, 6000), 0.2 * sampler.rate), sampler.scaled("decay_s", 0.05, 4.0)
    if style == "beep":
        ratios = np.arange(1.0, sampler.rng.integers(2, 7))
        gains = np.exp(sampler.rng.normal(0, 0.7, ratios.size)) * ratios ** -sampler.between("tilt", 0, 2)
        t60s = t60 * ratios ** -sampler.between("damping", 0, 1)
        wave = partials(pitch * ratios, gains, t60s, sampler.rng.uniform(0, 2 * np.pi, ratios.size), time=time)
    elif style == "modulated":
        other = pitch * sampler.scaled("ratio", 0.25, 8)
        index = sampler.scaled("index", 0.3, 12) * np.exp(-time / sampler.scaled("index_s", 0.02, 1.0))
        wave = np.sin(2 * np.pi * pitch * time + index * np.sin(2 * np.pi * other * time)) * decay(time, t60)
    elif style == "chirp":
        start, drop = pitch * sampler.scaled("sweep_ratio", 0.2, 5), sampler.scaled("sweep_s", 0.01, 0.5)
        wave = sweep(time, start, pitch, drop, shape=sampler.between("shape", 0, 1)) * decay(time, t60)
    elif style == "bank":
        count, top = int(sampler.rng.integers(3, 16)), min(18_000.0, pitch * sampler.scaled("span", 2, 16))
        tilt, damping = sampler.between("tilt", -9, 2), sampler.between("damping", 0, 1)
        wave = bank(sampler, count, pitch, top, tilt=tilt, t60=t60, damping=damping, time=time)
    else:
        pitches = [pitch, pitch * sampler.between("interval", 1, 1.7)][: int(sampler.rng.integers(1, 3))]
        edge = min(18_000.0, pitch * sampler.scaled("edge", 1.5, 20))
        wave = filtered(squares(sampler, pitches, time=time), sampler.rate, high=edge) * decay(time, t60)
    wave = level(wave)
    if sampler.often(0.6):
        bands = [(1500, -3, sampler.scaled("tick_s", 0.01, 0.1)), (6000, 0, sampler.scaled("click_s", 0.005, 0.05))]
        wave = wave + 10 ** (sampler.between("tick_db", -30, 0) / 20) * level(noise_bands(sampler, bands, time=time))
    if sampler.often(0.3):
        seconds, wet, dark = sampler.scaled("room_s", 0.1, 0.8), sampler.between("room", 0, 0.3), sampler.scaled("room_hz", 1500, 9000)
        wave = room(sampler, wave, seconds=seconds, wet=wet, dark=dark)
    return saturate(wave, sampler.between("drive", 0, 4)) if sampler.often(0.3) else wave


def event(sampler: ParameterSampler) -> Wave:
    """What has its loudest moment late: a roll, a swell, one sound after another, a sound backwards."""
    style = sampler.style(roll=2, swell=2, double=2, reverse=1)
    wave = _source(sampler)
    if style == "reverse":
        return wave[::-1].copy()
    if style == "swell":
        time = np.arange(wave.size) / sampler.rate
        return wave * np.minimum(1.0, time / sampler.scaled("rise_s", 0.008, 0.5)) ** sampler.between("power", 0.5, 3)
    if style == "double":
        second = _source(sampler)
        after = np.zeros(round(sampler.scaled("gap_s", 0.01, 0.6) * sampler.rate))
        return mix(10 ** (sampler.between("first_db", -24, 6) / 20) * wave, np.concatenate([after, second]))
    strokes, louder = int(sampler.rng.integers(3, 14)), sampler.between("louder_db", -2, 2)
    gaps = sampler.scaled("gap_s", 0.03, 0.15) * np.exp(sampler.rng.normal(0, 0.15, strokes))
    gains = 10 ** ((louder * np.arange(strokes) + sampler.rng.normal(0, 2, strokes)) / 20)
    at = np.round((np.cumsum(gaps) - gaps[0]) * sampler.rate).astype(int)
    out = np.zeros(int(at[-1]) + wave.size)
    for moment, gain in zip(at, gains, strict=True):
        out[moment : moment + wave.size] += gain * wave
    return out


def _source(sampler: ParameterSampler) -> Wave:
    """A drum or a tone at full level; its own labels are not kept."""
    inner = ParameterSampler(sampler.rng, sampler.noise, sampler.rate)
    return level(drum_wave(int(sampler.rng.integers(20)), inner)[1] if sampler.often(0.5) else tone(inner))
