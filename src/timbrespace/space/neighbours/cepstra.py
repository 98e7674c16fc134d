"""The plain baseline: mel-frequency cepstral coefficients (MFCC), their means and deviations over a sound."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from timbrespace.audio.analysis import mel_bands, power_spectra
from timbrespace.audio.files import resample
from timbrespace.contracts import SAMPLE_RATE

COEFFICIENTS = 20
_BANDS, _RANGE_DB, _TINY = 40, 80.0, 1e-10


@torch.no_grad()
def cepstrum(audio: Tensor, sample_rate: int) -> Tensor:
    """Returns means and deviations over time of 20 MFCC of a sound `(channels, time)`: `(40,)`.

    40 mel bands in dB, at most 80 dB below the loudest cell, orthonormal cosine transform (Davis, Mermelstein 1980); 44.1 kHz, mono.
    """
    mono = resample(audio.float().mean(0, keepdim=True), sample_rate, SAMPLE_RATE)
    level = 10 * torch.log10(mel_bands(power_spectra(mono), bands=_BANDS)[0].clamp_min(_TINY))
    level = level.clamp_min(float(level.max()) - _RANGE_DB)
    k, n = torch.arange(COEFFICIENTS)[:, None], torch.arange(_BANDS)[None]
    basis = torch.cos(math.pi * k * (n + 0.5) / _BANDS) * math.sqrt(2 / _BANDS)
    basis[0] /= math.sqrt(2)
    rows = basis @ level
    return torch.cat([rows.mean(1), rows.std(1, correction=0)])
