"""Conversion of a piece by a design: its spectrogram translated in pieces of 5 s that overlap by half, its phase as the start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from timbrespace.contracts import ConfigError
from timbrespace.voices.arrays.design import BINS, FRAMES
from timbrespace.voices.arrays.features import HOP, RATE, count_frames, spectra, to_magnitudes, to_values
from timbrespace.voices.arrays.inversion import AHEAD, Inversion
from timbrespace.voices.arrays.sources import most_like
from timbrespace.voices.frames import RATE as OUTPUT_RATE
from timbrespace.voices.frames import Values
from timbrespace.voices.weights import Curve

if TYPE_CHECKING:
    from timbrespace.voices.arrays.file import ArrayVoices

STEP = FRAMES // 2  # frames between pieces
_AT_ONCE = 8  # pieces through the network
_LARGEST = 4.0  # times the level of the mean that a channel may have in a cell


@dataclass(frozen=True)
class ArrayConversionOptions:
    """source: the instrument that plays the piece; None: found by its sound. iterations: of Griffin–Lim, from the phase of the piece."""

    source: str | None = None
    iterations: int = 16

    def __post_init__(self) -> None:
        """Raises ConfigError for values out of range."""
        if not 0 <= self.iterations <= 1_000:
            raise ConfigError(f"iterations is {self.iterations}, allowed is 0 to 1,000")


@dataclass(frozen=True)
class ArrayConverted:
    """A converted piece. audio: `(channels, time)` at 44.1 kHz, up to 11 kHz. source: the instrument that plays the piece."""

    audio: Values
    source: str
    passages: tuple[tuple[float, float], ...] = ()  # as of the other kind of voices; a design has no second path


def convert(voices: ArrayVoices, wave: Values, to: Curve, options: ArrayConversionOptions | None = None) -> ArrayConverted:
    """Returns a piece in the timbre of a voice. wave: `(channels, time)` at 44.1 kHz, one or two channels.

    The mean of the channels is translated; each channel keeps its phases and, in every cell, its level over the mean's. Weights that move
    are those in the middle of each piece of 5 s. Raises ConfigError for a piece without samples.
    """
    from timbrespace.audio.resampling import resample_array

    options = options or ArrayConversionOptions()
    if wave.shape[-1] == 0:
        raise ConfigError("the piece has no samples")
    low = resample_array(np.asarray(wave, np.float32), OUTPUT_RATE, RATE)
    mono = low.mean(axis=0, dtype=np.float64)
    reference = _loudest(mono)
    source = options.source or voices.names[most_like(_some(mono, reference), voices.profiles)]
    if source not in voices.names:
        raise ConfigError(f"there is no voice {source!r}; the file has {', '.join(voices.names)}")
    made = np.zeros((len(low), low.shape[1]), np.float32)
    inversions = [Inversion(iterations=options.iterations) for _ in low]
    places = [0] * len(low)

    def put(number: int, samples: Values) -> None:
        stop = min(places[number] + len(samples), made.shape[1])
        made[number, places[number] : stop] = samples[: stop - places[number]]
        places[number] = stop

    for first, values, count in _blocks(voices, mono, to, source, reference):
        magnitudes = np.pad(to_magnitudes(values, reference), ((0, 0), (0, 1)))
        ours = np.abs(spectra(mono, first, len(values)))
        for number, channel in enumerate(low):
            own = spectra(channel, first, len(values))
            size = np.abs(own)
            level = 1.0 if len(low) == 1 else np.minimum(size / np.maximum(ours, 1e-9), _LARGEST)
            phases = np.where(size > 1e-9, own / np.maximum(size, 1e-9), 1.0)
            put(number, inversions[number].block(magnitudes * level, phases, count))
    for number, inversion in enumerate(inversions):
        put(number, inversion.rest())
    audio = resample_array(made, RATE, OUTPUT_RATE)
    short = max(0, wave.shape[-1] - audio.shape[1])
    return ArrayConverted(np.pad(audio, ((0, 0), (0, short)))[:, : wave.shape[-1]], source)


def _blocks(voices: ArrayVoices, mono: Values, to: Curve, source: str, reference: float) -> Iterator[tuple[int, Values, int]]:
    """Yields the first frame of a block, its values and those of AHEAD further frames `(frames, BINS)`, and how many are of the block."""
    total = count_frames(len(mono))
    kept, start = np.zeros((0, BINS)), 0  # values that are not yet part of a block, and the number of their first frame
    for values in _translated(voices, mono, to, source, reference):
        kept = np.concatenate([kept, values])
        count = min(len(kept) - AHEAD, total - start - AHEAD)
        if count > 0:
            yield start, kept[: count + AHEAD], count
            kept, start = kept[count:], start + count
    count = total - start
    if count > 0:
        yield start, kept[:count], count


def _translated(voices: ArrayVoices, mono: Values, to: Curve, source: str, reference: float) -> Iterator[Values]:
    """Yields the translated values of frames `(frames, BINS)`, in order: pieces half apart, each faded in and out."""
    fade = np.square(np.sin(np.pi * (np.arange(FRAMES) + 0.5) / FRAMES))[:, None]
    half = np.zeros((STEP, BINS))  # of the last piece: its second half, faded out
    pieces = 1 + -(-count_frames(len(mono)) // STEP)  # the first one starts half a piece before the recording
    for first in range(0, pieces, _AT_ONCE):
        numbers = np.arange(first, min(first + _AT_ONCE, pieces))
        starts = (numbers - 1) * STEP
        weights = to.at((starts + FRAMES / 2) * HOP / RATE, voices.names)
        values = np.stack([to_values(np.abs(spectra(mono, int(start), FRAMES)[:, :BINS]).T, reference) for start in starts])
        with torch.no_grad():
            found = voices.design.translate(torch.from_numpy(values).float(), source, torch.from_numpy(weights).float())
        for number, made in zip(numbers, found.double().numpy(), strict=True):
            faded = made.T * fade
            if number:
                yield half + faded[:STEP]
            half = faded[STEP:]


def _loudest(mono: Values) -> float:
    """The magnitude of the loudest cell."""
    count = count_frames(len(mono))
    return max(float(np.abs(spectra(mono, first, min(1_024, count - first))[:, :BINS]).max()) for first in range(0, count, 1_024))


def _some(mono: Values, reference: float) -> Values:
    """Values of up to 40 pieces over the whole recording `(BINS, frames)`."""
    starts = np.unique(np.linspace(0, max(0, count_frames(len(mono)) - FRAMES), 40).astype(int))
    return np.concatenate([to_values(np.abs(spectra(mono, int(start), FRAMES)[:, :BINS]).T, reference) for start in starts], axis=1)
