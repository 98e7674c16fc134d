"""The model of voices: levels at another pitch, the range of conditions, and the divergence, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from timbrespace.voices.frames import BANDS, PARTIALS
from timbrespace.voices.model import CELLS, CONDITIONS, VoiceModel, at_pitch, divergence


def levels(odd: float, even: float, slope: float) -> torch.Tensor:
    """Levels that fall by `slope` dB a partial, odd ones from one level and even ones from another; noise of 1 to BANDS."""
    numbers = torch.arange(1.0, PARTIALS + 1)
    partials = torch.where(numbers % 2 == 1, odd, even) - slope * numbers
    return torch.cat([partials, torch.arange(1.0, BANDS + 1)])[None]


@pytest.mark.parametrize("ratio", [0.5, 0.6, 0.9, 1.0, 1.3, 2.0])
def test_levels_stay_at_their_frequency_among_odd_and_even_ones(ratio: float) -> None:
    found = at_pitch(levels(0.0, -30.0, 0.5), torch.tensor([ratio]))[0]
    numbers = np.arange(1, PARTIALS + 1)
    inside = (numbers * ratio >= 2) & (numbers * ratio <= PARTIALS - 1)
    expected = np.where(numbers % 2 == 1, 0.0, -30.0) - 0.5 * numbers * ratio
    np.testing.assert_allclose(found[:PARTIALS].numpy()[inside], expected[inside], atol=1e-4)
    np.testing.assert_array_equal(found[PARTIALS:].numpy(), np.arange(1, BANDS + 1))
    assert found[:PARTIALS].isfinite().all()
    assert found[0] <= -0.5  # the first partial is not over the learned one
    assert found[1] <= -30.5


def test_above_the_last_partial_levels_fall_by_12_db_an_octave() -> None:
    found = at_pitch(levels(0.0, 0.0, 0.0), torch.tensor([4.0]))[0]
    assert found[PARTIALS // 2 - 1] - found[PARTIALS - 1] == pytest.approx(12.04, abs=0.01)


def test_conditions_are_moved_into_the_range_of_the_blend() -> None:
    model = VoiceModel(("one", "other"))
    model.lowest[:] = torch.tensor([[-1.0], [0.0]]).expand(-1, CONDITIONS)
    model.highest[:] = torch.tensor([[1.0], [2.0]]).expand(-1, CONDITIONS)
    far = torch.full((3, CONDITIONS), 5.0)
    moved = model.within(far, torch.tensor([[1.0, 0.0], [0.5, 0.5], [-0.5, 1.5]]))
    for row, edge in zip(moved, (1.0, 1.5, 2.0), strict=True):
        assert row[1] == pytest.approx(edge**2)
        np.testing.assert_allclose(row[[0, 2, 3, 8]].numpy(), edge, rtol=1e-6)


def test_the_divergence_is_that_of_two_normal_distributions() -> None:
    rng = torch.Generator().manual_seed(0)
    mean, spread, other, other_spread = (torch.randn(5, 3, generator=rng) for _ in range(4))
    one, two = (torch.distributions.Normal(m, (s / 2).exp()) for m, s in ((mean, spread), (other, other_spread)))
    expected = torch.distributions.kl_divergence(one, two).sum(1)
    torch.testing.assert_close(divergence(mean, spread, other, other_spread), expected)
    assert CELLS == PARTIALS + BANDS
