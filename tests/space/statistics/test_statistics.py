"""Statistics of latent spaces whose moments are known."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from timbrespace.instrument import Instrument
from timbrespace.report.latents.words import sentences, table
from timbrespace.space.statistics.statistics import (
    LatentStatistics,
    between_categories,
    correlations,
    histograms,
    latent_statistics,
)

SOUNDS = 20_000
MEANS = torch.tensor([0.0, 0.5, 0.0, -1.0, 0.0, 0.0])
DEVIATIONS = torch.tensor([0.9, 0.6, 0.05, 1.2, 0.8, 0.8])  # the third dimension is not used: its variance is 0.0025
NOISE = torch.tensor([0.19, 0.64, 1.0, 0.05, 0.36, 0.36])


def kl_of(mean: torch.Tensor, deviation: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """KL in nats of posteriors N(m, noise) with m from N(mean, deviation²), mean over them, in closed form."""
    return 0.5 * (mean.square() + deviation.square() + noise - 1 - noise.log())


@pytest.fixture(scope="module")
def known(instrument: Instrument) -> LatentStatistics:
    """Statistics of Gaussian latents with known moments; the last two dimensions have a correlation of 0.8."""
    return latent_statistics(contents_with(instrument))


def contents_with(instrument: Instrument, **training: Any) -> Any:
    generator = torch.Generator().manual_seed(3)
    z = torch.randn(SOUNDS, 6, generator=generator)
    z[:, 5] = 0.8 * z[:, 4] + 0.6 * z[:, 5]
    latents = MEANS + DEVIATIONS * z
    clips = instrument.contents.clips
    assert clips is not None
    categories = tuple("high" if value > 0 else "low" for value in z[:, 0].tolist())
    clips = replace(clips, latents=latents, names=("x",) * SOUNDS, categories=categories, counted=None)
    card = {"training": {"kl_per_dimension": kl_of(MEANS, DEVIATIONS, NOISE).tolist(), "noise_per_dimension": NOISE.tolist(), **training}}
    return replace(instrument.contents, clips=clips, card=card)


def test_moments_are_those_of_the_distribution(known: LatentStatistics) -> None:
    assert known.dims == known.inferred == 6
    torch.testing.assert_close(known.mean, MEANS, rtol=0, atol=0.03)
    torch.testing.assert_close(known.deviation, DEVIATIONS, rtol=0.02, atol=0)
    assert known.total_deviation is not None
    torch.testing.assert_close(known.total_deviation, (DEVIATIONS.square() + NOISE).sqrt(), rtol=0.02, atol=0)


def test_active_units_are_those_whose_mean_varies_by_more_than_a_hundredth(known: LatentStatistics) -> None:
    assert known.used.tolist() == [True, True, False, True, True, True]
    assert known.to_json()["active_units"] == 5
    assert known.to_json()["unused"] == [3]
    assert "Not used: 3." in " ".join(sentences(known))


def test_the_distance_from_the_prior_is_a_part_of_the_kl(known: LatentStatistics) -> None:
    distance, kl = known.prior_distance, known.kl
    assert distance is not None
    assert kl is not None
    assert float(distance[0]) == pytest.approx(0.0, abs=0.001)  # 0.9² + 0.19 = 1: the prior itself
    variance = 1.2**2 + 0.05
    assert float(distance[3]) == pytest.approx(0.5 * (1 + variance - 1 - math.log(variance)), abs=0.03)
    # The rest is the mutual information of a Gaussian channel (Hoffman, Johnson 2016).
    information = 0.5 * (1 + DEVIATIONS.square() / NOISE).log()
    torch.testing.assert_close(kl - distance, information, rtol=0, atol=0.04)


def test_correlations_are_found_and_chance_is_not(known: LatentStatistics) -> None:
    assert known.strongest() == [(4, 5, pytest.approx(0.8, abs=0.01))]
    assert torch.equal(correlations(torch.ones(9, 2)), torch.zeros(2, 2))
    line = torch.linspace(0, 1, 50)
    torch.testing.assert_close(correlations(torch.stack([line, -3 * line], 1)), torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))


def test_the_share_between_categories_is_that_of_a_split_gaussian(known: LatentStatistics) -> None:
    assert float(known.share[0]) == pytest.approx(2 / math.pi, abs=0.01)  # halves of a Gaussian: variance of the two means
    assert float(known.share[1]) < 0.01
    alone = between_categories(torch.randn(10, 2), ("one",) * 10)
    assert alone.isnan().all()
    exact = between_categories(torch.tensor([[1.0, 5.0], [1.0, 5.0], [3.0, 5.0], [9.0, 9.0]]), ("a", "a", "b", None))
    assert float(exact[0]) == pytest.approx(1.0)
    assert exact[1].isnan()


def test_histograms_count_every_sound_and_follow_the_density(known: LatentStatistics) -> None:
    assert torch.equal(known.counts.sum(1), torch.full((6,), float(SOUNDS)))
    inside = known.counts[0, 20:25].sum() / SOUNDS  # of 40 bins between -4 and 4: 0 to 1
    assert float(inside) == pytest.approx(0.5 * math.erf(1 / 0.9 / math.sqrt(2)), abs=0.01)
    edges = torch.linspace(-1, 1, 5)
    assert histograms(torch.tensor([[-9.0], [-0.6], [0.0], [0.99], [7.0]]), edges).tolist() == [[2.0, 0.0, 1.0, 2.0]]


def test_the_table_begins_with_the_most_informative_dimension(known: LatentStatistics) -> None:
    assert known.kl is not None
    lines = table(known)
    assert lines[1].split()[0] == str(int(known.kl.argmax()) + 1)
    assert sum("not used" in line for line in lines) == 1
    assert "…" in table(known, most=2)[-1]
    assert "█" not in "".join(table(known, sketches=False))


def test_without_a_posterior_words_say_what_is_not_defined(instrument: Instrument) -> None:
    plain = latent_statistics(contents_with(instrument, kl_per_dimension=[0.0] * 6, noise_per_dimension=[]))
    assert plain.kl is plain.noise is plain.prior_distance is None
    assert plain.used.all()  # by deviation: 0.05 is over a hundredth of 1.2
    assert plain.to_json()["kl_nats"] is None
    assert "KL, active units and distance from the prior are not defined" in " ".join(sentences(plain))
    assert "nats" not in " ".join(sentences(plain))


def test_an_older_file_says_what_it_does_not_hold(instrument: Instrument) -> None:
    older = latent_statistics(contents_with(instrument, noise_per_dimension=None))
    assert older.kl is not None
    assert older.prior_distance is None
    assert "earlier version" in " ".join(older.notes)
    bare = latent_statistics(replace(instrument.contents, card={}))
    assert bare.kl is None
    assert "holds no KL" in " ".join(bare.notes)


def test_a_stripped_instrument_has_the_moments_of_its_density(instrument: Instrument) -> None:
    stripped = latent_statistics(replace(instrument.contents, clips=None))
    space = instrument.contents.space
    weights, means = space.weights.double(), space.means.double()
    expected = weights @ means
    spread = (space.factors.double().square().sum(2) + (means - expected).square()).mul(weights[:, None]).sum(0).sqrt()
    assert not stripped.measured
    torch.testing.assert_close(stripped.mean.double(), expected, rtol=0, atol=0.1)
    torch.testing.assert_close(stripped.deviation.double(), spread, rtol=0.1, atol=0)
    assert "stripped" in " ".join(stripped.notes)


def test_training_stores_what_the_statistics_need(instrument: Instrument) -> None:
    found = instrument.statistics()
    assert found.noise is not None
    assert found.kl is not None
    assert ((found.noise > 0) & (found.noise < 5)).all()
    # E[σ²] - 1 - E[log σ²] ≥ 0 and log is concave: the KL is at least that of the mean variance
    assert (found.kl >= 0.5 * (found.noise - 1 - found.noise.log()) - 1e-3).all()
