"""From settings to objects: a checked Config, a representation, a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import ValidationError

from timbrespace.config.aliases import modernised
from timbrespace.config.schema import Config
from timbrespace.config.settings import fill, named, nested_models, settings_of
from timbrespace.config.suggest import with_suggestion
from timbrespace.contracts import ConfigError
from timbrespace.model.base import Model
from timbrespace.model.registry import MODELS
from timbrespace.model.wrappers.nested import errors_named
from timbrespace.representation.base import Representation
from timbrespace.representation.normalisation import Normalised, normalised
from timbrespace.representation.registry import REPRESENTATIONS
from timbrespace.representation.spec import FeatureKind, FeatureSpec
from timbrespace.validation import config_error


def make_config(content: Mapping[str, Any]) -> Config:
    """Returns a Config of a nested mapping, checked, with defaults filled in. Raises ConfigError; an unknown key gets a suggestion."""
    filled, modern = {}, modernised(content)
    try:
        config = _checked(modern)
        for kind, registry in (("representation", REPRESENTATIONS), ("model", MODELS)):
            filled[kind] = fill(registry, getattr(config, kind), kind)
    except ConfigError as error:
        raise with_suggestion(error, modern) from None
    check_features(filled["model"], _kind_of(filled["representation"]))
    return config.model_copy(update=filled)


def _checked(content: Mapping[str, Any]) -> Config:
    """Returns a Config whose settings of representation and model are not yet checked. Raises ConfigError."""
    try:
        return Config(**content)
    except (ValidationError, TypeError) as error:
        raise config_error(error, "", Config) from None


def build_representation(settings: Mapping[str, Any], *, sample_rate: int, channels: int) -> Representation:
    """Returns the representation that `settings` name, with defaults for missing keys, not yet fitted. Raises ConfigError."""
    rest = fill(REPRESENTATIONS, modernised({"representation": settings})["representation"], "representation")
    chosen: Any = named(REPRESENTATIONS, rest.pop("name", None), "representation")
    normalisation = rest.pop("normalisation")
    return normalised(chosen(**rest, sample_rate=sample_rate, channels=channels), normalisation)


def build_model(settings: Mapping[str, Any], *, representation: Representation, samples: int) -> Model:
    """Returns the model that `settings` name, for clips of up to `samples` samples in a representation. Raises ConfigError."""
    spec = representation.spec(samples)
    view = representation.view if isinstance(representation, Normalised) else representation
    named_view = next((name for name, family in REPRESENTATIONS.items() if family is type(view)), spec.kind.view)
    check_features(settings, spec.kind._replace(view=named_view))
    return make_model(settings, spec)


def parameters_of(config: Config, *, sample_rate: int, samples: int) -> int:
    """Returns the number of parameters of a model for mono clips of up to `samples` samples, without memory for its weights."""
    view = build_representation(config.representation, sample_rate=sample_rate, channels=1)
    with torch.device("meta"):
        model = build_model(config.model, representation=view, samples=samples)
    return sum(parameter.numel() for parameter in model.parameters())


def make_model(settings: Mapping[str, Any], spec: FeatureSpec) -> Any:
    """Returns the model that `settings` name, for features of `spec`. A model that holds others calls this for them. Raises ConfigError."""
    rest = dict(settings)
    family: Any = named(MODELS, rest.pop("name", None), "model")
    holds_models = bool(nested_models(settings_of(family)))
    return family(spec, **rest, **({"build": make_model} if holds_models else {}))


def check_features(settings: Mapping[str, Any], kind: FeatureKind) -> None:
    """Raises ConfigError where a model, or one nested in it, cannot learn such features."""
    family = named(MODELS, settings.get("name"), "model")
    family.check_features(kind, settings)
    for key, nested in nested_models(settings_of(family)).items():
        with errors_named(key):
            check_features(settings[key], kind if nested.features else FeatureKind("other", "codes"))


def _kind_of(settings: Mapping[str, Any]) -> FeatureKind:
    """Returns what the features of a representation's filled settings are."""
    view = named(REPRESENTATIONS, settings["name"], "representation")
    return FeatureKind(view.values(), settings["name"], settings["normalisation"], settings.get("block", 1))
