"""Renders requests with PyTorch: decodes, finishes and labels each sound."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from timbrespace.mapped import Shelf
from timbrespace.parallel import Pool
from timbrespace.synthesis.detail.near import Core, core_makes
from timbrespace.synthesis.detail.rendering import Rendered, render_mix
from timbrespace.synthesis.encoding import decode
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.finish import Level, finish
from timbrespace.synthesis.moving.render import render_moving
from timbrespace.synthesis.output.engines import NATIVE
from timbrespace.synthesis.output.labelling import Rendering, TrainingSounds, labelled, measured
from timbrespace.synthesis.recipe import to_recipe
from timbrespace.synthesis.request import RenderRequest
from timbrespace.synthesis.sounds import Sounds

if TYPE_CHECKING:
    from timbrespace.native.engine import Player

Progress = Callable[[int, int], None]


def render(
    contents: InstrumentContents, requests: Sequence[RenderRequest], *, level: Level | None, out_rate: int | None,
    progress: Progress | None = None, numbered: bool = True, player: Player | None = None,
) -> Sounds:  # fmt: skip
    """Returns the sounds of `requests`, in order.

    level, out_rate: see `finish`; level None: peak for new sounds, that of the given sounds for those made from them. progress: called
    with the number of sounds done and of all. numbered: names are stem, number and note; else the stem is the name. player: of this
    instrument's file, which renders those that it plays. The audio of many sounds is kept in temporary files (`mapped.Shelf`). Raises
    TimbrespaceError.
    """
    rate = contents.sample_rate if out_rate is None else out_rate

    training = training_sounds(contents)

    def one(request: RenderRequest) -> Rendering:
        if player is not None and player.plays(request):
            return measured(player.samples(request, level=level, rate=rate), rate, training, note=player.note(request))
        rendered = request.rendered if level is None and rate == contents.sample_rate else None
        if rendered is not None and rendered.by_core and player is None:
            rendered = None
        rendered = finished(contents, request, level=level, out_rate=rate, core=player) if rendered is None else rendered
        note, is_own = contents.model.conditioning.note_of(request.z), request.mix is not None and request.mix.own is not None
        return measured(rendered.audio.numpy(), rate, training, note=note, part=rendered.part, is_own=is_own)

    renderings: list[Rendering] = []
    shelf = Shelf()
    for rendering in _each(one, requests, player):
        renderings.append(rendering._replace(samples=shelf.keep(rendering.samples)))
        if progress is not None:
            progress(len(renderings), len(requests))
    recipes = [_recipe(contents, request, player) for request in requests]
    return labelled(requests, renderings, recipes, training, rate=rate, level=level, numbered=numbered)


def _each(one: Callable[[RenderRequest], Rendering], requests: Sequence[RenderRequest], player: Player | None) -> Iterator[Rendering]:
    """Renderings of requests in order, on all cores; a single one that needs no PyTorch without threads."""
    if len(requests) == 1 and player is not None and (requests[0].rendered is not None or player.plays(requests[0])):
        yield one(requests[0])
        return
    with Pool(min(len(requests), os.cpu_count() or 1)) as pool:
        yield from pool.map(one, requests)


def _recipe(contents: InstrumentContents, request: RenderRequest, player: Player | None) -> dict[str, Any]:
    """What a recipe holds of a request, with the engine that rendered it."""
    if player is not None and player.plays(request):
        return player.recipe(request)
    by_core = player is not None and request.mix is not None and request.moving is None and core_makes(contents, request.mix, request.z)
    return to_recipe(contents, request) | ({"engine": NATIVE} if by_core else {})


def training_sounds(contents: InstrumentContents) -> TrainingSounds:
    """Returns what new sounds of an instrument are compared with."""
    if contents.clips is None:
        return TrainingSounds()
    return TrainingSounds(contents.clips.names, contents.clips.embeddings.numpy(), contents.novelty_unit)


def finished(
    contents: InstrumentContents, request: RenderRequest, *, level: Level | None, out_rate: int, core: Core | None = None
) -> Rendered:
    """Returns the finished sound of a request, every sample as in its file, see `render`. core: see `audio.mixed_audio`.

    Raises TimbrespaceError.
    """
    if request.moving is not None:
        return render_moving(contents, request.moving, seed=request.seed, level=level, out_rate=out_rate)
    if request.mix is None and core is not None and level in (None, "peak") and out_rate == contents.sample_rate and core.plays(request):
        return Rendered(torch.from_numpy(core.new(request)), by_core=True)
    if request.mix is None:
        raw = decode(contents, request.z, length=request.length, seed=request.seed, texture=True, category=request.category)
        return Rendered(finish(raw, contents.sample_rate, level=level or "peak", out_rate=out_rate))
    options: dict[str, Any] = {"length": request.length, "seed": request.seed, "level": level, "out_rate": out_rate, "core": core}
    return render_mix(contents, request.mix, request.z, **options)
