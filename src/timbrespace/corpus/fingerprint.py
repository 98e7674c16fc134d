"""Near-duplicates: a small acoustic fingerprint of a clip, and a search for close pairs that does not compare all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from timbrespace.corpus.grouping import connected_components

SECONDS = 0.5  # of the sound, from its onset
NEAR_DB = 1.0  # RMS difference of two log-mel spectrograms below which they are near-duplicates
_BANDS, _FRAMES, _FLOOR_DB = 24, 40, 60.0
_KEPT_BANDS, _KEPT_FRAMES = 16, 16  # of their cosine transform: 256 values a clip
_BEGIN = 0.05  # of the peak
_LOUD = 1e6  # peak over which squares overflow
_LOW, _HIGH = 40.0, 10_000.0  # Hz; the range that MP3 at low bit rates keeps
_SEARCHED = 8  # principal components in which candidates are searched
_ROWS, _CANDIDATES, _COMPARED = 256, 2**18, 4_096  # clips whose candidates are searched together; candidates at a time; compared at a time
_MOST_PAIRS = 2**21  # pairs of near-duplicates that are held


@lru_cache(maxsize=32)
def _filters(size: int, rate: int) -> np.ndarray:
    """Triangular mel filters, `(size // 2 + 1, bands)`."""
    mel = np.linspace(np.log1p(_LOW / 700), np.log1p(_HIGH / 700), _BANDS + 2)
    edges = 700 * np.expm1(mel)
    hertz = np.arange(size // 2 + 1)[:, None] * (rate / size)
    up, down = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    bank = np.maximum(0.0, np.minimum(up, down))
    nearest = np.abs(hertz - edges[1:-1]).argmin(axis=0)
    bank[nearest, np.arange(_BANDS)] = np.maximum(bank[nearest, np.arange(_BANDS)], 0.5)  # no band without a bin
    return (bank / bank.sum(axis=0)).astype(np.float32)


@lru_cache(maxsize=4)
def _cosines(size: int, kept: int) -> np.ndarray:
    """The first `kept` rows of the orthonormal DCT-II, `(kept, size)`."""
    n, k = np.arange(size), np.arange(kept)[:, None]
    rows = np.cos(np.pi / size * (n + 0.5) * k) * np.sqrt(2 / size)
    rows[0] /= np.sqrt(2)
    return rows.astype(np.float32)


def fingerprint(clip: np.ndarray, rate: int) -> np.ndarray:
    """Smoothed log-mel spectrogram of the first half second, relative to its loudest cell: `(channels, time) -> (256,)` float32.

    The half second starts where the sound first reaches 26 dB below its peak, which the pre-echo of MP3 and Ogg does not change.
    The Euclidean distance of two fingerprints is the RMS difference of the spectrograms in dB.
    """
    envelope = np.abs(clip).max(axis=0)
    peak = envelope.max(initial=0.0)
    start = int(np.argmax(envelope > _BEGIN * peak))
    part = clip[:, start : start + round(SECONDS * rate)]
    mono = (part / peak if peak > _LOUD else part).mean(axis=0, dtype=np.float32)
    size = max(16, 2 * round(0.0116 * rate))  # 23 ms
    hop = SECONDS * rate / _FRAMES
    padded = np.zeros(round(SECONDS * rate) + 2 * size, np.float32)
    padded[size : size + len(mono)] = mono
    starts = size // 2 + np.round(np.arange(_FRAMES) * hop).astype(np.int64)
    frames = padded[starts[:, None] + np.arange(size)] * np.hanning(size).astype(np.float32)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 @ _filters(size, rate)
    decibels = 10 * np.log10(np.maximum(power, 1e-20))
    decibels = np.maximum(decibels - decibels.max(), -_FLOOR_DB)
    kept = _cosines(_FRAMES, _KEPT_FRAMES) @ decibels.astype(np.float32) @ _cosines(_BANDS, _KEPT_BANDS).T
    return (kept / np.sqrt(_FRAMES * _BANDS)).ravel().astype(np.float32)


def near_pairs(prints: np.ndarray, *, threshold: float = NEAR_DB) -> np.ndarray:
    """Pairs `(pairs, 2)` of rows of `prints (clips, dims)` closer than `threshold` dB; equal rows give a chain of pairs.

    Candidates are found with a tree over a few principal components: a projection never lengthens a distance, so none is missed. They
    are compared by blocks. Where nearly all clips sound alike, the pairs found are replaced by fewer that join the same clips, so that
    memory does not grow with the square of the number of clips.
    """
    if len(prints) < 2:
        return np.zeros((0, 2), np.int64)
    from scipy.spatial import cKDTree

    unique, inverse = np.unique(prints, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    order = np.argsort(inverse, kind="stable")
    same = inverse[order[1:]] == inverse[order[:-1]]
    chains = np.stack([order[:-1][same], order[1:][same]], axis=1)
    first = order[np.concatenate([[True], ~same])]  # one clip for each unique row
    if len(unique) < 2:
        return chains
    centred = unique.astype(np.float64) - unique.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    points = centred @ vectors[:, -_SEARCHED:]
    tree, kept, close = cKDTree(points), [chains], np.zeros((0, 2), np.int64)
    for block in _candidates(tree, points, threshold):
        parts = np.array_split(block, max(1, len(block) // _COMPARED))
        near = [part[np.linalg.norm(centred[part[:, 0]] - centred[part[:, 1]], axis=1) < threshold] for part in parts]
        close = np.concatenate([close, *near])
        if len(close) > _MOST_PAIRS:
            components = connected_components(len(points), close)
            joined = np.flatnonzero(components != np.arange(len(points)))
            close = np.stack([components[joined], joined], axis=1)
    kept.append(first[close])
    return np.concatenate(kept)


def _candidates(tree: Any, points: np.ndarray, threshold: float) -> Iterator[np.ndarray]:
    """Blocks of pairs `(some, 2)` of points within `threshold` in the projection, each pair once."""
    start = 0
    while start < len(points):
        counts = tree.query_ball_point(points[start : start + _ROWS], threshold, return_length=True)
        rows = max(1, int(np.searchsorted(np.cumsum(counts), _CANDIDATES)))
        found = tree.query_ball_point(points[start : start + rows], threshold)
        one = np.repeat(np.arange(start, start + len(found)), [len(others) for others in found])
        other = np.concatenate(found).astype(np.int64)
        yield np.stack([one, other], axis=1)[one < other]
        start += len(found)
