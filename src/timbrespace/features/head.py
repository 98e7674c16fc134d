"""The JSON beside arrays of features: what they are, checked before anything is believed.

features NAME.npy      float32 (parts, bands, frames)           NAME.json   format, version, representation, sample_rate, channels,
image    NAME.image.png  8 bits, parts from top to bottom                   length, shape, axes, source, image, normalisation
stack    NAME.npy      float32 (clips, parts, bands, frames)    NAME.json   the same, and clips: name, length, labels of each
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrespace.audio.resampling import HIGHEST_RATE, LOWEST_RATE
from timbrespace.config.build import build_representation
from timbrespace.config.settings import settings_of
from timbrespace.contracts import ConfigError, FeatureFileError
from timbrespace.representation.normalisation import Normalised

if TYPE_CHECKING:
    from timbrespace.representation.base import Representation

FORMAT, STACK_FORMAT, VERSION = "timbrespace-features", "timbrespace-feature-stack", 1
MOST_VALUES = 2**29  # of one sound: 2 GiB, several times that while it is made; about 25 minutes of stereo in the largest views
_LONGEST = 2**40  # samples; nothing of that length could be here
_MOST_JSON = 2**28  # bytes
IMAGE_SUFFIX = ".image.png"


def make_head(
    settings: Mapping[str, Any], representation: Representation, *, length: int, shape: tuple[int, ...], source: str
) -> dict[str, Any]:
    """The JSON of one sound's features; settings: the representation's name and those keys that differ from its defaults."""
    inner = view_within(representation)
    keys = settings_of(type(inner))(**{key: value for key, value in settings.items() if key != "name"}).model_dump()
    return {
        "format": FORMAT,
        "version": VERSION,
        "representation": {"name": settings["name"], **keys},
        "sample_rate": representation.sample_rate,
        "channels": representation.channels,
        "length": length,
        "shape": list(shape),
        "source": source,
        "axes": representation.axes(length).to_dict(),
        "image": None,
        "normalisation": _normalisation(representation),
    }


def view_within(representation: Representation) -> Representation:
    """The view itself, where it is normalised."""
    return representation.view if isinstance(representation, Normalised) else representation


def _normalisation(representation: Representation) -> dict[str, Any] | None:
    """What undoes it: shift and scale, `(parts, bands, 1)` or `(1, 1, 1)`: features = values * scale + shift."""
    if not isinstance(representation, Normalised):
        return None
    return {"kind": representation.kind} | {name: tensor.tolist() for name, tensor in representation.state().items()}


def _load_normalisation(representation: Representation, found: object, path: Path) -> None:
    import torch

    if not isinstance(representation, Normalised):
        return
    try:
        if not isinstance(found, dict):
            raise ConfigError("shift and scale are missing")
        tensors = {name: torch.tensor(value, dtype=torch.float32) for name, value in found.items() if name != "kind"}
        representation.load(tensors)
    except (ConfigError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise FeatureFileError(f"{path}: normalisation is damaged ({error!s:.150}); make the features again") from None


def check_size(representation: Representation, length: int) -> tuple[int, int, int]:
    """Shape of the features of `length` samples. Raises FeatureFileError when they would not fit into memory."""
    shape = (representation.parts, representation.bands, representation.frames(length))
    if math.prod(shape) > MOST_VALUES:
        minutes = length / representation.sample_rate / 60
        raise FeatureFileError(
            f"{minutes:.0f} minutes would be {math.prod(shape) / 1e6:,.0f} million values, allowed are {MOST_VALUES / 1e6:,.0f} million "
            "a sound; cut it into shorter files, or take a coarser view"
        )
    return shape


def head_path(path: Path) -> Path:
    """NAME.json of NAME.npy, NAME.image.png or of itself. Raises FeatureFileError for other names."""
    name = path.name
    for suffix in (".npy", IMAGE_SUFFIX, ".json"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return path.with_name(name[: -len(suffix)] + ".json")
    raise FeatureFileError(f"{path} is no file of features; give NAME.npy, NAME{IMAGE_SUFFIX} or NAME.json of `timbrespace represent`")


def looks_like_head(path: Path) -> bool:
    """Does this JSON file call itself a description of features (of any version)?"""
    try:
        with path.open("rb") as file:
            start = file.read(64).decode("utf-8", "replace")
    except OSError:
        return False
    return f'"{FORMAT}"' in start or f'"{STACK_FORMAT}"' in start or _parsed_format(path) in (FORMAT, STACK_FORMAT)


def read_head(path: Path) -> tuple[dict[str, Any], Representation]:
    """Reads NAME.json and builds its representation. Raises FeatureFileError naming what is missing, wrong, or of another version."""
    head = _parse(path)
    if head.get("format") not in (FORMAT, STACK_FORMAT):
        raise FeatureFileError(f"{path} does not describe features; give the JSON that `timbrespace represent` wrote beside the array")
    if head.get("version") != VERSION:
        raise FeatureFileError(f"{path} is of version {head.get('version')!r:.40}, this release reads {VERSION}; make the features again")
    for key, low, high in (("sample_rate", LOWEST_RATE, HIGHEST_RATE), ("channels", 1, 2), ("length", 1, _LONGEST)):
        value = head.get(key)
        if type(value) is not int or not low <= value <= high:
            raise FeatureFileError(f"{path}: {key} is {value!r:.60}, allowed is {low} to {high}; restore it or make the features again")
    if type(head.get("sound_length", 1)) is not int or not 1 <= head.get("sound_length", 1) <= head["length"]:
        raise FeatureFileError(f"{path}: sound_length is {head['sound_length']!r:.60}, allowed is 1 to {head['length']}; restore it")
    settings = head.get("representation")
    if not isinstance(settings, dict):
        raise FeatureFileError(f"{path}: representation is {settings!r:.60}, it must hold name and settings; make the features again")
    try:
        representation = build_representation(settings, sample_rate=head["sample_rate"], channels=head["channels"])
    except (ConfigError, RuntimeError, ValueError) as error:
        raise FeatureFileError(f"{path}: {error}") from None
    _load_normalisation(representation, head.get("normalisation"), path)
    wanted = [representation.parts, representation.bands, representation.frames(head["length"])]
    shape = head.get("shape")
    if not isinstance(shape, list) or shape[-3:] != wanted or len(shape) != (4 if head["format"] == STACK_FORMAT else 3):
        raise FeatureFileError(
            f"{path}: shape is {shape!r:.60}, but {head['length']} samples of {settings['name']!r} with these settings are {wanted}; "
            "restore what was changed, or make the features again"
        )
    return head, representation


def _parse(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_JSON:
            raise FeatureFileError(f"{path} is larger than any description of features; make the features again")
        head = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise FeatureFileError(f"{path} is missing: the way back needs the JSON that was written beside the array") from None
    except OSError as error:
        raise FeatureFileError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise FeatureFileError(f"{path} is damaged ({error!s:.100}); make the features again") from None
    if not isinstance(head, dict):
        raise FeatureFileError(f"{path} is damaged: it holds no keys and values; make the features again")
    return head


def _parsed_format(path: Path) -> object:
    try:
        return _parse(path).get("format")
    except FeatureFileError:
        return None
