"""Where a walk may go: ranges of axes of an instrument, by the names that `explore` has too."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from timbrespace.contracts import ConfigError
from timbrespace.live.actions import Action
from timbrespace.live.mapping.targets import Target, parse_target

_DEFAULT = (-1.5, 1.5)  # standard deviations
_FIRST = 4  # axes that walk where none is named
_RANGE = re.compile(r"\s*([+-]?[0-9.]+)\s*:\s*([+-]?[0-9.]+)\s*")
_KINDS = ("latent", "axis", "control")


@dataclass(frozen=True)
class Playable:
    """What a walk has to know of an instrument. pads: their MIDI notes. pitched: whether sounds are notes, from `lowest` to `highest`.

    axes, dims: numbers of principal axes and of latents. controls: name -> least and largest value in spreads.
    """

    pads: tuple[int, ...]
    pitched: bool
    lowest: float
    highest: float
    axes: int
    dims: int
    controls: dict[str, tuple[float, float]]


def playable(engine: Any) -> Playable:
    """Returns what the first instrument of an engine has."""
    source = engine.sounds.sources[0]
    notes = tuple(pad.note for pad in source.pads)
    return Playable(notes, source.notes, source.lowest, source.highest, source.axes, source.dims, dict(source.controls))


@dataclass(frozen=True)
class Bound:
    """A latent, principal axis or control, and the least and largest value that it may have."""

    target: Target
    low: float
    high: float

    def action(self, value: float) -> Action:
        """Returns the action that sets it."""
        if self.target.kind == "control":
            return Action("set_control", (self.target.name, value))
        return Action(f"set_{self.target.kind}", (self.target.numbers[0] - 1, value))


def parse_bounds(text: str | None, instrument: Playable) -> tuple[Bound, ...]:
    """Returns the bounds of "pc1=-2:2,brightness=0:1.5,z3=-1:1", or of "-2:2" for the first four principal axes; None: those, ±1.5.

    An instrument without principal axes has latents in their place. Raises ConfigError.
    """
    given: list[tuple[str, str]] = []
    for part in (text or "").split(","):
        name, equals, span = part.rpartition("=")
        if part.strip():
            given.append((name.strip() if equals else "", span))
    found: dict[Target, Bound] = {}
    for name, span in given or [("", f"{_DEFAULT[0]}:{_DEFAULT[1]}")]:
        low, high = _span(span, text or "")
        for target in [parse_target(name)] if name else _first(instrument):
            _check(target, low, high, instrument)
            found[target] = Bound(target, low, high)
    return tuple(found.values())


def _span(span: str, whole: str) -> tuple[float, float]:
    match = _RANGE.fullmatch(span)
    try:
        low, high = (float(number) for number in match.groups()) if match else (math.nan, math.nan)
    except ValueError:
        low = high = math.nan
    if not low <= high:
        raise ConfigError(
            f"--bounds {whole[:60]!r}: {span.strip()[:30]!r} is no range; write AXIS=LOW:HIGH, such as pc1=-2:2,brightness=0:1.5"
        )
    return low, high


def _first(instrument: Playable) -> list[Target]:
    kind, count = ("axis", instrument.axes) if instrument.axes else ("latent", instrument.dims)
    return [Target(kind, numbers=(number,)) for number in range(1, min(count, _FIRST) + 1)]


def _check(target: Target, low: float, high: float, instrument: Playable) -> None:
    """Raises ConfigError where the instrument lacks the axis, or its values are fewer."""
    counts = {"axis": instrument.axes, "latent": instrument.dims}
    if target.kind not in _KINDS:
        raise ConfigError(f"--bounds names {target}; a walk moves latents (z1 …), principal axes (pc1 …) and controls")
    if target.kind == "control" and target.name not in instrument.controls:
        names = ", ".join(instrument.controls) or "none"
        raise ConfigError(f"--bounds names the control {target.name!r}; controls of this instrument are {names}")
    if target.kind in counts and target.numbers[0] > counts[target.kind]:
        raise ConfigError(f"--bounds names {target}; this instrument has {instrument.dims} latents and {instrument.axes} principal axes")
    most = {"control": 3.0, "axis": 4.0, "latent": 8.0}[target.kind]
    if low < -most or high > most:
        raise ConfigError(f"--bounds {target}={low:g}:{high:g}: allowed is {-most:g} to {most:g}")
