"""Features of one sound as files: NAME.npy, readable by any program that reads NumPy, and its header NAME.json."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.atomic import check_absent, replacing, write_json
from timbrespace.contracts import FeatureFileError, ShapeError
from timbrespace.features.compute import Features
from timbrespace.features.header import IMAGE_SUFFIX, STACK_FORMAT, check_size, header_path, read_header
from timbrespace.features.images import load_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UNREADABLE = (OSError, ValueError, EOFError, SyntaxError, MemoryError, OverflowError, TypeError)


def save_features(path: Path | str, features: Features, *, force: bool = False) -> Path:
    """Writes NAME.npy and its header NAME.json, each completely or not at all, and returns the path of NAME.npy.

    Raises OutputExistsError, ShapeError, TimbrespaceError.
    """
    path = Path(path)
    if path.suffix.lower() != ".npy":
        path = path.with_name(f"{path.name}.npy")
    header = header_path(path)
    for target in (path, header):
        check_absent(target, force=force)
    expected = (features.representation.parts, features.representation.bands, features.representation.frames(features.length))
    if tuple(features.array.shape) != expected:
        raise ShapeError(f"the array is {tuple(features.array.shape)}, {expected} expected (parts, bands, frames)")
    write_array(path, features.array, force=force)
    write_json(header, features.header, force=force)
    return path


def load_features(path: Path | str) -> Features:
    """Returns the features in NAME.npy, or in NAME.image.png, with the header NAME.json. Values may have been edited, the shape not.

    Raises FeatureFileError: missing or damaged files, another version, another shape than in the header, NaN or infinite values.
    """
    path = Path(path)
    header, view = read_header(header_path(path))
    if header["format"] == STACK_FORMAT:
        raise FeatureFileError(f"{path} is a stack of clips; load it with timbrespace.features.stack.load_stack")
    shape = check_size(view, header["length"])
    if path.name.lower().endswith(".json"):
        array = path.with_suffix(".npy")
        path = array if array.exists() or header.get("image") is None else path.with_name(path.stem + IMAGE_SUFFIX)
    if path.name.lower().endswith(IMAGE_SUFFIX):
        return Features(load_image(path, header, shape=shape), view, header["length"], header)
    return Features(checked_values(open_array(path, shape), path), view, header["length"], header)


def open_array(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    """Returns a memory map of a float array of exactly `shape`, without unpickling. Raises FeatureFileError."""
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except FileNotFoundError:
        raise FeatureFileError(f"{path} is missing; it belongs to {header_path(path)}") from None
    except _UNREADABLE as error:
        raise FeatureFileError(f"{path} is not a complete NumPy array of numbers ({error!s:.120}); save it again with numpy.save") from None
    if not isinstance(array, np.ndarray):
        raise FeatureFileError(f"{path} is an archive of arrays; save one array with numpy.save")
    if array.dtype.kind != "f":
        raise FeatureFileError(f"{path} holds {array.dtype}, floating point is needed; use array.astype('float32')")
    if array.shape != shape:
        raise FeatureFileError(f"{path} has the shape {array.shape}, its header says {shape}; values may be edited, the shape not")
    return array


def checked_values(array: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """Returns a copy in float32, same shape. Raises FeatureFileError for NaN and infinite values."""
    with np.errstate(over="ignore"):
        values = np.array(array, dtype=np.float32, order="C")
    if not np.isfinite(values).all():
        raise FeatureFileError(f"{path} holds NaN or infinite values (in float32); replace them, for instance with numpy.nan_to_num")
    return values


def write_array(path: Path, array: NDArray[Any], *, force: bool = False) -> None:
    """Writes a float32 .npy file, completely or not at all."""
    with replacing(path, force=force) as temporary, temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(array, dtype=np.float32), allow_pickle=False)
