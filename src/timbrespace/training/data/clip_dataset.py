"""Training clips and their augmented variations as a PyTorch dataset: row number -> encoded features and length."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
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

    Row = copy * clips + clip; copy 0 is the clip itself. Row r depends on `seed`, `augmentation` and r alone, so any row can be
    encoded again, in any order. There is no last row: take a `Subset` with as many rows as are wanted.

    clips: indices in `corpus`. samples: longer clips are cut to this length.
    pitches: of the clips as MIDI numbers `(clips,)`, NaN if unknown; for models with a pitch axis. facts: conditions of the clips
    `(clips, conditions)`; pitch_fact: the column that is a pitch; figures: column -> name of the conditions measured from audio.
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
        pitches: Tensor | None = None,
        facts: Tensor | None = None,
        pitch_fact: int | None = None,
        figures: Mapping[int, str] | None = None,
    ):
        self.corpus, self.clips, self.representation, self.model = corpus, clips, representation, model
        self.samples, self.seed, self.augmentation, self.pitches = samples, seed, augmentation or Augmentation(), pitches
        self.facts, self.pitch_fact, self.figures = facts, pitch_fact, dict(figures or {})
        self._measured: dict[int, list[float]] = {}  # row -> measured conditions of its variation

    def __getitem__(self, row: int) -> Item:
        """Prepared features `(cells,)` float32 of a row, and its true length in samples."""
        audio = self.audio(row)
        length = audio.shape[-1]
        with torch.no_grad():
            features = self.representation.encode(self.model.prepare_audio(audio, self.samples)[None])
            return self.model.prepare_features(features, torch.tensor([self.pitch(row)]))[0].flatten(), length

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
            if self.figures and row not in self._measured:
                values = (measure_descriptor(name, audio, self.corpus.sample_rate) for name in self.figures.values())
                self._measured[row] = [math.nan if value is None else value for value in values]
        return audio

    def pitch(self, row: int) -> float:
        """MIDI number of a row: its clip's, shifted by its variation; NaN if unknown."""
        variation = self.variation(row)
        clip = math.nan if self.pitches is None else float(self.pitches[row % len(self.clips)])
        return clip + variation.semitones + variation.transpose

    def row_pitches(self, rows: int) -> Tensor | None:
        """Pitches of the first `rows` rows `(rows,)`; None if no pitches are known."""
        return None if self.pitches is None else torch.tensor([self.pitch(row) for row in range(rows)])

    def row_facts(self, rows: int) -> Tensor | None:
        """Conditions of the first `rows` rows `(rows, conditions)`: labels of their clips, shifted pitches, measured numbers."""
        if self.facts is None:
            return None
        self._measure(rows)
        facts = self.facts[torch.arange(rows) % len(self.clips)].clone()
        if self.pitch_fact is not None:
            facts[:, self.pitch_fact] += torch.tensor([shift.semitones + shift.transpose for shift in map(self.variation, range(rows))])
        for place, column in enumerate(self.figures):
            for row in range(len(self.clips), rows):
                facts[row, column] = self._measured[row][place]
        return facts

    def keep_figures(self, folder: Path, rows: int) -> None:
        """Stores the measured conditions of the first `rows` rows in `folder`; reads those stored there for the same rows."""
        if not self.figures:
            return
        path, names = folder / "figures.json", list(self.figures.values())
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
        missing = [row for row in range(len(self.clips), rows) if self.figures and row not in self._measured]
        if missing:
            with Pool() as pool:
                list(pool.map(self._varied, missing))


def encode_rows(dataset: Dataset[Item], rows: list[int], pool: Pool) -> tuple[Tensor, Tensor]:
    """Prepared features `(rows, cells)` and lengths `(rows,)` in samples, one row a worker of the pool."""
    items = list(pool.map(dataset.__getitem__, rows))
    return torch.stack([features for features, _ in items]), torch.tensor([length for _, length in items])
