"""The corpus `synthetic:variety`: drums, notes, electronic tones, and events made of several sounds."""

from __future__ import annotations

import numpy as np

from timbrespace.corpus.synthetic.base import SyntheticClip
from timbrespace.corpus.synthetic.drum_kit import drum_wave, synthetic_drum
from timbrespace.corpus.synthetic.drum_parts import (
    bank,
    decay,
    drawn_room,
    ending,
    filtered,
    level,
    mix,
    noise_bands,
    partials,
    saturate,
    squares,
    sweep,
)
from timbrespace.corpus.synthetic.sampler import ParameterSampler, Wave
from timbrespace.corpus.synthetic.tonal import note

FAMILIES = ("drum", "tone", "note", "event")  # in turn
_LEAD_S = 0.001  # kept before the onset, as in clips of a prepared corpus
_ONSET = 10 ** (-30 / 20)  # of the peak: the level at which a slowly rising sound starts


def variety_clip(index: int, *, seed: int, sample_rate: int) -> SyntheticClip:
    """Clip number `index` of the corpus with this `seed`, independent of all other clips. Lasts at most 2 s, peak -1 dB or less."""
    turn, place = divmod(index, len(FAMILIES))
    family = FAMILIES[place]
    if family == "drum":
        return synthetic_drum(turn, seed=seed, sample_rate=sample_rate)
    if family == "note":
        return note(turn, seed=seed, sample_rate=sample_rate)
    import torch

    sampler = ParameterSampler.for_clip(seed, index, sample_rate, stream=2)
    wave = ending(tone(sampler) if family == "tone" else event(sampler), sample_rate)
    start = int((np.abs(wave) > _ONSET).argmax()) - round(_LEAD_S * sample_rate)
    wave = wave[max(0, start) :]
    labels: dict[str, float | int | str] = {"kind": family, **sampler.labels, "seconds": round(wave.size / sample_rate, 4)}
    return SyntheticClip(f"{family}/{family} {turn + 1:04d}", family, torch.from_numpy(wave.astype(np.float32))[None], labels)


def tone(sampler: ParameterSampler) -> Wave:
    """An electronic tone: a beep of a few harmonics, frequency modulation, a chirp, a bank of inharmonic partials, or a square buzz."""
    style = sampler.style(beep=2, modulated=3, chirp=2, bank=2, buzz=1)
    time = sampler.time(sampler.log_uniform("seconds", 0.06, 2.0))
    pitch, t60 = min(sampler.log_uniform("pitch_hz", 60, 6000), 0.2 * sampler.rate), sampler.log_uniform("decay_s", 0.05, 4.0)
    if style == "beep":
        ratios = np.arange(1.0, sampler.rng.integers(2, 7))
        gains = np.exp(sampler.rng.normal(0, 0.7, ratios.size)) * ratios ** -sampler.uniform("tilt", 0, 2)
        t60s = t60 * ratios ** -sampler.uniform("damping", 0, 1)
        wave = partials(pitch * ratios, gains, t60s, sampler.rng.uniform(0, 2 * np.pi, ratios.size), time=time)
    elif style == "modulated":
        other = pitch * sampler.log_uniform("ratio", 0.25, 8)
        index = sampler.log_uniform("index", 0.3, 12) * np.exp(-time / sampler.log_uniform("index_s", 0.02, 1.0))
        wave = np.sin(2 * np.pi * pitch * time + index * np.sin(2 * np.pi * other * time)) * decay(time, t60)
    elif style == "chirp":
        start, drop = pitch * sampler.log_uniform("sweep_ratio", 0.2, 5), sampler.log_uniform("sweep_s", 0.01, 0.5)
        wave = sweep(time, start, pitch, drop, shape=sampler.uniform("shape", 0, 1)) * decay(time, t60)
    elif style == "bank":
        count, top = int(sampler.rng.integers(3, 16)), min(18_000.0, pitch * sampler.log_uniform("span", 2, 16))
        tilt, damping = sampler.uniform("tilt", -9, 2), sampler.uniform("damping", 0, 1)
        wave = bank(sampler, count, pitch, top, tilt=tilt, t60=t60, damping=damping, time=time)
    else:
        pitches = [pitch, pitch * sampler.uniform("interval", 1, 1.7)][: int(sampler.rng.integers(1, 3))]
        edge = min(18_000.0, pitch * sampler.log_uniform("edge", 1.5, 20))
        wave = filtered(squares(sampler, pitches, time=time), sampler.rate, high=edge) * decay(time, t60)
    wave = level(wave)
    if sampler.chance(0.6):
        bands = [(1500, -3, sampler.log_uniform("tick_s", 0.01, 0.1)), (6000, 0, sampler.log_uniform("click_s", 0.005, 0.05))]
        wave = wave + 10 ** (sampler.uniform("tick_db", -30, 0) / 20) * level(noise_bands(sampler, bands, time=time))
    if sampler.chance(0.3):
        wave = drawn_room(sampler, wave, seconds=(0.1, 0.8), wet=(0, 0.3), dark=(1500, 9000))
    return saturate(wave, sampler.uniform("drive", 0, 4)) if sampler.chance(0.3) else wave


def event(sampler: ParameterSampler) -> Wave:
    """A sound with a late loudest moment: a roll, a swell, one sound after another, a sound backwards."""
    style = sampler.style(roll=2, swell=2, double=2, reverse=1)
    wave = _source(sampler)
    if style == "reverse":
        return wave[::-1].copy()
    if style == "swell":
        time = np.arange(wave.size) / sampler.rate
        return wave * np.minimum(1.0, time / sampler.log_uniform("rise_s", 0.008, 0.5)) ** sampler.uniform("power", 0.5, 3)
    if style == "double":
        second = _source(sampler)
        after = np.zeros(round(sampler.log_uniform("gap_s", 0.01, 0.6) * sampler.rate))
        return mix(10 ** (sampler.uniform("first_db", -24, 6) / 20) * wave, np.concatenate([after, second]))
    strokes, louder = int(sampler.rng.integers(3, 14)), sampler.uniform("louder_db", -2, 2)
    gaps = sampler.log_uniform("gap_s", 0.03, 0.15) * np.exp(sampler.rng.normal(0, 0.15, strokes))
    gains = 10 ** ((louder * np.arange(strokes) + sampler.rng.normal(0, 2, strokes)) / 20)
    at = np.round((np.cumsum(gaps) - gaps[0]) * sampler.rate).astype(int)
    out = np.zeros(int(at[-1]) + wave.size)
    for moment, gain in zip(at, gains, strict=True):
        out[moment : moment + wave.size] += gain * wave
    return out


def _source(sampler: ParameterSampler) -> Wave:
    """A drum or a tone at full level; its labels are dropped."""
    inner = ParameterSampler(sampler.rng, sampler.noise, sampler.rate)
    return level(drum_wave(int(sampler.rng.integers(20)), inner) if sampler.chance(0.5) else tone(inner))
