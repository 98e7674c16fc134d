"""The card: metrics of an instrument, measured on sounds that it was not trained on, and stored inside it."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from timbrespace import __version__
from timbrespace.audio.embedding import embedding
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepared.weights import counted_clips, long_files, weights_of
from timbrespace.evaluation.distribution import nearest
from timbrespace.evaluation.reconstruction import reconstruction_table
from timbrespace.evaluation.rows import linear_path, reconstructions, silence, true_features
from timbrespace.instrument import Instrument
from timbrespace.synthesis.novelty import NO_UNIT, clip_embeddings, count_different, repeats_of

_SOUNDS = 32  # that the card measures; benchmarks measure all
_SPLITS_IN_ORDER = ("test", "validation", "train")


def make_card(
    instrument: Instrument, corpus: Corpus, *, training: dict[str, Any], seed: int = 0, file_limit: float | None = None
) -> dict[str, Any]:
    """Returns the card of an instrument, measured on its corpus. training: the part about its training, stored as it is.

    file_limit: of the weights of clips, see `corpus.prepared.weights`; clips of long files count on the card as they do in training.

    Reconstruction is measured WAV to WAV on the test split, else on validation or training clips, which "on" names. Rows: the
    instrument, its linear path alone (where it has one), true features (no model), the nearest training sound, silence.
    """
    files, weights = [clip.file for clip in corpus.clips], weights_of(corpus.clips, limit=file_limit)
    split, clips = _held_out(corpus, files, weights)
    originals = [audio for i in clips if (audio := corpus.audio(i)[:, : instrument.contents.samples]).any()]  # toys have silent ones
    rows = {"instrument": reconstructions(instrument, originals)}
    linear = linear_path(instrument)
    if linear is not None:
        rows["linear path alone"] = reconstructions(linear, originals)
    rows |= {
        "true features": true_features(instrument, originals),
        "nearest training sound": _nearest_training(instrument, corpus, originals),
        "silence": silence(originals),
    }
    table = reconstruction_table(rows, originals, sample_rate=corpus.sample_rate)
    sounds_in_all = round(sum(weights))
    different = min(_count_different(instrument, corpus), sounds_in_all)
    start = time.perf_counter()
    sounds = instrument.generate(_SOUNDS, seed=seed)
    seconds = time.perf_counter() - start
    repeats = _repeats(instrument, corpus, originals) if split != "train" else 0
    novelty = sorted(sound.novelty for sound in sounds if sound.novelty is not None)
    return {
        "made_with": f"timbrespace {__version__}, torch {torch.__version__}",
        "corpus": {
            "clips": len(corpus),
            "minutes": round(sum(clip.seconds for clip in corpus.clips) / 60, 2),
            "categories": corpus.head["categories"],
            "splits": corpus.head["splits"],
            "skipped": corpus.head["skipped"],
            **_long_files(files, weights),
            **({"continued": _without_places(corpus.head["continued"])} if "continued" in corpus.head else {}),
            "fingerprint": corpus.fingerprint,
        },
        "training": training,
        "reconstruction": {
            "on": split,
            "sounds": len(originals),
            **({"repeats": repeats} if repeats else {}),
            "rows": {name: {key: _rounded(value["mean"]) for key, value in row.items()} for name, row in table.items()},
        },
        "new_sounds": {
            "sounds": len(sounds),
            "novelty_median": novelty[len(novelty) // 2] if novelty else None,
            **({} if novelty else {"novelty_reason": NO_UNIT}),
            "copies": sum(sound.is_copy for sound in sounds),
            "seconds_each": round(seconds / len(sounds), 4),
            "times_real_time": round(sum(sound.seconds for sound in sounds) / seconds, 1),
        },
        "expect": expectation(sounds_in_all, different=different),
    }


def expectation(clips: int, *, different: int | None = None) -> str:
    """Returns one sentence about what a corpus of `clips` sounds allows. different: how many of them repeat no other; default: all."""
    if different is not None and different < clips:
        return f"{different} different sounds among {clips}; {expectation(different)}"
    if clips < 20:
        return f"{clips} sounds are very few: expect blends and close relatives of them; 50 or more give real variety"
    if clips < 50:
        return f"{clips} sounds are few: expect new sounds near the ones you gave; 50 or more give real variety"
    if clips < 300:
        return f"{clips} sounds: good variety within the family; rare kinds stay close to their few examples"
    return f"{clips} sounds: wide variety; kinds with fewer than about 20 examples stay close to those"


def _nearest_training(instrument: Instrument, corpus: Corpus, originals: list[Tensor]) -> list[Tensor]:
    """The nearest training sound of every original, by the embeddings that the instrument stores."""
    clips = instrument.contents.clips
    if clips is None:
        raise ValueError("a card is made before the instrument is stripped")
    index, _ = nearest(embedding(originals, sample_rate=corpus.sample_rate), clips.embeddings)
    training = corpus.indices("train")
    return [corpus.audio(training[int(i)]) for i in index]


def _repeats(instrument: Instrument, corpus: Corpus, originals: list[Tensor]) -> int:
    """How many of the originals repeat a training sound."""
    clips = instrument.contents.clips
    return 0 if clips is None else repeats_of(_rounded_embedding(originals, corpus), clips.embeddings)


def _count_different(instrument: Instrument, corpus: Corpus) -> int:
    """How many sounds of the corpus differ from each other."""
    clips = instrument.contents.clips
    held_out = corpus.indices("validation") + corpus.indices("test")
    parts = [] if clips is None else [clips.embeddings]
    return count_different(torch.cat([*parts, clip_embeddings(corpus, held_out, samples=instrument.contents.samples)]))


def _rounded_embedding(audio: list[Tensor], corpus: Corpus) -> Tensor:
    """Embeddings, rounded to half precision like those of the training sounds."""
    return embedding(audio, sample_rate=corpus.sample_rate).half().float()


def _without_places(continued: dict[str, Any]) -> dict[str, Any]:
    """Where the sounds of a continued training came from, without names of folders, which a shared file must not hold."""
    return {name: value for name, value in continued.items() if name != "places"}


def _long_files(files: list[str], weights: list[float]) -> dict[str, Any]:
    """What the card says about long files, without their names; empty if there are none."""
    found = long_files(files, weights)
    if found is None:
        return {}
    return {"long_files": {"files": found.files, "clips": found.clips, "count_as": round(found.counted, 1), "largest": found.largest[1]}}


def _held_out(corpus: Corpus, files: list[str], weights: list[float]) -> tuple[str, list[int]]:
    """The first split that has clips, and at most 32 of them, evenly spaced."""
    for split in _SPLITS_IN_ORDER:
        clips = counted_clips(corpus.indices(split), files, weights)
        if clips:
            spread = [clips[int(k * len(clips) / _SOUNDS)] for k in range(_SOUNDS)] if len(clips) > _SOUNDS else clips
            return split, spread
    return "train", []


def _rounded(value: float) -> float | None:
    return None if value != value else round(value, 3)
