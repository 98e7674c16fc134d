"""Candidates moved towards the wishes of a prompt, by the controls of the instrument."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.audio.describe import NAMES
from timbrespace.prompt.choice.targets import Target
from timbrespace.space.controls.coordinates import Point
from timbrespace.space.controls.fit import farthest_of, slopes_at
from timbrespace.space.controls.meter import Meter
from timbrespace.space.controls.solving import Wish, follow
from timbrespace.space.controls.steer import steering_of
from timbrespace.synthesis.detail.mix import kept_at
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.request import RenderRequest

_CORRECTIONS = 3
_MOST = 3.0  # spreads of the corpus that a descriptor is moved by


def steered(
    contents: InstrumentContents, meter: Meter, requests: Sequence[RenderRequest], targets: Sequence[Target], offset: Tensor, *,
    exactly: bool = False,
) -> list[RenderRequest]:  # fmt: skip
    """Returns the requests moved to where their decoded descriptors meet the targets, as far as they go.

    offset: what finished sounds measure above decoded latents, `(len(NAMES),)` or a row for each request. A wish for a direction moves only
    sounds that are not yet as far as it asks. A pitch that the latent holds is no direction; it stays. exactly: with slopes of the points
    themselves, which take as long as rendering.
    """
    steering = steering_of(contents)  # a file of an earlier version has no controls: fitted once
    controls, coordinates = steering.controls, steering.coordinates
    points = [Point(one.z, one.length) for one in requests]
    before = meter.measure(points)
    asked = torch.zeros(len(NAMES), dtype=torch.bool)
    changes = torch.zeros_like(before)
    for target in targets:
        place = NAMES.index(target.name)
        if float(controls.spreads[place]) <= 0 or target.name == "pitch" or not bool(before[:, place].isfinite().all()):
            continue
        missing = (target.place - offset[..., place].nan_to_num(0.0) - before[:, place]) / controls.unit[place]
        if target.sign:
            missing = target.sign * (target.sign * missing).clamp_min(0)
        asked[place] = True
        changes[:, place] = missing.clamp(-_MOST, _MOST)
    if not bool(asked.any()):
        return []

    def measured(steps: Tensor) -> Tensor:
        return (meter.measure(coordinates.move_all(points, steps)) - before) / controls.unit

    wish = Wish(changes, asked, torch.zeros_like(asked))
    slopes, smooth = slopes_at(controls, contents, points), meter.has_slopes
    if exactly and bool((smooth & asked).any()):
        slopes = torch.where(smooth[:, None], meter.slopes(points, coordinates) / controls.unit[:, None], slopes)
    found = follow(measured, slopes, controls.metric, wish, corrections=_CORRECTIONS, farthest=farthest_of(coordinates))
    moved = coordinates.move_all(points, found.steps)
    return [_moved(contents, one, point, step) for one, point, step in zip(requests, moved, found.steps, strict=True)]


def _moved(contents: InstrumentContents, request: RenderRequest, point: Point, step: Tensor) -> RenderRequest:
    """A request at another point; the detail of a given sound fades with the distance."""
    mix = request.mix
    if mix is not None:
        mix = mix._replace(kept=min(mix.kept, kept_at(float(step.norm()) / max(1, len(step)) ** 0.5, notes=contents.notes is not None)))
    return request._replace(z=point.z, length=point.length, mix=mix, recipe={**request.recipe, "steered": True})
