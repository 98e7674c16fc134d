"""The settings of a training as frozen, validated classes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from timbrespace.corpus.augment.settings import Augmentation
from timbrespace.validation import FROZEN


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
    epochs: Annotated[float, Field(gt=0, le=1e6)] | None = None  # passes over all examples instead of minutes: repeatable to the bit
    seconds: Annotated[float, Field(gt=0, le=600)] | None = None  # of a sound, at most; the rest is cut off; None: as the corpus has it
    batch: Annotated[int, Field(ge=1, le=65_536)] = 256
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1.5e-3
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.01
    variations: Annotated[int, Field(ge=0, le=256)] = 16  # augmented copies a clip, fewer where there are many clips
    synthesised: Annotated[int, Field(ge=0, le=100_000)] = 0  # sounds of our own making that are learned from too; 0: none
    examples: Annotated[int, Field(ge=64, le=1_000_000)] = 12_000  # clips and variations that are encoded and kept, at most
    augmentation: Augmentation = Augmentation()  # what the copies may hold
    initialisation: Literal["pca", "random"] = "pca"  # of the weights: principal components of the sounds, or random numbers
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
