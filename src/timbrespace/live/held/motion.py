"""What keeps a held note alive: the flutter of its tones and the wander of its pitch, drawn for ever; and the slots of its tones."""

from __future__ import annotations

import numpy as np

from timbrespace.native.interface import LINES, TONES
from timbrespace.native.live import PARTIALS

_HARMONICS = TONES - LINES
_FLUTTER_HZ = 10.0  # draws a second of every tone's flutter: a band up to 5 Hz, as in one-shots
_DRAWN = 0.7  # of the flutter of a note, as in one-shots: its noise adds the rest
_BAND = 0.7  # draws of the wander's strength in one of its turns
_MOST = 3.0  # standard deviations
_SCALE = 1.1  # of interpolated draws, to a deviation of 1
_NEAR = 0.01  # of its frequency that a line may move and stay in its slot


class Motion:
    """Flutter and wander of one note: the same for the same seed and number, whenever it is asked for.

    flutter: of its tones, dB. wander: of its pitch, cents; rate: how often that turns, Hz.
    """

    def __init__(self, seed: int, number: int, *, flutter: float, wander: float, rate: float):
        self._seed, self._flutter, self._wander, self._rate = (seed, number), flutter, wander, rate
        self._knots: dict[tuple[int, int], np.ndarray] = {}

    @property
    def wanders(self) -> bool:
        """Whether the pitch moves at all."""
        return self._wander > 0

    def flutter(self, seconds: float) -> np.ndarray:
        """Returns factors of the amplitudes `(256,)` at a time."""
        drawn = np.clip(self._drawn(0, PARTIALS, seconds * _FLUTTER_HZ), -_MOST, _MOST)
        return np.asarray(10 ** (_DRAWN * self._flutter / 20 * drawn), np.float32)

    def cents(self, seconds: float) -> float:
        """Returns how far the pitch is from its mean at a time."""
        strength = self._drawn(1, 2, seconds * _BAND * self._rate)
        angle = 2 * np.pi * self._rate * seconds
        value = float(strength[0] * np.cos(angle) + strength[1] * np.sin(angle))
        return self._wander * min(max(value, -_MOST), _MOST)

    def _drawn(self, what: int, count: int, place: float) -> np.ndarray:
        """Smooth noise `(count,)`: Catmull-Rom splines through draws at whole numbers of `place`."""
        first = int(np.floor(place))
        for knot in range(first, first + 4):
            if (what, knot) not in self._knots:
                self._knots[what, knot] = np.random.default_rng([*self._seed, what, knot]).standard_normal(count)
        for old in [key for key in self._knots if key[0] == what and key[1] < first]:
            del self._knots[old]
        a, b, c, d = (self._knots[what, first + number] for number in range(4))
        t = place - first
        return np.asarray(_SCALE * (b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))))


class Slots:
    """Which of a bank's partials the tones of a note have. Harmonics have their own; a line keeps its slot while it moves by little.

    ratios `(256,)`: of frequencies to the note's.
    """

    def __init__(self) -> None:
        self.ratios = np.zeros(PARTIALS, np.float32)
        self.ratios[:_HARMONICS] = np.arange(1, _HARMONICS + 1)
        self._used = np.zeros(PARTIALS, int)  # turn in which a slot was used last
        self._turn = 0
        self._lines = np.zeros(LINES, int)

    def take(self, ratios: np.ndarray) -> None:
        """Finds slots for the lines of a sound: ratios `(184,)`."""
        self._turn += 1
        for line, ratio in enumerate(ratios[_HARMONICS:]):
            if ratio <= 0:
                self._lines[line] = -1
                continue
            free = np.arange(_HARMONICS, PARTIALS)[self._used[_HARMONICS:] < self._turn]
            away = np.abs(self.ratios[free] / ratio - 1)
            slot = int(free[away.argmin()]) if away.min() < _NEAR else int(free[self._used[free].argmin()])
            self.ratios[slot], self._used[slot], self._lines[line] = ratio, self._turn, slot

    def amplitudes(self, tones: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Returns amplitudes of the slots `(256,)` from those of the tones `(184,)`, times the factors of the slots `(256,)`."""
        out = np.zeros(PARTIALS, np.float32)
        out[:_HARMONICS] = tones[:_HARMONICS]
        for line, slot in enumerate(self._lines):
            if slot >= 0:
                out[slot] = tones[_HARMONICS + line]
        return out * factors
