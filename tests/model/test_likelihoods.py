"""Likelihoods against closed forms and torch.distributions; those of audio's samples are refused elsewhere."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.contracts import ConfigError
from timbrespace.model.base import Posterior, kl_to_normal
from timbrespace.model.parts.likelihood import FAITHFUL, KINDS, Likelihood, deviations_apart, spectral_loss
from timbrespace.representation.companding import compand

SHAPE = (3, 2, 5, 7)  # sounds, parts, bands, frames


@pytest.fixture
def wanted() -> torch.Tensor:
    return torch.rand(SHAPE)


def test_gaussian_is_the_normal_density(wanted: torch.Tensor) -> None:
    mean, log_deviation = torch.randn(SHAPE), 4 * torch.rand(SHAPE) - 3
    truth = -Normal(mean, log_deviation.exp()).log_prob(wanted).flatten(1).sum(1)
    likelihood = Likelihood("gaussian")
    output = torch.cat([mean, log_deviation], 1)
    assert likelihood.outputs == 2
    assert torch.equal(likelihood.mean(output), mean)
    assert torch.allclose(likelihood.loss(output, wanted), truth, rtol=1e-5)
    wild = torch.cat([mean, torch.full(SHAPE, -50.0)], 1)  # a deviation of e^-7 at least: no output gives infinite density
    assert torch.allclose(
        likelihood.loss(wild, wanted), -Normal(mean, torch.tensor(-7.0).exp()).log_prob(wanted).flatten(1).sum(1), rtol=1e-5
    )


def test_a_faithful_mean_learns_as_with_one_variance_and_the_variances_from_its_residuals(wanted: torch.Tensor) -> None:
    hidden, last = torch.randn(SHAPE[0], 4, requires_grad=True), torch.nn.Linear(4, 2 * math.prod(SHAPE[1:]))
    output = deviations_apart(last, hidden).unflatten(1, (2 * SHAPE[1], *SHAPE[2:]))
    assert torch.allclose(output, last(hidden).unflatten(1, (2 * SHAPE[1], *SHAPE[2:])), atol=1e-5)
    likelihood = Likelihood(FAITHFUL)
    mean, log_deviation = output.chunk(2, 1)
    assert likelihood.outputs == 2
    assert torch.equal(likelihood.mean(output), mean)
    best = float((mean - wanted).detach().square().mean().sqrt())
    parts = (Normal(mean, best), Normal(mean, log_deviation.exp()))
    truth = sum(-part.log_prob(wanted).flatten(1).sum(1) for part in parts)
    assert torch.allclose(likelihood.loss(output, wanted), truth, rtol=1e-5)

    def gradients(loss: torch.Tensor) -> list[torch.Tensor]:
        return list(torch.autograd.grad(loss, (hidden, last.weight), retain_graph=True))

    (of_hidden, of_weights), half = gradients(likelihood.loss(output, wanted).sum()), math.prod(SHAPE[1:])
    alone = gradients(-Normal(mean, best).log_prob(wanted).sum())
    assert torch.allclose(of_hidden, alone[0], rtol=1e-4, atol=1e-5)  # nothing of the variances
    assert torch.allclose(of_weights[:half], alone[1][:half], rtol=1e-4, atol=1e-5)
    spread = gradients(-Normal(mean.detach(), log_deviation.exp()).log_prob(wanted).sum())[1]
    assert torch.allclose(of_weights[half:], spread[half:], rtol=1e-4, atol=1e-4)


def test_sigma_is_one_deviation_for_all_and_finds_it(wanted: torch.Tensor) -> None:
    likelihood = Likelihood("sigma")
    with torch.no_grad():
        likelihood.log_deviation.fill_(-0.7)
    output = torch.randn(SHAPE)
    truth = -Normal(output, math.exp(-0.7)).log_prob(wanted).flatten(1).sum(1)
    assert torch.allclose(likelihood.loss(output, wanted), truth, rtol=1e-5)
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        likelihood.loss(output, wanted).mean().backward()
        optimizer.step()
    rmse = float((output - wanted).square().mean().sqrt())
    assert float(likelihood.log_deviation.detach().exp()) == pytest.approx(rmse, rel=1e-2)


def test_bernoulli_is_the_bernoulli_density(wanted: torch.Tensor) -> None:
    logits, likelihood = torch.randn(SHAPE), Likelihood("bernoulli")
    for values in (wanted.round(), wanted):
        truth = -Bernoulli(logits=logits, validate_args=False).log_prob(values).flatten(1).sum(1)
        assert torch.allclose(likelihood.loss(logits, values), truth, rtol=1e-5)
    assert torch.allclose(likelihood.mean(logits), Bernoulli(logits=logits).probs)


def test_the_kl_is_the_closed_form() -> None:
    mean, log_variance = torch.randn(4, 6), torch.randn(4, 6)
    truth = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    assert torch.allclose(kl_to_normal(Posterior(mean, log_variance)), truth, atol=1e-5)
    steps = torch.randn(4, 6, 3)
    moving = kl_to_normal(Posterior(steps, torch.zeros_like(steps)))
    assert torch.allclose(moving, 0.5 * steps.square().sum(2), atol=1e-5)


def test_sums_and_means(wanted: torch.Tensor) -> None:
    output = torch.rand(SHAPE)
    cells = math.prod(SHAPE[1:])
    summed, mean = Likelihood("squared").loss(output, wanted), Likelihood("mean squared").loss(output, wanted)
    assert torch.allclose(summed, cells * mean)
    assert torch.allclose(Likelihood("absolute").loss(output, wanted), (output - wanted).abs().sum((1, 2, 3)))
    for kind in KINDS:
        likelihood = Likelihood(kind)
        assert likelihood.loss(torch.rand(3, 2 * likelihood.outputs, 5, 7), wanted).shape == (3,)


def test_mu_law() -> None:
    assert torch.allclose(compand(torch.tensor([-1.0, 0.0, 1.0])), torch.tensor([-1.0, 0.0, 1.0]))
    assert float(compand(torch.tensor(0.1))) == pytest.approx(math.log(1 + 25.5) / math.log(256))
    likelihood = Likelihood("mu-law")
    quiet, loud = (torch.tensor([[[[level]]]]) for level in (0.01, 0.9))
    missed = [float(likelihood.loss(sound + 0.005, sound)) for sound in (quiet, loud)]
    truth = [(math.log1p(255 * (x + 0.005)) - math.log1p(255 * x)) / math.log(256) for x in (0.01, 0.9)]
    assert missed == pytest.approx([x * x for x in truth], rel=1e-3)
    assert missed[0] > 500 * missed[1]  # as the ear has it


def test_stft_is_deaf_to_phase_and_hears_levels() -> None:
    noise = 0.3 * torch.randn(2, 1, 6000)
    assert torch.equal(spectral_loss(noise, noise), torch.zeros(2))
    assert float(spectral_loss(-noise, noise).max()) < 1e-5
    # At half the level half of every magnitude is missing, and ln 2 of every logarithm.
    assert torch.allclose(spectral_loss(noise / 2, noise), torch.full((2,), 0.5 + math.log(2)), rtol=1e-2)
    later = torch.roll(noise, 1, 2)
    assert float(spectral_loss(later, noise).max()) < 0.5 * float(spectral_loss(torch.randn_like(noise) * 0.3, noise).min())


def test_stft_learns_and_stays_finite() -> None:
    wanted = torch.stack([torch.zeros(1, 700), 0.5 * torch.sin(torch.arange(700) * 0.1)[None]])  # shorter than a window, one silent
    output = torch.zeros_like(wanted, requires_grad=True)
    spectral_loss(output, wanted).sum().backward()
    assert output.grad is not None
    assert bool(output.grad.isfinite().all())
    output = (0.01 * torch.randn_like(wanted)).requires_grad_()
    optimizer = torch.optim.Adam([output], lr=0.01)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = spectral_loss(output, wanted)[1]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_stft_joins_the_blocks() -> None:
    audio, wanted = torch.randn(2, 1, 1, 640), torch.randn(2, 1, 1, 640)
    blocks = [sound.reshape(2, 1, 10, 64).transpose(2, 3) for sound in (audio, wanted)]
    assert torch.allclose(Likelihood("stft").loss(*blocks), Likelihood("stft").loss(audio, wanted))


@pytest.mark.parametrize("kind", ["stft", "mu-law"])
def test_only_samples_have_them(kind: str) -> None:
    waveform: dict[str, Any] = {"name": "waveform", "block": 64}
    dense = {"name": "dense", "likelihood": kind, "sigmoid": False}
    assert make_config({"representation": waveform, "model": dense}).model["likelihood"] == kind
    plain = {"name": "dense", "dims": 4}
    for view, model, place in (
        ({"name": "mel"}, dense, "model.likelihood"),
        ({"name": "mdct"}, dense, "model.likelihood"),
        ({**waveform, "normalisation": "standard"}, dense, "model.likelihood"),
        (waveform, {"name": "staged", "outer": plain, "inner": dense}, "model.inner.likelihood"),
        ({"name": "mel"}, {"name": "staged", "outer": dense, "inner": plain}, "model.outer.likelihood"),
    ):
        with pytest.raises(ConfigError, match=rf"{place} is '{kind}', which takes samples of audio"):
            make_config({"representation": view, "model": model})
    mel = build_representation({"name": "mel"}, sample_rate=44_100, channels=1)
    with pytest.raises(ConfigError, match="takes samples of audio"):
        build_model(dense, representation=mel, samples=4_000)
    with pytest.raises(ConfigError, match="likelihood is 'spectral', allowed are squared"):
        Likelihood("spectral")
