"""From a trained model to an instrument: everything that is computed once, after learning."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from timbrespace.audio.distance import embedding
from timbrespace.config.schema import Config
from timbrespace.corpus.corpus import Corpus
from timbrespace.latent.space import LatentSpace
from timbrespace.latent.trajectories import Trajectories
from timbrespace.model.base import Model
from timbrespace.parallel import Pool
from timbrespace.representation.base import Representation
from timbrespace.synthesis.file.contents import InstrumentContents, TrainingClips
from timbrespace.synthesis.instrument import Instrument
from timbrespace.synthesis.map_layout import fit_positions
from timbrespace.synthesis.novelty import novelty_unit
from timbrespace.training.data.sounds import Sounds, batches_of
from timbrespace.training.loop import History, best_check
from timbrespace.training.schedules import settled
from timbrespace.training.workspace import Plan

_AT_ONCE = 16  # clips embedded, or followed along their path, together


def make_instrument(
    model: Model, corpus: Corpus, config: Config, representation: Representation, *, samples: int, sounds: Sounds, seed: int
) -> Instrument:
    """The instrument of a trained model: latents, density, map and features of the training clips. sounds: their own images first."""
    clips = corpus.indices("train")
    categories = [corpus.clips[i].category for i in clips]
    trajectories = None
    if model.time_varying:
        walked, lengths = _paths(model, sounds, representation, clips=len(clips))
        latents = torch.stack([path.mean(1) for path in walked])
        trajectories, space = Trajectories.fit(walked, lengths, categories, seed=seed)
    else:
        with torch.no_grad():
            latents = torch.cat([model.posterior(batch).mean for batch in batches_of(sounds, len(clips))])
        space = LatentSpace.fit(latents, categories, seed=seed)
    held = corpus.indices("validation") + corpus.indices("test")
    embeddings = _embeddings(corpus, clips, samples=samples)
    unheard = _embeddings(corpus, held, samples=samples) if held else embeddings[:0]
    contents = InstrumentContents(
        representation=representation,
        model=model.requires_grad_(False),
        space=space,
        settings={"representation": config.representation, "model": config.model},
        sample_rate=corpus.sample_rate,
        channels=corpus.channels,
        samples=samples,
        clips=TrainingClips(
            tuple(corpus.clips[i].name for i in clips), tuple(categories), latents, embeddings, fit_positions(latents, seed=seed)
        ),
        novelty_unit=novelty_unit(unheard, embeddings),
        trajectories=trajectories,
    )
    return Instrument(contents)


@torch.no_grad()
def _paths(model: Model, sounds: Sounds, representation: Representation, *, clips: int) -> tuple[list[Tensor], list[int]]:
    """Paths `(dims, steps)` of the first `clips` sounds, to their true ends, and their lengths in samples; a few sounds at a time."""
    paths, lengths = [], []
    for rows in torch.arange(clips).split(_AT_ONCE):
        batch = sounds[rows]
        for path, length in zip(model.posterior(batch).mean, batch.lengths.tolist(), strict=True):
            paths.append(path[:, : -(-representation.frames(length) // model.stride)].clone())
            lengths.append(length)
    return paths, lengths


def _embeddings(corpus: Corpus, clips: list[int], *, samples: int) -> Tensor:
    """Embeddings `(clips, features)` as the instrument file keeps them, a few clips in memory at a time."""

    def some(start: int) -> Tensor:
        audio = [corpus.audio(i)[:, :samples] for i in clips[start : start + _AT_ONCE]]
        return embedding(audio, sample_rate=corpus.sample_rate).float()

    with Pool() as pool:
        return torch.cat(list(pool.map(some, range(0, len(clips), _AT_ONCE)))).half().float()


def training_card(
    config: Config, plan: Plan, history: History, *, sounds: Sounds, clips: int, device: str, unit: str, took: dict[str, float]
) -> dict[str, Any]:
    """The part of the card about how it was trained. took: seconds a stage; clips: training clips; unit: of errors."""
    best = best_check(history, first=settled(config.training.kl, steps=plan.steps))
    return {
        "minutes_asked": config.training.minutes,
        "seed": plan.seed,
        "device": device,
        "threads": plan.threads,
        "clips": clips,
        "images": len(sounds),
        "synthesised": plan.synthesised,
        "steps": history.step[-1],
        "steps_planned": plan.steps,
        "stopped_early": history.step[-1] < plan.steps,
        "best_step": history.step[best],
        "unit": unit,
        "train_error": round(history.train[best], 3),
        "validation_error": round(history.validation[best], 3),
        "overfit_ratio": round(history.validation[best] / max(history.train[best], 1e-9), 3),
        "kl_nats": round(history.kl[best], 2),
        "figures": {name: round(values[best], 3) for name, values in history.figures.items()},
        "curve": {
            name: [round(v, 3) for v in values] for name, values in {**vars(history), **history.figures}.items() if name != "figures"
        },
        "seconds": dict(took),
    }
