"""What every family of models must do, over all of `MODELS`: a new one is covered by its line in the registry."""

from __future__ import annotations

import copy
import math
import re
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from specs import feature_spec
from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.config.schema import Config, Weights
from timbrespace.config.settings import nested_models, settings_of
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.model.base import Batch, Model
from timbrespace.model.registry import MODELS
from timbrespace.representation.base import Representation
from timbrespace.representation.registry import REPRESENTATIONS
from timbrespace.training.losses import total

RATE, SAMPLES, COUNT = 16_000, 4_096, 12
LENGTHS = torch.tensor([SAMPLES, 3_000, 1_500] * (COUNT // 3))
VIEWS: list[dict[str, Any]] = [{"name": "bands", "bands": 16, "hop": 256}, {"name": "waveform"}]  # the first that a family learns

# Settings that make a family small, or that it cannot do without. A family that is not listed is tested with its defaults.
_DENSE = {"name": "dense", "dims": 3, "encoder": [8], "decoder": [8]}
SMALL: dict[str, dict[str, Any]] = {
    "oneshot": {"dims": 3, "coefficients": 8, "attack": 4, "steps": 8, "width": 8, "depth": 1},
    "pitch-synchronous": {"dims": 3, "coefficients": 8, "width": 8, "depth": 1},
    "conv": {"channels": [3, 3], "kernels": [4, 2], "strides": [2, 2]},
    "conv-vae": {"dims": 3, "channels": [4, 4], "strides": [2, 2]},
    "raw": {"channels": [4, 4], "kernels": [5, 3], "strides": [3, 2]},
    "staged": {"outer": _DENSE, "inner": {"name": "dense", "dims": 2, "encoder": [4], "decoder": [4]}},
    "conditional": {"inner": _DENSE, "conditions": {"category": ["kick", "snare"], "brightness": [100.0, 9_000.0]}},
    "vq": {"patch": 4, "codebooks": 2, "codebook_size": 8, "width": 8, "depth": 1, "prior": 8},
}
pytestmark = pytest.mark.parametrize("name", MODELS)


def config_of(name: str) -> Config:
    """A configuration of the family with a view that it learns."""
    refused = ""
    for view in VIEWS:
        try:
            return make_config({"representation": view, "model": {"name": name, **SMALL.get(name, {})}})
        except ConfigError as error:
            refused = str(error)
    raise AssertionError(refused)


def view_of(name: str) -> Representation:
    return build_representation(config_of(name).representation, sample_rate=RATE, channels=1)


def built(name: str) -> Model:
    """An untrained model, ready to encode, the same at each call."""
    torch.manual_seed(0)
    model = build_model(config_of(name).model, representation=view_of(name), samples=SAMPLES)
    state = model.fit_codec(lambda: iter([stored(name)]), rows=COUNT, lengths=LENGTHS, seed=0)
    if state is not None:
        model.load_codec(state)
    return model.eval()


@cache
def features_of(name: str) -> Tensor:
    """Features `(count, parts, bands, frames)` of decaying tones of several lengths."""
    model = build_model(config_of(name).model, representation=view_of(name), samples=SAMPLES)
    sounds = []
    for row, length in enumerate(LENGTHS.tolist()):
        t = torch.arange(length) / RATE
        audio = torch.sin(2 * math.pi * (200 + 90 * row) * t) * torch.exp(-t * (5 + row)) * 0.5
        padded = torch.nn.functional.pad(model.prepare_audio(audio[None]), (0, SAMPLES))[:, :SAMPLES]
        sounds.append(view_of(name).encode(padded[None])[0])
    return torch.stack(sounds)


def stored(name: str) -> Tensor:
    """Prepared features as training stores them, `(count, cells)`."""
    model = build_model(config_of(name).model, representation=view_of(name), samples=SAMPLES)
    return model.prepare_features(features_of(name)).flatten(1)


def batch_of(name: str, model: Model) -> Batch:
    names = model.conditioning.names
    conditions = torch.full((COUNT, len(names)), torch.nan) if names else None
    return Batch(model.compress(stored(name)), LENGTHS, conditions)


def losses_of(model: Model, batch: Batch) -> dict[str, Tensor]:
    torch.manual_seed(1)
    losses: dict[str, Tensor] = model.train()(batch)
    model.eval()
    return losses


def test_losses_are_finite_and_have_weights(name: str) -> None:
    model = built(name)
    for stage in model.stages():
        batch = batch_of(name, model)
        if stage.codes is not None:
            with torch.no_grad():
                batch = stage.codes.codes(batch)
        losses = losses_of(stage.model, batch)
        assert set(losses) <= set(Weights.model_fields)
        assert all(torch.isfinite(loss).all() for loss in losses.values())
        total(losses, Weights().model_dump()).backward()
        gradients = [p.grad for p in stage.model.parameters() if p.grad is not None]
        assert gradients
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_posterior_and_evaluation_fit_the_latent(name: str) -> None:
    model = built(name)
    batch = batch_of(name, model)
    with torch.no_grad():
        posterior, found = model.posterior(batch), model.evaluate(batch)
    assert posterior.mean.shape == posterior.log_variance.shape
    assert posterior.mean.shape[:2] == (COUNT, model.dims)
    assert posterior.mean.ndim == (3 if model.time_varying else 2)
    assert found.errors.shape == (COUNT,)
    assert found.kl.shape == (model.dims,)
    assert torch.isfinite(found.errors).all()
    assert torch.isfinite(found.kl).all()
    assert model.unit in ("dB", "%")


def test_encoding_and_decoding_have_the_promised_shapes(name: str) -> None:
    model, features = built(name), features_of(name)
    with torch.no_grad():
        z = model.encode(features, LENGTHS).mean
        decoded, asked = model.decode(z), model.decode(z, lengths=torch.full((COUNT,), 2_000))
    steps = (-(-features.shape[3] // model.stride),) if model.time_varying else ()
    assert z.shape == (COUNT, model.dims, *steps)
    assert decoded.features.shape[:3] == features.shape[:3]
    assert decoded.features.shape[3] == (steps[0] * model.stride if model.time_varying else features.shape[3])
    assert torch.isfinite(decoded.features).all()
    assert decoded.lengths.shape == (COUNT,)
    assert bool((decoded.lengths >= 1).all())
    assert asked.lengths.tolist() == [2_000] * COUNT
    assert torch.equal(model.project(model.project(z)), model.project(z))


def test_a_given_sound_gets_one_latent(name: str) -> None:
    model, features = built(name), features_of(name)[:1]
    audio = torch.sin(torch.arange(SAMPLES) * 0.1)[None]
    with torch.no_grad():
        z = model.infer(features, LENGTHS[:1], audio, RATE)
    assert z.shape[:2] == (1, model.dims)
    assert torch.isfinite(z).all()


def test_a_sound_does_not_depend_on_its_batch(name: str) -> None:
    model, features = built(name), features_of(name)
    with torch.no_grad():
        together, alone = model.encode(features, LENGTHS).mean, model.encode(features[2:3], LENGTHS[2:3]).mean
    torch.testing.assert_close(together[2:3], alone, rtol=1e-3, atol=1e-3)


def test_the_same_seed_builds_and_learns_the_same(name: str) -> None:
    one, other = built(name), built(name)
    for (key, first), (_, second) in zip(one.state_dict().items(), other.state_dict().items(), strict=True):
        assert torch.equal(first, second), key
    stage, twin = one.stages()[0].model, other.stages()[0].model
    batch = batch_of(name, one)
    losses, again = losses_of(stage, batch), losses_of(twin, batch)
    assert losses.keys() == again.keys()
    assert all(torch.equal(loss, again[key]) for key, loss in losses.items())


def test_initialisation_needs_no_random_numbers(name: str) -> None:
    one, other = built(name), built(name)
    one.initialise(batch_of(name, one))
    state = torch.random.get_rng_state()
    torch.manual_seed(99)
    other.initialise(batch_of(name, other))
    torch.random.set_rng_state(state)
    for (key, first), (_, second) in zip(one.state_dict().items(), other.state_dict().items(), strict=True):
        assert torch.equal(first, second), key
    assert all(torch.isfinite(loss).all() for loss in losses_of(one.stages()[0].model, batch_of(name, one)).values())


def test_a_state_dict_restores_the_model(name: str) -> None:
    model = built(name)
    settings, view = config_of(name).model, view_of(name)
    with torch.device("meta"):  # as an instrument file is read
        empty = build_model(settings, representation=view, samples=SAMPLES)
    empty.load_state_dict(copy.deepcopy(model.state_dict()), assign=True)
    features = features_of(name)
    with torch.no_grad():
        one, other = model.encode(features, LENGTHS).mean, empty.eval().encode(features, LENGTHS).mean
        assert torch.equal(one, other)
        assert torch.equal(model.decode(one).features, empty.decode(other).features)


def test_features_and_latents_of_another_shape_are_refused(name: str) -> None:
    model, features = built(name), features_of(name)
    with pytest.raises(ShapeError):
        model.prepare_features(torch.cat([features, features], 2))
    if not nested_models(settings_of(MODELS[name])):
        with pytest.raises(ShapeError):
            model.decode(torch.zeros(1, model.dims + 1, *((2,) if model.time_varying else ())))


def refusal(view: str, settings: dict[str, Any]) -> str:
    """The error of a view with the settings of a model, "" without one."""
    try:
        make_config({"representation": {"name": view}, "model": settings})
    except ConfigError as error:
        return str(error)
    return ""


def test_features_that_it_cannot_learn_are_refused(name: str) -> None:
    """A likelihood of waveforms is refused with other views before anything is built, or else the views that the family does not learn."""
    settings = {"name": name, **SMALL.get(name, {})}
    place = next(iter(nested_models(settings_of(MODELS[name]))), None)
    if place is not None:
        settings = settings | {place: settings[place] | {"likelihood": "mu-law"}}
    elif "likelihood" in settings_of(MODELS[name]).model_fields:
        settings["likelihood"] = "mu-law"
    else:
        errors = [error for view in REPRESENTATIONS if (error := refusal(view, settings))]
        if not errors:
            pytest.skip("the family learns every view")
        assert all("model" in error or "representation" in error for error in errors)
        return
    assert re.search("model|representation", refusal("complex", settings))


def test_an_unknown_condition_is_refused(name: str) -> None:
    conditioning = built(name).conditioning
    with pytest.raises(ConfigError, match="colour"):
        conditioning.request({"colour": "red"}, category=None, pitch=None)
    assert not conditioning.request(None, category=None, pitch=None).entries
    assert conditioning.of_sound(torch.zeros(1, SAMPLES), RATE).shape == (1, len(conditioning.names))


def test_a_spec_is_all_that_a_family_is_given(name: str) -> None:
    """Constructor arguments are the spec, annotated settings, and the builder of nested models."""
    if nested_models(settings_of(MODELS[name])):
        return
    values = {key: value for key, value in config_of(name).model.items() if key != "name"}
    view = config_of(name).representation["name"]
    spec = feature_spec(1, 1 if view == "waveform" else 16, 64, samples=64 if view == "waveform" else SAMPLES, hop=256, floor=80.0)
    assert MODELS[name](spec, **values).spec is spec
