"""What an engine is asked to render."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from timbrespace.synthesis.detail.mix import Mix
    from timbrespace.synthesis.detail.rendering import Rendered
    from timbrespace.synthesis.moving.plan import Moving


class RenderRequest(NamedTuple):
    """One sound to be rendered.

    z: latent, `(dims,)` or `(dims, steps)`: a tensor, or an array where the native core renders. stem: of its name. recipe: what was
    asked, for the recipe beside the latent. seed: of phase and noise. length: in samples; None where z holds it. mix: the given sounds
    it is made from; None for a new sound. moving: the path of a sound whose latent moves while it sounds; z is then a point of it.
    rendered: the finished sound at the instrument's rate, with the level of its given sounds, if it was rendered to be measured.
    """

    z: Any
    stem: str
    category: str | None
    recipe: dict[str, Any]
    seed: int
    length: int | None = None
    mix: Mix | None = None
    moving: Moving | None = None
    rendered: Rendered | None = None
