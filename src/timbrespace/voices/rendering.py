"""Audio of frames: oscillators at the multiples of the pitch, and filtered noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from timbrespace.noise import Noise, Purpose
from timbrespace.voices.frames import CENTRES, HOP, PARTIALS, RATE, Frames, Values

BLOCK = 2_048  # frames at a time
_WINDOW = 1_024  # samples, of the noise's filter
_LEAST = 1e-7  # amplitude of partials that are left out
REACH = _WINDOW // 2 // HOP + 1  # frames on either side of a block that it is rendered from


def render(frames: Frames, samples: int, *, seed: int = 0) -> Values:
    """Returns the audio of frames, mono `(samples,)` at RATE in float32. seed: of the noise and of the phases of the partials."""
    out = np.zeros(samples, np.float32)
    for start, block in blocks(frames, samples, seed=seed):
        out[start : start + len(block)] = block
    return out


def blocks(frames: Frames, samples: int, *, seed: int = 0) -> Iterator[tuple[int, Values]]:
    """Yields the audio of frames block by block, each with the place of its first sample; see `render`."""
    renderer = Renderer(frames.pitch, samples, seed=seed)
    for first in range(0, len(frames), BLOCK):
        if first * HOP < samples:
            yield first * HOP, renderer.block(frames, 0)


class Renderer:
    """Renders blocks of BLOCK frames one after the other. pitch: in Hz, of all frames `(frames,)`. samples: of the whole."""

    def __init__(self, pitch: Values, samples: int, *, seed: int = 0):
        phases = 2 * np.pi * Noise(seed, Purpose.VOICE, 0).uniform(PARTIALS)
        self._cosines, self._sines = np.cos(phases), np.sin(phases)
        self._pitch, self._samples, self._seed = _held(pitch), samples, seed
        self._turns, self._number = 0.0, 0

    def block(self, frames: Frames, offset: int) -> Values:
        """Returns the audio of the next block. frames: from number `offset` on, with REACH frames on either side of the block if there are.

        Its length is BLOCK · HOP samples, less at the end.
        """
        from timbrespace.synthesis.harmonic.oscillators import sum_partials

        first, number = self._number * BLOCK, self._number
        self._number += 1
        count = min(BLOCK * HOP, self._samples - first * HOP)
        points = np.minimum(np.arange(first, first + -(-count // HOP) + 1), len(self._pitch) - 1)
        hertz = np.interp(np.arange(count) / HOP, np.arange(len(points)), self._pitch[points])
        course = self._turns + np.cumsum(hertz) / RATE
        self._turns = float(course[-1] % 1.0)
        audio = np.zeros(count)
        amplitudes = np.ascontiguousarray(frames.partials[points - offset], np.float64)
        sum_partials(course, amplitudes, self._cosines, self._sines, HOP, _LEAST, audio)
        return np.asarray(audio + _noise(frames.noise, offset, number, count, self._seed), np.float32)


def _held(pitch: Values) -> Values:
    """The pitch with that of the nearest pitched frame where there is none: partials are silent there, and start in tune."""
    known = np.flatnonzero(pitch > 0)
    if not len(known):
        return np.full(len(pitch), 440.0)
    at = np.clip(np.searchsorted(known, np.arange(len(pitch))), 0, len(known) - 1)
    before = np.maximum(at - 1, 0)
    nearer = np.abs(known[before] - np.arange(len(pitch))) < np.abs(known[at] - np.arange(len(pitch)))
    return np.asarray(pitch[np.where(nearer, known[before], known[at])])


def _noise(noise: Values, offset: int, number: int, count: int, seed: int) -> Values:
    """The filtered noise of block `number` `(count,)`: white noise of this block and its neighbours, so that blocks have no seam.

    noise: of frames from number `offset` on `(frames, BANDS)`.
    """
    from scipy.fft import irfft, rfft

    length = BLOCK * HOP
    half = _WINDOW // 2
    white = np.concatenate([_white(seed, number - 1)[-_WINDOW:], _white(seed, number), _white(seed, number + 1)[:_WINDOW]])
    # Frames whose windows reach into the block.
    first, reach = number * BLOCK, half // HOP
    wanted = np.arange(first - reach, first + -(-count // HOP) + reach + 1)
    wanted = wanted[(wanted >= offset) & (wanted < offset + len(noise))]
    starts = (wanted - first) * HOP - half + _WINDOW
    window = np.sqrt(np.hanning(_WINDOW + 1)[:-1])
    pieces = np.lib.stride_tricks.sliding_window_view(white, _WINDOW)[starts]
    filtered = irfft(rfft(pieces * window, axis=1) * _gains(noise[wanted - offset]), axis=1) * window
    out = np.zeros(length + 2 * _WINDOW)
    for start, piece in zip(starts, filtered, strict=True):
        out[start : start + _WINDOW] += piece
    overlap = np.square(window).sum() / HOP
    return np.asarray(out[_WINDOW : _WINDOW + count] / overlap)


def _white(seed: int, number: int) -> Values:
    """White noise of variance 1 for block `number`, from -1."""
    return np.asarray(Noise(seed, Purpose.VOICE, 1, number + 1).normal(BLOCK * HOP))


def _gains(noise: Values) -> Values:
    """Factors of amplitude of the bins `(frames, bins)` for the noise of bands `(frames, BANDS)`, linear in dB between their centres."""
    bins = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    low = np.clip(np.searchsorted(CENTRES, bins) - 1, 0, len(CENTRES) - 2)
    share = np.clip((bins - CENTRES[low]) / (CENTRES[low + 1] - CENTRES[low]), 0.0, 1.0)
    levels = 0.5 * np.log(np.maximum(noise, 1e-20))
    return np.asarray(np.exp(levels[:, low] * (1 - share) + levels[:, low + 1] * share))
