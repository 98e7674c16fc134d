"""Spectra on NumPy arrays: fast sizes, the power spectrogram, mel bands, and the flatness of its tiles."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

Array = np.ndarray

N_FFT, HOP, BANDS = 1024, 256, 128  # 23 ms, 5.8 ms
LOW_HZ, HIGH_HZ = 20.0, 22_050.0
FLOOR_DB = 80.0  # cells are clipped this far below the loudest
TINY = 1e-30  # power; far below that of any float32 audio
LONGEST_S = 10.0  # analysed of a sound, so that one long file cannot fill the memory

# Grain: tiles of 16 bins × 8 frames (690 Hz × 46 ms), from 8 bins up.
TILE_BINS, TILE_FRAMES, FIRST_BIN = 16, 8, 8
AUDIBLE_DB = 50.0  # tiles this far below the loudest tile are ignored


@lru_cache(maxsize=1024)
def fft_size(least: int) -> int:
    """The smallest size from `least` up that is a product of 2, 3 and 5: fast to transform. As `scipy.fft.next_fast_len(real=True)`."""
    best, fives = 1 << max(0, least - 1).bit_length(), 1
    while fives < best:
        threes = fives
        while threes < best:
            best = min(best, threes << max(0, -(-least // threes) - 1).bit_length())
            threes *= 3
        fives *= 5
    return best


@lru_cache(maxsize=32)
def hann(size: int, *, periodic: bool = True) -> Array:
    """The Hann window `(size,)`, float32. The array is shared: do not change it in place."""
    window: Array = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / max(1, size if periodic else size - 1))).astype(np.float32)
    return window


def power_spectra(audio: Array, *, n_fft: int = N_FFT, hop: int = HOP) -> Array:
    """Power spectrogram of mono audio, frames first: `(..., time) -> (..., 1 + time // hop, n_fft // 2 + 1)`; frames as in `audio.stft`."""
    padded = np.pad(audio, [(0, 0)] * (audio.ndim - 1) + [(n_fft // 2, n_fft // 2)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=-1)[..., ::hop, :]
    spectrum = np.fft.rfft(frames * hann(n_fft).astype(audio.dtype))
    power: Array = np.square(spectrum.real) + np.square(spectrum.imag)
    return power


def mel_frequencies(count: int, *, low: float, high: float) -> Array:
    """`count` frequencies in Hz (float64), equally spaced on the Slaney mel scale from `low` to `high` Hz, both included.

    The scale is linear below 1 kHz (200/3 Hz a mel) and logarithmic above (27 mels to a factor of 6.4).
    """
    step, knee = 200.0 / 3, 1000.0
    log_step = np.log(6.4) / 27

    def to_mel(hz: float) -> float:
        return float(hz / step if hz < knee else knee / step + np.log(hz / knee) / log_step)

    mel = to_mel(low) + (to_mel(high) - to_mel(low)) * np.linspace(0, 1, count)
    return np.where(mel < knee / step, mel * step, knee * np.exp((mel - knee / step) * log_step))


@lru_cache(maxsize=32)
def mel_filters(*, bands: int, n_fft: int, sample_rate: int, low: float, high: float) -> Array:
    """Triangular mel filters `(bands, n_fft // 2 + 1)` float32 for power spectra, Slaney scale and area norm.

    low, high: edges in Hz. The array is shared: do not change it in place.
    """
    edges = mel_frequencies(bands + 2, low=low, high=high)
    bins = np.linspace(0, sample_rate / 2, n_fft // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    area = 2.0 / (edges[2:] - edges[:-2])
    filters: Array = (np.maximum(np.minimum(rising, falling), 0) * area[:, None]).astype(np.float32)
    return filters


def tile_flatness(power: Array) -> tuple[Array, Array]:
    """Flatness and level of every tile in dB: power spectrogram, frames first, `(..., frames, 513) -> 2 × (..., steps, bands)`.

    Levels are relative to the loudest tile, -inf everywhere for silence. Frames after the last complete tile are left out.
    """
    lead = power.shape[:-2]
    steps, bands = power.shape[-2] // TILE_FRAMES, (power.shape[-1] - FIRST_BIN) // TILE_BINS
    tiles = power[..., : steps * TILE_FRAMES, FIRST_BIN : FIRST_BIN + bands * TILE_BINS]
    tiles = tiles.reshape(*lead, steps * TILE_FRAMES, bands, TILE_BINS)
    mean = tiles.mean(axis=-1)
    loudest = mean.max(axis=(-1, -2), initial=0.0)[..., None, None]
    least = np.maximum(loudest * power.dtype.type(10 ** (-(FLOOR_DB + 20) / 10)), TINY)
    # Each frame relative to its own mean: a fast decay within a tile is not a lack of grain.
    flatness = np.log10(np.maximum(tiles, least[..., None])).mean(axis=-1) - np.log10(np.maximum(mean, least))
    flatness = 10 * np.minimum(flatness, 0).reshape(*lead, steps, TILE_FRAMES, bands).mean(axis=-2)
    level = mean.reshape(*lead, steps, TILE_FRAMES, bands).mean(axis=-2)
    loudest = level.max(axis=(-1, -2), initial=0.0)[..., None, None]
    relative = 10 * np.log10(np.maximum(level, TINY) / np.maximum(loudest, TINY))
    return flatness, np.where(loudest > TINY, relative, -np.inf).astype(power.dtype)
