"""The settings of a training as frozen, validated classes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from timbrespace.corpus.augment.settings import Augmentation
from timbrespace.corpus.prepared.weights import FILE_LIMIT
from timbrespace.validation import FROZEN


class Weights(BaseModel):
    """Weights of the losses, with the keys of the dict of losses and of the log."""

    model_config = FROZEN
    reconstruction: Annotated[float, Field(ge=0)] = 1.0  # of the mean squared error in dB² a cell
    kl: Annotated[float, Field(ge=0)] = 0.02  # of the Kullback-Leibler divergence in nats a sound
    length: Annotated[float, Field(ge=0)] = 1.0  # of the squared error of the standardised log2 length
    commitment: Annotated[float, Field(ge=0)] = 0.25  # of the mean squared distance from the encoder's outputs to their codes
    prior: Annotated[float, Field(ge=0)] = 1.0  # of the cross entropy of the codes in nats a code; does not change the codes


class Kl(BaseModel):
    """The schedule of the KL weight along the steps, and the part of the KL without cost: see `training.losses`."""

    model_config = FROZEN
    warm_up: Annotated[float, Field(ge=0, le=1)] = 0.0  # share of a cycle in which the weight rises from 0
    cycles: Annotated[int, Field(ge=1, le=1_000)] = 1
    free_bits: Annotated[float, Field(ge=0, le=1_000)] = 0.0  # nats a dimension without cost
    capacity: Annotated[float, Field(ge=0, le=100_000)] | None = None  # target in nats a sound; None: no target

    @model_validator(mode="after")
    def _at_most_one(self) -> Kl:
        if self.free_bits and self.capacity is not None:
            raise ValueError("free_bits and capacity are both given; give one of them")
        return self


class Training(BaseModel):
    """How a model is trained. Minutes are converted to steps by a short calibration; epochs, where given, are used instead."""

    model_config = FROZEN
    minutes: Annotated[float, Field(gt=0, le=60 * 24 * 30)] = 3.0
    epochs: Annotated[float, Field(gt=0, le=1e6)] | None = None  # passes over all examples, in place of minutes: repeated, the same tensors
    seconds: Annotated[float, Field(gt=0, le=600)] | None = None  # longest sound; longer ones are cut; None: the clip length of the corpus
    batch: Annotated[int, Field(ge=1, le=65_536)] = 256
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1.5e-3
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.01
    variations: Annotated[int, Field(ge=0, le=256)] = 16  # of each clip, 0: none; the count in use: `affordable_variations`
    fewest_variations: Annotated[int, Field(ge=0, le=65_536)] = 4_096  # of all clips together: few clips get more each, at most 256
    synthesised: Annotated[int, Field(ge=0, le=100_000)] = 0  # synthesised sounds beside the corpus; 0: none
    examples: Annotated[int, Field(ge=64, le=1_000_000)] = 12_000  # clips and variations; limits the variations, keeps every clip
    augmentation: Augmentation = Augmentation()  # of the variations
    file_limit: Annotated[float, Field(ge=1, le=1e6)] | None = (
        FILE_LIMIT  # what a long file counts as, see `corpus.prepared.weights`; None: all
    )
    initialisation: Literal["pca", "random"] = "pca"  # of the weights: principal components of the sounds, or random numbers
    compiled: bool = False  # by torch.compile, which takes half a minute before the first step
    patience: Annotated[int, Field(ge=1, le=10_000)] = 12  # evaluations without a better moving average before an early stop
    weights: Weights = Weights()
    kl: Kl = Kl()


class Config(BaseModel):
    """A preset with all defaults filled in."""

    model_config = FROZEN
    description: str = ""
    representation: dict[str, Any]
    model: dict[str, Any]
    training: Training = Training()
    tune: dict[str, Any] = {}  # ranges of `timbrespace tune`, see `tuning.ranges`
