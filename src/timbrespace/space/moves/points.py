"""Points of moves: where a move starts, and points near given sounds with as much of their detail as the distance leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.latent.trajectories import stretch_path
from timbrespace.space.moves.move import Point
from timbrespace.synthesis import sequences
from timbrespace.synthesis.detail.mix import Mix, kept_at
from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.file.contents import InstrumentContents

_SAME = 1e-9  # distance of two points that are one


def given_point(contents: InstrumentContents, source: Source, *, label: str = "") -> Point:
    """Returns the point of a given sound, which is that sound."""
    length = source.encoded.length if contents.model.time_varying else None
    return Point(source.encoded.z, length, Mix((source,)), label)


def near_point(
    contents: InstrumentContents, source: Source, z: Tensor, *, length: int | None = None, label: str = "",
    asked: Mapping[str, Any] | None = None,
) -> Point:  # fmt: skip
    """Returns the point `z` near a given sound; its detail fades with the distance in units of the corpus's spread.

    length: in samples, of a time-varying latent; None: the sound's.
    """
    own = source.encoded
    if contents.model.time_varying and length is None:
        length = own.length
    kept = kept_at(distance(contents, own.z, z), notes=contents.notes is not None)
    same = z.shape == own.z.shape and bool((z - own.z).abs().max() <= _SAME) and length in (None, own.length)
    return Point(own.z if same else z, length, Mix((source,), kept=1.0 if same else min(kept, 1 - 1e-6)), label, asked or {})


def distance(contents: InstrumentContents, a: Tensor, b: Tensor) -> float:
    """Returns how far two latents `(dims,)` or `(dims, steps)` are apart in units of the corpus's spread."""
    if not contents.model.time_varying:
        return contents.space.distance(a, b)
    apart = stretch_path(b, a.shape[1]) - a
    spread = sequences.trajectories_of(contents).spread.double()
    return float(torch.linalg.solve_triangular(spread, apart.double(), upper=False).square().mean().sqrt())


def offset(contents: InstrumentContents, standard: Tensor) -> Tensor:
    """Returns the offset `(dims,)`, or `(dims, 1)` of a time-varying latent, of standardised coordinates `(spread_size,)`."""
    if contents.model.time_varying:
        return (sequences.trajectories_of(contents).spread @ standard)[:, None]
    return contents.space.offset(standard)


def spread_size(contents: InstrumentContents) -> int:
    """Returns the number of standardised coordinates of `offset`."""
    return len(sequences.trajectories_of(contents).spread if contents.model.time_varying else contents.space.shared)


def moved(contents: InstrumentContents, origin: Tensor, change: Tensor, *, keep_known: bool = True) -> Tensor:
    """Returns `origin + change`, projected to latents that the decoder knows; keep_known: with the origin's pitch and conditions."""
    if not bool(change.any()):
        return origin
    z = contents.model.project((origin + change)[None])[0]
    known = contents.model.conditioning.size
    if known and keep_known:
        z = z.clone()
        z[-known:] = origin[-known:]
    return z


def origin_point(contents: InstrumentContents, *, source: Source | None, category: str | None, length: int | None = None) -> Point:
    """Returns where a move starts: a given sound; the middle of a category; else the middle of the latent space.

    The middle of the latent space is zero, where the prior is densest; of a time-varying latent, the mean path of the corpus.
    length: in samples, of a time-varying latent. Raises ConfigError.
    """
    if source is not None and category is not None:
        raise ConfigError("a move starts from a sound or from a category, not from both; leave one of them out")
    if source is not None:
        return given_point(contents, source)
    space, time_varying = contents.space, contents.model.time_varying
    coordinates = torch.zeros(space.means.shape[1])
    if category is not None:
        if category not in space.categories:
            raise ConfigError(f"category is {category!r}, this instrument has {', '.join(space.categories) or 'none'}")
        weights = torch.tensor([float(w) if label == category else -1.0 for w, label in zip(space.weights, space.labels, strict=True)])
        coordinates = space.means[int(weights.argmax())]
    if time_varying:
        path, length = sequences.path_at(contents, coordinates, length)
        return Point(contents.model.project(path[None])[0], length, category=category)
    if category is None:
        z = torch.zeros(contents.model.dims)
    else:
        z = coordinates if space.axes is None or space.centre is None else space.centre + coordinates @ space.axes
    return Point(contents.model.project(z[None])[0], category=category)


def centre_of(contents: InstrumentContents) -> Point:
    """Returns the mean of the corpus: `(dims,)`, or its mean path and length of a time-varying latent."""
    space = contents.space
    mean = (space.weights[:, None] * space.means).sum(0)
    if contents.model.time_varying:
        path, length = sequences.path_at(contents, mean, None)
        return Point(path, length)
    return Point(mean if space.axes is None or space.centre is None else space.centre + mean @ space.axes)
