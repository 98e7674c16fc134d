"""What a controller or an OSC address can move: targets by name, with their ranges."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from timbrespace.contracts import ConfigError
from timbrespace.live.actions import Action

_CONTROL = re.compile(r"[a-z][a-z _]{0,30}")
_HIGHEST_INDEX = 4096
PROGRAMS = 128  # of MIDI
WALK_TARGETS = {"speed": (0.0, 4.0), "spread": (0.0, 1.0), "density": (0.0, 2.0), "tempo": (60.0, 180.0)}
FORMS = (
    "z3 (a latent), pc1 (a principal axis), the name of a control such as brightness, 'map x', 'map y', 'morph 1 2' (pads), 'gain', "
    f"'pad 3', 'program', and {', '.join(repr(f'walk {name}') for name in WALK_TARGETS)}"
)

_ACTIONS = {"set_latent": "latent", "set_axis": "axis", "pad": "pad", "set_morph": "morph"}  # methods of the engine with numbers


class Numbered(Protocol):
    """What an instrument has to say of its latents, principal axes, pads and controls."""

    dims: int
    axes: int
    mapped: bool
    controls: dict[str, tuple[float, float]]

    @property
    def pads(self) -> Sequence[object]:
        """Its pads."""


@dataclass(frozen=True)
class Target:
    """Something with a value. kind: "latent", "axis", "control", "map", "morph", "gain", "pad", "program" or "walk".

    name: of a control, of an axis of the map ("x", "y"), of a setting of the walk. numbers: from 1, as users count.
    """

    kind: str
    name: str = ""
    numbers: tuple[int, ...] = ()

    def range(self, programs: int = PROGRAMS) -> tuple[float, float]:
        """Returns the values at the ends of a controller, where a mapping gives no others: latents ±3, axes and controls ±2 spreads.

        programs: number of instruments; a program goes from the first to the last. Others: their whole range.
        """
        if self.kind == "walk":
            return WALK_TARGETS[self.name]
        ranges = {"latent": (-3.0, 3.0), "axis": (-2.0, 2.0), "control": (-2.0, 2.0), "program": (0.0, programs - 1.0)}
        return ranges.get(self.kind, (0.0, 1.0))

    @property
    def start(self) -> float:
        """The value before anything moves it, which an endless encoder counts from."""
        return {"gain": 1.0, "map": 0.5, "walk": 1.0 if self.name != "tempo" else 120.0}.get(self.kind, 0.0)

    def __str__(self) -> str:
        if self.kind in ("latent", "axis"):
            return f"{'z' if self.kind == 'latent' else 'pc'}{self.numbers[0]}"
        return self.name if self.kind == "control" else " ".join([self.kind, *([self.name] if self.name else []), *map(str, self.numbers)])


def parse_target(text: str) -> Target:
    """Returns the target of that name. Whether the instrument has such a control or latent is the engine's to say. Raises ConfigError."""
    words = str(text).strip().casefold().split()
    match words:
        case [word] if found := re.fullmatch(r"(z|pc)([0-9]{1,5})", word):
            return Target("latent" if found[1] == "z" else "axis", numbers=(_number(found[2], text),))
        case ["latent" | "axis" | "pad" as kind, number] if number.isdecimal():
            return Target(kind, numbers=(_number(number, text),))
        case ["map", "x" | "y" as axis]:
            return Target("map", axis)
        case ["morph", first, second] if first.isdecimal() and second.isdecimal():
            return Target("morph", numbers=(_number(first, text), _number(second, text)))
        case ["gain" | "program" as kind]:
            return Target(kind)
        case ["walk", name] if name in WALK_TARGETS:
            return Target("walk", name)
        case ["control", *rest] if rest and _CONTROL.fullmatch(" ".join(rest)):
            return Target("control", " ".join(rest))
        case [word] if _CONTROL.fullmatch(word) and word not in ("map", "morph", "walk", "latent", "axis", "pad", "control"):
            return Target("control", word)
    raise ConfigError(f"{str(text)[:60]!r} is no target; targets are {FORMS}")


def _number(text: str, whole: str) -> int:
    number = int(text[:6])
    if not 1 <= number <= _HIGHEST_INDEX:
        raise ConfigError(f"{whole[:60]!r} is no target: numbers begin at 1 and end at {_HIGHEST_INDEX}")
    return number


def lacking(target: Target, sources: Sequence[Numbered]) -> str:
    """Returns why none of the instruments has a target, "" where one has, or where no instruments are known."""
    if not sources:
        return ""
    counts = {
        "latent": ("latents", max(source.dims for source in sources)), "axis": ("principal axes", max(source.axes for source in sources)),
        "pad": ("pads", max(len(source.pads) for source in sources)), "morph": ("pads", max(len(source.pads) for source in sources)),
    }  # fmt: skip
    if target.kind in counts:
        name, count = counts[target.kind]
        return f"{target}: there are {count} {name}" if max(target.numbers) > count else ""
    names = sorted({name for source in sources for name in source.controls})
    if target.kind == "control" and target.name not in names:
        known = f"controls of these instruments are {', '.join(names)}" if names else "these instruments have no controls"
        idle = [reason for source in sources if (reason := getattr(source, "left_out", {}).get(target.name))]
        return f"{target.name}: {idle[0]}; {known}" if idle else f"there is no control {target.name!r}; {known}"
    return "map: the instruments hold no training sounds" if target.kind == "map" and not any(one.mapped for one in sources) else ""


def counted_from_one(action: Action, problem: str, sources: Sequence[Numbered]) -> str:
    """Returns why an action was refused, with numbers as those count who send OSC or write mappings; the engine counts from 0."""
    kind = _ACTIONS.get(action.name)
    if kind is None:
        return problem
    first = action.values[0]
    target = Target(kind, numbers=(first + 1, *([action.values[1] + 1] if kind == "morph" else [])))
    return lacking(target, sources) or problem.replace(f"{kind} {first} is", f"{kind} {first + 1} is", 1)


class Targets:
    """Turns values of targets into actions; the engine counts from 0. It keeps both coordinates of the map, which are set together."""

    def __init__(self) -> None:
        self._map = {"x": 0.5, "y": 0.5}

    def action(self, target: Target, value: float) -> Action:
        """Returns the action that sets a target. A pad is played where the value is over 0, with that share of the velocity 127."""
        make: dict[str, Callable[[], Action]] = {
            "latent": lambda: Action("set_latent", (target.numbers[0] - 1, value)),
            "axis": lambda: Action("set_axis", (target.numbers[0] - 1, value)),
            "control": lambda: Action("set_control", (target.name, value)),
            "map": lambda: self._on_map(target.name, value),
            "morph": lambda: Action("set_morph", (target.numbers[0] - 1, target.numbers[1] - 1, value)),
            "gain": lambda: Action("set_gain", (value,)),
            "pad": lambda: Action("pad", (target.numbers[0] - 1, min(max(round(value * 127), 1), 127))),
            "program": lambda: Action("program", (round(value),)),
            "walk": lambda: Action(f"walk_{target.name}", (value,)),
        }
        return make[target.kind]()

    def _on_map(self, axis: str, value: float) -> Action:
        self._map[axis] = value
        return Action("set_map", (self._map["x"], self._map["y"]))
