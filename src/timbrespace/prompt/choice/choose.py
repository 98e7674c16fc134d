"""Sounds for a prompt: candidates are measured as they will sound, and the one that fits the wishes best is taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from timbrespace.audio.describe import DESCRIPTORS, describe
from timbrespace.audio.pitch import hz_to_midi
from timbrespace.contracts import ConfigError
from timbrespace.prompt.ask import name_words_of
from timbrespace.prompt.choice.candidates import Pool, candidate, unlikeness
from timbrespace.prompt.choice.reference import Reference, measure_all, of_clip, reference_of
from timbrespace.prompt.choice.targets import Target, cost, targets_of
from timbrespace.prompt.reading import Reading
from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.request import DrawOptions, RenderRequest

if TYPE_CHECKING:
    from timbrespace.prompt.encoder import TextEncoder

CANDIDATES = 12  # measured for each sound
_UNLIKE = 0.5  # weight of the category against the wishes
_APART = 0.4  # weight of the distance to the compared sound, in the corpus's spread
_DUPLICATE = 0.15  # sounds of a batch nearer than this share of the usual spread are duplicates, as in `request.draw`
_SOFT, _HARD = 0.1, 0.9  # share of the learned range of velocities


def choose(
    contents: InstrumentContents, reading: Reading, count: int, options: DrawOptions, *, seed: int, given: Source | None = None,
    encoder: TextEncoder | None = None, candidates: int = CANDIDATES, progress: Callable[[int], None] | None = None,
) -> list[RenderRequest]:  # fmt: skip
    """Returns requests of `count` sounds that fit a prompt. Sound i does not depend on `count`.

    options: what is asked for beside the prompt; a pitch or velocity there wins over the prompt's. given: the sound that the prompt
    compares with, if it is no training sound. candidates: measured for each sound. progress: called with the number of sounds chosen.
    Raises ConfigError.
    """
    pools = _pools(contents, reading, options, given, encoder)
    names = sorted({wish.descriptor for wish in reading.wishes})
    sound = _compared(contents, reading, given, names)
    missing: list[str] = []
    chosen: list[RenderRequest] = []
    references: dict[str | None, Reference] = {}
    for index in range(count):
        pool = pools[index % len(pools)]
        category = pool.categories[0] if pool.categories else None
        if category not in references:
            references[category] = reference_of(contents, replace(options, category=category), names)
        targets, unmet = targets_of(reading.wishes, references[category], sound)
        missing += [one for one in unmet if one not in missing]
        pool = _with_pitch(contents, pool, targets, references[category])
        chosen.append(_best(contents, pool, targets, index, chosen, seed=seed, count=candidates))
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


def _best(
    contents: InstrumentContents, pool: Pool, targets: Sequence[Target], index: int, earlier: Sequence[RenderRequest], *, seed: int,
    count: int,
) -> RenderRequest:  # fmt: skip
    """The candidate that fits best and is not near one of `earlier`."""
    requests = [candidate(contents, pool, index, attempt, seed=seed) for attempt in range(count)]
    names = {target.name for target in targets}
    total = torch.zeros(count)
    if names:
        total = cost(measure_all(contents, requests, names), targets)
    points = torch.stack([_point(request.z) for request in requests])
    category = pool.categories[0] if pool.categories else None
    total = total + _UNLIKE * unlikeness(contents, points, category)
    if pool.near is not None:
        total = total + _APART * ((points - pool.near) / _scale(contents)).square().mean(1).sqrt()
    if not names and pool.near is None and not pool.moves:
        total = total + torch.arange(count)  # nothing to choose by: the first draw
    usual = float(contents.space.shared.diagonal().mean()) * max(pool.options.temperature, 0.05) * len(contents.space.shared) ** 0.5
    for place in total.argsort(stable=True).tolist():
        if all(float((points[place] - _point(one.z)).norm()) > _DUPLICATE * usual for one in earlier):
            return requests[place]._replace(recipe={**requests[place].recipe, "candidate": place, "candidates": count})
    return requests[int(total.argmin())]


def _point(z: Tensor) -> Tensor:
    return z.mean(1) if z.ndim > 1 else z


def _scale(contents: InstrumentContents) -> Tensor | float:
    """The spread of each latent within categories, `(dims,)`; 1 where the density is not over the latents."""
    space = contents.space
    return 1.0 if space.axes is not None or contents.model.time_varying else space.shared.norm(dim=1).clamp_min(1e-3)


def _named(request: RenderRequest, reading: Reading, index: int, seed: int) -> RenderRequest:
    """The request with the prompt in its recipe."""
    asked: dict[str, Any] = {"verb": "generate", "seed": seed, "index": index, "prompt": reading.prompt, "understood": reading.as_dict()}
    asked |= {key: request.recipe[key] for key in ("temperature", "candidate", "candidates") if key in request.recipe}
    return request._replace(recipe=asked)
