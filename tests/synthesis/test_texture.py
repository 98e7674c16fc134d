"""Texture of new sounds: noise fluctuates like noise, partials stay, haze is removed, silence stays silent."""

from __future__ import annotations

import torch

from timbrespace.representation.views.bands import Bands
from timbrespace.synthesis.texture import add_noise_texture, grain, noisiness, with_fewer_iterations

BANDS = Bands()
LENGTH = 22_050


def smooth(level: float = -20.0) -> torch.Tensor:
    features = torch.full((1, 1, BANDS.bands, BANDS.frames(LENGTH)), level)
    features[0, 0, 100, 0] = 0.0
    return features


def test_grain_has_the_power_and_spread_of_white_noise() -> None:
    found = grain(BANDS, length=4 * LENGTH, seed=1)[0, 0, :, 4:-4]
    assert abs(float((10 ** (found / 10)).mean()) - 1) < 0.05
    # The level of one bin of noise, 10 log10 of an exponential variable, deviates by 5.57 dB; bands of many bins by less.
    assert 4.8 < float(found[5:20].std()) < 6.0
    assert float(found[-5:].std()) < 2.5
    assert torch.equal(grain(BANDS, length=999, seed=3), grain(BANDS, length=999, seed=3))
    assert not torch.equal(grain(BANDS, length=999, seed=3), grain(BANDS, length=999, seed=4))


def test_partials_are_not_noise() -> None:
    features = smooth(-60.0)
    features[0, 0, 30] = -10.0
    found = noisiness(features)[0, 0, :, 5]
    assert found[30] == 0
    assert found[60] == 1


def test_noise_of_new_sounds_fluctuates_and_a_partial_does_not() -> None:
    features = smooth(-30.0)
    features[0, 0, 30] = -5.0
    made = add_noise_texture(features, BANDS, length=LENGTH, seed=0)
    assert made.shape == features.shape
    assert float(made.max()) == 0
    assert float(made[0, 0, 60:80, 4:-4].std()) > 2
    assert float(made[0, 0, 30, 4:-4].std()) < 1e-3


def test_haze_is_removed_and_silence_stays() -> None:
    features = smooth(-30.0)
    features[..., 20:40] = -72.0
    features[..., 40:] = -80.0
    made = add_noise_texture(features, BANDS, length=LENGTH, seed=0)
    assert float(made[..., 20:40].mean()) < -78
    assert bool((made[..., 40:] == -80).all())


def test_new_sounds_have_fewer_steps_of_phase_search() -> None:
    assert BANDS.iterations == 32
    assert with_fewer_iterations(BANDS).iterations == 12
    assert BANDS.iterations == 32  # which copies of given sounds still take
    few = Bands(iterations=8)
    assert with_fewer_iterations(few) is few
    silent = torch.full((1, 1, BANDS.bands, BANDS.frames(900)), -20.0)
    assert torch.equal(
        with_fewer_iterations(BANDS).decode(silent, length=900, seed=1), Bands(iterations=12).decode(silent, length=900, seed=1)
    )
