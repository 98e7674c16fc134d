"""What the latent of a note says of its steadiness: noise beside its partials, flutter of their levels, wander of its pitch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Values = NDArray[np.float64]

# Hz: noise is measured between these frequencies.
ZONES = (0.0, 400.0, 800.0, 1_200.0, 1_600.0, 2_400.0, 3_200.0, 4_800.0, 6_400.0, 9_600.0, 12_800.0, 22_050.0)
TRAITS = len(ZONES) - 1 + 3  # numbers of a note: log noise share of every zone, log flutter, log wander, log rate of the wander
LEAST_FLUTTER, LEAST_WANDER = 0.05, 0.05  # dB, cents; added before the logarithm, so that a steady note has one
FEWEST_NOTES = 12  # with fewer measured notes nothing is predicted
_RIDGE = 3.0  # in notes; latents have a deviation of about 1
_MOST_FLUTTER, _MOST_WANDER, _RATES = 5.0, 25.0, (0.5, 12.0)  # dB, cents, Hz: beyond the measured range predictions are held


class NoteTraits(NamedTuple):
    """The traits of one note.

    noise: share of the power that is not in partials, in each zone of `ZONES`, 0 to 1. flutter: standard deviation of the level of
    partials about its trend, in dB: swings of about 8 to 30 Hz. wander, rate: standard deviation of the pitch in cents, and how often
    it swings, in Hz.
    """

    noise: Values
    flutter: float
    wander: float
    rate: float


def traits_of(measured: Values, *, unknown: NoteTraits) -> NoteTraits:
    """Returns the traits of one note from a row of `measure.measure_note`, `(TRAITS,)`; those of `unknown` where it has NaN."""
    noise = np.exp(np.clip(measured[:-3], -14.0, 0.0))
    flutter, wander, rate = np.exp(measured[-3:]) - (LEAST_FLUTTER, LEAST_WANDER, 0.0)
    return NoteTraits(
        noise=np.where(np.isfinite(noise), noise, unknown.noise),
        flutter=float(np.clip(flutter, 0.0, _MOST_FLUTTER)) if np.isfinite(flutter) else unknown.flutter,
        wander=float(np.clip(wander, 0.0, _MOST_WANDER)) if np.isfinite(wander) else unknown.wander,
        rate=float(np.clip(rate, *_RATES)) if np.isfinite(rate) else unknown.rate,
    )


@dataclass(frozen=True)
class NoteModel:
    """A linear map from latents to the traits of notes, fitted by ridge regression.

    weights `(1 + dims, TRAITS)`; the first row is constant.
    """

    weights: Tensor

    @classmethod
    def fit(cls, latents: Tensor, measured: Sequence[Values]) -> NoteModel | None:
        """Returns the map fitted to n notes, None where fewer than `FEWEST_NOTES` could be measured.

        latents: `(n, dims)`. measured: rows of `measure.measure_note`, `(TRAITS,)` each; NaN where a trait could not be measured. A trait
        that too few notes have is their mean, or that of its neighbour in the order of `ZONES`.
        """
        targets = np.asarray(measured, np.float64).reshape(len(latents), TRAITS)
        inputs = np.concatenate([np.ones((len(latents), 1)), latents.double().numpy()], 1)
        known = np.isfinite(targets)
        if known[:, -1].sum() < FEWEST_NOTES or known[:, :-3].any(1).sum() < FEWEST_NOTES:
            return None
        penalty = _RIDGE * np.eye(inputs.shape[1])
        penalty[0, 0] = 1e-9  # the mean is free
        weights = np.zeros((inputs.shape[1], TRAITS))
        zones = [column for column in range(TRAITS - 3) if known[:, column].sum() >= FEWEST_NOTES]
        for column in (*zones, *range(TRAITS - 3, TRAITS)):
            rows = known[:, column]
            a, y = inputs[rows], targets[rows, column]
            weights[:, column] = np.linalg.solve(a.T @ a + penalty, a.T @ y)
        for column in range(TRAITS - 3):
            if column not in zones and zones:
                weights[:, column] = weights[:, min(zones, key=lambda zone: abs(zone - column))]
        return cls(torch.from_numpy(weights).float())

    def of(self, z: Tensor) -> NoteTraits:
        """Returns the traits of a latent `(dims,)`."""
        row = (self.weights[0].double() + z.double() @ self.weights[1:].double()).numpy()
        flutter = np.exp(min(row[-3], 5.0)) - LEAST_FLUTTER
        wander = np.exp(min(row[-2], 5.0)) - LEAST_WANDER
        return NoteTraits(
            noise=np.exp(np.clip(row[:-3], -14.0, 0.0)),
            flutter=float(np.clip(flutter, 0.0, _MOST_FLUTTER)),
            wander=float(np.clip(wander, 0.0, _MOST_WANDER)),
            rate=float(np.clip(np.exp(np.clip(row[-1], -3.0, 5.0)), *_RATES)),
        )
