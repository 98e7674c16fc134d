"""Moves through the latent space that begin at no given sound: axes, meshes, walks and new sounds, without PyTorch.

Points are those of `space.moves`, up to rounding. What moves while it sounds, and what begins at a given sound, is left to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.contracts import ConfigError
from timbrespace.noise import seed_of
from timbrespace.space.moves import values
from timbrespace.synthesis.file.layout import SPACE
from timbrespace.synthesis.output.requested import RenderRequest

if TYPE_CHECKING:
    from timbrespace.native.engine import Player
    from timbrespace.space.moves.move import Move
    from timbrespace.space.moves.moves import Moves
    from timbrespace.synthesis.sounds import Sounds


@dataclass(frozen=True)
class PlayedMove:
    """A move whose sounds the core renders. whole: the same as `space.moves` makes it, for all else.

    labels: the place of each sound on the way. Others as in `space.moves.move.Move`.
    """

    player: Player
    whole: Callable[[], Move]
    name: str
    sounds: tuple[RenderRequest, ...]
    labels: tuple[str, ...]
    grid: tuple[int, int] | None = None
    only_as_one: bool = False

    def requests(self) -> list[RenderRequest]:
        """Returns the request of every sound."""
        return list(self.sounds)

    def render(self, **options: Any) -> Sounds:
        """Returns the sounds of the move, in order; see `Move.render`."""
        return self.player.render(self.sounds, len(self.sounds), **{"level": None, "out_rate": None, **options})

    def __getattr__(self, name: str) -> Any:
        """Anything else of a `Move`: its points, and one sound that moves."""
        return getattr(self.whole(), name)


class PlayedMoves:
    """The moves of an instrument that the core plays. whole: `Instrument.moves` by PyTorch, for all that is not here."""

    def __init__(self, player: Player, whole: Callable[[], Moves]):
        """player: of the instrument."""
        self._player, self._whole = player, whole

    def __getattr__(self, name: str) -> Any:
        """Any other move: those from given sounds."""
        return getattr(self._whole(), name)

    def random(self, count: int = 8, *, category: str | None = None, temperature: float = 1.0, seed: int = 0) -> Any:
        """Returns new sounds, as `generate` draws them; see `Moves.random`. Raises ConfigError."""
        options: dict[str, Any] = {"category": category, "temperature": temperature, "seed": seed}
        if not self._player.draws(category=category, pitch=None, velocity=None):
            return self._whole().random(count, **options)
        values.checked_count(count), values.checked_seed(seed), values.TEMPERATURE.check(temperature)
        drawn = self._player.draw(count, seed=seed, category=category, temperature=temperature, pitch=None, velocity=None)
        asked = {"verb": "explore", "move": "random", "seed": seed, "asked_category": category, "temperature": temperature}
        found = tuple(one._replace(stem="random", recipe={**asked, "index": index}) for index, one in enumerate(drawn))
        labels = tuple(str(index + 1) for index in range(count))
        return PlayedMove(self._player, lambda: self._whole().random(count, **options), "random", found, labels)

    def axis(
        self, names: str | int | Sequence[str | int], steps: int = 9, *, low: float | None = None, high: float | None = None,
        start: Any = None, category: str | None = None, seed: int = 0, name: str | None = None,
    ) -> Any:  # fmt: skip
        """Returns sounds along one axis at a time; see `Moves.axis`. Raises ConfigError."""
        options: dict[str, Any] = {"low": low, "high": high, "start": start, "category": category, "seed": seed, "name": name}

        def whole() -> Move:
            return self._whole().axis(names, steps, **options)

        named = [names] if isinstance(names, str | int) else names
        if start is not None or not self._knows(category) or any(values.is_control(one) for one in named):
            return whole()
        axes = [self._read(one) for one in named]
        if not axes:
            raise ConfigError("no axis is named; give one or more, such as z1, pc1 or brightness")
        places = values.values_between(*_range(low, high), values.checked_count(steps))
        values.check_cells(len(axes) * steps)
        words = [str(one) for one in axes]
        asked = {"verb": "explore", "move": "axis", "axes": words, "seed": values.checked_seed(seed), "steps": steps}
        points = [{one: value} for one in axes for value in places]
        stem = f"{name or category or 'middle'} {' '.join(words[:4])}"
        return self._move(whole, stem, asked, points, category, seed, of=name, grid=(len(axes), steps))

    def mesh(
        self, across: str | int, up: str | int, steps: int | tuple[int, int] = 5, *, low: float | None = None, high: float | None = None,
        start: Any = None, category: str | None = None, seed: int = 0, name: str | None = None,
    ) -> Any:  # fmt: skip
        """Returns a mesh of two axes; see `Moves.mesh`. Raises ConfigError."""
        options: dict[str, Any] = {"low": low, "high": high, "start": start, "category": category, "seed": seed, "name": name}

        def whole() -> Move:
            return self._whole().mesh(across, up, steps, **options)

        if start is not None or not self._knows(category) or values.is_control(across) or values.is_control(up):
            return whole()
        columns, rows = (values.checked_count(one) for one in ((steps, steps) if isinstance(steps, int) else steps))
        values.check_cells(columns * rows)
        one, two = self._read(across), self._read(up)
        values.check_two(one, two)
        xs, ys = (values.values_between(*_range(low, high), count) for count in (columns, rows))
        asked = {"verb": "explore", "move": "mesh", "axes": [str(one), str(two)], "seed": values.checked_seed(seed)}
        points = [{one: x, two: y} for y in reversed(ys) for x in xs]
        return self._move(
            whole, f"{name or category or 'middle'} {one} {two}", asked, points, category, seed, of=name, grid=(rows, columns)
        )

    def walk(
        self, kind: str = "perlin", count: int = 16, *, start: Any = None, category: str | None = None, amount: float = 1.0,
        speed: float = 0.25, seed: int = 0, name: str | None = None,
    ) -> Any:  # fmt: skip
        """Returns a walk from the middle of a category, or of the space; see `Moves.walk`. Raises ConfigError."""
        options: dict[str, Any] = {"start": start, "category": category, "amount": amount, "speed": speed, "seed": seed, "name": name}

        def whole() -> Move:
            return self._whole().walk(kind, count, **options)

        if start is not None or not self._knows(category):
            return whole()
        values.check_walk(kind)
        values.checked_count(count)
        amount, speed = values.AMOUNT.check(amount), values.SPEED.check(speed)
        shared, known = self._array("shared"), self._known
        steps = values.walk(kind, values.checked_seed(seed), len(shared), np.arange(count, dtype=np.float64), speed=speed)
        origin, of = self._origin(category), name or category or "middle"
        asked = {"verb": "explore", "move": "walk", "kind": kind, "seed": seed, "amount": amount, "speed": speed, "of": of}
        found = []
        for index in range(count):
            change = (amount * (shared @ steps[:, index].astype(np.float32))).astype(np.float32)
            z = origin + change
            if known:
                z[-known:] = origin[-known:]
            found.append(RenderRequest(z, f"{of} walk", category, {**asked, "index": index, "step": index}, seed_of(seed, 0)))
        return PlayedMove(self._player, whole, f"{of} walk", tuple(found), tuple(str(index + 1) for index in range(count)))

    def _move(
        self, whole: Callable[[], Move], stem: str, asked: dict[str, Any], points: Sequence[dict[values.AxisName, float]],
        category: str | None, seed: int, *, of: str | None, grid: tuple[int, int],
    ) -> PlayedMove:  # fmt: skip
        """The move of points on axes, from the middle of a category or of the space."""
        origin = self._origin(category)
        asked = asked | {"of": of or category or "middle"}
        found = []
        for index, point in enumerate(points):
            change = sum((np.float32(value) * self._direction(axis) for axis, value in point.items() if value), np.zeros_like(origin))
            about = {"values": {str(axis): value for axis, value in point.items()}}
            found.append(RenderRequest(origin + change, stem, category, {**asked, "index": index, **about}, seed_of(seed, 0)))
        labels = tuple(", ".join(f"{axis} {value:+.2g}" for axis, value in point.items()) for point in points)
        return PlayedMove(self._player, whole, stem, tuple(found), labels, grid)

    def _array(self, name: str) -> np.ndarray:
        return self._player.file.arrays[f"{SPACE}{name}"].astype(np.float32)

    @property
    def _known(self) -> int:
        """Entries at the end of a latent that are known of a sound: its velocity, its pitch."""
        return int(self._player.core.info.notes) + int(self._player.core.info.velocities)

    def _knows(self, category: str | None) -> bool:
        return f"{SPACE}axes" not in self._player.file.arrays and (category is None or category in self._player.file.categories)

    def _read(self, name: str | int) -> values.AxisName:
        dims = self._player.dims
        return values.read_axis(name, dims=dims, principal=dims - self._known)

    def _origin(self, category: str | None) -> np.ndarray:
        """The middle of a category: the mean of its heaviest component; else the middle of the latent space."""
        if category is None:
            return np.zeros(self._player.dims, np.float32)
        labels = np.array([label == category for label in self._player.file.labels])
        return np.array(self._array("means")[int(np.where(labels, self._array("weights"), -1.0).argmax())])

    def _direction(self, axis: values.AxisName) -> np.ndarray:
        """What a value of 1 on an axis changes in a latent `(dims,)`; see `space.moves.axes`."""
        if axis.principal:
            means, factors, weights = (self._array(name).astype(np.float64) for name in ("means", "factors", "weights"))
            return values.principal_directions(means, factors, weights, known=self._known)[axis.number].astype(np.float32)
        unit = np.zeros(self._player.dims, np.float32)
        unit[axis.number] = 1.0
        return unit


def _range(low: float | None, high: float | None) -> tuple[float, float]:
    """The range of a straight axis."""
    return values.LOW if low is None else low, values.HIGH if high is None else high
