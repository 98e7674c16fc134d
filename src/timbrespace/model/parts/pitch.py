"""Pitch as a variable: a frequency axis in harmonics of the pitch, and the pitch as an input of networks.

On an axis in Hz each note has its partials at other frequencies, and a blend of two notes has the partials of both. Divided by the
fundamental, the k-th partial of every note is at k.

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
MARGIN = 4.0  # semitones that an axis extends beyond the notes of a corpus: as far as variations shift
_FINER = 1.3  # slots a band at the highest pitch: few enough, with a small error of interpolation
_WAVES = 3  # sines of the pitch as inputs of networks: with periods of 4, 2 and 1 scales


class NoteRange:
    """The range of pitches of a model, and the scale of the pitch in its latents.

    lowest, highest: MIDI numbers of the notes; the range extends MARGIN beyond them. Raises ConfigError.
    """

    def __init__(self, *, lowest: float, highest: float):
        if not 0 <= lowest < highest <= 127:
            raise ConfigError(f"model.notes is {lowest:g} to {highest:g}, allowed are two rising MIDI numbers from 0 to 127, auto, or null")
        self.lowest, self.highest = lowest, highest

    @property
    def middle(self) -> float:
        """MIDI number that is used for an unknown pitch."""
        return (self.lowest + self.highest) / 2

    @property
    def _scale(self) -> float:
        return (self.highest - self.lowest + 2 * MARGIN) / 4

    def standard(self, pitch: Tensor) -> Tensor:
        """Returns MIDI numbers `(batch,)` on the scale of a latent, `(batch, 1)`: -2 … 2 over the range; unknown (NaN) gives 0."""
        return ((pitch - self.middle) / self._scale).nan_to_num(0.0)[:, None]

    def midi(self, standard: Tensor) -> Tensor:
        """Returns MIDI numbers `(batch,)` of entries of a latent `(batch, 1)`."""
        return standard[:, 0] * self._scale + self.middle

    def fundamentals(self, pitch: Tensor) -> Tensor:
        """Returns frequencies in Hz of MIDI numbers `(batch,)`, float64 on the CPU; the middle for unknown ones (NaN)."""
        return midi_to_hz(torch.nan_to_num(pitch.detach().cpu().double(), nan=self.middle))


class HarmonicAxis(NoteRange):
    """Resamples images from bands to harmonics of a given pitch, and back.

    centres: of the bands in Hz, rising. lowest, highest: MIDI numbers of the notes; the axis extends MARGIN beyond them. Higher pitches
    lose detail; of lower ones the upper end is repeated. `slots (slots,)`: harmonic numbers, as dense as the highest pitch needs, as far as
    the lowest needs. Raises ConfigError.
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
    """Returns inputs of a network, `(batch, FEATURES)`, for a standardised pitch `(batch, 1)`: clamped, with sines and cosines."""
    held = standard.clamp(-2.0, 2.0)
    turns = held * (math.pi / 2 * 2.0 ** torch.arange(_WAVES)).to(held)
    return torch.cat([held, turns.sin(), turns.cos()], 1)


FEATURES = 1 + 2 * _WAVES


def cubic(places: Tensor, grid: Tensor) -> Tensor:
    """Returns matrices of Catmull-Rom interpolation on a rising grid `(points,)`: places `(batch, n) -> (batch, n, points)`.

    Rows sum to 1. Neighbouring points count as evenly spaced; beyond the ends the last value is repeated.
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
    """Returns harmonic numbers: denser than the bands over `high`, then in their last ratio up to the top band over `low`."""
    own = centres / high
    count = math.ceil(len(own) * _FINER)
    at = torch.linspace(0, len(own) - 1, count, dtype=torch.float64, device=own.device)
    left = at.floor().clamp(max=len(own) - 2).long()
    near = own[left] + (at - left) * (own[left + 1] - own[left])
    ratio = float(near[-1] / near[-2])
    further = math.ceil(math.log(float(centres[-1]) / low / float(near[-1])) / math.log(ratio))
    return torch.cat([near, near[-1] * ratio ** torch.arange(1, further + 1, dtype=torch.float64, device=own.device)])
