"""The requested modulation: depth and rate, as numbers and as texts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from timbrespace.contracts import ConfigError
from timbrespace.modulation.fluctuation import FASTEST, SLOWEST

MOST_FACTOR, MOST_CENTS, MOST_DB = 10.0, 600.0, 24.0
_UNITS = {"vibrato": "cents", "tremolo": "dB"}
_MOST = {"vibrato": MOST_CENTS, "tremolo": MOST_DB}


@dataclass(frozen=True)
class Wish:
    """What a vibrato or a tremolo shall be. factor: of its depth, 0 removes it. depth: in cents or dB, in place of a factor; it is added
    where there is none. rate: Hz. speed: factor of the rate, in place of it.
    """

    factor: float = 1.0
    depth: float | None = None
    rate: float | None = None
    speed: float | None = None

    @property
    def keeps(self) -> bool:
        """Whether no change is requested."""
        return self.factor == 1 and self.depth is None and self.rate is None and self.speed in (None, 1.0)

    def scaled(self, own: float) -> float:
        """Returns the factor for a modulation of depth `own`."""
        return self.factor if self.depth is None else self.depth / own

    def faster(self, own: float) -> float:
        """Returns the factor for a modulation at a rate of `own` Hz."""
        return self.rate / own if self.rate is not None else self.speed or 1.0


KEEP = Wish()


def read_wish(kind: str, depth: str | float | None = None, rate: str | float | None = None) -> Wish:
    """Returns the wish of texts. kind: vibrato or tremolo. depth: `0.5`, a factor, or `30cents`, `3dB`. rate: `5.5`, in Hz, or `x1.2`.

    Raises ConfigError for other texts, and for values out of range.
    """
    factor, cents = _depth(kind, depth)
    hertz, speed = _rate(kind, rate)
    return Wish(factor, cents, hertz, speed)


def _depth(kind: str, depth: str | float | None) -> tuple[float, float | None]:
    unit, most = _UNITS[kind], _MOST[kind]
    if depth is None:
        return 1.0, None
    text = str(depth).strip()
    number = text.lower()
    absolute = next((end for end in (unit.lower(), unit.lower().rstrip("s"), unit[0].lower()) if number.endswith(end)), None)
    value = _number(number.removesuffix(absolute or ""))
    limit = most if absolute else MOST_FACTOR
    if not 0 <= value <= limit:
        raise ConfigError(
            f"{kind} is {text!r}; give a factor of its depth, 0 (none) to {MOST_FACTOR:g}, or a depth, 0{unit} to {most:g}{unit}, "
            f"such as {'30cents' if kind == 'vibrato' else '3dB'}"
        )
    return (1.0, value) if absolute else (value, None)


def _rate(kind: str, rate: str | float | None) -> tuple[float | None, float | None]:
    if rate is None:
        return None, None
    text = str(rate).strip().lower()
    value = _number(text.removeprefix("x").removesuffix("hz"))
    low, high = (0.25, 4.0) if text.startswith("x") else (SLOWEST, FASTEST)
    if not low <= value <= high:
        raise ConfigError(f"the rate of the {kind} is {rate!r}; give {SLOWEST:g} to {FASTEST:g} Hz, or a factor, x0.25 to x4, such as x1.2")
    return (None, value) if text.startswith("x") else (value, None)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
