"""The course of a note that is held: the attack as decoded, then one steady spectrum as long as the key."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from timbrespace.native.interface import NoteParts
from timbrespace.voices.frames import k_weight

_GRID = ((0.3, 0.01), (1.0, 0.02), (60.0, 0.09))  # s: up to which time frames are decoded how far apart
_NEAR_DB = 6.0  # under the loudest moment: as long as a note is louder it is steady; more it does not fall while it is held
_STEADY = (0.4, 0.7)  # part of that time whose mean is held
_ATTACK_S = 0.15  # s, before which a note is not steady yet: until then it has the noise of its attack
_LEVEL = 0.13  # root mean square of the steady part, K-weighted
_LEAST, _LEAST_NOISE = 1e-6, 1e-17  # amplitude, and power a Hz, that are silence


def frames_of(hop: float, count: int) -> np.ndarray:
    """Returns the numbers of the frames that a course is made from: `hop` s apart, `count` at most."""
    times, last = [0.0], (count - 1) * hop
    for end, step in _GRID:
        times += list(np.arange(times[-1] + step, min(end, last) + 1e-9, step))
    return np.unique(np.minimum(np.round(np.array(times) / hop), count - 1)).astype(np.int32)


class Held(NamedTuple):
    """When a note is steady, in seconds: the mean from `start` to `stop` is held."""

    start: float
    stop: float


class Course:
    """Tones and noise of a note while it is held.

    ratios `(tones,)`: of their frequencies to the pitch. spacing, hertz, flutter, wander, rate: see `NoteParts`. held: when it is steady.
    """

    def __init__(self, parts: NoteParts, held: Held | None = None):
        """held: None: found from the levels."""
        self.ratios, self.spacing, self.hertz = parts.ratios, parts.spacing, parts.hertz
        self.flutter, self.wander, self.rate = parts.flutter, parts.wander, parts.rate
        keep = np.concatenate([[True], np.diff(parts.seconds) > 0])  # the last frame once
        seconds, tones, noise = parts.seconds[keep], parts.tones[keep].astype(np.float64), parts.noise[keep].astype(np.float64)
        power = self._powers(tones, noise)
        self.held = _steady(seconds, power) if held is None else held
        within = (seconds >= self.held.start - 1e-6) & (seconds <= self.held.stop + 1e-6)
        within[min(int(np.searchsorted(seconds, self.held.start)), len(seconds) - 1)] = True
        mean_tones, mean_noise = np.sqrt(np.square(tones[within]).mean(0)), noise[within].mean(0)
        before = seconds < self.held.start
        before[0] = True
        self._seconds = np.append(seconds[before], max(0.5 * (self.held.start + self.held.stop), float(seconds[before][-1]) + 0.01))
        tones, noise = np.vstack([tones[before], mean_tones]), np.vstack([noise[before], mean_noise])
        gain = _gains(self._powers(tones, noise))
        self._tones = np.log(np.maximum(tones * gain[:, None], _LEAST)).astype(np.float32)
        self._noise = np.log(np.maximum(noise * np.square(gain)[:, None], _LEAST_NOISE)).astype(np.float32)

    @property
    def steady_from(self) -> float:
        """When the spectrum is the one that is held, s."""
        return float(self._seconds[-1])

    def at(self, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """Returns amplitudes of the tones `(tones,)` and the noise's power a Hz `(bins,)`, `seconds` after the start."""
        upper = int(np.clip(np.searchsorted(self._seconds, seconds), 1, len(self._seconds) - 1))
        left, right = self._seconds[upper - 1 : upper + 1]
        share = np.float32(np.clip((seconds - left) / (right - left), 0.0, 1.0))
        tones = self._tones[upper - 1] + share * (self._tones[upper] - self._tones[upper - 1])
        noise = self._noise[upper - 1] + share * (self._noise[upper] - self._noise[upper - 1])
        amplitudes, power = np.exp(tones), np.exp(noise)
        amplitudes[tones <= np.float32(np.log(_LEAST))], power[noise <= np.float32(np.log(_LEAST_NOISE))] = 0.0, 0.0
        return amplitudes, power

    def _powers(self, tones: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """The K-weighted power of frames, `(count,)`."""
        sines = 0.5 * np.square(tones) @ k_weight(np.minimum(self.ratios.astype(np.float64) * self.hertz, 24_000.0))
        return np.asarray(sines + noise @ k_weight(np.minimum(np.arange(noise.shape[1]) * self.spacing, 24_000.0)) * self.spacing)


def _gains(power: np.ndarray) -> np.ndarray:
    """Returns factors of amplitude of frames `(count,)`. The last frame is the one that is held.

    It has the same level in every note. A note falls by no more than _NEAR_DB after its loudest moment: one that decays is
    lifted, as much as it is quieter, so that its spectrum goes on as it was decoded.
    """
    loudest = int(power[:-1].argmax())
    least = 1e-8 * float(power.max()) + 1e-30
    floor = float(power[loudest]) * 10 ** (-_NEAR_DB / 10)
    lift = np.maximum(1.0, floor / np.maximum(power, least))
    lift[: loudest + 1] = 1.0
    return np.asarray(_LEVEL / np.sqrt(max(float(power[-1] * lift[-1]), 1e-30)) * np.sqrt(lift))


def _steady(seconds: np.ndarray, power: np.ndarray) -> Held:
    """When a note is steady: in the middle of the time about its loudest moment in which it is at most _NEAR_DB quieter."""
    loudest, far = int(power.argmax()), power < power.max() * 10 ** (-_NEAR_DB / 10)
    first, last = loudest, loudest
    while first > 0 and not far[first - 1]:
        first -= 1
    while last < len(far) - 1 and not far[last + 1]:
        last += 1
    start, stop = (float(seconds[first] + part * (seconds[last] - seconds[first])) for part in _STEADY)
    start = min(max(start, _ATTACK_S), float(seconds[-1]))
    return Held(start, max(stop, start))
