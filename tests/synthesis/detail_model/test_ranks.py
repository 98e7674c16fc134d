"""Maps of levels by rank, against levels whose distribution is known."""

import torch

from timbrespace.synthesis.detail_model.grid import GROUP_KNOTS, level_knots
from timbrespace.synthesis.detail_model.ranks import mapped, rank_map, ranked_levels

FLOOR = 80.0
WIDE = (-12.0, 4.0)


def sounds(low: float, high: float, *, seed: int) -> list[torch.Tensor]:
    """Twenty sounds with even levels between two limits, the quietest third silent."""
    made = torch.Generator().manual_seed(seed)
    levels = [low + (high - low) * torch.rand(40, 70, generator=made) for _ in range(20)]
    return [torch.where(one < low + (high - low) / 3, -FLOOR, one) for one in levels]


def test_equal_distributions_are_mapped_to_themselves() -> None:
    ranked = [ranked_levels(sounds(-80, -10, seed=seed), most=70, floor=FLOOR) for seed in (0, 1)]
    points = rank_map(*ranked, floor=FLOOR, limits=WIDE)
    inside = (level_knots(FLOOR) > -50) & (level_knots(FLOOR) < -16)
    torch.testing.assert_close(points[:, inside], level_knots(FLOOR)[inside].expand(len(GROUP_KNOTS), -1), atol=1.0, rtol=0)


def test_a_haze_becomes_as_quiet_as_the_others_are() -> None:
    """Ours are 8 dB louder between -60 and -40 dB: the map takes that away, and never falls."""
    theirs = sounds(-80, -30, seed=2)
    ours = [torch.where(one > -FLOOR, one + 8.0, one) for one in sounds(-80, -30, seed=3)]
    points = rank_map(*(ranked_levels(some, most=70, floor=FLOOR) for some in (ours, theirs)), floor=FLOOR, limits=WIDE)
    levels = torch.full((40, 5), -40.0)
    torch.testing.assert_close(mapped(levels, points, floor=FLOOR), levels - 8.0, atol=0.7, rtol=0)
    assert bool((points.diff(dim=1) >= 0).all())
    assert float((points - level_knots(FLOOR)).min()) >= WIDE[0]
