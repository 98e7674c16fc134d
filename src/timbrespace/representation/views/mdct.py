"""`mdct`: the modified discrete cosine transform (Princen, Johnson & Bradley 1987), critically sampled and exact.

Windows of 2N samples, N apart, N coefficients each. The aliasing of folding a window's quarters a b c d cancels between neighbours:

    samples   0 … 0 | block 1 | block 2 | … | block n | 0 … 0        n = ceil(time / N)
    frame 0   └──── 2N ─────┘ |
    frame 1         └────── 2N ─────┘                               frames = n + 1

    encoding  (a, b, c, d) -> DCT-IV of (-c reversed - d, a - b reversed)
    decoding  its DCT-IV (u, v) -> (v, -v reversed, -u reversed, -u)

With a window that satisfies the Princen-Bradley condition, w[n]² + w[n + N]² = 1 and w[n] = w[2N - 1 - n], the transform is orthonormal.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from timbrespace.contracts import SAMPLE_RATE, ConfigError, ShapeError
from timbrespace.representation.axes import CHANNELS, Axes, Part, linear_bins, name_parts
from timbrespace.representation.base import Representation

_WINDOWS = ("sine", "kbd", "vorbis")


class Mdct(Representation):
    """MDCT coefficients: parts = channels. Their energy is that of the samples. Exact.

    Args:
        bands: N, coefficients per frame and samples between frames, even.
        window: sine, kbd (Kaiser-Bessel derived) or vorbis.
        alpha: of kbd; a larger value gives a wider main lobe and lower side lobes.
        sample_rate: Hz.
        channels: 1 or 2.
    """

    exact = True

    def __init__(
        self,
        *,
        bands: Annotated[int, Field(ge=2, le=32_768)] = 1024,
        window: Annotated[Literal["sine", "kbd", "vorbis"], Field()] = "sine",
        alpha: Annotated[float, Field(ge=0, le=20)] = 4.0,
        sample_rate: int = SAMPLE_RATE,
        channels: int = 1,
    ):
        super().__init__(sample_rate=sample_rate, channels=channels)
        self.window = make_window(window, size=2 * bands, alpha=alpha)
        self.bands, self.parts, self.hop = bands, channels, bands

    def frames(self, samples: int) -> int:
        """Returns 1 + samples / bands, rounded up."""
        return 1 - (-samples // self.bands)

    def axes(self, length: int) -> Axes:
        """Returns coefficient k from k to k + 1 times sample_rate / 2N Hz; frame k is centred on sample k · N."""
        width = self.sample_rate / (2 * self.bands)
        return Axes(
            parts=name_parts([Part("coefficient", "", "their squares sum to those of the samples", "signed")], CHANNELS[self.channels]),
            frames=self.frames(length),
            first_s=0.0,
            step_s=self.hop / self.sample_rate,
            **linear_bins(self.bands, width, first=width / 2),
        )

    def magnitudes(self, features: Tensor) -> tuple[Tensor, float, float] | None:
        """See `Representation.magnitudes`: `(channels, bands, frames) -> (2 bands, frames)`.

        The pseudo-spectrum of Daudet and Sandler (2004). Coefficients depend on the phase: the difference of their
        neighbours replaces the missing quadrature component.
        """
        values = functional.pad(features.mean(0), (0, 0, 1, 1))
        pseudo = (values[1:-1].square() + (values[2:] - values[:-2]).square()).sqrt()
        between = torch.cat([pseudo[:1], (pseudo[1:] + pseudo[:-1]) / 2])  # coefficient k is at k + 1/2: a grid of half bins holds it
        spread = float(self.window.square().sum() / self.window.sum().square()) * 2 * self.bands
        return torch.stack([between, pseudo], 1).flatten(0, 1), self.sample_rate / (4 * self.bands), 2 * spread

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, channels, bands, frames)`."""
        return mdct(audio, window=self.window)

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        """`(channels, bands, frames) -> (channels, length)`."""
        return imdct(features, window=self.window, length=length)


def mdct(audio: Tensor, *, window: Tensor) -> Tensor:
    """Returns coefficients: `(..., time) -> (..., N, 1 + ceil(time / N))`. window: `(2N,)`, Princen-Bradley. Raises ConfigError."""
    bands = _check_window(window)
    window = window.to(audio)
    blocks = -(-audio.shape[-1] // bands)
    padded = functional.pad(audio, (bands, (blocks + 1) * bands - audio.shape[-1])).unflatten(-1, (blocks + 2, bands))
    a, b = (padded[..., :-1, :] * window[:bands]).chunk(2, -1)
    c, d = (padded[..., 1:, :] * window[bands:]).chunk(2, -1)
    return _dct4(torch.cat([-c.flip(-1) - d, a - b.flip(-1)], -1)).transpose(-1, -2)


def imdct(coefficients: Tensor, *, window: Tensor, length: int) -> Tensor:
    """Returns audio: `(..., N, 1 + ceil(length / N)) -> (..., length)`. window: that of `mdct`. Raises ConfigError, ShapeError."""
    bands = _check_window(window)
    frames = 1 - (-length // bands)
    if length < 1 or tuple(coefficients.shape[-2:]) != (bands, frames):
        raise ShapeError(
            f"coefficients must be (..., {bands}, {frames}) for {length} samples (at least 1), not {tuple(coefficients.shape)}"
        )
    window = window.to(coefficients)
    u, v = _dct4(coefficients.transpose(-1, -2)).chunk(2, -1)
    first = torch.cat([v, -v.flip(-1)], -1) * window[:bands]
    second = torch.cat([-u.flip(-1), -u], -1) * window[bands:]
    return (first[..., 1:, :] + second[..., :-1, :]).flatten(-2)[..., :length]


def make_window(name: str, *, size: int, alpha: float = 4.0) -> Tensor:
    """Returns a Princen-Bradley window `(size,)` float64: sine, kbd (with `alpha`) or vorbis. size: 2N. Raises ConfigError."""
    if name not in _WINDOWS:
        raise ConfigError(f"window is {name!r}, allowed are {', '.join(_WINDOWS)}")
    if size < 4 or size % 4:
        raise ConfigError(f"bands is {size / 2:g}, allowed are even numbers from 2; powers of two are fastest")
    if not 0 <= alpha <= 20:
        raise ConfigError(f"alpha is {alpha}, allowed are numbers from 0 to 20; the default is 4")
    if name == "kbd":
        kaiser = torch.kaiser_window(size // 2 + 1, periodic=False, beta=math.pi * alpha, dtype=torch.float64).cumsum(0)
        half = (kaiser[:-1] / kaiser[-1]).sqrt()
        return torch.cat([half, half.flip(0)])
    sine = torch.sin(math.pi * (torch.arange(size, dtype=torch.float64) + 0.5) / size)
    return sine if name == "sine" else torch.sin(math.pi / 2 * sine.square())


def princen_bradley_error(window: Tensor) -> float:
    """Returns the largest deviation of a window `(2N,)` from w[n]² + w[n + N]² = 1 and from symmetry."""
    window = window.detach().double()
    half = len(window) // 2
    return max(float((window[:half].square() + window[half:].square() - 1).abs().max()), float((window - window.flip(0)).abs().max()))


def _check_window(window: Tensor) -> int:
    """Returns N of a window `(2N,)`. Raises ConfigError unless N is even and the window satisfies the Princen-Bradley condition."""
    if window.ndim != 1 or len(window) < 4 or len(window) % 4:
        raise ConfigError(f"the window has the shape {tuple(window.shape)}, allowed is (2N,) with an even N: 4, 8, 12 … samples")
    if not (error := princen_bradley_error(window)) < 1e-5:
        raise ConfigError(
            f"the window deviates by {error:.2g} from the Princen-Bradley condition (w[n]² + w[n + N]² = 1, symmetric); "
            f"use make_window with {', '.join(_WINDOWS)}"
        )
    return len(window) // 2


def _dct4(values: Tensor) -> Tensor:
    """Returns the orthonormal DCT-IV over the last axis, same shape; it is its own inverse. A complex FFT of half the size computes it."""
    size = values.shape[-1]
    rotation = _rotation(size).to(values.device, torch.complex128 if values.dtype == torch.float64 else torch.complex64)
    pairs = torch.complex(values[..., 0::2].contiguous(), values.flip(-1)[..., 0::2].contiguous())
    rotated = torch.view_as_real(torch.fft.fft(pairs * rotation) * rotation)
    even, odd = rotated[..., 0], -rotated[..., 1].flip(-1)
    return torch.stack([even, odd], -1).flatten(-2) * math.sqrt(2 / size)


@lru_cache(maxsize=32)
def _rotation(size: int) -> Tensor:
    """Returns exp(-iπ(n + 1/8) / size), complex128 `(size / 2,)`. The tensor is cached: do not change it in place."""
    angle = -math.pi * (torch.arange(size // 2, dtype=torch.float64) + 0.125) / size
    return torch.polar(torch.ones_like(angle), angle)
