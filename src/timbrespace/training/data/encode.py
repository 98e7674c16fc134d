"""Sounds in the form that a model learns from."""

from __future__ import annotations

from typing import Any

import torch

from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.labels.descriptors import DESCRIPTORS
from timbrespace.model.base import Model
from timbrespace.model.codec.linear import LinearCodecVAE
from timbrespace.model.wrappers.conditional import Conditional
from timbrespace.parallel import Pool
from timbrespace.representation.base import Representation
from timbrespace.training.data.clip_dataset import ClipDataset, encode_rows
from timbrespace.training.data.codec import principal_components
from timbrespace.training.data.conditions import clip_facts
from timbrespace.training.data.image_store import ImageStore
from timbrespace.training.data.pitch import clip_pitches
from timbrespace.training.data.sounds import InMemory
from timbrespace.training.workspace import Workspace

_AT_ONCE = 256  # clips encoded together


def fit_codec(model: LinearCodecVAE, store: ImageStore, workspace: Workspace, encoder: ClipDataset, *, seed: int) -> InMemory:
    """Fits the closed-form codec, or takes the stored one, and gives all images as coefficients."""
    state = workspace.load("codec.pt")
    if state is None:
        mean, basis, scale = principal_components(store.batches, rows=store.rows, count=model.coefficients, seed=seed)
        log_lengths = torch.log2(store.lengths.float())
        lengths = torch.stack([log_lengths.mean(), log_lengths.std(correction=0).clamp_min(0.05)])
        basis = basis.half().float()  # as the instrument file keeps it
        # Directions that few sounds never showed get a small deviation: whitening must not divide by zero.
        state = {"mean": mean, "basis": basis, "scale": scale.clamp_min(float(scale[0].clamp_min(1e-3)) * 1e-3), "lengths": lengths}
        workspace.save("codec.pt", state)
    model.set_codec(state["mean"], state["basis"], state["scale"], state["lengths"])
    values = torch.cat([model.coefficients_of(batch) for batch in store.batches()])
    return InMemory(values, store.lengths, encoder.row_pitches(store.rows))


def encode_clips(
    model: Model, corpus: Corpus, clips: list[int], representation: Representation, *, samples: int, shape: tuple[int, ...]
) -> InMemory:
    """Clips as they are, in the form that the model learns from."""
    pitches = clip_pitches(corpus, clips, model) if model.pitched else None
    encoder = ClipDataset(
        corpus, clips, representation, model, samples=samples, seed=0, pitches=pitches, **known_facts(model, corpus, clips)
    )
    values, lengths = [], []
    with Pool(torch.get_num_threads()) as pool:
        for start in range(0, len(clips), _AT_ONCE):
            images, some = encode_rows(encoder, list(range(start, min(start + _AT_ONCE, len(clips)))), pool)
            values.append(model.coefficients_of(images) if isinstance(model, LinearCodecVAE) else images.unflatten(1, shape))
            lengths.append(some)
    return InMemory(torch.cat(values), torch.cat(lengths), encoder.row_pitches(len(clips)), encoder.row_facts(len(clips)))


def known_facts(model: Model, corpus: Corpus, clips: list[int]) -> dict[str, Any]:
    """What an `ClipDataset` of these clips takes for this model beside them: what a `conditional` one is told."""
    if not isinstance(model, Conditional) or not model.known_dims:
        return {}
    names = [condition.name for condition in model.conditions.all]
    return {
        "facts": clip_facts(model, corpus, clips),
        "pitch_fact": names.index("pitch") if "pitch" in names else None,
        "figures": {place: name for place, name in enumerate(names) if name in DESCRIPTORS},
    }


def image_shape(model: Model, representation: Representation, samples: int) -> tuple[int, ...]:
    """Of one sound, as the model wants it stored."""
    silence = torch.zeros(1, representation.channels, samples)
    return tuple(model.prepare_features(representation.encode(silence)).shape[1:])
