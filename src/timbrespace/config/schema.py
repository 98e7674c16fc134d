"""The settings of a training as frozen, validated classes, and errors about them in plain words."""

from __future__ import annotations

import reprlib
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from timbrespace.contracts import ConfigError
from timbrespace.corpus.augment.settings import Augmentation

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)

_SHORT = reprlib.Repr()  # a few nested YAML aliases can expand to gigabytes: values are never shown in full
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist, _SHORT.maxstring = 2, 4, 4, 60


class Weights(BaseModel):
    """Weights of the losses; the same keys as the dict of losses and the log."""

    model_config = FROZEN
    reconstruction: Annotated[float, Field(ge=0)] = 1.0  # of the mean squared error in dB² a cell
    kl: Annotated[float, Field(ge=0)] = 0.02  # of the Kullback-Leibler divergence in nats a sound
    length: Annotated[float, Field(ge=0)] = 1.0  # of the squared error of the standardised log2 length
    commitment: Annotated[float, Field(ge=0)] = 0.25  # of the mean square from an encoder's numbers to their codes
    prior: Annotated[float, Field(ge=0)] = 1.0  # of the cross entropy of the codes, nats a code; has no say in the codes


class Kl(BaseModel):
    """How the weight of the KL goes along the steps, and how much of it is free: see `training.schedules`."""

    model_config = FROZEN
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

    model_config = FROZEN
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

    model_config = FROZEN
    description: str = ""
    representation: dict[str, Any]
    model: dict[str, Any]
    training: Training = Training()
    tune: dict[str, Any] = {}  # ranges of `timbrespace tune`, see `training.tune_space`


def shortened(value: object) -> str:
    """Returns `repr(value)`, cut to a few items and characters."""
    return f"{_SHORT.repr(value):.80}"


def config_error(error: ValidationError | TypeError, prefix: str, schema: type[BaseModel]) -> ConfigError:
    """Returns the first failure of a validation as an error that names the key, the value and what is allowed."""
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
    return ConfigError(f"{path} is {shortened(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}")
