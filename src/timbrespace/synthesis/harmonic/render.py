"""Renders a note without a phase search: oscillators for its partials, shaped noise for the rest.

    features ─ separate ─┬─ power of partials ─ flutter ─ oscillators (pitch with its wander) ─(+)─ audio
                         └─ power of noise ─ filter on white noise ────────────────────────────┘

The model of Serra and Smith 1990 ("Spectral modeling synthesis") with the pitch known: partials keep their places exactly, their levels
are smooth, and what real notes do beside that is drawn with the strength that `NoteModel` predicts from the latent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio.stft import istft, stft
from timbrespace.noise import Noise, Purpose
from timbrespace.representation.stereo import from_mid_side
from timbrespace.synthesis.harmonic.partials import BinLayout, Parts, separate
from timbrespace.synthesis.harmonic.traits import NoteTraits, Values

_BLOCK = 64  # samples in which the level of a partial is a straight line
_LEAST_DB = -90.0  # under the loudest partial: left out
_FLUTTER_HZ = (1.0, 5.0)  # the band of drawn flutter
_DRAWN_FLUTTER = 0.7  # of the flutter of a note; its noise adds the rest
_WANDER_BAND = 0.35  # of the rate: deviation of the frequencies of the wander
_PERIODS = 2  # of the fundamental on either side, in which phases are read: partials do not reach each other
_MOST_WANDER = 3.0  # standard deviations


class Near(NamedTuple):
    """A sound, `(parts, time)`: itself, or middle and side; and the sample at which a note is to have the phases of its partials."""

    audio: Values
    at: int


def render_note(
    features: Tensor, layout: BinLayout, *, hertz: float, traits: NoteTraits, length: int, seed: int, cents: Values | None = None
) -> Tensor:
    """Returns audio `(channels, length)` for levels in dB `(parts, bands, frames)` whose loudest cell is at 0 dB.

    parts: the sound, or middle and side. hertz: the fundamental. seed: of initial phases, flutter, wander and noise. cents: the course of
    the pitch, `(frames,)`; None: drawn.
    """
    cents = drawn_cents(traits, layout, frames=features.shape[2], seed=seed) if cents is None else cents
    parts = [separate(levels, layout, hertz=hertz, traits=traits) for levels in features]
    flutter = np.full(features.shape[2], traits.flutter)
    return render_parts(parts, layout, hertz=hertz, cents=cents, flutter=flutter, length=length, seed=seed)


def render_parts(
    parts: Sequence[Parts], layout: BinLayout, *, hertz: float, cents: Values, flutter: Values, length: int, seed: int,
    near: Near | None = None,
) -> Tensor:  # fmt: skip
    """Returns audio `(channels, length)` of the parts of a note: the sound, or middle and side.

    hertz: the places of lines are multiples of it. cents: the course of the pitch from it; flutter: strength of the drawn flutter, dB; both
    `(frames,)`. seed: of initial phases, flutter and noise. near: whose partials the phases are at one time; None: they are drawn.
    """
    turns = _turns(hertz, cents, layout, length=length)
    white = Noise(seed, Purpose.NOTE, 3).normal(len(parts), length)
    audio = [
        _partials(part, turns, layout, flutter, hertz=hertz, seed=seed, near=None if near is None else (near.audio[number], near.at))
        + _noise(part, noise, layout)
        for number, (part, noise) in enumerate(zip(parts, white, strict=True))
    ]
    return from_mid_side(torch.stack(audio))


def drawn_cents(traits: NoteTraits, layout: BinLayout, *, frames: int, seed: int) -> Values:
    """Returns a course of the pitch with the wander of a note, in cents `(frames,)`."""
    rate = layout.sample_rate / layout.hop
    drawn = _band_noise(Noise(seed, Purpose.NOTE, 2), 1, frames, rate=rate, centre=traits.rate, spread=_WANDER_BAND * traits.rate)[0]
    return np.asarray(traits.wander * np.clip(drawn, -_MOST_WANDER, _MOST_WANDER))


def _turns(hertz: float, cents: Values, layout: BinLayout, *, length: int) -> Values:
    """The phase of the fundamental in turns, `(length,)`."""
    course = np.interp(np.arange(length) / layout.hop, np.arange(len(cents)), cents)
    return np.asarray(np.cumsum(hertz / layout.sample_rate * 2 ** (course / 1200)))


def _partials(
    part: Parts, turns: Values, layout: BinLayout, flutter: Values, *, hertz: float, seed: int, near: tuple[Values, int] | None
) -> Tensor:
    """Partials and lines `(length,)`. near: a sound `(time,)` and the sample at which their phases are its own."""
    from timbrespace.synthesis.harmonic.oscillators import sum_partials

    power = torch.cat([part.partials, part.lines])
    count, frames = power.shape
    length = len(turns)
    amplitudes = 2 * (power.double() / _window_energy(layout, frames=frames, length=length)).sqrt().numpy()
    loudest = float(amplitudes.max(initial=0.0))
    if not loudest > 0:
        return torch.zeros(length)
    least = loudest * 10 ** (_LEAST_DB / 20)
    rate, (centre, spread) = layout.sample_rate / layout.hop, _FLUTTER_HZ
    drawn = _band_noise(Noise(seed, Purpose.NOTE, 1), count, frames, rate=rate, centre=centre, spread=spread)
    levels = np.asarray(20 * np.log10(np.maximum(amplitudes, least)) + _DRAWN_FLUTTER * flutter * drawn, np.float64)
    points = np.asarray(np.arange(-(-length // _BLOCK) + 1) * (_BLOCK / layout.hop), np.float64)
    angle = 2 * np.pi * Noise(seed, Purpose.NOTE, 0).uniform(count)
    if near is not None:
        numbers = np.concatenate([np.arange(1, len(part.partials) + 1), part.places.numpy() / hertz])
        angle = _phases(near[0], turns, numbers, at=near[1], reach=round(_PERIODS * layout.sample_rate / hertz))
    wave, course = np.zeros(length), 10 ** (_cubic(levels, points).T / 20)
    cosines, sines, harmonics = np.cos(angle), np.sin(angle), len(part.partials)
    sum_partials(turns, np.ascontiguousarray(course[:, :harmonics]), cosines[:harmonics], sines[:harmonics], _BLOCK, 2 * least, wave)
    for k, place in enumerate(part.places.tolist(), start=harmonics):
        single = np.ascontiguousarray(course[:, k : k + 1])
        sum_partials(turns * (place / hertz), single, cosines[k : k + 1].copy(), sines[k : k + 1].copy(), _BLOCK, 2 * least, wave)
    return torch.from_numpy(wave).float()


def _phases(sound: Values, turns: Values, numbers: Values, *, at: int, reach: int) -> Values:
    """Phases of partials `(numbers,)`, with which they are at sample `at` as in a sound `(time,)`. turns: of the fundamental."""
    inside = np.arange(max(0, at - reach), min(at + reach, len(sound), len(turns)))
    window = 0.5 + 0.5 * np.cos(np.pi * (inside - at) / reach)
    return np.asarray(np.angle((window * sound[inside]) @ np.exp(-2j * np.pi * turns[inside, None] * numbers)))


def _noise(part: Parts, white: Values, layout: BinLayout) -> Tensor:
    """The noise `(length,)`: white noise `(length,)`, filtered frame by frame."""
    window = torch.hann_window(layout.n_fft, dtype=torch.float64)
    spectrum = stft(torch.from_numpy(white).float()[None, None], n_fft=layout.n_fft, hop=layout.hop)
    shaped = spectrum * (part.noise / float(window.square().sum())).sqrt()
    return istft(shaped, n_fft=layout.n_fft, hop=layout.hop, length=len(white))[0, 0]


def _window_energy(layout: BinLayout, *, frames: int, length: int) -> Tensor:
    """The power over all bins of a partial of amplitude 2 in each frame, `(frames,)`; less where a frame reaches beyond the sound."""
    half = layout.n_fft // 2
    summed = torch.cat([torch.zeros(1, dtype=torch.float64), torch.hann_window(layout.n_fft, dtype=torch.float64).square().cumsum(0)])
    centres = torch.arange(frames) * layout.hop
    inside = summed[(length - centres + half).clamp(0, layout.n_fft)] - summed[(half - centres).clamp(0, layout.n_fft)]
    return layout.n_fft * inside.clamp_min(1e-3 * float(summed[-1]))


def _band_noise(noise: Noise, rows: int, count: int, *, rate: float, centre: float, spread: float) -> Values:
    """Noise `(rows, count)` at `rate` values a second with a deviation of 1, its spectrum a Gaussian about `centre` Hz."""
    size = 1 << max(8, (2 * count - 1).bit_length())
    bins = np.fft.rfftfreq(size, 1 / rate)
    shape = np.exp(-0.5 * np.square((bins - centre) / spread))
    shape[0] = 0.0
    gain = 1 / np.sqrt(2 * np.square(shape[:-1]).sum() / size)
    spectrum = np.fft.rfft(noise.normal(rows, size), axis=1)
    return np.asarray(gain * np.fft.irfft(spectrum * shape, size, axis=1)[:, :count])


def _cubic(values: Values, points: Values) -> Values:
    """Values `(rows, n)` at `points` between 0 and n - 1, `(rows, points)`, by Catmull-Rom splines; the ends are repeated."""
    last = values.shape[1] - 1
    left = np.clip(np.floor(points).astype(int), 0, max(last - 1, 0))
    t = np.clip(points - left, 0.0, 1.0)
    a, b, c, d = (values[:, np.clip(left + offset, 0, last)] for offset in (-1, 0, 1, 2))
    return np.asarray(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
