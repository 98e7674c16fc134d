"""Audio of frames: oscillators at the multiples of the pitch, and filtered noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from timbrespace.noise import Noise, Purpose
from timbrespace.voices.frames import CENTRES, HOP, PARTIALS, RATE, Frames, Values

_BLOCK = 2_048  # frames at a time
_WINDOW = 1_024  # samples, of the noise's filter
_LEAST = 1e-7  # amplitude of partials that are left out


def render(frames: Frames, samples: int, *, seed: int = 0) -> Values:
    """Returns the audio of frames, mono `(samples,)` at RATE in float32. seed: of the noise and of the phases of the partials."""
    out = np.zeros(samples, np.float32)
    for start, block in blocks(frames, samples, seed=seed):
        out[start : start + len(block)] = block
    return out


def blocks(frames: Frames, samples: int, *, seed: int = 0) -> Iterator[tuple[int, Values]]:
    """Yields the audio of frames block by block, each with the place of its first sample; see `render`."""
    from timbrespace.synthesis.harmonic.oscillators import sum_partials

    phases = 2 * np.pi * Noise(seed, Purpose.VOICE, 0).uniform(PARTIALS)
    cosines, sines = np.cos(phases), np.sin(phases)
    pitch = _held(frames.pitch)
    turns = 0.0
    for number, first in enumerate(range(0, len(frames), _BLOCK)):
        start, stop = first * HOP, min((first + _BLOCK) * HOP, samples)
        if stop <= start:
            return
        count = stop - start
        points = np.minimum(np.arange(first, first + -(-count // HOP) + 1), len(frames) - 1)
        hertz = np.interp(np.arange(count) / HOP, np.arange(len(points)), pitch[points])
        course = turns + np.cumsum(hertz) / RATE
        turns = float(course[-1] % 1.0)
        audio = np.zeros(count)
        amplitudes = np.ascontiguousarray(frames.partials[points], np.float64)
        sum_partials(course, amplitudes, cosines, sines, HOP, _LEAST, audio)
        yield start, (audio + _noise(frames, number, count, seed)).astype(np.float32)


def _held(pitch: Values) -> Values:
    """The pitch with that of the nearest pitched frame where there is none: partials are silent there, and start in tune."""
    known = np.flatnonzero(pitch > 0)
    if not len(known):
        return np.full(len(pitch), 440.0)
    at = np.clip(np.searchsorted(known, np.arange(len(pitch))), 0, len(known) - 1)
    before = np.maximum(at - 1, 0)
    nearer = np.abs(known[before] - np.arange(len(pitch))) < np.abs(known[at] - np.arange(len(pitch)))
    return np.asarray(pitch[np.where(nearer, known[before], known[at])])


def _noise(frames: Frames, number: int, count: int, seed: int) -> Values:
    """The filtered noise of block `number` `(count,)`: white noise of this block and its neighbours, so that blocks have no seam."""
    from scipy.fft import irfft, rfft

    length = _BLOCK * HOP
    half = _WINDOW // 2
    white = np.concatenate([_white(seed, number - 1)[-_WINDOW:], _white(seed, number), _white(seed, number + 1)[:_WINDOW]])
    # Frames whose windows reach into the block.
    first, reach = number * _BLOCK, half // HOP
    wanted = np.arange(first - reach, first + -(-count // HOP) + reach + 1)
    wanted = wanted[(wanted >= 0) & (wanted < len(frames))]
    starts = (wanted - first) * HOP - half + _WINDOW
    window = np.sqrt(np.hanning(_WINDOW + 1)[:-1])
    pieces = np.lib.stride_tricks.sliding_window_view(white, _WINDOW)[starts]
    filtered = irfft(rfft(pieces * window, axis=1) * _gains(frames.noise[wanted]), axis=1) * window
    out = np.zeros(length + 2 * _WINDOW)
    for start, piece in zip(starts, filtered, strict=True):
        out[start : start + _WINDOW] += piece
    overlap = np.square(window).sum() / HOP
    return np.asarray(out[_WINDOW : _WINDOW + count] / overlap)


def _white(seed: int, number: int) -> Values:
    """White noise of variance 1 for block `number`, from -1."""
    return np.asarray(Noise(seed, Purpose.VOICE, 1, number + 1).normal(_BLOCK * HOP))


def _gains(noise: Values) -> Values:
    """Factors of amplitude of the bins `(frames, bins)` for the noise of bands `(frames, BANDS)`, linear in dB between their centres."""
    bins = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    low = np.clip(np.searchsorted(CENTRES, bins) - 1, 0, len(CENTRES) - 2)
    share = np.clip((bins - CENTRES[low]) / (CENTRES[low + 1] - CENTRES[low]), 0.0, 1.0)
    levels = 0.5 * np.log(np.maximum(noise, 1e-20))
    return np.asarray(np.exp(levels[:, low] * (1 - share) + levels[:, low + 1] * share))
