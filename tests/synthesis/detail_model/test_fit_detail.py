"""The detail model finds the statistics of detail that was made with known ones, and draws detail that has them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from timbrespace.contracts import InstrumentFileError
from timbrespace.noise import Noise, Purpose
from timbrespace.synthesis.detail_model.draw import add_detail, course
from timbrespace.synthesis.detail_model.fit import calibrated, fit_attack, fit_detail_model, fit_points
from timbrespace.synthesis.detail_model.grid import RISES, level_knots
from timbrespace.synthesis.detail_model.model import DetailModel

FLOOR, BANDS, FRAMES, DIMS, SOUNDS = 80.0, 161, 120, 3, 48
FAST, SLOW = 3.0, 2.0

Pair = tuple[torch.Tensor, torch.Tensor]


def decoded_sound(seed: int) -> torch.Tensor:
    """A decaying noise with a silent top, loudest cell at 0 dB."""
    noise = torch.Generator().manual_seed(seed)
    levels = -8 * torch.rand(BANDS, 1, generator=noise) - 0.15 * torch.arange(FRAMES)[None]
    levels -= levels.max()
    levels[140:] = -FLOOR
    return levels


def known_pairs() -> tuple[list[Pair], torch.Tensor]:
    """Pairs whose fast detail is twice as strong for a latent one deviation higher, and whose ripple lasts; 2 dB under the decoded."""
    latents = torch.from_numpy(Noise(1, Purpose.LATENT).normal(SOUNDS, DIMS)).float()
    pairs = []
    for k, z in enumerate(latents):
        decoded, noise = decoded_sound(k), torch.Generator().manual_seed(1000 + k)
        fast = FAST * float(torch.exp2(0.5 * z[0])) * torch.randn(BANDS, FRAMES, generator=noise)
        detail = fast + SLOW * torch.randn(BANDS, 1, generator=noise) - 2.0
        pairs.append((torch.where(decoded > -FLOOR, decoded + detail, -FLOOR).clamp(-FLOOR, 0), decoded))
    return pairs, latents


@pytest.fixture(scope="module")
def known() -> tuple[list[Pair], torch.Tensor, DetailModel]:
    pairs, latents = known_pairs()
    return pairs, latents, fit_detail_model(pairs, latents, floor=FLOOR)


def test_deviations_are_found_and_follow_the_latent(known: tuple[list[Pair], torch.Tensor, DetailModel]) -> None:
    _, latents, model = known
    middle = model.standard(latents.mean(0))
    fast, slow = (torch.exp(logs[1:8, 1:5]) for logs in model.log_deviations(middle))
    assert abs(float(fast.mean()) - FAST) < 0.3
    assert abs(float(slow.mean()) - SLOW) < 0.4
    ratio = torch.exp(model.log_deviations(middle + torch.tensor([1.0, 0, 0]))[0] - model.log_deviations(middle)[0])[1:8, 1:5]
    expected = 2 ** (0.5 * float(latents[:, 0].std()))
    assert 1 + 0.4 * (expected - 1) < float(ratio.mean()) < 1.05 * expected  # the regression shrinks
    assert abs(float(model.gain_of(middle)) + 2) < 0.3
    assert float(model.shares[0, 1:8, 1:5].mean()) > 0.8  # ripple that lasts
    assert float(model.kernel[:2].abs().max()) < 0.1  # no correlation over frames was put in


def test_drawn_detail_has_the_deviations_of_the_real_one(known: tuple[list[Pair], torch.Tensor, DetailModel]) -> None:
    pairs, latents, model = known
    made = [
        (add_detail(d[None, None], model, z, floor=FLOOR, seed=k)[0, 0], d)
        for k, ((_, d), z) in enumerate(zip(pairs, latents, strict=True))
    ]
    again = fit_detail_model(made, latents, floor=FLOOR)
    for name in ("fast", "slow"):
        ratio = torch.exp(getattr(again, name)[0] - getattr(model, name)[0])[1:8, 1:5]
        assert 0.8 < float(ratio.mean()) < 1.25, name


def test_detail_is_quiet_where_nothing_sounds_and_repeats_with_its_seed(known: tuple[list[Pair], torch.Tensor, DetailModel]) -> None:
    pairs, latents, model = known
    features = pairs[0][1][None, None]
    made = add_detail(features, model, latents[0], floor=FLOOR, seed=3)
    assert made.shape == features.shape
    assert float(made.max()) == 0
    assert bool((made[0, 0, 140:] == -FLOOR).all())
    assert torch.equal(made, add_detail(features, model, latents[0], floor=FLOOR, seed=3))
    assert not torch.equal(made, add_detail(features, model, latents[0], floor=FLOOR, seed=4))
    silent = add_detail(torch.full_like(features, -FLOOR), model, latents[0], floor=FLOOR, seed=3)
    assert bool(torch.isfinite(silent).all())
    short = add_detail(features[..., :1], model, latents[0], floor=FLOOR, seed=3)
    assert short.shape[-1] == 1
    assert bool(torch.isfinite(short).all())


def test_both_parts_of_a_stereo_sound_have_their_own_detail(known: tuple[list[Pair], torch.Tensor, DetailModel]) -> None:
    pairs, latents, model = known
    made = add_detail(pairs[0][1].repeat(1, 2, 1, 1), model, latents[0], floor=FLOOR, seed=3)[0]
    assert made.shape == (2, BANDS, FRAMES)
    assert not torch.equal(made[0], made[1])


def test_no_sound_is_stored(known: tuple[list[Pair], torch.Tensor, DetailModel]) -> None:
    """The fit is the same for sounds in another order, and a model has far fewer numbers than one sound has cells."""
    pairs, latents, model = known
    assert sum(tensor.numel() for tensor in model.tensors().values()) < 0.1 * SOUNDS * BANDS * FRAMES
    with pytest.raises(ValueError, match="8"):
        fit_detail_model(pairs[:7], latents[:7], floor=FLOOR)


def test_calibration_restores_what_rendering_takes_away(known: tuple[list[Pair], torch.Tensor, DetailModel]) -> None:
    pairs, _, model = known
    weaker = [(decoded + 0.8 * (true - decoded), decoded) for true, decoded in pairs]
    corrected = calibrated(model, weaker, pairs, floor=FLOOR)
    ratio = torch.exp(corrected.fast[0] - model.fast[0])[1:8, 1:5]
    assert abs(float(ratio.mean()) - 1.25) < 0.05


def test_haze_of_blends_becomes_as_quiet_as_decoded_sounds(known: tuple[list[Pair], torch.Tensor, DetailModel]) -> None:
    pairs, latents, model = known
    training = [(torch.where(decoded < -20, decoded - 15, decoded), z) for (_, decoded), z in zip(pairs, latents, strict=True)]
    new = [(decoded, z) for (_, decoded), z in zip(pairs, latents, strict=True)]
    points = fit_points(model, new, training, floor=FLOOR)
    knots = level_knots(FLOOR)
    assert float((points[0] - knots)[28]) < -3  # -24 dB, now quieter
    assert abs(float((points[0] - knots)[37])) < 1.5  # -6 dB, as before
    assert bool((points.diff(dim=1) >= 0).all())
    same = fit_points(model, new, new, floor=FLOOR)
    assert float((same - knots).abs()[:, 28:37].max()) < 2.5


def test_smeared_attacks_rise_as_those_of_decoded_sounds(known: tuple[list[Pair], torch.Tensor, DetailModel]) -> None:
    pairs, latents, model = known
    ramp = torch.zeros(FRAMES)
    ramp[:4] = torch.tensor([-15.0, -10.0, -6.0, -3.0])
    training = [(decoded, z, "hit") for (_, decoded), z in zip(pairs, latents, strict=True)]
    new = [((decoded + ramp).clamp_min(-FLOOR), z, "hit") for decoded, z, _ in training]
    attack, categories = fit_attack(model, new, training, floor=FLOOR)
    assert categories == ("hit",)
    sharp = replace(model, attack=attack, categories=categories, limits=model.limits.repeat(2, 1, 1))
    slow = course(new[0][0], FLOOR)[:4]
    made = course(add_detail(new[0][0][None, None], sharp, latents[0], floor=FLOOR, seed=0, category="hit")[0], FLOOR)[:4]
    true = course(training[0][0], FLOOR)[:4]
    assert float((made - true).abs().mean()) < 0.5 * float((slow - true).abs().mean())


def test_damaged_models_are_refused(known: tuple[list[Pair], torch.Tensor, DetailModel]) -> None:
    tensors = known[2].tensors()
    assert torch.equal(DetailModel.load(tensors, dims=DIMS).fast, known[2].fast)
    for change in ({"fast": tensors["fast"][:1]}, {"skew": -tensors["skew"]}, {"other": tensors["skew"]}):
        with pytest.raises(InstrumentFileError, match="damaged"):
            DetailModel.load(tensors | change, dims=DIMS)
    with pytest.raises(InstrumentFileError, match="missing"):
        DetailModel.load({name: tensor for name, tensor in tensors.items() if name != "gain"}, dims=DIMS)


def test_a_category_has_its_own_rise_times_and_earlier_models_one_for_all(known: tuple[list[Pair], torch.Tensor, DetailModel]) -> None:
    maps = torch.arange(2.0)[:, None, None].expand(2, 2, RISES)
    model = replace(
        known[2],
        categories=("kick",),
        rises=maps,
        attack=known[2].attack.repeat(2, 1, 1),
        limits=known[2].limits.repeat(2, 1, 1),
    )
    again = DetailModel.load(model.tensors(), dims=DIMS, categories=("kick",))
    assert [float(again.rises_of(name)[0, 0]) for name in (None, "snare", "kick")] == [0.0, 0.0, 1.0]
    earlier = DetailModel.load(model.tensors() | {"rises": maps[1]}, dims=DIMS, categories=("kick",))
    assert torch.equal(earlier.rises_of("kick"), earlier.rises_of(None))


def test_a_quiet_background_has_no_streaks(known: tuple[list[Pair], torch.Tensor, DetailModel]) -> None:
    """Cells at -70 dB: their mean over time differs from sound to sound, and hardly from band to band of one sound."""
    model = replace(known[2], slow=known[2].slow + torch.log(torch.tensor(2.0)), slow_range=known[2].slow_range + 1.0)
    levels = torch.full((1, 1, BANDS, FRAMES), -70.0)
    levels[..., :10] = -60 * torch.linspace(0, 1, 10)  # an attack
    levels[0, 0, :20, 0] = 0.0
    drawn = [add_detail(levels, model, known[1].mean(0), floor=FLOOR, seed=seed)[0, 0, 30:130, 40:].mean(1) for seed in range(30)]
    means = torch.stack(drawn)
    assert float(means.std(1).mean()) < 1.0
    assert float(means.mean(1).std()) > 1.5
