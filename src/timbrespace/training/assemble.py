"""From a trained model to an instrument: latents, density, map and the card's part on training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from timbrespace.audio.describe import DESCRIPTORS, describe
from timbrespace.config.schema import Config
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepared.weights import counted_clips, weights_of
from timbrespace.instrument import Instrument
from timbrespace.latent.space import LatentSpace
from timbrespace.latent.trajectories import Trajectories
from timbrespace.model.base import Model
from timbrespace.parallel import Pool
from timbrespace.prompt.learned import fit_name_words
from timbrespace.representation.base import Representation
from timbrespace.space.atlas.positions import fit_positions, interpolate_positions
from timbrespace.space.controls.fit import fit_controls
from timbrespace.synthesis.file.contents import InstrumentContents, TrainingClips
from timbrespace.synthesis.harmonic.note import fit_notes
from timbrespace.synthesis.novelty import clip_embeddings, novelty_unit
from timbrespace.training.data.detail import fit_detail
from timbrespace.training.data.notes import fit_note_levels
from timbrespace.training.data.sounds import Sounds, batches_of
from timbrespace.training.history import History, best_check, overfit_ratio
from timbrespace.training.losses import settled_step
from timbrespace.training.workspace import Plan

_BATCH = 16  # clips encoded as trajectories at a time
_MOST_IN_FULL = 2_048  # latents mapped by all of their numbers


def make_instrument(
    model: Model, corpus: Corpus, config: Config, representation: Representation, *, samples: int, sounds: Sounds, seed: int,
    origin: dict[str, Any] | None = None,
) -> Instrument:  # fmt: skip
    """The instrument of a trained model: with latents, density, map and embeddings of the training clips, the first rows of `sounds`.

    origin: see `corpus.prepared.origin`. Density, map and unit of novelty are those of the clips that count, see `counted_clips`; the map's
    other clips lie between these.
    """
    clips = corpus.indices("train")
    files, weights = [clip.file for clip in corpus.clips], weights_of(corpus.clips, limit=config.training.file_limit)
    counted = set(counted_clips(clips, files, weights))
    rows, all_count = torch.tensor([row for row, clip in enumerate(clips) if clip in counted]), len(counted) == len(clips)
    names, categories = tuple(corpus.clips[i].name for i in clips), [corpus.clips[i].category for i in clips]
    counted_categories = [categories[row] for row in rows.tolist()]
    trajectories = None
    if model.time_varying:
        latent_paths, lengths = _latent_paths(model, sounds, representation, clips=len(clips))
        latents = torch.stack([path.mean(1) for path in latent_paths])
        some_paths, some_lengths = zip(*((latent_paths[row], lengths[row]) for row in rows.tolist()), strict=True)
        trajectories, space = Trajectories.fit(some_paths, some_lengths, counted_categories, seed=seed)
        mapped = latents
    else:
        latents = _latents(model, sounds, clips=len(clips))
        played = model.conditioning.played
        space = LatentSpace.fit(latents if all_count else latents[rows], counted_categories, seed=seed, played=played)
        # Many long latents are mapped by their principal axes: a decomposition of the whole matrix would take too much memory.
        mapped = latents if len(clips) <= _MOST_IN_FULL else space.coordinates(latents)
    positions = fit_positions(mapped if all_count else mapped[rows], seed=seed)
    if not all_count:
        positions = interpolate_positions(mapped, latents=mapped[rows], positions=positions)
    held_out = [i for split in ("validation", "test") for i in counted_clips(corpus.indices(split), files, weights)]
    embeddings = clip_embeddings(corpus, clips, samples=samples)
    held_out_embeddings = clip_embeddings(corpus, held_out, samples=samples)
    descriptors = clip_descriptors(corpus, clips, samples=samples)
    contents = InstrumentContents(
        representation=representation,
        model=model.requires_grad_(False),
        space=space,
        settings={
            "representation": config.representation,
            "model": config.model,
            "training": config.training.model_dump(mode="json"),
        },
        origin=origin,
        sample_rate=corpus.sample_rate,
        channels=corpus.channels,
        samples=samples,
        clips=TrainingClips(names, tuple(categories), latents, embeddings, positions, None if all_count else len(rows), descriptors),
        novelty_unit=novelty_unit(held_out_embeddings, embeddings),
        trajectories=trajectories,
        name_words=fit_name_words(names, categories, latents),
        notes=None
        if model.time_varying
        else fit_notes(corpus, clips, latents, conditioning=model.conditioning, representation=representation, samples=samples),
    )
    detail, notes = fit_detail(contents, corpus, clips, seed=seed), fit_note_levels(contents, corpus, clips, seed=seed)
    contents = replace(contents, detail=detail, notes=notes)
    return Instrument(replace(contents, controls=fit_controls(contents, seed=seed)))


def clip_descriptors(corpus: Corpus, clips: list[int], *, samples: int) -> Tensor:
    """Returns the descriptors of clips on their scales, `(clips, len(DESCRIPTORS))`, see `audio.describe`; longer clips are cut."""
    rows = torch.zeros(len(clips), len(DESCRIPTORS))

    def one(row: int) -> None:
        rows[row] = describe(corpus.audio(clips[row])[:, :samples], corpus.sample_rate)  # into place, as in `clip_embeddings`

    with Pool() as pool:
        for _ in pool.map(one, range(len(clips))):
            pass
    return rows


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
