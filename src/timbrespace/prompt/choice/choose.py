"""Sounds for a prompt: candidates are measured as they will sound, and the one that fits the wishes best is taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from timbrespace.audio.describe import DESCRIPTORS, describe
from timbrespace.audio.pitch import hz_to_midi
from timbrespace.contracts import ConfigError
from timbrespace.prompt.ask import name_words_of
from timbrespace.prompt.choice.candidates import Pool, candidate, unlikeness
from timbrespace.prompt.choice.reference import Reference, heard, of_clip, reference_of
from timbrespace.prompt.choice.steering import steered
from timbrespace.prompt.choice.targets import Target, cost, targets_of
from timbrespace.prompt.reading import Reading
from timbrespace.space.controls.coordinates import Point
from timbrespace.space.controls.meter import Meter
from timbrespace.synthesis.detail.near import core_of
from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.request import DrawOptions, RenderRequest

if TYPE_CHECKING:
    from timbrespace.prompt.encoder import TextEncoder


class Effort(NamedTuple):
    """How much is tried for each sound.

    drawn: candidates. steered: of these, moved to the wishes. rendered: of all, measured as finished sounds. corrected: of these, steered
    again by what was measured, at most `rounds` times. turns: how often new candidates are drawn where none was good.
    """

    drawn: int = 24
    steered: int = 6
    rendered: int = 6
    corrected: int = 1
    rounds: int = 3
    turns: int = 2


_UNLIKE = 0.5  # weight of the category against the wishes
_FOREIGN, _MIXED = 4.0, 0.25  # weight of the share of neighbours of another category, and the share that is common among real sounds
_DOUBTED, _LIKELY = 4.0, 0.5  # weight of the probability of the category that is missing to this one
_GOOD = 0.2  # cost a wish, in spreads, that needs no improvement
_APART = 0.4  # weight of the distance to the compared sound, in the corpus's spread
_DUPLICATE = 0.15  # sounds of a batch nearer than this share of the usual spread are duplicates, as in `request.draw`
_SOFT, _HARD = 0.1, 0.9  # share of the learned range of velocities


def choose(
    contents: InstrumentContents, reading: Reading, count: int, options: DrawOptions, *, seed: int, given: Source | None = None,
    encoder: TextEncoder | None = None, effort: Effort | None = None, progress: Callable[[int], None] | None = None,
) -> list[RenderRequest]:  # fmt: skip
    """Returns requests of `count` sounds that fit a prompt. Sound i does not depend on `count`.

    options: further requests beside the prompt; a pitch or velocity there wins over the prompt's. given: the sound that the prompt
    compares with, if it is no training sound. effort: candidates tried for each sound. progress: called with the number of
    sounds chosen. Raises ConfigError.
    """
    pools = _pools(contents, reading, options, given, encoder)
    names = sorted({wish.descriptor for wish in reading.wishes})
    sound = _compared(contents, reading, given, names)
    meter, effort = Meter(contents, core=core_of(contents)), effort or Effort()
    missing: list[str] = []
    chosen: list[RenderRequest] = []
    references: dict[str | None, Reference] = {}
    for index in range(count):
        pool = pools[index % len(pools)]
        category = pool.categories[0] if pool.categories else None
        if category not in references:
            references[category] = reference_of(contents, replace(options, category=category), names, meter)
        targets, unmet = targets_of(reading.wishes, references[category], sound)
        missing += [one for one in unmet if one not in missing]
        pool = _with_pitch(contents, pool, targets, references[category])
        offset = references[category].offset
        if pool.source is not None and sound is not None:  # its detail is carried along
            given_point = Point(pool.source.encoded.z, pool.source.encoded.length if contents.model.time_varying else None)
            offset = (sound - meter.measure([given_point])[0]).where(sound.isfinite(), offset)
        chooser = _Chooser(contents, meter, pool, targets, offset)
        chosen.append(chooser.choose(index, chosen, seed=seed, effort=effort))
        if progress is not None:
            progress(len(chosen))
    reading = replace(reading, notes=(*reading.notes, *(f"not followed: {one}" for one in missing)))
    return [_named(request, reading, index, seed) for index, request in enumerate(chosen)]


def _pools(
    contents: InstrumentContents, reading: Reading, options: DrawOptions, given: Source | None, encoder: TextEncoder | None
) -> list[Pool]:
    """What the candidates are drawn from, one pool for each category that is asked for."""
    clips, compared = contents.clips, reading.compared
    like = compared is not None and compared.like
    source = given if like and compared is not None and compared.clip is None else None
    near, near_category = None, options.kind.category if options.kind else None
    if like and compared is not None:
        if compared.clip is not None and clips is not None:
            near, near_category = clips.latents[compared.clip], clips.categories[compared.clip]
        elif given is not None:
            near = given.encoded.z.mean(1) if contents.model.time_varying else given.encoded.z
    elif compared is not None:
        near_category = compared.category or near_category
    words = name_words_of(contents)
    own = [word for word in reading.named if word.sign > 0 and words.category(word.token) is not None]
    categories: list[str | None] = list(reading.categories) or ([options.category] if options.category else [])
    if not categories and compared is not None and near_category in contents.space.categories:
        categories = [near_category]
    if not categories:
        categories = [words.category(word.token) for word in own][:1] or [None]
    moves = [word.sign * words.effect(word.token) for word in reading.named]
    by_encoder = encoder is not None and reading.encoded and near is None
    if encoder is not None and by_encoder:
        from timbrespace.prompt.choice.encoded import encoded_words

        encoded = encoded_words(contents, encoder)
        near = None if encoded is None else encoded.place(reading.prompt)
    velocity = options.velocity
    if reading.velocity and velocity is None:
        velocity = _velocity(contents, reading.velocity)
    return [
        Pool(
            options=replace(options, velocity=velocity, category=category),
            categories=[] if category is None else [category],
            excluded=reading.excluded,
            moves=moves,
            near=near,
            source=source,
            own=not by_encoder and (near_category in (None, category) or category is None),
        )
        for category in categories
    ]


def _velocity(contents: InstrumentContents, sign: int) -> float:
    """A soft or a hard velocity of those that the instrument learned."""
    words = next((line for line in contents.model.conditioning.describe() if line.startswith("velocity: ")), "velocity: 1 to 127")
    low, high = (float(part) for part in words.removeprefix("velocity: ").split(" to "))
    return round(low + (high - low) * (_HARD if sign > 0 else _SOFT))


def _compared(contents: InstrumentContents, reading: Reading, given: Source | None, names: Sequence[str]) -> Tensor | None:
    """Descriptors of the compared sound `(len(DESCRIPTORS),)`; None without one."""
    if reading.compared is None:
        return None
    if reading.compared.clip is not None:
        return of_clip(contents, reading.compared.clip, names)
    if given is None:
        raise ConfigError(f"the prompt compares with {reading.compared.name}, which is not given; give the sound beside the prompt")
    return describe(given.given.audio, contents.sample_rate, only=names)


def _with_pitch(contents: InstrumentContents, pool: Pool, targets: Sequence[Target], reference: Reference) -> Pool:
    """The pool with the pitch that is asked for, where the instrument knows pitches; a direction stays within the category's range."""
    wanted = next((target for target in targets if target.name == "pitch"), None)
    zeros = torch.zeros(contents.model.dims)
    if wanted is None or pool.options.pitch is not None or contents.model.conditioning.pitch_of(zeros) is None:
        return pool
    place = wanted.place
    if wanted.sign:
        column = list(DESCRIPTORS).index("pitch")
        place = min(max(place, float(reference.lowest[column])), float(reference.highest[column]))
    midi = hz_to_midi(DESCRIPTORS["pitch"].from_scale(place))
    return replace(pool, options=replace(pool.options, pitch=float(round(midi))))


class _Judged(NamedTuple):
    """Requests, the descriptors of their finished sounds `(n, len(DESCRIPTORS))`, their costs, and those of the wishes alone, `(n,)`."""

    requests: list[RenderRequest]
    measured: Tensor
    costs: Tensor
    wrong: Tensor

    def good(self, targets: Sequence[Target]) -> bool:
        """Whether one of them needs no improvement."""
        return float(self.costs.min()) < _GOOD * (len(targets) + 1)

    def as_wished(self, targets: Sequence[Target]) -> bool:
        """Whether no steering is needed: the best one fulfils the wishes, whatever else it is."""
        return float(self.wrong[self.costs.argmin()]) < _GOOD * len(targets)

    def with_others(self, others: _Judged) -> _Judged:
        """These and others."""
        parts = (torch.cat([a, b]) for a, b in zip(self[1:], others[1:], strict=True))
        return _Judged([*self.requests, *others.requests], *parts)

    @property
    def best(self) -> RenderRequest:
        """The one that fits best."""
        return self.requests[int(self.costs.argmin())]


class _Chooser:
    """Chooses among candidates for one sound after the other."""

    def __init__(self, contents: InstrumentContents, meter: Meter, pool: Pool, targets: Sequence[Target], offset: Tensor):
        """offset: what finished sounds measure above decoded latents, `(len(NAMES),)`."""
        self.contents, self.meter, self.pool, self.targets = contents, meter, pool, targets
        self.offset = offset
        self.names = {target.name for target in targets}
        self.category = pool.categories[0] if pool.categories else None

    def choose(self, index: int, earlier: Sequence[RenderRequest], *, seed: int, effort: Effort) -> RenderRequest:
        """Returns the request for sound `index`, which is not near one of `earlier`."""
        if not self.names and self.pool.near is None and self.category is None:
            drawn = [candidate(self.contents, self.pool, index, attempt, seed=seed) for attempt in range(effort.drawn)]
            return next((one for one in drawn if self._apart(one, earlier)), drawn[0])
        found: _Judged | None = None
        for turn in range(effort.turns):
            attempts = range(turn * effort.drawn, (turn + 1) * effort.drawn)
            requests = [candidate(self.contents, self.pool, index, attempt, seed=seed) for attempt in attempts]
            requests = [one for one in requests if self._apart(one, earlier)] or requests[:1]
            some = self._judged(self._shortlist(requests, earlier, effort))
            for _ in range(effort.rounds):
                if some.good(self.targets) or some.as_wished(self.targets):
                    break
                again = self._corrected(some, earlier, effort)
                if not again:
                    break
                before, some = float(some.costs.min()), some.with_others(self._judged(again))
                if not float(some.costs.min()) < before:
                    break
            found = some if found is None else found.with_others(some)
            if found.good(self.targets):
                break
        assert found is not None
        return found.best

    def _shortlist(self, requests: list[RenderRequest], earlier: Sequence[RenderRequest], effort: Effort) -> list[RenderRequest]:
        """The requests that are rendered: the best by their decoded latents, some of them steered."""
        quick = self._quick(requests)
        if effort.steered and self.names:
            best = [requests[place] for place in quick.argsort(stable=True)[: effort.steered].tolist()]
            moved = [one for one in steered(self.contents, self.meter, best, self.targets, self.offset) if self._apart(one, earlier)]
            if moved:
                requests, quick = [*requests, *moved], torch.cat([quick, self._quick(moved)])
        return [requests[place] for place in quick.argsort(stable=True)[: effort.rendered].tolist()]

    def _corrected(self, some: _Judged, earlier: Sequence[RenderRequest], effort: Effort) -> list[RenderRequest]:
        """The best requests steered again: what a finished sound has over its latent differs from sound to sound."""
        best = some.costs.argsort(stable=True)[: effort.corrected].tolist()
        requests = [some.requests[place] for place in best]
        offset = some.measured[best] - self._decoded(requests)
        again = steered(self.contents, self.meter, requests, self.targets, offset.where(offset.isfinite(), self.offset), exactly=True)
        return [one for one in again if self._apart(one, earlier)]

    def _judged(self, requests: list[RenderRequest]) -> _Judged:
        """Requests with what their finished sounds measure."""
        measured, foreign, likely = heard(self.contents, requests, self.names, self.category)
        wrong = cost(measured, self.targets)
        unlike = _FOREIGN * (foreign - _MIXED).clamp_min(0) + _DOUBTED * (_LIKELY - likely).clamp_min(0)
        return _Judged(requests, measured, wrong + unlike + self._other(requests), wrong)

    def _decoded(self, requests: Sequence[RenderRequest]) -> Tensor:
        return self.meter.measure([Point(one.z, one.length) for one in requests])

    def _quick(self, requests: Sequence[RenderRequest]) -> Tensor:
        """Costs of requests by their decoded latents, `(requests,)`."""
        if not self.names:
            return self._other(requests)
        return cost(self._decoded(requests) + self.offset, self.targets) + self._other(requests)

    def _other(self, requests: Sequence[RenderRequest]) -> Tensor:
        """The part of the costs that is not about descriptors: the category and the nearness to the compared sound."""
        points = torch.stack([_point(one.z) for one in requests])
        total = _UNLIKE * unlikeness(self.contents, points, self.category)
        if self.pool.near is not None:
            total = total + _APART * ((points - self.pool.near) / _scale(self.contents)).square().mean(1).sqrt()
        return total

    def _apart(self, one: RenderRequest, earlier: Sequence[RenderRequest]) -> bool:
        space = self.contents.space
        usual = float(space.shared.diagonal().mean()) * max(self.pool.options.temperature, 0.05) * len(space.shared) ** 0.5
        return all(float((_point(one.z) - _point(other.z)).norm()) > _DUPLICATE * usual for other in earlier)


def _point(z: Tensor) -> Tensor:
    return z.mean(1) if z.ndim > 1 else z


def _scale(contents: InstrumentContents) -> Tensor | float:
    """The spread of each latent within categories, `(dims,)`; 1 where the density is not over the latents."""
    space = contents.space
    return 1.0 if space.axes is not None or contents.model.time_varying else space.shared.norm(dim=1).clamp_min(1e-3)


def _named(request: RenderRequest, reading: Reading, index: int, seed: int) -> RenderRequest:
    """The request with the prompt in its recipe."""
    asked: dict[str, Any] = {"verb": "generate", "seed": seed, "index": index, "prompt": reading.prompt, "understood": reading.as_dict()}
    asked |= {key: request.recipe[key] for key in ("temperature", "steered") if key in request.recipe}
    return request._replace(recipe=asked)
