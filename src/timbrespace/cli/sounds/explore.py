"""`timbrespace explore X --axis|--mesh|--walk|--mix|--curve … --out DIR`: moves through the latent space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from timbrespace.cli.common.controls import print_first_use
from timbrespace.cli.common.option_groups import expand_option_groups
from timbrespace.cli.common.options import InstrumentPath, Seed
from timbrespace.cli.sounds.batch import BatchOptions
from timbrespace.cli.sounds.moving import MovingOptions, write_move

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.space.moves.move import Move
    from timbrespace.synthesis.detail.given import GivenSound

_COUNTS = {"around": 8, "draws": 8, "random": 8, "walk": 16, "axis": 9, "mesh": 5, "mix": 1, "more": 8, "less": 8, "curve": 16}


@dataclass(frozen=True)
class Choice:
    """The move: exactly one of them."""

    section: ClassVar[str] = "The move, exactly one"

    random: Annotated[bool, typer.Option("--random", help="New sounds, as generate draws them; --as-one goes from each to the next.")] = (
        False
    )
    around: Annotated[Path | None, typer.Option("--around", help="This sound, and neighbours of it with growing noise.")] = None
    draws: Annotated[Path | None, typer.Option("--draws", help="This sound, drawn several times from its posterior.")] = None
    axis: Annotated[
        list[str] | None,
        typer.Option(
            "--axis",
            metavar="AXIS",
            help="One axis at a time: z1 (latent dimension), pc1 (principal axis), brightness (control); repeatable.",
        ),
    ] = None
    mesh: Annotated[
        str | None, typer.Option("--mesh", metavar="AXIS,AXIS", help="A mesh of two axes, such as pc1,pc2 or brightness,decay.")
    ] = None
    walk: Annotated[str | None, typer.Option("--walk", metavar="KIND", help="A noise walk: uniform | perlin | fractal.")] = None
    mix: Annotated[
        list[str] | None,
        typer.Option("--mix", metavar="FILE=WEIGHT", help="A weighted mix of sounds; weights may be negative; repeatable."),
    ] = None
    more: Annotated[list[Path] | None, typer.Option("--more", metavar="FILE", help="More like this sound; repeatable.")] = None
    less: Annotated[list[Path] | None, typer.Option("--less", metavar="FILE", help="Less like this sound; repeatable.")] = None
    curve: Annotated[
        str | None,
        typer.Option(
            "--curve",
            metavar="VALUES",
            help="Positions among the given files over time, such as 0,1.3,-0.3,1; 0 is the first, 1 the second.",
        ),
    ] = None
    attack: Annotated[Path | None, typer.Option("--attack", help="One sound with the attack of this one …")] = None
    tail: Annotated[Path | None, typer.Option("--tail", help="… and the tail of this one.")] = None

    def name(self) -> str:
        """Returns the one move that is chosen. Raises ConfigError."""
        from timbrespace.contracts import ConfigError

        chosen = [move for move in (*_COUNTS, "attack", "tail") if getattr(self, move) not in (None, False, [])]
        kinds = {"less": "more", "tail": "attack"}
        moves = list(dict.fromkeys(kinds.get(move, move) for move in chosen))
        if len(moves) != 1:
            found = " and ".join(f"--{move}" for move in chosen) or "none is given"
            raise ConfigError(
                f"explore makes one move at a time, and {found}; give one of --random, --around, --draws, --axis, --mesh, --walk, --mix, "
                "--more or --less, --curve, --attack with --tail"
            )
        return moves[0]


@dataclass(frozen=True)
class Settings:
    """Settings of the moves; each belongs to some of them."""

    section: ClassVar[str] = "Settings of the move"

    count: Annotated[
        int | None, typer.Option("-n", "--count", help="Number of sounds; of a mesh, along both axes.", show_default=False)
    ] = None
    start: Annotated[Path | None, typer.Option("--from", help="Start at this sound (axis, mesh, walk, more and less).")] = None
    category: Annotated[str | None, typer.Option("--category", help="Start at the middle of a category; with --random: only these.")] = None
    low: Annotated[
        float | None,
        typer.Option("--low", help="Least value of an axis; by default -4, of a control what sounds reach.", show_default=False),
    ] = None
    high: Annotated[
        float | None,
        typer.Option("--high", help="Largest value of an axis; by default 4, of a control what sounds reach.", show_default=False),
    ] = None
    amount: Annotated[
        float | None,
        typer.Option("--amount", help="How far (around, walk, more and less), in spreads of the corpus; by default 1.", show_default=False),
    ] = None
    temperature: Annotated[
        float | None, typer.Option("--temperature", help="Factor of the noise (random, draws); by default 1.", show_default=False)
    ] = None
    speed: Annotated[float | None, typer.Option("--speed", help="How fast a walk goes; by default 0.25.", show_default=False)] = None
    way: Annotated[str | None, typer.Option("--way", help="Of a curve: line | slerp | spline.", show_default=False)] = None
    at: Annotated[
        float | None, typer.Option("--at", help="When the attack gives way to the tail, in s; by default after it.", show_default=False)
    ] = None


_BELONGS = {
    "count": (*_COUNTS,), "start": ("axis", "mesh", "walk", "more"), "category": ("random", "axis", "mesh", "walk"),
    "low": ("axis", "mesh"), "high": ("axis", "mesh"), "amount": ("around", "walk", "more"), "temperature": ("random", "draws"),
    "speed": ("walk",), "way": ("curve", "attack"), "at": ("attack",),
}  # fmt: skip


@expand_option_groups
def explore(
    instrument: InstrumentPath,
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="Sounds of a --curve.", show_default=False)] = None,
    *,
    choice: Choice,
    settings: Settings,
    moving: MovingOptions,
    seed: Seed = 0,
    options: BatchOptions,
) -> None:
    """Move through the sounds of an instrument: along axes, meshes, walks, mixes and curves."""
    move = choice.name()
    _check(move, settings, files or [])
    weights = _weights(choice.mix or [])
    given = [*(files or []), *weights, *(choice.more or []), *(choice.less or [])]
    given += [path for path in (choice.around, choice.draws, choice.attack, choice.tail, settings.start) if path is not None]
    write_move(
        options, moving, instrument, lambda opened: _Maker(opened, choice, settings, seed, named=not options.anonymous).make(move, files),
        task="exploring", heading="Sounds of the move", noun="sound of the move", given=given,
    )  # fmt: skip


class _Maker:
    """Makes the move of an instrument that the options ask for."""

    def __init__(self, opened: Instrument, choice: Choice, settings: Settings, seed: int, *, named: bool):
        self.opened, self.choice, self.settings, self.seed, self.named = opened, choice, settings, seed, named

    def make(self, move: str, files: list[Path] | None) -> Move:
        """Returns the move. Raises TimbrespaceError."""
        moves, choice, settings, count = self.opened.moves, self.choice, self.settings, self.settings.count
        count = _COUNTS.get(move, 1) if count is None else count
        start = None if settings.start is None else self._given(settings.start)
        amount = 1.0 if settings.amount is None else settings.amount
        temperature = 1.0 if settings.temperature is None else settings.temperature
        low, high = settings.low, settings.high
        if move == "random":
            return moves.random(count, category=settings.category, temperature=temperature, seed=self.seed)
        if move == "around":
            return moves.around(self._given(choice.around), count, amount=amount, seed=self.seed)
        if move == "draws":
            return moves.draws(self._given(choice.draws), count, temperature=temperature, seed=self.seed)
        if move == "walk":
            return moves.walk(
                choice.walk or "", count, start=start, category=settings.category, amount=amount,
                speed=0.25 if settings.speed is None else settings.speed, seed=self.seed,
            )  # fmt: skip
        if move == "axis":
            names = [name for text in choice.axis or [] for name in _split(text)]
            self._announce(names)
            return moves.axis(names, count, low=low, high=high, start=start, category=settings.category, seed=self.seed)
        if move == "mesh":
            across, up = _pair(choice.mesh or "")
            self._announce([across, up])
            return moves.mesh(across, up, count, low=low, high=high, start=start, category=settings.category, seed=self.seed)
        if move == "mix":
            weights = _weights(choice.mix or [])
            return moves.mix([self._given(path) for path in weights], list(weights.values()), count, seed=self.seed)
        if move == "more":
            more, less = ([self._given(path) for path in paths or []] for paths in (choice.more, choice.less))
            return moves.more_less(more, less, count, start=start, amount=amount, seed=self.seed)
        way = settings.way or "line"
        if move == "curve":
            return moves.curve([self._given(path) for path in files or []], _values(choice.curve or ""), count, way=way, seed=self.seed)
        return moves.attack_tail(self._given(choice.attack), self._given(choice.tail), at=settings.at, way=way, seed=self.seed)

    def _announce(self, names: list[str]) -> None:
        """Says that controls are measured now, if an axis is one and the file has none."""
        from timbrespace.space.moves.values import is_control

        if any(is_control(name) for name in names):
            print_first_use(self.opened)

    def _given(self, path: Path | None) -> GivenSound:
        from timbrespace.contracts import ConfigError

        if path is None:
            raise ConfigError("--attack and --tail belong together: the first sound gives the attack, the second the tail; give both")
        return self.opened.given(path, named=self.named)


def _check(move: str, settings: Settings, files: list[Path]) -> None:
    """Raises ConfigError for a setting, or files, that the move does not use."""
    from timbrespace.contracts import ConfigError

    options = {"count": "-n", "start": "--from"}
    for name, moves in _BELONGS.items():
        if getattr(settings, name) is not None and move not in moves:
            used = ", ".join(f"--{other}" for other in moves)
            raise ConfigError(f"{options.get(name, f'--{name}')} is given, and --{move} does not use it; it belongs to {used}")
    if files and move != "curve":
        raise ConfigError(f"{files[0]} is given, and --{move} uses no further sounds; a curve does (--curve 0,1 A B)")
    if move == "curve" and len(files) < 2:
        raise ConfigError(f"a curve goes between two sounds or more, and {len(files)} are given; for instance --curve 0,1.3,0 A.wav B.wav")


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _pair(text: str) -> tuple[str, str]:
    from timbrespace.contracts import ConfigError

    names = _split(text)
    if len(names) != 2:
        raise ConfigError(f"--mesh {text!r} is not two axes; give them with a comma between, such as --mesh pc1,pc2")
    return names[0], names[1]


def _values(text: str) -> list[float]:
    from timbrespace.contracts import ConfigError

    try:
        return [float(value) for value in _split(text)]
    except ValueError:
        raise ConfigError(f"--curve {text!r} is not a list of numbers; write them with commas between, such as 0,1.3,-0.3,1") from None


def _weights(pairs: list[str]) -> dict[Path, float]:
    """FILE=WEIGHT as path -> weight. Raises ConfigError."""
    from timbrespace.contracts import ConfigError

    weights: dict[Path, float] = {}
    for pair in pairs:
        file, equals, text = pair.rpartition("=")
        try:
            weight = float(text)
        except ValueError:
            equals = ""
        if not equals or not file:
            raise ConfigError(f"--mix {pair!r} is not FILE=WEIGHT; for instance --mix a.wav=1.5 --mix b.wav=-0.5")
        if Path(file) in weights:
            raise ConfigError(f"--mix {file} is given twice; give it once, with the sum of the weights")
        weights[Path(file)] = weight
    return weights
