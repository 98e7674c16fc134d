r"""Finds and removes the DC offset of sounds.

A sound is centred on the level at which its file rests before or after it, however small that level is. A kick or a rectified tone
has a mean, but its file rests at zero; it is not changed. Where the file rests at several levels, each is removed from its part:

    lead          sound          tail
    0 ____           ____________ c
          |  /\/\/\_/            |____ 0   padding after the sound
          |_/
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

_BLOCK_SECONDS = 0.005
_QUIET = 1e-4  # of the peak (-80 dB, where a clip ends): a block whose samples vary by less is at rest …
_STEADY = 0.1  # … and one whose samples vary by less than this share of its mean
_REST = 4  # blocks (20 ms), in which a wave of 20 Hz changes by much more than a tenth
_LONG_REST = 40  # blocks (200 ms), for drift and for levels of one 16-bit step, which a fading low sound holds for a while
_LAST_BIT = 4e-5  # one 16-bit step
_SMALLEST = 1e-5  # of the peak (-100 dB): a smaller offset moves no bound
_SAME = 0.05  # a level is constant if it varies by less than this share
_DRIFT = 2e-4  # of the peak: a smaller change of the level is no drift
_FLOOR = 0.01  # of the peak (-40 dB): louder ends of files are sound, not noise floor
_FLOOR_SECONDS = 0.1
_SHORTEST_SECONDS = 0.050  # the mean of a shorter file is part of its sound


class _Rest(NamedTuple):
    """Samples start … end of a channel that stay at `level`; it changes by `slope` per sample, counted from sample 0.

    sure: False if the level is unknown (0), since it is too short for so small a level, or does not settle.
    """

    start: int
    end: int
    level: float
    slope: float = 0.0
    sure: bool = True


def dc_offset(audio: np.ndarray, rate: int) -> np.ndarray:
    """DC offset of each channel of `audio (channels, time)`, `(channels,)`; of a drifting one the value in the middle. rate: Hz."""
    return np.array([0.0 if found is None else found[1] for found in _centre(audio, rate)], np.float32)


def remove_offset(audio: np.ndarray, rate: int) -> np.ndarray:
    """`audio (channels, time)` float32 without its DC offset; the same array if it has none. rate: Hz."""
    centred = _centre(audio, rate)
    if not any(centred):
        return audio
    return np.stack([channel if found is None else found[0] for channel, found in zip(audio, centred, strict=True)])


def _centre(audio: np.ndarray, rate: int) -> list[tuple[np.ndarray, float] | None]:
    """The centred samples `(time,)` of each channel and its offset; None for a channel without one."""
    time = audio.shape[1]
    if time < 8 or time < _SHORTEST_SECONDS * rate:
        return [None] * len(audio)
    peak = float((audio.max(axis=1) - audio.min(axis=1)).max()) / 2  # does not depend on the offset
    return [_centre_channel(channel, peak, rate) for channel in audio]


def _centre_channel(channel: np.ndarray, peak: float, rate: int) -> tuple[np.ndarray, float] | None:
    """As `_centre`, for one channel `(time,)`. peak: half the range of the loudest channel."""
    time = len(channel)
    lead = _padded_rests(channel, peak, rate)
    tail = [
        _Rest(time - rest.end, time - rest.start, rest.level + rest.slope * (time - 1), -rest.slope, rest.sure)
        for rest in _padded_rests(channel[::-1], peak, rate)
    ]
    if not lead and not tail:
        mean = _mean_offset(channel)
        return ((channel - np.float32(mean)), mean) if mean else None
    rest = _rest_of_sound(channel, lead, tail, peak)
    line = rest.level + rest.slope * np.arange(time)
    out = channel - line
    for one in (*lead, *tail):
        if one.sure and not rest.slope and abs(one.level - rest.level) > _QUIET * peak:
            out[one.start : one.end] = channel[one.start : one.end] - one.level
    for rests in (lead, tail[::-1]):  # a step between two levels is no sound
        for before, after in pairwise(rests):
            out[before.end : after.start] = 0.0
    offset = float(line[time // 2])
    if np.abs(out - channel).max() <= _SMALLEST * peak:
        return None
    return out.astype(np.float32), offset


def _rest_of_sound(channel: np.ndarray, lead: list[_Rest], tail: list[_Rest], peak: float) -> _Rest:
    """The rest whose level is the offset of the sound: the one that it decays to, unless the sound clearly has that of the lead."""
    if not tail or not lead:
        return (tail or lead)[-1]
    before, after = lead[-1], tail[-1]
    if before.sure != after.sure:
        return before if before.sure else after
    if after.slope or before.slope:
        return after if after.slope else before
    difference = abs(before.level - after.level)
    inside = channel[before.end : after.start]
    if difference > _QUIET * peak and len(inside) >= 8 and abs(_mean_level(inside) - before.level) < 0.25 * difference:
        return before
    return after


def _padded_rests(channel: np.ndarray, peak: float, rate: int) -> list[_Rest]:
    """As `_rests`, also where zeros that are too few for a rest precede a rest at another level."""
    zero = channel[: max(1, round(_REST * _BLOCK_SECONDS * rate))] == 0
    if zero.all() or not zero[0]:
        return _rests(channel, peak, rate)
    pad = int(np.argmin(zero))
    rests = _rests(channel[pad:], peak, rate)
    if not rests or not rests[0].sure or not rests[0].end or abs(rests[0].level) <= max(_QUIET * peak, _LAST_BIT):
        return _rests(channel, peak, rate)
    moved = [rest._replace(start=rest.start + pad, end=rest.end + pad, level=rest.level - rest.slope * pad) for rest in rests]
    return [_Rest(0, pad, 0.0), *moved]


def _rests(channel: np.ndarray, peak: float, rate: int) -> list[_Rest]:
    """The rests at the start of `channel (time,)`, up to the sound; several where the level steps, and its noise floor."""
    block = max(1, round(_BLOCK_SECONDS * rate))
    count = len(channel) // block
    parts = channel[: count * block].reshape(count, block)
    means = parts.mean(axis=1, dtype=np.float64)
    highest, lowest = parts.max(axis=1), parts.min(axis=1)
    quiet = highest - lowest <= np.maximum(_QUIET * peak, _STEADY * np.abs(means))
    near = np.abs(np.diff(means)) <= np.maximum(_QUIET * peak, _STEADY * np.abs(means[1:]))
    rests: list[_Rest] = []
    first = 0
    while first < count and quiet[first]:
        last = first + 1
        while last < count and quiet[last] and near[last - 1]:
            last += 1
        if last - first < _REST:
            break
        rest = _level(means[first:last], (highest - lowest)[first:last], first, last, block, peak)
        if rests and not rest.sure:
            break
        if rests:
            low, high = sorted((rests[-1].level, rest.level))
            step = high - low
            between = channel[rests[-1].end : first * block]
            if step <= max(_QUIET * peak, _LAST_BIT) or between.min(initial=low) < low - step or between.max(initial=high) > high + step:
                break
        near_level = np.abs(channel[rest.end : rest.end + block] - rest.level) <= max(_QUIET * peak / 2, _SAME * abs(rest.level))
        more = int(np.argmin(near_level)) if not near_level.all() else len(near_level)
        rests.append(rest._replace(end=rest.end + more))
        first = last if last < count and quiet[last] else last + 1
    edge, level = (rests[-1].end, rests[-1].level) if rests else (0, 0.0)
    floor = _floor_level(channel[edge:] - level, peak, rate)
    if floor is not None:
        rests.append(_Rest(edge, edge, level + floor))
    return rests


def _level(means: np.ndarray, ranges: np.ndarray, first: int, last: int, block: int, peak: float) -> _Rest:
    """The rest of blocks first … last with the means `means`; not sure if its level does not settle, as of a recovering capacitor.

    ranges: of the samples of each block. A level within them, such as half a bit of 16, is no offset.
    """
    rest = _Rest(first * block, last * block, 0.0)
    middle = (np.arange(first, last) + 0.5) * block - 0.5
    if last - first >= _LONG_REST:
        slope, level = np.polyfit(middle, means, 1)
        residual = np.abs(means - (level + slope * middle)).max()
        if residual <= _QUIET * peak / 2 and abs(slope) * (last - first) * block > _DRIFT * peak:
            return rest._replace(level=float(level), slope=float(slope))
    noise = float(np.median(ranges[:_REST]))
    louder = ranges > 2 * noise + _SMALLEST * peak
    outer = means[: max(_REST, int(np.argmax(louder)) if louder.any() else len(means) // 2)]  # without the end of the sound
    level = float(np.median(outer))
    half = len(outer) // 2
    trend = abs(float(outer[:half].mean() - outer[half:].mean()))
    settled = np.ptp(outer) <= max(_SAME * abs(level), _QUIET * peak) and trend <= _SAME * (abs(level) + _QUIET * peak)
    if abs(level) <= max(_SMALLEST * peak, 0.6 * noise):
        return rest._replace(sure=bool(settled))
    if settled and (abs(level) > _LAST_BIT or last - first >= _LONG_REST):
        return rest._replace(level=level)
    return rest._replace(sure=False)


def _floor_level(channel: np.ndarray, peak: float, rate: int) -> float | None:
    """The mean of the steady noise floor at the start of `channel (time,)`; None if it starts with sound, or is not off zero."""
    size = round(_FLOOR_SECONDS * rate)
    if len(channel) < 4 * size:
        return None
    window = np.hanning(size)
    window /= window.sum()
    parts = np.stack([channel[start : start + size] for start in (0, size // 2, size)]).astype(np.float64)
    means = parts @ window
    level = float(means.mean())
    noise = float(parts.std(axis=1).max())
    if (
        noise > _FLOOR * peak
        or abs(level) < 0.5 * noise
        or abs(level) <= max(_QUIET * peak, _LAST_BIT)
        or np.ptp(means) > 2 * _SAME * abs(level)
    ):
        return None
    return level


def _mean_level(channel: np.ndarray) -> float:
    """Median of the means of eight equal parts, so that the asymmetric waveform of a decaying hit does not count."""
    part = len(channel) // 8
    return float(np.median(channel[: part * 8].reshape(8, part).mean(axis=1, dtype=np.float64)))


def _mean_offset(channel: np.ndarray) -> float:
    """The offset of sound that never rests: its mean level if that is over -60 dBFS and over 1 % of the peak, else 0."""
    mean, peak = _mean_level(channel), float(np.abs(channel).max())
    return float(np.float32(mean)) if abs(mean) > 1e-3 and abs(mean) > 0.01 * peak else 0.0
