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
from timbrespace.space.controls.fit import farthest_of, fit_controls, slopes_at
from timbrespace.space.controls.meter import Meter
from timbrespace.space.controls.wishes import Wish, Wishes, read_wishes
from timbrespace.synthesis.controls import Control, Controls
from timbrespace.synthesis.file.contents import InstrumentContents, TrainingClips

CORRECTIONS, QUICK = 5, 3  # measurements of a decoded point after the first; for quick answers
_HARDLY, _GAINS = 0.02, (0.4, 3.0)  # spreads; least and most change of a sound over that of its decoded point
_NEAR_END = 0.1  # of the way between two steps that the next one is at least from either
_OUTER = 4  # times that the finished sound corrects the wish
_MADE_UP, _TURN = 0.3, 1.0  # spreads; most of a held descriptor that is made up for, most that one correction adds to an asked one
_PITCH, _LENGTH = NAMES.index("pitch"), NAMES.index("length")

Measured = Callable[[Point, Tensor], Tensor]  # a point and the step that led to it -> descriptors of its finished sound (D,)


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
        self.meter, self.coordinates = Meter(contents), Coordinates.of(contents)
        self.controls: Controls = contents.controls or fit_controls(contents)
        self.offered: list[Control] = self.controls.offered()
        names = {control.name for control in self.offered}
        self.held = torch.tensor([name in names and name != "pitch" for name in NAMES])

    def read(self, asked: Wishes) -> list[Wish]:
        """Returns wishes of this instrument, see `read_wishes`. Raises ConfigError."""
        return read_wishes(asked, self.offered)

    def steer(
        self, point: Point, wishes: Sequence[Wish], *, places: Tensor | None = None, measure: Measured | None = None,
        corrections: int = CORRECTIONS,
    ) -> Steered:  # fmt: skip
        """Returns a point with the wishes fulfilled as far as it goes.

        places `(D,)`: of the sound on the descriptors' scales, for targets; None: estimated from the point. measure: of the finished sound
        that the point becomes, to correct by, where places are measured too; None: the decoded point. corrections: how often the step is
        corrected by measuring the decoded point, then again with slopes of the point itself where that is not enough; up to QUICK: without
        these; 0: the stored slopes alone.
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
            found = self._followed(wish, point, start, places, measure, corrections)
        step, changes = found.steps[0], found.changes[0].clone()
        changes[_PITCH] = wished[_PITCH].nan_to_num(0.0)
        moved = self.coordinates.move(start, step) if bool(step.any()) else start
        return Steered(moved, step, changes, wished)

    def distance(self, step: Tensor) -> float:
        """Returns the length of a step in units of the corpus's spread, as the amount of a variation."""
        return float(step.norm()) / farthest_of(self.coordinates)

    def _held(self, asked: Tensor, *, pitch: bool) -> Tensor:
        """The descriptors that are to stay; another pitch moves the spectrum with it, as instruments do."""
        held = self.held & ~asked
        return held & torch.tensor([name not in ("brightness", "low_end") for name in NAMES]) if pitch else held

    def _followed(
        self, wish: solving.Wish, point: Point, start: Point, places: Tensor, measure: Measured | None, corrections: int
    ) -> solving.Followed:  # fmt: skip
        """The step for a wish, and the changes that it makes of the decoded point, or as `measure` finds them, from `places (D,)`.

        The changes are measured on the decoded point, which is quick; what the finished sound makes of them is measured after that, and the
        wish is changed by the difference.
        """
        slopes, far = slopes_at(self.controls, self.contents, [start]), farthest_of(self.coordinates)
        if not corrections:
            step = solving.shortest_step(
                slopes, self.controls.metric, wish, torch.zeros(1, len(self.coordinates.directions)), 0 * wish.changes
            )
            step = step * min(1.0, far / max(1e-9, float(step.norm())))
            return solving.Followed(step, (slopes @ step[:, :, None])[:, :, 0])
        before, unit = self.meter.measure([point])[0], self.controls.unit

        def changes_of(steps: Tensor) -> Tensor:
            return ((self.meter.measure([self.coordinates.move(start, steps[0])])[0] - before) / unit)[None]

        found = self._decoded(changes_of, slopes, wish, start, corrections)
        if measure is None:
            return found
        spreads = torch.where(self.controls.spreads > 0, self.controls.spreads, 1.0)
        last = solving.Followed(torch.zeros_like(found.steps), torch.zeros_like(wish.changes))  # step 0: nothing changes
        best, last_true = last, last.changes
        if bool(wish.asked[_LENGTH]):  # the sound may be cut where it is asked to end
            still = ((measure(start, found.steps[0] * 0) - places) / spreads).nan_to_num(0.0)[None]
            best, last_true = solving.Followed(last.steps, still), still
        known = [(_progress(last_true, wish), last)]  # how far the finished sound went, and the decoded step
        for turn in range(_OUTER + 1):
            step = found.steps[0]
            true = ((measure(self.coordinates.move(start, step), step) - places) / spreads)[None]
            true = torch.where(true.isfinite(), true, found.changes)  # not a property of the finished sound
            if float(solving.misfit(true, found.steps, wish)) < float(solving.misfit(best.changes, best.steps, wish)):
                best = solving.Followed(found.steps, true)
            if solving.fulfilled(true, wish, held=bool(turn)) or turn == _OUTER:
                break
            known.append((_progress(true, wish), found))
            if turn and (between := _between(known)) is not None:
                found = between
                continue
            gain = _secant(found.changes - last.changes, true - last_true)  # of the sound's change over the decoded one
            aims = (found.changes - true).clamp(-_MADE_UP, _MADE_UP)  # the decoded point makes up for what the sound adds
            asked = found.changes + ((wish.changes - true) / gain).clamp(-_TURN, _TURN)
            inner = wish._replace(changes=torch.where(wish.asked, asked, torch.where(wish.held, aims, wish.changes)))
            last, last_true = found, true
            metric = self.controls.metric
            found = solving.follow(changes_of, slopes, metric, inner, start=found, corrections=corrections, farthest=far)
        return best

    def _decoded(
        self, changes_of: solving.Measure, slopes: Tensor, wish: solving.Wish, start: Point, corrections: int
    ) -> solving.Followed:  # fmt: skip
        """The step with stored slopes; where that is not enough, on from there with slopes of the point that it leads to."""
        far, metric, smooth = farthest_of(self.coordinates), self.controls.metric, self.meter.has_slopes
        first = solving.follow(changes_of, slopes, metric, wish, corrections=corrections, farthest=far)
        if corrections <= QUICK or solving.fulfilled(first.changes, wish) or not bool((smooth & wish.asked).any()):
            return first
        near = self.coordinates.move(start, first.steps[0])
        own = torch.where(smooth[:, None], self.meter.slopes([near], self.coordinates) / self.controls.unit[:, None], slopes)
        return solving.follow(changes_of, own, metric, wish, corrections=corrections, farthest=far, start=first)

    def _wished(self, wishes: Sequence[Wish], places: Tensor) -> Tensor:
        """Changes `(D,)` in spreads, NaN where nothing is asked. Raises ConfigError where the sound has no such descriptor."""
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


def _between(known: Sequence[tuple[float, solving.Followed]]) -> solving.Followed | None:
    """A step between one that goes too far and one that does not go far enough; None where there are not both."""
    under = max((one for one in known if one[0] <= 1), key=lambda one: one[0], default=None)
    over = min((one for one in known if one[0] > 1), key=lambda one: one[0], default=None)
    if under is None or over is None:
        return None
    share = min(max((1 - under[0]) / max(over[0] - under[0], 1e-6), _NEAR_END), 1 - _NEAR_END)
    return solving.Followed(*(torch.lerp(a, b, share) for a, b in zip(under[1], over[1], strict=True)))


def _secant(decoded: Tensor, true: Tensor) -> Tensor:
    """The slope of changes of the sound over those of the decoded point, of the same shape; 1 where that hardly changed."""
    slope = true / torch.where(decoded.abs() < _HARDLY, 1.0, decoded)
    return torch.where(decoded.abs() < _HARDLY, 1.0, slope.clamp(*_GAINS))


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
