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

    features: whether the nested model learns features of sound; False: values made from them, such as codes. plain_losses: whether the
    nested model must have the losses of `ImageModel`. defaults: of the nested model's settings, in place of its constructor's.
    """

    def __init__(self, *, features: bool, plain_losses: bool = False, **defaults: Any):
        self.features, self.plain_losses, self.defaults = features, plain_losses, defaults

    def accepts(self, family: type) -> bool:
        """Whether a family can be the nested model: one of whole clips, without nested models, so settings cannot be nested without end."""
        return issubclass(family, ImageModel) and (not self.plain_losses or has_plain_losses(family))


class Build(Protocol):
    """Makes a model from its settings and the spec of what it learns: `config.build.make_model`."""

    def __call__(self, settings: Mapping[str, Any], spec: FeatureSpec) -> ImageModel:
        """Returns the model. Raises ConfigError."""


def has_plain_losses(family: type) -> bool:
    """Whether the losses of a family are those of `ImageModel`, so that another model can compute them from its parts."""
    return getattr(family, "forward", None) is ImageModel.forward


@contextmanager
def errors_named(place: str) -> Iterator[None]:
    """Makes a ConfigError about `model.x` name `model.<place>.x`."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(str(error).replace("model.", f"model.{place}.")) from None
