"""Variations of sounds for training, and drawing them. What is drawn is done by `augment_audio` or `augment_features`.

Drawing is apart from doing, so that a seed replays any variation, and a variation can be written down (`to_dict`) and done again.
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

LOWEST_HZ, HIGHEST_HZ = 60.0, 12_000.0  # of the equaliser's centres
WIDEST_Q, NARROWEST_Q = 0.5, 2.0


@dataclass(frozen=True)
class Bell:
    """One band of the equaliser: centre in Hz, gain there in dB, width as Q."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)  # of `from_dict`
    hertz: float
    gain_db: float
    q: float


@dataclass(frozen=True)
class Variation:
    """What is done to a sound, in this order but for `reverse`, which comes first; the default leaves it as it is.

    semitones: pitch and speed together, as a sampler does. transpose: semitones of pitch alone. stretch: factor of the duration
    alone. partner: index of a clip mixed in, at partner_db (dB) and shifted by partner_semitones. tilt: coefficient of a one-zero
    filter, above 0 brighter. bells: an equaliser. decay: of an exponential envelope in dB a second, above 0 shorter.
    noise_db: level of the sound over noise that is added, None: no noise; noise_pink: pink, not white; noise_seed: of its samples.
    gain_db: at the very end. reverse: backwards.
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
        """What differs from no change at all, as plain values that JSON keeps to the bit."""
        plain = asdict(self) | {"bells": [asdict(bell) for bell in self.bells]}
        return {field.name: plain[field.name] for field in fields(self) if getattr(self, field.name) != field.default}

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> Variation:
        """The way back. Raises ConfigError naming the key that is unknown or of the wrong kind."""
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
    """A random variation of one of `clips` clips. The same number of draws whatever comes out, so that a stream stays aligned.

    Settings decide what is made of the draws and never how many there are: a kind that is turned on leaves the others as they were.
    """
    may = settings or Augmentation()
    chance, value = rng.random(4), rng.random(6)
    further, other, bells = rng.random(6), rng.random(6), rng.random((BANDS, 3))
    mixed = clips > 1 and chance[1] < may.mix.chance
    noisy = bool(further[3] < may.noise.chance)
    return Variation(
        semitones=float(may.pitch.semitones * (2 * value[0] - 1)) if chance[0] < may.pitch.chance else 0.0,
        partner=int(value[1] * clips) if mixed else None,
        partner_db=float(may.mix.lowest * value[2]) if mixed else 0.0,
        partner_semitones=float(may.mix.semitones * (2 * value[3] - 1)) if mixed else 0.0,
        tilt=float(may.tilt.coefficient * (2 * value[4] - 1)) if chance[2] < may.tilt.chance else 0.0,
        decay=_between(may.decay.slowest, may.decay.fastest, value[5]) if chance[3] < may.decay.chance else 0.0,
        transpose=float(may.transpose.semitones * (2 * other[0] - 1)) if further[0] < may.transpose.chance else 0.0,
        stretch=float(may.stretch.factor ** (2 * other[1] - 1)) if further[1] < may.stretch.chance else 1.0,
        bells=tuple(_bell(draws, may.equaliser.gain) for draws in bells[: may.equaliser.bands])
        if further[2] < may.equaliser.chance
        else (),
        noise_db=_between(may.noise.lowest, may.noise.highest, other[2]) if noisy else None,
        noise_pink=noisy and bool(other[3] < may.noise.pink),
        noise_seed=int(other[4] * 2**32) if noisy else 0,
        gain_db=_between(may.gain.lowest, may.gain.highest, other[5]) if further[4] < may.gain.chance else 0.0,
        reverse=bool(further[5] < may.reverse.chance),
    )


def _between(low: float, high: float, share: float) -> float:
    return float(low + (high - low) * share)


def _bell(draws: np.ndarray, gain: float) -> Bell:
    hertz = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** draws[0]
    return Bell(float(hertz), float(gain * (2 * draws[1] - 1)), float(WIDEST_Q * (NARROWEST_Q / WIDEST_Q) ** draws[2]))
