"""Alignment in time: attack on attack at unchanged speed, tails scaled to the new length. No free time warping.

    source    |--attack--|------------- tail -------------|
               \\          \\                                \
    target      |--attack--|----------- tail ----------------------|
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.noise import Noise

_ATTACK_DB, _ATTACK_SECONDS = 6.0, 0.06  # under the loudest of the first frames: where the attack is over; a swell is no attack
_HELD_SECONDS = 0.14  # after the attack, at unchanged speed
_HELD_SHARE = 1 / 3  # of the tail, at most
_FEWEST = 12  # frames of a tail that is read elsewhere, and over which that begins


class Timing(NamedTuple):
    """The frames of a sound: how many, the one where its attack is over, and how many after it keep their speed at most."""

    frames: int
    attack: int
    held: int


def timing_of(features: Tensor, *, hop: int, sample_rate: int) -> Timing:
    """Returns the timing of levels in dB `(parts, bands, frames)`."""
    course = torch.logsumexp(features.flatten(0, 1) * (math.log(10) / 10), 0) * (10 / math.log(10))
    first = course[: 1 + round(_ATTACK_SECONDS * sample_rate / hop)]
    attack = int((first >= first.max() - _ATTACK_DB).nonzero()[0])
    return Timing(features.shape[-1], attack, round(_HELD_SECONDS * sample_rate / hop))


def between(a: Timing, b: Timing, share: float, frames: int) -> Timing:
    """Returns the timing on the way from `a` to `b`, of a sound of `frames`. share: 0 gives the attack of `a`."""
    attack = min(round(a.attack + (b.attack - a.attack) * share), frames - 1)
    return Timing(frames, attack, min(a.held, b.held))


def positions(source: Timing, target: Timing) -> Tensor:
    """Returns where every frame of the target is in the source, `(target frames,)` float64; under 0: before the source begins."""
    tail, new_tail = source.frames - 1 - source.attack, target.frames - 1 - target.attack
    held = int(min(source.held, _HELD_SHARE * tail, _HELD_SHARE * new_tail))
    time = torch.arange(target.frames, dtype=torch.float64) - target.attack
    speed = (tail - held) / max(new_tail - held, 1)
    return source.attack + torch.where(time <= held, time, held + (time - held) * speed)


def read_smooth(values: Tensor, at: Tensor) -> Tensor:
    """Returns `(…, frames)` read at positions `at (new frames,)`, linear between frames; beyond the ends the last value is repeated."""
    last = values.shape[-1] - 1
    at = at.clamp(0, last)
    first = at.floor().long()
    share = (at - first).to(values)
    return torch.lerp(values[..., first], values[..., (first + 1).clamp_max(last)], share)


def read_grain(values: Tensor, source: Timing, target: Timing) -> Tensor:
    """Returns `(…, frames)` of the target, read at unchanged speed from the attack on, back and forth where the tail is too short.

    Neighbouring frames of noise overlap and are alike: grain that is read faster or slower is not that of any noise.
    """
    last = source.frames - 1
    at = torch.arange(target.frames) - target.attack + source.attack
    turn = min(source.attack + source.held, last)
    if last > turn:
        over = (at - turn).remainder(2 * (last - turn))
        at = torch.where(at > last, turn + torch.minimum(over, 2 * (last - turn) - over), at)
    return values[..., at.clamp(0, last)]


def elsewhere(values: Tensor, timing: Timing, noise: Noise) -> tuple[Tensor, Tensor]:
    """Returns `(…, frames)` read elsewhere in the tail of the same sound, from a drawn frame on, back and forth; and its share `(frames,)`.

    The share is 0 in the attack, which is read nowhere else, and rises to 1 after it. All rows are read at the same frame: what
    fluctuates together, as the bands that a partial reaches, still does.
    """
    first = min(timing.attack + timing.held, timing.frames - 1)
    tail = timing.frames - first
    if tail < _FEWEST:
        return values, torch.zeros(timing.frames)
    at = torch.arange(tail) + int((0.2 + 0.6 * float(noise.uniform(1)[0])) * tail)
    over = at.remainder(2 * (tail - 1))
    at = first + torch.minimum(over, 2 * (tail - 1) - over)
    share = torch.cat([torch.zeros(first), (torch.arange(tail) / _FEWEST).clamp_max(1.0)])
    return torch.cat([values[..., :first], values[..., at]], -1), share
