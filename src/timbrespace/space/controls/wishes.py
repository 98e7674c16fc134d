"""Requests to the controls: amounts in spreads, factors, and targets in units, read from text and checked against an instrument."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from timbrespace.audio.describe import DESCRIPTORS, TONES, Descriptor
from timbrespace.audio.pitch import midi_to_hz
from timbrespace.contracts import ConfigError
from timbrespace.synthesis.controls import Control

Value = str | float
Wishes = Mapping[str, Value]

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
# Unit as written -> descriptor's unit and factor.
_UNITS = {"hz": ("Hz", 1.0), "khz": ("Hz", 1e3), "s": ("s", 1.0), "ms": ("s", 1e-3), "db": ("dB", 1.0), "%": ("%", 1.0)}
_NOTE = re.compile(r"([A-Ga-g])([#b♯♭]?)(-?\d{1,2})")
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
MOST = 3.0  # spreads
_BEYOND = 0.05  # of its range: how far outside the corpus a target may be


class Wish(NamedTuple):
    """A wish of one control. amount: in spreads; or change: on the descriptor's scale; or target: a place on that scale."""

    control: Control
    amount: float | None = None
    change: float | None = None
    target: float | None = None

    def spreads(self, place: float) -> float:
        """Returns the wish as an amount in spreads, for a sound at a place on the descriptor's scale."""
        if self.amount is not None:
            return self.amount
        change = self.change if self.target is None else self.target - place
        return (change or 0.0) / self.control.spread

    @property
    def text(self) -> str:
        """The wish as it can be given again, such as "+1" or "0.4s"; what a recipe holds."""
        if self.amount is not None:
            return f"{self.amount:+g}"
        if self.change is not None:
            return f"x{2**self.change:g}" if self.control.descriptor.logarithmic else f"{self.change:+g}"
        unit = self.control.unit or "%"
        value = self.control.descriptor.from_scale(self.target or 0.0) * (1 if self.control.unit else 100)
        return f"{value:.6g}{unit}"


def read_wishes(asked: Wishes, controls: Sequence[Control]) -> list[Wish]:
    """Returns the wishes of names of controls, or of their words ("brighter", "darker"), and values.

    A value is an amount in spreads of the corpus (1.0, "+1"), a factor ("x0.5": half, of Hz and s), or a target with its unit ("0.4s",
    "2kHz", "C4", "-12dB", "30%" of noisiness). Raises ConfigError for what the instrument does not have, cannot reach, or is asked twice.
    """
    wishes: dict[str, Wish] = {}
    for name, value in asked.items():
        control, sign = _control(name, controls)
        wish = _read(control, sign, value, name)
        if control.name in wishes:
            raise ConfigError(f"{control.name} is asked for twice, {wishes[control.name].text} and {name} {value}; give it once")
        wishes[control.name] = wish
    return list(wishes.values())


def describe_controls(controls: Sequence[Control]) -> str:
    """Returns a text such as "brightness (brighter, darker; -1.6 to +1.1)", or "none"."""
    return ", ".join(f"{one.name} ({one.more}, {one.less}; {one.low:+g} to {one.high:+g})" for one in controls) or "none"


def control_text(control: Control) -> str:
    """Returns a text such as "brightness -1.6 to +1.1 (57Hz to 13500Hz)"."""
    low, high = value_text(control, control.lowest), value_text(control, control.highest)
    return f"{control.name} {control.low:+g} to {control.high:+g} ({low} to {high})"


def _control(name: str, controls: Sequence[Control]) -> tuple[Control, int]:
    """The control of a name or word, and the sign of the word. Raises ConfigError."""
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    for control in controls:
        if key in (control.name, control.more, control.less):
            return control, -1 if key == control.less else 1
    known = next((one for one in DESCRIPTORS.values() if key in (one.name, one.more, one.less)), None)
    if known is None and key in TONES:
        raise ConfigError(
            f"{key} is a control of tones that are held, see `timbrespace play`; of finished sounds there are {describe_controls(controls)}"
        )
    what = f"there is no control {name!r}" if known is None else f"this instrument has no control {known.name}: {_why(known)}"
    raise ConfigError(f"{what}; it has {describe_controls(controls)}")


def _why(descriptor: Descriptor) -> str:
    """Why an instrument may lack a control."""
    if descriptor.name in ("pitch", "inharmonicity"):
        return "it was not trained on notes, or nothing in its latent moves this alone"
    return "nothing in its latent moves it"


def _read(control: Control, sign: int, value: Value, name: str) -> Wish:
    """The wish of a value. Raises ConfigError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigError(_refusal(control, name, value))
    text = str(value).strip().replace("−", "-")
    if re.fullmatch(_NUMBER, text) or isinstance(value, int | float):
        return Wish(control, amount=_within(control, sign * float(text), value))
    if sign < 0:
        raise ConfigError(f"{name} is {value!r}, a word takes an amount in spreads, such as 0.5; for a target give {control.name}={value}")
    if (factor := re.fullmatch(rf"[x×*]\s*({_NUMBER})|({_NUMBER})\s*[x×]", text)) is not None:
        return _factor(control, float(factor[1] or factor[2]), value)
    if control.unit == "Hz" and (semitones := re.fullmatch(rf"({_NUMBER})\s*(?:st|semitones?)", text)) is not None:
        return _changed(control, float(semitones[1]) / 12, value)
    return Wish(control, target=_target(control, text, name, value))


def _within(control: Control, amount: float, value: Value) -> float:
    """Returns an amount in spreads. Raises ConfigError beyond what any sound can do; nearer ones are followed as far as it goes."""
    if not abs(amount) <= MOST:  # also refuses NaN
        raise ConfigError(
            f"{control.name} is asked for by {value}, allowed are up to {MOST:g} spreads either way (a spread is {spread_text(control)}); "
            f"sounds of this instrument reach {control.low:+g} to {control.high:+g}, or values from "
            f"{value_text(control, control.lowest)} to {value_text(control, control.highest)}"
        )
    return amount


def _factor(control: Control, factor: float, value: Value) -> Wish:
    if not control.descriptor.logarithmic or factor <= 0:
        raise ConfigError(f"{control.name} is {value!r}, a factor over 0 is for values in Hz and s; give {_forms(control)}")
    return _changed(control, math.log2(factor), value)


def _changed(control: Control, change: float, value: Value) -> Wish:
    _within(control, change / control.spread, value)
    return Wish(control, change=change)


def _target(control: Control, text: str, name: str, value: Value) -> float:
    """A place on the scale. Raises ConfigError."""
    number = _value_of(control, text)
    if number is None:
        raise ConfigError(_refusal(control, name, value))
    low, high = (control.descriptor.to_scale(limit) for limit in (control.lowest, control.highest))
    place = math.log2(number) if control.descriptor.logarithmic and number > 0 else number
    margin = _BEYOND * (high - low)
    if not low - margin <= place <= high + margin or (control.descriptor.logarithmic and number <= 0):
        raise ConfigError(
            f"{control.name} is {value}, the sounds of this instrument have {value_text(control, control.lowest)} to "
            f"{value_text(control, control.highest)}; ask for a value in that range"
        )
    return place


def _value_of(control: Control, text: str) -> float | None:
    """The value in the descriptor's unit that a text gives; None for another unit."""
    if control.name == "pitch" and (note := _NOTE.fullmatch(text)) is not None:
        accidental = {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(note[2], 0)
        return midi_to_hz(12.0 * (int(note[3]) + 1) + _STEPS[note[1].lower()] + accidental)
    parts = re.fullmatch(rf"({_NUMBER})\s*([A-Za-z%]+)", text)
    if parts is None or parts[2].lower() not in _UNITS:
        return None
    unit, factor = _UNITS[parts[2].lower()]
    if control.unit == "" and unit == "%":
        return float(parts[1]) / 100
    return float(parts[1]) * factor if unit == control.unit else None


def _forms(control: Control) -> str:
    """Examples of values."""
    middle = control.descriptor.from_scale((control.descriptor.to_scale(control.lowest) + control.descriptor.to_scale(control.highest)) / 2)
    factor = ", a factor such as x0.5" if control.descriptor.logarithmic else ""
    note = ", a note such as C4" if control.name == "pitch" else ""
    return f"an amount in spreads such as +0.5{factor}, or a value such as {value_text(control, middle)}{note}"


def _refusal(control: Control, name: str, value: object) -> str:
    comma = " (write the decimals with a point)" if isinstance(value, str) and re.search(r"\d,\d", value) else ""
    return f"{name} is {value!r:.40}{comma}; allowed is {_forms(control)}"


def value_text(control: Control, value: float) -> str:
    """Returns a value with its unit, such as "0.4s", "2000Hz", "30%"."""
    if control.unit == "":
        return f"{100 * value:.3g}%"
    return f"{float(f'{value:.3g}'):g}{control.unit}"


def spread_text(control: Control) -> str:
    """Returns what one spread is, such as "2.2 octaves", "x2.8" or "13 dB"."""
    if not control.descriptor.logarithmic:
        return f"{control.spread:.2g} {control.unit}"
    return f"{control.spread:.2g} octaves" if control.unit == "Hz" else f"a factor of {2**control.spread:.2g}"
