"""The embedding of a sound on NumPy arrays; `audio.embedding` gives it for tensors, and says what it holds."""

from __future__ import annotations

import itertools
import math

import numpy as np

from timbrespace.audio.arrays.descriptors import decay_time, spectral_centroid
from timbrespace.audio.arrays.spectra import (
    AUDIBLE_DB,
    FLOOR_DB,
    HIGH_HZ,
    HOP,
    LONGEST_S,
    LOW_HZ,
    N_FFT,
    TILE_FRAMES,
    TINY,
    mel_filters,
    power_spectra,
    tile_flatness,
)
from timbrespace.contracts import SAMPLE_RATE

Array = np.ndarray

_EDGES_S = (0.0, 0.012, 0.03, 0.07, 0.15, 0.3, 0.6, 1.1, 2.0)
_EMBED_BANDS, _COEFFICIENTS = 40, 8
EMBEDDING_DIMS = (len(_EDGES_S) - 1) * _COEFFICIENTS + 4


def embed(audio: Array, sample_rate: int = SAMPLE_RATE) -> Array:
    """Returns the embedding `(68,)`, float32, of a sound `(channels, time)` with at least one sample; see `audio.embedding`."""
    mono = audio[:, : math.ceil(LONGEST_S * sample_rate)].mean(axis=0)
    if sample_rate != SAMPLE_RATE:
        from timbrespace.audio.resampling import resample_array

        mono = resample_array(mono[None].astype(np.float32), sample_rate, SAMPLE_RATE)[0]
    return _embed(_from_onset(mono, samples=round(_EDGES_S[-1] * SAMPLE_RATE))).astype(np.float32)


def _embed(audio: Array) -> Array:
    """The embedding `(68,)` of audio `(2 s,)` from its onset."""
    frames = 1 + len(audio) // HOP
    # Silence after the end is not analysed: it is at the floor. Some of it stays, for whole tiles, and for the decay of an abrupt end.
    ends = int(np.flatnonzero(audio)[-1]) + N_FFT if audio.any() else 1
    used = min(frames, TILE_FRAMES * -(-(1 + -(-ends // HOP)) // TILE_FRAMES))
    part = audio[: (used - 1) * HOP] if used < frames else audio
    spectrum = power_spectra(part)
    bank = mel_filters(bands=_EMBED_BANDS, n_fft=N_FFT, sample_rate=SAMPLE_RATE, low=LOW_HZ, high=HIGH_HZ)
    power = spectrum @ bank.T.astype(spectrum.dtype)
    level = np.full((frames, _EMBED_BANDS), -FLOOR_DB, power.dtype)
    if float(power.max()) > TINY:
        levels = 10 * np.log10(np.maximum(power, TINY))
        level[: len(levels)] = np.maximum(levels - levels.max(), -FLOOR_DB)
    edges = [round(s * SAMPLE_RATE / HOP) for s in _EDGES_S]
    segments = np.stack([level[a:b].mean(axis=0) for a, b in itertools.pairwise(edges)])
    shape = (segments @ _basis(segments.dtype.name).T).reshape(-1) / math.sqrt(_EMBED_BANDS * len(segments))

    audible = np.flatnonzero(level.max(axis=1) > -60)
    duration = max((int(audible[-1]) + 1 if len(audible) else 0) * HOP / SAMPLE_RATE, HOP / SAMPLE_RATE)
    decay = min(max(float(decay_time(part, SAMPLE_RATE)), 0.005), 8.0)
    bright = min(max(float(spectral_centroid(audio, SAMPLE_RATE)), 50.0), HIGH_HZ)
    flat, tile_level = tile_flatness(spectrum)
    weight = tile_level > -AUDIBLE_DB
    grain = float((flat * weight).sum()) / max(int(weight.sum()), 1)
    return np.concatenate([shape, [math.log2(duration), math.log2(decay), math.log2(bright) - 10, grain / 2]])


def _basis(kind: str) -> Array:
    """The first rows of the cosine transform `(coefficients, bands)`."""
    k, n = np.arange(_COEFFICIENTS)[:, None], np.arange(_EMBED_BANDS)[None]
    basis = np.cos(math.pi * k * (n + 0.5) / _EMBED_BANDS) * math.sqrt(2 / _EMBED_BANDS)
    basis[0] /= math.sqrt(2)
    return basis.astype(kind)


def _from_onset(audio: Array, *, samples: int) -> Array:
    """Audio from its onset, zero padded: `(time,) -> (samples,)`; cut 2 ms before the first sample within 40 dB of the peak."""
    size = np.abs(audio)
    start = max(0, int((size >= audio.dtype.type(0.01) * size.max()).argmax()) - round(0.002 * SAMPLE_RATE))
    cut = audio[start : start + samples]
    result = np.zeros(samples, audio.dtype)
    result[: len(cut)] = cut
    return result
