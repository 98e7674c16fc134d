"""Notes that are held, beside their own one-shots: pitch, evenness of level, spectrum, sample steps while pressed, moved and let go."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch

from lib.live.measures import Audio, jump
from lib.page import table
from timbrespace.audio.loudness import momentary_loudness
from timbrespace.audio.stft import mel_filters, power_spectrogram
from timbrespace.live import Engine
from timbrespace.live.engine import LEVEL
from timbrespace.live.state import SoundKey

RATE, VELOCITY = 48_000, 100
KINDS = {"bank": "oscillator bank", "spectrum": "inverse transform"}
_FLOOR = 50.0  # dB under the loudest band: quieter ones are left out
_STRUCK = LEVEL * (VELOCITY / 127) ** 1.5  # what the engine plays of a one-shot
_BESIDE = 7  # semitones between pairs of neighbouring keys
_EVERY = 6  # semitones between the notes whose pitch and spectrum are compared


def notes_part(path: Path) -> str:
    """Measures an instrument of notes at each of its sounds, over its range."""
    rows = [_row(path, kind) for kind in KINDS]
    columns = (
        "", "pitch off, worst (cents)", "level between neighbouring keys, median (dB)", "worst (dB)", "held beside the one-shot (dB)",
        "two one-shots (dB)", "held over the one-shot's loudness (dB)", "step when pressed (× one-shot or steady)", "let go (× steady)",
        "moved (× around)", "CPU of a note (%)", "of one that moves (%)",
    )  # fmt: skip
    return table(columns, rows) + "\n\n" + _NOTE


_NOTE = """Every sound of the instrument, notes over its whole range. Level: the loudest 0.4 s, K-weighted, of keys beside the next.
Beside the one-shot: mean difference of 40 mel bands, levels aligned, between the held sound and the part of the decoded one-shot that is
held; two one-shots: the same between two renderings of it that differ by their seed. Steps: second differences of samples. Pressed: the
first 20 ms over those of the one-shot, both as loud afterwards, or over those of the steady tone, of which the larger counts. Moved: axis,
latent and control at once, 100 times a second; the largest step of 5 ms over those 5 ms before and after it, of which the larger counts: a
click stands out of both."""


def _row(path: Path, kind: str) -> list[str]:
    off, levels, apart, floor, louder = (list[float]() for _ in range(5))
    pressed, let_go, moved, steady, moving = (list[float]() for _ in range(5))
    with Engine(path, held=kind, hold_notes=True, sample_rate=RATE) as engine, Engine(path, sample_rate=RATE) as other:
        source = engine.sounds.sources[0]
        low, high = round(source.lowest), round(source.highest)
        for pad in range(len(source.pads)):
            engine.pad(pad)
            for note in range(low, high, _BESIDE):
                one, two = (_loudness(_held(engine, key, 2.0)[-RATE // 2 :]) for key in (note, note + 1))
                levels.append(abs(two - one))
            for note in range(low, high + 1, _EVERY):
                start = _cpu()
                engine.note_on(note, VELOCITY)
                audio = _mono(engine.render(3 * RATE))
                steady.append((_cpu() - start) / 3)
                tone = audio[-RATE:]
                off.append(abs(_cents_off(tone, note)))
                start = _cpu()
                moved.append(_local_step(_swept(engine)))
                moving.append(_cpu() - start)
                engine.note_off(note)
                let_go.append(jump(_mono(engine.render(RATE // 4))) / jump(tone))
                first, second, held = _one_shots(other, source, pad, note)
                part = slice(int(held.start * RATE), max(int(held.stop * RATE), int(held.start * RATE) + RATE // 10))
                apart.append(_apart(tone, first[part]))
                floor.append(_apart(second[part], first[part]))
                louder.append(_loudness(audio) - _loudness(_STRUCK * first))
                factor = 10 ** ((_loudness(tone) - _loudness(first[part])) / 20)
                pressed.append(jump(audio[: RATE // 50]) / max(factor * jump(first[: RATE // 50]), jump(tone)))
    return [
        KINDS[kind], f"{max(off):.3f}", f"{np.median(levels):.2f}", f"{max(levels):.2f}", f"{np.median(apart):.2f}",
        f"{np.median(floor):.2f}", f"{np.median(louder):+.1f}", _both(pressed), f"{max(let_go):.2f}", f"{max(moved):.2f}",
        f"{100 * np.mean(steady):.1f}", f"{100 * np.mean(moving):.0f}",
    ]  # fmt: skip


def _both(values: list[float]) -> str:
    return f"{np.median(values):.2f}, worst {max(values):.2f}"


def _held(engine: Engine, note: float, seconds: float) -> Audio:
    engine.note_on(note, VELOCITY)
    audio = _mono(engine.render(round(seconds * RATE)))
    engine.note_off(note)
    engine.render(RATE // 5)
    return audio


def _one_shots(engine: Engine, source: Any, pad: int, note: float) -> tuple[Audio, Audio, Any]:
    """Two renderings of a note, and when it is steady."""
    key, shots = engine.sounds.key(0, pad, VELOCITY, 0, pitch=float(note)), engine.sounds.sources[0]
    found = []
    for variation in (None, 0):  # of humanise 0: another seed
        audio = shots.render(key._replace(variation=variation))
        found.append(np.asarray(soxr.resample(audio[0].astype(np.float64), shots.sample_rate, RATE)))
    return found[0], found[1], source.course(SoundKey(0, pad, float(note), key.velocity)).held


def _swept(engine: Engine) -> Audio:
    """A second in which the sound moves, and half a second on the way back, which is left out."""
    names = list(engine.sounds.sources[0].controls)[:1]
    pieces = []
    for step in range(150):
        x = 2 * np.sin(2 * np.pi * step / 50) if step < 100 else 0.0
        engine.set_axis(0, float(x))
        engine.set_latent(1, float(x) / 2)
        for name in names:
            engine.set_control(name, float(x))
        pieces.append(engine.render(RATE // 100))
    return _mono(np.concatenate(pieces[:100]))


def _local_step(audio: Audio) -> float:
    steps = np.abs(np.diff(audio, 2))
    most = steps[: len(steps) // 240 * 240].reshape(-1, 240).max(1)
    return float((most[2:-2] / np.maximum(most[:-4], most[4:])).max())


def _cents_off(audio: Audio, note: float) -> float:
    """How far the strongest harmonic of a note is from its place."""
    size, hertz = 2**19, 440 * 2 ** ((note - 69) / 12)
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), size))
    numbers = np.arange(1, max(2, int(4_000 / hertz)))
    places = np.round(numbers * hertz * size / RATE).astype(int)
    number = int(numbers[spectrum[places].argmax()])
    around = np.arange(int(number * hertz * 0.985 * size / RATE), int(number * hertz * 1.015 * size / RATE) + 2)
    top = int(around[spectrum[around].argmax()])
    left, middle, right = np.log(spectrum[top - 1 : top + 2])
    return float(1200 * np.log2((top + 0.5 * (left - right) / (left - 2 * middle + right)) * RATE / size / (number * hertz)))


def _apart(one: Audio, other: Audio) -> float:
    """The mean difference of two sounds' mel bands in dB, their levels aligned."""
    a, b = (_mel(audio) for audio in (one, other))
    kept = np.maximum(a - a.max(), b - b.max()) > -_FLOOR
    difference = (a - b)[kept]
    return float(np.abs(difference - difference.mean()).mean())


def _mel(audio: Audio) -> np.ndarray:
    power = power_spectrogram(torch.from_numpy(audio).float()[None, None], n_fft=2048, hop=512)[0, 0].mean(-1).numpy()
    filters = mel_filters(bands=40, n_fft=2048, sample_rate=RATE, low=50.0, high=16_000.0).numpy()
    return np.asarray(10 * np.log10(filters @ power + 1e-12))


def _loudness(audio: Audio) -> float:
    return momentary_loudness(audio[None], RATE)


def _mono(audio: np.ndarray) -> Audio:
    return audio[:, 0].astype(np.float64)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
