"""The short-time Fourier transform of the whole project, and the mel filter bank.

Periodic Hann window, frames centred on multiples of the hop, zeros beyond both ends:

    sample   0       hop     2·hop            time
             |        |        |       …       |
    frame    0        1        2       …   time // hop        frames = 1 + time // hop

Any length of at least one sample is possible; the inverse transform restores it.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.audio.arrays import spectra as spectra_of_arrays
from timbrespace.contracts import ConfigError, ShapeError, check_audio

# The least sum of squared windows; only the last few samples at hops near n_fft / 2 have less.
_LEAST_OVERLAP = 1e-8


def stft(audio: Tensor, *, n_fft: int, hop: int) -> Tensor:
    """Short-time Fourier transform: `(batch, channels, time) -> complex (batch, channels, n_fft // 2 + 1, 1 + time // hop)`.

    n_fft: window length in samples, even. hop: samples between frames, 1 … n_fft // 2. Raises ShapeError, ConfigError.
    """
    check_audio(audio)
    _check_window(n_fft, hop)
    batch, channels, time = audio.shape
    spectrum = torch.stft(
        audio.reshape(batch * channels, time),
        n_fft,
        hop,
        window=torch.hann_window(n_fft, dtype=audio.dtype, device=audio.device),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    return spectrum.reshape(batch, channels, *spectrum.shape[-2:])


def istft(spectrum: Tensor, *, n_fft: int, hop: int, length: int) -> Tensor:
    """Inverse of `stft`: `complex (batch, channels, n_fft // 2 + 1, frames) -> (batch, channels, length)`.

    Least-squares overlap-add. length: samples, with `frames == 1 + length // hop`. The round trip keeps at least 120 dB
    (float32) for hops up to n_fft // 4; at larger hops a last sample that only a window's edge reaches is less exact.
    Raises ShapeError, ConfigError.
    """
    _check_window(n_fft, hop)
    if not isinstance(spectrum, Tensor) or spectrum.ndim != 4 or not spectrum.is_complex():
        raise ShapeError(f"a spectrum must be a complex tensor (batch, channels, bins, frames), not {_describe(spectrum)}")
    bins, frames = spectrum.shape[2:]
    if bins != n_fft // 2 + 1:
        raise ShapeError(f"the spectrum has {bins} bins, n_fft {n_fft} needs {n_fft // 2 + 1}")
    if length < 1 or frames != 1 + length // hop:
        raise ShapeError(
            f"{frames} frames at hop {hop} are {(frames - 1) * hop}…{frames * hop - 1} samples (at least 1), not length {length}"
        )
    pieces = torch.fft.irfft(spectrum.transpose(-1, -2), n=n_fft)
    window = torch.hann_window(n_fft, dtype=pieces.dtype, device=pieces.device)
    summed = overlap_add(pieces * window, hop=hop)
    envelope = overlap_add((window * window).expand(frames, n_fft), hop=hop).clamp_min(_LEAST_OVERLAP)
    inner = slice(n_fft // 2, n_fft // 2 + length)
    return summed[..., inner] / envelope[inner]


def spectra(audio: Tensor, *, n_fft: int, hop: int) -> Tensor:
    """The transform of `stft`, frames first: `(batch, channels, time) -> complex (batch, channels, 1 + time // hop, n_fft // 2 + 1)`.

    A frame is contiguous in memory, which is faster for the FFT and for its readers. Raises ConfigError; audio is not checked.
    """
    _check_window(n_fft, hop)
    padded = functional.pad(audio, (n_fft // 2, n_fft // 2))
    window = torch.hann_window(n_fft, dtype=audio.dtype, device=audio.device)
    return torch.fft.rfft(padded.unfold(-1, n_fft, hop) * window)


def power_spectrogram(audio: Tensor, *, n_fft: int, hop: int) -> Tensor:
    """`(batch, channels, time) -> (batch, channels, n_fft // 2 + 1, 1 + time // hop)`: |STFT|² without a square root.

    Frames are contiguous in memory and complex numbers are read as pairs: about four times faster than stft().abs().square().
    Raises ConfigError; audio is not checked.
    """
    pairs = torch.view_as_real(spectra(audio, n_fft=n_fft, hop=hop))
    return (pairs[..., 0].square() + pairs[..., 1].square()).transpose(-1, -2)


def overlap_add(pieces: Tensor, *, hop: int) -> Tensor:
    """Returns the sum of pieces `hop` samples apart: `(..., frames, size) -> (..., time)`, time = (frames - 1 + ceil(size / hop)) * hop.

    piece 0   |a0|a1|a2|a3|                a piece is size / hop blocks, the last filled up with zeros;
    piece 1      |b0|b1|b2|b3|             block k of all pieces is added in one go, k blocks further on
    """
    frames, size = pieces.shape[-2:]
    blocks = -(-size // hop)
    if size < blocks * hop:
        pieces = functional.pad(pieces, (0, blocks * hop - size))
    split = pieces.unflatten(-1, (blocks, hop))
    summed = pieces.new_zeros(*pieces.shape[:-2], frames + blocks - 1, hop)
    for k in range(blocks):
        summed.narrow(-2, k, frames).add_(split.select(-2, k))  # narrow: less overhead than indexing
    return summed.flatten(-2)


@lru_cache(maxsize=32)
def mel_filters(*, bands: int, n_fft: int, sample_rate: int, low: float, high: float) -> Tensor:
    """Triangular mel filters `(bands, n_fft // 2 + 1)` float32 for power spectra, Slaney scale and area norm.

    low, high: edges in Hz. The tensor is shared: do not change it in place.
    """
    return torch.from_numpy(spectra_of_arrays.mel_filters(bands=bands, n_fft=n_fft, sample_rate=sample_rate, low=low, high=high))


def _check_window(n_fft: int, hop: int) -> None:
    if n_fft < 4 or n_fft % 2:
        raise ConfigError(f"n_fft is {n_fft}, allowed are even numbers from 4; powers of two are fastest")
    if not 1 <= hop <= n_fft // 2:
        raise ConfigError(f"hop is {hop}, allowed is 1 to {n_fft // 2} at n_fft {n_fft}; a quarter of n_fft is usual")


def _describe(value: object) -> str:
    return f"{tuple(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
