"""Presets and settings: what they may say, checked before any work starts.

The keys under `representation` and `model` are the constructor arguments of the named class, with the limits that its signature
gives; those that data decides (sample rate, frames …) are not keys. Configs are frozen.
"""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from timbrespace.contracts import ConfigError
from timbrespace.corpus.augment.settings import Augmentation
from timbrespace.model.base import Model
from timbrespace.model.clip.base import ImageModel
from timbrespace.model.parts.likelihood import WAVEFORMS
from timbrespace.model.registry import MODELS
from timbrespace.model.wrappers.staged import Nested
from timbrespace.representation.base import Representation
from timbrespace.representation.normalisation import Kind, Normalised, normalised
from timbrespace.representation.registry import REPRESENTATIONS
from timbrespace.representation.views.waveform import Waveform

PRESETS = Path(__file__).parent / "presets"
_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)


_SHORT = reprlib.Repr()  # in YAML a few nested aliases can stand for gigabytes: values are never shown whole
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist, _SHORT.maxstring = 2, 4, 4, 60


class Weights(BaseModel):
    """Weights of the losses; the same keys as the dict of losses and the log."""

    model_config = _FROZEN
    reconstruction: Annotated[float, Field(ge=0)] = 1.0  # of the mean squared error in dB² a cell
    kl: Annotated[float, Field(ge=0)] = 0.02  # of the Kullback-Leibler divergence in nats a sound
    length: Annotated[float, Field(ge=0)] = 1.0  # of the squared error of the standardised log2 length
    commitment: Annotated[float, Field(ge=0)] = 0.25  # of the mean square from an encoder's numbers to their codes
    prior: Annotated[float, Field(ge=0)] = 1.0  # of the cross entropy of the codes, nats a code; has no say in the codes


class Kl(BaseModel):
    """How the weight of the KL goes along the steps, and how much of it is free: see `training.schedules`."""

    model_config = _FROZEN
    warm_up: Annotated[float, Field(ge=0, le=1)] = 0.0  # share of a cycle in which the weight rises from 0
    cycles: Annotated[int, Field(ge=1, le=1_000)] = 1
    free_bits: Annotated[float, Field(ge=0, le=1_000)] = 0.0  # nats a dimension that cost nothing
    capacity: Annotated[float, Field(ge=0, le=100_000)] | None = None  # nats a sound aimed at, instead of none

    @model_validator(mode="after")
    def _one_of_them(self) -> Kl:
        if self.free_bits and self.capacity is not None:
            raise ValueError("free_bits and capacity are both given; give one of them")
        return self


class Training(BaseModel):
    """How a model learns. Minutes are turned into steps once, by a short calibration; epochs, where given, count instead."""

    model_config = _FROZEN
    minutes: Annotated[float, Field(gt=0, le=60 * 24 * 30)] = 3.0
    epochs: Annotated[float, Field(gt=0, le=1e6)] | None = None  # passes over all images instead of minutes: repeatable to the bit
    seconds: Annotated[float, Field(gt=0, le=600)] | None = None  # of a sound, at most; the rest is cut off; None: as the corpus has it
    batch: Annotated[int, Field(ge=1, le=65_536)] = 256
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1.5e-3
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.01
    variations: Annotated[int, Field(ge=0, le=256)] = 16  # augmented copies a clip, fewer where there are many clips
    synthesised: Annotated[int, Field(ge=0, le=100_000)] = 0  # sounds of our own making that are learned from too; 0: none
    images: Annotated[int, Field(ge=64, le=1_000_000)] = 12_000  # how many sounds with their copies are kept for training
    augmentation: Augmentation = Augmentation()  # what the copies may hold
    start: Literal["corpus", "random"] = "corpus"  # weights before the first step: what the sounds give in closed form, or none of it
    compiled: bool = False  # by torch.compile, which takes half a minute of its own before the first step
    patience: Annotated[int, Field(ge=1, le=10_000)] = 12  # checks without a better moving average before it stops early
    weights: Weights = Weights()
    kl: Kl = Kl()


class Config(BaseModel):
    """One preset with everything filled in."""

    model_config = _FROZEN
    description: str = ""
    representation: dict[str, Any]
    model: dict[str, Any]
    training: Training = Training()
    tune: dict[str, Any] = {}  # ranges of `timbrespace tune`, see `training.tune_space`


def presets() -> dict[str, str]:
    """The presets shipped with the package: name -> description."""
    return {path.stem: str(read_yaml(path).get("description", "")) for path in sorted(PRESETS.glob("*.yaml"))}


def load_preset(name: str | Path = "oneshot", *, changes: Iterable[str] = (), **training: Any) -> Config:
    """A preset by name or YAML path, with `key=value` changes such as `model.dims=16` and settings of `training` by keyword.

    Minutes given by keyword count over the preset's epochs.

    Raises ConfigError naming the key, what was given and what is allowed.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = PRESETS / f"{path.name}.yaml"
        names = sorted(file.stem for file in PRESETS.glob("*.yaml"))
        if str(name) not in names:
            raise ConfigError(f"preset {str(name)!r} is unknown; there are {', '.join(names)}, or give the path of a .yaml file")
    content = read_yaml(path)
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{change!r} is not key=value; for instance model.dims=16")
        _set(content, key.strip().split("."), _parse(value, where=change), whole=key.strip())
    for key, value in training.items():
        if value is not None:
            _set(content, ["training", key], value, whole=f"training.{key}")
    if training.get("minutes") is not None and training.get("epochs") is None:
        _set(content, ["training", "epochs"], None, whole="training.epochs")  # which would count instead
    return make_config(content)


def make_config(content: Mapping[str, Any]) -> Config:
    """Checks a nested mapping and fills in the defaults. Raises ConfigError."""
    try:
        config = Config(**content)
    except (ValidationError, TypeError) as error:
        raise _config_error(error, "", Config) from None
    filled = {}
    for kind, registry in (("representation", REPRESENTATIONS), ("model", MODELS)):
        filled[kind] = _fill(registry, getattr(config, kind), kind)
    seen = filled["representation"]
    _check_likelihoods(filled["model"], waveform=seen["name"] == "waveform" and seen["normalisation"] == "none")
    model, view = _named(MODELS, config.model["name"], "model"), _named(REPRESENTATIONS, config.representation["name"], "representation")
    _check_pair(model, view, filled["representation"]["normalisation"], block=filled["representation"].get("block", 1))
    return config.model_copy(update=filled)


def build_representation(settings: Mapping[str, Any], *, sample_rate: int, channels: int) -> Representation:
    """The representation that `settings` names, defaults for what they leave out; a normalised one is not fitted. Raises ConfigError."""
    rest = _fill(REPRESENTATIONS, settings, "representation")
    chosen: Any = _named(REPRESENTATIONS, rest.pop("name", None), "representation")
    normalisation = rest.pop("normalisation")
    return normalised(chosen(**rest, sample_rate=sample_rate, channels=channels), normalisation)


def build_model(settings: Mapping[str, Any], *, representation: Representation, samples: int) -> Model:
    """The model that `settings` names, for clips of up to `samples` samples seen through `representation`. Raises ConfigError."""
    chosen = _named(MODELS, settings.get("name"), "model")
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
    chosen: Any = _named(MODELS, rest.pop("name", None), "model")
    known["build"] = _construct
    return chosen(**rest, **{name: value for name, value in known.items() if name in inspect.signature(chosen).parameters})


def _centres(view: Representation, samples: int) -> list[float] | None:
    """Middle frequencies of the bands in Hz, None where bands are something else."""
    import torch

    with torch.device("cpu"):  # an instrument file is read with all new tensors on "meta"
        axes = view.axes(samples)
    return [float(hertz) for hertz in axes.centres] if axes.band_unit == "Hz" else None


@lru_cache(maxsize=64)
def settings_of(chosen: type) -> type[BaseModel]:
    """The keys of a class: its constructor's annotated arguments with limits, as a schema."""
    hints = get_type_hints(chosen.__init__, include_extras=True)  # type: ignore[misc]
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(chosen).parameters.items()
        if hasattr(hints.get(name), "__metadata__")
    }
    if issubclass(chosen, Representation):
        fields["normalisation"] = (Kind, "none")  # goes around any of them
    return create_model(chosen.__name__, __config__=_FROZEN, **fields)


def _named(registry: Mapping[str, Any], name: object, kind: str) -> Any:
    if not isinstance(name, str) or name not in registry:
        raise ConfigError(f"{kind}.name is {_SHORT.repr(name)}, allowed are {', '.join(registry)}")
    return registry[name]


def _fill(registry: Mapping[str, Any], settings: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Checks the settings of a named class and fills in its defaults. Raises ConfigError."""
    rest = dict(settings)
    name = rest.pop("name", None)
    schema = settings_of(_named(registry, name, kind))
    try:
        filled = {"name": name, **schema(**rest).model_dump()}
    except (ValidationError, TypeError) as error:
        raise _config_error(error, f"{kind}.", schema) from None
    for key, nested in _nested(schema).items():
        # Models inside a model are whole and hold no others, so that settings cannot be nested without end.
        inside = {n: family for n, family in registry.items() if issubclass(family, ImageModel)}
        given = filled[key]
        known = settings_of(_named(inside, given.get("name"), f"{kind}.{key}")).model_fields
        defaults = {name: value for name, value in nested.defaults.items() if name in known}
        filled[key] = _fill(inside, defaults | given, f"{kind}.{key}")
    return filled


def _nested(schema: type[BaseModel]) -> dict[str, Nested]:
    """The keys that hold the settings of another model."""
    return {name: mark for name, field in schema.model_fields.items() for mark in field.metadata if isinstance(mark, Nested)}


def _check_likelihoods(model: Mapping[str, Any], *, waveform: bool, place: str = "model") -> None:
    """Raises ConfigError when a likelihood of audio's samples is to judge something else. waveform: whether the features are samples."""
    if model.get("likelihood") in WAVEFORMS and not waveform:
        raise ConfigError(
            f"{place}.likelihood is {model['likelihood']!r}, which takes samples of audio, not codes, other views or normalised features; "
            "allowed with it is representation.name waveform with normalisation none; or take another likelihood"
        )
    for key, nested in _nested(settings_of(_named(MODELS, model.get("name"), place))).items():
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


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file. Raises ConfigError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; `timbrespace presets` lists what is shipped") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: an impossible date, a number of thousands of digits
        raise ConfigError(f"{path} is not valid YAML: {(str(error).splitlines() or ['?'])[0]:.200}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold keys and values (representation, model, training), not {type(content).__name__}")
    return content


def _parse(value: str, *, where: str) -> Any:
    try:
        return yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"the value of {where!r} is not valid YAML; write for instance model.dims=16") from None


def _set(content: dict[str, Any], keys: list[str], value: Any, *, whole: str) -> None:
    for key in keys[:-1]:
        inner = content.get(key)
        content[key] = dict(inner) if isinstance(inner, dict) else {}
        if inner is not None and not isinstance(inner, dict):
            raise ConfigError(f"{whole} is not a key: {key} holds a value, not a group")
        content = content[key]
    content[keys[-1]] = value


def _config_error(error: ValidationError | TypeError, prefix: str, schema: type[BaseModel]) -> ConfigError:
    if isinstance(error, TypeError):
        return ConfigError(f"the settings are not keys and values: {error}")
    first = error.errors()[0]
    path = prefix + ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return ConfigError(f"{path} is not given, and has no default")
    if first["type"] == "extra_forbidden":
        group: Any = schema
        for part in first["loc"][:-1]:
            group = group.model_fields[part].annotation
            group = next((kind for kind in get_args(group) if hasattr(kind, "model_fields")), group)  # of a group or None
        return ConfigError(f"{path} is not a setting; known here are {', '.join(group.model_fields)}")
    return ConfigError(f"{path} is {_SHORT.repr(first['input']):.80}: {first['msg'][0].lower()}{first['msg'][1:]}")
