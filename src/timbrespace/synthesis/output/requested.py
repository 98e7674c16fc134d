"""What an engine is asked to render."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from timbrespace.synthesis.detail.mix import Mix
    from timbrespace.synthesis.detail.rendering import Rendered
    from timbrespace.synthesis.moving.plan import Moving


class GivenArrays(NamedTuple):
    """A given sound with its detail, as the native core reads it (`ts_near_request`).

    data: its arrays, one after the other; not to be written. frames: of them. attack, held: its timing in frames. bins: of its spectrum.
    hop: samples between frames. level: of its loudest cell, dB.
    """

    data: np.ndarray
    frames: int
    attack: int
    held: int
    bins: int
    hop: int
    level: float


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
