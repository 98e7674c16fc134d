"""Blends of residuals: in dB where they are alike, in power where only one sound has a partial or an event.

Half of a partial of 40 dB is one of 20 dB in dB, which still sounds, though in neither sound: a ghost. In power it is 3 dB softer. What
is under the decoded level (a silent background, gaps between partials) is blended in dB, so that nothing of a background is lifted.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_ALIKE_DB, _UNLIKE_DB = 6.0, 18.0  # difference of two residuals: blended in dB below, in power above
_SMOOTH = 9  # frames of the slow part of a residual
_BANDS = 9
_AROUND = 17  # frames over which a fluctuation is measured
_QUIET_DB, _LOUD_DB = -45.0, -35.0  # under the loudest cell: cells that may not, and may, be louder than in all given sounds
_MARGIN_DB, _RISING_DB = 6.0, 3.0  # the margin begins 3 dB above silence and is whole 6 dB above
_TAPER_SHARE, _TAPER_DB = 0.3, 30.0  # of the length, from the end: quiet cells
_END_SHARE, _END_DB = 0.06, 15.0  # all cells
_LOUDER_DB = 6.0  # that a sound between two may be louder than the louder of them
_COURSE_REACH = 4  # frames on either side, over which a course of the level is smooth
_PER_DB = math.log(10) / 10


def slow_part(residual: Tensor) -> Tensor:
    """Returns the mean over 9 frames of `(parts, bands, frames)`, same shape: partials, and what decays; the rest is grain and events."""
    return functional.avg_pool1d(residual, _SMOOTH, stride=1, padding=_SMOOTH // 2, count_include_pad=False)


def fluctuation(levels: Tensor) -> Tensor:
    """Returns how much levels in dB `(parts, bands, frames)` fluctuate: root mean square of their fast part over 17 frames, same shape."""
    fast = (levels - slow_part(levels)).square()
    return functional.avg_pool1d(fast, _AROUND, stride=1, padding=_AROUND // 2, count_include_pad=False).sqrt()


def over_bands(values: Tensor) -> Tensor:
    """Returns the mean over 9 bands of `(parts, bands, frames)`, same shape: its remainder when partials are levelled."""
    return functional.avg_pool2d(values[None], (_BANDS, 1), stride=1, padding=(_BANDS // 2, 0), count_include_pad=False)[0]


def near_lines(steady: Tensor) -> Tensor:
    """Returns how near a cell is to partials, 0 to 1, same shape. steady: `(parts, bands, frames)`, see `source.Detail`."""
    widest = functional.max_pool2d(steady[None], (_BANDS, 1), stride=1, padding=(_BANDS // 2, 0))[0]
    return slow_part(widest)


def blend(a: Tensor, b: Tensor, share: float | Tensor) -> Tensor:
    """Returns the blend of two residuals in dB of any one shape. share: of `b`, 0 to 1; one number, or a tensor that fits the shape."""
    low = torch.lerp(a.clamp_max(0), b.clamp_max(0), share)
    up, down = a.clamp_min(0), b.clamp_min(0)
    even = torch.lerp(up, down, share)
    one: float | Tensor
    other: float | Tensor
    if isinstance(share, Tensor):
        one, other = torch.log1p(-share), torch.log(share)
    elif share in (0.0, 1.0):
        return low + even
    else:
        one, other = math.log1p(-share), math.log(share)
    powers = torch.logaddexp(up * _PER_DB + one, down * _PER_DB + other) / _PER_DB
    unlike = (((up - down).abs() - _ALIKE_DB) / (_UNLIKE_DB - _ALIKE_DB)).clamp(0, 1)
    return low + torch.lerp(even, powers, unlike)


def grain_gain(a: Tensor, b: Tensor, share: float) -> float:
    """Returns the factor by which a blend of two fluctuations `a`, `b` in dB has to be raised to fluctuate as much as they do.

    1 where they are the same, up to 1.41 half-way between independent ones.
    """
    power = float(a.square().sum() * b.square().sum()) ** 0.5
    alike = min(max(float((a * b).sum()) / power, 0.0), 1.0) if power > 0 else 1.0
    return ((1 - share) ** 2 + share**2 + 2 * share * (1 - share) * alike) ** -0.5


def taper_end(levels: Tensor, share: float) -> Tensor:
    """Returns levels in dB `(…, frames)` that fall off towards the end, quiet cells earlier and lower: no background ends straight.

    share: 0 leaves them; 1 lowers the last frame by 15 dB, quiet cells by 45.
    """
    place = torch.linspace(0, 1, levels.shape[-1]).to(levels)
    slow, fast = ((place - (1 - part)).clamp_min(0) / part for part in (_TAPER_SHARE, _END_SHARE))
    quiet = ((_LOUD_DB - levels) / (_LOUD_DB - _QUIET_DB)).clamp(0, 1)
    return levels - share * (_TAPER_DB * quiet * slow.square() + _END_DB * fast.square())


def hold_background(levels: Tensor, loudest: Tensor, *, floor: float) -> Tensor:
    """Returns levels in dB whose quiet cells are at most 6 dB over `loudest`, the louder of the given sounds there; same shape.

    Where that is silent, at the `floor`, quiet cells are silent too: between two latents the decoder has haze that neither sound has.
    """
    margin = _MARGIN_DB * ((loudest - floor) / _RISING_DB - 1).clamp(0, 1)
    limited = torch.minimum(levels, loudest + margin)
    return torch.lerp(limited, levels, ((levels - _QUIET_DB) / (_LOUD_DB - _QUIET_DB)).clamp(0, 1))


def level_course(levels: Tensor) -> Tensor:
    """Returns the level of all cells of `(parts, bands, frames)` together, dB `(frames,)`, smooth over 9 frames."""
    course = torch.logsumexp(levels.flatten(0, 1) * _PER_DB, 0) / _PER_DB
    reach = min(_COURSE_REACH, levels.shape[-1] - 1)
    course = functional.pad(course[None, None], (reach, reach), mode="replicate")
    return functional.avg_pool1d(course, 2 * reach + 1, stride=1)[0, 0]


def limit_course(levels: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Returns levels in dB `(parts, bands, frames)`, at every frame at most 6 dB louder than the louder of `a` and `b`; same shape.

    Half-way between a sound that lasts and one that dies away, the decoder gives one that ends in full swing.
    """
    return levels - (level_course(levels) - torch.maximum(level_course(a), level_course(b)) - _LOUDER_DB).clamp_min(0)
