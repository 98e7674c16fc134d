"""Spectrograms back to audio, block by block: Griffin–Lim from the phase of the piece, where frames that are done stay fixed."""

from __future__ import annotations

import numpy as np

from timbrespace.voices.arrays.features import HOP, WINDOW, window
from timbrespace.voices.frames import Values

AHEAD = 8  # frames after a block that take part in the iterations of it, and are found again in the next one
_REACH = -(-WINDOW // HOP) - 1  # frames before one that share samples with it
_LEAST_OVERLAP = 0.05  # of squared windows, beyond the ends


class Inversion:
    """Frames of magnitudes in, samples out; memory does not grow with the length.

    Griffin and Lim 1984: the frames of a block and AHEAD further ones take turns in having the given magnitudes and in being the transform
    of some audio. The frames before are fixed, so that blocks continue each other without a seam. iterations: 0 keeps the given phase.
    """

    def __init__(self, *, iterations: int):
        self.iterations = iterations
        self._fixed = np.zeros((0, WINDOW // 2 + 1), np.complex128)  # the last frames that are done
        self._tail = np.zeros(WINDOW - HOP)  # of the sum of windowed frames: later frames are added
        self._overlap = np.zeros(WINDOW - HOP)
        self._skip = WINDOW // 2  # samples before the start of the recording

    def block(self, magnitudes: Values, phases: Values, count: int) -> Values:
        """Returns the samples that the first `count` frames finish `(time,)`.

        magnitudes `(frames, bins)`, phases: unit complex numbers `(frames, bins)`; the frames after `count` are those AHEAD.
        """
        from scipy.fft import irfft, rfft

        fixed, spectra = self._fixed, magnitudes * phases
        for _ in range(self.iterations):
            whole = np.concatenate([fixed, spectra])
            audio, overlap = _added(irfft(whole, n=WINDOW, axis=1) * window())
            audio /= np.maximum(overlap, _LEAST_OVERLAP)
            again = rfft(np.lib.stride_tricks.sliding_window_view(audio, WINDOW)[::HOP] * window(), axis=1)[len(fixed) :]
            size = np.abs(again)
            spectra = magnitudes * np.where(size > 1e-12, again / np.maximum(size, 1e-12), phases)
        done = spectra[:count]
        self._fixed = np.concatenate([fixed, done])[-_REACH:]
        return self._sum(done)

    def rest(self) -> Values:
        """Returns the samples after the last block."""
        return self._out(self._tail, self._overlap)

    def _sum(self, done: Values) -> Values:
        from scipy.fft import irfft

        audio, overlap = _added(irfft(done, n=WINDOW, axis=1) * window())
        audio[: len(self._tail)] += self._tail
        overlap[: len(self._tail)] += self._overlap
        finished = len(done) * HOP
        self._tail, self._overlap = audio[finished:], overlap[finished:]
        return self._out(audio[:finished], overlap[:finished])

    def _out(self, audio: Values, overlap: Values) -> Values:
        skip = min(self._skip, len(audio))
        self._skip -= skip
        return np.asarray(audio[skip:] / np.maximum(overlap[skip:], _LEAST_OVERLAP))


def _added(frames: Values) -> tuple[Values, Values]:
    """The sum of frames `(count, WINDOW)` HOP apart, and that of their squared windows, `(time,)` each."""
    audio, overlap = (np.zeros((len(frames) - 1) * HOP + WINDOW) for _ in range(2))
    square = np.square(window())
    for number, frame in enumerate(frames):
        audio[number * HOP : number * HOP + WINDOW] += frame
        overlap[number * HOP : number * HOP + WINDOW] += square
    return audio, overlap
