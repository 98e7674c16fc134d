"""Part `modulation`: are vibrato and tremolo measured as made, and changed as asked, without anything else changing?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from lib.page import table
from lib.process import say
from timbrespace.audio.distance import log_mel_error
from timbrespace.audio.files import read_array
from timbrespace.modulation.change import change, donor_of
from timbrespace.modulation.measuring import Parts, measured, split
from timbrespace.modulation.options import read_wish
from timbrespace.voices.analysis import analyse
from timbrespace.voices.frames import RATE, Values
from timbrespace.voices.rendering import render

FAMILIES = ("violin", "viola", "cello", "flute", "oboe", "vibraphone", "trumpet", "clarinet", "piano", "organ", "strings", "choir")
TONES = 20


def tables(sounds: Path, *, notes: int, seconds: float) -> str:
    """Returns the tables as Markdown. notes: of each instrument. seconds: of each piece."""
    found = [_made(), _present(sounds, notes), _changed(sounds, notes, seconds)]
    return "\n\n".join(found)


def _made() -> str:
    """Errors on computed tones of known modulations, drawn at random."""
    rng = np.random.default_rng(0)
    rows = []
    for kind in ("vibrato", "tremolo"):
        for noise in (0.001, 0.1):
            errors = []
            for _ in range(TONES):
                rate, depth = rng.uniform(3.5, 8), float(np.exp(rng.uniform(*np.log([8, 100] if kind == "vibrato" else [0.8, 8]))))
                hertz, delay = float(np.exp(rng.uniform(*np.log([80, 1_200])))), float(rng.choice([0, 0.5]))
                sound = _tone(hertz, kind, rate, depth, delay, noise, rng)
                parts = split(sound, RATE)
                one = getattr(measured(parts, 2.5), kind)
                if one is None:
                    errors.append([np.nan] * 5)
                    continue
                none, other = read_wish(kind, 0), read_wish("vibrato")
                wishes = (none, other) if kind == "vibrato" else (other, none)
                rest = split(change(sound, RATE, *wishes).audio, RATE)
                left = max(part.depth for part in (rest.all_pitch if kind == "vibrato" else rest.all_level))
                errors.append(
                    [abs(one.rate / rate - 1), abs(one.depth / depth - 1), abs(one.delay - delay), 1 - one.regularity, left / depth]
                )
            values = np.array(errors)
            share = 100 * float(np.isfinite(values[:, 0]).mean())
            cells = [_both(100 * values[:, k], "{:.2f}") for k in (0, 1)] + [_both(1_000 * values[:, 2], "{:.0f}")]
            rows.append([f"{kind}, noise at {20 * np.log10(noise):.0f} dB", f"{share:.0f}", *cells, _both(100 * values[:, 4], "{:.1f}")])
            say(" | ".join(rows[-1]))
    head = ["computed tones", "found (%)", "rate (%)", "depth (%)", "delay (ms)", "left after removal (% of depth)"]
    return f"Errors, median and largest, of {TONES} tones each:\n\n" + table(head, rows)


def _both(values: Values, form: str) -> str:
    """Median and largest."""
    return f"{form.format(float(np.nanmedian(values)))}, {form.format(float(np.nanmax(values)))}"


def _tone(hertz: float, kind: str, rate: float, depth: float, delay: float, noise: float, rng: np.random.Generator) -> Values:
    time = np.arange(round(2.5 * RATE)) / RATE
    wave = depth * np.sin(2 * np.pi * rate * np.maximum(time - delay, 0))
    turns = np.cumsum(hertz * 2 ** ((wave if kind == "vibrato" else 0 * wave) / 1_200)) / RATE
    partials = sum(np.cos(2 * np.pi * (k * turns + rng.uniform())) / k for k in range(1, 13) if k * hertz < 18_000)
    shape = np.minimum(1, np.minimum(time / 0.04, (2.5 - time) / 0.08))
    gain = 10 ** (wave / 20) if kind == "tremolo" else 1.0
    return np.asarray(0.05 * shape * gain * (partials + noise * rng.standard_normal(len(time))), np.float32)[None]


def _present(sounds: Path, notes: int) -> str:
    """What recorded notes have."""
    rows = []
    for family in FAMILIES:
        every = [measured(parts, 1.0) for _, _, parts in _notes(sounds, family, notes)]
        cells = []
        for kind in ("vibrato", "tremolo"):
            there = [one for found in every if (one := getattr(found, kind)) is not None]
            values = [np.median([getattr(one, name) for one in there]) if there else np.nan for name in ("rate", "depth", "regularity")]
            cells.append(f"{100 * len(there) / len(every):.0f}")
            cells += [f"{value:.{digits}f}" for value, digits in zip(values, (1, 1, 2), strict=True)]
        several = sum(sum(b - a for a, b in one.several) > 0.5 for one in every)
        rows.append([family, str(len(every)), *("–" if cell == "nan" else cell for cell in cells), f"{100 * several / len(every):.0f}"])
        say(" | ".join(rows[-1]))
    head = ["recorded notes", "number", "vibrato (%)", "Hz", "± cents", "regularity", "tremolo (%)", "Hz", "± dB", "regularity"]
    return table([*head, "several tones (%)"], rows)


def _notes(sounds: Path, family: str, number: int) -> Iterator[tuple[Path, Values, Parts]]:
    files = sorted((sounds / "notes" / family).glob("*.wav"))
    for path in files[:: max(1, len(files) // number)][:number]:
        audio, rate = read_array(path)
        assert rate == RATE
        yield path, audio, split(audio, rate)


def _changed(sounds: Path, notes: int, seconds: float) -> str:
    """Recorded notes and pieces with changed modulations."""
    groups: dict[str, list[Values]] = {}
    for family in ("violin", "viola", "oboe", "flute"):
        groups[f"notes: {family}"] = [audio for _, audio, parts in _notes(sounds, family, notes) if parts.pitch]
    for family in ("violin", "flute", "cello", "clarinet"):
        wave, rate = read_array(sounds / "pieces" / family / f"{family}_2.wav")
        groups[f"piece: {family}"] = [wave[:, : round(seconds * rate)]]
    donor = donor_of(split(read_array(sorted((sounds / "notes" / "violin").glob("*063_085.wav"))[0])[0], RATE))
    assert donor.vibrato is not None
    rows = []
    for name, waves in groups.items():
        figures: list[list[float]] = []
        for wave in waves:
            parts = split(wave, RATE)
            before = measured(parts, 1.0).vibrato
            if before is None:
                continue
            depth = _swing(parts)
            none, twice = (_vibrato(wave, factor) for factor in (0, 2))
            again = _vibrato(twice, 0.5)
            frames = analyse(wave.mean(axis=0, dtype=np.float64))
            rendered = render(frames, wave.shape[1])[None]
            moved = measured(split(change(wave, RATE, read_wish("vibrato"), read_wish("tremolo"), donor).audio, RATE), 1.0).vibrato
            straight = split(none, RATE)
            pairs = list(zip(parts.all_pitch, straight.all_pitch, strict=False))
            drift = float(np.mean([a.slow.mean() - b.slow.mean() for a, b in pairs])) if pairs else float("nan")
            given = [np.nan] * 2 if moved is None else [moved.rate / donor.vibrato.rate, moved.depth / donor.vibrato.depth]
            figures.append([
                before.depth, 100 * _swing(straight) / depth, _swing(split(twice, RATE)) / depth, abs(drift),
                _error(wave, again), _error(wave, rendered),
                *given,
            ])  # fmt: skip
        if figures:
            rows.append([name, str(len(figures)), *(f"{value:.2f}" for value in np.nanmedian(np.array(figures), axis=0))])
            say(" | ".join(rows[-1]))
    head = ["medians", "sounds", "own depth (cents)", "left after removal (%)", "doubled: times the depth", "drift (cents)"]
    head += [
        "doubled and halved: log-mel (dB)",
        "rendered by oscillators: log-mel (dB)",
        "moved: rate over the donor's",
        "depth over the donor's",
    ]
    return table(head, rows)


def _error(wave: Values, other: Values) -> float:
    one, two = (torch.from_numpy(np.asarray(part.mean(axis=0), np.float32))[None, None] for part in (wave, other))
    return float(log_mel_error(one, two, seconds=wave.shape[1] / RATE))


def _vibrato(wave: Values, factor: float) -> Values:
    return change(wave, RATE, read_wish("vibrato", factor), read_wish("tremolo")).audio


def _swing(parts: Parts) -> float:
    """The amplitude of what the pitch does around its slow course, of a sine, over all notes."""
    values = [np.square(one.values) for one in parts.all_pitch]
    return float(np.sqrt(2 * np.concatenate(values).mean())) if values else float("nan")
