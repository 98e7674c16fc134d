"""The encoded sounds that a model learns from: every training clip and its variations, as images on disk in half precision."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from timbrespace.atomic import disk_error, write_json
from timbrespace.audio.trim import shorten
from timbrespace.corpus.augment.audio import vary_audio
from timbrespace.corpus.augment.draw import Variation, draw_variation
from timbrespace.corpus.augment.settings import Augmentation
from timbrespace.corpus.labels.descriptors import measured
from timbrespace.model.base import Model
from timbrespace.parallel import Pool
from timbrespace.representation.base import Representation

_AT_ONCE = 2**24  # values read at once, at most
_CHUNK = 64  # rows between notes of progress: what a kill can lose


class Clips(Protocol):
    """What sounds are taken from: a corpus, or what stands in its place."""

    sample_rate: int

    def audio(self, index: int) -> Tensor:
        """`(channels, time)`."""


class Encoder:
    """Encodes clips of a corpus, or their variations, as the model's images, flat `(cells,)`.

    Row = copy * clips + clip, copy 0 is the clip itself. Row r depends on `seed`, `augmentation` and r
    alone, so that any row can be made again in any order.
    pitches: of the clips as MIDI numbers `(clips,)`, NaN where unknown; for a model with notes. facts: of the clips,
    `(clips, conditions)`, for a `conditional` one; pitch_fact: which of them is a pitch; figures: which are measured from a sound,
    and how they are named.
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
        self._heard: dict[int, list[float]] = {}  # figures of variations, by row

    def variation(self, row: int) -> Variation:
        """What is done to the clip of a row; nothing in copy 0. Its `partner` is a position in `clips`."""
        if row < len(self.clips):
            return Variation()
        return draw_variation(np.random.default_rng([self.seed, row]), clips=len(self.clips), settings=self.augmentation)

    def audio(self, row: int) -> Tensor:
        """`(channels, time)`, time at most `samples`; longer sounds are cut with a short fade."""
        return torch.from_numpy(shorten(self._varied(row).numpy(), self.samples, self.corpus.sample_rate))

    def _varied(self, row: int) -> Tensor:
        clip = row % len(self.clips)
        audio = self.corpus.audio(self.clips[clip])
        if row >= len(self.clips):
            variation = self.variation(row)
            partner = None if variation.partner is None else self.corpus.audio(self.clips[variation.partner]).T.numpy()
            audio = torch.from_numpy(vary_audio(audio.T.numpy(), variation, sample_rate=self.corpus.sample_rate, partner=partner).T.copy())
            if self.figures and row not in self._heard:  # while it is at hand
                heard = (measured(name, audio, self.corpus.sample_rate) for name in self.figures.values())
                self._heard[row] = [math.nan if figure is None else figure for figure in heard]
        return audio

    def pitch(self, row: int) -> float:
        """MIDI number of the clip of a row, after what its variation does to it; NaN where unknown."""
        variation = self.variation(row)
        clip = math.nan if self.pitches is None else float(self.pitches[row % len(self.clips)])
        return clip + variation.semitones + variation.transpose

    def row_pitches(self, rows: int) -> Tensor | None:
        """Those of the first `rows` rows `(rows,)`; None where no pitches are known."""
        return None if self.pitches is None else torch.tensor([self.pitch(row) for row in range(rows)])

    def row_facts(self, rows: int) -> Tensor | None:
        """Facts of the first `rows` rows `(rows, conditions)`: labels as those of their clips, a pitch as shifted, figures as measured."""
        if self.facts is None:
            return None
        self._hear(rows)
        facts = self.facts[torch.arange(rows) % len(self.clips)].clone()
        if self.pitch_fact is not None:
            facts[:, self.pitch_fact] += torch.tensor([shift.semitones + shift.transpose for shift in map(self.variation, range(rows))])
        for place, column in enumerate(self.figures):
            for row in range(len(self.clips), rows):
                facts[row, column] = self._heard[row][place]
        return facts

    def keep_figures(self, folder: Path, rows: int) -> None:
        """Stores the figures of the first `rows` rows in `folder`, or takes those that are stored there for the same rows."""
        if not self.figures:
            return
        path, names = folder / "figures.json", list(self.figures.values())
        usable: dict[int, list[float]] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError, KeyError):  # nothing usable: they are measured
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["names"] == names:
                rows_told = stored["rows"].items()
                usable = {int(row): [math.nan if figure is None else float(figure) for figure in told] for row, told in rows_told}
        self._heard |= usable
        self._hear(rows)
        if len(usable) < len(self._heard):
            told = {str(row): [None if math.isnan(figure) else figure for figure in heard] for row, heard in self._heard.items()}
            write_json(path, {"names": names, "rows": told}, force=True)

    def _hear(self, rows: int) -> None:
        missing = [row for row in range(len(self.clips), rows) if self.figures and row not in self._heard]
        if missing:
            with Pool() as pool:
                list(pool.map(self._varied, missing))

    def image(self, row: int) -> tuple[Tensor, int]:
        """Image `(cells,)` float32 and true length in samples."""
        audio = self.audio(row)
        length = audio.shape[-1]
        with torch.no_grad():
            features = self.representation.encode(self.model.prepare_audio(audio, self.samples)[None])
            return self.model.prepare_features(features, torch.tensor([self.pitch(row)]))[0].flatten(), length

    def images(self, rows: list[int], pool: Pool) -> tuple[Tensor, Tensor]:
        """Images `(rows, cells)` and lengths `(rows,)`."""
        made = list(pool.map(self.image, rows))
        return torch.stack([image for image, _ in made]), torch.tensor([length for _, length in made])


class Rows(Protocol):
    """What a store is filled from."""

    def images(self, rows: list[int], pool: Pool) -> tuple[Tensor, Tensor]:
        """Images `(rows, cells)` and lengths `(rows,)`."""


class ImageStore:
    """Half-precision images `(rows, cells)` and lengths `(rows,)` in a folder, filled in order; filling goes on where it stopped."""

    def __init__(self, folder: Path, *, rows: int, cells: int):
        self.rows, self.cells = rows, cells
        self._note = folder / "images.json"
        self._images_path = folder / "images.f16"
        if not self._images_path.exists() or self._images_path.stat().st_size != rows * cells * 2:
            self._note.unlink(missing_ok=True)
            with _writing(self._images_path, "wb") as file:
                file.truncate(rows * cells * 2)
        self.lengths = torch.zeros(rows, dtype=torch.int64)
        self.done = self._read_note()
        self._mapped: np.memmap | None = None

    def fill(self, encoder: Rows, *, workers: int, progress: Callable[[int, int], None]) -> None:
        """Encodes what is still missing. progress: called with rows done and rows in all."""
        # Written as a plain file: through a memory map a full disk would end the process with a signal instead of an error.
        with Pool(workers) as pool, _writing(self._images_path, "r+b") as file:
            file.seek(self.done * self.cells * 2)
            while self.done < self.rows:
                chunk = list(range(self.done, min(self.done + _CHUNK, self.rows)))
                images, lengths = encoder.images(chunk, pool)
                file.write(images.numpy().astype("<f2").tobytes())
                self.lengths[chunk[0] : chunk[-1] + 1] = lengths
                self.done = chunk[-1] + 1
                if self.done % (8 * _CHUNK) == 0 or self.done == self.rows:
                    file.flush()
                    write_json(self._note, {"done": self.done, "lengths": self.lengths[: self.done].tolist()}, force=True)
                progress(self.done, self.rows)

    def batches(self) -> Iterator[Tensor]:
        """All images in order as float32 `(some, cells)`: 512 at once, large ones fewer."""
        size = max(1, min(512, _AT_ONCE // self.cells))
        for start in range(0, self.rows, size):
            count = min(size, self.rows - start) * self.cells
            images = np.fromfile(self._images_path, "<f2", count, offset=start * self.cells * 2)
            yield torch.from_numpy(images.astype(np.float32).reshape(-1, self.cells))

    def take(self, rows: Tensor) -> Tensor:
        """The images of `rows (n,)` as float32 `(n, cells)`."""
        if self._mapped is None:
            self._mapped = np.memmap(self._images_path, "<f2", "r", shape=(self.rows, self.cells))
        return torch.from_numpy(self._mapped[rows.numpy()].astype(np.float32))

    def close(self) -> None:
        """Lets the file go, so that its folder can be removed everywhere."""
        self._mapped = None

    def _read_note(self) -> int:
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            done = max(0, min(int(note["done"]), self.rows))
            self.lengths[:done] = torch.tensor(note["lengths"][:done], dtype=torch.int64)
            return done
        except (OSError, ValueError, KeyError, TypeError, RuntimeError):
            return 0  # nothing usable: encoding begins at the first row


def kept_images(folder: Path, encoder: Encoder, *, rows: int, fingerprint: str) -> Path:
    """The folder below `folder` for the images of these very sounds, made so; images of others below it are removed.

    fingerprint: of the corpus.
    """
    probe, _ = encoder.image(0)
    what = [fingerprint, encoder.clips, encoder.samples, encoder.seed, encoder.augmentation.model_dump(mode="json"), rows]
    digest = hashlib.sha256(json.dumps(what).encode() + probe.numpy().tobytes()).hexdigest()[:16]
    place = folder / digest
    try:
        place.mkdir(parents=True, exist_ok=True)
        for other in folder.iterdir():
            if other != place and len(other.name) == len(digest):
                shutil.rmtree(other, ignore_errors=True)
    except OSError as error:
        raise disk_error(error, place) from error
    return place


@contextmanager
def _writing(path: Path, mode: str) -> Iterator[BinaryIO]:
    try:
        with path.open(mode) as file:
            yield cast(BinaryIO, file)
    except OSError as error:
        raise disk_error(error, path) from error


def seconds_per_row(encoder: Encoder, *, workers: int, tries: int = 48) -> float:
    """Measured seconds to encode one row with `workers` workers; a look at variations spread over the corpus."""
    rows = len(encoder.clips)
    chosen = [rows + int(k * rows / tries) for k in range(tries)]
    with Pool(workers) as pool:
        encoder.images(chosen[:4], pool)  # the first calls pay for set-up
        start = time.perf_counter()
        encoder.images(chosen, pool)
        return (time.perf_counter() - start) / tries
