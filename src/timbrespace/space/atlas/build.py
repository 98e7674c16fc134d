"""Makes the map of an instrument from its file: the positions stored there, or a layout fitted anew; new sounds and given ones placed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.audio.describe import NAMES
from timbrespace.contracts import ConfigError
from timbrespace.noise import seed_of
from timbrespace.space.atlas.atlas import GIVEN, NEW, TRAINING, Atlas, MapPoints
from timbrespace.space.atlas.layout import METHODS, Layout, fit_layout
from timbrespace.synthesis.encoding import EncodedSound
from timbrespace.synthesis.file.contents import InstrumentContents, TrainingClips
from timbrespace.synthesis.request import DrawOptions, RenderRequest, draw

STRIPPED_SOUNDS = 200  # new sounds on the map of a stripped instrument, unless a number is given
MOST_GENERATED = 10_000
_TSNE_LIMITS = (8, 4_000)  # fewest and most training sounds for which `positions.fit_positions` makes a t-SNE; else a PCA
_GIVEN_SEEDS = 1 << 33


class GivenPoint(NamedTuple):
    """A given sound that is placed on a map: its name, encoded, and its category."""

    name: str
    sound: EncodedSound
    category: str | None = None


def build_atlas(
    contents: InstrumentContents,
    *,
    method: str | None = None,
    generated: int | None = None,
    given: Sequence[GivenPoint] = (),
    seed: int = 0,
) -> Atlas:
    """Returns the map of an instrument.

    method: one of METHODS, fitted anew to the training sounds; None: the positions in the file. generated: number of new sounds beside
    them, drawn with `seed`; None for none. given: sounds to be placed. Neither changes the layout.

    A stripped instrument has no training sounds: its map shows new sounds only, by default 200, laid out by t-SNE. Raises ConfigError.
    """
    if method is not None and method not in METHODS:
        raise ConfigError(f"method of the map is {method!r}, allowed are {', '.join(METHODS)}")
    clips = contents.clips
    count = (STRIPPED_SOUNDS if clips is None else 0) if generated is None else generated
    least = 1 if clips is None else 0
    if isinstance(count, bool) or not least <= count <= MOST_GENERATED:
        why = "; this instrument was stripped of its training sounds, so that its map shows new sounds only" if least else ""
        raise ConfigError(f"the number of new sounds on the map is {count!r}, allowed is {least} to {MOST_GENERATED}{why}")
    requests = draw(contents, count, DrawOptions(), seed=seed) if count else []
    drawn = _means([request.z for request in requests], contents.model.dims)
    layout = fit_layout(drawn, method or "tsne", seed=seed) if clips is None else _layout(clips, method, seed)
    requests += [_request_of(contents, number, point, seed) for number, point in enumerate(given)]
    latents = torch.cat([drawn, _means([point.sound.z for point in given], contents.model.dims)])
    positions = layout.place(latents)
    if clips is None:
        positions[:count] = layout.positions
    names = [f"{request.stem} {number + 1:03d}" for number, request in enumerate(requests[:count])] + [point.name for point in given]
    rows, before = len(requests), 0 if clips is None else len(clips.names)
    points = MapPoints(
        names=(*(() if clips is None else clips.names), *names),
        categories=(*(() if clips is None else clips.categories), *(request.category for request in requests)),
        kinds=(TRAINING,) * before + (NEW,) * count + (GIVEN,) * len(given),
        positions=positions if clips is None else torch.cat([layout.positions, positions]),
        latents=latents if clips is None else torch.cat([clips.latents, latents]),
        descriptors=torch.cat([_stored_descriptors(clips), torch.full((rows, len(NAMES)), torch.nan)]),
    )
    return Atlas(contents, layout, points, {before + row: request for row, request in enumerate(requests)}, seed)


def _layout(clips: TrainingClips, method: str | None, seed: int) -> Layout:
    """The layout of the training sounds, that of the file where no method is given."""
    if method is not None:
        return fit_layout(clips.latents, method, seed=seed)
    fewest, most = _TSNE_LIMITS
    stored = "tsne" if fewest <= clips.in_density <= most else "pca"
    return Layout(stored, clips.latents.float(), clips.positions.float())


def _request_of(contents: InstrumentContents, number: int, point: GivenPoint, seed: int) -> RenderRequest:
    """How a given sound is rendered: by decoding its latent."""
    asked = {"verb": "map", "given": point.name, "seed": seed}
    length = point.sound.length if contents.model.time_varying else None
    return RenderRequest(point.sound.z, point.name, point.category, asked, seed_of(seed, _GIVEN_SEEDS + number), length)


def _means(latents: Sequence[Tensor], dims: int) -> Tensor:
    """Latents `(dims,)` or `(dims, steps)` as points `(m, dims)`."""
    return torch.stack([z.mean(1) if z.ndim == 2 else z for z in latents]).float() if latents else torch.zeros(0, dims)


def _stored_descriptors(clips: TrainingClips | None) -> Tensor:
    """Descriptors of the training sounds `(n, len(NAMES))`, measured on their audio in training; NaN in files that hold none."""
    if clips is None:
        return torch.zeros(0, len(NAMES))
    stored = getattr(clips, "descriptors", None)
    return torch.full((len(clips.names), len(NAMES)), torch.nan) if stored is None else stored.float()
