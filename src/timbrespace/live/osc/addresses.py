"""OSC addresses and what they do: notes as Surge XT has them, and the values of an instrument.

    /mnote note velocity [id]      /mnote/rel note [velocity] [id]        note 0 to 127, velocity 0 to 127 (0: let go), id 0 to 2**31 - 1
    /fnote Hz velocity [id]        /fnote/rel Hz [velocity] [id]          8 to 12,600 Hz
    /ne/pitch id semitones         /ne/timbre id x    /ne/pressure id x   -120 to 120; 0 to 1
    /pbend channel x    /cc channel number value    /chan_at channel value    /poly_at channel note value         -1 to 1; 0 to 127
    /allnotesoff    /allsoundoff    /sustain on
    /latent/N value    /latent values …    /axis/N value    /control/NAME value    /map [x y]    /morph a b t    /pad/N [velocity]
    /program n [channel]    /gain factor    /walk/speed|spread|density|tempo value    /walk/start|stop|continue
    /walk/playing on
    /learn target    /learn/stop

Patterns (`/latent/*`): see `patterns`. Channels are 0 to 15, as Surge XT counts; N and the pads of /morph are counted from 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from timbrespace.contracts import ConfigError
from timbrespace.live import checks
from timbrespace.live.actions import TRANSPORT, Action
from timbrespace.live.mapping.targets import WALK_TARGETS, Targets, parse_target
from timbrespace.live.osc.packets import OscError

HIGHEST_ID = 2**31 - 1  # that a sender may give; over it are those of frequencies
_EXPRESSIONS = {"pitch": ("bend", -120.0, 120.0), "timbre": ("timbre", 0.0, 1.0), "pressure": ("pressure", 0.0, 1.0)}
_LOWEST_HZ, _HIGHEST_HZ = 8.0, 12_600.0


class Addresses:
    """Turns a message into actions."""

    def __init__(self, midi: Callable[[bytes], list[Action]]):
        """midi: what a MIDI message does, for /cc and its like."""
        self._midi, self._targets = midi, Targets()

    def actions(self, address: str, values: Sequence[Any]) -> list[Action]:
        """Returns what a message does. Raises OscError: which values it has to have, or that there is no such address."""
        words = address.strip("/").split("/")
        take = _Values(address, values)
        match words:
            case ["mnote"]:
                note, velocity = take.whole("note", 0, 127), take.number("velocity", 0, 127)
                identity = take.id()
                return [Action("note_on", (note, velocity), id=identity) if velocity > 0 else Action("note_off", (note, 0), id=identity)]
            case ["mnote", "rel"]:
                return [Action("note_off", (take.whole("note", 0, 127), take.number("velocity", 0, 127, default=0.0)), id=take.id())]
            case ["fnote", *rest] if rest in ([], ["rel"]):
                return self._frequency(take, release=bool(rest))
            case ["ne", name] if name in _EXPRESSIONS:
                method, low, high = _EXPRESSIONS[name]
                identity = take.whole("id", 0, HIGHEST_ID)
                return [Action(method, (take.number(name, low, high),), id=identity)]
            case ["allnotesoff"]:
                return [Action("all_notes_off")]
            case ["allsoundoff"]:
                return [Action("all_sound_off")]
            case ["sustain"]:
                return [Action("sustain", (take.number("on", 0, 127) > 0,))]
            case ["pbend"]:
                channel, bend = take.whole("channel", 0, 15), round(take.number("bend", -1, 1) * 8192) + 8192
                return self._midi(bytes((0xE0 | channel, min(bend, 16383) & 127, min(bend, 16383) >> 7)))
            case ["cc" | "poly_at" as kind]:
                status = (0xB0 if kind == "cc" else 0xA0) | take.whole("channel", 0, 15)
                return self._midi(bytes((status, take.whole("number", 0, 127), int(take.number("value", 0, 127)))))
            case ["chan_at"]:
                return self._midi(bytes((0xD0 | take.whole("channel", 0, 15), int(take.number("value", 0, 127)))))
            case ["latent"]:
                return [Action("set_latents", (tuple(take.rest()),))]
            case ["latent" | "axis" as kind, number]:
                target = _target(address, f"{kind} {number}")
                return [self._targets.action(target, take.number("value"))]
            case ["control", *name] if name:
                return [Action("set_control", (" ".join(name).casefold(), take.number("value")))]
            case ["map"] if not values:
                return [Action("set_map")]
            case ["map"]:
                return [Action("set_map", (take.number("x", 0, 1), take.number("y", 0, 1)))]
            case ["morph"]:
                return [Action("set_morph", (take.whole("a", 1, 4096) - 1, take.whole("b", 1, 4096) - 1, take.number("t", 0, 1)))]
            case ["pad", number]:
                pad = _target(address, f"pad {number}").numbers[0]
                velocity = take.number("velocity", 0, 127, default=100.0)
                return [Action("pad", (pad - 1, velocity))] if velocity > 0 else []  # a button that is let go sends 0
            case ["program"]:
                return [Action("program", (take.whole("program", 0, 127),), take.whole("channel", 0, 15) if len(values) > 1 else None)]
            case ["gain"]:
                return [Action("set_gain", (take.number("gain", 0, 4),))]
            case ["walk", name] if name in TRANSPORT:
                return (
                    [Action("transport", (name,))] if take.number("value", 0, 127, default=1.0) else []
                )  # a button that is let go sends 0
            case ["walk", "playing"]:  # as it is sent to other programs
                return [Action("transport", ("continue" if take.number("on", 0, 127) else "stop",))]
            case ["walk", name] if name in WALK_TARGETS:
                return [Action(f"walk_{name}", (take.number(name, *WALK_TARGETS[name]),))]
        raise OscError(f"there is no OSC address {address[:60]}; docs/live_protocols.md lists them")

    def _frequency(self, take: _Values, *, release: bool) -> list[Action]:
        """A note of any frequency, as a key with parts of a semitone. Without an id of the sender, the frequency is its id."""
        hertz = take.number("frequency", _LOWEST_HZ, _HIGHEST_HZ)
        velocity = take.number("velocity", 0, 127, default=0.0 if release else None)
        given = take.id()
        identity = HIGHEST_ID + 1 + round(100 * hertz) if given is None else given
        note = min(max(69 + 12 * math.log2(hertz / 440), 0.0), 127.0)
        if release or velocity <= 0:
            return [Action("note_off", (note, velocity), id=identity)]
        return [Action("note_on", (note, velocity), id=identity)]


def _target(address: str, text: str) -> Any:
    try:
        return parse_target(text)
    except ConfigError:
        raise OscError(f"there is no OSC address {address[:60]}: its number is counted from 1") from None


class _Values:
    """Takes the values of a message one after the other, and says which one is wrong."""

    def __init__(self, address: str, values: Sequence[Any]):
        self._address, self._values, self._at = address[:60], values, 0

    def number(self, name: str, low: float = -math.inf, high: float = math.inf, *, default: float | None = None) -> float:
        """Returns the next value as a finite number within limits."""
        span = f" from {low:.10g} to {high:.10g}" if math.isfinite(high) else ""
        if self._at >= len(self._values):
            if default is not None:
                return default
            raise OscError(f"{self._address}: value {self._at + 1}, the {name}, is missing; give a number{span}")
        value = self._values[self._at]
        self._at += 1
        if not isinstance(value, int | float) or not math.isfinite(value) or not low <= value <= high:
            raise OscError(f"{self._address}: the {name} is {checks.shown(value)}; give a number{span}")
        return float(value)

    def whole(self, name: str, low: int, high: int) -> int:
        """Returns the next value, which has to be a whole number; it may come as a float."""
        value = self.number(name, low, high)
        if value != int(value):
            raise OscError(f"{self._address}: the {name} is {value:g}; give a whole number from {low} to {high}")
        return int(value)

    def id(self) -> int | None:
        """Returns the next value as the id of a note, None without."""
        return self.whole("id", 0, HIGHEST_ID) if self._at < len(self._values) else None

    def rest(self) -> list[float]:
        """Returns all values that are left, at least one."""
        values = [self.number("value")]
        while self._at < len(self._values):
            values.append(self.number("value"))
        return values
