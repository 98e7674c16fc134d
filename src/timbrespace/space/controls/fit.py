"""Fits the named controls of an instrument: what moves in decoded sounds when its latents move."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.audio.describe import NAMES
from timbrespace.noise import Noise, Purpose
from timbrespace.space.controls.axes import principal_axes
from timbrespace.space.controls.coordinates import Coordinates, Point
from timbrespace.space.controls.meter import Meter
from timbrespace.space.controls.solving import LONGEST_STEP, Wish, follow
from timbrespace.synthesis.controls import Controls
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.sequences import path_at

_MEASURED, _SLOPED, _TRIED = 1_000, 192, 12  # points measured, with slopes, and followed as far as they go; at most
_DECODED, _DECODED_AUDIO = 768, 240  # points moved a little, of views with levels and of others
_DRAWN = 384  # points where there are no latents
_SMALL_STEP = 0.3
_FEWEST = 8  # sounds for a statistic
_FARTHEST_SPREADS = 3.0
_CORRECTIONS = 6
_RIDGE = 0.5
_HALF = 8.0  # points of a component whose own slopes count half
_OUTER = 0.01  # share of the corpus beyond either end of a range
_GAIN = (0.5, 2.0)
# Spreads of the descriptors on their scales that are not audible: of single spectra the length is the same, and the noise is none.
_INAUDIBLE = {"brightness": 0.05, "decay": 0.2, "attack": 0.2, "noisiness": 0.1, "loudness": 0.5, "length": 0.05, "low_end": 0.5}


def fit_controls(contents: InstrumentContents, *, points: Sequence[Point] | None = None, seed: int = 0) -> Controls:
    """Returns the controls of an instrument, from its training latents, or drawn points where it has none or its latent varies in time.

    points: of the corpus in place of these. The descriptors of training sounds, where `contents.clips` has them, give spreads and ranges;
    else those of the decoded points. Nothing of a single sound is in the result.
    """
    meter, coordinates = Meter(contents), Coordinates.of(contents)
    points = _points(contents, seed) if points is None else points
    places = torch.linspace(0, len(points) - 1, min(_MEASURED, len(points))).round().long().unique().tolist()
    decoded = meter.measure([points[place] for place in places])
    spreads, lowest, highest, calibration = _statistics(contents, decoded, places)
    unit = torch.where(spreads > 0, spreads / calibration[0], 1.0)
    slopes, metric = _slopes(contents, meter, coordinates, points, unit, seed)
    controls = Controls(
        spreads, lowest, highest, calibration, torch.zeros(len(NAMES), 2), slopes, metric, **principal_axes(contents, meter, points)
    )  # fmt: skip
    reach = _reach(controls, meter, coordinates, points)
    return Controls(**(controls.tensors() | {"reach": reach}))


def stored_controls(contents: InstrumentContents) -> Controls | None:
    """Returns the controls in an instrument's file; None for an earlier version without, or held by what is inaudible."""
    controls = contents.controls
    if controls is not None and contents.model.time_varying:
        least = torch.tensor([_INAUDIBLE.get(name, 0.0) for name in NAMES])
        if bool(((controls.spreads > 0) & (controls.spreads < least)).any()):
            return None
    return controls


def _points(contents: InstrumentContents, seed: int) -> list[Point]:
    """Points of the corpus: training latents, or points drawn from the density."""
    if contents.clips is not None and not contents.model.time_varying:
        return [Point(z) for z in contents.clips.latents]
    count = _SLOPED if contents.model.time_varying else _DRAWN
    drawn = [contents.space.draw(Noise(seed, Purpose.CONTROLS, index))[0] for index in range(count)]
    if contents.model.time_varying:
        return [Point(*path_at(contents, coordinates, None)) for coordinates in drawn]
    return [Point(z) for z in contents.model.project(torch.stack(drawn))]


def _statistics(contents: InstrumentContents, decoded: Tensor, places: list[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Spreads, lowest and highest values of the corpus, and the calibration of decoded points `(n, D)`, see `Controls`."""
    described = None if contents.clips is None else contents.clips.descriptors
    paired = described is not None and not contents.model.time_varying
    spreads, lowest, highest = (torch.zeros(len(NAMES)) for _ in range(3))
    calibration = torch.stack([torch.ones(len(NAMES)), torch.zeros(len(NAMES))])
    for place in range(len(NAMES)):
        measured = decoded[:, place]
        if int(measured.isfinite().sum()) < min(_FEWEST, len(measured)):
            continue  # not a property of decoded points
        values = measured if described is None else described[:, place]
        values = values[values.isfinite()]
        if len(values) < 2:
            values = measured[measured.isfinite()]
        spreads[place] = values.double().std() if len(values) > 1 else 0.0
        if contents.model.time_varying and float(spreads[place]) < _INAUDIBLE.get(NAMES[place], 0.0):
            spreads[place] = 0.0
        lowest[place], highest[place] = torch.quantile(values.double(), torch.tensor([_OUTER, 1 - _OUTER]).double()).float()
        if paired and described is not None:
            calibration[:, place] = _calibration(measured, described[places, place])
    return spreads, lowest, highest, calibration


def _calibration(decoded: Tensor, true: Tensor) -> Tensor:
    """Factor and constant `(2,)` of the line from decoded to true values `(n,)`."""
    both = decoded.isfinite() & true.isfinite()
    if int(both.sum()) < _FEWEST:
        return torch.tensor([1.0, 0.0])
    x, y = decoded[both].double(), true[both].double()
    variance = (x - x.mean()).square().mean()
    gain = float((((x - x.mean()) * (y - y.mean())).mean() / variance).clamp(*_GAIN)) if float(variance) > 1e-9 else 1.0
    return torch.tensor([gain, float(y.mean() - gain * x.mean())])


def _slopes(
    contents: InstrumentContents, meter: Meter, coordinates: Coordinates, points: Sequence[Point], unit: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """Slopes `(components, D, rank)` in spreads and the metric `(rank, rank)`, see `Controls`.

    By regression of changes on small random steps all over the corpus; where the meter is differentiable, by the mean gradient near each
    component of the density.
    """
    rank, noise = coordinates.rank, Noise(seed, Purpose.CONTROLS, 0, 1)
    count = min(_DECODED if meter.on_levels else _DECODED_AUDIO, 24 * rank)
    chosen = [points[place] for place in torch.linspace(0, len(points) - 1, count).round().long().tolist()]
    steps = _SMALL_STEP * torch.from_numpy(noise.normal(count, rank)).float()
    (before, tiles_before), (after, tiles_after) = (meter.measure_and_tiles(some) for some in (chosen, coordinates.move_all(chosen, steps)))
    changes = ((after - before) / unit).nan_to_num(0.0)
    regressed = _regression(steps, changes).T  # (D, rank)
    metric = _metric(steps, tiles_after - tiles_before)
    if not bool(meter.has_slopes.any()):
        return regressed[None], metric
    places = torch.linspace(0, len(points) - 1, min(_SLOPED, len(points))).round().long().unique().tolist()
    near = [points[place] for place in places]
    each = (meter.slopes(near, coordinates) / unit[:, None]).clamp(-_FARTHEST_SPREADS, _FARTHEST_SPREADS)
    mean = torch.where(meter.has_slopes[:, None], each.mean(0), regressed)
    own = contents.space.coordinates(torch.stack([point.z for point in near]))
    component = components_of(contents, own)
    slopes = []
    for index in range(len(contents.space.weights)):
        members = each[component == index]
        share = len(members) / (len(members) + _HALF) if len(members) else 0.0
        local = share * members.mean(0) + (1 - share) * mean if len(members) else mean
        slopes.append(torch.where(meter.has_slopes[:, None], local, mean))
    return torch.stack(slopes), metric


def components_of(contents: InstrumentContents, coordinates: Tensor) -> Tensor:
    """Returns the nearest component of the density of each of `coordinates (n, axes)`, `(n,)`, by the pooled covariance."""
    apart = (coordinates[:, None] - contents.space.means).flatten(0, 1).T
    distances = torch.linalg.solve_triangular(contents.space.shared, apart, upper=False).square().sum(0)
    return distances.reshape(len(coordinates), -1).argmin(1)


def _regression(steps: Tensor, changes: Tensor) -> Tensor:
    """Slopes `(rank, D)` of changes `(n, D)` on steps `(n, rank)`, without a constant; ridge."""
    x, y = steps.double(), changes.double()
    scale = x.square().sum(0).mean()
    return torch.linalg.solve(x.T @ x + _RIDGE / len(x) * scale * torch.eye(x.shape[1]).double(), x.T @ y).float()


def _metric(steps: Tensor, changes: Tensor) -> Tensor:
    """Mean squared changes in dB a unit of every coordinate, `(rank, rank)`, of tiles `(n, tiles)` changed by steps `(n, rank)`.

    Of the model change = step · J: J'J, with J regressed over all sounds; and what that leaves, as much in every direction.
    """
    slopes = _regression(steps, changes).double()  # (rank, tiles)
    left = (changes.double() - steps.double() @ slopes).square().mean()
    apart = left / steps.double().square().sum(1).mean()
    return (slopes @ slopes.T / slopes.shape[1] + apart * torch.eye(len(slopes)).double()).float()


def _reach(controls: Controls, meter: Meter, coordinates: Coordinates, points: Sequence[Point]) -> Tensor:
    """How far sounds can typically be moved down and up, `(D, 2)`, in spreads: followed to where the descriptor no longer moves."""
    tried = [points[place] for place in torch.linspace(0, len(points) - 1, min(_TRIED, len(points))).round().long().unique().tolist()]
    before = meter.measure(tried)
    slopes = slopes_at(controls, coordinates.contents, tried)
    reach = torch.zeros(len(NAMES), 2)
    measurable = (controls.spreads > 0) & before.isfinite().any(0)
    pitch = NAMES.index("pitch")

    def changes(steps: Tensor) -> Tensor:
        return (meter.measure(coordinates.move_all(tried, steps)) - before) / controls.unit

    for place in measurable.nonzero()[:, 0].tolist():
        if place == pitch:  # of a model that knows it: a condition, not a direction
            low, high = float(controls.lowest[place]), float(controls.highest[place])
            reach[place] = torch.tensor([-1.0, 1.0]) * min(_FARTHEST_SPREADS, (high - low) / float(controls.spreads[place]))
            continue
        asked = torch.arange(len(NAMES)) == place
        held = measurable & ~asked & (torch.arange(len(NAMES)) != pitch)
        for side, sign in enumerate((-1.0, 1.0)):
            wanted = torch.where(asked, sign * _FARTHEST_SPREADS, 0.0).expand(len(tried), -1)
            found = follow(
                changes, slopes, controls.metric, Wish(wanted, asked, held), corrections=_CORRECTIONS, farthest=farthest_of(coordinates),
                longest=LONGEST_STEP * coordinates.apart,
            )  # fmt: skip
            far = (sign * found.changes[:, place]).clamp(0, _FARTHEST_SPREADS)
            reach[place, side] = sign * float(torch.quantile(far, 0.75))
    return (reach * 10).trunc() / 10


def farthest_of(coordinates: Coordinates) -> float:
    """Returns the length of the longest step: as far as one sound of the corpus is from another of its kind."""
    return float(coordinates.rank**0.5) * coordinates.apart


def slopes_at(controls: Controls, contents: InstrumentContents, points: Sequence[Point]) -> Tensor:
    """Returns the stored slopes `(points, D, rank)` near points."""
    if len(controls.slopes) == 1:
        return controls.slopes.expand(len(points), -1, -1)
    return controls.slopes[components_of(contents, contents.space.coordinates(torch.stack([point.z for point in points])))]
