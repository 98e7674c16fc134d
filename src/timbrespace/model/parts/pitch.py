"""Pitch as a variable of its own: a frequency axis counted in harmonics, and what networks are told of a pitch.

On an axis in Hz the partials of every note lie elsewhere, and a blend of two notes holds the partials of both. Divided by the
fundamental, the k-th partial of every note lies at k.

    bands      |_|_|#|_|_|#|_|_|#|_|        a low note          |_|_|_|_|#|_|_|_|_|#|      a high one
    harmonics  0   1   2   3  …             0   1   2  …
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.audio.pitch import midi_to_hz
from timbrespace.contracts import ConfigError

OCTAVE = 12.0  # semitones
MARGIN = 4.0  # semitones beyond the notes of a corpus that an axis is made for: as far as variations shift
_FINER = 1.3  # slots a band at the highest pitch: interpolating there and back costs little
_WAVES = 3  # of pitch, as networks see it: with periods of 4, 2 and 1 scales


class NoteRange:
    """The pitches that a model is made for, and how its latents hold one.

    lowest, highest: MIDI numbers of the notes; it is made for MARGIN more on either side. Raises ConfigError.
    """

    def __init__(self, *, lowest: float, highest: float):
        if not 0 <= lowest < highest <= 127:
            raise ConfigError(f"model.notes is {lowest:g} to {highest:g}, allowed are two rising MIDI numbers from 0 to 127, auto, or null")
        self.lowest, self.highest = lowest, highest

    @property
    def middle(self) -> float:
        """MIDI number, stands in for a pitch that nobody knows."""
        return (self.lowest + self.highest) / 2

    @property
    def _scale(self) -> float:
        return (self.highest - self.lowest + 2 * MARGIN) / 4

    def standard(self, pitch: Tensor) -> Tensor:
        """MIDI numbers `(batch,)` to what a latent holds, `(batch, 1)`: -2 … 2 over the axis; unknown (NaN) gives 0."""
        return ((pitch - self.middle) / self._scale).nan_to_num(0.0)[:, None]

    def midi(self, standard: Tensor) -> Tensor:
        """The way back: `(batch, 1) -> (batch,)`."""
        return standard[:, 0] * self._scale + self.middle

    def fundamentals(self, pitch: Tensor) -> Tensor:
        """Hz of MIDI numbers `(batch,)`, float64 on the CPU; unknown (NaN) is the middle."""
        return midi_to_hz(torch.nan_to_num(pitch.detach().cpu().double(), nan=self.middle))


class HarmonicAxis(NoteRange):
    """Images over bands to images over harmonics of a given pitch, and back.

    centres: of the bands in Hz, rising. lowest, highest: MIDI numbers of the notes; the axis is made for MARGIN more on either side,
    and others are possible, with details lost above and the upper end held below. `slots (slots,)`: harmonic numbers, as dense as the
    highest pitch needs, as far as the lowest does. Raises ConfigError.
    """

    def __init__(self, centres: Sequence[float], *, lowest: float, highest: float):
        super().__init__(lowest=lowest, highest=highest)
        if len(centres) < 2:
            raise ConfigError(f"the features have {len(centres)} bands, harmonics need 2 or more; set model.notes to null")
        self.centres = torch.tensor(list(centres), dtype=torch.float64, device="cpu")  # also while a model is built without memory
        self.slots = _slots(self.centres, low=midi_to_hz(lowest - MARGIN), high=midi_to_hz(highest + MARGIN))

    def align(self, image: Tensor, pitch: Tensor) -> Tensor:
        """`(batch, parts, bands, steps)` and MIDI numbers `(batch,)` (NaN: unknown) -> `(batch, parts, slots, steps)`."""
        return self._resampled(image, self.fundamentals(pitch)[:, None] * self.slots, self.centres)

    def restore(self, image: Tensor, pitch: Tensor) -> Tensor:
        """`(batch, parts, slots, steps)` and MIDI numbers `(batch,)` -> `(batch, parts, bands, steps)`."""
        return self._resampled(image, self.centres / self.fundamentals(pitch)[:, None], self.slots)

    @staticmethod
    def _resampled(image: Tensor, places: Tensor, grid: Tensor) -> Tensor:
        return torch.matmul(cubic(places, grid).to(image)[:, None], image)


def pitch_features(standard: Tensor) -> Tensor:
    """A standardised pitch `(batch, 1)` as networks see it, `(batch, FEATURES)`: itself, held within the range, and waves of it."""
    held = standard.clamp(-2.0, 2.0)
    turns = held * (math.pi / 2 * 2.0 ** torch.arange(_WAVES)).to(held)
    return torch.cat([held, turns.sin(), turns.cos()], 1)


FEATURES = 1 + 2 * _WAVES


def cubic(places: Tensor, grid: Tensor) -> Tensor:
    """Catmull-Rom interpolation on a rising grid `(points,)` as matrices: places `(batch, n) -> (batch, n, points)`, rows sum to 1.

    The grid counts as even between neighbours; beyond its ends the last value holds.
    """
    points = len(grid)
    right = torch.searchsorted(grid, places.contiguous()).clamp(1, points - 1)
    share = (places - grid[right - 1]) / (grid[right] - grid[right - 1])
    t = share.clamp(0, 1)
    weights = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    )
    matrix = torch.zeros(*places.shape, points, dtype=places.dtype)
    for offset, weight in zip((-2, -1, 0, 1), weights, strict=True):
        matrix.scatter_add_(-1, (right + offset).clamp(0, points - 1)[..., None], weight[..., None])
    return matrix


def _slots(centres: Tensor, *, low: float, high: float) -> Tensor:
    """Harmonic numbers: the bands as the highest pitch sees them, finer; then on as evenly as they end, up to the lowest pitch's last."""
    own = centres / high
    count = math.ceil(len(own) * _FINER)
    at = torch.linspace(0, len(own) - 1, count, dtype=torch.float64, device=own.device)
    left = at.floor().clamp(max=len(own) - 2).long()
    near = own[left] + (at - left) * (own[left + 1] - own[left])
    ratio = float(near[-1] / near[-2])
    further = math.ceil(math.log(float(centres[-1]) / low / float(near[-1])) / math.log(ratio))
    return torch.cat([near, near[-1] * ratio ** torch.arange(1, further + 1, dtype=torch.float64, device=own.device)])
