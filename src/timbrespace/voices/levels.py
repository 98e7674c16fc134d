"""Frames as the model sees them, levels relative to the loudness, and frames of such levels again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from timbrespace.voices.frames import BANDS, PARTIALS, QUIET, Frames, Values
from timbrespace.voices.model import make_conditions

_FLOORS = (-120.0, -120.0)  # dB, of partials and of noise


def to_levels(frames: Frames) -> tuple[Tensor, Tensor, Tensor]:
    """Returns levels in dB relative to the loudness, which cells hold one `(frames, CELLS)`, and the conditions `(frames, CONDITIONS)`."""
    loudness = frames.loudness()
    partials = np.maximum(20 * np.log10(frames.partials + 1e-9), _FLOORS[0])
    noise = np.maximum(10 * np.log10(frames.noise + 1e-12), _FLOORS[1])
    levels = np.concatenate([partials, noise], axis=1) - loudness[:, None]
    there = np.concatenate([frames.audible(), np.ones((len(frames), BANDS), bool)], axis=1)
    guide = None if frames.guide is None else torch.from_numpy(frames.guide)
    conditions = make_conditions(torch.from_numpy(frames.pitch).float(), torch.from_numpy(loudness).float(), guide)
    return torch.from_numpy(levels).float(), torch.from_numpy(there).float(), conditions


def from_levels(frames: Frames, levels: Tensor, *, keep_noise: bool = False) -> Frames:
    """Returns frames of levels `(frames, CELLS)` with pitch and loudness of `frames`. keep_noise: with their noise, too."""
    loudness = frames.loudness()
    values = levels.double().numpy()
    partials = 10 ** ((values[:, :PARTIALS] + loudness[:, None]) / 20) * frames.audible()
    noise = frames.noise if keep_noise else 10 ** ((values[:, PARTIALS:] + loudness[:, None]) / 10)
    made = replace(frames, partials=partials, noise=noise)
    return made.scaled(_level_gain(made.loudness(), loudness))


def _level_gain(have: Values, want: Values) -> Values:
    """Factors that give frames their loudness; silence stays silent."""
    return np.where(want > QUIET, 10 ** ((want - have) / 20), 0.0)
