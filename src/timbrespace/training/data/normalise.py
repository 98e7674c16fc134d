"""Fitting a normalised representation to the sounds that a model will learn from."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from timbrespace.audio.trim import pad_and_normalise, shorten
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.representation.base import Representation
from timbrespace.representation.normalisation import Normalised


def fit_normalisation(representation: Representation, corpus: Corpus, *, samples: int | None = None, padded: bool = True) -> Representation:
    """Fits in place to the training clips, one in memory at a time; a representation that is not normalised stays as it is.

    samples: cut and padded with silence to so many, as models that take whole sounds see them; as long as they are if None. padded:
    False for models that take sounds of any length: cut, but not padded.

    The same corpus gives the same figures. Raises ConfigError when sample rate or channels of the two differ.
    """
    if not isinstance(representation, Normalised):
        return representation
    here, there = (representation.sample_rate, representation.channels), (corpus.sample_rate, corpus.channels)
    if here != there:
        raise ConfigError(
            f"the representation is for {here[0]} Hz and {here[1]} channels, the corpus has {there[0]} Hz and {there[1]}; build it anew"
        )

    def sounds() -> Iterator[Tensor]:
        for index in corpus.indices("train"):
            audio = corpus.audio(index)
            if samples is not None:
                cut = shorten(audio.numpy(), samples, corpus.sample_rate)
                audio = torch.from_numpy(pad_and_normalise(cut, samples if padded else cut.shape[1]))
            yield audio

    representation.fit(sounds())
    return representation
