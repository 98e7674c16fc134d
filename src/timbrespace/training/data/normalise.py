"""Fitting a normalised representation to the sounds that a model will learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from timbrespace.audio.trim import shorten
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.model.base import Model
from timbrespace.representation.base import Representation
from timbrespace.representation.normalisation import Normalised


def fit_normalisation(
    representation: Representation, corpus: Corpus, model: Model | None = None, *, clips: Sequence[int] | None = None
) -> Representation:
    """Fits a normalised representation in place to the training clips, one in memory at a time, and returns it; others stay as they are.

    model: whose longest clip and `prepare_audio` the clips are cut and prepared by; None: clips as they are. clips: the clips that
    count, by default those of the training split.

    The same corpus gives the same statistics. Raises ConfigError when sample rate or channels of the two differ.
    """
    if not isinstance(representation, Normalised):
        return representation
    here, there = (representation.sample_rate, representation.channels), (corpus.sample_rate, corpus.channels)
    if here != there:
        raise ConfigError(
            f"the representation is for {here[0]} Hz and {here[1]} channels, the corpus has {there[0]} Hz and {there[1]}; build it anew"
        )

    def sounds() -> Iterator[Tensor]:
        for index in corpus.indices("train") if clips is None else clips:
            audio = corpus.audio(index)
            if model is not None:
                audio = model.prepare_audio(torch.from_numpy(shorten(audio.numpy(), model.spec.samples, corpus.sample_rate)))
            yield audio

    representation.fit(sounds())
    return representation
