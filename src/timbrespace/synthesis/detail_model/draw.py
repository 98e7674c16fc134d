"""Draws the detail of a new sound: decoded features become features as real sounds have them."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.noise import Noise, Purpose
from timbrespace.synthesis.detail_model import fields
from timbrespace.synthesis.detail_model.grid import ATTACK_FRAMES, BAND_KNOTS, band_hats, frame_hats, level_index
from timbrespace.synthesis.detail_model.model import DetailModel
from timbrespace.synthesis.detail_model.ranks import mapped
from timbrespace.synthesis.texture import noisiness

ON_FLOOR_DB = 0.5  # decoded cells nearer to the floor are silent
SILENT_DB = 3.0  # cells nearer to the floor are rendered as silence, see `levels.above_floor`
_LOUD_DB, _FADE_FRAMES = -20.0, 4  # frames that are compared in level; frames over which the correction of the attack ends
_TOP_DB, _MOST_TOP_DB = 10.0, 6.0  # dB under the loudest cell that are moved with it, and by how much at most
_NEARER = 0.5  # of its distance to the loudest frame, to which a later frame may be lifted by detail
_BACKGROUND = (0.15, 0.3)  # of the range over the floor: cells below are background, cells above are not
_VARIETY = 0.7  # share of the spread of deviations from sound to sound that is drawn; the rest is error of their estimate


def add_detail(features: Tensor, model: DetailModel, z: Tensor, *, floor: float, seed: int, category: str | None = None) -> Tensor:
    """Returns features `(1, parts, bands, frames)` of a new sound with detail drawn from the model, loudest cell at 0 dB.

    features: decoded levels in dB, loudest cell at 0, at least `-floor`. z: latent `(dims,)` or `(dims, steps)`. seed: of the noise.
    category: of the sound, for its attack.

    Per cell 2 matrix products of small inner size for each of five tables, 9 products for correlation and 4 linear interpolations.
    """
    standard = model.standard(z)
    levels = torch.stack([at_training_levels(part, model, standard, floor=floor) for part in features[0]])
    parts = [_with_detail(part, model, standard, floor, Noise(seed, Purpose.DETAIL, k)) for k, part in enumerate(levels)]
    drawn = torch.stack(parts)
    silent = (drawn <= -floor) | (levels <= ON_FLOOR_DB - floor)
    detailed = _with_attack(drawn, levels, model.attack_of(category), floor)
    return torch.where(silent, -floor, _loudest_at_zero(detailed, model.lift))[None].clamp_min(-floor)


def power_of(levels: Tensor, floor: float) -> Tensor:
    """Returns the power of levels in dB, same shape; 0 for cells that decode to silence."""
    return torch.where(levels > SILENT_DB - floor, 10 ** (levels / 10), 0.0)


def course(levels: Tensor, floor: float) -> Tensor:
    """Returns the level of each frame, all cells together, under that of the loudest: `(…, bands, frames) -> (frames,)` dB."""
    power = power_of(levels, floor).flatten(0, -2).sum(0)
    return 10 * torch.log10((power / power.max().clamp_min(1e-12)).clamp_min(1e-9))


def at_training_levels(level: Tensor, model: DetailModel, standard: Tensor, *, floor: float) -> Tensor:
    """Returns decoded levels `(bands, frames)` of a new sound with its gain, and mapped to the levels that decoded training sounds have.

    The map gives new sounds the ranks of levels of decoded training sounds, see `ranks`.
    """
    gained = level + model.gain_of(standard)
    return torch.where((gained > ON_FLOOR_DB - floor) & (gained < 0), mapped(gained, model.points, floor=floor), gained)


def skewed(values: Tensor, skew: Tensor) -> Tensor:
    """Returns Gaussian values of deviation 1 as log-normal ones of mean 0, deviation 1 and negative skewness.

    skew: s > 0 with x = (e^(s²/2) - e^(-s g)) / sqrt(e^(s²) (e^(s²) - 1)). The level of white noise in one bin has s = 0.35.
    """
    square = torch.exp(skew.square())
    return (square.sqrt() - torch.exp(-skew * values)) / (square * (square - 1)).sqrt()


def _loudest_at_zero(detailed: Tensor, lift: Tensor) -> Tensor:
    """Levels with the loudest cell at 0 dB.

    Detail is relative to the loudest cell of real sounds, so only the cells next to the loudest are moved: to 0 dB and by `lift` dB more,
    which rendering takes away again.
    """
    top = detailed.amax()
    change = (lift - top).clamp(-_MOST_TOP_DB, _MOST_TOP_DB)
    moved = detailed + change * ((detailed - top) / _TOP_DB + 1).clamp_min(0).square()
    return moved - moved.amax()


def _with_attack(detailed: Tensor, levels: Tensor, attack: Tensor, floor: float) -> Tensor:
    """`(parts, bands, frames)` whose first frames have the levels that those of training sounds have, whatever detail they got.

    A blend of two sounds whose attacks differ rises more slowly than both, and grain of single frames moves the peak: no later frame
    comes nearer to the level of the loudest than half-way.
    """
    count = min(ATTACK_FRAMES, levels.shape[-1])
    wanted, found = course(levels, floor), course(detailed, floor)
    above = (found - wanted)[:count][wanted[:count] > _LOUD_DB]
    above = above.mean() if len(above) else found.new_zeros(())  # what detail adds to the level of a frame
    lower, share = level_index(wanted[:count], floor)
    rows = torch.arange(count)
    mapped = torch.lerp(attack[rows, lower], attack[rows, lower + 1], share)
    fade = ((ATTACK_FRAMES - rows) / _FADE_FRAMES).clamp_max(1)
    result = detailed.clone()
    change = torch.where(wanted[:count] > ON_FLOOR_DB - floor, fade * (mapped + above - found[:count]), 0.0)
    result[..., :count] += change
    found[:count] += change
    later = torch.arange(levels.shape[-1]) >= count - _FADE_FRAMES
    return result - (found - above - _NEARER * wanted).clamp_min(0) * later


def _with_detail(level: Tensor, model: DetailModel, standard: Tensor, floor: float, noise: Noise) -> Tensor:
    """One part `(bands, frames)` with detail; silent cells stay on the floor."""
    bands, frames = level.shape
    over_bands, over_frames = band_hats(bands), frame_hats(frames)

    def table(values: Tensor) -> Tensor:
        return over_bands @ values @ over_frames.T

    fast, slow = model.log_deviations(standard)
    knots = len(BAND_KNOTS)
    fast_deviation = table(fast + _VARIETY**2 * fields.knot_values(noise, knots) * model.fast_rest).exp()
    slow_deviation = table(slow + _VARIETY * fields.knot_values(noise, knots) * model.slow_rest).exp()
    weight = over_bands @ model.neighbours
    lasting, wide = table(model.shares[0]), table(model.shares[1])
    detail = fields.ripple(noise, weight) * lasting.sqrt()
    detail = detail + fields.drifting(noise, weight, frames=frames) * (1 - lasting - wide).clamp_min(0).sqrt()
    detail = detail + fields.broad(noise, bands=bands, frames=frames) * wide.sqrt()
    # A background is silent or an even haze in the whole sound: bands of it that differ would be streaks up to its end.
    low, high = (part * floor - floor for part in _BACKGROUND)
    quiet = ((high - level) / (high - low)).clamp(0, 1)
    detail = detail * (1 - quiet).sqrt() + float(noise.normal(1)[0]) * quiet.sqrt()
    grain = skewed(fields.fast(noise, model.kernel @ over_bands.T, frames=frames), (over_bands @ model.skew)[:, None])
    lower, share = level_index(level, floor)
    bias, scale = (torch.lerp(values[lower], values[lower + 1], share) for values in (model.bias, model.scale))
    pure = torch.lerp(model.tonal, torch.ones(()), noisiness(level[None, None])[0, 0])  # partials are steadier than noise
    steady = level + bias + scale * slow_deviation * detail
    # The slow part decides what sounds: grain alone would lift single cells off the floor, which are specks in a silent background.
    return torch.where(steady > SILENT_DB - floor, steady + scale * fast_deviation * pure * grain, -floor)
