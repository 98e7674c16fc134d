"""Maps of levels by rank: to each level of some sounds that of other sounds which has the same rank, by group of bands.

Latents between those of sounds decode to blends of them in dB: silence of one and noise of another become a haze. Rank by rank the
quiet cells of new sounds become as quiet as those of real ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.synthesis.detail_model.grid import GROUP_KNOTS, band_hats, level_index, level_knots

_FRAMES = 64  # of each sound
_SMOOTH = (1.0, 2.0, 3.0, 2.0, 1.0)  # over levels
_LOUD, _LOUD_DB = 6, (-1.0, 2.0)  # levels next to the loudest, and their change


def ranked_levels(sounds: Sequence[Tensor], *, most: int, floor: float) -> list[Tensor]:
    """Returns the levels of sounds `(bands, frames)` in dB by group of bands, sorted.

    Frames are counted on a scale that gives the attack its weight, `most` of each sound: silence follows a shorter one.
    """
    frames = (torch.linspace(0, 1, _FRAMES).square() * (most - 1)).round().long()
    groups: list[list[Tensor]] = [[] for _ in GROUP_KNOTS]
    for level in sounds:
        padded = functional.pad(level, (0, max(0, most - level.shape[1])), value=-floor)[:, frames]
        for group, rows in zip(groups, padded.tensor_split(len(GROUP_KNOTS)), strict=True):
            group.append(rows.flatten())
    return [torch.cat(group).sort().values for group in groups]


def rank_map(ours: Sequence[Tensor], theirs: Sequence[Tensor], *, floor: float, limits: tuple[float, float]) -> Tensor:
    """Returns the levels of `theirs` with the ranks that `LEVELS` levels have among `ours`, `(groups, LEVELS)`, rising.

    ours, theirs: see `ranked_levels`. limits: least and most change of a level in dB.
    """
    knots, kernel, rows = level_knots(floor), torch.tensor([[_SMOOTH]]) / sum(_SMOOTH), []
    for mine, real in zip(ours, theirs, strict=True):
        rank = torch.searchsorted(mine, knots) / len(mine)
        change = (real[(rank * (len(real) - 1)).long()] - knots).clamp(*limits)
        change[0], change[-_LOUD:] = 0.0, change[-_LOUD:].clamp(*_LOUD_DB)
        padded = functional.pad(change[None, None], (len(_SMOOTH) // 2,) * 2, mode="replicate")
        rows.append(torch.cummax(knots + functional.conv1d(padded, kernel)[0, 0], 0).values)
    return torch.stack(rows)


def mapped(level: Tensor, points: Tensor, *, floor: float) -> Tensor:
    """Returns levels in dB `(bands, frames)`, changed by a map `(groups, LEVELS)`, linear between its levels and groups of bands."""
    lower, share = level_index(level, floor)
    table = band_hats(level.shape[0], GROUP_KNOTS) @ points
    return torch.lerp(table.gather(1, lower), table.gather(1, lower + 1), share)
