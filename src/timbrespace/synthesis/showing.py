"""How sounds show themselves in a notebook: by a function that `timbrespace.instrument` sets, because this room cannot import `report`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timbrespace.synthesis.sound import Sound

Viewer = Callable[[Sequence["Sound"]], str]
_viewers: list[Viewer] = []


def set_viewer(viewer: Viewer) -> None:
    """Makes `viewer` the function that writes the HTML of sounds."""
    _viewers[:] = [viewer]


def html_of(sounds: Sequence[Sound]) -> str | None:
    """Returns sounds as HTML for a notebook; None, so that the text is shown, without a viewer."""
    return _viewers[0](sounds) if _viewers else None
