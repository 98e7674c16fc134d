"""The JSON header beside arrays and images of features: it describes them and is validated before they are read.

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
MAX_VALUES = 2**29  # of one sound: 2 GiB, and several times that while encoding; about 25 minutes of stereo in the largest representations
_MAX_LENGTH = 2**40  # samples; longer than any real sound
_MAX_JSON_BYTES = 2**28  # bytes
IMAGE_SUFFIX = ".image.png"


def make_header(
    settings: Mapping[str, Any], representation: Representation, *, length: int, shape: tuple[int, ...], source: str
) -> dict[str, Any]:
    """Returns the header of one sound's features. settings: name of the representation, and keys that differ from its defaults."""
    inner = without_normalisation(representation)
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


def without_normalisation(representation: Representation) -> Representation:
    """Returns the representation without its normalisation."""
    return representation.view if isinstance(representation, Normalised) else representation


def _normalisation(representation: Representation) -> dict[str, Any] | None:
    """Returns kind, shift and scale, `(parts, bands, 1)` or `(parts, 1, 1)`: features = values * scale + shift."""
    if not isinstance(representation, Normalised):
        return None
    return {"kind": representation.kind} | {name: tensor.tolist() for name, tensor in representation.state().items()}


def _load_normalisation(representation: Representation, state: object, path: Path) -> None:
    """Sets shift and scale of a normalised representation. Raises FeatureFileError."""
    import torch

    if not isinstance(representation, Normalised):
        return
    try:
        if not isinstance(state, dict):
            raise ConfigError("shift and scale are missing")
        tensors = {name: torch.tensor(value, dtype=torch.float32) for name, value in state.items() if name != "kind"}
        representation.load(tensors)
    except (ConfigError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise FeatureFileError(f"{path}: normalisation is damaged ({error!s:.150}); make the features again") from None


def check_size(representation: Representation, length: int) -> tuple[int, int, int]:
    """Returns the shape `(parts, bands, frames)` for `length` samples. Raises FeatureFileError if it is too large for memory."""
    shape = (representation.parts, representation.bands, representation.frames(length))
    if math.prod(shape) > MAX_VALUES:
        minutes = length / representation.sample_rate / 60
        raise FeatureFileError(
            f"{minutes:.0f} minutes are {math.prod(shape) / 1e6:,.0f} million values, allowed are {MAX_VALUES / 1e6:,.0f} million "
            "per sound; cut it into shorter files, or choose a representation with fewer values"
        )
    return shape


def header_path(path: Path) -> Path:
    """Returns NAME.json for NAME.npy, NAME.image.png or NAME.json. Raises FeatureFileError for other names."""
    name = path.name
    for suffix in (".npy", IMAGE_SUFFIX, ".json"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return path.with_name(name[: -len(suffix)] + ".json")
    raise FeatureFileError(
        f"{path} is not a file of features; give NAME.npy, NAME{IMAGE_SUFFIX} or NAME.json as written by `timbrespace represent`"
    )


def is_header(path: Path) -> bool:
    """Returns whether a JSON file is a header of features, of any version."""
    try:
        with path.open("rb") as file:
            start = file.read(64).decode("utf-8", "replace")
    except OSError:
        return False
    return f'"{FORMAT}"' in start or f'"{STACK_FORMAT}"' in start or _parsed_format(path) in (FORMAT, STACK_FORMAT)


def read_header(path: Path) -> tuple[dict[str, Any], Representation]:
    """Returns the header NAME.json and its representation. Raises FeatureFileError for missing or wrong values and other versions."""
    header = _parse(path)
    if header.get("format") not in (FORMAT, STACK_FORMAT):
        raise FeatureFileError(f"{path} is not a header of features; give the JSON that `timbrespace represent` wrote beside the array")
    if header.get("version") != VERSION:
        raise FeatureFileError(f"{path} has version {header.get('version')!r:.40}, this release reads {VERSION}; make the features again")
    for key, low, high in (("sample_rate", LOWEST_RATE, HIGHEST_RATE), ("channels", 1, 2), ("length", 1, _MAX_LENGTH)):
        value = header.get(key)
        if type(value) is not int or not low <= value <= high:
            raise FeatureFileError(f"{path}: {key} is {value!r:.60}, allowed is {low} to {high}; restore it or make the features again")
    if type(header.get("sound_length", 1)) is not int or not 1 <= header.get("sound_length", 1) <= header["length"]:
        raise FeatureFileError(f"{path}: sound_length is {header['sound_length']!r:.60}, allowed is 1 to {header['length']}; restore it")
    settings = header.get("representation")
    if not isinstance(settings, dict):
        raise FeatureFileError(
            f"{path}: representation is {settings!r:.60}, it must be a mapping of name and settings; make the features again"
        )
    try:
        representation = build_representation(settings, sample_rate=header["sample_rate"], channels=header["channels"])
    except (ConfigError, RuntimeError, ValueError) as error:
        raise FeatureFileError(f"{path}: {error}") from None
    _load_normalisation(representation, header.get("normalisation"), path)
    expected = [representation.parts, representation.bands, representation.frames(header["length"])]
    shape = header.get("shape")
    if not isinstance(shape, list) or shape[-3:] != expected or len(shape) != (4 if header["format"] == STACK_FORMAT else 3):
        raise FeatureFileError(
            f"{path}: shape is {shape!r:.60}, but {header['length']} samples with these settings have the shape {expected}; "
            "restore the changed value, or make the features again"
        )
    return header, representation


def _parse(path: Path) -> dict[str, Any]:
    """Returns a JSON file as a mapping. Raises FeatureFileError."""
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise FeatureFileError(f"{path} is larger than a header of features can be; make the features again")
        header = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise FeatureFileError(f"{path} is missing: decoding needs the JSON that was written beside the array") from None
    except OSError as error:
        raise FeatureFileError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise FeatureFileError(f"{path} is damaged ({error!s:.100}); make the features again") from None
    if not isinstance(header, dict):
        raise FeatureFileError(f"{path} is damaged: it is not a mapping; make the features again")
    return header


def _parsed_format(path: Path) -> object:
    try:
        return _parse(path).get("format")
    except FeatureFileError:
        return None
