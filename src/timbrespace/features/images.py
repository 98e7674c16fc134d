"""Features as 8-bit grey images with one pixel per value, for programs that edit images or learn from them, and their decoding.

Parts are stacked from top to bottom; in each part, low bands are at the bottom and time runs to the right. Pixel 0 is the `low` of a part,
255 its `high`; the header holds both. Of a cyclic part (phase) they are the ends of one turn.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.atomic import write_bytes
from timbrespace.contracts import FeatureFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from timbrespace.features.compute import Features

MAX_PIXELS = 80_000_000  # common programs open images up to about this size
_MAX_SIDE = 65_535
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def save_image(path: Path | str, features: Features, *, force: bool = False) -> dict[str, Any]:
    """Writes `(parts, bands, frames)` as a grey PNG of parts · bands rows and frames columns; returns the `image` entry of the header.

    Raises FeatureFileError if there are too many values for an image, OutputExistsError.
    """
    from PIL import Image

    parts, bands, frames = features.array.shape
    if parts * bands * frames > MAX_PIXELS or max(parts * bands, frames) > _MAX_SIDE:
        raise FeatureFileError(
            f"an image of {frames} × {parts * bands} pixels is too large: allowed are {_MAX_SIDE} a side, {MAX_PIXELS // 10**6} million; "
            "write arrays, or choose a representation with fewer values"
        )
    scales = [_scale(part, view.turn) for part, view in zip(features.array, features.axes.parts, strict=True)]
    rows = [_to_pixels(part, *scale) for part, scale in zip(features.array, scales, strict=True)]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(rows)).save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue(), force=force)
    scale = [{"low": low, "high": high} for low, high in scales]
    return {"bits": 8, "rows": "parts from top to bottom, the highest band of each on top", "scale": scale}


def load_image(path: Path, header: dict[str, Any], *, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Returns the features of an image, `(parts, bands, frames)` float32, to 1/255 of each part's range. Raises FeatureFileError."""
    from PIL import Image

    parts, bands, frames = shape
    scales = _scales_of(header, parts, path)
    try:
        with path.open("rb") as file:
            start = file.read(24)
        size = (int.from_bytes(start[16:20], "big"), int.from_bytes(start[20:24], "big"))
        if start[:8] != _PNG_SIGNATURE or len(start) < 24:
            raise FeatureFileError(f"{path} is not a PNG image; save it as PNG, 8 bits")
        if size != (frames, parts * bands) or max(size) > _MAX_SIDE or frames * parts * bands > MAX_PIXELS:
            raise FeatureFileError(f"{path} is {size[0]} × {size[1]} pixels, its header says {frames} × {parts * bands}; keep the size")
        with Image.open(path, formats=("PNG",)) as image:
            image.load()
            pixels = np.asarray(image.convert("L"), dtype=np.float32)
    except FileNotFoundError:
        raise FeatureFileError(f"{path} is missing; its header describes an image of that name") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError) as error:
        raise FeatureFileError(f"{path} is damaged ({error!s:.100}); save it again as PNG, 8 bits") from None
    grid = pixels.reshape(parts, bands, frames)[:, ::-1] / np.float32(255)
    low, high = (np.array(edge, dtype=np.float32)[:, None, None] for edge in zip(*scales, strict=True))
    return np.ascontiguousarray(low + grid * (high - low))


def _scale(part: NDArray[np.float32], turn: float) -> tuple[float, float]:
    """Returns low and high of a part `(bands, frames)`."""
    return (-turn / 2, turn / 2) if turn else (float(part.min()), float(part.max()))


def _to_pixels(part: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """`(bands, frames) -> (bands, frames)` uint8, the highest band first."""
    span = high - low
    share = (part[::-1] - low) / span if span > 0 else np.zeros_like(part)
    pixels: NDArray[np.uint8] = np.clip(share * 255 + 0.5, 0, 255).astype(np.uint8)
    return pixels


def _scales_of(header: dict[str, Any], parts: int, path: Path) -> list[tuple[float, float]]:
    """Returns low and high of every part. Raises FeatureFileError."""
    image = header.get("image")
    rows = image.get("scale") if isinstance(image, dict) else None
    valid = isinstance(rows, list) and len(rows) == parts
    pairs: list[Any] = [(row.get("low"), row.get("high")) if isinstance(row, dict) else (None, None) for row in rows or []] if valid else []
    if not valid or not all(type(edge) in (int, float) and abs(edge) < 1e30 for pair in pairs for edge in pair):
        raise FeatureFileError(f"{path}: its header lacks the values of black and white (image.scale); make the image again")
    return [(float(low), float(high)) for low, high in pairs]
