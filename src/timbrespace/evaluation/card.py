"""The card: the honest figures of an instrument, measured on sounds it was not trained on and stored inside it."""

from __future__ import annotations

import copy
import time
from typing import Any

import torch
from torch import Tensor

from timbrespace import __version__
from timbrespace.audio.distance import embedding
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.distribution import nearest
from timbrespace.evaluation.reconstruction import reconstruction_table, silent_copies
from timbrespace.model.codec.linear import LinearCodecVAE
from timbrespace.parallel import Pool
from timbrespace.synthesis.instrument import Instrument

_SOUNDS = 32  # measured for the card; benchmarks measure all
_SPLITS_IN_ORDER = ("test", "validation", "train")


def make_card(instrument: Instrument, corpus: Corpus, *, training: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """Measures an instrument on its corpus. `training`: the part about how it was trained, kept as it is.

    Reconstruction is measured WAV to WAV on the test split, or the next best there is, and says on which. Its rows: the
    instrument, its linear path alone (where it has one), the true features through the same way back, the nearest training sound, silence.
    """
    split, clips = _held_out(corpus)
    originals = [audio for i in clips if (audio := corpus.audio(i)[:, : instrument.contents.samples]).any()]  # toys have silent settings
    rows = {"instrument": copies(instrument, originals)}
    if isinstance(instrument.model, LinearCodecVAE):
        rows["linear path alone"] = copies(linear_path(instrument), originals)
    rows |= {
        "true features": true_features(instrument, originals),
        "nearest training sound": _nearest_training(instrument, corpus, originals),
        "silence": silent_copies(originals),
    }
    table = reconstruction_table(rows, originals, sample_rate=corpus.sample_rate)
    start = time.perf_counter()
    sounds = instrument.generate(_SOUNDS, seed=seed)
    took = time.perf_counter() - start
    novelty = sorted(sound.novelty for sound in sounds if sound.novelty is not None)
    return {
        "made_with": f"timbrespace {__version__}, torch {torch.__version__}",
        "corpus": {
            "clips": len(corpus),
            "minutes": round(sum(clip.seconds for clip in corpus.clips) / 60, 2),
            "categories": corpus.head["categories"],
            "splits": corpus.head["splits"],
            "skipped": corpus.head["skipped"],
            "fingerprint": corpus.fingerprint,
        },
        "training": training,
        "reconstruction": {
            "on": split,
            "sounds": len(originals),
            "rows": {name: {key: _rounded(figure["mean"]) for key, figure in row.items()} for name, row in table.items()},
        },
        "new_sounds": {
            "sounds": len(sounds),
            "novelty_median": novelty[len(novelty) // 2] if novelty else None,
            "copies": sum(sound.is_copy for sound in sounds),
            "seconds_each": round(took / len(sounds), 4),
            "times_real_time": round(sum(sound.seconds for sound in sounds) / took, 1),
        },
        "expect": expectation(len(corpus)),
    }


def expectation(clips: int) -> str:
    """What a corpus of this size is good for, in a sentence."""
    if clips < 20:
        return f"{clips} sounds are very few: expect blends and close relatives of them; 50 or more give real variety"
    if clips < 50:
        return f"{clips} sounds are few: expect new sounds near the ones you gave; 50 or more give real variety"
    if clips < 300:
        return f"{clips} sounds: good variety within the family; rare kinds stay close to their few examples"
    return f"{clips} sounds: wide variety; kinds with fewer than about 20 examples stay close to those"


def copies(instrument: Instrument, originals: list[Tensor]) -> list[Tensor]:
    """Every sound `(channels, time)` through the instrument and back."""
    with Pool() as pool:
        return list(pool.map(instrument.reconstruct, originals))


def true_features(instrument: Instrument, originals: list[Tensor]) -> list[Tensor]:
    """Every sound through the representation and back, no model between: the least error any model can have."""

    def one(audio: Tensor) -> Tensor:
        return instrument.representation.decode(instrument.representation.encode(audio[None]), length=audio.shape[-1])[0]

    with Pool() as pool:
        return list(pool.map(one, originals))


def linear_path(instrument: Instrument) -> Instrument:
    """The same instrument with its networks silenced: principal components of the augmented corpus, as many as latent dimensions.

    Latents of given sounds are searched for as the instrument's own are.
    """
    model = copy.deepcopy(instrument.model)
    if isinstance(model, LinearCodecVAE):
        for network in (model.encoder, model.decoder):
            torch.nn.init.zeros_(network.last.weight)
            torch.nn.init.zeros_(network.last.bias)
    return Instrument(type(instrument.contents)(**{**vars(instrument.contents), "model": model}))


def _nearest_training(instrument: Instrument, corpus: Corpus, originals: list[Tensor]) -> list[Tensor]:
    """The control row, with the embeddings that the instrument keeps."""
    clips = instrument.contents.clips
    if clips is None:
        raise ValueError("a card is made before the instrument is stripped")
    index, _ = nearest(embedding(originals, sample_rate=corpus.sample_rate), clips.embeddings)
    training = corpus.indices("train")
    return [corpus.audio(training[int(i)]) for i in index]


def _held_out(corpus: Corpus) -> tuple[str, list[int]]:
    for split in _SPLITS_IN_ORDER:
        clips = corpus.indices(split)
        if clips:
            spread = [clips[int(k * len(clips) / _SOUNDS)] for k in range(_SOUNDS)] if len(clips) > _SOUNDS else clips
            return split, spread
    return "train", []


def _rounded(value: float) -> float | None:
    return None if value != value else round(value, 3)
