"""Recipes: render requests as plain JSON values, and the requests of recipes again."""

from __future__ import annotations

from typing import Any

import torch

from timbrespace.contracts import ConfigError
from timbrespace.synthesis import sequences
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.request import RenderRequest

ENGINE = "torch"  # what renders here; another engine's samples may differ in their last bits
# 1, without a number in the recipe: noise of PyTorch's and NumPy's default generators. 2: all noise from `timbrespace.noise`.
RENDER_VERSION = 2
_LONGEST_SECONDS = 3_600.0  # of a recipe


def to_recipe(contents: InstrumentContents, request: RenderRequest) -> dict[str, Any]:
    """Returns what a recipe holds of a request, as plain JSON values."""
    made = {"engine": ENGINE, "render_version": RENDER_VERSION, "category": request.category, "phase_seed": request.seed}
    if contents.model.time_varying:
        return {**made, "latent": sequences.path_to_text(request.z), "length": request.length}
    return {**made, "latent": [float(value) for value in request.z]}


def from_recipe(contents: InstrumentContents, recipe: dict[str, Any]) -> tuple[RenderRequest, Any, int]:
    """Returns the request of a recipe, its level and its rate in Hz.

    Raises ConfigError unless it is a recipe of this instrument, engine and render version.
    """
    try:
        if contents.model.time_varying:
            z, length = sequences.path_from_text(recipe["latent"]), int(recipe["length"])
        else:
            z, length = torch.tensor([float(value) for value in recipe["latent"]], dtype=torch.float32), None
        request = RenderRequest(z, str(recipe["name"]), recipe["category"], dict(recipe["asked"]), int(recipe["phase_seed"]), length)
        level, out_rate = recipe["level"], int(recipe["sample_rate"])
        fits = isinstance(level, str) and (request.category is None or isinstance(request.category, str))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ConfigError(f"this is not a recipe: {type(error).__name__} {error!s:.80}; give the JSON file beside a rendered WAV") from None
    if len(z) != contents.model.dims or not z.numel() or not torch.isfinite(z).all() or not fits or not 0 <= request.seed < 2**63:
        raise ConfigError(f"the recipe does not fit this instrument: {len(z)} latent values, {contents.model.dims} expected")
    if length is not None and not 1 <= length <= _LONGEST_SECONDS * contents.sample_rate:
        raise ConfigError(f"the recipe's length is {length} samples, allowed is 1 to {_LONGEST_SECONDS:g} s")
    _check_version(recipe)
    return request, level, out_rate


def _check_version(recipe: dict[str, Any]) -> None:
    """Raises ConfigError for a recipe whose sound this release would not repeat bit for bit.

    Recipes of version 1 are refused and not rendered in the old way: noise, texture and phase search have changed together, so the old
    way would be a second renderer.
    """
    version, engine = recipe.get("render_version", 1), recipe.get("engine", ENGINE)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ConfigError(f"the recipe's render_version is {version!r:.40}, allowed is {RENDER_VERSION}; give the file as it was written")
    if version != RENDER_VERSION:
        other = "an older release" if version < RENDER_VERSION else "a newer release"
        raise ConfigError(
            f"the recipe is of render version {version}, of {other}; this release renders version {RENDER_VERSION}, with other noise, and "
            "would make a similar sound, not the same; replay it with the release that wrote it, or keep the WAV"
        )
    if engine != ENGINE:
        raise ConfigError(f"the recipe was rendered by engine {engine!r:.40}, this release has {ENGINE!r}; replay it where it was made")
