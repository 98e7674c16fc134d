"""Measures what latents sound like, without finishing sounds: on decoded levels where the view has them, else on plain audio."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.audio.describe import NAMES
from timbrespace.audio.pitch import midi_to_hz
from timbrespace.parallel import Pool
from timbrespace.representation.base import Representation
from timbrespace.representation.normalisation import Normalised
from timbrespace.representation.views.bands import Bands
from timbrespace.space.controls.coordinates import Coordinates, Point
from timbrespace.space.controls.levels import MEASURED, LevelMeter
from timbrespace.synthesis.detail.near import Core
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.texture import with_fewer_iterations

_BATCH = 16
_LENGTH = NAMES.index("length")
_EDGES_S = (0.0, 0.012, 0.03, 0.07, 0.15, 0.3, 0.6, 1.1, 2.0)  # of tiles in time, as in `audio.embedding`
_TILE_BANDS, _TILE_FLOOR_DB = 24, 80.0
_SILENT_DB = -200.0
_CUT_FRAMES = 1.5  # before the decoded length, where a sound that is still loud counts as cut


class Levels(NamedTuple):
    """Levels in dB `(batch, parts, bands, frames)`, and the frames of each sound `(batch,)`."""

    levels: Tensor
    frames: Tensor


class Meter:
    """Descriptors of decoded points of one instrument, on the scales of `audio.describe`, NaN where not measured.

    Those of decoded levels differ a little from those of finished sounds, by the same amount for near points: compare them with each other.
    """

    def __init__(self, contents: InstrumentContents, *, core: Core | None = None):
        """core: measures points of whole clips, quicker; None: PyTorch does, as in training."""
        self.contents, self._core = contents, core
        view = contents.representation
        self.normaliser = view.normaliser if isinstance(view, Normalised) else None
        self.view: Representation = view.view if isinstance(view, Normalised) else view
        self.on_levels = self.view.decibels and self.view.axes(1).band_unit == "Hz"
        levels: Any = self.view if self.on_levels else Bands(sample_rate=contents.sample_rate, channels=contents.channels)
        self.levels: Representation = levels
        self.quick = with_fewer_iterations(contents.representation)
        self.meter = LevelMeter(levels.axes(1), floor=levels.floor, sample_rate=contents.sample_rate)

    @cached_property
    def has_slopes(self) -> Tensor:
        """Whether `slopes` gives that of each descriptor, bool `(len(DESCRIPTORS),)`: not through codes of a codebook, nor audio."""
        model, smooth = self.contents.model, set[str]()
        if self.on_levels and not model.time_varying:
            with torch.enable_grad():
                z = self.contents.space.means[:1] if self.contents.space.axes is None else torch.zeros(1, model.dims)
                if self._levels_of(z.clone().requires_grad_(), None).levels.requires_grad:
                    smooth = {name for name in MEASURED if name != "length" or model.log_lengths(z) is not None}
        return torch.tensor([name in smooth for name in NAMES])

    @torch.no_grad()
    def measure(self, points: Sequence[Point]) -> Tensor:
        """Returns descriptors `(points, len(DESCRIPTORS))`."""
        core = self._core
        if core is not None and self.on_levels and all(point.length is None for point in points):
            found = torch.stack([torch.from_numpy(core.measure(point.z.float().numpy())) for point in points])
            return self._with_pitch(found, points)
        return torch.cat([self._values(*self._decoded(batch), batch) for batch in _batches(points)])

    @torch.no_grad()
    def tiles(self, points: Sequence[Point]) -> Tensor:
        """Returns mean levels in dB over tiles of time and frequency, `(points, tiles)`, to compare sounds by."""
        return torch.cat([self._tiles(*self._decoded(batch)) for batch in _batches(points)])

    @torch.no_grad()
    def measure_and_tiles(self, points: Sequence[Point]) -> tuple[Tensor, Tensor]:
        """Returns both, for the price of one decoding."""
        values, tiles = [], []
        for batch in _batches(points):
            levels = self._decoded(batch)
            values.append(self._values(*levels, batch))
            tiles.append(self._tiles(*levels))
        return torch.cat(values), torch.cat(tiles)

    def of_features(self, features: Tensor) -> Tensor:
        """Returns `(len(DESCRIPTORS),)` of features of one sound `(parts, bands, frames)` in the instrument's view, which has levels."""
        return self.meter(self._undone(features[None]), torch.tensor([features.shape[-1]]))[0]

    def slopes(self, points: Sequence[Point], coordinates: Coordinates, *, only: Tensor | None = None) -> Tensor:
        """Returns the change of every descriptor a unit of every coordinate: `(points, len(DESCRIPTORS), rank)`; 0 without `has_slopes`.

        points: of whole clips. only: which descriptors are needed, bool `(len(DESCRIPTORS),)`; 0 for the others.
        """
        wanted = self.has_slopes if only is None else self.has_slopes & only
        found, smooth = [], wanted.nonzero()[:, 0].tolist()
        for batch in _batches(points):
            with torch.enable_grad():
                steps = torch.zeros(len(batch), coordinates.rank, requires_grad=True)
                z = torch.stack([point.z for point in batch]) + steps @ coordinates.directions
                values = self._with_decoded_length(self.meter(*self._levels_of(z, None)), z)
                slopes = torch.zeros(len(batch), len(NAMES), coordinates.rank)
                for place in smooth:
                    (gradient,) = torch.autograd.grad(values[:, place].sum(), steps, retain_graph=True)
                    slopes[:, place] = gradient.nan_to_num(0.0, 0.0, 0.0)
            found.append(slopes)
        return torch.cat(found)

    def _with_decoded_length(self, values: Tensor, z: Tensor) -> Tensor:
        """Descriptors with the length that the model decodes, where a sound is cut there: in its levels that is a number of frames."""
        lengths = self.contents.model.log_lengths(z)
        if lengths is None:
            return values
        lengths = lengths.clamp_max(math.log2(self.contents.samples)) - math.log2(self.contents.sample_rate)
        in_levels = values[:, _LENGTH]
        cut = torch.exp2(in_levels.detach()) > torch.exp2(lengths.detach()) - _CUT_FRAMES / self.meter.rate
        return values.index_copy(1, torch.tensor([_LENGTH]), torch.where(cut, lengths, in_levels)[:, None])

    def _decoded(self, batch: Sequence[Point]) -> Levels:
        """Levels of points with the same number of steps."""
        lengths = None if batch[0].length is None else torch.tensor([point.length for point in batch])
        return self._levels_of(torch.stack([point.z for point in batch]).float(), lengths)

    def _levels_of(self, z: Tensor, lengths: Tensor | None) -> Levels:
        """Levels of latents `(batch, dims)`, or `(batch, dims, steps)` with lengths in samples `(batch,)`."""
        decoded = self.contents.model.decode(z, lengths=lengths)
        limits = decoded.lengths.clamp_max(self.contents.samples) if lengths is None else lengths
        if self.on_levels:
            frames = torch.tensor([self.view.frames(int(length)) for length in limits.tolist()])
            return Levels(self._undone(decoded.features[..., : int(frames.max())]), frames)
        sounds = self._audio_of(decoded.features, limits.tolist())
        frames = torch.tensor([sound.shape[-1] for sound in sounds])
        longest = int(frames.max())
        return Levels(torch.cat([functional.pad(sound, (0, longest - sound.shape[-1]), value=_SILENT_DB) for sound in sounds]), frames)

    def _audio_of(self, features: Tensor, lengths: list[int]) -> list[Tensor]:
        """Levels `(1, parts, bands, frames)` of each of features `(batch, parts, bands, frames)`: one sound a core."""
        if len(lengths) == 1:
            return [self._audio(features, lengths[0])]
        with Pool() as pool:
            return list(pool.map(lambda row: self._audio(features[row, None], lengths[row]), range(len(lengths))))

    def _audio(self, features: Tensor, length: int) -> Tensor:
        """Levels `(1, parts, bands, frames)` of features of a view without levels, by way of audio."""
        return self.levels.encode(self.quick.decode(features[..., : self.quick.frames(length)], length=length))

    def _undone(self, features: Tensor) -> Tensor:
        return features if self.normaliser is None else self.normaliser.undo(features)

    def _values(self, levels: Tensor, frames: Tensor, batch: Sequence[Point]) -> Tensor:
        """Descriptors, with the pitch that the latents hold."""
        return self._with_pitch(self.meter(levels, frames), batch)

    def _with_pitch(self, values: Tensor, batch: Sequence[Point]) -> Tensor:
        pitches = [self.contents.model.conditioning.pitch_of(point.z if point.z.ndim == 1 else point.z.mean(1)) for point in batch]
        for row, pitch in enumerate(pitches):
            if pitch is not None:
                values[row, NAMES.index("pitch")] = math.log2(midi_to_hz(pitch))
        return values

    def _tiles(self, levels: Tensor, frames: Tensor) -> Tensor:
        loudest = levels.amax((1, 2, 3), keepdim=True)
        inside = torch.arange(levels.shape[-1]) < frames[:, None]
        levels = torch.where(inside[:, None, None], (levels - loudest).clamp_min(-_TILE_FLOOR_DB), -_TILE_FLOOR_DB)
        edges = [round(second * self.meter.rate) for second in _EDGES_S]
        levels = functional.pad(levels[..., : edges[-1]], (0, max(0, edges[-1] - levels.shape[-1])), value=-_TILE_FLOOR_DB)
        in_time = torch.stack([levels[..., a : max(b, a + 1)].mean(3) for a, b in itertools.pairwise(edges)], 3)
        bands = torch.linspace(0, levels.shape[2], min(_TILE_BANDS, levels.shape[2]) + 1).round().long().tolist()
        return torch.stack([in_time[:, :, a:b].mean(2) for a, b in itertools.pairwise(bands)], 2).flatten(1)


def _batches(points: Sequence[Point]) -> Iterator[Sequence[Point]]:
    """Points in order, up to 16 at a time; paths one by one: their numbers of steps differ."""
    size = _BATCH if points[0].length is None else 1
    return (points[start : start + size] for start in range(0, len(points), size))
