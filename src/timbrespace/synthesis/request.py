"""Render requests for new sounds, variations and interpolations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from timbrespace.model.conditioning.base import ConditionValues, Fixed
from timbrespace.noise import Noise, Purpose, seed_of
from timbrespace.synthesis import sequences
from timbrespace.synthesis.detail.mix import Mix, kept_at
from timbrespace.synthesis.detail.path import SoundPath
from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.detail_model.outliers import excess_of
from timbrespace.synthesis.encoding import EncodedSound
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.kinds import Kind
from timbrespace.synthesis.output.requested import RenderRequest

__all__ = ["DrawOptions", "RenderRequest", "draft", "draw", "interpolate", "vary"]

_TRIES = 20  # draws, after which a sound near another of its batch is accepted
_DUPLICATE = 0.15  # sounds of a batch nearer than this share of the usual spread are duplicates
_REDRAWS = 6  # draws of a sound unlike real ones, after which the least unlike is accepted
_LEAST_TEMPERATURE = 0.05  # of that spread
_ALMOST = 1 - 1e-6  # of the detail: another note than the given sound's, with all that can be kept of it


@dataclass(frozen=True)
class DrawOptions:
    """Options of new sounds.

    category: None for all of them. temperature: factor of the spread. centre: a given sound to draw around. length: in samples. pitch: MIDI
    number. velocity: 1 to 127. conditions: name -> label or number. None leaves a choice to the corpus. kind: of `centre`; the sounds
    are named by it.
    """

    category: str | None = None
    temperature: float = 1.0
    centre: Source | None = None
    length: int | None = None
    pitch: float | None = None
    conditions: ConditionValues | None = None
    kind: Kind | None = None
    velocity: float | None = None

    @property
    def is_centre(self) -> bool:
        """Whether no request differs from the sound to draw around: the result is that sound."""
        asked = self.length is not None or self.pitch is not None or self.velocity is not None or bool(self.conditions)
        return self.centre is not None and not self.temperature and not asked

    def recipe(self, sample_rate: int) -> dict[str, Any]:
        """The optional parts that are given, as plain JSON values."""
        values: dict[str, Any] = {} if self.length is None else {"seconds": self.length / sample_rate}
        values |= {} if self.pitch is None else {"pitch": self.pitch}
        values |= {} if self.velocity is None else {"velocity": self.velocity}
        values |= {} if self.kind is None else {"kind": self.kind._asdict()}
        return values | ({"conditions": dict(self.conditions)} if self.conditions else {})


class _Draw(NamedTuple):
    """A drawn sound. coordinates: its point in the space in which sounds of a batch are compared. redrawn: draws
    before it whose sounds would be unlike real ones; else as in RenderRequest."""

    coordinates: Tensor
    z: Tensor
    length: int | None
    category: str | None
    redrawn: int = 0


def draw(contents: InstrumentContents, count: int, options: DrawOptions, *, seed: int) -> list[RenderRequest]:
    """Returns requests for `count` new sounds, drawn from the density of the corpus or around `options.centre`.

    Sound i does not depend on `count`. A sound too near an earlier one of the batch is drawn again. Raises ConfigError.
    """
    fixed = contents.model.conditioning.request(
        options.conditions, category=options.category, pitch=options.pitch, velocity=options.velocity
    )
    category = options.category
    if category is None and options.conditions and options.conditions.get("category") in contents.space.categories:
        category = str(options.conditions["category"])
    extras = options.recipe(contents.sample_rate)
    requests: list[RenderRequest] = []
    earlier: list[Tensor] = []
    for index in range(count):
        drawn = _draw_distinct(contents, index, earlier, options, seed=seed, category=category, fixed=fixed)
        earlier.append(drawn.coordinates)
        recipe = {
            "verb": "generate", "seed": seed, "index": index, "asked_category": category, "temperature": options.temperature, **extras,
        }  # fmt: skip
        recipe |= {"redrawn": drawn.redrawn} if drawn.redrawn else {}
        label = drawn.category or (options.kind.category if options.kind else None)
        mix = None if options.centre is None else Mix((options.centre,), kept=_kept(options, fixed, notes=contents.notes is not None))
        requests.append(RenderRequest(drawn.z, label or "sound", label, recipe, seed_of(seed, index), drawn.length, mix))
    return requests


def draft(contents: InstrumentContents, options: DrawOptions, *, seed: int) -> RenderRequest:
    """Returns a request for one sound, drawn as `draw` does, but not drawn again where its sound would be unlike real ones: it is quick.

    For many candidates; one of them is chosen later. Raises ConfigError.
    """
    fixed = contents.model.conditioning.request(
        options.conditions, category=options.category, pitch=options.pitch, velocity=options.velocity
    )
    noise = Noise(seed, Purpose.LATENT, 0, 0)
    if options.centre is None:
        drawn = _draw_new(contents, noise, options, category=options.category, fixed=fixed)
    else:
        drawn = _draw_near(contents, noise, options, options.centre.encoded, category=options.category, fixed=fixed)
    z = contents.model.draw(drawn.z, noise, temperature=options.temperature)
    for coordinate, value in fixed.entries.items():
        z[coordinate] = value
    label = drawn.category or (options.kind.category if options.kind else None)
    mix = None if options.centre is None else Mix((options.centre,), kept=_kept(options, fixed, notes=contents.notes is not None))
    recipe = {"temperature": options.temperature, **options.recipe(contents.sample_rate)}
    return RenderRequest(z, label or "sound", label, recipe, seed_of(seed, 0), drawn.length, mix)


def _kept(options: DrawOptions, fixed: Fixed, *, notes: bool) -> float:
    """How much detail of the sound to draw around is kept; at temperature 0 and with other wishes almost all."""
    kept = kept_at(options.temperature, notes=notes)
    return kept if options.is_centre and not fixed.entries else min(kept, _ALMOST)


def vary(contents: InstrumentContents, centre: Source, count: int, *, amount: float, seed: int, name: str) -> list[RenderRequest]:
    """Returns requests for `count` variations of one sound. amount: in units of the corpus's spread. name: stem of the new names."""
    requests = []
    given = centre.encoded
    for index in range(count):
        z = given.z
        if amount:
            z = contents.model.project(_around(contents, z, Noise(seed, Purpose.VARIATION, index), amount=amount)[None])[0]
            _keep_known(contents, z, given.z)
        recipe = {"verb": "vary", "seed": seed, "index": index, "amount": amount, "of": name}
        length = given.length if contents.model.time_varying else None
        mix = Mix((centre,), kept=kept_at(amount, notes=contents.notes is not None))
        requests.append(RenderRequest(z, f"{name} varied", None, recipe, seed_of(seed, index), length, mix))
    return requests


def interpolate(contents: InstrumentContents, corners: Sequence[Source], steps: int, *, seed: int, name: str) -> list[RenderRequest]:
    """Returns requests for `steps` sounds on the straight segments through `corners`, both ends included, with one seed for all."""
    path = SoundPath(contents, corners, seed=seed_of(seed, 0))
    requests = []
    for index, position in enumerate(path.even(steps)):
        z, length = path.latent(position)
        asked = {"verb": "morph", "seed": seed, "steps": steps, "of": name, "index": index, "position": position}
        requests.append(RenderRequest(z, name, None, asked, path.seed, length, path.mix(position)))
    return requests


def _draw_distinct(
    contents: InstrumentContents, index: int, earlier: list[Tensor], options: DrawOptions, *, seed: int, category: str | None,
    fixed: Fixed,
) -> _Draw:  # fmt: skip
    """Sound `index` of a batch: the first draw that is not near one of `earlier`, the coordinates of the sounds before it.

    A draw whose sound would be beyond what real ones of its category are (hiss, haze, a slow attack) is drawn again, a few times; then
    the least of these counts. Not at a temperature over 1, which asks for unusual sounds, nor around a given sound.

    fixed: the entries of the latent that pitch and conditions of `options` fix.
    """
    model, space, centre = contents.model, contents.space, options.centre
    factor = space.shared if centre is None or not model.time_varying else sequences.trajectories_of(contents).spread
    spread = float(factor.diagonal().mean()) * max(options.temperature, _LEAST_TEMPERATURE) * factor.shape[1] ** 0.5
    if centre is not None and options.is_centre and not fixed.entries:  # exempt from the search for near-duplicates
        own = centre.encoded
        return _Draw(own.z.mean(1) if model.time_varying else own.z, own.z, own.length if model.time_varying else None, category)
    judged = centre is None and options.temperature <= 1
    best, least, redrawn, wanted = None, math.inf, 0, category
    for attempt in range(_TRIES):
        noise = Noise(seed, Purpose.LATENT, index, attempt)
        if centre is None:
            drawn = _draw_new(contents, noise, options, category=wanted, fixed=fixed)
        else:
            drawn = _draw_near(contents, noise, options, centre.encoded, category=category, fixed=fixed)
        z = model.draw(drawn.z, noise, temperature=options.temperature)
        for coordinate, value in fixed.entries.items():
            z[coordinate] = value
        coordinates = drawn.coordinates if model.time_varying and centre is None else z.mean(1) if model.time_varying else z
        found = _Draw(coordinates, z, drawn.length, drawn.category)
        if earlier and float((torch.stack(earlier) - coordinates).norm(dim=1).min()) <= _DUPLICATE * spread:
            continue
        beyond = excess_of(contents, z, drawn.category) if judged else 0.0
        if beyond < least:
            best, least = found, beyond
        if not beyond or redrawn == _REDRAWS:
            break
        redrawn, wanted = redrawn + 1, drawn.category  # of the same category, so that none gets rarer
    return (best or found)._replace(redrawn=redrawn)


def _draw_new(
    contents: InstrumentContents, noise: Noise, options: DrawOptions, *, category: str | None, fixed: Fixed
) -> _Draw:  # fmt: skip
    """One draw from the density of the corpus."""
    model = contents.model
    point, label = contents.space.draw(
        noise, category=category, temperature=options.temperature, last=fixed.last, near=fixed.entries, played=fixed.played
    )
    if not model.time_varying:
        return _Draw(point, point, None, label)
    return _Draw(point, *sequences.path_at(contents, point, options.length), label)


def _draw_near(
    contents: InstrumentContents, noise: Noise, options: DrawOptions, centre: EncodedSound, *, category: str | None,
    fixed: Fixed,
) -> _Draw:  # fmt: skip
    """One draw around a given sound, which keeps its pitch and its conditions unless others are asked for."""
    z = _around(contents, centre.z, noise, amount=options.temperature)
    _keep_known(contents, z, centre.z)
    if isinstance(fixed.last, float):
        z[-1] = fixed.last
    for coordinate, value in fixed.played.items():
        if isinstance(value, float):
            slope = contents.space.slope(options.kind.category if options.kind else category, coordinate)
            z[: contents.model.inferred_dims] += ((value - z[coordinate]) * slope)[: contents.model.inferred_dims]
            z[coordinate] = value
    if not contents.model.time_varying:
        return _Draw(z, z, None, category)
    length = centre.length if options.length is None else options.length
    return _Draw(z, *sequences.fit_path(contents, z, length), category)


def _keep_known(contents: InstrumentContents, z: Tensor, given: Tensor) -> None:
    """Copies the known dimensions (pitch, conditions) of a given latent into `z`, in place."""
    if known := contents.model.conditioning.size:
        z[-known:] = given[-known:]


def _around(contents: InstrumentContents, z: Tensor, noise: Noise, *, amount: float) -> Tensor:
    """A latent near `z`, `(dims,)` or `(dims, steps)`, with its pitch and conditions. amount: in units of the corpus's spread."""
    if contents.model.time_varying:
        return sequences.trajectories_of(contents).around(z, noise, amount=amount)
    return contents.space.around(z, noise, amount=amount, known=contents.model.conditioning.size)
