"""The base of the designs: what a network of several instruments computes from spectrograms, and how it is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from timbrespace.validation import FROZEN

BINS, FRAMES = 1024, 128  # of a spectrogram: 5 s at 22.05 kHz, hop 862, without the top bin


class Schedule(BaseModel):
    """How a design is trained. steps: of the optimiser, all stages together. batch: spectrograms of each instrument in a step."""

    model_config = FROZEN

    steps: Annotated[int, Field(ge=1, le=10_000_000)] = 1_000
    batch: Annotated[int, Field(ge=1, le=1_024)] = 8
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3


class Design(nn.Module):
    """A network that translates spectrograms `(batch, BINS, FRAMES)`, 0 (silence) to 1, between instruments.

    The constructor has the names of the instruments, and settings: keyword arguments with a default, annotated with a pydantic `Field`.
    They are the keys of `--set`, and the file holds them. Everything that training learns or measures is a parameter or a buffer.

    loss_weights: the weight of each of `losses`, whose sum is minimised; critic_weights: likewise of `critic_losses`. Both are set by the
    constructor. stages: of the training, each with its share of the steps. schedule: defaults of it. given: files of trained designs, by
    the setting that names each, which training opens for `take`.
    """

    schedule: ClassVar[Schedule] = Schedule()
    settings: Mapping[str, Any]  # what the constructor was called with, defaults filled in; set by `designs.make_design`

    def __init__(self, names: tuple[str, ...]):
        super().__init__()
        self.names = names
        self.loss_weights: dict[str, float] = {}
        self.critic_weights: dict[str, float] = {}
        self.stages: dict[str, float] = {"training": 1.0}
        self.given: dict[str, str] = {}
        self.stage = ""

    def take(self, setting: str, other: Design) -> None:
        """Takes a trained design of `given`, before the first stage. Raises ConfigError if it does not fit."""

    def prepare(self, pieces: Mapping[str, Iterable[Tensor]]) -> None:
        """Measures what the training needs, before it. pieces: as for `measure`."""

    def begin(self, stage: str) -> None:
        """Starts a stage of the training: what `losses` and `trained_parameters` return may depend on it."""
        self.stage = stage

    def losses(self, batch: Mapping[str, Tensor], *, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns the losses by name, not weighted. batch: spectrograms `(batch, BINS, FRAMES)` of each instrument, unpaired.

        generator: of everything drawn, on the CPU (see `noise_like`).
        """
        raise NotImplementedError

    def critic_losses(self, batch: Mapping[str, Tensor], *, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns the losses of the critic by name, not weighted; none where there is no critic. batch, generator: as for `losses`."""
        return {}

    def critic_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters that `critic_losses` train, by their own optimiser."""
        return []

    def trained_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters that `losses` train in the stage: all but the critic's."""
        critic = {id(parameter) for parameter in self.critic_parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in critic]

    def measure(self, pieces: Mapping[str, Iterable[Tensor]]) -> None:
        """Measures what translation needs of the trained network. pieces: batches `(batch, BINS, FRAMES)` of each instrument, all once."""

    def translate(self, values: Tensor, source: str, weights: Tensor) -> Tensor:
        """Returns spectrograms of a voice, `(batch, BINS, FRAMES) -> (batch, BINS, FRAMES)`.

        source: the instrument that plays them. weights: of the instruments `(batch, instruments)`, with the sum 1, also beyond 0 to 1.
        """
        raise NotImplementedError


def noise_like(values: Tensor, generator: torch.Generator) -> Tensor:
    """Returns normal noise of the shape of `values` on its device, drawn on the CPU: every device draws the same."""
    return torch.randn(values.shape, generator=generator).to(values)
