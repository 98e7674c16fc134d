"""Features of a sound as plain files: NAME.npy for anything that reads NumPy, NAME.json that says what the numbers are, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.atomic import check_absent, replacing, write_json
from timbrespace.config.build import build_representation
from timbrespace.contracts import SAMPLE_RATE, FeatureFileError, ShapeError
from timbrespace.features.head import IMAGE_SUFFIX, STACK_FORMAT, check_size, head_path, make_head, read_head

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from timbrespace.representation.axes import Axes
    from timbrespace.representation.base import Representation

_UNREADABLE = (OSError, ValueError, EOFError, SyntaxError, MemoryError, OverflowError, TypeError)


@dataclass(frozen=True, eq=False)
class Features:
    """One sound seen through a representation.

    array: float32 `(parts, bands, frames)`, yours to change. representation: the view. length: of the sound in samples.
    head: what NAME.json says: settings, axes, source, …
    """

    array: NDArray[np.float32]
    representation: Representation
    length: int
    head: dict[str, Any]

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.representation.sample_rate

    @property
    def axes(self) -> Axes:
        """Names, Hz, s and units of the array's axes."""
        return self.representation.axes(self.length)

    def audio(self, *, seed: int = 0) -> Tensor:
        """The way back: `(channels, length)` float32. seed: of what has to be invented (phase). Raises ShapeError, FeatureFileError."""
        import torch

        values = torch.from_numpy(np.ascontiguousarray(self.array, dtype=np.float32))
        with torch.inference_mode():
            audio = self.representation.decode(values[None], length=self.length, seed=seed)[0]
        if not torch.isfinite(audio).all():
            raise FeatureFileError(f"values of up to {float(values.abs().max()):.3g} are too large for audio; scale the array down")
        return audio


def compute_features(audio: Tensor, settings: Mapping[str, Any] | str, *, sample_rate: int = SAMPLE_RATE, source: str = "") -> Features:
    """Features of audio `(channels, time)`; settings: a representation's name, or name and keys as in a preset.

    source: a name to note. A normalised view is fitted on many sounds first, and refused here.
    Raises ConfigError (settings), ShapeError (audio), FeatureFileError (too long for memory).
    """
    import torch

    if not isinstance(audio, torch.Tensor) or audio.ndim != 2 or audio.shape[0] not in (1, 2):
        found = tuple(audio.shape) if isinstance(audio, torch.Tensor) else type(audio).__name__
        raise ShapeError(f"audio must be a tensor (channels, time) of 1 or 2 channels, not {found}")
    given = {"name": settings} if isinstance(settings, str) else dict(settings)
    view = build_representation(given, sample_rate=sample_rate, channels=audio.shape[0])
    return features_through(view, audio, given, source=source)


def features_through(view: Representation, audio: Tensor, settings: Mapping[str, Any], *, source: str = "") -> Features:
    """Features of audio `(channels, time)` through a view that is built (and fitted, where it normalises) from `settings`."""
    import torch

    length = audio.shape[-1]
    if length:
        check_size(view, length)
    with torch.inference_mode():
        array = view.encode(audio[None])[0].to("cpu", torch.float32).numpy()
    head = make_head(settings, view, length=length, shape=array.shape, source=source)
    return Features(np.ascontiguousarray(array), view, length, head)


def save_features(path: Path | str, features: Features, *, force: bool = False) -> Path:
    """Writes NAME.npy and NAME.json beside it, each whole or not at all. Raises OutputExistsError, ShapeError, TimbrespaceError."""
    path = Path(path)
    if path.suffix.lower() != ".npy":
        path = path.with_name(f"{path.name}.npy")
    beside = head_path(path)
    for target in (path, beside):
        check_absent(target, force=force)
    wanted = (features.representation.parts, features.representation.bands, features.representation.frames(features.length))
    if tuple(features.array.shape) != wanted:
        raise ShapeError(f"the array is {tuple(features.array.shape)}, {wanted} expected (parts, bands, frames)")
    write_array(path, features.array, force=force)
    write_json(beside, features.head, force=force)
    return path


def load_features(path: Path | str) -> Features:
    """Reads NAME.npy (or NAME.image.png) with the NAME.json beside it; the array may have been edited, its shape not.

    Raises FeatureFileError: missing, damaged, another version, an array that does not fit its JSON, NaN or infinite values.
    """
    path = Path(path)
    head, view = read_head(head_path(path))
    if head["format"] == STACK_FORMAT:
        raise FeatureFileError(f"{path} is a stack of many clips; load it with timbrespace.features.stack.load_stack")
    shape = check_size(view, head["length"])
    if path.name.lower().endswith(".json"):
        array = path.with_suffix(".npy")
        path = array if array.exists() or head.get("image") is None else path.with_name(path.stem + IMAGE_SUFFIX)
    if path.name.lower().endswith(IMAGE_SUFFIX):
        from timbrespace.features.images import load_image

        return Features(load_image(path, head, shape=shape), view, head["length"], head)
    return Features(checked_values(open_array(path, shape), path), view, head["length"], head)


def open_array(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    """A memory map of a float array of exactly `shape`; nothing is read yet, nothing unpickled. Raises FeatureFileError."""
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except FileNotFoundError:
        raise FeatureFileError(f"{path} is missing; {head_path(path)} describes an array of that name") from None
    except _UNREADABLE as error:
        raise FeatureFileError(f"{path} is no whole NumPy array of numbers ({error!s:.120}); save it again with numpy.save") from None
    if not isinstance(array, np.ndarray):
        raise FeatureFileError(f"{path} is an archive of arrays, not one; save it with numpy.save")
    if array.dtype.kind != "f":
        raise FeatureFileError(f"{path} holds {array.dtype}, floating point is needed; use array.astype('float32')")
    if array.shape != shape:
        raise FeatureFileError(f"{path} has the shape {array.shape}, its JSON says {shape}; values may be edited, the shape not")
    return array


def checked_values(array: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """A copy in float32. Raises FeatureFileError for NaN and infinite values."""
    with np.errstate(over="ignore"):
        values = np.array(array, dtype=np.float32, order="C")
    if not np.isfinite(values).all():
        raise FeatureFileError(f"{path} holds NaN or infinite values (in float32); repair them, for instance with numpy.nan_to_num")
    return values


def write_array(path: Path, array: NDArray[Any], *, force: bool = False) -> None:
    """Writes a float32 .npy file, whole or not at all."""
    with replacing(path, force=force) as temporary, temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(array, dtype=np.float32), allow_pickle=False)
