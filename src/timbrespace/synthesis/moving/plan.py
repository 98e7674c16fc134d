"""What a moving sound is: keys along a path through the latent space, and how long it takes from the first to the last."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from torch import Tensor

from timbrespace.contracts import ConfigError, Parameter
from timbrespace.synthesis.detail.given import GivenSound, latent_from, latent_to
from timbrespace.synthesis.detail.mix import Mix
from timbrespace.synthesis.detail.source import Source, analyse
from timbrespace.synthesis.file.contents import InstrumentContents

SECONDS = Parameter("seconds", 0.02, 120.0, 4.0, "s", help="length of a moving sound")
MOST_KEYS = 257
_FLAGS = ("hold", "even", "measured", "by_partials")  # of a recipe; earlier ones lack the last two


class Key(NamedTuple):
    """A point of the path.

    z: `(dims,)` or `(dims, steps)`. length: in samples; None where z holds it. mix: the given sounds near it; None for a new sound.
    """

    z: Tensor
    length: int | None = None
    mix: Mix | None = None


class Moving(NamedTuple):
    """One sound whose latent moves while it sounds.

    keys: two or more. length: samples from the onset. hold: whether the sound is held after its attack, see `moving.levels`; else it
    takes its course once. even: whether the keys are passed so that the sound changes evenly; else at even times. window: samples
    between which it moves from the first key to the last; None: all the time, but for the ends that are given sounds. measured: whether
    even speed is by measurements of the way between two given sounds, see `evenness`; older recipes are not. by_partials: whether notes
    that glide or are held are blended by the number of their partials, and glide evenly, see `notes`; older recipes are not.
    """

    keys: tuple[Key, ...]
    length: int
    hold: bool = False
    even: bool = True
    window: tuple[int, int] | None = None
    measured: bool = False
    by_partials: bool = False

    @property
    def between_two(self) -> bool:
        """Whether its speed is measured: it goes evenly from one given sound to another."""
        return self.measured and self.even and self.window is None and self.first is not None and self.last is not None

    @property
    def sources(self) -> list[Source]:
        """The given sounds, each once, in the order of the keys."""
        found: dict[int, Source] = {}
        for key in self.keys:
            for source in key.mix.sources if key.mix is not None else ():
                found.setdefault(id(source), source)
        return list(found.values())

    @property
    def first(self) -> Source | None:
        """The given sound that the first key is, None where it is none."""
        return own_source(self.keys[0])

    @property
    def last(self) -> Source | None:
        """The given sound that the last key is, None where it is none."""
        return own_source(self.keys[-1])


def own_source(key: Key) -> Source | None:
    """Returns the given sound that a key is, None where it differs from all."""
    if key.mix is None or key.mix.own is None:
        return None
    return key.mix.sources[int(key.mix.share)]


def weight_of(key: Key, source: Source | None) -> float:
    """Returns how much of a key is a given sound: its share, less where its detail is not all kept; 0 to 1."""
    if key.mix is None or source is None:
        return 0.0
    shares = [1 - key.mix.share, key.mix.share] if len(key.mix.sources) > 1 else [key.mix.kept]
    return max([share for share, one in zip(shares, key.mix.sources, strict=True) if one is source], default=0.0)


def to_text(contents: InstrumentContents, moving: Moving) -> dict[str, Any]:
    """Returns what a recipe holds of a moving sound, as plain JSON values, without its sources."""
    numbers = {id(source): number for number, source in enumerate(moving.sources)}
    keys = []
    for key in moving.keys:
        one: dict[str, Any] = {"latent": latent_to(contents, key.z), "length": key.length}
        if key.mix is not None:
            one |= {"sources": [numbers[id(source)] for source in key.mix.sources], "share": key.mix.share, "kept": key.mix.kept}
        keys.append(one)
    window = None if moving.window is None else list(moving.window)
    flags = {name: bool(getattr(moving, name)) for name in _FLAGS}
    return {"length": moving.length, **flags, "window": window, "keys": keys}


def from_text(contents: InstrumentContents, values: Any, given: list[GivenSound]) -> Moving:
    """Returns the moving sound of `to_text`. given: its sources, in order. Raises ConfigError for anything else."""
    try:
        sources = [analyse(contents, one) for one in given]
        keys = []
        for one in values["keys"][: MOST_KEYS + 1]:
            mix = None
            if "sources" in one:
                share, kept = float(one["share"]), float(one["kept"])
                chosen = tuple(sources[_number(number)] for number in one["sources"])
                if not (0 <= share <= 1 and 0 <= kept <= 1 and 1 <= len(chosen) <= 2):
                    raise ValueError("share, kept or sources of a key")
                mix = Mix(chosen, share, kept)
            length = None if one["length"] is None else int(one["length"])
            keys.append(Key(latent_from(contents, one["latent"]), length, mix))
        window = None if values["window"] is None else (int(values["window"][0]), int(values["window"][1]))
        flags = {name: values[name] if name in ("hold", "even") else values.get(name, False) for name in _FLAGS}
        if not all(isinstance(flag, bool) for flag in flags.values()):
            raise ValueError(f"one of {', '.join(_FLAGS)} is neither true nor false")
        moving = Moving(tuple(keys), int(values["length"]), window=window, **flags)
        if not 2 <= len(keys) <= MOST_KEYS or any((a.length is None) != (b.length is None) for a, b in pairwise(keys)):
            raise ValueError("number or lengths of the keys")
        longest = round(SECONDS.high * contents.sample_rate)
        if window is not None and not 0 <= window[0] < window[1] <= moving.length:
            raise ValueError("the times between which it moves")
        if not all(1 <= length <= longest for length in [moving.length, *(key.length or 1 for key in keys)]):
            raise ValueError("a length out of range")
    except ConfigError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, IndexError) as error:
        raise ConfigError(f"the recipe's moving sound is damaged ({error!s:.80}); give the JSON file as it was written") from None
    return moving


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("number of a source")
    return value
