"""Variations of features, and the settings of all variations: closed forms, agreement with audio, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.config.presets import load_preset
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.corpus.augment import audio as do
from timbrespace.corpus.augment.draw import Bell, Variation
from timbrespace.corpus.augment.features import vary_features
from timbrespace.corpus.augment.settings import Augmentation
from timbrespace.corpus.corpus import Corpus
from timbrespace.training.data.clip_dataset import ClipDataset
from tiny import SMALL, Tiny

RATE, HOP = 44_100, 256
STEP = HOP / RATE
HERTZ = torch.linspace(0, RATE / 2, 513)


def vary(features: Tensor, *, decibels: bool = False, other: Tensor | None = None, **change: object) -> Tensor:
    variation = Variation(**change)  # type: ignore[arg-type]
    return vary_features(
        features, variation, decibels=decibels, hertz=HERTZ[: features.shape[2]], step_s=STEP, sample_rate=RATE, partner=other
    )


def magnitudes(audio: do.Wave) -> Tensor:
    window = torch.hann_window(1024)
    return torch.stft(torch.from_numpy(audio.T), 1024, HOP, window=window, pad_mode="constant", return_complex=True).abs()[None]


def both(wanted: Tensor, found: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("decibels", [False, True])
def test_nothing_is_nothing(decibels: bool) -> None:
    features = torch.rand(2, 1, 5, 7)
    assert torch.equal(vary(features, decibels=decibels), features)


@pytest.mark.parametrize(
    "change",
    [
        {"gain_db": -7.0},
        {"tilt": 0.5},
        {"decay": 30.0},
        {"bells": (Bell(800, 6, 1), Bell(5000, -4, 2))},
        {"noise_db": 12.0, "noise_seed": 4},
        {"noise_db": 12.0, "noise_pink": True},
        {"reverse": True},
    ],
)
def test_levels_and_magnitudes_are_one(change: dict[str, object]) -> None:
    """The same change of the same sound, in dB and as magnitudes."""
    features = torch.rand(2, 2, 40, 30) + 0.01
    levels = 20 * torch.log10(features)
    both(20 * torch.log10(vary(features, **change)), vary(levels, decibels=True, **change))


def test_closed_forms() -> None:
    levels = torch.zeros(1, 1, 513, 11)
    both(torch.full_like(levels, -7), vary(levels, decibels=True, gain_db=-7.0))
    tilted = vary(levels, decibels=True, tilt=0.5)[0, 0]
    both(torch.full((11,), -6.0206), tilted[0])
    both(torch.full((11,), 3.5218), tilted[-1])
    falling = vary(levels, decibels=True, decay=50.0)[0, 0, 3]
    both(-50 * STEP * torch.arange(11), falling)
    bell = vary(levels, decibels=True, bells=(Bell(float(HERTZ[100]), 6, 2),))[0, 0, :, 0]
    assert bell[100] == pytest.approx(6, abs=1e-3)
    assert abs(bell[0]) < 1e-3
    assert int(bell.argmax()) == 100


def test_stretching_reads_between_frames() -> None:
    ramp = torch.arange(21.0).expand(1, 1, 3, 21)
    longer = vary(ramp, decibels=True, stretch=2.0)
    assert longer.shape[-1] == 42
    both((torch.arange(42.0) / 2).clamp_max(20), longer[0, 0, 0])
    both(torch.arange(10.0) * 2, vary(ramp, stretch=0.5)[0, 0, 1][:10])
    assert vary(ramp[..., :1], stretch=0.3).shape[-1] == 1


def test_mixing_adds_powers() -> None:
    one, other = torch.full((2, 1, 4, 9), 3.0), torch.full((2, 1, 4, 5), 4.0)
    mixed = vary(one, other=other, partner=0)
    both(torch.full((2, 1, 4, 5), 5.0), mixed[..., :5])
    both(one[..., 5:], mixed[..., 5:])
    both(20 * torch.log10(mixed), vary(20 * torch.log10(one), other=20 * torch.log10(other), decibels=True, partner=0))
    both(torch.full((2, 1, 4, 5), 3.25).sqrt(), vary(one / 2, other=other / 4, partner=0, partner_db=0.0)[..., :5])


def test_the_same_variation_of_audio_and_features() -> None:
    """What a change does to noise's average spectrum is the same whichever way it is done."""
    sound = np.random.default_rng(0).normal(scale=0.1, size=(RATE, 1)).astype(np.float32)
    variation = Variation(tilt=0.5, bells=(Bell(3000, 9, 1),), decay=20, gain_db=-5)
    heard = do.gain(do.decay(do.equalise(do.tilt(sound, 0.5), variation.bells, sample_rate=RATE), 20, sample_rate=RATE), -5)
    found = vary_features(magnitudes(sound), variation, decibels=False, hertz=HERTZ, step_s=STEP, sample_rate=RATE)
    difference = 20 * torch.log10(found / magnitudes(heard))[0, 0, 8:-8, 4:-4]
    assert float(difference.median().abs()) < 0.05
    assert float(difference.abs().median()) < 0.5


@pytest.mark.parametrize("pink", [False, True])
def test_noise_lies_where_it_should(pink: bool) -> None:
    features = torch.rand(3, 1, 200, 400)
    noisy = vary(features, noise_db=20.0, noise_pink=pink, noise_seed=5)
    added = noisy.double().square() - features.double().square()
    ratio = 10 * torch.log10(features.double().square().mean((1, 2, 3)) / added.mean((1, 2, 3)))
    assert ratio.tolist() == pytest.approx([20] * 3, abs=0.05)
    low, high = added[:, :, 8:16].mean(), added[:, :, 80:160].mean()
    assert 10 * float(torch.log10(low / high)) == pytest.approx(10 if pink else 0, abs=0.5)
    assert torch.equal(noisy, vary(features, noise_db=20.0, noise_pink=pink, noise_seed=5))


@pytest.mark.parametrize("decibels", [False, True])
def test_silence_stays_silence(decibels: bool) -> None:
    silent = torch.full((1, 1, 6, 8), -200.0 if decibels else 0.0)
    varied = vary(silent, decibels=decibels, tilt=0.4, decay=5.0, noise_db=20.0, stretch=1.3, reverse=True, bells=(Bell(900, 6, 1),))
    assert torch.isfinite(varied).all()
    assert float(varied.max()) < (-150 if decibels else 1e-12)


def test_what_features_do_not_have() -> None:
    features = torch.rand(1, 1, 4, 5)
    for change in ({"semitones": 2.0}, {"transpose": -1.0}, {"partner": 1, "partner_semitones": 3.0}):
        with pytest.raises(ConfigError, match=f"{list(change)[-1]} is .*, which is not possible for features"):
            vary(features, **change)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a partner is needed"):
        vary_features(features, Variation(partner=1), decibels=False, hertz=HERTZ[:4], step_s=STEP, sample_rate=RATE)
    with pytest.raises(ConfigError, match="stretch is 9"):
        vary(features, stretch=9.0)


def test_bad_features() -> None:
    for wrong in (
        torch.rand(4, 5),
        torch.rand(1, 1, 4, 0),
        torch.ones(1, 1, 4, 5).int(),
        torch.full((1, 1, 4, 5), torch.nan),
        -torch.ones(1, 1, 4, 5),
    ):
        with pytest.raises(ShapeError):
            vary_features(wrong, Variation(), decibels=False, hertz=HERTZ[:4], step_s=STEP, sample_rate=RATE)
    for hertz in (HERTZ[:3], torch.tensor([0, 1, 2, torch.inf])):
        with pytest.raises(ShapeError, match="hertz must be 4"):
            vary_features(torch.rand(1, 1, 4, 5), Variation(), decibels=False, hertz=hertz, step_s=STEP, sample_rate=RATE)
    with pytest.raises(ShapeError, match="the partner"):
        vary_features(
            torch.rand(1, 1, 4, 5), Variation(partner=0), decibels=False, hertz=HERTZ[:4], step_s=STEP, sample_rate=RATE,
            partner=torch.rand(1, 1, 3, 5),
        )  # fmt: skip


# --- settings ---------------------------------------------------------------------------------------------------------------


def test_settings_go_from_preset_to_sounds(tiny: Tiny) -> None:
    config = load_preset(changes=[*SMALL, "training.augmentation.reverse=1", "training.augmentation.stretch={chance: 0.5, factor: 1.5}"])
    assert make_config(config.model_dump()) == config
    assert config.training.augmentation.stretch.factor == 1.5
    assert config.training.augmentation.pitch == Augmentation().pitch
    corpus = Corpus.open(tiny.corpus)
    representation = build_representation(config.representation, sample_rate=RATE, channels=1)
    model = build_model(config.model, representation=representation, samples=5000)
    clips = corpus.indices("train")
    plain = ClipDataset(corpus, clips, representation, model, samples=5000, seed=3)
    changed = ClipDataset(corpus, clips, representation, model, samples=5000, seed=3, augmentation=config.training.augmentation)
    rows = range(len(clips), 3 * len(clips))
    assert plain.variation(0) == changed.variation(0) == Variation()
    assert all(changed.variation(row).reverse and not plain.variation(row).reverse for row in rows)
    assert {changed.variation(row).stretch == 1 for row in rows} == {True, False}
    assert all(changed.variation(row).semitones == plain.variation(row).semitones for row in rows)
    row = len(clips) + 1
    assert torch.equal(changed.audio(row), changed.audio(row))
    assert not torch.equal(changed[row][0], plain[row][0])


def test_a_number_is_a_chance() -> None:
    assert Augmentation(noise=0.3).noise == Augmentation(noise={"chance": 0.3}).noise  # type: ignore[arg-type]
    assert Augmentation(pitch=0).pitch.semitones == 4  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("speed=1", ("training.augmentation.speed is not a setting", "pitch, mix, tilt, decay, transpose, stretch")),
        ("pitch.cents=1", ("training.augmentation.pitch.cents is not a setting", "chance, semitones")),
        ("pitch.semitones=13", ("training.augmentation.pitch.semitones is 13", "to 12;")),
        ("stretch=1.5", ("training.augmentation.stretch.chance is 1.5",)),
        ("stretch.factor=0.5", ("numbers from 1",)),
        ("noise.lowest=60", ("training.augmentation", "noise.lowest is 60, above noise.highest of 50")),
        ("mix=often", ("training.augmentation.mix is 'often'",)),
        ("reverse.chance=.nan", ("training.augmentation.reverse.chance is nan",)),
    ],
)
def test_wrong_settings_are_explained(change: str, words: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_preset(changes=[f"training.augmentation.{change}"])
    assert all(word in str(caught.value) for word in words), str(caught.value)
