"""Render requests with wishes of the controls: of given sounds, whose detail is carried along, and of new ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from timbrespace.audio.describe import NAMES, describe
from timbrespace.contracts import ConfigError
from timbrespace.noise import seed_of
from timbrespace.parallel import Pool
from timbrespace.space.controls.coordinates import Point
from timbrespace.space.controls.steer import CORRECTIONS, QUICK, Measured, Steered, Steering, steering_of
from timbrespace.space.controls.wishes import Wish, Wishes, describe_controls
from timbrespace.synthesis.detail.features import NearFeatures
from timbrespace.synthesis.detail.mix import Mix, kept_at, length_of
from timbrespace.synthesis.detail.near import core_makes, core_of, near_descriptors
from timbrespace.synthesis.detail.source import Source, decoded_length
from timbrespace.synthesis.encoding import from_onset
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.rendering import finished
from timbrespace.synthesis.request import RenderRequest

_LESS = 0.4  # the other properties of a steered sound, and so its detail, stay nearer to the source than those of a variation
_MOST_KEPT = 16  # sounds that stay in memory as they were measured; further ones are rendered again
_QUICKLY = {*NAMES} - {"pitch", "inharmonicity"}  # properties that are measured in a few ms
_ALMOST = 1 - 1e-6  # of the detail: a request changes the sound, even if its point does not move


def steer_sources(
    contents: InstrumentContents, sources: Sequence[Source], asked: Wishes, *, seed: int, name: str | None = None, quick: bool = False
) -> list[RenderRequest]:
    """Returns a request for each of several given sounds, see `steer_source`. name: None: that of each sound."""
    if not asked:
        raise ConfigError(f"no control is given; this instrument has {describe_controls(steering_of(contents).offered)}")
    requests: list[RenderRequest] = []
    for source in sources:
        request = steer_source(contents, source, asked, seed=seed, name=name or source.given.stem, quick=quick)
        requests.append(request if len(requests) < _MOST_KEPT else request._replace(rendered=None))
    return requests


def steer_source(
    contents: InstrumentContents, source: Source, asked: Wishes, *, seed: int, name: str, quick: bool = False
) -> RenderRequest:
    """Returns the request of a given sound with wishes fulfilled; of the sound itself where all are 0. name: stem of the new name.

    The step is corrected by what it does to the finished sound, as far as the instrument carries detail. quick: only by what it does to the
    decoded sound, a few times. Raises ConfigError.
    """
    steering, time_varying = steering_of(contents), contents.model.time_varying
    wishes = steering.read(asked)
    own_seed = seed_of(seed, 0)
    point = Point(source.encoded.z, source.encoded.length if time_varying else None)
    asks = any(wish.amount != 0 for wish in wishes)
    correct = source.detail is not None and steering.meter.on_levels and not quick and asks
    needed = {wish.control.name for wish in wishes if wish.target is not None or wish.control.name == "length"}
    places = _described(contents, source, needed | _QUICKLY if correct else needed)
    length = _length(contents, wishes, places)

    def made(point: Point, step: Tensor) -> RenderRequest:
        kept = _kept(steering.distance(step))
        mix = Mix((source,), kept=min(kept, _ALMOST) if asks else kept)
        cut = None if length is None or not asks else _cut(length, length_of(contents, mix, point.z))
        return RenderRequest(point.z, f"{name} steered", None, {}, own_seed, point.length if time_varying else cut, mix)

    levels = _levels(steering, source, made) if source.detail is not None and steering.meter.on_levels and asks else None
    measure = _Finished(steering, made, wishes) if correct else None
    corrections = QUICK if quick else CORRECTIONS
    found = steering.steer(point, wishes, places=places, levels=levels, measure=measure, corrections=corrections)
    recipe: dict[str, Any] = {"verb": "steer", "seed": seed, "index": 0, "of": name, **_asked(wishes, found)}
    request = made(found.point, found.step)._replace(recipe=recipe)
    return request if measure is None else measure.with_sound(request)


def _described(contents: InstrumentContents, source: Source, names: set[str]) -> Tensor:
    """Descriptors `names` of a given sound from its onset, `(len(DESCRIPTORS),)`, NaN for others; measured once, while a slider moves."""
    known = source.measured.descriptors
    if missing := names - known.keys():
        values = describe(from_onset(contents, source.given.audio)[0], contents.sample_rate, only=missing)
        known |= {name: float(values[NAMES.index(name)]) for name in missing}
    return torch.tensor([known[name] if name in names else math.nan for name in NAMES])


def steer_requests(contents: InstrumentContents, requests: Sequence[RenderRequest], asked: Wishes) -> list[RenderRequest]:
    """Returns the requests of new sounds with wishes fulfilled, each as far as it goes, by what the finished sounds are.

    Raises ConfigError.
    """
    steering = steering_of(contents)
    wishes = steering.read(asked)
    with Pool() as pool:
        return list(pool.map(lambda request: _steered(contents, steering, request, wishes), requests))


def _steered(contents: InstrumentContents, steering: Steering, request: RenderRequest, wishes: Sequence[Wish]) -> RenderRequest:
    """The request of a new sound with wishes fulfilled."""
    point, still = Point(request.z, request.length), torch.zeros(steering.coordinates.rank)
    if not any(wish.amount != 0 for wish in wishes) or not steering.meter.on_levels:
        found = steering.steer(point, wishes)
        return _moved(request, found.point, steering.distance(found.step), found.point.length, _asked(wishes, found))
    plain = _Finished(steering, lambda point, step: request, wishes)
    places = plain(point, still)
    length = _length(contents, wishes, places)

    def made(point: Point, step: Tensor) -> RenderRequest:
        moved = _moved(request, point, steering.distance(step), point.length, {})
        if length is None:
            return moved
        natural = decoded_length(contents, point.z) if moved.mix is None else length_of(contents, moved.mix, point.z)
        return moved._replace(length=_cut(length, natural))

    found = steering.steer(point, wishes, places=places, measure=_Finished(steering, made, wishes))
    request = made(found.point, found.step)
    return request._replace(recipe=request.recipe | _asked(wishes, found))


def _moved(request: RenderRequest, point: Point, distance: float, length: int | None, asked: dict[str, Any]) -> RenderRequest:
    """A request at another point; the detail of a given sound fades with the distance."""
    mix = None if request.mix is None else request.mix._replace(kept=min(request.mix.kept, _kept(distance), _ALMOST))
    return request._replace(z=point.z, length=length, mix=mix, recipe=request.recipe | asked)


def _cut(length: int, natural: int) -> int | None:
    """The length in samples at which a sound ends earlier than by itself; None where it ends before that length."""
    return length if length < natural else None


def _length(contents: InstrumentContents, wishes: Sequence[Wish], places: Tensor) -> int | None:
    """The length in samples that is asked for, at which the sound then ends at the latest; None where none is, or the latent holds it."""
    wish = next((one for one in wishes if one.control.name == "length"), None)
    place = float(places[NAMES.index("length")])
    if wish is None or contents.model.time_varying or not math.isfinite(place) or wish.amount == 0:
        return None
    return min(contents.samples, max(1, round(2 ** (place + wish.spreads(place) * wish.control.spread) * contents.sample_rate)))


def _kept(distance: float) -> float:
    """How much detail is kept at a distance: more than of a variation, because the step goes nowhere but where it was asked to."""
    return kept_at(_LESS * distance)


def _asked(wishes: Sequence[Wish], found: Steered) -> dict[str, Any]:
    """What a recipe says of wishes: their text, and the changes in spreads that were wished for and reached, as measured."""
    wished = {wish.control.name: round(float(found.wished[NAMES.index(wish.control.name)]), 3) for wish in wishes}
    return {"controls": {wish.control.name: wish.text for wish in wishes}, "wished": wished, "reached": found.reached(wishes)}


def _levels(steering: Steering, source: Source, made: Callable[[Point, Tensor], RenderRequest]) -> Measured:
    """Measures the levels of a point with the detail of its given sound: changes from the sound itself, in spreads; see `_Finished`."""
    contents, meter = steering.contents, steering.meter
    assert source.detail is not None
    own = source.measured.levels
    if own is None:
        own = source.measured.levels = meter.of_features(source.detail.features)
    spreads = steering.controls.spreads.clamp_min(1e-9)
    near: list[NearFeatures] = []
    core = core_of(contents)

    def measure(point: Point, step: Tensor) -> Tensor:
        request = made(point, step)
        assert request.mix is not None
        length = length_of(contents, request.mix, request.z, core=core) if request.length is None else request.length
        if core is not None and core_makes(contents, request.mix, request.z):
            found = near_descriptors(contents, core, source, request.z, length, kept=request.mix.kept, seed=request.seed)
            return (found - own) / spreads
        if not near:
            near.append(NearFeatures(contents, source, seed=request.seed))
        return (meter.of_features(near[0](request.z, length, kept=request.mix.kept)) - own) / spreads

    return measure


class _Finished:
    """Measures the requested and the held descriptors on the finished sound of a point, from its onset.

    made: the request of a point and the step to it.
    """

    def __init__(self, steering: Steering, made: Callable[[Point, Tensor], RenderRequest], wishes: Sequence[Wish]):
        self._contents, self._made, self._names = steering.contents, made, {wish.control.name for wish in wishes}
        self._core = core_of(steering.contents)
        self._sounds: list[RenderRequest] = []

    def __call__(self, point: Point, step: Tensor) -> Tensor:
        """Returns descriptors `(len(DESCRIPTORS),)`."""
        contents, request = self._contents, self._made(point, step)
        rendered = finished(contents, request, level=None, out_rate=contents.sample_rate, core=self._core)
        self._sounds.append(request._replace(rendered=rendered))
        lead = 0 if request.mix is None else request.mix.lead.shape[1]
        return describe(rendered.audio[:, lead:], contents.sample_rate, only=self._names | _QUICKLY)

    def with_sound(self, request: RenderRequest) -> RenderRequest:
        """Returns a request with its finished sound, if that was measured."""
        same = (one for one in self._sounds if _is_alike(one, request))
        return request._replace(rendered=next((one.rendered for one in same), None))


def _is_alike(one: RenderRequest, other: RenderRequest) -> bool:
    """Whether two requests of one steering are of the same sound."""
    kept = [None if request.mix is None else request.mix.kept for request in (one, other)]
    return one.length == other.length and kept[0] == kept[1] and torch.equal(one.z, other.z)
