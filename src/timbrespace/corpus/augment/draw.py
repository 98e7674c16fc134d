"""Draws random variations of sounds for training; `augment.audio` and `augment.features` apply them.

A variation is drawn before it is applied, so that a seed reproduces it, and it can be stored (`to_dict`) and applied again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any, ClassVar

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from timbrespace.contracts import ConfigError
from timbrespace.corpus.augment.settings import BANDS, Augmentation

LOWEST_HZ, HIGHEST_HZ = 60.0, 12_000.0  # range of the centres of the equaliser
WIDEST_Q, NARROWEST_Q = 0.5, 2.0


@dataclass(frozen=True)
class Bell:
    """One band of the equaliser: centre in Hz, gain at the centre in dB, bandwidth as Q."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)  # of `from_dict`
    hertz: float
    gain_db: float
    q: float


@dataclass(frozen=True)
class Variation:
    """Changes of a sound, applied in this order, except for `reverse`, which is first; the default changes nothing.

    semitones: pitch and speed together, as in a sampler. transpose: semitones of pitch alone. stretch: factor of the duration alone.
    partner: index of a clip that is mixed in, at partner_db (dB) and shifted by partner_semitones. tilt: coefficient of a one-zero
    filter, above 0 brighter. bells: an equaliser. decay: of an exponential envelope in dB a second, above 0 shorter. noise_db: level
    of the sound relative to added noise, None: no noise. noise_pink: pink instead of white. noise_seed: of its samples. gain_db: gain
    at the end. reverse: backwards.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)
    semitones: float = 0.0
    partner: int | None = None
    partner_db: float = 0.0
    partner_semitones: float = 0.0
    tilt: float = 0.0
    decay: float = 0.0
    transpose: float = 0.0
    stretch: float = 1.0
    bells: tuple[Bell, ...] = ()
    noise_db: float | None = None
    noise_pink: bool = False
    noise_seed: int = 0
    gain_db: float = 0.0
    reverse: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The fields that differ from their defaults, as plain values that JSON stores exactly."""
        plain = asdict(self) | {"bells": [asdict(bell) for bell in self.bells]}
        return {field.name: plain[field.name] for field in fields(self) if getattr(self, field.name) != field.default}

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> Variation:
        """The variation of a dict from `to_dict`. Raises ConfigError that names the unknown or invalid key."""
        try:
            unknown = sorted(set(content) - {field.name for field in fields(Variation)})
            if unknown:
                raise ConfigError(f"a variation has no {unknown[0]!r}; known are {', '.join(field.name for field in fields(Variation))}")
            return _reader().validate_python(dict(content))
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(f"{'.'.join(map(str, first['loc']))} of a variation is {first['input']!r:.80}: {first['msg']}") from None


@cache
def _reader() -> TypeAdapter[Variation]:
    return TypeAdapter(Variation)


def draw_variation(rng: np.random.Generator, *, clips: int, settings: Augmentation | None = None) -> Variation:
    """A random variation for a corpus of `clips` clips.

    The number of draws from `rng` is always the same, so that a stream stays aligned: turning on one kind of change leaves the others
    as they were. settings: None: the defaults.
    """
    limits = settings or Augmentation()
    chance, value = rng.random(4), rng.random(6)
    further, other, bells = rng.random(6), rng.random(6), rng.random((BANDS, 3))
    mixed = clips > 1 and chance[1] < limits.mix.chance
    noisy = bool(further[3] < limits.noise.chance)
    return Variation(
        semitones=float(limits.pitch.semitones * (2 * value[0] - 1)) if chance[0] < limits.pitch.chance else 0.0,
        partner=int(value[1] * clips) if mixed else None,
        partner_db=float(limits.mix.lowest * value[2]) if mixed else 0.0,
        partner_semitones=float(limits.mix.semitones * (2 * value[3] - 1)) if mixed else 0.0,
        tilt=float(limits.tilt.coefficient * (2 * value[4] - 1)) if chance[2] < limits.tilt.chance else 0.0,
        decay=_between(limits.decay.slowest, limits.decay.fastest, value[5]) if chance[3] < limits.decay.chance else 0.0,
        transpose=float(limits.transpose.semitones * (2 * other[0] - 1)) if further[0] < limits.transpose.chance else 0.0,
        stretch=float(limits.stretch.factor ** (2 * other[1] - 1)) if further[1] < limits.stretch.chance else 1.0,
        bells=tuple(_bell(draws, limits.equaliser.gain) for draws in bells[: limits.equaliser.bands])
        if further[2] < limits.equaliser.chance
        else (),
        noise_db=_between(limits.noise.lowest, limits.noise.highest, other[2]) if noisy else None,
        noise_pink=noisy and bool(other[3] < limits.noise.pink),
        noise_seed=int(other[4] * 2**32) if noisy else 0,
        gain_db=_between(limits.gain.lowest, limits.gain.highest, other[5]) if further[4] < limits.gain.chance else 0.0,
        reverse=bool(further[5] < limits.reverse.chance),
    )


def _between(low: float, high: float, share: float) -> float:
    return float(low + (high - low) * share)


def _bell(draws: np.ndarray, gain: float) -> Bell:
    hertz = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** draws[0]
    return Bell(float(hertz), float(gain * (2 * draws[1] - 1)), float(WIDEST_Q * (NARROWEST_Q / WIDEST_Q) ** draws[2]))
