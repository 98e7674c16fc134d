"""The features of a new sound: those decoded from its latent, and the detail of the given sounds, which fades with distance.

    decoded features of the new latent  +  detail, aligned and blended  =  features of the new sound

Of one given sound, the detail that fades is drawn anew: its slow part from the detail model, its fluctuation as strong as that of the
sound itself, so that its steady parts (partials, whatever the width of the bands) stay steady.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.model.parts.pitch import cubic
from timbrespace.noise import Noise, Purpose
from timbrespace.synthesis.detail import blend as blends
from timbrespace.synthesis.detail.blend import blend, fluctuation, grain_gain, hold_background, near_lines, over_bands, slow_part, taper_end
from timbrespace.synthesis.detail.mix import Mix
from timbrespace.synthesis.detail.source import Detail, Source, decoded
from timbrespace.synthesis.detail.timing import Timing, between, elsewhere, positions, read_grain, read_smooth
from timbrespace.synthesis.detail_model.draw import SILENT_DB, add_detail
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.harmonic.note import bin_layout
from timbrespace.synthesis.texture import add_noise_texture, floor_of

_FAR_DB = 6.0  # difference of two sounds from which the phase of either is let go half-way between them
_LINES_KEPT = 1 / 3  # power of the share that is kept of all detail, with which the fine structure around partials is kept
_SEMITONE = 0.01  # a smaller shift of the pitch is none


class MixedFeatures(NamedTuple):
    """Features of a mix `(parts, bands, frames)`: dB under that `level` of the given sounds, dB. timing: of the frames.

    distance: from the given sounds, 0 to 1; 0 where they are the same.
    """

    features: Tensor
    level: float
    timing: Timing
    distance: float


class _Aligned(NamedTuple):
    """A source on the axes of the result, `(parts, bands, frames)`: slow and fast part of its detail, nearness to partials, features."""

    slow: Tensor
    fast: Tensor
    tonal: Tensor
    features: Tensor


class _New(NamedTuple):
    """Detail in place of the discarded one, `(parts, bands, frames)`: slow and fast part, and how much of that changes `(frames,)`."""

    slow: Tensor
    fast: Tensor
    changed: Tensor


_NOTHING, _NOTHING_NEW = _Aligned(*[torch.zeros(0)] * 4), _New(*[torch.zeros(0)] * 3)


@torch.no_grad()
def mixed_features(contents: InstrumentContents, mix: Mix, z: Tensor, length: int, *, seed: int, taper: bool = True) -> MixedFeatures:
    """Returns the features of a mix for a latent `(dims,)` or `(dims, steps)` and a length in samples.

    seed: of new detail. taper: whether they fall off towards the end, see `blend.taper_end`.
    """
    base = decoded(contents, z, length)
    floor, pitch = -contents.representation.floor, contents.model.conditioning.pitch_of(z)
    details = [source.detail for source in mix.sources if source.detail is not None]
    timing = between(details[0].timing, details[-1].timing, mix.share, base.shape[-1])
    aligned = [_aligned(contents, detail, timing, pitch, base, floor) for detail in details]
    if len(aligned) == 1:
        residual = _faded(contents, mix, aligned[0], base, timing, z, length, seed=seed)
        loudest, distance = aligned[0].features, 1 - mix.kept
    else:
        one, two = aligned
        residual = blend(one.slow + one.fast, two.slow + two.fast, mix.share)
        if 0 < mix.share < 1:
            grain = torch.lerp(one.fast, two.fast, mix.share).clamp(-10, 10)
            residual = residual + (grain_gain(one.fast, two.fast, mix.share) - 1) * grain
        loudest = torch.maximum(one.features, two.features)
        apart = float((one.features - two.features).square().mean().sqrt())
        distance = 2 * min(mix.share, 1 - mix.share) * min(1.0, apart / _FAR_DB)
    level = details[0].level + (details[-1].level - details[0].level) * mix.share
    mixed = _finished(base + residual, loudest, distance, level, timing, floor=floor, taper=taper)
    if not mix.limited or len(aligned) == 1:
        return mixed
    ends = [_end(contents, detail, timing, pitch) + (detail.level - level) for detail in details]
    return mixed._replace(features=blends.limit_course(mixed.features, *ends).clamp_min(floor))


def _end(contents: InstrumentContents, detail: Detail, timing: Timing, pitch: float | None) -> Tensor:
    """Levels `(parts, bands, frames)` of a given sound on the axes of a result, without its offset: bin 0, and a quarter of it in bin 1.

    An offset is not audible; between two notes it would be noise. Views whose first bands are wider keep it.
    """
    levels, lowest, layout = detail.features, -contents.representation.floor, bin_layout(contents.representation)
    if layout is not None and layout.band_of_bin[:3].tolist() == [0, 1, 2]:
        power = 10 ** (levels[:, :2] / 10)
        rest = 10 * torch.log10((power[:, 1] - power[:, 0] / 4).clamp_min(1e-20))
        levels = torch.cat([torch.full_like(levels[:, :1], lowest), rest.clamp_min(lowest)[:, None], levels[:, 2:]], 1)
    at = positions(detail.timing, timing)
    levels = read_smooth(levels, at)
    if (semitones := shift_of(detail, pitch)) != 0:
        levels = _pitch_matrix(contents, round(semitones, 3)).to(levels) @ levels
    return torch.where(at < -0.5, lowest, levels)


def _finished(
    features: Tensor, loudest: Tensor, distance: float, level: float, timing: Timing, *, floor: float, taper: bool
) -> MixedFeatures:  # fmt: skip
    """Features with a silent background and end. loudest: those of the given sounds, on the same axes."""
    features = hold_background(features, loudest, floor=floor)
    features = taper_end(features, distance) if taper else features
    features = torch.where(features > floor + SILENT_DB, features - features.max(), floor)  # silence is not lifted with the loudest cell
    return MixedFeatures(features.clamp_min(floor), level, timing, distance)


class NearFeatures:
    """Features of mixes of one given sound at many latents: nearly those of `mixed_features`, for a fraction of the time.

    In place of the discarded detail, another stretch of the same detail is taken, as of notes.
    """

    def __init__(self, contents: InstrumentContents, source: Source, *, seed: int):
        """source: with detail."""
        assert source.detail is not None
        self._contents, self._detail, self._seed = contents, source.detail, seed
        self._key: tuple[int, float] = (0, 0.0)
        self._own, self._new = _NOTHING, _NOTHING_NEW  # until the first call

    @torch.no_grad()
    def __call__(self, z: Tensor, length: int, *, kept: float) -> Tensor:
        """Returns features `(parts, bands, frames)` at a latent `(dims,)` with `kept` of the detail, 0 to under 1."""
        contents, detail = self._contents, self._detail
        base, pitch = decoded(contents, z, length), contents.model.conditioning.pitch_of(z)
        floor, frames = -contents.representation.floor, base.shape[-1]
        timing = between(detail.timing, detail.timing, 0.0, frames)
        key = (frames, round(shift_of(detail, pitch), 1))
        if key != self._key:
            self._key, self._own = key, _aligned(contents, detail, timing, pitch, base, floor)
            self._new = _elsewhere(self._own, timing, seed=self._seed)
        residual = _between(self._own, self._new, kept)
        return _finished(base + residual, self._own.features, 1 - kept, 0.0, timing, floor=floor, taper=True).features


def shift_of(detail: Detail, pitch: float | None) -> float:
    """Returns the semitones from a source's pitch to the wanted one; 0 without pitches."""
    if pitch is None or detail.pitch is None or abs(pitch - detail.pitch) < _SEMITONE:
        return 0.0
    return pitch - detail.pitch


def _faded(
    contents: InstrumentContents, mix: Mix, own: _Aligned, base: Tensor, timing: Timing, z: Tensor, length: int, *, seed: int
) -> Tensor:  # fmt: skip
    """The detail of one given sound, as much of it as is kept, and new detail in place of the rest, `(parts, bands, frames)`."""
    if mix.kept == 1:
        return own.slow + own.fast
    return _between(own, _new(contents, own, base, timing, z, length, seed=seed), mix.kept)


def _new(contents: InstrumentContents, own: _Aligned, base: Tensor, timing: Timing, z: Tensor, length: int, *, seed: int) -> _New:
    """What takes the place of the detail of a sound that is let go of."""
    if contents.notes is not None:  # no model of the detail of notes: another stretch of the same note has its fluctuation
        return _elsewhere(own, timing, seed=seed)
    drawn = _drawn(contents, base, z, length, seed=seed)
    slow = slow_part(drawn)
    fast = drawn - slow
    fast = fast * (fluctuation(own.features) / fluctuation(drawn).clamp_min(1e-3)).clamp_max(1.0)
    return _New(slow, fast, torch.ones(base.shape[-1]))


def _elsewhere(own: _Aligned, timing: Timing, *, seed: int) -> _New:
    """The detail of the same sound at another time."""
    fast, changed = elsewhere(own.fast, timing, Noise(seed, Purpose.DETAIL))
    return _New(torch.zeros_like(own.fast), fast, changed)


def _between(own: _Aligned, new: _New, kept: float) -> Tensor:
    """The detail of a sound and new detail, `kept` of the first, `(parts, bands, frames)`."""
    both = kept * own.fast + math.sqrt(1 - kept**2) * new.fast  # independent fluctuations add up in power
    wide = over_bands(own.slow)
    lines = own.tonal * (own.slow - wide) * (kept**_LINES_KEPT - kept)  # places of partials are let go of last
    return blend(own.slow, new.slow, 1 - kept) + lines + torch.lerp(own.fast, both, new.changed)


def _drawn(contents: InstrumentContents, base: Tensor, z: Tensor, length: int, *, seed: int) -> Tensor:
    """New detail for decoded features `(parts, bands, frames)`, same shape; nothing for a model whose new sounds have none."""
    if not contents.model.noise_texture:
        return torch.zeros_like(base)
    if contents.detail is None:
        return add_noise_texture(base[None], contents.representation, length=length, seed=seed)[0] - base
    return add_detail(base[None], contents.detail, z, floor=floor_of(contents.representation), seed=seed)[0] - base


def _aligned(contents: InstrumentContents, detail: Detail, timing: Timing, pitch: float | None, base: Tensor, floor: float) -> _Aligned:
    at = positions(detail.timing, timing)
    slow, fast, features = read_smooth(detail.slow, at), read_grain(detail.fast, detail.timing, timing), read_smooth(detail.features, at)
    if (semitones := shift_of(detail, pitch)) != 0:
        matrix = _pitch_matrix(contents, round(semitones, 3)).to(features)
        slow, fast, features = matrix @ slow, matrix @ fast, matrix @ features
    before = at < -0.5  # the source has not begun
    features = torch.where(before, floor, features)
    tonal = near_lines(read_smooth(detail.steady, at))
    return _Aligned(torch.where(before, floor - base, slow), torch.where(before, 0.0, fast), tonal, features)


def _pitch_matrix(contents: InstrumentContents, semitones: float) -> Tensor:
    """`(bands, bands)` by which levels move along the harmonic axis: every band reads where its harmonic number was."""
    centres = contents.representation.spec(contents.samples).centres
    assert centres is not None
    return _cubic(tuple(centres), semitones)


@lru_cache(maxsize=64)
def _cubic(centres: tuple[float, ...], semitones: float) -> Tensor:
    grid = torch.tensor(centres, dtype=torch.float64)
    return cubic(grid[None] * 2 ** (-semitones / 12), grid)[0].float()
