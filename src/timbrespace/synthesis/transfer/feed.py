"""Recordings of any length, read forward in pieces, at the rate and with the channels of an instrument."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from timbrespace.audio.decoding.open import AudioInfo
from timbrespace.audio.decoding.speakers import ChannelEnergies, mix_weights
from timbrespace.audio.files import log_remarks, probe, read_array, sha256_of
from timbrespace.audio.resampling import mix, mix_weighted
from timbrespace.contracts import AudioFileError

Wave = np.ndarray[Any, np.dtype[np.float32]]
_BLOCK = 1 << 17  # samples read at once
SILENT = 1e-5  # peak of a recording that is silence


class Feed(ABC):
    """Audio that is read forward: the part before the start of the last piece is dropped.

    channels. samples: of all of it.
    """

    def __init__(self, channels: int, samples: int):
        self.channels, self.samples = channels, samples
        self._held, self._first = np.zeros((channels, 0), np.float32), 0
        self._pieces: Iterator[Wave] | None = None

    def read(self, start: int, stop: int) -> Wave:
        """Returns samples `(channels, stop - start)`, zeros before and after the recording. start: not before that of an earlier piece."""
        low, high = min(max(start, 0), self.samples), min(max(stop, 0), self.samples)
        if low < self._first:
            raise ValueError("a recording is read forward")
        if self._pieces is None:
            self._pieces = self._blocks()
        pieces, end = [self._held], self._first + self._held.shape[1]
        while end < high:
            piece = next(self._pieces, None)
            if piece is None:  # a rounding of the length
                piece = np.zeros((self.channels, self.samples - end), np.float32)
            pieces.append(piece)
            end += piece.shape[1]
        held = np.concatenate(pieces, axis=1) if len(pieces) > 1 else self._held
        self._held, self._first = held[:, low - self._first :], low
        inside = self._held[:, : max(high - low, 0)]
        before = min(max(-start, 0), stop - start)
        return np.pad(inside, ((0, 0), (before, stop - start - before - inside.shape[1])))

    @abstractmethod
    def _blocks(self) -> Iterator[Wave]:
        """Yields all samples in order, `(channels, any)`."""


class ArrayFeed(Feed):
    """Audio in memory, `(channels, time)`."""

    def __init__(self, audio: Wave):
        super().__init__(*audio.shape)
        self._audio = audio

    def _blocks(self) -> Iterator[Wave]:
        for start in range(0, self.samples, _BLOCK):
            yield self._audio[:, start : start + _BLOCK]


@dataclass(frozen=True)
class Survey:
    """What a first pass over a sound file finds. weights: of the mix `(channels, source channels)`, None for the usual one.

    offsets: `(channels,)` of the mix, which are subtracted. peak: of the source channels. sha256: of the file.
    """

    path: Path
    info: AudioInfo
    weights: Wave | None
    offsets: Wave
    peak: float
    sha256: str


def survey(path: Path, channels: int) -> Survey:
    """Returns what a first pass over a sound file finds. channels: of its mix. Raises AudioFileError, also for silence."""
    info = probe(path)
    log_remarks(path, info)
    energies, sums, peak, count = ChannelEnergies(info.channels), np.zeros(info.channels), 0.0, 0
    for block in _source_blocks(path, info):
        energies.add(block.T)
        sums += block.sum(axis=1, dtype=np.float64)
        peak, count = max(peak, float(np.abs(block).max(initial=0.0))), count + block.shape[1]
    if peak < SILENT:
        raise AudioFileError(f"{path}: the recording is silent")
    weights = mix_weights(info.speakers, channels) if info.speakers else None
    if channels == 1 and info.channels > 1:
        rescue = energies.rescue(np.full(info.channels, 1 / info.channels) if weights is None else weights[0])
        weights = weights if rescue is None else rescue[None]
    means = (sums / max(count, 1)).astype(np.float32)[:, None]
    return Survey(path, info, weights, _mixed(means, channels, weights), peak, sha256_of(path))


class FileFeed(Feed):
    """A sound file that was surveyed. rate: Hz, of the result. centred: without its offset."""

    def __init__(self, found: Survey, *, rate: int, channels: int, centred: bool = True):
        own = found.info.sample_rate
        super().__init__(channels, max(1, round(found.info.frames * rate / own)))
        self._found, self._rate = found, rate
        self._offsets = found.offsets if centred else np.zeros_like(found.offsets)

    def _blocks(self) -> Iterator[Wave]:
        found, own = self._found, self._found.info.sample_rate
        blocks = (_mixed(block, self.channels, found.weights) - self._offsets for block in _source_blocks(found.path, found.info))
        yield from blocks if own == self._rate else resampled(blocks, own, self._rate, channels=self.channels)


def resampled(blocks: Iterator[Wave], from_rate: int, to_rate: int, *, channels: int) -> Iterator[Wave]:
    """Yields blocks `(channels, any)` at another rate, in Hz; together as long as `audio.files.resample` makes them, or longer."""
    stream = soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32")
    for block in blocks:
        made = stream.resample_chunk(np.ascontiguousarray(block.T)).T
        if made.shape[1]:
            yield np.ascontiguousarray(made)
    made = stream.resample_chunk(np.zeros((0, channels), np.float32), last=True).T
    if made.shape[1]:
        yield np.ascontiguousarray(made)


def _source_blocks(path: Path, info: AudioInfo) -> Iterator[Wave]:
    for start in range(0, info.frames, _BLOCK):
        yield read_array(path, start=start, frames=_BLOCK, info=info)[0]


def _mixed(block: Wave, channels: int, weights: Wave | None) -> Wave:
    return mix(block, channels) if weights is None else mix_weighted(block, weights)
