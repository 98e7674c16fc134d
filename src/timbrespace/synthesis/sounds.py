"""Lists of sounds that show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from typing import SupportsIndex, overload

from timbrespace.synthesis.showing import html_of
from timbrespace.synthesis.sound import Sound


class Sounds(list[Sound]):
    """A list of sounds; in a notebook, players and spectrograms. Slices and sums are of this type, too."""

    @overload
    def __getitem__(self, index: SupportsIndex) -> Sound: ...
    @overload
    def __getitem__(self, index: slice) -> Sounds: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Sound | Sounds:
        found = super().__getitem__(index)
        return Sounds(found) if isinstance(index, slice) else found  # type: ignore[arg-type,return-value]

    def __add__(self, others: Iterable[Sound]) -> Sounds:  # type: ignore[override]
        return Sounds([*self, *others])

    def _repr_html_(self) -> str | None:
        return html_of(self)
