"""Recipes: render requests as plain JSON values, and the requests of recipes again."""

from __future__ import annotations

from typing import Any

from timbrespace.contracts import ConfigError
from timbrespace.synthesis.detail.finding import Sources, find_sources, source_entry
from timbrespace.synthesis.detail.given import fingerprint, latent_from, latent_to
from timbrespace.synthesis.detail.mix import Mix
from timbrespace.synthesis.detail.source import analyse
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.finish import Level
from timbrespace.synthesis.moving.plan import MOST_KEYS, Moving, from_text, to_text
from timbrespace.synthesis.output.engines import PYTORCH, RENDER_VERSION, engine_of, read_request
from timbrespace.synthesis.output.requested import RenderRequest

_LONGEST_SECONDS = 3_600.0  # of a recipe


def to_recipe(contents: InstrumentContents, request: RenderRequest) -> dict[str, Any]:
    """Returns what a recipe holds of a request, as plain JSON values."""
    made = {
        "engine": PYTORCH, "render_version": RENDER_VERSION, "instrument": fingerprint(contents), "category": request.category,
        "phase_seed": request.seed, "latent": latent_to(contents, request.z),
    }  # fmt: skip
    if contents.model.time_varying or request.length is not None:
        made["length"] = request.length
    if request.moving is not None:
        made |= {"moving": to_text(contents, request.moving)}
        made |= {"sources": [source_entry(contents, source) for source in request.moving.sources]}
    elif request.mix is not None:
        mix = request.mix
        made |= {"own_sound": mix.own is not None, "share": mix.share, "kept": mix.kept}
        made |= {"limited": mix.limited} if len(mix.sources) > 1 else {}
        made["sources"] = [source_entry(contents, source) for source in mix.sources]
    return made


def from_recipe(
    contents: InstrumentContents, recipe: dict[str, Any], sources: Sources | None = None
) -> tuple[RenderRequest, Level | None, int]:
    """Returns the request of a recipe, its level and its rate in Hz.

    sources: the given sounds it was made from, or their folder. Raises ConfigError unless it is a recipe of this instrument and
    render version, and its sources are there, unchanged.
    """
    request, level, out_rate = read_request(
        recipe,
        lambda values: latent_from(contents, values),
        length=int if contents.model.time_varying or recipe.get("length") is not None else None,
    )
    length = request.length
    if length is not None and not 1 <= length <= _LONGEST_SECONDS * contents.sample_rate:
        raise ConfigError(f"the recipe's length is {length} samples, allowed is 1 to {_LONGEST_SECONDS:g} s")
    engine_of(recipe)
    if "moving" in recipe:
        request = request._replace(moving=_moving(contents, recipe, sources))
    elif "sources" in recipe:
        request = request._replace(mix=_mix(contents, recipe, sources))
    return request, level, out_rate  # type: ignore[return-value]  # `finish` checks the level


def _mix(contents: InstrumentContents, recipe: dict[str, Any], where: Sources | None) -> Mix:
    """The given sounds of a recipe, as they were mixed. Raises ConfigError."""
    share, kept = recipe.get("share"), recipe.get("kept")
    if not all(isinstance(value, int | float) and 0 <= value <= 1 for value in (share, kept)):
        raise ConfigError(
            f"the recipe's share is {share!r:.40} and kept is {kept!r:.40}, allowed are 0 to 1; give the file as it was written"
        )
    limited = recipe.get("limited", False)
    if not isinstance(limited, bool):
        raise ConfigError(f"the recipe's limited is {limited!r:.40}, allowed are true and false; give the file as it was written")
    if recipe.get("instrument") != fingerprint(contents):
        raise ConfigError("the recipe is of another instrument, whose detail is not this one's; give the instrument that made the sound")
    found = [analyse(contents, given) for given in find_sources(contents, recipe["sources"], where)]
    return Mix(tuple(found), float(share), float(kept), limited)  # type: ignore[arg-type]


def _moving(contents: InstrumentContents, recipe: dict[str, Any], where: Sources | None) -> Moving:
    """The moving sound of a recipe. Raises ConfigError."""
    entries = recipe.get("sources")
    if entries and recipe.get("instrument") != fingerprint(contents):
        raise ConfigError("the recipe is of another instrument, whose detail is not this one's; give the instrument that made the sound")
    given = find_sources(contents, entries, where, most=MOST_KEYS) if entries else []
    return from_text(contents, recipe["moving"], given)
