"""An outer model that was trained before: read from an instrument file, with its representation and its settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from timbrespace.config.outer import OuterSettings
from timbrespace.config.settings import nested_models, settings_of
from timbrespace.contracts import ConfigError
from timbrespace.model.base import Model
from timbrespace.model.registry import MODELS
from timbrespace.representation.base import Representation
from timbrespace.representation.normalisation import Normalised
from timbrespace.synthesis.file.reading import read_instrument


@dataclass(frozen=True, eq=False)
class TrainedOuter:
    """The outer model of an instrument: its one model, or the first of two.

    name: of the file. representation: fitted. settings: config of representation and of this model. samples: of the longest clip.
    checksum: of weights, settings and representation.
    """

    name: str
    representation: Representation
    model: Model
    settings: dict[str, Any]
    sample_rate: int
    channels: int
    samples: int
    checksum: str

    @property
    def fixed(self) -> OuterSettings:
        """The settings that a training with this model has."""
        return OuterSettings(self.name, self.settings["representation"], self.settings["model"], self.samples / self.sample_rate)


def load_outer(path: Path | str) -> TrainedOuter:
    """The outer model in an instrument file. Raises InstrumentFileError, and ConfigError for a model that cannot be an outer one."""
    path = Path(path)
    contents = read_instrument(path)
    first = contents.model.stages()[0]
    model, settings = first.model, contents.settings["model"]
    if model is not contents.model:
        settings = settings[first.name]
    if settings["name"] not in (allowed := _outer_families()):
        raise ConfigError(
            f"{path} has the model {settings['name']!r}, which cannot be an outer one; allowed are {', '.join(allowed)}; "
            "train one, for instance with --preset conv"
        )
    chosen = {"representation": contents.settings["representation"], "model": settings}
    sizes = (contents.sample_rate, contents.channels, contents.samples)
    return TrainedOuter(
        path.name, contents.representation, model, chosen, *sizes,
        checksum=_checksum([chosen, sizes], [*model.state_dict().values(), *_statistics(contents.representation)]),
    )  # fmt: skip


def _outer_families() -> list[str]:
    """The names of the models that can be the outer one of some model in two stages."""
    marks = [nested["outer"] for family in MODELS.values() if "outer" in (nested := nested_models(settings_of(family)))]
    return [name for name, family in MODELS.items() if any(mark.accepts(family) for mark in marks)]


def _statistics(representation: Representation) -> Iterator[Tensor]:
    if isinstance(representation, Normalised):
        yield from representation.state().values()


def _checksum(content: Any, tensors: list[Tensor]) -> str:
    digest = hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16)
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().to(torch.float32).numpy().tobytes())
    return digest.hexdigest()
