"""Cuts long files: at the onsets of separate sounds, or into segments of equal length.

| mode | file up to 6 s | longer file |
|---|---|---|
| auto | whole | at onsets if there are two or more clear ones; a single fading sound keeps its first 6 s; else segments |
| keep | whole | whole |
| segments | segments if longer than one | segments |
| onsets | at onsets | at onsets; parts longer than 6 s as in auto |
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from timbrespace.audio.trim import Segment, bounds
from timbrespace.contracts import LONGEST_CLIP_SECONDS, ConfigError

CUTS = ("auto", "keep", "segments", "onsets")
_FADE_SECONDS = 0.005  # at a cut through sound
_LAST_FADE_SECONDS = 0.5  # at the end of a fading sound cut at 6 s
_SMALLEST_REST = 0.1  # of a segment; a smaller remainder joins the segment before it
_HOP_SECONDS = 0.005
_SMOOTH = 4  # hops: the level is the loudest sample of 20 ms, so that zero crossings are not valleys
_RISE_DB = 12.0  # an onset is this much louder than the quietest moment of the 100 ms before it …
_LOOK_BACK = 20  # hops
_AUDIBLE_DB = -36.0  # … and at least at this level relative to the peak of the file
_APART = 0.080  # s between onsets
_FADED_DB = -12.0  # a fading sound at this level relative to its peak at 6 s may end there
_FADING_BLOCK = 0.25  # s
_FADING_RISE = 2.0  # (6 dB) a fading sound never rises by more than this factor


def cut_audio(audio: np.ndarray, rate: int, *, cut: str, segment_seconds: float) -> list[Segment]:
    """Segments of `audio (channels, time)` in order; they cover all sound but the faded end of one beyond 6 s. Raises ConfigError."""
    if cut not in CUTS:
        raise ConfigError(f"cut is {cut!r}, allowed are {', '.join(CUTS)}")
    time = audio.shape[1]
    longest = round(LONGEST_CLIP_SECONDS * rate)
    segment = max(1, round(segment_seconds * rate))
    if cut == "keep" or time < 2:
        return [Segment(0, time)]
    if cut == "segments":
        return _segments(0, time, segment, rate)
    start, end = bounds(audio, rate)
    if cut == "auto" and end - start <= longest:
        return [Segment(0, time)]
    starts = onsets(audio, rate)
    if cut == "auto" and (len(starts) < 2 or _fades(audio[:, start:end], longest, rate)):
        starts = []
    edges = [0, *starts[1:], time]  # audio before the first onset belongs to it
    out: list[Segment] = []
    for left, right in pairwise(edges):
        out += _limited(audio, left, right, longest, segment, rate)
    return out


def _limited(audio: np.ndarray, left: int, right: int, longest: int, segment: int, rate: int) -> list[Segment]:
    """One segment left … right if it is short enough or fades, else equal segments."""
    start, end = bounds(audio[:, left:right], rate)
    fade = round(_FADE_SECONDS * rate)
    inner_end = fade if right < audio.shape[1] else 0
    if end - start <= longest:
        return [Segment(left, right, 0, inner_end)]
    if _fades(audio[:, left + start : left + end], longest, rate):
        return [Segment(left, left + start + longest - round(0.002 * rate), 0, round(_LAST_FADE_SECONDS * rate))]
    return _segments(left + start, left + end, segment, rate, last_fade=inner_end)


def _fades(audio: np.ndarray, longest: int, rate: int) -> bool:
    """Whether this is one sound that only decays after its peak and is quiet after `longest` frames."""
    block = max(1, round(_FADING_BLOCK * rate))
    blocks = audio.shape[1] // block
    levels = np.abs(audio[:, : blocks * block]).max(axis=0).reshape(blocks, block).max(axis=1)
    loudest = int(np.argmax(levels))
    after = levels[loudest:]
    dies = (after <= _FADING_RISE * np.minimum.accumulate(after)).all()
    at_end = levels[min(blocks - 1, longest // block - 1)]
    return loudest < longest // block // 3 and bool(dies) and at_end < levels[loudest] * 10 ** (_FADED_DB / 20)


def _segments(left: int, right: int, segment: int, rate: int, *, last_fade: int = 0) -> list[Segment]:
    """Segments of `segment` frames from left to right; a small remainder is added to the last one."""
    fade = round(_FADE_SECONDS * rate)
    count = max(1, -(-(right - left) // segment))
    if count > 1 and (right - left) - (count - 1) * segment < _SMALLEST_REST * segment:
        count -= 1
    edges = [left + i * segment for i in range(count)] + [right]
    return [Segment(a, b, fade if i else 0, fade if i < count - 1 else last_fade) for i, (a, b) in enumerate(pairwise(edges))]


def onsets(audio: np.ndarray, rate: int) -> list[int]:
    """Ascending frames at which clearly separate sounds start."""
    hop = max(1, round(_HOP_SECONDS * rate))
    hops = audio.shape[1] // hop
    if hops < 2:
        return []
    envelope = np.abs(audio[:, : hops * hop]).max(axis=0)
    level = 20 * np.log10(np.maximum(envelope.reshape(hops, hop).max(axis=1), 1e-9))
    level = np.maximum(level - level.max(), -80.0)
    level = np.lib.stride_tricks.sliding_window_view(np.pad(level, (_SMOOTH - 1, 0), constant_values=-80.0), _SMOOTH).max(axis=1)
    padded = np.concatenate([np.full(_LOOK_BACK, -80.0), level])
    before = np.lib.stride_tricks.sliding_window_view(padded, _LOOK_BACK)[:hops].min(axis=1)  # over the hops before each
    rising = np.flatnonzero((level - before >= _RISE_DB) & (level >= _AUDIBLE_DB))
    starts: list[int] = []
    last = -hops
    for index in rising.tolist():
        if index - last > max(1, round(_APART / _HOP_SECONDS)):
            window = padded[index : index + _LOOK_BACK]  # the hops before `index`
            quietest = index - _LOOK_BACK + (_LOOK_BACK - 1 - int(np.argmin(window[::-1])))  # the latest of equals
            frame = max(0, quietest + 1) * hop
            if not starts or frame > starts[-1]:
                starts.append(frame)
        last = index
    return starts
