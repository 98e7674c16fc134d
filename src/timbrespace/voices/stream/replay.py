"""Recipes of conversions: the same samples made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from timbrespace.contracts import AudioFileError, ConfigError
from timbrespace.modulation.change import Donor
from timbrespace.modulation.options import Wish
from timbrespace.voices.weights import Curve, read_curve, read_weights

RENDER_VERSION = 2  # 2: without vibrato, by its own rate
_FACTS = {
    "verb", "made_by", "render_version", "voices", "piece", "piece_hash", "to", "from", "sample_rate", "gain_db", "several_tones",
    "out_of_range",
}  # fmt: skip  # beside the options
_LARGEST = 1 << 22  # bytes of a recipe


class Replay(NamedTuple):
    """A conversion to make again. options: by name. rate: of the result in Hz. piece, piece_hash: name and hash of its file."""

    to: Curve
    options: dict[str, Any]
    rate: int
    piece: str
    piece_hash: str


def hash_of(path: Path) -> str:
    """Returns a hash of a file's bytes. Raises AudioFileError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be opened: {error.strerror or error}") from None


def read_recipe(path: Path, digest: str, names: Sequence[str], donor: Donor | None = None) -> Replay:
    """Returns the conversion of a recipe. digest, names: of the voices. donor: of its modulations, where it has one.

    Raises ConfigError unless it is one of these voices and this render version.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("too large")
        recipe = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not a recipe ({error}); give the JSON file beside a converted WAV") from None
    if not isinstance(recipe, dict) or recipe.get("verb") != "convert":
        raise ConfigError(f"{path} is not the recipe of a conversion; give the JSON file beside a converted WAV")
    if recipe.get("render_version") != RENDER_VERSION:
        raise ConfigError(
            f"{path} was rendered by version {recipe.get('render_version')!r:.20}, this release has {RENDER_VERSION}; convert the piece "
            "anew"
        )
    if recipe.get("voices") != digest:
        raise ConfigError(f"{path} is of other voices; give the file that made it, its digest is {recipe.get('voices')!r:.40}")
    try:
        text, rate, piece, piece_hash = (
            _checked(recipe[key], kind) for key, kind in (("to", str), ("sample_rate", int), ("piece", str), ("piece_hash", str))
        )
        options = {name: _option(name, value) for name, value in recipe.items() if name not in _FACTS}
        options["source"] = _checked(recipe["from"], str)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is damaged ({error}); give the file as it was written") from None
    to = read_curve(text, names) if ":" in text else Curve(((0.0, read_weights(text, names)),))
    wanted, given = options.pop("modulation_from", None), None if donor is None else donor.name
    if wanted != given:
        what = (
            "has no modulations of another sound; leave out" if wanted is None else f"has modulations of {wanted!r:.80}; give this file to"
        )
        raise ConfigError(f"{path} {what} --modulation-from")
    return Replay(to, options | ({} if donor is None else {"donor": donor}), rate, piece, piece_hash)


def find_piece(replay: Replay, recipe: Path, given: Sequence[Path]) -> Path:
    """Returns the piece of a recipe: as given, or by its name in the folder given, or beside the recipe.

    Raises ConfigError if it is not there or has changed.
    """
    if len(given) > 1:
        raise ConfigError(f"{len(given)} pieces are given with --recipe, which is of one, {replay.piece}; give this one")
    place = given[0] if given else recipe.parent
    path = place / Path(replay.piece).name if place.is_dir() else place
    if not path.is_file():
        raise ConfigError(f"{path} does not exist; give the piece of the recipe, {replay.piece}, before --recipe")
    if hash_of(path) != replay.piece_hash:
        raise ConfigError(f"{path} is not the piece that {recipe} was made from, or has changed since; give the same file")
    return path


def _option(name: str, value: Any) -> Any:
    """The value of an option as JSON holds it. Raises TypeError, KeyError."""
    if name in ("vibrato", "tremolo"):
        if not all(number is None or type(number) in (int, float) for number in value.values()):
            raise TypeError(f"{name} {value!r:.60}")
        return Wish(**value)
    if name == "keep":
        return tuple(_checked(one, str) for one in _checked(value, list))
    if name == "modulation_from":
        return value
    kinds = {"stretch": (int, float), "transpose": (int, float), "seed": (int,), "iterations": (int,)}
    if type(value) not in kinds[name] or not abs(value) < 2**32 or (name == "seed" and value < 0):
        raise TypeError(f"{name} {value!r:.40}")
    return value


def _checked(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.40} is no {kind.__name__}")
    return value
