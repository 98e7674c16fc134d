"""Everything that an instrument is made of, as training builds it and as its file stores it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from timbrespace.latent.name_words import NameWords
from timbrespace.latent.space import LatentSpace
from timbrespace.latent.trajectories import Trajectories
from timbrespace.model.base import Model
from timbrespace.representation.base import Representation
from timbrespace.synthesis.controls import Controls
from timbrespace.synthesis.detail_model.model import DetailModel
from timbrespace.synthesis.harmonic.traits import NoteModel


@dataclass(frozen=True)
class TrainingClips:
    """What an instrument keeps of its n training clips; no audio.

    names, categories: one a clip. latents `(n, dims)`: means over the steps where latents vary in time. embeddings `(n, features)`:
    of `audio.embedding.embedding`. positions `(n, 2)`: on the map, each -1 to 1. counted: how many of the clips the density was fitted
    to, if not all, see `corpus.prepared.weights`. descriptors `(n, len(DESCRIPTORS))`: of the training sounds, on their scales, see
    `audio.describe`, NaN where not defined; None in files of earlier versions.
    """

    names: tuple[str, ...]
    categories: tuple[str | None, ...]
    latents: Tensor
    embeddings: Tensor
    positions: Tensor
    counted: int | None = None
    descriptors: Tensor | None = None

    @property
    def in_density(self) -> int:
        """The number of clips that the density was fitted to."""
        return len(self.names) if self.counted is None else self.counted


@dataclass(frozen=True)
class InstrumentContents:
    """The parts of an instrument.

    settings: config of representation and model. sample_rate: Hz. samples: length of the longest clip. card: metrics of the instrument.
    clips: None for a stripped instrument. novelty_unit: median embedding distance of held-out sounds to their nearest training sound,
    None where it cannot be measured, see `novelty.novelty_unit`.
    origin: where the sounds came from, see `corpus.prepared.origin`; None for a stripped instrument.
    trajectories: for a model with a time-varying latent; `space` is then a density over their coordinates, see `Trajectories`.
    notes: of an instrument of notes, see `harmonic.render`; None elsewhere, and in files of earlier versions.
    detail: how the detail of new sounds is drawn; None for a model whose new sounds have none or the noise texture, see `texture`.
    name_words: learned of the names of the training sounds; None for a stripped instrument, and in files of earlier versions.
    controls: of the latent space, see `space.controls`; None in files of earlier versions, for which they are fitted at first use.
    """

    representation: Representation
    model: Model
    space: LatentSpace
    settings: dict[str, Any]
    sample_rate: int
    channels: int
    samples: int
    card: dict[str, Any] = field(default_factory=dict)
    clips: TrainingClips | None = None
    novelty_unit: float | None = None
    trajectories: Trajectories | None = None
    notes: NoteModel | None = None
    origin: dict[str, Any] | None = None
    detail: DetailModel | None = None
    name_words: NameWords | None = None
    controls: Controls | None = None
