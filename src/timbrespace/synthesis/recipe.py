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
from timbrespace.synthesis.request import RenderRequest

ENGINE = "torch"  # what renders here; another engine's samples may differ in their last bits
# 1, without a number in the recipe: noise of PyTorch's and NumPy's default generators. 2: all noise from `timbrespace.noise`.
# 3: levels of new notes are mapped, and their attacks have noise of their own.
RENDER_VERSION = 3
_LONGEST_SECONDS = 3_600.0  # of a recipe


def to_recipe(contents: InstrumentContents, request: RenderRequest) -> dict[str, Any]:
    """Returns what a recipe holds of a request, as plain JSON values."""
    made = {
        "engine": ENGINE, "render_version": RENDER_VERSION, "instrument": fingerprint(contents), "category": request.category,
        "phase_seed": request.seed, "latent": latent_to(contents, request.z),
    }  # fmt: skip
    if contents.model.time_varying:
        made["length"] = request.length
    if request.moving is not None:
        made |= {"moving": to_text(contents, request.moving)}
        made |= {"sources": [source_entry(contents, source) for source in request.moving.sources]}
    elif request.mix is not None:
        mix = request.mix
        made |= {"own_sound": mix.own is not None, "share": mix.share, "kept": mix.kept}
        made["sources"] = [source_entry(contents, source) for source in mix.sources]
    return made


def from_recipe(
    contents: InstrumentContents, recipe: dict[str, Any], sources: Sources | None = None
) -> tuple[RenderRequest, Level | None, int]:
    """Returns the request of a recipe, its level and its rate in Hz.

    sources: the given sounds it was made from, or their folder. Raises ConfigError unless it is a recipe of this instrument, engine and
    render version, and its sources are there, unchanged.
    """
    try:
        z = latent_from(contents, recipe["latent"])
        length = int(recipe["length"]) if contents.model.time_varying else None
        request = RenderRequest(z, str(recipe["name"]), recipe["category"], dict(recipe["asked"]), int(recipe["phase_seed"]), length)
        level, out_rate = recipe["level"], int(recipe["sample_rate"])
        fits = isinstance(level, str | None) and (request.category is None or isinstance(request.category, str))
    except ConfigError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ConfigError(f"this is not a recipe: {type(error).__name__} {error!s:.80}; give the JSON file beside a rendered WAV") from None
    if not fits or not 0 <= request.seed < 2**63:
        raise ConfigError("the recipe is damaged: its level, category or seed cannot be; give the JSON file as it was written")
    if length is not None and not 1 <= length <= _LONGEST_SECONDS * contents.sample_rate:
        raise ConfigError(f"the recipe's length is {length} samples, allowed is 1 to {_LONGEST_SECONDS:g} s")
    _check_version(recipe)
    if "moving" in recipe:
        request = request._replace(moving=_moving(contents, recipe, sources))
    elif "sources" in recipe:
        request = request._replace(mix=_mix(contents, recipe, sources))
    return request, level, out_rate


def _mix(contents: InstrumentContents, recipe: dict[str, Any], where: Sources | None) -> Mix:
    """The given sounds of a recipe, as they were mixed. Raises ConfigError."""
    share, kept = recipe.get("share"), recipe.get("kept")
    if not all(isinstance(value, int | float) and 0 <= value <= 1 for value in (share, kept)):
        raise ConfigError(
            f"the recipe's share is {share!r:.40} and kept is {kept!r:.40}, allowed are 0 to 1; give the file as it was written"
        )
    if recipe.get("instrument") != fingerprint(contents):
        raise ConfigError("the recipe is of another instrument, whose detail is not this one's; give the instrument that made the sound")
    found = [analyse(contents, given) for given in find_sources(contents, recipe["sources"], where)]
    return Mix(tuple(found), float(share), float(kept))  # type: ignore[arg-type]


def _moving(contents: InstrumentContents, recipe: dict[str, Any], where: Sources | None) -> Moving:
    """The moving sound of a recipe. Raises ConfigError."""
    entries = recipe.get("sources")
    if entries and recipe.get("instrument") != fingerprint(contents):
        raise ConfigError("the recipe is of another instrument, whose detail is not this one's; give the instrument that made the sound")
    given = find_sources(contents, entries, where, most=MOST_KEYS) if entries else []
    return from_text(contents, recipe["moving"], given)


def _check_version(recipe: dict[str, Any]) -> None:
    """Raises ConfigError for a recipe whose sound this release would not repeat with the same samples.

    Recipes of earlier versions are refused and not rendered in the old way, which would be a second renderer.
    """
    version, engine = recipe.get("render_version", 1), recipe.get("engine", ENGINE)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ConfigError(f"the recipe's render_version is {version!r:.40}, allowed is {RENDER_VERSION}; give the file as it was written")
    if version != RENDER_VERSION:
        other = "an older release" if version < RENDER_VERSION else "a newer release"
        raise ConfigError(
            f"the recipe is of render version {version}, of {other}; this release renders version {RENDER_VERSION}, otherwise, and "
            "would make a similar sound, not the same; replay it with the release that wrote it, or keep the WAV"
        )
    if engine != ENGINE:
        raise ConfigError(f"the recipe was rendered by engine {engine!r:.40}, this release has {ENGINE!r}; replay it where it was made")
