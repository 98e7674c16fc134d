"""From settings to objects: a checked Config, a representation, a model."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from timbrespace.config.aliases import modernised
from timbrespace.config.schema import Config, config_error
from timbrespace.config.settings import fill, named, nested_models, settings_of
from timbrespace.contracts import ConfigError
from timbrespace.model.base import Model
from timbrespace.model.parts.likelihood import WAVEFORMS
from timbrespace.model.registry import MODELS
from timbrespace.representation.base import Representation
from timbrespace.representation.normalisation import Normalised, normalised
from timbrespace.representation.registry import REPRESENTATIONS
from timbrespace.representation.views.waveform import Waveform


def make_config(content: Mapping[str, Any]) -> Config:
    """Checks a nested mapping and fills in the defaults. Raises ConfigError."""
    try:
        config = Config(**modernised(content))
    except (ValidationError, TypeError) as error:
        raise config_error(error, "", Config) from None
    filled = {}
    for kind, registry in (("representation", REPRESENTATIONS), ("model", MODELS)):
        filled[kind] = fill(registry, getattr(config, kind), kind)
    seen = filled["representation"]
    _check_likelihoods(filled["model"], waveform=seen["name"] == "waveform" and seen["normalisation"] == "none")
    model, view = named(MODELS, config.model["name"], "model"), named(REPRESENTATIONS, config.representation["name"], "representation")
    _check_pair(model, view, filled["representation"]["normalisation"], block=filled["representation"].get("block", 1))
    return config.model_copy(update=filled)


def build_representation(settings: Mapping[str, Any], *, sample_rate: int, channels: int) -> Representation:
    """The representation that `settings` names, defaults for what they leave out; a normalised one is not fitted. Raises ConfigError."""
    rest = fill(REPRESENTATIONS, settings, "representation")
    chosen: Any = named(REPRESENTATIONS, rest.pop("name", None), "representation")
    normalisation = rest.pop("normalisation")
    return normalised(chosen(**rest, sample_rate=sample_rate, channels=channels), normalisation)


def build_model(settings: Mapping[str, Any], *, representation: Representation, samples: int) -> Model:
    """The model that `settings` names, for clips of up to `samples` samples seen through `representation`. Raises ConfigError."""
    chosen = named(MODELS, settings.get("name"), "model")
    view = representation.view if isinstance(representation, Normalised) else representation
    _check_likelihoods(settings, waveform=isinstance(representation, Waveform))
    normalisation = representation.kind if isinstance(representation, Normalised) else "none"
    _check_pair(chosen, type(view), normalisation, block=getattr(view, "block", 1))
    levels = view.decibels and not isinstance(representation, Normalised)
    known = {
        "parts": representation.parts,
        "bands": representation.bands,
        "frames": representation.frames(samples),
        "frames_of": representation.frames,
        "samples": samples,
        "floor": getattr(view, "floor", None) if levels else None,  # None: no levels in dB
        "hop": getattr(view, "hop", None),
        "sample_rate": representation.sample_rate,
        "centres": _centres(view, samples),
    }
    return _construct(settings, **known)


def _construct(settings: Mapping[str, Any], **known: Any) -> Any:
    """The model that settings name, given those of `known` that its signature names, and this function for models inside it."""
    rest = dict(settings)
    chosen: Any = named(MODELS, rest.pop("name", None), "model")
    known["build"] = _construct
    return chosen(**rest, **{name: value for name, value in known.items() if name in inspect.signature(chosen).parameters})


def _centres(view: Representation, samples: int) -> list[float] | None:
    """Middle frequencies of the bands in Hz, None where bands are something else."""
    import torch

    with torch.device("cpu"):  # an instrument file is read with all new tensors on "meta"
        axes = view.axes(samples)
    return [float(hertz) for hertz in axes.centres] if axes.band_unit == "Hz" else None


def _check_likelihoods(model: Mapping[str, Any], *, waveform: bool, place: str = "model") -> None:
    """Raises ConfigError when a likelihood of audio's samples is to judge something else. waveform: whether the features are samples."""
    if model.get("likelihood") in WAVEFORMS and not waveform:
        raise ConfigError(
            f"{place}.likelihood is {model['likelihood']!r}, which takes samples of audio, not codes, other views or normalised features; "
            "allowed with it is representation.name waveform with normalisation none; or take another likelihood"
        )
    for key, nested in nested_models(settings_of(named(MODELS, model.get("name"), place))).items():
        _check_likelihoods(model[key], waveform=waveform and nested.features, place=f"{place}.{key}")


def _check_pair(model: type[Model], representation: type[Representation], normalisation: str, *, block: int) -> None:
    """Raises ConfigError when the model learns levels in dB over a floor, or samples, and the representation gives something else."""
    if model.waveform_only and (representation is not Waveform or block != 1 or normalisation != "none"):
        shown = {chosen: name for name, chosen in [*REPRESENTATIONS.items(), *MODELS.items()]}
        raise ConfigError(
            f"representation.name is {shown.get(representation, representation.__name__)!r} (block {block}, normalisation {normalisation})"
            f", and model {shown.get(model, model.__name__)!r} learns samples as they are; allowed with it is waveform with block 1, "
            "normalisation none"
        )
    if not model.decibels:
        return
    if representation.decibels and normalisation != "none":
        named = next((name for name, chosen in MODELS.items() if chosen is model), model.__name__)
        raise ConfigError(
            f"representation.normalisation is {normalisation!r}, and model {named!r} learns levels in dB over a floor as they are; "
            "allowed with it is none"
        )
    if not representation.decibels:
        names = {chosen: name for name, chosen in [*REPRESENTATIONS.items(), *MODELS.items()]}
        usable = ", ".join(name for name, chosen in REPRESENTATIONS.items() if chosen.decibels)
        raise ConfigError(
            f"representation.name is {names.get(representation, representation.__name__)!r}, and model "
            f"{names.get(model, model.__name__)!r} learns levels in dB over a floor; allowed with it are {usable}"
        )
