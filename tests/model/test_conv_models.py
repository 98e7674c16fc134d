"""Convolutional families: the sources' own counts, gradients, odd sizes, refusals, and every preset from sounds to sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from specs import feature_spec
from timbrespace.config.build import build_model, build_representation
from timbrespace.config.presets import load_preset
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from timbrespace.latent.space import LatentSpace
from timbrespace.model.base import Batch
from timbrespace.model.clip.base import ImageModel
from timbrespace.model.clip.conv1d import Raw
from timbrespace.model.clip.conv2d import Conv
from timbrespace.model.clip.conv_vae import ConvVAE
from timbrespace.model.parts.conv_layers import fit, layers_of, mirrored, sizes
from timbrespace.noise import Noise, Purpose
from timbrespace.training.losses import total
from timbrespace.training.train import train
from tiny import drum, quick_finish, write_drums

PRESETS = ("conv", "conv-vae", "conv-vae-d", "raw")
WEIGHTS = {"reconstruction": 1.0, "kl": 0.1}


def parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


# --- what the sources print --------------------------------------------------------------------------------------------------


def test_source_b_picture() -> None:
    model = Conv(feature_spec(1, 1025, 83))
    assert parameters(model) == 13_621
    assert model.code == (20, 63, 5)
    assert model.dims == 6_300
    image = torch.rand(1, 1, 1025, 83)
    z = model.encode_raw(image)
    assert z.shape == (1, 6_300)
    assert model.decoder(z.unflatten(1, model.code)).shape == (1, 1, 1011, 83)
    output = model.decode_raw(z)
    assert output.shape == image.shape
    assert (output[..., 1011:, :] == 0).all()  # what the mirror does not give back is silence
    assert (output[..., :1011, :] != 0).all()
    assert image.numel() / z.numel() == pytest.approx(13.5, abs=0.05)


def test_source_b_has_no_activations() -> None:
    """Without them the model is affine: it takes the middle of two pictures to the middle of their copies."""
    model = Conv(feature_spec(1, 40, 30))
    one, other = torch.rand(2, 1, 1, 40, 30)
    copies = [model.decode_raw(model.encode_raw(x)) for x in (one, other, (one + other) / 2)]
    torch.testing.assert_close(copies[2], (copies[0] + copies[1]) / 2, atol=1e-6, rtol=0)
    bent = Conv(feature_spec(1, 40, 30), activation="relu")
    copies = [bent.decode_raw(bent.encode_raw(x)) for x in (one, other, (one + other) / 2)]
    assert not torch.allclose(copies[2], (copies[0] + copies[1]) / 2, atol=1e-6, rtol=0)


def test_source_b_samples() -> None:
    model = Raw(feature_spec(1, 1, 88_200))
    assert parameters(model) == 134_570
    assert model.code == (37, 60)
    assert model.dims == 37 * 60 + 37
    assert 88_200 / model.dims == pytest.approx(39.1, abs=0.05)
    sound = torch.randn(1, 1, 1, 88_200)
    z = model.encode_raw(sound)
    shapes, amplitudes = z[:, :-37].unflatten(1, (37, 60)), z[:, -37:]
    torch.testing.assert_close(shapes.abs().amax(2), torch.ones(1, 37))
    torch.testing.assert_close(shapes * amplitudes[..., None], model.encoder(sound[:, 0]))
    assert model.decoder(shapes).shape == (1, 1, 86_888)
    output = model.decode_raw(z)
    assert output.shape == sound.shape
    assert (output[..., 86_888:] == 0).all()
    assert (output[..., :86_888] != 0).any()


def test_source_d() -> None:
    preset = load_preset("conv-vae-d")
    view = build_representation(preset.representation, sample_rate=22_050, channels=1)
    model = build_model(preset.model, representation=view, samples=5 * 22_050)
    assert isinstance(model, ConvVAE)
    assert view.spec(5 * 22_050).shape == (1, 1024, 128)
    assert model._padded == (1024, 128)
    assert model.dims == 128
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in model.encoder) == 5


# --- what every one of them must do ------------------------------------------------------------------------------------------

MODELS = {
    "conv": lambda size, **more: Conv(feature_spec(*size), **{"channels": (3, 4, 5), "kernels": (4, 2, 2), "strides": (1, 2, 2)} | more),
    "conv padded": lambda size, **more: Conv(
        feature_spec(*size), **{"pad": "whole", "activation": "relu", "norm": "group", "channels": (6, 6, 6, 6, 6)} | more
    ),
    "conv-vae": lambda size, **more: ConvVAE(feature_spec(*size), **{"dims": 5, "channels": (4, 6, 8), "strides": (2, 2, 2)} | more),
    "conv-vae strides": lambda size, **more: ConvVAE(
        feature_spec(*size), **{"dims": 5, "channels": (4, 6), "strides": (4, 1), "norm": "group"} | more
    ),
    "raw": lambda size, **more: Raw(feature_spec(*size), **{"channels": (3, 4), "kernels": (5, 3), "strides": (3, 2)} | more),
    "raw inside": lambda size, **more: Raw(
        feature_spec(*size),
        **{"dims": 5, "hidden": (32,), "channels": (3, 4), "kernels": (5, 3), "strides": (3, 2), "bottleneck": "gaussian"} | more,
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("likelihood", ["mean squared", "gaussian"])
def test_gradient_reaches_every_parameter(name: str, likelihood: str) -> None:
    model = MODELS[name]((2, 23, 37), likelihood=likelihood)
    assert isinstance(model, ImageModel)
    batch = Batch(torch.rand(6, 2, 23, 37), torch.full((6,), 20_000))
    total(model(batch), WEIGHTS).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert (parameter.grad != 0).any(), key


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", [(1, 23, 37), (2, 16, 16), (1, 33, 64), (4, 19, 101)])
def test_any_size_goes_in_and_comes_back(name: str, size: tuple[int, int, int]) -> None:
    model = MODELS[name](size)
    images = torch.rand(3, *size)
    z = model.posterior(Batch(images, torch.full((3,), 20_000))).mean
    assert z.shape == (3, model.dims)
    assert model.decode_raw(z).shape == images.shape
    assert model.decode(z).features.shape == images.shape
    alone = model.posterior(Batch(images[1:2], torch.full((1,), 20_000))).mean
    torch.testing.assert_close(alone, z[1:2], rtol=1e-4, atol=1e-5)  # a sound does not depend on its batch


@pytest.mark.parametrize("name", MODELS)
def test_pieces_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = MODELS[name]((1, 23, 37))
    images = torch.rand(5, 1, 23, 37)
    whole = model.decode_raw(model.bottleneck.posterior(model.encode_raw(images)).mean)
    monkeypatch.setattr("timbrespace.model.parts.conv_layers._AT_ONCE", 1)
    with torch.no_grad():
        pieces = model.decode_raw(model.bottleneck.posterior(model.encode_raw(images)).mean)
    torch.testing.assert_close(pieces, whole.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_one_picture_is_learned(name: str) -> None:
    torch.manual_seed(0)
    width = {"channels": (12, 12)} if name.startswith("raw") else {}
    model = MODELS[name]((1, 23, 39), **width)
    across, along = torch.linspace(0, 3, 23)[:, None], torch.linspace(0, 5, 39)
    batch = Batch((0.5 + 0.4 * torch.sin(across + along)).expand(2, 1, 23, 39), torch.full((2,), 20_000))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    before = model.evaluate(batch).errors.mean().detach()
    for _ in range(100):
        optimizer.zero_grad()
        total(model(batch), {"reconstruction": 1.0, "kl": 1e-5}).backward()
        optimizer.step()
    assert model.evaluate(batch).errors.mean().detach() < 0.4 * before


@pytest.mark.parametrize("size", range(19, 140, 7))
def test_padding_gives_every_cell_back(size: int) -> None:
    kernels, strides = (4, 2, 2, 2, 2), (1, 2, 2, 2, 2)
    model = Conv(feature_spec(1, size, 45), pad="whole", channels=(2, 2, 2, 2, 2))
    assert mirrored(model.code[1], kernels, strides) == model._seen[0] >= size
    assert sizes(model._seen[0], kernels, strides, axis="", remedy="")[-1] == model.code[1]
    assert (model.decode_raw(torch.randn(1, model.dims)) != 0).all()


def test_the_mirror_of_conv_vae_treats_all_cells_alike() -> None:
    """No checkerboard and no dark edges, where onsets are: a constant code through constant weights is constant."""
    model = MODELS["conv-vae"]((1, 64, 64), norm="none")
    for layer in model.decoder.modules():
        if isinstance(layer, torch.nn.ConvTranspose2d):
            torch.nn.init.constant_(layer.weight, 0.01)
            torch.nn.init.zeros_(layer.bias)
    output = model.decoder(torch.ones(1, *model.code))
    assert output.shape == (1, 1, 64, 64)
    torch.testing.assert_close(output, output.mean().expand_as(output))


def test_conv_vae_begins_smooth() -> None:
    """Before learning, neighbours along an axis are nearly alike: its layers interpolate."""
    model = ConvVAE(feature_spec(1, 64, 64), activation="none")
    with torch.no_grad():
        output = model.decoder(torch.randn(1, *model.code))
    assert output.diff(dim=-1).square().mean() < 0.05 * output.var()
    assert output.diff(dim=-2).square().mean() < 0.05 * output.var()


def test_a_weak_picture_keeps_its_silence() -> None:
    """What a blurred copy lacks at its loudest cell is not added to its background."""
    model = ConvVAE(feature_spec(1, 32, 32, floor=80.0), dims=2)
    weak = torch.zeros(1, 1, 32, 32)
    weak[..., 3, :5] = torch.tensor([0.6, 0.45, 0.3, 0.15, 0.0])
    model.decode_raw = lambda z: weak  # type: ignore[method-assign]
    levels = model.decode(torch.zeros(1, 2)).features[0, 0]
    torch.testing.assert_close(levels[3, :5], torch.tensor([0.0, -20.0, -40.0, -60.0, -80.0]))
    assert (levels[10:] == -80).all()


def test_fit_cuts_and_fills() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert fit(x, (3, 2)).tolist() == [[[[0, 1], [3, 4], [0, 0]]]]
    assert fit(x, (4,))[0, 0].tolist() == [[0, 1, 2, 0], [3, 4, 5, 0]]


# --- what is refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Conv(feature_spec(1, 1025, 18), pad="none"), "need 19 frames or more, the longest clip has 18; allowed are .*pad=short"),
        (lambda: Conv(feature_spec(1, 2, 50)), "need 19 bands or more"),
        (lambda: Conv(feature_spec(1, 50, 50), pad="no"), "model.pad is 'no', allowed are none, short, whole"),
        (lambda: Conv(feature_spec(1, 50, 50), kernels=(600, 2, 2, 2, 2)), "need 615 bands or more"),
        (lambda: Conv(feature_spec(1, 50, 50), kernels=(4, 2)), "names 5 layers, kernels 2, strides 5; allowed is one number a layer"),
        (lambda: Conv(feature_spec(1, 50, 50), strides=(1, 2, 2, 3, 2)), "layer 4 of model.strides is 3 and its kernel 2.*from 1 to 2"),
        (lambda: Conv(feature_spec(1, 50, 50), strides=(1, 2, 2, 0, 2)), "strides holds 0, allowed are whole numbers from 1"),
        (lambda: Conv(feature_spec(1, 50, 50), bottleneck="gaussian"), "allowed are plain, bounded"),
        (lambda: Conv(feature_spec(1, 50, 50), activation="no"), "allowed are none, relu"),
        (lambda: Conv(feature_spec(1, 50, 50), norm="batch"), "allowed are none, group"),
        (
            lambda: Conv(feature_spec(1, 600, 600), channels=(20,), kernels=(2,), strides=(1,)),
            "a code of 7176020 numbers, allowed are up to",
        ),
        (
            lambda: ConvVAE(feature_spec(1, 12, 13)),
            "shrink the image 32 times, and it has 12 bands and 13 frames; allowed is a product up to 26",
        ),
        (lambda: ConvVAE(feature_spec(1, 50, 50), strides=(2, 2, 3, 2, 2)), "allowed are even numbers and 1"),
        (lambda: ConvVAE(feature_spec(1, 2000, 2000), channels=(64,), strides=(2,), dims=128), "weights, allowed are"),
        (lambda: Raw(feature_spec(1, 1, 3000)), "need 3816 frames or more, the longest clip has 3000"),
        (lambda: Raw(feature_spec(1, 1, 5000), bottleneck="gaussian"), "give model.dims"),
        (lambda: Raw(feature_spec(1, 1, 5000), dims=200), "model.dims is 200, more than the 74 numbers of the code"),
    ],
)
def test_contradictions_are_refused(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


@pytest.mark.parametrize(
    ("preset", "change", "words"),
    [
        ("conv-vae", "model.dims=0", "model.dims is 0, allowed are whole numbers from 1"),
        ("raw", "model.dims=0", "model.dims"),
        ("conv", "model.kernels=[]", "model.kernels"),
        ("conv", "model.kernels=[0,2,2,2,2]", "model.kernels.0 is 0"),
        ("conv", "model.bottleneck=gaussian", "allowed are 'plain', 'bounded'"),
        ("conv", "model.dims=8", "model.dims is not a setting"),
        ("raw", "model.activation=swish", "model.activation"),
    ],
)
def test_settings_out_of_range_are_refused(preset: str, change: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_preset(preset, changes=[change])


# --- codes of thousands of numbers -------------------------------------------------------------------------------------------


def wide(clips: int, dims: int = 700) -> tuple[torch.Tensor, list[str | None]]:
    """Two kinds that lie in a few directions of many."""
    generator = torch.Generator().manual_seed(1)
    directions = torch.linalg.qr(torch.randn(dims, 4, generator=generator))[0].T
    points = torch.randn(clips, 4, generator=generator) * torch.tensor([5.0, 2.0, 1.0, 0.5])
    kinds: list[str | None] = ["low" if k % 2 else "high" for k in range(clips)]
    points[:, 0] += torch.tensor([30.0 if kind == "high" else -30.0 for kind in kinds])
    return points @ directions + 3, kinds


def test_a_long_code_is_drawn_along_its_principal_axes() -> None:
    points, kinds = wide(200)
    space = LatentSpace.fit(points, kinds)
    assert space.axes is not None
    assert space.axes.shape[1] == 700
    assert space.factors.numel() < 700 * 700
    torch.testing.assert_close(space.axes @ space.axes.T, torch.eye(len(space.axes)), atol=1e-5, rtol=0)
    noise = Noise(0, Purpose.LATENT)
    drawn = torch.stack([space.draw(noise, category="high")[0] for _ in range(400)])
    high = points[torch.tensor([kind == "high" for kind in kinds])]
    assert float((drawn.mean(0) - high.mean(0)).norm()) < 1.0
    assert float((drawn - drawn.mean(0)).norm(dim=1).mean()) == pytest.approx(float((high - high.mean(0)).norm(dim=1).mean()), rel=0.15)
    near = torch.stack([space.around(points[0], noise, amount=1.0) for _ in range(100)])
    assert 0 < float((near - points[0]).norm(dim=1).mean()) < 10
    assert torch.equal(space.around(points[0], noise, amount=0.0), points[0])


@pytest.mark.parametrize("clips", [1, 2, 5])
def test_few_sounds_of_a_long_code(clips: int) -> None:
    points, kinds = wide(clips)
    for some in (points, points[:1].expand(clips, -1)):
        space = LatentSpace.fit(some, kinds)
        drawn = space.draw(Noise(0, Purpose.LATENT))[0]
        assert drawn.shape == (700,)
        assert torch.isfinite(drawn).all()
        assert torch.isfinite(space.anonymous(clips).draw(Noise(0, Purpose.LATENT))[0]).all()


# --- from sounds to sounds ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Eight synthetic drums of about half a second."""
    folder = tmp_path_factory.mktemp("conv")
    prepare(write_drums(folder / "sounds", 8, seconds=0.6), folder / "corpus")
    return Corpus.open(folder / "corpus")


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_learn_and_play(preset: str, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_finish(monkeypatch, sounds=2)
    trained = train(
        corpus, tmp_path / "x.safetensors", preset=preset, epochs=1, device="cpu",
        changes=("training.batch=4", "training.variations=0"),
    )  # fmt: skip
    loaded = Instrument.load(tmp_path / "x.safetensors")
    assert (tmp_path / "x.safetensors").stat().st_size < 30e6
    sound = drum(3, seconds=0.4)
    copy = loaded.reconstruct(sound)
    assert copy.shape == sound.shape
    assert torch.equal(copy, trained.reconstruct(sound))
    new = loaded.generate(2, seed=1)
    assert all(torch.isfinite(one.audio).all() and one.audio.abs().max() > 0.5 for one in new)
    assert not torch.equal(new[0].audio, new[1].audio)
    assert torch.equal(loaded.replay(new[1].recipe).audio, new[1].audio)
    assert torch.isfinite(torch.tensor(loaded.card["training"]["validation_error"]))


def test_a_latent_inside_raw(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_finish(monkeypatch, sounds=2)
    changes = ("model.dims=6", "model.bottleneck=gaussian", "model.hidden=[16]", "training.batch=4")
    trained = train(corpus, tmp_path / "x.safetensors", preset="raw", epochs=1, device="cpu", changes=changes)
    assert trained.dims == 6
    assert trained.generate(1)[0].latent.shape == (6,)


def test_short_clips_are_filled_up_or_refused_before_training(tmp_path: Path) -> None:
    short = Conv(feature_spec(1, 1025, 11))
    assert short.code == (20, 63, 1)
    assert short.decode_raw(short.encode_raw(torch.rand(1, 1, 1025, 11))).shape == (1, 1, 1025, 11)
    prepare(write_drums(tmp_path / "sounds", 4, seconds=0.2), tmp_path / "corpus")
    changes = ("model.pad=none", "training.batch=4")
    with pytest.raises(ConfigError, match=r"need 19 frames or more, the longest clip has \d+; allowed are .*model.pad=short"):
        train(tmp_path / "corpus", tmp_path / "x.safetensors", preset="conv", epochs=1, device="cpu", changes=changes)


@pytest.mark.parametrize("kind", [Conv, Raw])
def test_nothing_sounds_where_no_block_lies(kind: type[Conv] | type[Raw]) -> None:
    """The mirror of a kernel wider than its stride ends in cells that no block covers; a constant there is a burst after the sound."""
    model = kind(feature_spec(1, 200, 60) if kind is Conv else feature_spec(1, 1, 20_000))
    batch = Batch(torch.rand(6, *model.spec.shape), torch.full((6,), 20_000))
    model.initialise(batch)
    last: Any = layers_of(model.decoder)[-1]
    ends: list[torch.Tensor] = []
    last.register_forward_hook(lambda _, __, output: ends.append(output[..., last.stride[-1] - last.kernel_size[-1] :]))
    with torch.no_grad():
        model.decode_raw(model.posterior(batch).mean)
    assert ends[0].shape[-1] > 2
    assert not ends[0].any()
