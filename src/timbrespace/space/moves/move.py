"""A move: a series of points of the latent space, rendered as separate sounds or as one moving sound."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.noise import seed_of
from timbrespace.synthesis.detail.mix import Mix
from timbrespace.synthesis.detail.source import decoded_length
from timbrespace.synthesis.finish import Level
from timbrespace.synthesis.moving.plan import SECONDS, Key, Moving
from timbrespace.synthesis.moving.render import in_levels
from timbrespace.synthesis.rendering import Progress, render
from timbrespace.synthesis.request import RenderRequest
from timbrespace.synthesis.sequences import fit_path

if TYPE_CHECKING:
    from timbrespace.synthesis.file.contents import InstrumentContents
    from timbrespace.synthesis.sound import Sound

_KEYS_A_SEGMENT, _FEWEST_KEYS, _MOST_KEYS = 12, 17, 129
_KEYS_A_SECOND = 4  # of a long sound
_MOST_LATENT = 1 << 21  # numbers in all keys of a path
_HELD_FROM = 1.25  # times the longest sound: longer moving sounds are held


Maker = Callable[..., list["Sound"]]  # as `rendering.render` without the contents


class Point(NamedTuple):
    """A point of a move.

    z: `(dims,)` or `(dims, steps)`. length: in samples; None where z holds it. mix: the given sounds near it; None for a new sound.
    label: a few words for pictures. asked: the same as plain JSON values, for its recipe.
    """

    z: Tensor
    length: int | None = None
    mix: Mix | None = None
    label: str = ""
    asked: Mapping[str, Any] = {}
    category: str | None = None


@dataclass(frozen=True)
class Move:
    """A series of points, and the way between them.

    name: stem of file names. asked: what was asked, for recipes. points: one a sound. at: the point at a position of the whole move, 0 to
    1. seed: of noise and phase; own_noise: whether each sound has its own, else all have the same and differ by the move alone. segments:
    of the way, for the number of keys. even: whether a moving sound is to change evenly; else it passes the way at even times. grid:
    rows and columns of a mesh. seconds: of the moving sound by default; None: as long as the sounds. window: when it moves, see
    `Moving`; in samples. only_as_one: whether the move is one sound in any case. maker: renders requests; None: PyTorch.
    """

    contents: InstrumentContents
    name: str
    asked: Mapping[str, Any]
    points: tuple[Point, ...]
    at: Callable[[float], Point]
    seed: int
    own_noise: bool = False
    segments: int = 1
    even: bool = False
    grid: tuple[int, int] | None = None
    seconds: float | None = None
    window: tuple[int, int] | None = None
    only_as_one: bool = False
    maker: Maker | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """A label of each point, "" for none."""
        return tuple(point.label for point in self.points)

    def requests(self) -> list[RenderRequest]:
        """Returns the request of every point."""
        return [
            RenderRequest(
                point.z, self.name, point.category, {**self.asked, "index": index, **point.asked},
                seed_of(self.seed, index if self.own_noise else 0), point.length, _limited(point.mix),
            )
            for index, point in enumerate(self.points)
        ]  # fmt: skip

    def render(self, *, level: Level | None = None, out_rate: int | None = None, progress: Progress | None = None) -> list[Sound]:
        """Returns the sounds of the move, in order; of a mesh, row by row.

        A point that is a given sound is that sound, every sample as read. level, out_rate, progress: see `Instrument.generate`. Raises
        ConfigError, ShapeError.
        """
        return self._made(self.requests(), level=level, out_rate=out_rate, progress=progress)

    def as_one(
        self, seconds: float | None = None, *, hold: bool | None = None, level: Level | None = None, out_rate: int | None = None,
        progress: Progress | None = None,
    ) -> Sound:  # fmt: skip
        """Returns one sound that goes the way of the move while it sounds.

        seconds: its length from the onset; None: that of the longest sound, or for walks and series 4 s. hold: False: the sound takes its
        course once, attack to tail, and moves meanwhile; True: it is held after its attack, moves, and is let go; None: held if it is
        to be longer than its sounds. Where it begins or ends with a given sound, its first and last samples are those of that sound.
        Raises ConfigError, ShapeError.
        """
        return self._made([self.one_request(seconds, hold)], level=level, out_rate=out_rate, progress=progress)[0]

    def _made(self, requests: list[RenderRequest], **options: Any) -> list[Sound]:
        return render(self.contents, requests, **options) if self.maker is None else self.maker(requests, **options)

    def one_request(self, seconds: float | None = None, hold: bool | None = None) -> RenderRequest:
        """Returns the request of the moving sound of `as_one`. Raises ConfigError."""
        contents = self.contents
        rate, natural = contents.sample_rate, max(self._length(point) for point in (*self.points, self.at(0.0), self.at(1.0)))
        wanted = self.seconds if seconds is None else SECONDS.check(seconds)
        longest = SECONDS.high if contents.model.time_varying else contents.samples / rate
        can_hold = in_levels(contents)
        if wanted is None or (seconds is None and not can_hold and not contents.model.time_varying):
            wanted = natural / rate if self.seconds is None else min(natural / rate, self.seconds)
        too_long = wanted * rate > min(_HELD_FROM * natural, longest * rate + 0.5)
        hold = (too_long and can_hold) if hold is None else hold
        if hold and not can_hold:
            raise ConfigError(
                f"hold is asked for, and this instrument's view ({type(contents.representation).__name__}) cannot be held; leave it out, "
                "or train with a view in dB (bands, mel, log-stft)"
            )
        if not hold and wanted > longest + 0.5 / rate:
            raise ConfigError(
                f"seconds is {wanted:g}, and this instrument makes whole clips of up to {longest:.2f} s; ask for less"
                + (", or let the sound be held" if can_hold else ", or train a model with a time-varying latent (preset sequence)")
            )
        length = max(1, round(wanted * rate))
        count = self._key_count(wanted, length)
        points = [self.at(k / (count - 1)) for k in range(count)]
        keys = tuple(Key(point.z, point.length, point.mix) for point in points)
        window = None if self.window is None else (min(self.window[0], length - 1), min(self.window[1], length))
        moving = Moving(keys, length, hold, self.even, window, by_partials=True)
        moving = moving._replace(measured=self.even and len(moving.sources) == 2)
        middle = points[count // 2]
        asked = {**self.asked, "as_one": True, "seconds": length / rate, "hold": hold}
        return RenderRequest(middle.z, f"{self.name} as one", None, asked, seed_of(self.seed, 0), middle.length, None, moving)

    def _key_count(self, seconds: float, length: int) -> int:
        count = max(_FEWEST_KEYS, self.segments * _KEYS_A_SEGMENT + 1, math.ceil(seconds * _KEYS_A_SECOND) + 1)
        if self.contents.model.time_varying:
            count = min(count, max(_FEWEST_KEYS, _MOST_LATENT // max(1, self.at(0.0).z.numel())))
        return min(count, _MOST_KEYS)

    def _length(self, point: Point) -> int:
        """Samples of the sound of a point, from the onset."""
        if point.length is not None:
            return point.length
        if point.mix is not None:
            return max(source.encoded.length for source in point.mix.sources)
        return decoded_length(self.contents, point.z)


def through(contents: InstrumentContents, points: tuple[Point, ...]) -> Callable[[float], Point]:
    """Returns the way through points at even times: straight in the latent space from each to the next."""

    def at(position: float) -> Point:
        place = position * (len(points) - 1)
        first = min(int(place), max(len(points) - 2, 0))
        share = place - first
        if share in (0.0, 1.0):
            return points[first + int(share)]
        return between(contents, points[first], points[first + 1], share)

    return at


def between(contents: InstrumentContents, a: Point, b: Point, share: float) -> Point:
    """Returns the point between two, straight in the latent space; lengths and detail fade from one to the other."""
    length = None
    start, end = a.z, b.z
    if a.length is not None and b.length is not None:
        length = max(1, round(a.length ** (1 - share) * b.length**share))
        start, end = (fit_path(contents, point.z, length)[0] for point in (a, b))
    return Point(torch.lerp(start, end, share), length, _mix_between(a.mix, b.mix, share))


def _limited(mix: Mix | None) -> Mix | None:
    """The mix of a step; the levels of keys of a moving sound are seen to there."""
    return mix if mix is None or len(mix.sources) == 1 else mix._replace(limited=True)


def _mix_between(a: Mix | None, b: Mix | None, share: float) -> Mix | None:
    """The mix between two: of the same sounds, between their shares; of other sounds, of the one that each is most."""
    if a is None or b is None:
        return None
    if all(one is two for one, two in zip(a.sources, b.sources, strict=False)) and len(a.sources) == len(b.sources):
        return Mix(a.sources, a.share + (b.share - a.share) * share, a.kept + (b.kept - a.kept) * share)
    one, two = (mix.sources[1 if mix.share > 0.5 and len(mix.sources) > 1 else 0] for mix in (a, b))
    return Mix((one,), kept=a.kept) if one is two else Mix((one, two), share)
