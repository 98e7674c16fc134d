"""Axes of the latent space, and moves along one or two of them: latent dimensions, principal axes of the density, and named controls.

The principal axes of `instrument.axes` are in another order, by what they change in the decoded sound, and at most eight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.latent.trajectories import restore_path
from timbrespace.noise import seed_of
from timbrespace.space.controls.requests import steer_requests, steer_source
from timbrespace.space.controls.steer import controls_of, steering_of
from timbrespace.space.moves import values
from timbrespace.space.moves.move import Move, Point, through
from timbrespace.space.moves.points import moved, near_point, origin_point
from timbrespace.space.moves.values import HIGH, LOW, check_cells, check_two, is_control, read_axis, values_between
from timbrespace.synthesis import sequences
from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.request import RenderRequest


@dataclass(frozen=True)
class Axis:
    """A direction to move along.

    name: "z3", "pc1" or that of a control. unit: of its values. change: the change `(dims,)` or `(dims, steps)` of a latent for a value;
    None of a control, whose path is curved. low, high: its usual range.
    """

    name: str
    unit: str
    change: Callable[[Tensor, float], Tensor] | None
    low: float = LOW
    high: float = HIGH


def axis_names(contents: InstrumentContents) -> list[str]:
    """Returns the names of all axes: latent dimensions z1 …, principal axes pc1 …, named controls."""
    numbered = [f"z{k + 1}" for k in range(contents.model.dims)] + [f"pc{k + 1}" for k in range(principal_count(contents))]
    return numbered + [control.name for control in controls_of(contents)]


def find_axis(contents: InstrumentContents, name: str | int) -> Axis:
    """Returns an axis: a latent dimension by its number from 1 ("3", "z3"), a principal axis ("pc2"), or a control ("brightness").

    Raises ConfigError.
    """
    if is_control(name):
        return control_axis(contents, str(name))
    found = read_axis(name, dims=contents.model.dims, principal=principal_count(contents))
    return principal_axis(contents, found.number) if found.principal else dimension_axis(contents, found.number)


def control_axis(contents: InstrumentContents, name: str) -> Axis:
    """Returns the axis of a named control, whose values are amounts in spreads. Raises ConfigError where the instrument lacks it."""
    (wish,) = steering_of(contents).read({name: 0.0})
    return Axis(wish.control.name, "spreads", None, wish.control.low, wish.control.high)


def dimension_axis(contents: InstrumentContents, number: int) -> Axis:
    """Returns latent dimension `number`, from 0: a value is added to it, of a time-varying latent at every step."""

    def change(z: Tensor, value: float) -> Tensor:
        result = torch.zeros_like(z)
        result[number] = value
        return result

    return Axis(f"z{number + 1}", "latent units", change)


def principal_count(contents: InstrumentContents) -> int:
    """Returns the number of principal axes."""
    if contents.model.time_varying:
        return len(sequences.trajectories_of(contents).basis)
    return contents.space.means.shape[1] - (contents.model.conditioning.size if contents.space.axes is None else 0)


def principal_axis(contents: InstrumentContents, number: int) -> Axis:
    """Returns principal axis `number`, from 0, in standard deviations of the corpus along it.

    Of whole clips: an eigenvector of the covariance of the density, known entries (pitch, conditions) left out, so that a stripped
    instrument has the same. Of a time-varying latent: a principal component of the paths, see `Trajectories`.
    """
    unit, name = "standard deviations", f"pc{number + 1}"
    if contents.model.time_varying:
        trajectories = sequences.trajectories_of(contents)
        points = trajectories.basis[number] * trajectories.scale[number]

        def path(z: Tensor, value: float) -> Tensor:
            return value * restore_path(points, torch.linspace(0, 1, z.shape[1]))

        return Axis(name, unit, path)
    direction = principal_directions(contents)[number]
    return Axis(name, unit, lambda z, value: value * direction)


def principal_directions(contents: InstrumentContents) -> Tensor:
    """Returns the principal axes of the density of whole clips `(count, dims)`, each as long as its standard deviation, largest first."""
    space = contents.space
    means, factors, weights = (tensor.double().cpu().numpy() for tensor in (space.means, space.factors, space.weights))
    known = means.shape[1] - principal_count(contents)
    directions = torch.from_numpy(values.principal_directions(means, factors, weights, known=known))
    return (directions if space.axes is None else directions @ space.axes.double()).float()


def axis_move(
    contents: InstrumentContents, names: Sequence[str | int], steps: int, *, low: float | None, high: float | None, source: Source | None,
    category: str | None, seed: int, name: str,
) -> Move:  # fmt: skip
    """Returns the sounds along one axis at a time, from `low` to `high`, the others as they are at the start (source B).

    low, high: None: the range of each axis, -4 to 4, of a control what sounds of the instrument reach. The start is a given sound, the
    middle of a category, or the middle of the space. Raises ConfigError.
    """
    axes = [find_axis(contents, one) for one in names]
    if not axes:
        raise ConfigError("no axis is named; give one or more, such as z1, pc1 or brightness")
    check_cells(len(axes) * steps)
    places = [(axis, value) for axis in axes for value in _values(axis, low, high, steps)]
    origin = origin_point(contents, source=source, category=category)
    points = tuple(_point(contents, origin, [place], source, seed) for place in places)
    asked: dict[str, Any] = {"verb": "explore", "move": "axis", "axes": [a.name for a in axes], "seed": seed, "steps": steps, "of": name}
    way = through(contents, points)
    if len(axes) == 1 and axes[0].change is not None:
        first, spread = places[0][1], places[-1][1] - places[0][1]

        def way(position: float) -> Point:
            return _point(contents, origin, [(axes[0], first + spread * position)], source, seed)

    return Move(
        contents, f"{name} {' '.join(a.name for a in axes[:4])}", asked, points, way, seed, segments=len(points) - 1 or 1, even=True,
        grid=(len(axes), steps), seconds=4.0,
    )  # fmt: skip


def mesh_move(
    contents: InstrumentContents, across: str | int, up: str | int, steps: tuple[int, int], *, low: float | None,
    high: float | None, source: Source | None, category: str | None, seed: int, name: str,
) -> Move:  # fmt: skip
    """Returns the sounds of a mesh of two axes, row by row: `across` grows to the right, `up` from the last row to the first (source E).

    steps: columns and rows. low, high: see `axis_move`. As one sound it goes through the rows to and fro. Raises ConfigError.
    """
    columns, rows = steps
    check_cells(columns * rows)
    one, two = find_axis(contents, across), find_axis(contents, up)
    check_two(one.name, two.name)
    origin = origin_point(contents, source=source, category=category)
    xs, ys = _values(one, low, high, columns), _values(two, low, high, rows)[::-1]
    points = tuple(_point(contents, origin, [(one, x), (two, y)], source, seed) for y in ys for x in xs)
    order = [points[r * columns + (c if r % 2 == 0 else columns - 1 - c)] for r in range(rows) for c in range(columns)]
    asked: dict[str, Any] = {"verb": "explore", "move": "mesh", "axes": [one.name, two.name], "seed": seed, "of": name}
    return Move(
        contents, f"{name} {one.name} {two.name}", asked, points, through(contents, tuple(order)), seed, segments=max(1, len(points) - 1),
        even=True, grid=(rows, columns), seconds=max(4.0, 0.25 * len(points)),
    )  # fmt: skip


def _values(axis: Axis, low: float | None, high: float | None, steps: int) -> list[float]:
    """Even values of an axis, from `low` to `high`, or over its usual range. Raises ConfigError."""
    return values_between(axis.low if low is None else low, axis.high if high is None else high, steps)


def _point(
    contents: InstrumentContents, origin: Point, values: Sequence[tuple[Axis, float]], source: Source | None, seed: int
) -> Point:  # fmt: skip
    """The point at values of axes: moved along straight ones, then steered by controls."""
    label = ", ".join(f"{axis.name} {value:+.2g}" for axis, value in values)
    asked = {"values": {axis.name: value for axis, value in values}}
    straight = [axis.change(origin.z, value) for axis, value in values if axis.change is not None and value]
    wishes = {axis.name: value for axis, value in values if axis.change is None and value}
    change = sum(straight, torch.zeros_like(origin.z))
    point = origin._replace(label=label, asked=asked)
    if bool(change.any()):
        z = moved(contents, origin.z, change, keep_known=False)
        point = Point(z, origin.length, None, label, asked, origin.category)
        if source is not None:
            point = near_point(contents, source, z, length=origin.length, label=label, asked=asked)
    if not wishes:
        return point
    if source is not None and not straight:
        request = steer_source(contents, source, wishes, seed=seed, name=label)  # the same sound as `steer` makes
    else:
        (request,) = steer_requests(contents, [RenderRequest(point.z, label, None, {}, seed_of(seed, 0), point.length, point.mix)], wishes)
    reached = {"wished": request.recipe["wished"], "reached": request.recipe["reached"]}
    return Point(request.z, request.length, request.mix, label, asked | reached, origin.category)
