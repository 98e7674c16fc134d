"""Where learning begins: families start as the linear model that their layers can hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.config.presets import load_preset, presets
from timbrespace.corpus.synthetic.drum_kit import synthetic_drum
from timbrespace.model.base import Batch, Model
from timbrespace.model.parts.bottleneck import Bottleneck
from timbrespace.model.parts.conv_layers import layers_of, stack
from timbrespace.model.parts.layers import perceptron
from timbrespace.model.parts.likelihood import Likelihood
from timbrespace.model.parts.pca import evenly, principal, regression
from timbrespace.model.parts.pca_init import carries, initialise_blocks, initialise_layers
from timbrespace.model.registry import MODELS
from timbrespace.model.sequence.recurrent import Recurrent, pass_on
from timbrespace.model.wrappers.conditional import Conditional
from timbrespace.model.wrappers.staged import Staged
from timbrespace.representation.normalisation import Normalised
from timbrespace.training.data.codes import code_statistics
from timbrespace.training.data.sounds import InMemory, initial_batch

RATE, SAMPLES = 44_100, 22_050


def correlated(n: int, cells: int, *, rank: int, seed: int = 0) -> Tensor:
    """Values of few directions, each weaker than the one before, about a mean that is not zero."""
    rng = torch.Generator().manual_seed(seed)
    strengths = 2.0 ** -torch.arange(rank)
    return torch.randn(n, rank, generator=rng) * strengths @ torch.randn(rank, cells, generator=rng) + 0.3


# --- components and regressions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "cells"), [(40, 300), (300, 40)])
def test_principal_components_are_those_of_the_singular_values(n: int, cells: int) -> None:
    values = correlated(n, cells, rank=12)
    found = principal(values, 5)
    centred = (values - values.mean(0)).double()
    _, sizes, right = torch.linalg.svd(centred, full_matrices=False)
    assert torch.allclose(found.mean, values.mean(0), atol=1e-5)
    assert torch.allclose(found.scale, (sizes[:5] / n**0.5).float(), rtol=1e-4)
    assert torch.allclose((found.basis.double() @ right[:5].T).abs(), torch.eye(5, dtype=torch.float64), atol=2e-3)
    assert torch.allclose(found.basis @ found.basis.T, torch.eye(5), atol=1e-4)
    assert bool((found.basis.gather(1, found.basis.abs().argmax(1, keepdim=True)) > 0).all())


def test_there_are_no_more_components_than_directions() -> None:
    assert len(principal(correlated(50, 80, rank=3), 10).scale) == 3
    assert len(principal(correlated(4, 80, rank=10), 10).scale) == 3  # four sounds about their mean
    assert len(principal(torch.ones(6, 9), 4).scale) == 0
    assert len(principal(correlated(5, 9, rank=3), 0).scale) == 0


def test_regression_is_least_squares() -> None:
    known, noise = correlated(200, 6, rank=6), torch.randn(200, 30, generator=torch.Generator().manual_seed(1))
    wanted = known @ correlated(6, 30, rank=6, seed=2) + 0.1 * noise
    weights, constants, missed = regression(known, wanted)
    right = np.linalg.lstsq(np.c_[known.numpy(), np.ones(200)], wanted.numpy(), rcond=None)[0]
    found = known @ weights.T + constants
    best = torch.from_numpy(np.c_[known.numpy(), np.ones(200)] @ right)
    assert float((found - wanted).square().mean()) < 1.02 * float((best - wanted).square().mean())
    assert torch.allclose(missed, (found - wanted).square().mean(0).sqrt(), atol=1e-4)


def test_rows_are_spread_evenly() -> None:
    assert evenly(torch.arange(10), 20).tolist() == list(range(10))
    assert (evenly(torch.arange(10), 5) // 2).tolist() == [0, 1, 2, 3, 4]
    frames = evenly(torch.arange(1_000 * 40 * 32) % 32, 20_000)  # a picture's frames, and as many rows as go into them evenly
    assert frames.bincount().min() > 500
    sounds = InMemory(torch.arange(3_000.0)[:, None], torch.ones(3_000, dtype=torch.int64))
    begun = initial_batch(sounds).values[:, 0]
    assert len(begun) == 1_024
    assert float(begun[0]) == 0
    assert float(begun[-1]) > 2_990


# --- perceptrons ---------------------------------------------------------------------------------------------------------------------


@given(hidden=st.lists(st.integers(8, 20), max_size=3), dims=st.integers(1, 6), beside=st.integers(0, 3))
def test_layers_with_relu_between_begin_as_principal_components(hidden: list[int], dims: int, beside: int) -> None:
    torch.manual_seed(0)
    values = correlated(100, 30, rank=10)
    encoder, decoder = perceptron(30 + beside, *hidden, dims), perceptron(dims + beside, *hidden[::-1], 30)
    initialise_layers(encoder, decoder, values, bottleneck=Bottleneck("plain", dims), likelihood=Likelihood("squared"), beside=beside)
    count = min([dims, *(width // 2 for width in hidden)])
    linear = principal(values, count)
    sizes = linear.scale / linear.scale[0]  # a plain code keeps what matters more larger
    wanted = linear.mean + (values - linear.mean) @ linear.basis.T @ linear.basis
    with torch.no_grad():
        z = encoder(torch.cat([torch.randn(100, beside), values], 1))
        found = decoder(torch.cat([torch.randn(100, beside), z], 1))
    assert torch.allclose(found, wanted, atol=2e-2)
    assert torch.allclose(z[:, :count].std(0, correction=0), sizes, atol=1e-3)
    assert torch.allclose(z[:, :count].mean(0), torch.zeros(count), atol=1e-3)


@pytest.mark.parametrize("kind", ["gaussian", "sigma", "bernoulli", "squared"])
@pytest.mark.parametrize("bottleneck", ["gaussian", "bounded"])
def test_every_likelihood_and_bottleneck_begins_near_the_sounds(kind: str, bottleneck: str) -> None:
    torch.manual_seed(0)
    values = torch.sigmoid(correlated(200, 30, rank=4))
    between, likelihood = Bottleneck(bottleneck, 4), Likelihood(kind)
    encoder, decoder = perceptron(30, 16, between.width), perceptron(4, 16, 30 * likelihood.outputs)
    with torch.no_grad():
        drawn = float(likelihood.loss(decoder(between.posterior(encoder(values)).mean), values).mean())
    initialise_layers(encoder, decoder, values, bottleneck=between, likelihood=likelihood)
    with torch.no_grad():
        posterior = between.posterior(encoder(values))
        output = decoder(posterior.mean)
        assert float(likelihood.loss(output, values).mean()) < drawn
        missed = likelihood.mean(output) - values
    assert float(missed.square().mean()) < 0.1 * float((values - values.mean(0)).square().mean())
    if bottleneck == "gaussian":
        assert torch.allclose(posterior.log_variance, torch.full((200, 4), -3.0))
    else:
        assert float(posterior.mean.abs().max()) < 1
    if kind == "sigma":
        assert likelihood.log_deviation.item() == pytest.approx(float(missed.square().mean().sqrt().log()), abs=0.05)
    if kind == "gaussian":
        assert torch.allclose(output[0, 30:].exp(), missed.square().mean(0).sqrt(), rtol=0.3)


# --- convolutions --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["none", "relu", "leaky relu", "silu"])
def test_pictures_of_few_directions_come_back_whole(activation: str) -> None:
    """Blocks of 2 x 2 that differ in 3 ways only, and pairs of blocks: nothing is lost in 3, then 12 channels."""
    torch.manual_seed(0)
    ways = torch.randn(3, 2, 2)
    ways[0] = 1.0
    pictures = torch.einsum("nhwk,kab->nhawb", torch.randn(50, 8, 6, 3), ways).reshape(50, 1, 16, 12) + 0.7
    pairs = 1 if activation == "none" else 2
    widths = (1, 3 * pairs, 12)
    down = stack(nn.Conv2d, widths, (2, 2), (2, 2), between=activation)
    up = stack(nn.ConvTranspose2d, widths[::-1], (2, 2), (2, 2), between=activation)
    initialise_blocks(layers_of(down), layers_of(up), pictures, activation=activation)
    with torch.no_grad():
        assert torch.allclose(up(down(pictures)), pictures, atol=2e-3)


def test_kernels_wider_than_their_stride_begin_without_their_neighbours() -> None:
    torch.manual_seed(0)
    sounds = torch.randn(20, 2, 64)

    def down(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
        return nn.Conv1d(inputs, outputs, kernel, stride, padding=(kernel - stride) // 2)

    def up(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
        return nn.ConvTranspose1d(inputs, outputs, kernel, stride, padding=(kernel - stride) // 2)

    there, back = stack(down, (2, 4, 8), (4, 4), (2, 2), between="none"), stack(up, (8, 4, 2), (4, 4), (2, 2), between="none")
    inside = torch.arange(64) < torch.randint(20, 64, (20, 1))
    initialise_blocks(layers_of(there), layers_of(back), sounds, inside=inside)
    with torch.no_grad():
        assert torch.allclose(back(there(sounds)), sounds, atol=1e-4)


def test_what_no_linear_model_passes_stays_as_it_was_drawn() -> None:
    assert carries(Likelihood("squared"), "relu")
    assert not carries(Likelihood("squared"), "tanh")
    assert not carries(Likelihood("squared"), "relu", "group")
    assert not carries(Likelihood("bernoulli"), "relu")
    view = build_representation({"name": "bands", "bands": 32}, sample_rate=RATE, channels=1)
    for changes in ({"activation": "tanh"}, {"norm": "group"}):
        for name in ("conv", "conv-vae"):
            torch.manual_seed(0)
            model = build_model(make_config({"representation": {"name": "bands", "bands": 32}, "model": {"name": name, **changes}}).model,
                                representation=view, samples=SAMPLES)  # fmt: skip
            before = {key: value.clone() for key, value in model.state_dict().items()}
            model.initialise(Batch(torch.rand(4, 1, 32, view.frames(SAMPLES)), torch.full((4,), SAMPLES)))
            assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


# --- memories ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_memory_passes_on_what_it_hears(cell: Callable[..., nn.RNNBase], layers: int) -> None:
    torch.manual_seed(0)
    memory, sounds = cell(7, 12, layers, batch_first=True), torch.randn(5, 20, 7)
    weights, constants = torch.randn(3, 7), torch.randn(3)
    with torch.no_grad():
        pass_on(memory, weights, constants)
        found = memory(sounds)[0][..., :3]
    wanted = sounds @ weights.T + constants
    slope = float((found * wanted).sum() / wanted.square().sum())
    assert slope == pytest.approx(0.05, rel=0.1)
    assert float((found / slope - wanted).square().mean().sqrt()) < 0.1 * float(wanted.square().mean().sqrt())


# --- presets -------------------------------------------------------------------------------------------------------------------------


def sounds_for(model: Model, view: Any) -> Batch:
    """Twelve drums in the model's own form, the right channel softer than the left."""
    images, lengths = [], []
    for index in range(12):
        audio = synthetic_drum(index, seed=0).audio[:, :SAMPLES]
        audio = torch.cat([audio, 0.5 * audio.roll(30, 1)])[: view.channels]
        lengths.append(audio.shape[1])
        with torch.no_grad():
            images.append(model.prepare_features(view.encode(model.prepare_audio(audio)[None]))[0])
    if model.time_varying:
        images = [nn.functional.pad(image, (0, view.frames(SAMPLES) - image.shape[-1])) for image in images]
    return Batch(torch.stack(images), torch.tensor(lengths))


def built(name: str) -> tuple[Model, Batch]:
    config = load_preset(name, changes=["model.max_parameters=null"] if name == "staged" else [])
    view = build_representation(config.representation, sample_rate=RATE, channels=1)
    if isinstance(view, Normalised):
        view.fit(synthetic_drum(index, seed=0).audio for index in range(12))
    torch.manual_seed(0)
    model = build_model(config.model, representation=view, samples=SAMPLES)
    return model.eval(), sounds_for(model, view)


FAMILIES = {name: MODELS[load_preset(name).model["name"]] for name in sorted(presets())}
# Presets whose family initialises its weights from sounds, without a codec.
INITIALISED = [name for name, kind in FAMILIES.items() if kind.initialise is not Model.initialise and kind.fit_codec is Model.fit_codec]


@pytest.mark.parametrize("name", INITIALISED)
def test_every_family_begins_nearer_to_its_sounds(name: str) -> None:
    model, batch = built(name)
    with torch.no_grad():
        drawn = float(model.evaluate(batch).errors.mean())
        model.initialise(batch)
        begun = float(model.evaluate(batch).errors.mean())
    assert begun < 0.7 * drawn
    assert all(bool(value.isfinite().all()) for value in model.state_dict().values() if value.is_floating_point())


@pytest.mark.parametrize("name", ["dense", "conv-vae", "sequence", "lstm"])
def test_it_begins_the_same_every_time(name: str) -> None:
    (one, batch), (other, _) = built(name), built(name)
    one.initialise(batch)
    other.initialise(batch)
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in one.state_dict().items())


@pytest.mark.parametrize("name", ["dense", "conv", "conv-vae", "sequence", "mlp-steps", "rnn", "spectra", "vq", "raw"])
def test_silence_alone_is_no_hindrance(name: str) -> None:
    model, batch = built(name)
    silence = batch._replace(values=torch.zeros_like(batch.values))
    model.initialise(silence)
    with torch.no_grad():
        assert bool(model.evaluate(silence).errors.isfinite().all())
    assert all(bool(value.isfinite().all()) for value in model.state_dict().values() if value.is_floating_point())


@pytest.mark.parametrize("name", INITIALISED)
def test_one_sound_of_one_sample_is_enough(name: str) -> None:
    model, batch = built(name)
    one = Batch(batch.values[:1], torch.ones(1, dtype=torch.int64))
    model.initialise(one)
    assert max(value.abs().max().item() for value in model.parameters()) < 1e3
    with torch.no_grad():
        assert bool(model.evaluate(one).errors.isfinite().all())
        assert float(model.posterior(batch).mean.abs().max()) < 200  # of sounds it did not begin with


@pytest.mark.parametrize(
    "model",
    [
        {"name": "dense", "encoder": [1]},
        {"name": "dense", "encoder": [], "decoder": []},
        {"name": "dense", "likelihood": "gaussian", "bottleneck": "bounded"},
        {"name": "conv", "channels": [1, 4], "kernels": [4, 2], "strides": [1, 2], "activation": "relu"},
        {"name": "conv", "bottleneck": "bounded"},
        {"name": "conv-vae", "channels": [1, 8], "strides": [2, 2]},
        {"name": "conv-vae", "activation": "none", "likelihood": "gaussian"},
        {"name": "conv-vae", "likelihood": "bernoulli"},
        {"name": "sequence", "stride": 1, "likelihood": "gaussian"},
        {"name": "sequence", "likelihood": "bernoulli"},
        {"name": "recurrent", "cell": "lstm", "depth": 2, "width": 3},
        {"name": "transformer", "depth": 2, "width": 8, "dims": 12, "bottleneck": "gaussian"},
        {"name": "vq", "likelihood": "sigma"},
        {"name": "staged", "joint": True, "outer": {"name": "dense", "dims": 12}, "inner": {"name": "dense", "dims": 4}},
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_unusual_settings_begin_no_farther_from_the_sounds(model: dict[str, Any], channels: int) -> None:
    config = make_config({"representation": {"name": "bands", "bands": 32}, "model": model})
    view = build_representation(config.representation, sample_rate=RATE, channels=channels)
    torch.manual_seed(0)
    built = build_model(config.model, representation=view, samples=SAMPLES).eval()
    batch = sounds_for(built, view)
    with torch.no_grad():
        drawn = float(built.evaluate(batch).errors.mean())
        built.initialise(batch)
        assert float(built.evaluate(batch).errors.mean()) <= drawn + 1e-4
    assert all(bool(value.isfinite().all()) for value in built.state_dict().values() if value.is_floating_point())


def test_deviations_begin_with_those_of_all_sounds() -> None:
    """Corpora lie sorted by class: the first sounds alone may be easy ones."""
    torch.manual_seed(0)
    config = make_config({"representation": {"name": "magnitude"}, "model": {"name": "conv", "likelihood": "sigma"}})
    view = build_representation(config.representation, sample_rate=RATE, channels=1)
    model = build_model(config.model, representation=view, samples=22_050)
    pictures = torch.rand(150, 1, 1025, view.frames(22_050)) * 0.5
    pictures[:100] = 0.3
    model.initialise(Batch(pictures, torch.full((150,), 22_050)))
    with torch.no_grad():
        missed = (model.decode_raw(model.encode_raw(pictures)) - pictures).square().mean().sqrt().log()
    assert model.likelihood.log_deviation.item() == pytest.approx(float(missed), abs=0.3)  # type: ignore[union-attr, operator]


def test_codes_of_a_begun_outer_model_weigh_as_they_matter() -> None:
    config = make_config({
        "representation": {"name": "bands", "bands": 32},
        "model": {"name": "staged", "outer": {"name": "dense", "dims": 24, "sigmoid": False}, "inner": {"name": "dense", "dims": 3}},
    })  # fmt: skip
    view = build_representation(config.representation, sample_rate=RATE, channels=1)
    torch.manual_seed(0)
    model = build_model(config.model, representation=view, samples=SAMPLES).eval()
    batch = sounds_for(model, view)
    model.initialise(batch)
    assert isinstance(model, Staged)
    model.set_codes(*code_statistics(model, InMemory(batch.values, batch.lengths), device=torch.device("cpu")))
    with torch.no_grad():
        model.inner.initialise(model.codes(batch))
        found = float(model.evaluate(batch).errors.mean())
        z = model.outer.posterior(batch).mean
        z[:, 3:] = z[:, 3:].mean(0)  # the three strongest of its own codes
        best = float(model.outer.errors(z, batch.values).mean())
    assert found == pytest.approx(best, rel=0.05)


def test_every_layer_goes_on_learning() -> None:
    """What nothing listens to at the start is heard after a step: no layer is stuck."""
    model, batch = built("mlp-steps")
    model.initialise(batch)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for _ in range(3):
        optimizer.zero_grad()
        model(batch)["reconstruction"].backward()
        optimizer.step()
    assert isinstance(model, nn.Module)
    for (key, parameter), old in zip(model.named_parameters(), before, strict=True):
        changed = (parameter != old).float().mean()
        assert float(changed) > 0.5, key


def test_recurrent_controls_are_principal_components_of_the_frames() -> None:
    model, batch = built("gru")
    assert isinstance(model, Recurrent)
    model.initialise(batch)
    slices = model.frames_inside(batch)
    linear = principal(slices, model.dims)
    wanted = linear.mean + (slices - linear.mean) @ linear.basis.T @ linear.basis
    best = float((slices - wanted).square().mean())
    with torch.no_grad():
        found = model.decode_raw(model.posterior(batch).mean)
    again = model.frames_inside(batch._replace(values=found))
    assert float((again - slices).square().mean()) < 1.2 * best


def test_what_is_told_begins_as_where_such_sounds_lie() -> None:
    """Latents of the sounds told apart by class, and what is left of them is not."""
    settings = {"name": "conditional", "conditions": {"category": ["low", "high"]}, "inner": {"name": "dense", "dims": 6, "sigmoid": False}}
    config = make_config({"representation": {"name": "bands", "bands": 32}, "model": settings})
    view = build_representation(config.representation, sample_rate=RATE, channels=1)
    torch.manual_seed(0)
    model = build_model(config.model, representation=view, samples=SAMPLES).eval()
    assert isinstance(model, Conditional)
    classes = torch.arange(80) % 2
    pictures = 0.2 * torch.rand(80, 1, 32, view.frames(SAMPLES))
    pictures[classes == 1, :, 16:] += 0.5
    batch = Batch(pictures, torch.full((80,), SAMPLES), conditions=classes[:, None].float())
    model.initialise(batch)
    with torch.no_grad():
        inside = model.inner.posterior(batch).mean
        told = model.entries_of(batch)
        rest = model.posterior(batch).mean[:, :6]
        apart, left = (values[classes == 1].mean(0) - values[classes == 0].mean(0) for values in (inside, rest))
        low, high = model.inner.decode_raw(model.shift(told[:2]))
    assert float(left.norm()) < 0.3 * float(apart.norm())
    assert float((high - low)[:, 16:].mean()) > 0.3
    assert abs(float((high - low)[:, :16].mean())) < 0.1
