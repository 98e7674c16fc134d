"""Velocity as a condition of the default model: what is learned, what can be asked for, and what follows from it."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from specs import feature_spec
from timbrespace.config.presets import load_preset
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from timbrespace.latent.space import LatentSpace
from timbrespace.model.base import Batch
from timbrespace.model.codec.oneshot import OneShot
from timbrespace.model.conditioning.velocity import VelocityRange
from timbrespace.noise import Noise, Purpose
from timbrespace.training.continuation.start import Start
from timbrespace.training.data.conditions import with_velocity
from timbrespace.training.data.encode import row_kinds
from timbrespace.training.options import TrainOptions
from tiny import RATE, Tiny, fix_plan, quick_train

LAYERS = (30, 60, 90, 120)


def brightness_of(velocity: float) -> float:
    """The ratio of successive partials of a tone of the corpus."""
    return 0.3 + 0.5 * velocity / 127


def tone(midi: float, *, velocity: float, even: float, seconds: float = 0.4) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    hertz = 440 * 2 ** ((midi - 69) / 12)
    gains = [brightness_of(velocity) ** k * (even if k % 2 == 0 else 1) for k in range(1, 16)]
    wave = sum(gain * np.sin(2 * np.pi * k * hertz * time + k) for k, gain in enumerate(gains, 1))
    return np.float32(0.4 * wave * np.exp(-5 * time) * np.minimum(1, np.arange(len(time))[::-1] / 400))


def centroid(audio: torch.Tensor) -> float:
    """Mean frequency of the power spectrum in Hz."""
    spectrum = torch.fft.rfft(audio.mean(0)).abs().double().square()
    return float((spectrum * torch.fft.rfftfreq(audio.shape[-1], 1 / RATE)).sum() / spectrum.sum())


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an instrument learned from 48 tones: four pitches, three kinds, four velocities that set the brightness."""
    folder = tmp_path_factory.mktemp("layers")
    kinds = {"organ": 1.0, "reed": 0.4, "flute": 0.1}
    for midi, (name, even), velocity in itertools.product(range(50, 66, 4), kinds.items(), LAYERS):
        path = folder / "in" / name / f"{name}_{midi:03d}_{velocity:03d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(midi, velocity=velocity, even=even), RATE)
    prepare(folder / "in", folder / "corpus")
    with pytest.MonkeyPatch.context() as patch:
        fix_plan(patch, variations=4)
        changes = ("model.dims=8", "model.coefficients=60", "model.width=48", "model.depth=1", "training.batch=64", "training.examples=400")
        quick_train(Corpus.open(folder / "corpus"), folder / "x.safetensors", steps_minutes=0.02, changes=changes)
    return folder


def test_brightness_follows_the_velocity_asked_for(layers: Path) -> None:
    instrument = Instrument.load(layers / "x.safetensors")
    assert instrument.contents.settings["model"]["velocity"] == [30, 120]
    assert instrument.conditions == ["velocity: 30 to 120"]
    asked = [20, 35, 50, 65, 80, 95, 110, 125]  # none of them learned
    made = [[centroid(sound.audio) for sound in instrument.generate(4, seed=3, pitch=57, velocity=v)] for v in asked]
    means = np.log2(made).mean(1)
    wanted = [math.log2(centroid(torch.from_numpy(tone(57, velocity=v, even=0.5))[None])) for v in asked]
    assert np.corrcoef(means, wanted)[0, 1] > 0.9
    assert means[-2] - means[1] > 0.5 * (wanted[-2] - wanted[1])  # and as far as in the corpus, more or less
    single = np.log2(made)
    assert (single[-1] > single[0]).all()  # each sound for itself: the same one, played harder


def test_drawn_velocities_are_whole_and_of_the_range(layers: Path) -> None:
    instrument = Instrument.load(layers / "x.safetensors")
    conditioning = instrument.model.conditioning
    made = instrument.generate(16, seed=1)
    drawn = [conditioning.velocity_of(sound.latent) for sound in made if sound.latent is not None]  # type: ignore[attr-defined]
    assert all(abs(v - round(v)) < 1e-3 and 29.9 < v < 120.1 for v in drawn)
    assert max(drawn) - min(drawn) > 20
    assert all(48 <= (sound.root_note or 0) <= 64 for sound in made)


def test_the_recipe_holds_the_velocity_and_repeats_the_sound(layers: Path) -> None:
    instrument = Instrument.load(layers / "x.safetensors")
    sound = instrument.generate(1, seed=2, velocity=100, pitch=60)[0]
    assert sound.recipe["asked"]["velocity"] == 100
    assert torch.equal(instrument.replay(json.loads(json.dumps(sound.recipe))).audio, sound.audio)
    by_condition = instrument.generate(1, seed=2, conditions={"velocity": "100"}, pitch=60)[0]
    assert torch.allclose(by_condition.audio, sound.audio, atol=1e-4)  # conditions are drawn by PyTorch, whose rounding is another


def test_given_sounds_are_at_the_middle_and_can_be_played_harder(layers: Path) -> None:
    instrument = Instrument.load(layers / "x.safetensors")
    given = torch.from_numpy(tone(58, velocity=75, even=0.4))[None]
    assert instrument.encode(given).z[-2] == 0
    assert all(sound.latent is not None and sound.latent[-2] == 0 for sound in instrument.vary(given, 2))
    soft, as_it_is, hard = (centroid(instrument.generate(1, near=given, temperature=0, velocity=v)[0].audio) for v in (40, None, 110))
    assert soft < as_it_is < hard


def test_sounds_of_its_own_keep_their_velocity_and_morphs_glide(layers: Path, tmp_path: Path) -> None:
    instrument = Instrument.load(layers / "x.safetensors")
    files = []
    for velocity in (40, 110):
        sound = instrument.generate(1, seed=2, pitch=58, velocity=velocity)[0]
        files.append(sound.save(tmp_path / str(velocity)))
    velocity_of = instrument.model.conditioning.velocity_of  # type: ignore[attr-defined]
    for sound in [*instrument.vary(files[0], 2), *instrument.generate(2, near=files[0])]:
        assert velocity_of(sound.latent) == pytest.approx(40, abs=1e-3)
    path = [velocity_of(sound.latent) for sound in instrument.morph(files, 5)]
    assert path == sorted(path)
    assert path[0] == pytest.approx(40, abs=1e-3)
    assert 50 < path[2] < 100
    assert path[-1] == pytest.approx(110, abs=1e-3)


def test_names_of_given_files_give_their_velocity(layers: Path, tmp_path: Path) -> None:
    instrument = Instrument.load(layers / "x.safetensors")
    velocity_of = instrument.model.conditioning.velocity_of  # type: ignore[attr-defined]
    audio = tone(58, velocity=110, even=0.4)
    for name, velocity in (("tone v110", 110), ("tone_058_040", 40), ("tone 2", 75), ("tone v110 take", 110)):
        soundfile.write(tmp_path / f"{name}.wav", audio, RATE)
        varied = instrument.vary(tmp_path / f"{name}.wav", 1, amount=0.2)[0]
        assert varied.latent is not None
        assert velocity_of(varied.latent) == pytest.approx(velocity, abs=1e-3)
        assert torch.equal(instrument.replay(varied.recipe, sources=tmp_path).audio, varied.audio)
    soft, hard = (
        centroid(instrument.generate(1, near=tmp_path / "tone v110.wav", temperature=0, velocity=velocity)[0].audio)
        for velocity in (40, 110)
    )
    assert soft < hard
    anonymous = instrument.given(tmp_path / "tone v110.wav", named=False)
    assert (anonymous.file, anonymous.velocity) == (None, 110)


@pytest.mark.parametrize("velocity", [0, 128, -5, math.nan])
def test_velocities_that_cannot_be(velocity: float, layers: Path) -> None:
    with pytest.raises(ConfigError, match="allowed is 1 to 127; it was learned from 30 to 120"):
        Instrument.load(layers / "x.safetensors").generate(1, velocity=velocity)


def test_an_instrument_without_velocities_says_so(tiny: Tiny) -> None:
    instrument = Instrument.load(tiny.file)
    assert instrument.contents.settings["model"]["velocity"] is None
    with pytest.raises(ConfigError, match="learned from sounds without velocities; leave it out"):
        instrument.generate(1, velocity=60)


def test_training_on_from_an_older_file_does_not_begin_with_velocities(tiny: Tiny, layers: Path, tmp_path: Path) -> None:
    older = Instrument.load(tiny.file)
    del older.contents.settings["model"]["velocity"]
    older.save(tmp_path / "old.safetensors")
    for file, wanted in ((tmp_path / "old.safetensors", None), (layers / "x.safetensors", [30, 120])):
        options = TrainOptions(continue_from=file, preset="oneshot" if wanted else None)
        start = Start.load(file, out=tmp_path / "new.safetensors", channels=1)
        if wanted:
            start.instrument.contents.settings["model"] |= {"dims": 32, "coefficients": 320, "width": 384, "depth": 2}
        assert start.config(options).model["velocity"] == wanted


@pytest.mark.parametrize(
    ("velocities", "wanted"),
    [
        ([50.0, 85.0, 120.0] * 8, [50.0, 120.0]),
        ([50.0, 120.0, 90.0, None] * 8, [50.0, 120.0]),
        ([50.0, 120.0, None] * 8, None),  # too few known
        ([100.0] * 24, None),
        ([100.0, 110.0] * 12, None),  # hardly different
        ([100.0] * 60 + [20.0], None),  # one stray
        ([50.0, 120.0] * 4, None),  # too few
    ],
)
def test_the_corpus_decides(velocities: list[float | None], wanted: list[float] | None) -> None:
    assert with_velocity(load_preset(), velocities).model["velocity"] == wanted


def test_what_is_asked_counts() -> None:
    for value in ("null", "[20, 100]"):
        config = load_preset(changes=[f"model.velocity={value}"])
        assert with_velocity(config, [50.0, 120.0] * 12).model["velocity"] == json.loads(value)


@pytest.mark.parametrize("span", [(60.0, 60.0), (0.0, 90.0), (10.0, 128.0), (90.0, 20.0)])
def test_ranges_that_cannot_be(span: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match=r"model\.velocity is"):
        VelocityRange(lowest=span[0], highest=span[1])


def model(**more: object) -> OneShot:
    settings = {"dims": 5, "coefficients": 12, "attack": 4, "steps": 8, "width": 16, "depth": 1, "velocity": [20, 120]} | more
    torch.manual_seed(0)
    return OneShot(feature_spec(1, 12, 12, floor=80.0, hop=256), **settings).eval()  # type: ignore[arg-type]


def test_the_effect_of_the_velocity_is_found_within_kinds() -> None:
    """One kind is only loud and another only soft, with other coefficients; what velocity does is the same in both."""
    one = model()
    generator = torch.Generator().manual_seed(1)
    velocities = torch.cat([torch.linspace(20, 60, 200), torch.linspace(80, 120, 200), torch.full((50,), torch.nan)])
    kinds = torch.cat([torch.zeros(200), torch.ones(200), torch.full((50,), 2.0)]).long()
    effect = torch.randn(12, generator=generator)
    standard = one.standard_velocities(velocities[:, None], velocities[:, None])
    values = standard * effect + 5.0 * kinds[:, None] + 0.01 * torch.randn(450, 12, generator=generator)
    one.fit_conditions(values, velocities[:, None], kinds)
    torch.testing.assert_close(one.velocity_effect, effect, atol=0.12, rtol=0.1)


def test_the_velocity_is_known_and_not_part_of_the_rest() -> None:
    """Sounds that differ by the effect of their velocities alone have one latent but for the velocity, and are decoded as they are."""
    one = model().linear_part()
    assert isinstance(one, OneShot)
    one.velocity_effect.copy_(torch.arange(12.0))
    velocities = torch.tensor([[20.0], [70.0], [120.0], [torch.nan]])
    standard = one.standard_velocities(velocities, velocities)
    assert standard[:, 0].tolist() == pytest.approx([-1.5, 0, 1.5, 0])
    values = torch.ones(4, 12) + standard * one.velocity_effect
    posterior = one.posterior(Batch(values, torch.full((4,), 3000), velocities))
    torch.testing.assert_close(posterior.mean[:, :-1], posterior.mean[:1, :-1].expand(4, -1))
    assert torch.isneginf(posterior.log_variance[:, -1]).all()
    assert torch.equal(posterior.mean[:, -1:], standard)
    decoded = one.reconstruct(posterior.mean)[0]
    torch.testing.assert_close(decoded[:, : one.inferred_dims], values[:, : one.inferred_dims])


def test_a_range_of_velocities_takes_no_place_without_one() -> None:
    assert "velocity_effect" not in model(velocity=None).state_dict()
    assert set(model(velocity="auto").state_dict()) == set(model(velocity=None).state_dict())
    assert model(velocity=None).inferred_dims == 5
    with pytest.raises(ConfigError, match=r"dims is 1 and velocity would take all of it.*model\.velocity"):
        model(dims=1)


def test_a_point_follows_its_velocity_and_keeps_its_pitch_and_kind() -> None:
    """In a Gaussian, the rest of a point is moved by its regression on the velocity, at the pitch that is fixed."""
    factor = torch.tensor([[0.5, 0.0, 0.0], [0.8, 0.6, 0.0], [0.3, 0.2, 0.9]])
    covariance = (factor @ factor.T).double().numpy()
    slope = np.linalg.solve(covariance[1:, 1:], covariance[1:, 0])[0]  # on the velocity, at a fixed pitch
    space = LatentSpace(torch.ones(1), torch.zeros(1, 3), factor[None], factor, ("kind",))
    for index in range(4):
        soft, hard = (
            space.draw(Noise(1, Purpose.LATENT, index), last=0.5, played={-2: value}, temperature=0.5)[0] for value in (-1.0, 1.0)
        )
        assert (float(soft[-1]), float(soft[-2]), float(hard[-2])) == (0.5, -1.0, 1.0)
        assert float(hard[0] - soft[0]) == pytest.approx(2 * slope, abs=1e-5)


def test_rows_have_the_kinds_of_their_clips() -> None:
    assert row_kinds(["a", None, "a"], 6, 8).tolist() == [0, 1, 0, 0, 1, 0, 2, 2]
