"""What is to be rendered: points and paths drawn for new sounds, and those that a recipe names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.latent.paths import line
from timbrespace.synthesis import sequences
from timbrespace.synthesis.conditions import Wanted, asked_conditions, takes_pitch
from timbrespace.synthesis.file import Contents
from timbrespace.synthesis.notes import asked_note, tempered

_TRIES = 20  # draws before a sound near another of its batch is accepted all the same
_DOUBLE = 0.15  # two sounds of a batch nearer than this share of the usual spread are doubles
_LONGEST_SECONDS = 3_600.0  # of a recipe


class Encoded(NamedTuple):
    """A sound in the latent space: `z (dims,)`, or `(dims, steps)` where it moves; its length in samples from its onset; its peak."""

    z: Tensor
    length: int
    peak: float


class RenderRequest(NamedTuple):
    """One sound to be rendered: where from, what it is called, and what its recipe says beside the latent. length: None if z holds it."""

    z: Tensor
    stem: str
    category: str | None
    recipe: dict[str, Any]
    seed: int
    length: int | None = None


def new(
    contents: Contents, count: int, *, seed: int, category: str | None, temperature: float, centre: Encoded | None, length: int | None,
    pitch: float | None = None, conditions: Wanted | None = None,
) -> list[RenderRequest]:  # fmt: skip
    """New sounds, drawn from the space, or around `centre`. length: in samples, pitch: a MIDI number, conditions: where asked for."""
    requests: list[RenderRequest] = []
    asked: dict[str, Any] = {} if length is None else {"seconds": length / contents.sample_rate}
    asked |= {} if pitch is None else {"pitch": pitch}
    asked |= {"conditions": dict(conditions)} if conditions else {}
    wanted = asked_conditions(contents.model, conditions, category=category, pitch=pitch)
    if category is None and conditions and conditions.get("category") in contents.space.categories:
        category = str(conditions["category"])
    note = None if takes_pitch(contents.model) else asked_note(contents.model, pitch)
    marks: list[Tensor] = []
    for index in range(count):
        mark, z, own, label = _draw(
            contents, index, marks, seed=seed, category=category, temperature=temperature, centre=centre, length=length, note=note,
            wanted=wanted,
        )  # fmt: skip
        marks.append(mark)
        recipe = {"verb": "generate", "seed": seed, "index": index, "asked_category": category, "temperature": temperature, **asked}
        requests.append(RenderRequest(z, label or "sound", label, recipe, mixed(seed, index), own))
    return requests


def variations(contents: Contents, centre: Encoded, count: int, *, amount: float, seed: int, name: str) -> list[RenderRequest]:
    """Neighbours of one sound."""
    requests = []
    for index in range(count):
        z = contents.model.project(_around(contents, centre.z, np.random.default_rng([seed, index]), amount=amount)[None])[0]
        _keep_told(contents, z, centre.z)
        recipe = {"verb": "vary", "seed": seed, "index": index, "amount": amount, "of": name}
        length = centre.length if contents.model.time_varying else None
        requests.append(RenderRequest(z, f"{name} varied", None, recipe, mixed(seed, index), length))
    return requests


def interpolate(contents: Contents, corners: Sequence[Encoded], steps: int, *, seed: int, name: str) -> list[RenderRequest]:
    """`steps` sounds on the straight way through `corners`."""
    points: list[tuple[Tensor, int | None]]
    if contents.model.time_varying:
        places = line(torch.arange(len(corners), dtype=torch.float64)[:, None], steps)[:, 0].tolist()
        pairs = [(min(int(place), len(corners) - 2), place) for place in places]
        ends = [(corner.z, corner.length) for corner in corners]
        points = [sequences.blended(contents, ends[first], ends[first + 1], place - first) for first, place in pairs]
    else:
        points = [(z, None) for z in line(torch.stack([corner.z for corner in corners]), steps)]
    asked = {"verb": "morph", "seed": seed, "steps": steps, "of": name}
    return [RenderRequest(z, name, None, {**asked, "index": index}, mixed(seed, 0), length) for index, (z, length) in enumerate(points)]


def from_recipe(contents: Contents, recipe: dict[str, Any]) -> tuple[RenderRequest, Any, int]:
    """The request that a recipe describes, its level and rate. Raises ConfigError when it is not a recipe of this instrument."""
    try:
        if contents.model.time_varying:
            z, length = sequences.read(recipe["latent"]), int(recipe["length"])
        else:
            z, length = torch.tensor([float(value) for value in recipe["latent"]], dtype=torch.float32), None
        request = RenderRequest(z, str(recipe["name"]), recipe["category"], dict(recipe["asked"]), int(recipe["phase_seed"]), length)
        level, out_rate = recipe["level"], int(recipe["sample_rate"])
        fits = isinstance(level, str) and (request.category is None or isinstance(request.category, str))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ConfigError(f"this is not a recipe: {type(error).__name__} {error!s:.80}; give the JSON file beside a rendered WAV") from None
    if len(z) != contents.model.dims or not z.numel() or not torch.isfinite(z).all() or not fits or not 0 <= request.seed < 2**63:
        raise ConfigError(f"the recipe does not fit this instrument: {len(z)} latent values, {contents.model.dims} expected")
    if length is not None and not 1 <= length <= _LONGEST_SECONDS * contents.sample_rate:
        raise ConfigError(f"the recipe's length is {length} samples, allowed is 1 to {_LONGEST_SECONDS:g} s")
    return request, level, out_rate


def to_recipe(contents: Contents, request: RenderRequest) -> dict[str, Any]:
    """The latent of an request as a recipe holds it, plain JSON values."""
    if contents.model.time_varying:
        return {"latent": sequences.written(request.z), "length": request.length}
    return {"latent": [float(value) for value in request.z]}


def mixed(seed: int, index: int) -> int:
    """One seed out of two, well mixed and below 2**63."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0] >> 1)


def _draw(
    contents: Contents, index: int, marks: list[Tensor], *, seed: int, category: str | None, temperature: float, centre: Encoded | None,
    length: int | None, note: float | None, wanted: Mapping[int, float],
) -> tuple[Tensor, Tensor, int | None, str | None]:  # fmt: skip
    """Sound `index`: where it lies among its batch, its latent, length and category; the first draw that is no double of `marks`."""
    model, space = contents.model, contents.space
    factor = space.shared if centre is None or not model.time_varying else sequences.trajectories(contents).spread
    spread = float(factor.diagonal().mean()) * max(temperature, 0.05) * factor.shape[1] ** 0.5
    last = note if note is not None or not model.pitched else partial(tempered, model)
    for attempt in range(_TRIES):
        rng = np.random.default_rng([seed, index, attempt])
        own: int | None = None
        if centre is None:
            mark, label = space.draw(rng, category=category, temperature=temperature, last=last, near=wanted)
            z = mark
            if model.time_varying:
                z, own = sequences.drawn(contents, mark, length)
        else:
            z, label = _around(contents, centre.z, rng, amount=temperature), category
            _keep_told(contents, z, centre.z)
            if note is not None:
                z[-1] = note
            if model.time_varying:
                z, own = sequences.fitted(contents, z, centre.length if length is None else length)
        z = model.draw(z, rng, temperature=temperature)
        for place, value in wanted.items():
            z[place] = value
        if not model.time_varying:
            mark = z
        elif centre is not None:
            mark = z.mean(1)
        if not marks or float((torch.stack(marks) - mark).norm(dim=1).min()) > _DOUBLE * spread:
            break
    return mark, z, own, label


def _keep_told(contents: Contents, z: Tensor, own: Tensor) -> None:
    """Gives a latent near a sound what is known of that sound, in place."""
    if contents.model.known_dims:
        z[-contents.model.known_dims :] = own[-contents.model.known_dims :]


def _around(contents: Contents, z: Tensor, rng: np.random.Generator, *, amount: float) -> Tensor:
    """A latent near `z`, `(dims,)` or `(dims, steps)`."""
    space = sequences.trajectories(contents) if contents.model.time_varying else contents.space
    return space.around(z, rng, amount=amount)
