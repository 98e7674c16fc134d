"""The pitch and the level of a sound over time, without what its windows blur, and the notes in it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import median_filter

from timbrespace.audio.resampling import resample_array
from timbrespace.modulation.fluctuation import FASTEST, SECONDS, SLOWEST
from timbrespace.voices.analysis import analyse
from timbrespace.voices.frames import HOP, RATE, Frames, Values, count_frames, moving_sum, windows

SHORTEST = 0.3  # s, of a note whose modulation is measured
_RANGE = 50.0  # dB under the loudest frame; weaker frames stay unchanged
_LEAP = 60.0  # cents between notes
_LEAP_SHARE = 0.6  # of how far the pitch swings anyway
_LEAP_SECONDS = 0.035  # on either side of a leap
_MEDIAN_SECONDS = 0.2
_ONSET_DB, _ONSET_FRAMES = 9.0, 4  # a rise within these frames begins a note
_EVEN = 0.15  # spread of the distances of onsets over their mean, below which they are a deep tremolo
_EXPLAINED, _PERIODIC = 0.9, 0.6  # at least, of one tone
_EDGE_FRAMES = 3  # of a note, whose windows see its neighbours
_TOGETHER_CENTS, _TOGETHER = 5.0, 0.65  # least, and share of the depth, that the partials of one tone may move apart
_APART_FRAMES = 6  # on either side, of the mean that decides this
_PERIODS = 4.0  # in the window that follows a partial
_PARTIALS = 8
_PASSES = 2
_LEVEL_SECONDS = 0.04  # of the window of the level
_LEVEL_PASSES = 4


@dataclass(frozen=True)
class Courses:
    """A sound in frames SECONDS apart. pitch: cents over 440 Hz `(frames,)`, of the notes. level: dB `(frames,)`.

    tones: first frame and one after the last of each note with one pitch. parts: the same of what has a level: these and all others.
    several: of passages in which tones sound together, and whose pitch is not known. sounding: whether a frame is loud enough to count
    `(frames,)`.
    """

    pitch: Values
    level: Values
    tones: tuple[tuple[int, int], ...]
    parts: tuple[tuple[int, int], ...]
    several: tuple[tuple[int, int], ...]
    sounding: Values


def courses(audio: Values, rate: int) -> Courses:
    """Returns pitch and level of a sound `(channels, time)` at `rate` Hz."""
    wave = audio if rate == RATE else resample_array(audio, rate, RATE)
    mono = wave.mean(axis=0, dtype=np.float64)
    level = _level(wave)
    sounding = level > level.max(initial=-200.0) - _RANGE
    frames = analyse(mono)
    single = _is_single(frames)
    notes = [part for part in notes_of(frames.pitch, sounding & frames.pitched & single) if _long(part)]
    pitch = np.zeros(len(frames))
    for first, last in notes:
        pitch[first:last], apart = _followed(mono, frames.pitch[first:last], first)
        moved = pitch[first:last] - pitch[first:last].mean()
        if apart > max(_TOGETHER_CENTS, _TOGETHER * float(np.sqrt(2 * np.square(moved).mean()))):
            single[first - _EDGE_FRAMES : last + _EDGE_FRAMES] = False
    notes = [(first, last) for first, last in notes if single[first]]
    onsets = _onsets(level, sounding)
    tones = [part for note in notes for part in _split(note, onsets) if _long(part)]
    rest = sounding.copy()
    for first, last in tones:
        rest[first:last] = False
    others = [part for run in _runs(rest) for part in _split(run, onsets) if _long(part)]
    parts = sorted(trimmed for part in [*tones, *others] if _long(trimmed := _trimmed(level, part)))
    several = [run for run in _runs(sounding & ~single) if _long(run)]
    return Courses(pitch, level, tuple(tones), tuple(parts), tuple(several), sounding)


def _long(part: tuple[int, int]) -> bool:
    return (part[1] - part[0]) * SECONDS >= SHORTEST


def _runs(flags: Values) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate([[0], flags.astype(int), [0]]))
    return [(int(first), int(last)) for first, last in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)]


def _is_single(frames: Frames) -> Values:
    """Whether the frames around each one are of one tone, with or without noise, or of noise alone `(frames,)`."""
    power = 10 ** (frames.loudness() / 10)
    half = round(_MEDIAN_SECONDS / SECONDS / 2)

    def mean(values: Values) -> Values:
        return moving_sum(values * power, half) / np.maximum(moving_sum(power, half), 1e-30)

    pitched = mean(frames.pitched.astype(float)) > 0.5
    return np.asarray((mean(frames.explained) > _EXPLAINED) & (~pitched | (mean(frames.periodicity) > _PERIODIC)))


def notes_of(pitch: Values, pitched: Values) -> list[tuple[int, int]]:
    """Returns the runs of frames between leaps of the pitch in Hz `(frames,)`, without their edges. pitched: frames that count."""
    found = []
    width, reach = round(_MEDIAN_SECONDS / SECONDS) | 1, max(1, round(_LEAP_SECONDS / SECONDS))
    for first, last in _runs(pitched):
        cents = 1_200 * np.log2(pitch[first:last])
        middle = median_filter(cents, size=width, mode="nearest")  # keeps leaps sharp, and is blind to a vibrato
        leap = np.zeros(len(middle))
        if len(middle) > 2 * reach:
            leap[reach:-reach] = np.abs(middle[2 * reach :] - middle[: -2 * reach])
        jump = np.concatenate([[0.0], np.abs(np.diff(cents))])
        cuts = [
            at
            for at in np.flatnonzero(leap > _LEAP).tolist()
            if leap[at] >= leap[max(0, at - reach) : at + reach + 1].max() and leap[at] > _LEAP_SHARE * _swing(cents, at, reach, width)
        ]
        cuts = sorted({0, len(cents), *cuts, *np.flatnonzero(jump > _LEAP).tolist()})
        found += [(first + start, first + stop) for start, stop in pairwise(cuts)]
    return [(start + _EDGE_FRAMES, stop - _EDGE_FRAMES) for start, stop in found if stop - start > 2 * _EDGE_FRAMES]


def _swing(cents: Values, at: int, reach: int, width: int) -> float:
    """How far the pitch goes up and down before or after a place, whichever is less: a wide vibrato moves the median, too."""
    sides = (cents[max(0, at - reach - width) : max(0, at - reach)], cents[at + reach : at + reach + width])
    return min((float(np.ptp(side)) for side in sides if len(side)), default=0.0)


def _followed(wave: Values, pitch: Values, first: int) -> tuple[Values, float]:
    """The pitch of a note in cents over 440 Hz `(frames,)`, from the phases of its partials; how far these move apart. pitch: Hz, nearly.

    The sound is turned back by the phases of the partials that the pitch has so far. What they still turn is the rest: it is smaller each
    time, and with it the blur by the window.
    """
    count = len(pitch)
    size = round(_PERIODS * RATE / float(pitch.min()))
    margin = -(-(size // 2 + HOP) // HOP)  # frames beyond both ends
    window = np.hanning(size + 2)[1:-1]
    start = (first - margin) * HOP
    total = (count + 2 * margin) * HOP
    piece = np.zeros(total)
    inside = slice(max(0, start), max(0, min(len(wave), start + total)))
    piece[inside.start - start : inside.stop - start] = wave[inside]
    cents = 1_200 * np.log2(pitch / 440)
    number = max(1, min(_PARTIALS, int(0.45 * RATE / float(pitch.max()))))
    for _ in range(_PASSES):
        hertz = 440 * 2 ** (np.interp(np.arange(total) / HOP - margin, np.arange(count), cents) / 1_200)
        turns = np.cumsum(hertz) / RATE
        angle, weight = np.zeros(count), np.full(count, 1e-30)
        steps = []
        for k in range(1, number + 1):
            turned = piece * np.exp(-2j * np.pi * ((k * turns) % 1.0))
            # Half a hop before and after each frame.
            places = [np.clip((margin + np.arange(count)) * HOP + shift - size // 2, 0, total - size) for shift in (-HOP // 2, HOP // 2)]
            view = np.lib.stride_tricks.sliding_window_view(turned, size)
            before, after = (_windowed(view, at, window) for at in places)
            step = after * np.conj(before)
            strength = np.abs(step)
            angle += strength * k * np.angle(step)
            weight += strength * k * k
            steps.append((strength, np.angle(step) / k))
        rest = angle / weight / (2 * np.pi) * RATE / HOP  # Hz
        base = 440 * 2 ** (cents / 1_200)
        cents = cents + 1_200 * np.log2(np.clip(1 + rest / base, 0.94, 1.06))
    return cents, _apart(steps, angle / weight) * 1_200 / np.log(2) / (2 * np.pi) * RATE / HOP / float(np.median(base))


def _apart(steps: list[tuple[Values, Values]], common: Values) -> float:
    """How far the partials move apart, as the amplitude of a sine. steps: strength and turn of each one `(frames,)`; common: of all."""
    total, power = 1e-30, 0.0
    for strength, turned in steps:
        near = np.maximum(moving_sum(strength, _APART_FRAMES), 1e-30)
        rest = moving_sum(strength * (turned - common), _APART_FRAMES) / near  # without the roughness of noise
        rest = rest - float(strength @ rest) / max(float(strength.sum()), 1e-30)
        total, power = total + float(strength.sum()), power + float(strength @ np.square(rest))
    return float(np.sqrt(2 * power / total))


def _windowed(view: Values, places: Values, window: Values) -> Values:
    return np.concatenate([view[places[at : at + 256]] @ window for at in range(0, len(places), 256)])


def _level(wave: Values) -> Values:
    """The level of a sound `(channels, time)` in dB `(frames,)`: its mean power in a window, and again after each level is taken out."""
    count = count_frames(wave.shape[1])
    power = np.square(wave, dtype=np.float64).sum(0)
    size = round(_LEVEL_SECONDS * RATE)
    window = np.hanning(size + 2)[1:-1]
    window = window / window.sum()
    level = np.full(count, -200.0)
    gain = np.ones(len(power))
    for number in range(_LEVEL_PASSES):
        flat = power * gain
        mean = np.concatenate([windows(flat, size, at, min(512, count - at)) @ window for at in range(0, count, 512)])
        found = 10 * np.log10(mean + 1e-20)
        level = found if number == 0 else level + np.clip(found, -6.0, 6.0)
        if len(power):
            gain = 10 ** (-np.interp(np.arange(len(power)) / HOP, np.arange(count), level) / 10)
    return level


def _onsets(level: Values, sounding: Values) -> list[int]:
    """Frames at which notes begin by a rise of the level, without those of a deep and even tremolo."""
    rise = np.zeros(len(level))
    rise[: -_ONSET_FRAMES or None] = level[_ONSET_FRAMES:] - level[:-_ONSET_FRAMES] if len(level) > _ONSET_FRAMES else 0.0
    strong = (rise > _ONSET_DB) & sounding
    found = [first + int(np.argmax(rise[first:last])) for first, last in _runs(strong)]
    kept: list[int] = []
    group: list[int] = []
    for onset in [*found, len(level) + round(10 / SECONDS)]:
        if group and (onset - group[-1]) * SECONDS > 1 / SLOWEST:
            steps = np.diff(group) * SECONDS
            even = len(group) >= 4 and steps.std() < _EVEN * steps.mean() and steps.mean() > 1 / FASTEST
            kept += group[:1] if even else group
            group = []
        group.append(onset)
    return kept


def _split(part: tuple[int, int], onsets: list[int]) -> list[tuple[int, int]]:
    inside = [onset for onset in onsets if part[0] + _EDGE_FRAMES < onset < part[1] - _EDGE_FRAMES]
    cuts = [part[0], *inside, part[1]]
    return list(pairwise(cuts))


def _trimmed(level: Values, part: tuple[int, int]) -> tuple[int, int]:
    """The part between its attack and its release: from where the level reaches that of the half second after it."""
    first, last = part
    width = min(round(0.5 / SECONDS), last - first)
    begin = float(np.median(level[first : first + width])) - 3.0
    end = float(np.median(level[last - width : last])) - 12.0
    loud = np.flatnonzero(level[first:last] >= begin)
    kept = np.flatnonzero(level[first:last] >= end)
    return first + int(loud[0]), first + int(kept[-1]) + 1
