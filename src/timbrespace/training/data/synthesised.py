"""Synthesised sounds that training adds to the clips of a corpus, because a few clips cover little of what sounds can be.

Only the codec and the networks learn from them. Latents, density, map and novelty use the corpus alone, so new sounds stay in its family.
"""

from __future__ import annotations

from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset

from timbrespace.corpus.synthetic.variety import variety_clip
from timbrespace.training.data.clip_dataset import ClipDataset, Item

COPIES = 8  # examples of each synthesised sound: itself and seven variations
_SEED = 715_517  # differs from any seed a user is likely to choose, so no held-out synthetic clip is among these sounds


class SynthesisedClips:
    """Sounds of synthetic:variety with the interface of a corpus; each is rendered on first use and cached."""

    def __init__(self, *, sample_rate: int, channels: int):
        self.sample_rate, self.channels = sample_rate, channels
        self._cache: dict[int, Tensor] = {}

    def audio(self, index: int) -> Tensor:
        """Audio of sound `index`, `(channels, time)`; safe to call from several threads."""
        audio = self._cache.get(index)
        if audio is None:
            audio = self._cache[index] = variety_clip(index, seed=_SEED, sample_rate=self.sample_rate).audio
        return audio.expand(self.channels, -1)


def synthesised_dataset(clips: ClipDataset, *, count: int, channels: int) -> ClipDataset:
    """`count` synthesised sounds and their variations, encoded like `clips`."""
    sounds = SynthesisedClips(sample_rate=clips.corpus.sample_rate, channels=channels)
    return ClipDataset(
        sounds,
        list(range(count)),
        clips.representation,
        clips.model,
        samples=clips.samples,
        seed=clips.seed,
        augmentation=clips.augmentation,
    )


def concatenated(clips: ClipDataset, rows: int, synthesised: ClipDataset) -> Dataset[Item]:
    """The first `rows` rows of `clips`, then every row of the synthesised sounds, `COPIES` each."""
    return ConcatDataset([Subset(clips, range(rows)), Subset(synthesised, range(len(synthesised.clips) * COPIES))])
