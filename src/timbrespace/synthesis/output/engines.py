"""The engines that render sounds, and what a recipe says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timbrespace.contracts import ConfigError
from timbrespace.synthesis.output.requested import RenderRequest

PYTORCH, NATIVE = "pytorch", "native"  # the samples of two engines differ in their last bits
ENGINES = ("auto", NATIVE, PYTORCH)
_EARLIER = {"torch": PYTORCH}  # names in recipes of earlier versions
# 1, without a number in the recipe: noise of PyTorch's and NumPy's default generators. 2: all noise from `timbrespace.noise`.
# 3: levels of new notes are mapped, and their attacks have noise of their own.
RENDER_VERSION = 4


def check_engine(name: str) -> str:
    """Returns the name of an engine that can be asked for. Raises ConfigError."""
    if name not in ENGINES:
        raise ConfigError(
            f"engine is {name!r:.40}, allowed are {', '.join(ENGINES)}; auto is the native core where it plays the instrument"
        )
    return name


def engine_of(recipe: dict[str, Any]) -> str:
    """Returns the engine of a recipe. Raises ConfigError for a recipe whose sound this release would not repeat.

    Recipes of earlier render versions are refused and not rendered in the old way, which would be a second renderer.
    """
    if "latent" not in recipe:
        raise ConfigError("this is not a recipe: it holds no latent; give the JSON file beside a rendered WAV")
    version, engine = recipe.get("render_version", 1), recipe.get("engine", PYTORCH)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ConfigError(f"the recipe's render_version is {version!r:.40}, allowed is {RENDER_VERSION}; give the file as it was written")
    if version != RENDER_VERSION:
        other = "an older release" if version < RENDER_VERSION else "a newer release"
        raise ConfigError(
            f"the recipe is of render version {version}, of {other}; this release renders version {RENDER_VERSION}, otherwise, and "
            "would make a similar sound, not the same; replay it with the release that wrote it, or keep the WAV"
        )
    known = _EARLIER.get(engine, engine) if isinstance(engine, str) else engine
    if known not in (PYTORCH, NATIVE):
        raise ConfigError(
            f"the recipe was rendered by engine {engine!r:.40}, this release has {NATIVE} and {PYTORCH}; replay it where it was made"
        )
    return str(known)


def read_request(
    recipe: dict[str, Any], latent: Callable[[Any], Any], *, length: Callable[[Any], int] | None = None
) -> tuple[RenderRequest, str | None, int]:
    """Returns the request of a recipe, its level and its rate in Hz.

    latent: from its plain JSON values. length: in samples, from a recipe whose latent does not hold it. Raises ConfigError.
    """
    try:
        z, samples = latent(recipe["latent"]), None if length is None else length(recipe["length"])
        request = RenderRequest(z, str(recipe["name"]), recipe["category"], dict(recipe["asked"]), int(recipe["phase_seed"]), samples)
        level, out_rate = recipe["level"], int(recipe["sample_rate"])
        fits = isinstance(level, str | None) and (request.category is None or isinstance(request.category, str))
    except ConfigError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ConfigError(f"this is not a recipe: {type(error).__name__} {error!s:.80}; give the JSON file beside a rendered WAV") from None
    if not fits or not 0 <= request.seed < 2**63:
        raise ConfigError("the recipe is damaged: its level, category or seed cannot be; give the JSON file as it was written")
    return request, level, out_rate
