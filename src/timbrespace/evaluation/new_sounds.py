"""New sounds of an instrument against the real sounds of its corpus, and control rows whose latents are not drawn from its density."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio.embedding import embedding
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.artefacts import artefact_metrics
from timbrespace.evaluation.feature_error import features_of
from timbrespace.instrument import Instrument
from timbrespace.parallel import Pool
from timbrespace.synthesis.finish import finish

HELD_OUT = ("test", "validation")  # training reads the validation split only to stop early
_STUTTER_HOP = 1024  # samples between frames, for representations without frames
_SHORTEST_HOP = 64  # samples; shorter frames make no audible blocks


def real_sounds(instrument: Instrument, corpus: Corpus, splits: Sequence[str], *, most: int | None = None) -> list[Tensor]:
    """Returns the clips `(channels, time)` of some splits, cut to the instrument's longest clip, without silent ones.

    most: of them, evenly spaced; None for all.
    """
    indices = [i for split in splits for i in corpus.indices(split)]
    return evenly_spaced([audio for i in indices if (audio := corpus.audio(i)[:, : instrument.contents.samples]).any()], most)


def evenly_spaced(sounds: list[Tensor], most: int | None) -> list[Tensor]:
    """Returns `most` of the sounds, evenly spaced; all of them where there are no more, or `most` is None."""
    return sounds if most is None or len(sounds) <= most else [sounds[k * len(sounds) // most] for k in range(most)]


def reference_points(instrument: Instrument, corpus: Corpus, *, most: int | None = None) -> tuple[Tensor, Tensor]:
    """Returns embeddings `(·, features)` of the held-out and of the training clips, for `distribution.compare`. most: of either."""
    held_out, training = (real_sounds(instrument, corpus, splits, most=most) for splits in (HELD_OUT, ("train",)))
    return embedding(held_out, sample_rate=corpus.sample_rate), embedding(training, sample_rate=corpus.sample_rate)


def compare_artefacts(instrument: Instrument, corpus: Corpus, made: Sequence[Tensor]) -> dict[str, dict[str, float]]:
    """Returns the artefact metrics of new sounds `(channels, time)` and of the held-out clips, see `artefacts.artefact_metrics`."""
    real = real_sounds(instrument, corpus, HELD_OUT)
    return artefact_metrics(made, real, sample_rate=corpus.sample_rate, hop=stutter_hop(instrument))


def stutter_hop(instrument: Instrument) -> int:
    """Returns the samples between two frames of the instrument, for `artefacts.stutter`; 1024 where its frames are too short to hear."""
    view: Any = getattr(instrument.representation, "view", instrument.representation)
    hop = int(view.hop)
    return hop if hop >= _SHORTEST_HOP else _STUTTER_HOP


def prior_latents(instrument: Instrument, count: int, *, seed: int = 1) -> Tensor:
    """Returns latents `(count, dims)` from the unit Gaussian, the usual prior of a VAE."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, instrument.dims)).astype(np.float32))


def midpoint_latents(instrument: Instrument, count: int, *, seed: int = 2) -> Tensor:
    """Returns latents `(count, dims)` half-way between random pairs of training sounds. Raises ValueError for a stripped instrument."""
    if instrument.contents.clips is None:
        raise ValueError("a stripped instrument has no latents of training sounds; use the unstripped file")
    latents, rng = instrument.contents.clips.latents, np.random.default_rng(seed)
    pairs = np.stack([rng.choice(len(latents), 2, replace=False) for _ in range(count)])
    return (latents[pairs[:, 0]] + latents[pairs[:, 1]]) / 2


def render_latents(instrument: Instrument, latents: Iterable[Tensor]) -> list[Tensor]:
    """Returns a finished sound `(channels, time)` of every latent `(dims,)`, decoded without the texture of new sounds."""

    def one(item: tuple[int, Tensor]) -> Tensor:
        return finish(instrument.decode(item[1], seed=item[0]), instrument.sample_rate)

    with Pool() as pool:
        return list(pool.map(one, enumerate(latents)))


def latent_values_per_second(instrument: Instrument, corpus: Corpus) -> float:
    """Returns the latent values for one second of sound; for latents of whole clips: dims over the mean length of a clip."""
    if not instrument.model.time_varying:
        samples = [min(corpus.samples(i), instrument.contents.samples) for i in range(len(corpus))]
        return instrument.dims * corpus.sample_rate / (sum(samples) / len(samples))
    with torch.no_grad():
        features, lengths = features_of(instrument, 0.1 * torch.randn(instrument.channels, instrument.contents.samples))
        steps = instrument.model.encode(features, lengths).mean.shape[2]
    return instrument.dims * steps * instrument.sample_rate / instrument.contents.samples
