"""Synthesised sounds that are learned from beside the corpus: a few clips leave most of what sounds can be unheard.

They teach the codec and the networks only. Latents, density, map and novelty know the corpus alone, so new sounds stay in its family.
"""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.corpus.synthetic.variety import various
from timbrespace.parallel import Pool
from timbrespace.training.data.store import Encoder, Rows

COPIES = 8  # images of each synthesised sound: itself and seven variations
_SEED = 715_517  # no corpus that a user would make, so that nobody's held-out synthetic sounds are among them


class SynthesisedClips:
    """Sounds of synthetic:variety, standing where a corpus does; each is rendered when it is first asked for, and kept."""

    def __init__(self, *, sample_rate: int, channels: int):
        self.sample_rate, self.channels = sample_rate, channels
        self._made: dict[int, Tensor] = {}

    def audio(self, index: int) -> Tensor:
        """`(channels, time)`; several threads may ask."""
        made = self._made.get(index)
        if made is None:
            made = self._made[index] = various(index, seed=_SEED, sample_rate=self.sample_rate).audio
        return made.expand(self.channels, -1)


def synthesised_encoder(own: Encoder, *, count: int, channels: int) -> Encoder:
    """Encodes `count` synthesised sounds and their variations as `own` does the corpus's."""
    clips = SynthesisedClips(sample_rate=own.corpus.sample_rate, channels=channels)
    return Encoder(
        clips, list(range(count)), own.representation, own.model, samples=own.samples, seed=own.seed, augmentation=own.augmentation
    )


class ConcatRows:
    """The rows of one maker of images, `first_rows` of them, and then those of another."""

    def __init__(self, first: Rows, first_rows: int, second: Rows):
        self.first, self.first_rows, self.second = first, first_rows, second

    def images(self, rows: list[int], pool: Pool) -> tuple[Tensor, Tensor]:
        """Images `(rows, cells)` and lengths `(rows,)` in samples; `rows` ascend."""
        own = [row for row in rows if row < self.first_rows]
        other = [row - self.first_rows for row in rows if row >= self.first_rows]
        made = [maker.images(some, pool) for maker, some in ((self.first, own), (self.second, other)) if some]
        return torch.cat([images for images, _ in made]), torch.cat([lengths for _, lengths in made])
