"""Candidates for the sounds of a prompt: drawn from the density, around the compared sound, moved by learned words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from timbrespace.noise import Noise, Purpose, seed_of
from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.request import DrawOptions, RenderRequest, draft

_NEAR = 0.35  # of the corpus's spread: how far sounds "like" another one are drawn around it
_TRIES = 40  # draws for a category that is not excluded
_TOWARDS = 0.5  # share of the way from a sound of another category to the compared one


@dataclass(frozen=True)
class Pool:
    """What candidates are drawn from.

    options: of `draw`. categories: any of these, in turn; empty: all. excluded: none of these. moves: directions of the latent `(dims,)`
    that are added. near: latent of the compared sound; source: the given sound behind it, whose detail is carried along. own: whether the
    compared sound is of the asked category, so that candidates are drawn around it.
    """

    options: DrawOptions
    categories: Sequence[str] = ()
    excluded: Sequence[str] = ()
    moves: Sequence[Tensor] = ()
    near: Tensor | None = None
    source: Source | None = None
    own: bool = True


def candidate(contents: InstrumentContents, pool: Pool, index: int, attempt: int, *, seed: int) -> RenderRequest:
    """Returns candidate `attempt` for sound `index` of a batch. The same numbers give the same candidate."""
    category = pool.categories[index % len(pool.categories)] if pool.categories else None
    own_seed = seed_of(seed_of(seed, index), attempt)
    if pool.source is not None and pool.own:
        around = replace(pool.options, centre=pool.source, temperature=_NEAR * max(pool.options.temperature, 0.1), category=category)
        request = draft(contents, around, seed=own_seed)
    elif pool.near is not None and pool.own and not contents.model.time_varying:
        request = _around(contents, pool, category, own_seed)
    else:
        request = _drawn(contents, pool, category, own_seed)
        if pool.near is not None and not contents.model.time_varying and attempt % 2:
            request = request._replace(z=_project(contents, request.z.lerp(pool.near, _TOWARDS), keep=request.z))
    if pool.moves:
        move = torch.stack(list(pool.moves)).sum(0)
        z = request.z + (move[:, None] if request.z.ndim > 1 else move)
        request = request._replace(z=_project(contents, z, keep=request.z))
    return request


def _drawn(contents: InstrumentContents, pool: Pool, category: str | None, seed: int) -> RenderRequest:
    """A draw from the density that is of no excluded category."""
    options = replace(pool.options, category=category)
    for attempt in range(_TRIES):
        request = draft(contents, options, seed=seed if not attempt else seed_of(seed, attempt))
        if request.category not in pool.excluded:
            break
    return request


def _around(contents: InstrumentContents, pool: Pool, category: str | None, seed: int) -> RenderRequest:
    """A latent near the compared training sound, with the pitch and velocity that are asked for."""
    assert pool.near is not None
    noise = Noise(seed, Purpose.VARIATION, 0)
    z = contents.space.around(pool.near, noise, amount=_NEAR * pool.options.temperature)
    z = _project(contents, z, keep=pool.near)
    options = pool.options
    fixed = contents.model.conditioning.request(options.conditions, category=category, pitch=options.pitch, velocity=options.velocity)
    if isinstance(fixed.last, float):
        z[-1] = fixed.last
    for coordinate, value in (*fixed.entries.items(), *fixed.played.items()):
        if isinstance(value, float):
            z[coordinate] = value
    return RenderRequest(z, category or "sound", category, {"temperature": options.temperature}, seed)


def _project(contents: InstrumentContents, z: Tensor, *, keep: Tensor) -> Tensor:
    """A latent as the model can have it, with the known entries (pitch, conditions) of `keep`."""
    known = contents.model.conditioning.size
    if known:
        z = z.clone()
        z[-known:] = keep[-known:]
    return z if z.ndim > 1 else contents.model.project(z[None])[0]


def unlikeness(contents: InstrumentContents, latents: Tensor, category: str | None) -> Tensor:
    """Returns how unlike a category latents `(n, dims)` are: minus the log of its probability by the density, 0 to 10, `(n,)`.

    0 where there is no category, or the density is over something else than latents.
    """
    space = contents.space
    if category is None or category not in space.categories or space.axes is not None or contents.model.time_varying:
        return torch.zeros(len(latents))
    offset = latents[:, None].double() - space.means[None].double()  # (n, components, dims)
    factors = space.factors.double()
    whitened = torch.linalg.solve_triangular(factors[None], offset[..., None], upper=False)[..., 0]
    log = space.weights.double().clamp_min(1e-12).log() - 0.5 * whitened.square().sum(-1) - factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    labelled = torch.tensor([label is not None for label in space.labels])
    own = torch.tensor([label == category for label in space.labels])
    log = log.masked_fill(~labelled, -math.inf)
    return (torch.logsumexp(log, 1) - torch.logsumexp(log[:, own], 1)).clamp(0, 10).float()
