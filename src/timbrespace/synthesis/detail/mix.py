"""What a new sound takes over of the sounds that it is made from: their detail, length, level and phase, fading with distance.

decoded features of the new latent  +  detail, aligned and blended  =  features of the new sound
spectrum of the nearer sound, where it is near                      =  start of the phase search
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from timbrespace.contracts import ShapeError
from timbrespace.model.parts.pitch import cubic
from timbrespace.representation.phase.start import Start
from timbrespace.synthesis.detail.blend import blend, grain_gain, hold_background, taper_end
from timbrespace.synthesis.detail.given import GivenSound
from timbrespace.synthesis.detail.source import Detail, Source, decoded, decoded_length
from timbrespace.synthesis.detail.timing import Timing, between, positions, read_grain, read_smooth
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.texture import add_noise_texture, with_fewer_iterations

_HALF_AT = 0.35  # distance at which half of the detail is left, in units of the corpus's spread
_TRUSTED_DB = 24.0  # gain up to which a cell keeps the phase of a given sound, at no distance
_ABOVE_FLOOR_DB = 3.0
_FAR_DB = 6.0  # difference of two sounds from which the phase of either is let go half-way between them
_SEMITONE = 0.01  # a smaller shift of the pitch is none
_END_FRAMES = 8  # at the end of the part that the model sees, whose change of level the rest follows
_REST_DB = (-40.0, 6.0)
_FADE_SECONDS = 0.06


class Mix(NamedTuple):
    """One or two given sounds behind a new one.

    share: of the second, 0 to 1. kept: how much of their detail is kept, 1 at no distance; the rest is drawn anew.
    """

    sources: tuple[Source, ...]
    share: float = 0.0
    kept: float = 1.0

    @property
    def own(self) -> GivenSound | None:
        """The given sound that the result is, None where it differs from all."""
        if self.kept < 1 or self.share not in (0.0, 1.0):
            return None
        return self.sources[int(self.share)].given

    @property
    def peak(self) -> float:
        """Largest absolute sample of the given sounds, in between in dB."""
        return between_levels([source.encoded.peak for source in self.sources], self.share)

    @property
    def lead(self) -> Tensor:
        """What is before the onset, `(channels, time)`: as long as before the given sounds, on the way between them."""
        leads = [source.lead for source in self.sources]
        size = round(sum(weight * lead.shape[1] for weight, lead in zip(_weights(self), leads, strict=True)))
        result = leads[0].new_zeros(leads[0].shape[0], size)
        for weight, lead in zip(_weights(self), leads, strict=True):
            count = min(size, lead.shape[1])
            if count:
                result[:, size - count :] += weight * lead[:, lead.shape[1] - count :]
        return result


def kept_at(distance: float) -> float:
    """Returns how much detail is kept at a distance from a given sound, in units of the corpus's spread: 1 at 0, falling to 0."""
    return 1 / (1 + (distance / _HALF_AT) ** 2)


def between_levels(values: list[float], share: float) -> float:
    """Returns the value between one or two positive values, geometrically. share: of the second."""
    return values[0] if len(values) == 1 else float(values[0] ** (1 - share) * values[1] ** share)


def length_of(contents: InstrumentContents, mix: Mix, z: Tensor) -> int:
    """Returns the length in samples of the part that the model sees, for a latent `(dims,)` of a whole clip.

    Of one sound: its own, changed as the decoded length changes; of two: between theirs.
    """
    lengths = [float(source.encoded.length) for source in mix.sources]
    if len(lengths) > 1:
        return max(1, round(between_levels(lengths, mix.share)))
    source = mix.sources[0]
    if source.rest.shape[1]:
        return source.encoded.length
    new, old = decoded_length(contents, z), decoded_length(contents, source.encoded.z)
    return max(1, min(contents.samples, round(new * (source.encoded.length / old) ** mix.kept)))


class MixedFeatures(NamedTuple):
    """Features of a mix `(parts, bands, frames)`: dB under that `level` of the given sounds, dB. timing: of the frames.

    distance: from the given sounds, 0 to 1; 0 where they are the same.
    """

    features: Tensor
    level: float
    timing: Timing
    distance: float


@torch.no_grad()
def mixed_features(contents: InstrumentContents, mix: Mix, z: Tensor, length: int, *, seed: int) -> MixedFeatures:
    """Returns the features of a mix for a latent `(dims,)` or `(dims, steps)` and a length in samples. seed: of new detail."""
    base = decoded(contents, z, length)
    floor, pitch = -contents.representation.floor, contents.model.conditioning.pitch_of(z)
    details = [source.detail for source in mix.sources if source.detail is not None]
    timing = between(details[0].timing, details[-1].timing, mix.share, base.shape[-1])
    aligned = [_aligned(contents, detail, timing, pitch, base, floor) for detail in details]
    if len(aligned) == 1:
        one, share = aligned[0], 1 - mix.kept
        if share and not contents.model.noise_texture:
            two = _Aligned(torch.zeros_like(base), torch.zeros_like(base), base)
        elif share:
            drawn = add_noise_texture(base[None], contents.representation, length=length, seed=seed)[0] - base
            two = _Aligned(drawn, drawn - drawn.mean(-1, keepdim=True), base)
        else:
            two = one
    else:
        (one, two), share = aligned, mix.share
    residual = blend(one.residual, two.residual, share)
    if 0 < share < 1:
        grain = torch.lerp(one.fast, two.fast, share).clamp(-10, 10)
        residual = residual + (grain_gain(one.fast, two.fast, share) - 1) * grain
    features = base + residual
    if len(aligned) > 1:
        features = hold_background(features, torch.maximum(one.features, two.features))
    distance = share
    if len(aligned) > 1:
        apart = float((one.features - two.features).square().mean().sqrt())
        distance = 2 * min(share, 1 - share) * min(1.0, apart / _FAR_DB)
    features = taper_end(features, distance)
    level = details[0].level + (details[-1].level - details[0].level) * mix.share
    return MixedFeatures((features - features.max()).clamp_min(floor), level, timing, distance)


class _Aligned(NamedTuple):
    """The detail of a source on the axes of the result, `(parts, bands, frames)`: all of it, its fast part; and the source's features."""

    residual: Tensor
    fast: Tensor
    features: Tensor


def _aligned(contents: InstrumentContents, detail: Detail, timing: Timing, pitch: float | None, base: Tensor, floor: float) -> _Aligned:
    at = positions(detail.timing, timing)
    slow, fast, features = read_smooth(detail.slow, at), read_grain(detail.fast, detail.timing, timing), read_smooth(detail.features, at)
    if (semitones := _shift(detail, pitch)) != 0:
        matrix = _pitch_matrix(contents, round(semitones, 3)).to(features)
        slow, fast, features = matrix @ slow, matrix @ fast, matrix @ features
    before = at < -0.5  # the source has not begun
    features = torch.where(before, floor, features)
    return _Aligned(torch.where(before, floor - base, slow + fast), torch.where(before, 0.0, fast), features)


def _shift(detail: Detail, pitch: float | None) -> float:
    """Semitones from a source's pitch to the wanted one; 0 without pitches."""
    if pitch is None or detail.pitch is None or abs(pitch - detail.pitch) < _SEMITONE:
        return 0.0
    return pitch - detail.pitch


def _pitch_matrix(contents: InstrumentContents, semitones: float) -> Tensor:
    """`(bands, bands)` by which levels move along the harmonic axis: every band reads where its harmonic number was."""
    centres = contents.representation.spec(contents.samples).centres
    assert centres is not None
    return _cubic(tuple(centres), semitones)


@lru_cache(maxsize=64)
def _cubic(centres: tuple[float, ...], semitones: float) -> Tensor:
    grid = torch.tensor(centres, dtype=torch.float64)
    return cubic(grid[None] * 2 ** (-semitones / 12), grid)[0].float()


@torch.no_grad()
def mixed_audio(contents: InstrumentContents, mix: Mix, z: Tensor, length: int, *, seed: int) -> Tensor:
    """Returns audio `(channels, time)` of a mix with detail, from the onset, at the level of the given sounds."""
    view: Any = with_fewer_iterations(contents.representation)
    mixed = mixed_features(contents, mix, z, length, seed=seed)
    wanted = mixed.features + mixed.level
    if not torch.isfinite(wanted).all():
        raise ShapeError("this instrument decodes the latent to infinite levels; its file is damaged, train it again")
    start = _start(contents, mix, mixed, contents.model.conditioning.pitch_of(z))
    if start is None:
        audio = view.decode(wanted[None], length=length, seed=seed)[0]
    else:
        audio = view.decode_from(wanted, start, length=length, seed=seed)
    return _with_rest(contents, mix, audio, mixed)


def _start(contents: InstrumentContents, mix: Mix, mixed: MixedFeatures, pitch: float | None) -> Start | None:
    """The start of the phase search near the nearer given sound; None where it is too far."""
    detail = mix.sources[1 if mix.share > 0.5 else 0].detail
    assert detail is not None
    trust = 1 - mixed.distance
    if trust <= 0 or _shift(detail, pitch):
        return None
    frames = torch.arange(mixed.timing.frames) + detail.timing.attack - mixed.timing.attack  # whole frames: the phase stays as it is
    inside = (frames >= 0) & (frames < detail.timing.frames)
    frames = frames.clamp(0, detail.timing.frames - 1)
    own = detail.features[..., frames]
    gain = mixed.features - own
    near = (gain.abs() < _TRUSTED_DB * trust) & (own > _ABOVE_FLOOR_DB - contents.representation.floor)
    return Start(detail.spectra[:, frames], gain + (mixed.level - detail.level), near & inside)


def _weights(mix: Mix) -> list[float]:
    return [1.0] if len(mix.sources) == 1 else [1 - mix.share, mix.share]


def _with_rest(contents: InstrumentContents, mix: Mix, audio: Tensor, mixed: MixedFeatures) -> Tensor:
    """Audio `(channels, time)`, followed by what the given sounds have after the model's window, faded with their weights."""
    join = max(source.join for source in mix.sources)
    if not join:
        return audio
    total = round(between_levels([float(source.total) for source in mix.sources], mix.share))
    start = max(0, audio.shape[1] - join)
    result = torch.nn.functional.pad(audio, (0, max(0, total - audio.shape[1])))
    for weight, source in zip(_weights(mix), mix.sources, strict=True):
        if source.join:
            rest = source.rest[:, : result.shape[1] - start]
            result[:, start : start + rest.shape[1]] += rest * (weight**0.5 * _end_gain(source, mixed))
    if len(mix.sources) > 1:
        fade = min(round(_FADE_SECONDS * contents.sample_rate), result.shape[1])
        result[:, result.shape[1] - fade :] *= torch.linspace(1, 0, fade)
    return result


def _end_gain(source: Source, mixed: MixedFeatures) -> float:
    """The factor by which the end of the part that the model sees is louder than in the source."""
    detail = source.detail
    assert detail is not None
    new, own = (10 ** (levels[..., -_END_FRAMES:] / 10) for levels in (mixed.features + mixed.level, detail.features + detail.level))
    change = 10 * float(torch.log10(new.mean().clamp_min(1e-20) / own.mean().clamp_min(1e-20)))
    return float(10 ** (min(max(change, _REST_DB[0]), _REST_DB[1]) / 20))
