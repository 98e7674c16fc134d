"""Noise fields of detail: deviation 1, the correlations that were asked for, the same for the same seed."""

from __future__ import annotations

import pytest
import torch

from timbrespace.noise import Noise, Purpose
from timbrespace.synthesis.detail_model import fields
from timbrespace.synthesis.detail_model.draw import skewed

BANDS, FRAMES = 161, 1500


def noise(seed: int = 0) -> Noise:
    return Noise(seed, Purpose.DETAIL)


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a * b).mean() / (a.square().mean() * b.square().mean()).sqrt())


@pytest.mark.parametrize(("first", "second", "beside"), [(0.35, 0.06, 0.4), (0.6, 0.2, 0.2), (0.0, 0.0, 0.0)])
def test_grain_has_the_correlations_asked_for(first: float, second: float, beside: float) -> None:
    weights = fields.time_weights(torch.full((BANDS,), first), torch.full((BANDS,), second))
    kernel = torch.stack([*weights, fields.neighbour_weight(torch.full((BANDS,), beside))])
    found = fields.fast(noise(), kernel, frames=FRAMES)
    assert found.shape == (BANDS, FRAMES)
    assert abs(float(found[2:-2].std()) - 1) < 0.02
    assert abs(correlation(found[:, 1:], found[:, :-1]) - first) < 0.02
    assert abs(correlation(found[:, 2:], found[:, :-2]) - second) < 0.02
    assert abs(correlation(found[1:], found[:-1]) - beside) < 0.02
    assert abs(correlation(found[:, 8:], found[:, :-8])) < 0.02


def test_ripple_lasts_and_drift_changes_by_octaves() -> None:
    weight = fields.neighbour_weight(torch.full((BANDS,), 0.3))
    drifts = torch.stack([fields.drifting(noise(seed), weight, frames=600) for seed in range(40)])
    assert abs(float(drifts.std()) - 1) < 0.05
    assert correlation(drifts[:, :, 300], drifts[:, :, 310]) > 0.97  # a thirtieth of an octave
    assert abs(correlation(drifts[:, :, 10], drifts[:, :, 300])) < 0.05  # five octaves
    ripples = torch.stack([fields.ripple(noise(seed), weight) for seed in range(200)])
    assert ripples.shape == (200, BANDS, 1)
    assert abs(correlation(ripples[:, 1:], ripples[:, :-1]) - 0.3) < 0.03


def test_broad_errors_are_smooth_over_bands() -> None:
    found = torch.stack([fields.broad(noise(seed), bands=BANDS, frames=100) for seed in range(200)])
    assert abs(float(found.std()) - 1) < 0.08
    assert correlation(found[:, 50], found[:, 53]) > 0.9
    assert abs(correlation(found[:, 20], found[:, 120])) < 0.1


def test_the_same_seed_gives_the_same_noise() -> None:
    kernel = torch.full((3, BANDS), 0.2)
    assert torch.equal(fields.fast(noise(4), kernel, frames=9), fields.fast(noise(4), kernel, frames=9))
    assert not torch.equal(fields.fast(noise(4), kernel, frames=9), fields.fast(noise(5), kernel, frames=9))


def test_skewed_noise_keeps_mean_and_deviation() -> None:
    values = torch.from_numpy(noise().normal(400_000)).float()
    made = skewed(values, torch.tensor(0.35))
    assert abs(float(made.mean())) < 0.01
    assert abs(float(made.std()) - 1) < 0.01
    assert -1.3 < float((made**3).mean()) < -1.0  # the level of white noise in one bin: -1.14
    assert torch.allclose(skewed(values[:100], torch.tensor(0.02)), values[:100], atol=0.1)
