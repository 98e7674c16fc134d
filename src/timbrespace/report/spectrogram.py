"""True-scale spectrogram pictures: logarithmic frequency, linear time, one fixed dB scale, so that two pictures can be compared.

A picture takes a few ms and needs no plotting library: NumPy computes it, and it is written as a PNG with a palette.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from timbrespace.atomic import write_bytes
from timbrespace.contracts import ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

LOW_HZ, HIGH_HZ = 40.0, 20_000.0  # lower and upper edge of the picture
FLOOR_DB, TOP_DB = -96.0, -12.0  # of a full-scale sine; darkest and brightest colour
_SPLIT_HZ = 500.0  # long windows below (pitch), short ones above (attacks), with a cross-fade of one octave
_LONG, _SHORT = 4096, 1024  # samples at 44.1 kHz


def draw_spectrogram(
    audio: Tensor | NDArray[np.float32],
    sample_rate: int,
    path: Path | str,
    *,
    seconds: float | None = None,
    width: int = 320,
    height: int = 140,
    force: bool = True,
) -> None:
    """Draws the spectrogram of a sound as a PNG.

    audio: `(channels, time)`, mixed to mono. seconds: time that the width shows (s), by default the length of the sound; the picture
    is dark after the end of the sound. The frequency axis is logarithmic from LOW_HZ (lower edge) to HIGH_HZ (upper edge).
    Raises ShapeError for another shape or no samples, OutputExistsError if the file exists and `force` is False.
    """
    write_bytes(Path(path), spectrogram_png(audio, sample_rate, seconds=seconds, width=width, height=height), force=force)


def spectrogram_png(
    audio: Tensor | NDArray[np.float32], sample_rate: int, *, seconds: float | None = None, width: int = 320, height: int = 140
) -> bytes:
    """Returns the bytes of the PNG that `draw_spectrogram` writes. Raises ShapeError."""
    decibels = spectrogram_levels(audio, sample_rate, seconds=seconds, width=width, height=height)
    level = np.clip((decibels - FLOOR_DB) / (TOP_DB - FLOOR_DB), 0.0, 1.0)
    return _png((level * 255.0 + 0.5).astype(np.uint8))


def spectrogram_levels(
    audio: Tensor | NDArray[np.float32], sample_rate: int, *, seconds: float | None = None, width: int = 320, height: int = 140
) -> NDArray[np.float32]:
    """Returns the levels `(height, width)` of the picture, dB of a full-scale sine, highest frequency first. Raises ShapeError."""
    if audio.ndim != 2 or audio.shape[-1] == 0:
        raise ShapeError(f"audio must have the shape (channels, time) with time > 0, not {tuple(audio.shape)}")
    values = audio if isinstance(audio, np.ndarray) else audio.detach().cpu().numpy()
    mono = np.nan_to_num(values.astype(np.float32).mean(axis=0))
    span = mono.size if seconds is None else max(int(seconds * sample_rate), 1)
    return _log_spectrogram(mono, sample_rate, span=span, width=width, height=height)


def height_of(frequency: float) -> float:
    """Returns the height of a frequency (Hz) in the picture: 0 at the lower edge, 1 at the upper."""
    return float(np.log(frequency / LOW_HZ) / np.log(HIGH_HZ / LOW_HZ))


def _log_spectrogram(mono: NDArray[np.float32], sample_rate: int, *, span: int, width: int, height: int) -> NDArray[np.float32]:
    """`(time,) -> (height, width)` in dB of a full-scale sine, highest frequency first; each column is centred on its time."""
    hop = span / width
    centres = ((np.arange(width) + 0.5) * hop).astype(np.int64)
    rows = LOW_HZ * (HIGH_HZ / LOW_HZ) ** ((np.arange(height)[::-1] + 0.5) / height)
    share = np.clip(np.log2(rows / _SPLIT_HZ) + 0.5, 0.0, 1.0)[:, None]  # of the short windows
    scale = sample_rate / 44_100
    shortest = 2 ** int(np.ceil(np.log2(max(_SHORT * scale, hop))))  # no sample falls between two columns
    longest = 2 ** int(np.log2(np.clip(span / 6, shortest, max(_LONG * scale, shortest))))  # a short picture cannot hold long windows
    step = (HIGH_HZ / LOW_HZ) ** (0.5 / height)
    power = np.zeros((height, width), np.float32)
    for window, weight in ((longest, 1.0 - share), (shortest, share)):
        used = np.flatnonzero((weight[:, 0] > 0.0) & (rows < sample_rate / 2))
        power[used] += weight[used] * _rows(mono, sample_rate, centres, rows[used], window=window, step=step)
    return (10.0 * np.log10(power + 1e-12)).astype(np.float32)


def _rows(
    mono: NDArray[np.float32], sample_rate: int, centres: NDArray[np.int64], rows: NDArray[np.float64], *, window: int, step: float
) -> NDArray[np.float32]:
    """Power `(rows, columns)`, 1 for a full-scale sine, at frequencies `rows` (Hz, from /step to ·step) and times `centres` (samples)."""
    padded = np.pad(mono, (window // 2, window))
    starts = np.minimum(centres, mono.size + window // 2)  # columns after the end show silence
    shape = np.hanning(window + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[starts] * shape
    bins = rows * window / sample_rate
    first, end = np.ceil(bins / step).astype(int), np.minimum(bins * step, window // 2).astype(int)
    picked = np.empty((len(rows), len(centres)), np.float32)
    narrow = end <= first  # a row of pixels with less than two bins: the transform at exactly its frequency
    cosine, sine = _waves(window, tuple(bins[narrow]))
    picked[narrow] = ((frames @ cosine) ** 2 + (frames @ sine) ** 2).T
    if not narrow.all():
        spectrum = np.fft.rfft(frames, axis=1).T
        power = spectrum.real**2 + spectrum.imag**2
        for row in np.flatnonzero(~narrow):  # a row of pixels with several bins: the loudest
            picked[row] = power[first[row] : end[row] + 1].max(axis=0)
    return picked * np.float32(4.0 / shape.sum() ** 2)


@lru_cache(maxsize=8)
def _waves(window: int, bins: tuple[float, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosines and sines `(window, bins)` of `bins` periods in a window."""
    phase = np.outer(np.arange(window) * (2.0 * np.pi / window), bins)
    return np.cos(phase).astype(np.float32), np.sin(phase).astype(np.float32)


@cache
def spectrogram_palette() -> bytes:
    """Returns 256 RGB colours from dark blue over violet and orange to pale yellow.

    Lightness grows linearly, so that equal dB steps look equal.
    """
    t = np.linspace(0.0, 1.0, 256)
    light = 0.16 + 0.80 * t
    hue = np.radians(np.interp(t, [0, 0.25, 0.55, 0.8, 1], [275, 295, 375, 422, 460]))
    chroma = np.interp(t, [0, 0.3, 0.55, 0.8, 1], [0.035, 0.15, 0.19, 0.16, 0.06])
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    cone = np.stack([light + 0.3963377774 * a + 0.2158037573 * b, light - 0.1055613458 * a - 0.0638541728 * b,
                     light - 0.0894841775 * a - 1.2914855480 * b]) ** 3  # fmt: skip
    to_rgb = np.array([[4.0767416621, -3.3077115913, 0.2309699292], [-1.2684380046, 2.6097574011, -0.3413193965],
                       [-0.0041960863, -0.7034186147, 1.7076147010]])  # OKLab -> linear sRGB  # fmt: skip
    linear = np.clip(to_rgb @ cone, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (encoded.T * 255.0 + 0.5).astype(np.uint8).tobytes()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """The bytes of a PNG file from palette indices `(height, width)`."""
    height, width = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1)  # each row starts with its filter, 0 = none

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits, palette
    data = zlib.compress(rows.tobytes(), 6)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"PLTE", spectrogram_palette()) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
