"""The moves of an instrument in Python: `instrument.moves.spline([a, b, c]).as_one(seconds=6)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.space.moves import axes, draws, sounds
from timbrespace.space.moves.move import Maker, Move
from timbrespace.space.moves.values import checked_count, checked_seed
from timbrespace.synthesis.detail.given import GivenSound, given_sound
from timbrespace.synthesis.detail.source import Source, analyse
from timbrespace.synthesis.file.contents import InstrumentContents

Given = GivenSound | Tensor | Path | str


class Moves:
    """Ways through the latent space of an instrument. Every method returns a `Move`: `render()` gives its sounds, `as_one()` one sound.

    Sounds are given as files, or samples `(channels, time)` at the instrument's rate. A step that equals a given sound is that sound,
    every sample as read. seed: of all that is drawn. name: stem of the file names.
    """

    def __init__(self, contents: InstrumentContents, maker: Maker | None = None):
        """contents: of the instrument; use `Instrument.moves`. maker: renders its sounds, see `Move`."""
        self._contents, self._maker = contents, maker

    def random(self, count: int = 8, *, category: str | None = None, temperature: float = 1.0, seed: int = 0) -> Move:
        """Returns new sounds, as `generate` draws them. Raises ConfigError."""
        move = draws.random_move(self._contents, checked_count(count), category=category, temperature=temperature, seed=checked_seed(seed))
        return self._by_maker(move)

    def around(self, sound: Given, count: int = 8, *, amount: float = 1.0, seed: int = 0, name: str | None = None) -> Move:
        """Returns a sound and neighbours of it with noise that grows to `amount`, see `draws.around_move`. Raises ConfigError."""
        source = self._source(sound)
        move = draws.around_move(
            self._contents, source, checked_count(count), amount=amount, seed=checked_seed(seed), name=name or source.given.stem
        )
        return self._by_maker(move)

    def draws(self, sound: Given, count: int = 8, *, temperature: float = 1.0, seed: int = 0, name: str | None = None) -> Move:
        """Returns a sound drawn several times from its posterior, see `draws.posterior_move`. Raises ConfigError."""
        source = self._source(sound)
        move = draws.posterior_move(
            self._contents, source, checked_count(count), temperature=temperature, seed=checked_seed(seed), name=name or source.given.stem
        )
        return self._by_maker(move)

    def walk(
        self, kind: str = "perlin", count: int = 16, *, start: Given | None = None, category: str | None = None, amount: float = 1.0,
        speed: float = 0.25, seed: int = 0, name: str | None = None,
    ) -> Move:  # fmt: skip
        """Returns a walk that begins at `start`, the middle of a category, or of the space, see `draws.walk_move`. Raises ConfigError."""
        source = None if start is None else self._source(start)
        move = draws.walk_move(
            self._contents, checked_count(count), kind=kind, source=source, category=category, amount=amount, speed=speed,
            seed=checked_seed(seed), name=name or _name(source, category),
        )  # fmt: skip
        return self._by_maker(move)

    def axis(
        self, names: str | int | Sequence[str | int], steps: int = 9, *, low: float | None = None, high: float | None = None,
        start: Given | None = None, category: str | None = None, seed: int = 0, name: str | None = None,
    ) -> Move:  # fmt: skip
        """Returns sounds along one axis at a time, see `axes.axis_move`. names: "z3", "pc1", "brightness" …

        One or several. low, high: None: of each axis its own range. Raises ConfigError.
        """
        source = None if start is None else self._source(start)
        move = axes.axis_move(
            self._contents, [names] if isinstance(names, str | int) else list(names), checked_count(steps), low=low, high=high,
            source=source, category=category, seed=checked_seed(seed), name=name or _name(source, category),
        )  # fmt: skip
        return self._by_maker(move)

    def mesh(
        self, across: str | int, up: str | int, steps: int | tuple[int, int] = 5, *, low: float | None = None, high: float | None = None,
        start: Given | None = None, category: str | None = None, seed: int = 0, name: str | None = None,
    ) -> Move:  # fmt: skip
        """Returns a mesh of two axes, see `axes.mesh_move`. steps: along both, or (columns, rows). low, high: as in `axis`.

        Raises ConfigError.
        """
        source = None if start is None else self._source(start)
        columns, rows = (steps, steps) if isinstance(steps, int) else steps
        move = axes.mesh_move(
            self._contents, across, up, (checked_count(columns), checked_count(rows)), low=low, high=high, source=source, category=category,
            seed=checked_seed(seed), name=name or _name(source, category),
        )  # fmt: skip
        return self._by_maker(move)

    def line(self, given: Sequence[Given], steps: int = 8, *, seed: int = 0, name: str = "line") -> Move:
        """Returns the straight way through sounds, as `morph` goes. Raises ConfigError."""
        return self._way(given, steps, "line", seed, name)

    def slerp(self, given: Sequence[Given], steps: int = 8, *, seed: int = 0, name: str = "slerp") -> Move:
        """Returns the way through sounds on arcs about the middle of the space, see `latent.paths.arc`. Raises ConfigError."""
        return self._way(given, steps, "slerp", seed, name)

    def spline(self, given: Sequence[Given], steps: int = 8, *, seed: int = 0, name: str = "spline") -> Move:
        """Returns the smooth way through sounds, see `latent.paths.spline`. Raises ConfigError."""
        return self._way(given, steps, "spline", seed, name)

    def curve(
        self, given: Sequence[Given], values: Sequence[float], steps: int = 16, *, way: str = "line", seed: int = 0, name: str = "curve"
    ) -> Move:
        """Returns the move whose position among sounds follows a list of values over time, see `sounds.curve_move`. Raises ConfigError."""
        sources = [self._source(sound) for sound in given]
        move = sounds.curve_move(self._contents, sources, list(values), checked_count(steps), kind=way, seed=checked_seed(seed), name=name)
        return self._by_maker(move)

    def mix(self, given: Sequence[Given], weights: Sequence[float], steps: int = 1, *, seed: int = 0, name: str = "mix") -> Move:
        """Returns a weighted mix of sounds; weights may be negative, see `sounds.mix_point`. Raises ConfigError."""
        sources = [self._source(sound) for sound in given]
        move = sounds.mix_move(self._contents, sources, list(weights), checked_count(steps), seed=checked_seed(seed), name=name)
        return self._by_maker(move)

    def more_less(
        self, more: Sequence[Given] = (), less: Sequence[Given] = (), steps: int = 8, *, start: Given | None = None, amount: float = 1.0,
        seed: int = 0, name: str | None = None,
    ) -> Move:  # fmt: skip
        """Returns steps towards some sounds and away from others, see `sounds.more_less_move`. Raises ConfigError."""
        sources = [[self._source(sound) for sound in group] for group in (more, less)]
        source = None if start is None else self._source(start)
        move = sounds.more_less_move(
            self._contents, sources[0], sources[1], checked_count(steps), start=source, amount=amount, seed=checked_seed(seed),
            name=name or (f"{source.given.stem} moved" if source is not None else "more and less"),
        )  # fmt: skip
        return self._by_maker(move)

    def attack_tail(
        self, attack: Given, tail: Given, *, at: float | None = None, way: str = "line", seed: int = 0, name: str = "attack and tail"
    ) -> Move:
        """Returns the move whose `as_one` has the attack of one sound and the tail of another, see `sounds.attack_tail_move`."""
        one, two = self._source(attack), self._source(tail)
        move = sounds.attack_tail_move(self._contents, one, two, at=at, kind=way, seed=checked_seed(seed), name=name)
        return self._by_maker(move)

    @property
    def axes(self) -> list[str]:
        """Names of the axes that `axis` and `mesh` accept."""
        return axes.axis_names(self._contents)

    def _way(self, given: Sequence[Given], steps: int, kind: str, seed: int, name: str) -> Move:
        if len(given) < 2:
            raise ConfigError(f"a morph needs two sounds or more, not {len(given)}")
        sources = [self._source(sound) for sound in given]
        move = sounds.way_move(self._contents, sources, checked_count(steps), kind=kind, seed=checked_seed(seed), name=name)
        return self._by_maker(move)

    def _by_maker(self, move: Move) -> Move:
        return replace(move, maker=self._maker)

    def _source(self, sound: Given) -> Source:
        return analyse(self._contents, given_sound(self._contents, sound))


def _name(source: Source | None, category: str | None) -> str:
    return source.given.stem if source is not None else category or "middle"
