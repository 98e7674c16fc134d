"""Sets of sounds as neighbours are searched among them: names, categories, embeddings and latents; no audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from timbrespace.audio.describe import NAMES
from timbrespace.contracts import ConfigError
from timbrespace.synthesis.file.contents import InstrumentContents

NO_NAMES = (
    "this instrument was stripped of its training sounds: it has no names to find; use the unstripped file, or search a folder of your own"
)


@dataclass(frozen=True)
class SoundSet:
    """n sounds, measured.

    names, categories: one a sound; a category is None where it is not known. embeddings `(n, 68)`: of `audio.embedding.embedding`.
    latents `(n, dims)`: see `comparable`, means over the steps where latents vary in time. descriptors `(n, descriptors)`: of
    `audio.describe`, on their scales; NaN where not defined or not measured. paths: files, where they are known. cepstra `(n, 40)`: of
    `cepstra.cepstrum`, of the baseline; None if not asked for.
    """

    names: tuple[str, ...]
    categories: tuple[str | None, ...]
    embeddings: Tensor
    latents: Tensor
    descriptors: Tensor
    paths: tuple[Path | None, ...]
    cepstra: Tensor | None = None

    def __len__(self) -> int:
        return len(self.names)

    def only(self, rows: Sequence[int]) -> SoundSet:
        """Returns the sounds `rows`, in that order."""
        index = torch.tensor(list(rows), dtype=torch.int64)
        return SoundSet(
            tuple(self.names[row] for row in rows),
            tuple(self.categories[row] for row in rows),
            self.embeddings[index],
            self.latents[index],
            self.descriptors[index],
            tuple(self.paths[row] for row in rows),
            None if self.cepstra is None else self.cepstra[index],
        )

    def with_paths(self, paths: Sequence[Path | None]) -> SoundSet:
        """Returns the set with other paths."""
        return replace(self, paths=tuple(paths))


def has_names(contents: InstrumentContents) -> bool:
    """Whether an instrument keeps its training sounds."""
    return contents.clips is not None and len(contents.clips.names) > 0


def training_sounds(contents: InstrumentContents) -> SoundSet:
    """Returns the training sounds of an instrument. Raises ConfigError for a stripped one.

    In files of earlier versions, which hold no descriptors, length, decay and brightness are taken from the embeddings.
    """
    if contents.clips is None or not len(contents.clips.names):
        raise ConfigError(NO_NAMES)
    clips = contents.clips
    stored = clips.descriptors
    descriptors = descriptors_of_embeddings(clips.embeddings) if stored is None else stored.float()
    none: tuple[Path | None, ...] = (None,) * len(clips.names)
    return SoundSet(clips.names, clips.categories, clips.embeddings.float(), comparable(contents, clips.latents), descriptors, none)


def comparable(contents: InstrumentContents, latents: Tensor) -> Tensor:
    """Returns latents `(n, dims)` as distances use them: without known conditions, long ones along the principal axes of the corpus."""
    model = contents.model
    if not model.time_varying and contents.space.axes is not None:
        return contents.space.coordinates(latents).float()
    return latents[:, : model.inferred_dims].float()


def descriptors_of_embeddings(embeddings: Tensor) -> Tensor:
    """Returns the descriptors `(n, descriptors)` that embeddings `(n, 68)` hold: length, decay, brightness; the others are NaN."""
    out = torch.full((len(embeddings), len(NAMES)), torch.nan)
    for name, column, shift in (("length", 64, 0.0), ("decay", 65, 0.0), ("brightness", 66, 10.0)):
        out[:, NAMES.index(name)] = embeddings[:, column] + shift
    return out
