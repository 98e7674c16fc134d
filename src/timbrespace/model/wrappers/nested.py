"""How a model holds other models: settings marked as such, the builder that makes them, and errors that name the right key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from timbrespace.contracts import ConfigError
from timbrespace.model.clip.base import ImageModel
from timbrespace.representation.spec import FeatureSpec


class Nested:
    """Marks a constructor's argument as the settings of another model, `{"name": …, key: value}`.

    A model with such an argument also has the argument `build: Build`, which makes the model of the settings.

    features: whether the nested model learns features of sound; False: values made from them, such as codes. defaults: of the nested
    model's settings, in place of its constructor's.
    """

    def __init__(self, *, features: bool, **defaults: Any):
        self.features, self.defaults = features, defaults


class Build(Protocol):
    """Makes a model from its settings and the spec of what it learns: `config.build.make_model`."""

    def __call__(self, settings: Mapping[str, Any], spec: FeatureSpec) -> ImageModel:
        """Returns the model. Raises ConfigError."""


@contextmanager
def errors_named(place: str) -> Iterator[None]:
    """Makes a ConfigError about `model.x` name `model.<place>.x`."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(str(error).replace("model.", f"model.{place}.")) from None
