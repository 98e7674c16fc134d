"""Takes as people record them, made from dry pieces: a room, noise, breath, chords; and how a conversion copes with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from lib.process import say
from lib.voices.measures import Values
from timbrespace.voices.conversion import Converted, convert
from timbrespace.voices.file import Voices
from timbrespace.voices.frames import HOP, RATE
from timbrespace.voices.training import read_wave
from timbrespace.voices.weights import Curve

HEADS = [
    "piece", "voice", "take", "pitch, median (cents)", "off by over 50 cents (%)", "loudness, correlation", "called the voice's (%)",
    "filtered (%)", "of chords (%)", "of the rest (%)",
]  # fmt: skip
_PYIN_HOP = 512
_CHORD_SECONDS = 4.0  # of passages with and without a second piece
_AUDIBLE_DB = 45.0


def room(wave: Values, seconds: float, direct_db: float, rng: np.random.Generator) -> Values:
    """Returns a recording in a room: the direct sound, six reflections, and noise that decays by 60 dB in `seconds`.

    direct_db: power of the direct sound over that of all the rest.
    """
    from scipy.signal import fftconvolve

    time = np.arange(round(1.2 * seconds * RATE)) / RATE
    response = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds) * (time > 0.02)
    for delay, gain in zip(rng.uniform(0.004, 0.05, 6), 10 ** (rng.uniform(-12, -4, 6) / 20), strict=True):
        response[round(delay * RATE)] += gain * np.abs(response).max() * rng.choice((-1, 1))
    response *= np.sqrt(10 ** (-direct_db / 10) / np.square(response).sum())
    response[0] += 1.0
    return np.asarray(fftconvolve(wave, response)[: len(wave)])


def pink(count: int, rng: np.random.Generator) -> Values:
    """Returns pink noise of variance 1 `(count,)`."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0))
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / noise.std())


def breath(wave: Values, rng: np.random.Generator) -> Values:
    """Returns noise of 800 to 6,000 Hz that follows the level of a recording 26 dB below it, and one intake of 0.4 s every 4 s."""
    from scipy.signal import butter, sosfilt

    noise = sosfilt(butter(2, (800, 6_000), "bandpass", fs=RATE, output="sos"), rng.standard_normal(len(wave)))
    noise /= noise.std()
    envelope = np.sqrt(np.convolve(np.square(wave), np.ones(2_205) / 2_205, "same"))
    time = np.arange(len(wave)) / RATE % 4
    intake = np.where(time > 3.6, np.sin(np.pi * (time - 3.6) / 0.4), 0.0) ** 2
    return np.asarray(noise * (0.05 * envelope + 0.02 * envelope.max() * intake))


def takes(wave: Values, other: Values) -> dict[str, tuple[Values, Values]]:
    """Returns takes of a piece by name, each with where a second piece sounds `(time,)` too. other: a piece of the same instrument."""
    rng = np.random.default_rng(0)
    level, none = float(np.std(wave)), np.zeros(len(wave), bool)
    wet = room(wave, 0.5, 6.0, rng)
    gate = (np.arange(len(wave)) / RATE / _CHORD_SECONDS).astype(int) % 2 == 1
    soft = np.convolve(gate, np.hanning(2_205) / np.hanning(2_205).sum(), "same")
    second = np.resize(other, len(wave)) * soft
    return {
        "dry": (wave, none),
        "room, 0.5 s": (wet, none),
        "hall, 1.8 s": (room(wave, 1.8, 3.0, rng), none),
        "pink noise, 30 dB": (wave + 10**-1.5 * level * pink(len(wave), rng), none),
        "pink noise, 20 dB": (wave + 0.1 * level * pink(len(wave), rng), none),
        "breath": (wave + breath(wave, rng), none),
        "room, breath, noise 30 dB": (wet + breath(wave, rng) + 10**-1.5 * level * pink(len(wave), rng), none),
        "chords": (wave + second, _sounding(wave) & _sounding(second)),
    }


def take_rows(
    folder: Path, name: str, other: str, voices: Voices, classifier: Callable[[Values], Values], number: int, seconds: float
) -> list[list[str]]:  # fmt: skip
    """Returns the rows of the takes of an instrument's second piece, played by another one. number: of that one, to the classifier."""
    first, piece = (read_wave(folder / name / f"{name}_{index}.wav")[: round(seconds * RATE)].astype(np.float64) for index in (1, 2))
    pitch, rows = _pitch(piece), []
    for take, (wave, chords) in takes(piece, first).items():
        say(f"{name} by {other}: {take}")
        wave = wave * min(1.0, 0.9 / np.abs(wave).max())
        result = convert(voices, wave[None].astype(np.float32), Curve(((0.0, {other: 1.0}),)))
        made = result.audio[0].astype(np.float64)
        filtered = _flags(result, len(wave))
        audible = _sounding(wave)
        rows.append(
            [
                name, other, take, *_course(piece, wave, made, pitch, ~chords),
                f"{100 * float((classifier(made.astype(np.float32)) == number).mean()):.0f}",
                f"{100 * filtered[audible].mean():.0f}", f"{100 * filtered[chords].mean():.0f}" if chords.any() else "–",
                f"{100 * filtered[audible & ~chords].mean():.0f}",
            ]
        )  # fmt: skip
    return rows


def _pitch(wave: Values) -> Values:
    import librosa

    return np.asarray(librosa.pyin(wave.astype(np.float32), fmin=60.0, fmax=2_000.0, sr=RATE, frame_length=2_048, hop_length=_PYIN_HOP)[0])


def _course(dry: Values, take: Values, made: Values, pitch: Values, counts: Values) -> list[str]:
    """Pitch of the result against the dry piece, where `counts`, and correlation of its levels in dB with those of the take."""
    found = _pitch(made)
    size = min(len(pitch), len(found))
    at = np.minimum(np.arange(size) * _PYIN_HOP, len(dry) - 1)
    both = np.isfinite(pitch[:size]) & np.isfinite(found[:size]) & _sounding(dry)[at] & counts[at]
    cents = 1_200 * np.abs(np.log2(found[:size][both] / pitch[:size][both]))
    levels = [20 * np.log10(_level(one)[at] + 1e-6) for one in (take, made)]
    heard = levels[0] > levels[0].max() - _AUDIBLE_DB
    return [f"{np.median(cents):.1f}", f"{100 * (cents > 50).mean():.1f}", f"{np.corrcoef(levels[0][heard], levels[1][heard])[0, 1]:.3f}"]


def _level(wave: Values) -> Values:
    """The root of the mean square over 46 ms around each sample."""
    total = np.pad(np.cumsum(np.square(wave, dtype=np.float64)), (1, 0))
    at = np.arange(len(wave))
    return np.asarray(np.sqrt((total[np.minimum(at + 1_024, len(wave))] - total[np.maximum(at - 1_024, 0)]) / 2_048))


def _sounding(wave: Values) -> Values:
    """Whether a recording is within 45 dB of its loudest place `(time,)`."""
    level = _level(wave)
    return np.asarray(level > level.max() * 10 ** (-_AUDIBLE_DB / 20))


def _flags(result: Converted, count: int) -> Values:
    """Whether each sample is of a passage on the second path `(count,)`."""
    flags = np.zeros(count + HOP, bool)
    for start, stop in result.passages:
        flags[round(start * RATE) : round(stop * RATE)] = True
    return flags[:count]
