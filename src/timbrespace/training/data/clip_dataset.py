"""Examples, which are clips and their variations, as a PyTorch dataset: row number -> encoded features and length."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from timbrespace.atomic import write_json
from timbrespace.audio.trim import shorten
from timbrespace.corpus.augment.audio import vary_audio
from timbrespace.corpus.augment.draw import Variation, draw_variation
from timbrespace.corpus.augment.settings import Augmentation
from timbrespace.corpus.labels.descriptors import measure_descriptor
from timbrespace.model.base import Model
from timbrespace.parallel import Pool
from timbrespace.representation.base import Representation

Item = tuple[Tensor, int]  # prepared features `(cells,)` float32, true length in samples


class Clips(Protocol):
    """A source of clips by index: a corpus, or synthesised sounds."""

    sample_rate: int

    def audio(self, index: int) -> Tensor:
        """Audio of clip `index`, `(channels, time)`."""


class ClipDataset(Dataset[Item]):
    """Clips and their variations, encoded by a representation and prepared for a model.

    A row is the number of an example: copy * clips + clip; copy 0 is the clip itself. Row r depends on `seed`, `augmentation` and r
    alone, so any row can be encoded again, in any order. There is no last row: take a `Subset` with as many rows as are wanted.

    clips: indices in `corpus`. samples: longer clips are cut to this length.
    conditions: of the clips `(clips, conditions)`, see `Conditioning.of_clips`; None: the model uses none.
    """

    def __init__(
        self,
        corpus: Clips,
        clips: list[int],
        representation: Representation,
        model: Model,
        *,
        samples: int,
        seed: int,
        augmentation: Augmentation | None = None,
        conditions: Tensor | None = None,
    ):
        self.corpus, self.clips, self.representation, self.model = corpus, clips, representation, model
        self.samples, self.seed, self.augmentation = samples, seed, augmentation or Augmentation()
        self.conditions, self.measured_columns = conditions, model.conditioning.measured if conditions is not None else {}
        self._measured: dict[int, list[float]] = {}  # row -> measured conditions of its variation

    def __getitem__(self, row: int) -> Item:
        """Prepared features `(cells,)` float32 of a row, and its true length in samples."""
        audio = self.audio(row)
        length = audio.shape[-1]
        with torch.no_grad():
            features = self.representation.encode(self.model.prepare_audio(audio)[None])
            return self.model.prepare_features(features, self._shifted([row]))[0].flatten(), length

    def variation(self, row: int) -> Variation:
        """The variation of a row, without any change for copy 0. Its `partner` is a position in `clips`."""
        if row < len(self.clips):
            return Variation()
        return draw_variation(np.random.default_rng([self.seed, row]), clips=len(self.clips), settings=self.augmentation)

    def audio(self, row: int) -> Tensor:
        """Audio of a row `(channels, time)`, time at most `samples`; longer audio is cut with a short fade."""
        return torch.from_numpy(shorten(self._varied(row).numpy(), self.samples, self.corpus.sample_rate))

    def _varied(self, row: int) -> Tensor:
        """Audio of a row `(channels, time)` before it is cut; measures its conditions while the audio is at hand."""
        clip = row % len(self.clips)
        audio = self.corpus.audio(self.clips[clip])
        if row >= len(self.clips):
            variation = self.variation(row)
            partner = None if variation.partner is None else self.corpus.audio(self.clips[variation.partner]).T.numpy()
            audio = torch.from_numpy(vary_audio(audio.T.numpy(), variation, sample_rate=self.corpus.sample_rate, partner=partner).T.copy())
            if self.measured_columns and row not in self._measured:
                values = (measure_descriptor(name, audio, self.corpus.sample_rate) for name in self.measured_columns.values())
                self._measured[row] = [math.nan if value is None else value for value in values]
        return audio

    def row_conditions(self, rows: int) -> Tensor | None:
        """Conditions of the first `rows` rows `(rows, conditions)`: labels of their clips, shifted pitches, measured numbers."""
        self._measure(rows)
        conditions = self._shifted(range(rows))
        if conditions is not None:
            for place, column in enumerate(self.measured_columns):
                for row in range(len(self.clips), rows):
                    conditions[row, column] = self._measured[row][place]
        return conditions

    def _shifted(self, rows: Sequence[int]) -> Tensor | None:
        """Conditions of rows `(rows, conditions)`, those of their clips but for shifted pitches; None without conditions."""
        if self.conditions is None:
            return None
        shifts = [(variation.semitones, variation.transpose) for variation in map(self.variation, rows)]
        return self.model.conditioning.shifted(self.conditions[torch.tensor(rows) % len(self.clips)], shifts)

    def keep_measured(self, folder: Path, rows: int) -> None:
        """Stores the measured conditions of the first `rows` rows in `folder`; reads those stored there for the same rows."""
        if not self.measured_columns:
            return
        path, names = folder / "conditions.json", list(self.measured_columns.values())
        usable: dict[int, list[float]] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError, KeyError):  # no usable file: they are measured
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["names"] == names:
                items = stored["rows"].items()
                usable = {int(row): [math.nan if value is None else float(value) for value in values] for row, values in items}
        self._measured |= usable
        self._measure(rows)
        if len(usable) < len(self._measured):
            content = {str(row): [None if math.isnan(value) else value for value in values] for row, values in self._measured.items()}
            write_json(path, {"names": names, "rows": content}, force=True)

    def _measure(self, rows: int) -> None:
        """Measures the conditions of the variations among the first `rows` rows, where they are missing."""
        missing = [row for row in range(len(self.clips), rows) if self.measured_columns and row not in self._measured]
        if missing:
            with Pool() as pool:
                list(pool.map(self._varied, missing))


def encode_rows(dataset: Dataset[Item], rows: list[int], pool: Pool) -> tuple[Tensor, Tensor]:
    """Prepared features `(rows, cells)` and lengths `(rows,)` in samples, one row a worker of the pool."""
    items = list(pool.map(dataset.__getitem__, rows))
    return torch.stack([features for features, _ in items]), torch.tensor([length for _, length in items])
