"""Features as plain 8-bit images, one pixel a cell: for programs that edit or learn pictures, and back again.

Parts lie one above the other, the first on top; in each, low bands are at the bottom and time runs to the right. Pixel 0 is a part's
`low`, 255 its `high`; both stand in the JSON. A cyclic part (phase) takes the whole turn.
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

    from timbrespace.features.arrays import Features

MOST_PIXELS = 80_000_000  # what common programs still open
_LONGEST_SIDE = 65_535
_PNG = b"\x89PNG\r\n\x1a\n"


def save_image(path: Path | str, features: Features, *, force: bool = False) -> dict[str, Any]:
    """Writes `(parts, bands, frames)` as a grey PNG of parts · bands rows and frames columns; returns what the JSON says of it.

    Raises FeatureFileError where there are too many cells for an image, OutputExistsError.
    """
    from PIL import Image

    parts, bands, frames = features.array.shape
    if parts * bands * frames > MOST_PIXELS or max(parts * bands, frames) > _LONGEST_SIDE:
        raise FeatureFileError(
            f"an image of {frames} × {parts * bands} pixels is too large (most: {_LONGEST_SIDE} a side, {MOST_PIXELS // 10**6} million in "
            "all); write arrays, or a coarser view"
        )
    scales = [_scale(part, view.turn) for part, view in zip(features.array, features.axes.parts, strict=True)]
    rows = [_to_pixels(part, *scale) for part, scale in zip(features.array, scales, strict=True)]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(rows)).save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue(), force=force)
    scale = [{"low": low, "high": high} for low, high in scales]
    return {"bits": 8, "rows": "parts from top to bottom, the highest band of each on top", "scale": scale}


def load_image(path: Path, head: dict[str, Any], *, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """The way back, to steps of 1/255 of each part's range: float32 `(parts, bands, frames)`. Raises FeatureFileError."""
    from PIL import Image

    parts, bands, frames = shape
    scales = _scales_of(head, parts, path)
    try:
        with path.open("rb") as file:
            start = file.read(24)
        size = (int.from_bytes(start[16:20], "big"), int.from_bytes(start[20:24], "big"))
        if start[:8] != _PNG or len(start) < 24:
            raise FeatureFileError(f"{path} is no PNG image; save it as PNG, 8 bits")
        if size != (frames, parts * bands) or max(size) > _LONGEST_SIDE or frames * parts * bands > MOST_PIXELS:
            raise FeatureFileError(f"{path} is {size[0]} × {size[1]} pixels, its JSON says {frames} × {parts * bands}; keep the size")
        with Image.open(path, formats=("PNG",)) as image:
            image.load()
            pixels = np.asarray(image.convert("L"), dtype=np.float32)
    except FileNotFoundError:
        raise FeatureFileError(f"{path} is missing; its JSON describes an image of that name") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError) as error:
        raise FeatureFileError(f"{path} is damaged ({error!s:.100}); save it again as PNG, 8 bits") from None
    grid = pixels.reshape(parts, bands, frames)[:, ::-1] / np.float32(255)
    low, high = (np.array(edge, dtype=np.float32)[:, None, None] for edge in zip(*scales, strict=True))
    return np.ascontiguousarray(low + grid * (high - low))


def _scale(part: NDArray[np.float32], turn: float) -> tuple[float, float]:
    return (-turn / 2, turn / 2) if turn else (float(part.min()), float(part.max()))


def _to_pixels(part: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    span = high - low
    share = (part[::-1] - low) / span if span > 0 else np.zeros_like(part)
    pixels: NDArray[np.uint8] = np.clip(share * 255 + 0.5, 0, 255).astype(np.uint8)
    return pixels


def _scales_of(head: dict[str, Any], parts: int, path: Path) -> list[tuple[float, float]]:
    image = head.get("image")
    rows = image.get("scale") if isinstance(image, dict) else None
    good = isinstance(rows, list) and len(rows) == parts
    found: list[Any] = [(row.get("low"), row.get("high")) if isinstance(row, dict) else (None, None) for row in rows or []] if good else []
    if not good or not all(type(edge) in (int, float) and abs(edge) < 1e30 for pair in found for edge in pair):
        raise FeatureFileError(f"{path}: its JSON does not say what black and white mean (image.scale); make the image again")
    return [(float(low), float(high)) for low, high in found]
