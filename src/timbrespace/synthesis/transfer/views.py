"""What the transfer of recordings needs of a view: its grid of frames, the power of features, and silence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from timbrespace.representation.base import Representation
from timbrespace.representation.normalisation import Normalised

SILENCE = -240.0  # dB, of cells that decode to silence
_MARGIN_DB = 3.0  # above the floor: cells that decode to silence
_LEAST_DB = -110.0  # of the loudest cell: below, a part of a recording is silent


def plain_view(view: Representation) -> Any:
    """Returns the view without normalisation."""
    return view.view if isinstance(view, Normalised) else view


def plain(view: Representation, features: Tensor) -> Tensor:
    """Returns the features of the view without normalisation, of the same shape."""
    return view.undo(features) if isinstance(view, Normalised) else features


def hop_of(view: Representation) -> int:
    """Returns the samples between frames."""
    one = plain_view(view)
    return int(one.hop or one.block)


def reach_of(view: Representation) -> int:
    """Returns samples beyond which a frame, or the frames of a sample, hardly depend on the audio."""
    one = plain_view(view)
    lead = round(-one.axes(1).first_s * one.sample_rate)
    return int(max(getattr(one, "n_fft", 0), 2 * one.hop, lead, 1))


def in_levels(view: Any) -> bool:
    """Returns whether features of a plain view are levels in dB."""
    return bool(view.decibels or getattr(view, "scale", "") == "decibels")


def power_of(view: Any, features: Tensor) -> float:
    """Returns the power of features `(parts, bands, frames)` of a plain view, in a unit of its own: to compare sounds in the same view."""
    if in_levels(view):
        return float(torch.where(features > SILENCE / 2, 10 ** (features.double() / 10), 0.0).sum())
    found = view.magnitudes(features)
    values = features if found is None else found[0]
    return float(values.double().square().sum())


def silenced(view: Any, features: Tensor) -> Tensor:
    """Returns features of one sound, same shape; of levels in dB, cells on the floor are SILENCE."""
    if not in_levels(view):
        return features
    return torch.where(features > features.max() - view.floor + _MARGIN_DB, features, SILENCE)


def silent_frames(view: Any, frames: int) -> Tensor:
    """Returns features `(parts, bands, frames)` of silence, of a plain view."""
    return torch.full((view.parts, view.bands, frames), SILENCE if in_levels(view) else 0.0)


def with_floor(view: Any, features: Tensor) -> Tensor | None:
    """Returns features as a plain view decodes them, with SILENCE on its floor; None where all of them are silent."""
    if not in_levels(view):
        return features if bool(features.any()) else None
    loudest = float(features.max())
    return None if loudest < _LEAST_DB else features.clamp_min(loudest - view.floor)
