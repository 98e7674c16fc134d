"""Time stretching of recordings of any length: the phase vocoder of `audio.time_stretch`, block by block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import fft

from timbrespace.audio import time_stretch
from timbrespace.contracts import Parameter
from timbrespace.synthesis.transfer.feed import Feed, Wave

STRETCH = Parameter("stretch", time_stretch.LEAST, time_stretch.MOST, 1.0, help="factor of the duration; pitch and timbre stay")
_FRAMES = 256  # of a block


class StretchedFeed(Feed):
    """A recording with another duration. The same samples as `time_stretch.stretch` gives of it with the same onsets.

    source: the recording. length: samples of the result. marks: samples of the recording at which onsets start.
    """

    def __init__(self, source: Feed, length: int, *, sample_rate: int, marks: list[int]):
        super().__init__(source.channels, length)
        self._source = source
        self._size = time_stretch.window_size(sample_rate)
        self._hop = self._size // 4
        self._positions, self._starts = time_stretch.frame_positions(source.samples, length, marks, hop=self._hop, size=self._size)

    def _blocks(self) -> Iterator[Wave]:
        hop, size, half = self._hop, self._size, self._size // 2
        window = np.hanning(size + 1)[:-1].astype(np.float32)
        out, weight = np.zeros((self.channels, 3 * hop), np.float32), np.zeros(3 * hop, np.float32)  # what later frames are added to
        last: np.ndarray | None = None  # frame of the result before those of the block
        skipped = half  # samples before the first one
        for first in range(0, len(self._positions), _FRAMES):
            positions, starts = self._positions[first : first + _FRAMES], self._starts[first : first + _FRAMES]
            begin = int(positions[0]) - half - hop
            source = self._source.read(begin, int(positions[-1]) + size)
            views = np.lib.stride_tricks.sliding_window_view(source, size, axis=1)
            local = positions - half - hop - begin
            now, before = (np.ascontiguousarray(fft.rfft(views[:, at] * window).swapaxes(0, 1)) for at in (local + hop, local))
            if last is not None:
                now, before, starts = np.concatenate([last, now]), np.concatenate([last, before]), np.concatenate([[True], starts])
            time_stretch.lock(now, before, starts)
            kept = now[0 if last is None else 1 :]
            last = now[-1:].copy()
            count = len(kept)
            out, weight = (np.concatenate([row, np.zeros((*row.shape[:-1], count * hop), np.float32)], axis=-1) for row in (out, weight))
            for m, piece in enumerate(fft.irfft(kept, size).astype(np.float32) * window):
                out[:, m * hop : m * hop + size] += piece
                weight[m * hop : m * hop + size] += window * window
            done: Wave = (out[:, : count * hop] / np.maximum(weight[: count * hop], 1e-6)).astype(np.float32)
            out, weight = out[:, count * hop :], weight[count * hop :]
            if skipped:
                done, skipped = done[:, skipped:], max(0, skipped - done.shape[1])
            if done.shape[1]:
                yield done


def to_length(source: Feed, length: int, *, sample_rate: int, marks: list[int]) -> Feed:
    """Returns a recording stretched to `length` samples. marks: see `StretchedFeed`. Raises ConfigError for a factor out of range."""
    if length == source.samples:
        return source
    STRETCH.check(length / source.samples)
    return StretchedFeed(source, length, sample_rate=sample_rate, marks=marks)
