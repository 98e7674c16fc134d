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
_COUNT = len(ZONES) - 1
FLUTTER, WANDER, RATE = _COUNT, _COUNT + 1, _COUNT + 2  # places among the traits
SUSTAINED, ATTACK = slice(0, _COUNT), slice(_COUNT + 3, 2 * _COUNT + 3)  # of the noise shares, after the attack and in it
TRAITS = 2 * _COUNT + 3  # logarithms of all of these
EARLIER_TRAITS = _COUNT + 3  # of files of earlier versions, without shares in the attack
ATTACK_S, SUSTAINED_S = 0.05, 0.15  # s: the attack is over at the first, its noise at the second
LEAST_FLUTTER, LEAST_WANDER = 0.05, 0.05  # dB, cents; added before the logarithm, so that a steady note has one
FEWEST_NOTES = 12  # with fewer measured notes there is no prediction
_RIDGE = 3.0  # in notes; latents have a deviation of about 1
_MOST_FLUTTER, _MOST_WANDER, _RATES = 5.0, 25.0, (0.5, 12.0)  # dB, cents, Hz: beyond the measured range predictions are held


class NoteTraits(NamedTuple):
    """The traits of one note.

    noise: share of the power that is not in partials, in each zone of `ZONES`, 0 to 1; attack: the same at the start of the note. flutter:
    standard deviation of the level of partials about its trend, in dB: swings of about 8 to 30 Hz. wander, rate: standard deviation of the
    pitch in cents, and how often it swings, in Hz.
    """

    noise: Values
    attack: Values
    flutter: float
    wander: float
    rate: float


def traits_of(measured: Values, *, unknown: NoteTraits) -> NoteTraits:
    """Returns the traits of one note from a row of `measure.measure_note`, `(TRAITS,)`; those of `unknown` where it has NaN."""
    noise, attack = _shares(measured[SUSTAINED]), _shares(measured[ATTACK])
    flutter, wander, rate = np.exp(measured[FLUTTER : RATE + 1]) - (LEAST_FLUTTER, LEAST_WANDER, 0.0)
    return NoteTraits(
        noise=np.where(np.isfinite(noise), noise, unknown.noise),
        attack=np.where(np.isfinite(attack), attack, unknown.attack),
        flutter=float(np.clip(flutter, 0.0, _MOST_FLUTTER)) if np.isfinite(flutter) else unknown.flutter,
        wander=float(np.clip(wander, 0.0, _MOST_WANDER)) if np.isfinite(wander) else unknown.wander,
        rate=float(np.clip(rate, *_RATES)) if np.isfinite(rate) else unknown.rate,
    )


@dataclass(frozen=True)
class NoteModel:
    """A linear map from latents to the traits of notes, fitted by ridge regression.

    weights `(1 + dims, TRAITS)`, or `EARLIER_TRAITS` in files of earlier versions; the first row is constant. levels
    `(1 + categories, groups, LEVELS)`: levels of recorded notes with the ranks of levels of decoded new notes, see `detail_model.ranks`,
    first for all notes, then for each of `categories`; None: new notes are as they are decoded.
    """

    weights: Tensor
    levels: Tensor | None = None
    categories: tuple[str, ...] = ()

    @classmethod
    def fit(cls, latents: Tensor, measured: Sequence[Values]) -> NoteModel | None:
        """Returns the map fitted to n notes, None where fewer than `FEWEST_NOTES` could be measured.

        latents: `(n, dims)`. measured: rows of `measure.measure_note`, `(TRAITS,)` each; NaN where a trait could not be measured. A trait
        that too few notes have is their mean, or that of its neighbour in the order of `ZONES`.
        """
        targets = np.asarray(measured, np.float64).reshape(len(latents), TRAITS)
        inputs = np.concatenate([np.ones((len(latents), 1)), latents.double().numpy()], 1)
        known = np.isfinite(targets)
        if known[:, RATE].sum() < FEWEST_NOTES or known[:, SUSTAINED].any(1).sum() < FEWEST_NOTES:
            return None
        penalty = _RIDGE * np.eye(inputs.shape[1])
        penalty[0, 0] = 1e-9  # the mean is free
        weights = np.zeros((inputs.shape[1], TRAITS))
        fitted = [column for column in range(TRAITS) if known[:, column].sum() >= FEWEST_NOTES or column in (FLUTTER, WANDER, RATE)]
        for column in fitted:
            rows = known[:, column]
            a, y = inputs[rows], targets[rows, column]
            weights[:, column] = np.linalg.solve(a.T @ a + penalty, a.T @ y)
        for part in (SUSTAINED, ATTACK):
            zones = [column for column in range(TRAITS)[part] if column in fitted]
            for column in set(range(TRAITS)[part]) - set(zones):
                same = SUSTAINED.start + column - part.start  # an attack that was not measured is as noisy as what follows
                weights[:, column] = weights[:, min(zones, key=lambda zone: abs(zone - column)) if zones else same]
        return cls(torch.from_numpy(weights).float())

    def levels_of(self, category: str | None) -> Tensor | None:
        """Returns the map of levels `(groups, LEVELS)` of a category; that of all notes for an unknown one; None without maps."""
        return None if self.levels is None else self.levels[self.categories.index(category) + 1 if category in self.categories else 0]

    def of(self, z: Tensor) -> NoteTraits:
        """Returns the traits of a latent `(dims,)`."""
        row = (self.weights[0].double() + z.double() @ self.weights[1:].double()).numpy()
        flutter = np.exp(min(row[FLUTTER], 5.0)) - LEAST_FLUTTER
        wander = np.exp(min(row[WANDER], 5.0)) - LEAST_WANDER
        return NoteTraits(
            noise=_shares(row[SUSTAINED]),
            attack=_shares(row[ATTACK] if len(row) == TRAITS else row[SUSTAINED]),
            flutter=float(np.clip(flutter, 0.0, _MOST_FLUTTER)),
            wander=float(np.clip(wander, 0.0, _MOST_WANDER)),
            rate=float(np.clip(np.exp(np.clip(row[RATE], -3.0, 5.0)), *_RATES)),
        )


def _shares(logarithms: Values) -> Values:
    return np.asarray(np.exp(np.clip(logarithms, -14.0, 0.0)))
