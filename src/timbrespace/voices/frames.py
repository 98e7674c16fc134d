"""Frames of a recording of one instrument: pitch, amplitudes of the partials, noise in bands, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]

RATE = 44_100  # Hz, of all voices
HOP = 256  # samples between frames, 5.8 ms
PARTIALS, BANDS = 80, 32
QUIET = -80.0  # dB of loudness: below, a frame is silence
_LOW, _HIGH = 50.0, 20_000.0  # Hz, of the bands
HIGHEST_PARTIAL = RATE / 2 - 150.0  # Hz


def mel(hertz: Values) -> Values:
    """Returns frequencies in Hz on the mel scale (O'Shaughnessy 1987)."""
    return np.asarray(2_595 * np.log10(1 + np.asarray(hertz) / 700))


def hertz_of_mel(mels: Values) -> Values:
    """Returns frequencies in Hz of values on the mel scale."""
    return np.asarray(700 * (10 ** (np.asarray(mels) / 2_595) - 1))


EDGES = hertz_of_mel(np.linspace(mel(np.array(_LOW)), mel(np.array(_HIGH)), BANDS + 1))  # Hz, of the bands of noise
CENTRES = np.sqrt(EDGES[:-1] * EDGES[1:])  # Hz


@dataclass(frozen=True)
class Frames:
    """A recording in frames, HOP samples apart; the first one is at its start.

    pitch: Hz `(frames,)`, 0 where there is none. periodicity: 0 to 1 `(frames,)`. partials: amplitudes of the multiples of the pitch
    `(frames, PARTIALS)`. noise: variance of the white noise that has the density of each band `(frames, BANDS)`. explained: the share of
    the power that partials and noise describe `(frames,)`; the rest is of other tones.
    """

    pitch: Values
    periodicity: Values
    partials: Values
    noise: Values
    explained: Values

    def __len__(self) -> int:
        """The number of frames."""
        return len(self.pitch)

    @property
    def pitched(self) -> Values:
        """Whether each frame has a pitch `(frames,)`."""
        return np.asarray(self.pitch > 0)

    def audible(self) -> Values:
        """Whether each partial has a pitch and is below half the rate `(frames, PARTIALS)`."""
        hertz = self.pitch[:, None] * np.arange(1, PARTIALS + 1)
        return np.asarray((hertz > 0) & (hertz < HIGHEST_PARTIAL))

    def loudness(self) -> Values:
        """Returns the A-weighted level of each frame in dB of full scale `(frames,)`, at least -100."""
        hertz = np.maximum(self.pitch[:, None] * np.arange(1, PARTIALS + 1), 1.0)
        power = (np.square(self.partials) / 2 * a_weight(hertz)).sum(1)
        power = power + (self.noise * (np.diff(EDGES) / (RATE / 2)) * a_weight(CENTRES)).sum(1)
        return np.asarray(10 * np.log10(power + 1e-10))

    def scaled(self, gain: Values) -> Frames:
        """Returns the frames with factors of amplitude `(frames,)` applied."""
        return replace(self, partials=self.partials * gain[:, None], noise=self.noise * np.square(gain)[:, None])

    def at(self, places: Values) -> Frames:
        """Returns frames at fractional places `(count,)`, linear between their neighbours; a pitch is that of the nearest one."""
        low = np.clip(np.floor(places).astype(int), 0, len(self) - 1)
        high, share = np.minimum(low + 1, len(self) - 1), np.clip(places - low, 0.0, 1.0)
        near = np.where(share < 0.5, low, high)

        def between(values: Values) -> Values:
            part = share if values.ndim == 1 else share[:, None]
            return np.asarray(values[low] * (1 - part) + values[high] * part)

        both = (self.pitch[low] > 0) & (self.pitch[high] > 0) & (np.abs(self.pitch[low] - self.pitch[high]) < 0.1 * self.pitch[low])
        pitch = np.where(both, between(self.pitch), self.pitch[near])
        return Frames(pitch, between(self.periodicity), between(self.partials), between(self.noise), between(self.explained))


def a_weight(hertz: Values) -> Values:
    """Returns the factor of power of the A weighting (IEC 61672-1:2013, annex E) at frequencies in Hz."""
    square = np.square(np.asarray(hertz, np.float64))
    response = 12_194.0**2 * np.square(square)
    response = response / ((square + 20.6**2) * np.sqrt((square + 107.7**2) * (square + 737.9**2)) * (square + 12_194.0**2))
    return np.asarray(np.square(1.2589 * response))


def count_frames(samples: int) -> int:
    """Returns the number of frames of a recording of that many samples."""
    return 1 + samples // HOP


def windows(wave: Values, size: int, first: int, count: int) -> Values:
    """Returns `count` pieces of a recording, `size` samples around the places of frames from number `first`: `(count, size)`."""
    start, stop = first * HOP - size // 2, (first + count - 1) * HOP + size - size // 2
    inside = wave[max(start, 0) : max(stop, 0)]
    padded = np.pad(inside, (max(0, -start), max(0, stop - max(start, 0) - len(inside))))
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::HOP][:count]


def moving_sum(values: Values, half: int) -> Values:
    """Returns the sum of each value and `half` on either side of it, as many as there are `(count,)`."""
    total = np.pad(np.cumsum(values, dtype=np.float64), (1, 0))
    at = np.arange(len(values))
    return np.asarray(total[np.minimum(at + half + 1, len(values))] - total[np.maximum(at - half, 0)])
