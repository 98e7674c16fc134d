"""From a trained model to an instrument: latents, density, map and the card's part on training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from timbrespace.config.schema import Config
from timbrespace.corpus.corpus import Corpus
from timbrespace.latent.space import LatentSpace
from timbrespace.latent.trajectories import Trajectories
from timbrespace.model.base import Model
from timbrespace.representation.base import Representation
from timbrespace.synthesis.file.contents import InstrumentContents, TrainingClips
from timbrespace.synthesis.harmonic.note import fit_notes
from timbrespace.synthesis.instrument import Instrument
from timbrespace.synthesis.map_layout import fit_positions
from timbrespace.synthesis.novelty import clip_embeddings, novelty_unit
from timbrespace.training.data.sounds import Sounds, batches_of
from timbrespace.training.history import History, best_check, overfit_ratio
from timbrespace.training.losses import settled_step
from timbrespace.training.workspace import Plan

_BATCH = 16  # clips encoded as trajectories at a time
_MOST_IN_FULL = 2_048  # latents mapped by all of their numbers


def make_instrument(
    model: Model, corpus: Corpus, config: Config, representation: Representation, *, samples: int, sounds: Sounds, seed: int
) -> Instrument:
    """The instrument of a trained model: with latents, density, map and embeddings of the training clips, the first rows of `sounds`."""
    clips = corpus.indices("train")
    categories = [corpus.clips[i].category for i in clips]
    trajectories = None
    if model.time_varying:
        latent_paths, lengths = _latent_paths(model, sounds, representation, clips=len(clips))
        latents = torch.stack([path.mean(1) for path in latent_paths])
        trajectories, space = Trajectories.fit(latent_paths, lengths, categories, seed=seed)
        mapped = latents
    else:
        latents = _latents(model, sounds, clips=len(clips))
        space = LatentSpace.fit(latents, categories, seed=seed)
        # Many long latents are mapped by their principal axes: a decomposition of the whole matrix would take too much memory.
        mapped = latents if len(clips) <= _MOST_IN_FULL else space.coordinates(latents)
    embeddings = clip_embeddings(corpus, clips, samples=samples)
    held_out_embeddings = clip_embeddings(corpus, corpus.indices("validation") + corpus.indices("test"), samples=samples)
    contents = InstrumentContents(
        representation=representation,
        model=model.requires_grad_(False),
        space=space,
        settings={"representation": config.representation, "model": config.model},
        sample_rate=corpus.sample_rate,
        channels=corpus.channels,
        samples=samples,
        clips=TrainingClips(
            tuple(corpus.clips[i].name for i in clips),
            tuple(categories),
            latents,
            embeddings,
            fit_positions(mapped, seed=seed),
        ),
        novelty_unit=novelty_unit(held_out_embeddings, embeddings),
        trajectories=trajectories,
        notes=None
        if model.time_varying
        else fit_notes(corpus, clips, latents, conditioning=model.conditioning, representation=representation, samples=samples),
    )
    return Instrument(contents)


@torch.no_grad()
def _latents(model: Model, sounds: Sounds, *, clips: int) -> Tensor:
    """Latents `(clips, dims)` of the first `clips` sounds."""
    latents, done = torch.zeros(clips, model.dims), 0
    for batch in batches_of(sounds, clips):
        latents[done : done + len(batch.lengths)] = model.posterior(batch).mean
        done += len(batch.lengths)
    return latents


@torch.no_grad()
def _latent_paths(model: Model, sounds: Sounds, representation: Representation, *, clips: int) -> tuple[list[Tensor], list[int]]:
    """Latents `(dims, steps)` of the first `clips` sounds without padding, and the lengths of these sounds in samples."""
    paths, lengths = [], []
    for rows in torch.arange(clips).split(_BATCH):
        batch = sounds[rows]
        for path, length in zip(model.posterior(batch).mean, batch.lengths.tolist(), strict=True):
            paths.append(path[:, : -(-representation.frames(length) // model.stride)].clone())
            lengths.append(length)
    return paths, lengths


def training_card(
    config: Config, plan: Plan, history: History, *, sounds: Sounds, clip_count: int, device: str, unit: str
) -> dict[str, Any]:  # fmt: skip
    """The card's part on training. clip_count: training clips. unit: of the errors."""
    best = best_check(history, first=settled_step(config.training.kl, steps=plan.steps))
    return {
        "minutes_asked": config.training.minutes,
        "epochs_asked": config.training.epochs,
        "patience": config.training.patience,
        "seed": plan.seed,
        "device": device,
        "threads": plan.threads,
        "clips": clip_count,
        "images": len(sounds),
        "synthesised": plan.synthesised,
        "steps": history.step[-1],
        "steps_planned": plan.steps,
        "stopped_early": history.step[-1] < plan.steps,
        "best_step": history.step[best],
        "unit": unit,
        "train_error": round(history.train[best], 3),
        "validation_error": round(history.validation[best], 3),
        "overfit_ratio": overfit_ratio(history.train[best], history.validation[best]),
        "kl_nats": round(history.kl[best], 2),
        "metrics": {name: round(values[best], 3) for name, values in history.metrics.items()},
        "curve": {name: [round(value, 3) for value in values] for name, values in history.columns().items()},
    }
