"""Separates the features of a note into partials at multiples of its pitch, and noise between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from timbrespace.synthesis.harmonic.traits import ATTACK_S, SUSTAINED_S, ZONES, NoteTraits

MOST_PARTIALS = 160
_TOP = 0.98  # of half the sample rate
_REACH = 5  # bins on either side of a partial that a Hann window spreads it over: the main lobe has 2, side lobes are 31 dB under it
_STEPS = 4  # of the multiplicative update
_BELOW = 0.5  # of the fundamental: there is no partial under it
_STROKE_S = 0.04  # s, in which other sound than partials and their noise, such as the stroke of a hammer, is kept
_AROUND, _LINE_OVER, _LEAST_LINE, _MOST_LINES = 6, 10.0, 1e-3, 24  # bands; in power; share of the power; weaker ones confuse the pitch
_BESIDE = 2.5  # bins from a partial, beyond which its remainder is no line


class BinLayout(NamedTuple):
    """How the bands of a view are made of the bins of its STFT (Hann window). band_of_bin `(bins,)`: index of the band."""

    n_fft: int
    hop: int
    sample_rate: int
    floor: float
    band_of_bin: Tensor

    @property
    def widths(self) -> Tensor:
        """Bins in every band, `(bands,)`."""
        return torch.bincount(self.band_of_bin).float()

    @property
    def hertz(self) -> Tensor:
        """Frequencies of the bins, `(bins,)`."""
        return torch.arange(len(self.band_of_bin)) * (self.sample_rate / self.n_fft)


class Parts(NamedTuple):
    """The parts of a note.

    partials `(count, frames)`: power of each over all bins. noise `(bins, frames)`: power a bin. lines `(lines, frames)`: of partials that
    are no multiples of the pitch, as bells have them; places `(lines,)`: their frequencies in Hz.
    """

    partials: Tensor
    noise: Tensor
    lines: Tensor
    places: Tensor


def partial_frequencies(hertz: float, sample_rate: int) -> Tensor:
    """Returns multiples of `hertz` under half the sample rate, `(count,)`, one at least and at most `MOST_PARTIALS`."""
    count = max(1, min(int(_TOP * sample_rate / 2 / hertz), MOST_PARTIALS))
    return hertz * torch.arange(1, count + 1, dtype=torch.float64)


def separate(
    levels: Tensor, layout: BinLayout, *, hertz: float, traits: NoteTraits, places: Tensor | None = None, at: Tensor | None = None
) -> Parts:
    """Returns the parts of levels in dB `(bands, frames)` with the loudest cell of the sound at 0 dB.

    places: of the lines in Hz `(lines,)`; None: they are searched for. at: the times of the frames in hops `(frames,)`; None: one after
    the other. The power of a band is shared by the partials that reach it (a non-negative factorisation with known spectra, by the
    multiplicative update of Lee and Seung 2001 for the Kullback-Leibler divergence). `traits.noise` of the mean power around is noise.
    In the attack, what the partials do not explain is noise too.
    """
    widths = layout.widths.to(levels)
    power = torch.where(levels > 1.0 - layout.floor, 10 ** (levels / 10), 0.0) * widths[:, None]
    frequencies = partial_frequencies(hertz, layout.sample_rate)
    spectra = _spectra(layout, frequencies)
    total = spectra.sum(0)[:, None].clamp_min(1e-9)
    partials = spectra.T @ power
    for _ in range(_STEPS):
        partials = partials * (spectra.T @ (power / (spectra @ partials).clamp_min(1e-20))) / total
    bins = layout.hertz
    seconds = (torch.arange(levels.shape[1]) if at is None else at.float()) * (layout.hop / layout.sample_rate)
    share = _at(traits, bins, seconds)
    by_bin = (power / widths[:, None])[layout.band_of_bin]
    noise = _mean_around(by_bin, width=round(hertz * layout.n_fft / layout.sample_rate)) * share
    noise = torch.where((bins < _BELOW * hertz)[:, None], by_bin * share, noise)
    rest = (power - spectra @ partials).clamp_min(0)
    if places is None:
        lines, places, rest = _lines(power, rest, layout, hertz=hertz)
    else:
        lines, rest = _lines_at(places, rest, layout)
    noise = noise + (rest / widths[:, None])[layout.band_of_bin] * (1 - seconds / _STROKE_S).clamp_min(0)
    return Parts(partials * (1 - _at(traits, frequencies, seconds)), noise, lines, places)


def _lines(power: Tensor, rest: Tensor, layout: BinLayout, *, hertz: float) -> tuple[Tensor, Tensor, Tensor]:
    """Powers `(lines, frames)` and frequencies `(lines,)` of the lines in the power without the partials, and the remaining power.

    power, rest: `(bands, frames)`. A line is a peak of the rest over the whole note, among bands of one bin, that exceeds its
    surroundings and is not beside a partial. With the larger neighbour's share r of its amplitude its frequency is (2 r - 1) / (r + 1)
    bins from the peak.
    """
    narrow = int((layout.widths == 1).long().cumprod(0).sum())
    summed, whole = rest[:narrow].sum(1), power[:narrow].sum(1)
    places, tracks, left = [], [], rest.clone()
    if narrow > 2 * _AROUND:
        around = torch.nn.functional.pad(summed, (_AROUND, _AROUND)).unfold(0, 2 * _AROUND + 1, 1).median(1).values
        middle = summed[1:-1]
        peaks = (middle >= summed[:-2]) & (middle > summed[2:]) & (middle > _LINE_OVER * around[1:-1])
        found = (torch.nonzero(peaks & (middle > _LEAST_LINE * power.sum())).flatten() + 1).tolist()
        for band in sorted(found, key=lambda k: -float(summed[k]))[:_MOST_LINES]:
            below, peak, above = whole[band - 1 : band + 2].sqrt().tolist()
            share = max(below, above) / max(peak, 1e-20)
            offset = max(0.0, (2 * share - 1) / (share + 1)) * (1 if above > below else -1)
            inside = slice(max(0, band - 2), band + 3)
            place = (band + min(max(offset, -0.5), 0.5)) * layout.sample_rate / layout.n_fft
            if abs(place - hertz * max(1, round(place / hertz))) * layout.n_fft / layout.sample_rate < _BESIDE:
                continue
            places.append(place)
            tracks.append(left[inside].sum(0))
            left[inside] = 0.0
    lines = torch.stack(tracks) if tracks else rest.new_zeros(0, rest.shape[1])
    return lines, torch.tensor(places, dtype=torch.float64), left


def _lines_at(places: Tensor, rest: Tensor, layout: BinLayout) -> tuple[Tensor, Tensor]:
    """Powers `(lines, frames)` of lines at `places` in Hz `(lines,)` in the power without the partials, and the remaining power."""
    tracks, left = [], rest.clone()
    bins = (places * (layout.n_fft / layout.sample_rate)).round().long().clamp(0, len(layout.band_of_bin) - 1)
    for band in layout.band_of_bin[bins].tolist():
        inside = slice(max(0, band - 2), band + 3)
        tracks.append(left[inside].sum(0))
        left[inside] = 0.0
    return (torch.stack(tracks) if tracks else rest.new_zeros(0, rest.shape[1])), left


def _spectra(layout: BinLayout, frequencies: Tensor) -> Tensor:
    """The share of every band in the power of each partial, `(bands, count)`, through a Hann window."""
    bins = torch.arange(len(layout.band_of_bin), dtype=torch.float64)
    away = bins[:, None] - frequencies * (layout.n_fft / layout.sample_rate)
    lobe = 0.5 * torch.sinc(away) + 0.25 * (torch.sinc(away - 1) + torch.sinc(away + 1))
    power = lobe.square() * (away.abs() < _REACH)
    power = power / power.sum(0, keepdim=True).clamp_min(1e-12)  # a partial beyond half the sample rate has none
    bands = int(layout.band_of_bin[-1]) + 1
    return torch.zeros(bands, len(frequencies), dtype=torch.float64).index_add_(0, layout.band_of_bin, power).float()


def _at(traits: NoteTraits, hertz: Tensor, seconds: Tensor) -> Tensor:
    """The noise share at frequencies `(n,)` and times `(frames,)`, `(n, frames)`: geometric between middles of the zones, and in time."""
    edges = np.asarray(ZONES)
    middles = np.log(np.sqrt(np.maximum(edges[:-1], edges[1] / 2) * edges[1:]))
    place = np.log(hertz.double().clamp_min(1.0).numpy())
    attack, later = (torch.from_numpy(np.interp(place, middles, np.log(shares))).float() for shares in (traits.attack, traits.noise))
    weight = ((SUSTAINED_S - seconds) / (SUSTAINED_S - ATTACK_S)).clamp(0, 1)
    return torch.exp(later[:, None] + (attack - later)[:, None] * weight)


def _mean_around(values: Tensor, *, width: int) -> Tensor:
    """The mean of `values (bins, frames)` over an odd number of bins, about `width`, around each bin."""
    half, count = max(0, width // 2), len(values)
    summed = torch.cat([torch.zeros(1, values.shape[1], dtype=torch.float64), values.double().cumsum(0)])
    bins = torch.arange(count)
    first, last = (bins - half).clamp_min(0), (bins + half + 1).clamp_max(count)
    return ((summed[last] - summed[first]) / (last - first)[:, None]).clamp_min(0).float()
