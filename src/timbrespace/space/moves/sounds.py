"""Moves between given sounds: lines, arcs, splines, drawn curves; weighted mixes; more like these, less like those; attack and tail."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, Parameter
from timbrespace.latent import paths
from timbrespace.noise import seed_of
from timbrespace.space.moves.move import Move, Point
from timbrespace.space.moves.points import centre_of, given_point, moved, near_point
from timbrespace.synthesis.detail.mix import Mix
from timbrespace.synthesis.detail.path import SoundPath
from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.sequences import fit_path

WAYS: dict[str, Callable[[Sequence[Tensor], float], Tensor]] = {"line": paths.between, "slerp": paths.arc, "spline": paths.spline}
BEYOND = 1.3  # how far a curve may go beyond the first and the last sound, in steps from one sound to the next
WEIGHT = Parameter("weight", -4.0, 4.0, 1.0, help="share of a sound in a mix; below 0: less of it")
STRENGTH = Parameter("amount", 0.0, 4.0, 1.0, help="how far towards the wanted sounds; 1: as far as they are from the others")
SWITCH = Parameter("at", 0.0, 60.0, 0.05, "s", help="time from the onset at which the attack of one sound gives way to the tail of another")
_SAME = 1e-9
_SWITCH_SECONDS = 0.06  # duration of that


class Way:
    """The way through given sounds. A position is 0 at the first, 1 at the second, and so on; under 0 and beyond the last it goes on."""

    def __init__(self, contents: InstrumentContents, sources: Sequence[Source], kind: str):
        """kind: one of `WAYS`. Raises ConfigError."""
        if kind not in WAYS:
            raise ConfigError(f"the way is {kind!r}, allowed are {', '.join(WAYS)}")
        if len(sources) < 2:
            raise ConfigError(f"a way needs two sounds or more, not {len(sources)}")
        self.contents, self.sources, self.kind, self.last = contents, tuple(sources), WAYS[kind], len(sources) - 1

    def at(self, position: float) -> Point:
        """Returns the point at a position."""
        nearest = round(position)
        if 0 <= nearest <= self.last and abs(position - nearest) <= _SAME:
            return given_point(self.contents, self.sources[nearest])
        z, length = self._latent(position)
        if not 0 < position < self.last:
            source = self.sources[0 if position < 0 else -1]
            return near_point(self.contents, source, self.contents.model.project(z[None])[0], length=length)
        first, share = paths.segment(len(self.sources), position)
        return Point(z, length, Mix((self.sources[first], self.sources[first + 1]), share))

    def _latent(self, position: float) -> tuple[Tensor, int | None]:
        encoded = [source.encoded for source in self.sources]
        if not self.contents.model.time_varying:
            return self.kind([one.z for one in encoded], position), None
        first, share = paths.segment(len(encoded), position)
        lengths = [math.log(encoded[first + k].length) for k in (0, 1)]
        length = max(1, min(round(math.exp(lengths[0] + share * (lengths[1] - lengths[0]))), 4 * max(one.length for one in encoded)))
        return self.kind([fit_path(self.contents, one.z, length)[0] for one in encoded], position), length


def way_move(
    contents: InstrumentContents, sources: Sequence[Source], steps: int, *, kind: str, seed: int, name: str, even: bool = True
) -> Move:
    """Returns the move from the first sound to the last in `steps` sounds. even: equally far apart, as `morph` does. Raises ConfigError."""
    way = Way(contents, sources, kind)
    last = way.last
    if even and kind == "line":
        positions = SoundPath(contents, sources, seed=seed_of(seed, 0)).even(steps)
    else:
        positions = [last * k / (steps - 1) for k in range(steps)] if steps > 1 else [0.0]
    points = tuple(_labelled(way.at(position), position) for position in positions)
    asked = {"verb": "morph", "move": kind, "seed": seed, "steps": steps, "of": name}
    return Move(contents, name, asked, points, lambda p: way.at(p * last), seed, segments=last, even=True)


def _labelled(point: Point, position: float) -> Point:
    return point._replace(label=f"{position:.2f}", asked={"position": position})


def curve_move(
    contents: InstrumentContents, sources: Sequence[Source], values: Sequence[float], steps: int, *, kind: str, seed: int, name: str
) -> Move:
    """Returns the move whose position among given sounds follows `values`, evenly spread over the time and straight between them.

    values: 0 is the first sound, 1 the second …; up to 1.3 beyond the ends. Raises ConfigError.
    """
    way = Way(contents, sources, kind)
    limit = Parameter("a value of the curve", -BEYOND, way.last + BEYOND, 0.0)
    checked = [limit.check(value) for value in values]
    if len(checked) < 2:
        raise ConfigError(f"a curve needs two values or more, not {len(checked)}; for instance 0, 1.3, 0.5")
    times = [k / (steps - 1) for k in range(steps)] if steps > 1 else [0.0]
    points = tuple(_labelled(way.at(paths.curve(checked, time)), paths.curve(checked, time)) for time in times)
    asked = {"verb": "explore", "move": "curve", "way": kind, "values": checked, "seed": seed, "steps": steps, "of": name}
    segments = len(checked) - 1
    return Move(contents, name, asked, points, lambda p: way.at(paths.curve(checked, p)), seed, segments=segments)


def mix_point(contents: InstrumentContents, sources: Sequence[Source], weights: Sequence[float], *, around: Point | None = None) -> Point:
    """Returns the weighted mix `c + sum of weight * (sound - c)` about the mean `c` of the corpus; c cancels where weights sum to 1.

    A single sound of weight 1 is that sound. Weights of 0 to 1 that sum to 1 mix the detail of the two heaviest sounds; else the detail
    is that of the nearest. around: another c.
    """
    centre = centre_of(contents) if around is None else around
    points, length = [source.encoded.z for source in sources], None
    middle = centre.z
    if contents.model.time_varying:
        assert centre.length is not None
        logs = [math.log(source.encoded.length) - math.log(centre.length) for source in sources]
        wanted = math.log(centre.length) + sum(weight * log for weight, log in zip(weights, logs, strict=True))
        longest = 4 * max(source.encoded.length for source in sources)
        length = max(1, round(min(math.exp(min(wanted, 30.0)), longest)))
        points = [fit_path(contents, point, length)[0] for point in points]
        middle = fit_path(contents, middle, length)[0]
    heavy = [k for k, weight in enumerate(weights) if abs(weight) > _SAME]
    if len(heavy) == 1 and abs(weights[heavy[0]] - 1) <= _SAME:
        return given_point(contents, sources[heavy[0]])
    change = sum((weight * (point - middle) for weight, point in zip(weights, points, strict=True)), torch.zeros_like(middle))
    z = contents.model.project((middle + change)[None])[0]
    if abs(sum(weights) - 1) <= 1e-6 and min(weights) >= 0:
        one, two = sorted(sorted(heavy, key=lambda k: -weights[k])[:2])
        return Point(z, length, Mix((sources[one], sources[two]), weights[two] / (weights[one] + weights[two])))
    candidates = [near_point(contents, source, z, length=length) for source in sources]
    return max(candidates, key=lambda point: point.mix.kept if point.mix is not None else 0.0)


def mix_move(
    contents: InstrumentContents, sources: Sequence[Source], weights: Sequence[float], steps: int, *, seed: int, name: str
) -> Move:
    """Returns a weighted mix; with more `steps` than one, those from the heaviest sound to it. Raises ConfigError."""
    checked = [WEIGHT.check(weight) for weight in weights]
    if not checked or len(checked) != len(sources):
        raise ConfigError(f"a mix needs a weight for each sound, not {len(checked)} for {len(sources)}")
    if not any(checked):
        raise ConfigError("all weights of the mix are 0; give at least one sound another weight")
    heaviest = max(range(len(checked)), key=lambda k: checked[k])

    def at(position: float) -> Point:
        shares = [weight * position + (1 - position) * (k == heaviest) for k, weight in enumerate(checked)]
        return mix_point(contents, sources, shares)

    places = [k / (steps - 1) for k in range(steps)] if steps > 1 else [1.0]
    points = tuple(at(place)._replace(label=f"{place:.2f}", asked={"strength": place}) for place in places)
    asked = {"verb": "explore", "move": "mix", "weights": checked, "seed": seed, "steps": steps, "of": name}
    return Move(contents, name, asked, points, at, seed, even=True)


def more_less_move(
    contents: InstrumentContents, more: Sequence[Source], less: Sequence[Source], steps: int, *, start: Source | None, amount: float,
    seed: int, name: str,
) -> Move:  # fmt: skip
    """Returns steps from a sound on towards the mean of some sounds and away from the mean of others.

    more, less: at least one sound in all; the mean of the corpus takes the place of missing ones. start: a given sound; None: the first
    of `more`, else the mean of the corpus. amount: of the last step, in distances between the two means. Raises ConfigError.
    """
    amount = STRENGTH.check(amount)
    if not more and not less:
        raise ConfigError("more and less name no sound; give at least one that the new sounds are to be more, or less, like")
    centre = centre_of(contents)
    begin = start if start is not None else (more[0] if more else None)
    origin = centre if begin is None else given_point(contents, begin)

    def mean(sources: Sequence[Source]) -> Tensor:
        zs = [source.encoded.z for source in sources] or [centre.z]
        if contents.model.time_varying:
            zs = [fit_path(contents, z, origin.length)[0] for z in zs]
        return torch.stack(zs).mean(0)

    direction = mean(more) - mean(less)

    def at(position: float) -> Point:
        z = moved(contents, origin.z, amount * position * direction)
        return Point(z, origin.length) if begin is None else near_point(contents, begin, z, length=origin.length)

    places = [k / (steps - 1) for k in range(steps)] if steps > 1 else [1.0]
    points = tuple(at(place)._replace(label=f"{amount * place:.2f}", asked={"amount": amount * place}) for place in places)
    asked: dict[str, Any] = {"verb": "explore", "move": "more and less", "seed": seed, "steps": steps, "of": name}
    return Move(contents, name, asked, points, at, seed, even=True)


def attack_tail_move(
    contents: InstrumentContents, attack: Source, tail: Source, *, at: float | None, kind: str, seed: int, name: str
) -> Move:
    """Returns the move that is one sound with the attack of one and the tail of another.

    at: seconds from the onset where one gives way to the other, within 60 ms; None: 40 ms after the attack's loudest frames. The sound is
    as long as the second. Raises ConfigError.
    """
    way, rate = Way(contents, [attack, tail], kind), contents.sample_rate
    over = 0.0 if attack.detail is None else attack.detail.timing.attack * contents.representation.hop / rate
    middle = over + 0.04 + _SWITCH_SECONDS / 2 if at is None else SWITCH.check(at)
    length = tail.encoded.length
    if not middle * rate < length:
        raise ConfigError(f"at is {middle:.3f} s, and the tail's sound ends after {length / rate:.3f} s; give an earlier time")
    start = max(0, round((middle - _SWITCH_SECONDS / 2) * rate))
    window = (min(start, length - 2), min(length - 1, start + round(_SWITCH_SECONDS * rate)))
    asked: Mapping[str, Any] = {"verb": "explore", "move": "attack and tail", "at": middle, "seed": seed, "of": name}
    points = (way.at(0.0), way.at(1.0))
    return Move(contents, name, asked, points, way.at, seed, even=False, seconds=length / rate, window=window, only_as_one=True)
