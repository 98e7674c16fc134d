"""Separates the features of a note into partials at multiples of its pitch, and noise between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from timbrespace.synthesis.harmonic.traits import ZONES, NoteTraits

MOST_PARTIALS = 160
_TOP = 0.98  # of half the sample rate
_LOBE = 2  # bins on either side of a partial that a Hann window spreads it over
_STEPS = 4  # of the multiplicative update
_BELOW = 0.5  # of the fundamental: there is no partial under it
_ATTACK_S = 0.04  # s, in which what is neither partials nor their noise, such as the stroke of a hammer, is kept
_KNEE_DB, _RATIO = -70.0, 2.0  # downward expansion, dB under the loudest cell; at -60 dB the highs of notes are lost


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
    """The parts of a note. partials `(count, frames)`: power of each over all bins. noise `(bins, frames)`: power a bin."""

    partials: Tensor
    noise: Tensor


def partial_frequencies(hertz: float, sample_rate: int) -> Tensor:
    """Returns multiples of `hertz` under half the sample rate, `(count,)`, one at least and at most `MOST_PARTIALS`."""
    count = max(1, min(int(_TOP * sample_rate / 2 / hertz), MOST_PARTIALS))
    return hertz * torch.arange(1, count + 1, dtype=torch.float64)


def separate(levels: Tensor, layout: BinLayout, *, hertz: float, traits: NoteTraits) -> Parts:
    """Returns the parts of levels in dB `(bands, frames)` with the loudest cell of the sound at 0 dB.

    The power of a band is shared by the partials whose main lobes reach it (a non-negative factorisation with known spectra, by the
    multiplicative update of Lee and Seung 2001 for the Kullback-Leibler divergence). `traits.noise` of the mean power around is noise.
    In the attack, what the partials do not explain is noise too.
    """
    expanded = levels - (_RATIO - 1) * (_KNEE_DB - levels).clamp_min(0)
    widths = layout.widths.to(levels)
    power = torch.where(levels > 1.0 - layout.floor, 10 ** (expanded / 10), 0.0) * widths[:, None]
    frequencies = partial_frequencies(hertz, layout.sample_rate)
    spectra = _spectra(layout, frequencies)
    total = spectra.sum(0)[:, None].clamp_min(1e-9)
    partials = spectra.T @ power
    for _ in range(_STEPS):
        partials = partials * (spectra.T @ (power / (spectra @ partials).clamp_min(1e-20))) / total
    bins = layout.hertz
    share = _at(traits, bins)[:, None]
    by_bin = (power / widths[:, None])[layout.band_of_bin]
    noise = _mean_around(by_bin, width=round(hertz * layout.n_fft / layout.sample_rate)) * share
    noise = torch.where((bins < _BELOW * hertz)[:, None], by_bin * share, noise)
    rest = ((power - spectra @ partials).clamp_min(0) / widths[:, None])[layout.band_of_bin]
    frames = torch.arange(levels.shape[1]) * (layout.hop / layout.sample_rate)
    noise = noise + rest * (1 - frames / _ATTACK_S).clamp_min(0)
    return Parts(partials * (1 - _at(traits, frequencies))[:, None], noise)


def _spectra(layout: BinLayout, frequencies: Tensor) -> Tensor:
    """The share of every band in the power of each partial, `(bands, count)`, through the main lobe of a Hann window."""
    bins = torch.arange(len(layout.band_of_bin), dtype=torch.float64)
    away = bins[:, None] - frequencies * (layout.n_fft / layout.sample_rate)
    lobe = 0.5 * torch.sinc(away) + 0.25 * (torch.sinc(away - 1) + torch.sinc(away + 1))
    power = lobe.square() * (away.abs() < _LOBE)
    power = power / power.sum(0, keepdim=True)
    bands = int(layout.band_of_bin[-1]) + 1
    return torch.zeros(bands, len(frequencies), dtype=torch.float64).index_add_(0, layout.band_of_bin, power).float()


def _at(traits: NoteTraits, hertz: Tensor) -> Tensor:
    """The noise share at frequencies `(n,)`: geometric between the middles of the zones."""
    edges = np.asarray(ZONES)
    middles = np.sqrt(np.maximum(edges[:-1], edges[1] / 2) * edges[1:])
    place = np.log(hertz.double().clamp_min(1.0).numpy())
    return torch.from_numpy(np.exp(np.interp(place, np.log(middles), np.log(traits.noise)))).float()


def _mean_around(values: Tensor, *, width: int) -> Tensor:
    """The mean of `values (bins, frames)` over an odd number of bins, about `width`, around each bin."""
    half, count = max(0, width // 2), len(values)
    summed = torch.cat([torch.zeros(1, values.shape[1], dtype=torch.float64), values.double().cumsum(0)])
    bins = torch.arange(count)
    first, last = (bins - half).clamp_min(0), (bins + half + 1).clamp_max(count)
    return ((summed[last] - summed[first]) / (last - first)[:, None]).clamp_min(0).float()
