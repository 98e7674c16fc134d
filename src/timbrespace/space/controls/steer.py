"""Steers points of the latent space: the shortest step that fulfils wishes, corrected by measuring what it does."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from timbrespace.audio.describe import NAMES
from timbrespace.audio.pitch_estimation import hz_to_midi
from timbrespace.contracts import ConfigError
from timbrespace.model.base import Model
from timbrespace.space.controls import solving
from timbrespace.space.controls.coordinates import Coordinates, Point
from timbrespace.space.controls.fit import farthest_of, fit_controls, slopes_at, stored_controls
from timbrespace.space.controls.meter import Meter
from timbrespace.space.controls.wishes import Wish, Wishes, read_wishes
from timbrespace.synthesis.controls import Control, Controls
from timbrespace.synthesis.detail.near import core_of
from timbrespace.synthesis.file.contents import InstrumentContents, TrainingClips

CORRECTIONS, QUICK = 5, 1  # measurements of levels after the first, with slopes of the point itself; for quick answers
_NEAR_END, _FARTHEST = 0.1, 2.0  # of the way between two steps: at least from either end, at most beyond the first
_HARDLY = 0.1  # of a wish: less is no progress
_BY_LEVELS, _MISSED = 2, 0.15  # corrections by levels; spreads: a miss from which slopes of the point itself are worth their time
# Times that the finished sound corrects the wish, while it is further from it than this, in spreads: each takes as long as a sound.
_GOOD_ENOUGH = (0.05, 0.06, 0.1, 0.15)
_PITCH, _LENGTH = NAMES.index("pitch"), NAMES.index("length")

Measured = Callable[[Point, Tensor], Tensor]  # a point and the step that led to it -> (D,): descriptors, or changes of them


class Steered(NamedTuple):
    """A steered point.

    step: in coordinates. changes `(D,)`: of the descriptors, in spreads, as measured on decoded or finished sound. wished `(D,)`: of those
    asked, NaN for others.
    """

    point: Point
    step: Tensor
    changes: Tensor
    wished: Tensor

    def reached(self, wishes: Sequence[Wish]) -> dict[str, float]:
        """Returns the change of every control that was asked for, in spreads."""
        return {wish.control.name: round(float(self.changes[NAMES.index(wish.control.name)]), 3) for wish in wishes}


class Steering:
    """Steers the latents of one instrument. controls: stored in its file, or fitted here where it has none."""

    def __init__(self, contents: InstrumentContents):
        self.contents = contents
        self.meter, self.coordinates = Meter(contents, core=core_of(contents)), Coordinates.of(contents)
        self.controls: Controls = stored_controls(contents) or fit_controls(contents)
        self.offered: list[Control] = self.controls.offered()
        names = {control.name for control in self.offered}
        self.held = torch.tensor([name in names and name != "pitch" for name in NAMES])

    def read(self, asked: Wishes) -> list[Wish]:
        """Returns wishes of this instrument, see `read_wishes`. Raises ConfigError."""
        return read_wishes(asked, self.offered)

    def steer(
        self, point: Point, wishes: Sequence[Wish], *, places: Tensor | None = None, levels: Measured | None = None,
        measure: Measured | None = None, corrections: int = CORRECTIONS,
    ) -> Steered:  # fmt: skip
        """Returns a point with the wishes fulfilled as far as it goes.

        places `(D,)`: of the sound on the descriptors' scales, for targets; None: estimated from the point. levels: changes in spreads of
        the levels that the point becomes with the detail of a given sound, to correct by; None: those of the decoded point. measure: of the
        finished sound, to correct what levels do not show, where places are measured too; None: levels alone. corrections: how often
        the step is corrected by measuring levels, then again with slopes of the point itself where that is not enough; up to QUICK:
        without these; 0: the stored slopes alone.
        """
        if places is None:
            needed = any(wish.target is not None for wish in wishes)
            places = self.controls.to_sound(self.meter.measure([point])[0]) if needed else torch.full((len(NAMES),), math.nan)
        wished = self._wished(wishes, places)
        start = self._with_pitch(point, wishes, places)
        asked = wished.isfinite()
        asked[_PITCH] = False
        found = solving.Followed(torch.zeros(1, self.coordinates.rank), torch.zeros(1, len(NAMES)))
        if bool(wished[asked].any()):  # more than a pitch
            wish = solving.Wish(wished.nan_to_num(0.0)[None], asked, self._held(asked, pitch=start is not point))
            found = self._followed(wish, point, start, places, levels, measure, corrections)
        step, changes = found.steps[0], found.changes[0].clone()
        changes[_PITCH] = wished[_PITCH].nan_to_num(0.0)
        moved = self.coordinates.move(start, step) if bool(step.any()) else start
        return Steered(moved, step, changes, wished)

    def distance(self, step: Tensor) -> float:
        """Returns the length of a step in units of the corpus's spread, as the amount of a variation."""
        return float(step.norm()) / self.coordinates.rank**0.5

    @property
    def _longest(self) -> float:
        return solving.LONGEST_STEP * self.coordinates.apart

    def _held(self, asked: Tensor, *, pitch: bool) -> Tensor:
        """The descriptors that are to stay; another pitch moves the spectrum with it, as instruments do."""
        held = self.held & ~asked
        return held & torch.tensor([name not in ("brightness", "low_end") for name in NAMES]) if pitch else held

    def _followed(
        self, wish: solving.Wish, point: Point, start: Point, places: Tensor, levels: Measured | None, measure: Measured | None,
        corrections: int,
    ) -> solving.Followed:  # fmt: skip
        """The step for a wish, and the changes that it makes of levels, or as `measure` finds them, from `places (D,)`.

        The changes are measured on levels, which is quick; what the finished sound makes of them is measured after that, and the wish is
        changed by the difference.
        """
        slopes = slopes_at(self.controls, self.contents, [start])
        if not corrections:
            step = solving.shortest_step(
                slopes, self.controls.metric, wish, torch.zeros(1, len(self.coordinates.directions)), 0 * wish.changes
            )
            step = step * min(1.0, farthest_of(self.coordinates) / max(1e-9, float(step.norm())))
            return solving.Followed(step, (slopes @ step[:, :, None])[:, :, 0])
        changes_of = self._changes(point, start, levels)
        found = self._by_levels(changes_of, slopes, wish, start, corrections, last=measure is None)
        return found if measure is None else self._by_sound(found, wish, start, places, measure, changes_of)

    def _by_sound(
        self, found: solving.Followed, wish: solving.Wish, start: Point, places: Tensor, measure: Measured, changes_of: solving.Measure
    ) -> solving.Followed:  # fmt: skip
        """A step corrected by what it does to the finished sound.

        Where held descriptors stray on the finished sound, slopes make up for them once. After that, of one asked descriptor, on the line
        of the steps so far; else with slopes, which every measurement corrects, as in `solving.follow`.
        """
        spreads = torch.where(self.controls.spreads > 0, self.controls.spreads, 1.0)
        best = solving.Followed(torch.zeros_like(found.steps), torch.zeros_like(wish.changes))  # step 0: nothing changes
        if bool(wish.asked[_LENGTH]):  # the sound may be cut where it is asked to end
            still = ((measure(start, found.steps[0] * 0) - places) / spreads).nan_to_num(0.0)[None]
            best = best._replace(changes=still)
        known, before, single = [(_progress(best.changes, wish), best)], best, int(wish.asked.sum()) == 1
        for turn in range(len(_GOOD_ENOUGH) + 1):
            step = found.steps[0]
            true = ((measure(self.coordinates.move(start, step), step) - places) / spreads)[None]
            true = torch.where(true.isfinite(), true, found.changes)  # not a property of the finished sound, or left to its levels
            now = solving.Followed(found.steps, true, found.slopes)
            if float(solving.misfit(true, found.steps, wish)) < float(solving.misfit(best.changes, best.steps, wish)):
                best = now
            strays = turn == 0 and bool(((wish.changes - true).abs()[:, wish.held] > solving.HELD).any())
            if turn == len(_GOOD_ENOUGH) or (not strays and solving.missed_by(true, wish) <= _GOOD_ENOUGH[turn]):
                break
            known.append((_progress(true, wish), now))
            if single and not strays and (ahead := _on_line(known)) is not None:
                found = ahead
                continue
            now, before = solving.learned(now, before) if turn else now, now
            found = solving.next_step(now, self.controls.metric, wish, farthest=farthest_of(self.coordinates), longest=self._longest)
        return best

    def _changes(self, point: Point, start: Point, levels: Measured | None) -> solving.Measure:
        """A measure of steps from `start`: changes `(1, D)` of levels, in spreads; None: of the decoded points, against that of `point`."""
        if levels is not None:
            return lambda steps: levels(self.coordinates.move(start, steps[0]), steps[0])[None]
        before, unit = self.meter.measure([point])[0], self.controls.unit
        return lambda steps: ((self.meter.measure([self.coordinates.move(start, steps[0])])[0] - before) / unit)[None]

    def _by_levels(
        self, changes_of: solving.Measure, slopes: Tensor, wish: solving.Wish, start: Point, corrections: int, *, last: bool
    ) -> solving.Followed:  # fmt: skip
        """The step with stored slopes; where that is not enough, on from there with slopes of the point that it leads to.

        last: whether nothing corrects it after that.
        """
        smooth, enough = self.meter.has_slopes & wish.asked, solving.TOLERANCE if last else _MISSED
        first = self._led(changes_of, slopes, wish, corrections=corrections if last else min(corrections, _BY_LEVELS))
        if corrections <= QUICK or solving.missed_by(first.changes, wish) <= enough or not bool(smooth.any()):
            return first
        near = self.coordinates.move(start, first.steps[0])
        own = self.meter.slopes([near], self.coordinates, only=smooth) / self.controls.unit[:, None]
        first = first._replace(slopes=torch.where(smooth[:, None], own, slopes if first.slopes is None else first.slopes))
        return self._led(changes_of, slopes, wish, corrections=corrections, start=first)

    def _led(
        self, changes_of: solving.Measure, slopes: Tensor, wish: solving.Wish, *, corrections: int, start: solving.Followed | None = None
    ) -> solving.Followed:  # fmt: skip
        """The step that `solving.follow` finds, which ends as soon as the asked descriptors are near enough."""
        far, metric = farthest_of(self.coordinates), self.controls.metric
        return solving.follow(
            changes_of, slopes, metric, wish, corrections=corrections, farthest=far, start=start, held=True, longest=self._longest
        )

    def _wished(self, wishes: Sequence[Wish], places: Tensor) -> Tensor:
        """Changes `(D,)` in spreads, NaN where no change is requested. Raises ConfigError where the sound has no such descriptor."""
        wished = torch.full((len(NAMES),), math.nan)
        for wish in wishes:
            place = NAMES.index(wish.control.name)
            if wish.target is not None and not math.isfinite(float(places[place])):
                raise ConfigError(
                    f"{wish.control.name} is to be {wish.text}, but the sound has none that can be measured; give an amount in spreads"
                )
            wished[place] = wish.spreads(float(places[place]))
        return wished

    def _with_pitch(self, point: Point, wishes: Sequence[Wish], places: Tensor) -> Point:
        """The point at the pitch that is asked for, which is a condition of the model; the same point without such a wish."""
        wish = next((one for one in wishes if one.control.name == "pitch"), None)
        if wish is None:
            return point
        conditioning = self.contents.model.conditioning
        held = conditioning.pitch_of(point.z if point.z.ndim == 1 else point.z.mean(1))
        now = float(places[_PITCH]) if held is None else math.log2(440.0) + (held - 69) / 12
        midi = hz_to_midi(2 ** (now + wish.spreads(now) * wish.control.spread))
        fixed = conditioning.request(None, category=None, pitch=midi)
        z = point.z.clone()
        entries = dict(fixed.entries) | ({-1: fixed.last} if isinstance(fixed.last, float) else {})
        for place, value in entries.items():
            z[place] = value
        return point._replace(z=z)


def _progress(true: Tensor, wish: solving.Wish) -> float:
    """How much of a wish changes `(1, D)` fulfil: 1 all of it."""
    wished = wish.changes[:, wish.asked]
    return float((true[:, wish.asked] * wished).sum() / wished.square().sum().clamp_min(1e-9))


def _on_line(known: Sequence[tuple[float, solving.Followed]]) -> solving.Followed | None:
    """A step on the line through two known ones, where progress would be 1: between the nearest on both sides, or beyond the last two.

    None where the sound does not follow along that line.
    """
    under = max((one for one in known if one[0] <= 1), key=lambda one: one[0], default=None)
    over = min((one for one in known if one[0] > 1), key=lambda one: one[0], default=None)
    if under is not None and over is not None:
        one, two, least, most = under, over, _NEAR_END, 1 - _NEAR_END
    else:
        one, two, least, most = known[-2], known[-1], 1 + _NEAR_END, _FARTHEST
        if not two[0] - one[0] > _HARDLY:
            return None
    share = min(max((1 - one[0]) / max(two[0] - one[0], 1e-6), least), most)
    steps, changes = (torch.lerp(a, b, share) for a, b in zip(one[1][:2], two[1][:2], strict=True))
    return solving.Followed(steps, changes, known[-1][1].slopes)


_STEERING: WeakKeyDictionary[Model, tuple[Controls | None, TrainingClips | None, Steering]] = WeakKeyDictionary()


def steering_of(contents: InstrumentContents) -> Steering:
    """Returns the steering of an instrument, made once. For a file of an earlier version its controls are fitted, which takes seconds."""
    known = _STEERING.get(contents.model)
    if known is None or known[0] is not contents.controls or (contents.controls is None and known[1] is not contents.clips):
        known = contents.controls, contents.clips, Steering(contents)
        _STEERING[contents.model] = known
    return known[2]


def controls_of(contents: InstrumentContents) -> list[Control]:
    """Returns the named controls of an instrument."""
    return steering_of(contents).offered


def steered(
    contents: InstrumentContents, z: Tensor, wishes: Wishes, *, length: int | None = None, corrections: int = CORRECTIONS
) -> Tensor:
    """Returns a latent `(dims,)`, or a path `(dims, steps)` of `length` samples, with wishes fulfilled: name -> amount or target.

    The stretched path of a wish of length or decay has another number of steps. corrections: see `Steering.steer`. Raises ConfigError.
    """
    steering = steering_of(contents)
    return steering.steer(Point(z, length), steering.read(wishes), corrections=corrections).point.z
