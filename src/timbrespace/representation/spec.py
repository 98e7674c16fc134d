"""What a model must know of the features that it learns: their sizes, their units, and where they are from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Values = Literal["levels", "samples", "other"]


class FeatureKind(NamedTuple):
    """What the values of features are, and the names of their view and normalisation for messages.

    values: of the view, before normalisation: "levels" in dB under a sound's loudest cell, "samples" of audio, or "other".
    block: samples a frame, of "samples".
    """

    values: Values
    view: str = "features"
    normalisation: str = "none"
    block: int = 1

    @property
    def plain_levels(self) -> bool:
        """Whether a model gets levels in dB, not normalised."""
        return self.values == "levels" and self.normalisation == "none"

    @property
    def plain_samples(self) -> bool:
        """Whether a model gets samples of audio, not normalised."""
        return self.values == "samples" and self.normalisation == "none"


@dataclass(frozen=True)
class FeatureSpec:
    """Sizes and units of the features of a corpus's sounds; made by `Representation.spec`.

    parts, bands, frames: shape of the features of the longest sound. samples: of that sound. frames_of: samples -> frames.
    sample_rate: Hz. floor: dB under the loudest cell where levels are cut; None unless the values are levels.
    hop: samples between frames, None where there is no such number. centres: middle frequencies of the bands in Hz, None where bands are
    something else.
    """

    parts: int
    bands: int
    frames: int
    samples: int
    sample_rate: int
    frames_of: Callable[[int], int]
    kind: FeatureKind
    floor: float | None = None
    hop: int | None = None
    centres: tuple[float, ...] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(parts, bands, frames)` of the longest sound."""
        return self.parts, self.bands, self.frames

    @property
    def cells(self) -> int:
        """Values of one frame: parts * bands."""
        return self.parts * self.bands

    @property
    def unit(self) -> str:
        """Unit of an error in these features: "dB" of levels, else "%"."""
        return "%" if self.floor is None else "dB"

    def __deepcopy__(self, memo: dict[int, Any]) -> FeatureSpec:
        """Returns itself: a copy of a model shares its frozen spec."""
        return self
