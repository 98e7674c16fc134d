"""The parts that all synthetic corpora share: a synthesised clip, and a recipe that makes a whole corpus of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SyntheticClip:
    """One synthesised sound.

    name: such as 'kick/kick 003'. audio: `(1, time)` float32. labels: the drawn parameters, or factor indices. pitch: MIDI number
    (60 = C4). velocity: 1 … 127. pitch, velocity and instrument are None for a sound that has none.
    """

    name: str
    category: str | None
    audio: Tensor
    labels: dict[str, float | int | str] = field(default_factory=dict)
    pitch: float | None = None
    velocity: int | None = None
    instrument: str | None = None


class Maker(Protocol):
    """Makes the clips with the given indices, in that order; clip i depends on the seed, i and the sample rate alone."""

    def __call__(self, indices: Sequence[int], *, seed: int, sample_rate: int) -> Iterator[SyntheticClip]:
        """Yields one clip for each index. sample_rate: Hz."""


@dataclass(frozen=True)
class Recipe:
    """How a synthetic corpus is made.

    count: the default number of clips. as_is: every clip is stored unchanged, neither trimmed nor normalised, silent ones and
    near-duplicates included. fixed: the corpus has exactly `count` clips; fewer are a random choice of them.
    """

    make: Maker
    count: int
    as_is: bool = False
    fixed: bool = False
