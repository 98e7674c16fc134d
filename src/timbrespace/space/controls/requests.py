"""Render requests with wishes of the controls: of given sounds, whose detail is carried along, and of new ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from timbrespace.audio.describe import NAMES, describe
from timbrespace.contracts import ConfigError
from timbrespace.noise import seed_of
from timbrespace.space.controls.coordinates import Point
from timbrespace.space.controls.steer import CORRECTIONS, QUICK, Measured, Steered, Steering, steering_of
from timbrespace.space.controls.wishes import Wish, Wishes, describe_controls
from timbrespace.synthesis.detail.features import mixed_features
from timbrespace.synthesis.detail.mix import Mix, kept_at, length_of
from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.encoding import from_onset
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.request import RenderRequest

_LESS = 0.4  # the other properties of a steered sound, and so its detail, stay nearer to the source than those of a variation
_ALMOST = 1 - 1e-6  # of the detail: what is asked for changes the sound, even if its point does not move


def steer_sources(
    contents: InstrumentContents, sources: Sequence[Source], asked: Wishes, *, seed: int, name: str | None = None, quick: bool = False
) -> list[RenderRequest]:
    """Returns a request for each of several given sounds, see `steer_source`. name: None: that of each sound."""
    if not asked:
        raise ConfigError(f"no control is given; this instrument has {describe_controls(steering_of(contents).offered)}")
    return [steer_source(contents, source, asked, seed=seed, name=name or source.given.stem, quick=quick) for source in sources]


def steer_source(
    contents: InstrumentContents, source: Source, asked: Wishes, *, seed: int, name: str, quick: bool = False
) -> RenderRequest:
    """Returns the request of a given sound with wishes fulfilled; of the sound itself where all are 0. name: stem of the new name.

    The step is corrected by what it does to the sound with its detail, as far as the instrument carries detail. quick: only by what it does
    to the decoded sound, a few times. Raises ConfigError.
    """
    steering = steering_of(contents)
    wishes = steering.read(asked)
    own_seed = seed_of(seed, 0)
    point = Point(source.encoded.z, source.encoded.length if contents.model.time_varying else None)
    sound = from_onset(contents, source.given.audio)[0][:, : source.encoded.length]
    places = describe(sound, contents.sample_rate, only=[wish.control.name for wish in wishes if wish.target is not None])
    measurable = source.detail is not None and steering.meter.on_levels and not quick
    measure = _with_detail(steering, source, own_seed) if measurable else None
    found = steering.steer(point, wishes, places=places, measure=measure, corrections=QUICK if quick else CORRECTIONS)
    kept = _kept(found.distance)
    if any(wish.amount != 0 for wish in wishes):
        kept = min(kept, _ALMOST)
    recipe: dict[str, Any] = {"verb": "steer", "seed": seed, "index": 0, "of": name, **_asked(wishes, found)}
    return RenderRequest(found.point.z, f"{name} steered", None, recipe, own_seed, found.point.length, Mix((source,), kept=kept))


def steer_requests(contents: InstrumentContents, requests: Sequence[RenderRequest], asked: Wishes) -> list[RenderRequest]:
    """Returns the requests of new sounds with wishes fulfilled, each as far as it goes. Raises ConfigError."""
    steering = steering_of(contents)
    wishes = steering.read(asked)
    made = []
    for request in requests:
        found = steering.steer(Point(request.z, request.length), wishes)
        mix = request.mix
        if mix is not None:
            mix = mix._replace(kept=min(mix.kept, _kept(found.distance), _ALMOST))
        recipe = request.recipe | _asked(wishes, found)
        made.append(request._replace(z=found.point.z, length=found.point.length, recipe=recipe, mix=mix))
    return made


def _kept(distance: float) -> float:
    """How much detail is kept at a distance: more than of a variation, because the step goes nowhere but where it was asked to."""
    return kept_at(_LESS * distance)


def _asked(wishes: Sequence[Wish], found: Steered) -> dict[str, Any]:
    """What a recipe says of wishes: their text, and the changes in spreads that were wished for and reached, as measured."""
    wished = {wish.control.name: round(float(found.wished[NAMES.index(wish.control.name)]), 3) for wish in wishes}
    return {"controls": {wish.control.name: wish.text for wish in wishes}, "wished": wished, "reached": found.reached(wishes)}


def _with_detail(steering: Steering, source: Source, seed: int) -> Measured:
    """Measures the given sound with its detail at a point."""
    contents = steering.contents

    def measure(point: Point, step: Tensor) -> Tensor:
        mix = Mix((source,), kept=_kept(steering.distance(step)))
        length = length_of(contents, mix, point.z) if point.length is None else point.length
        with torch.no_grad():
            return steering.meter.of_features(mixed_features(contents, mix, point.z, length, seed=seed).features)

    return measure
