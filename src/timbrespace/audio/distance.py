"""Errors of a reconstruction: the definitions that all tables use.

Sounds are one padded batch `(batch, channels, time)` with `lengths (batch,)` in samples, or a list of `(channels, time)` tensors of any
lengths. All are mixed to mono and resampled to 44.1 kHz. A reconstruction is on the time grid of its original; a shorter one is padded
with zeros. Every error is one number per sound, `(batch,)` float32, and not averaged.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from timbrespace.audio import descriptors
from timbrespace.audio.analysis import (
    AUDIBLE_DB,
    BANDS,
    FLOOR_DB,
    HIGH_HZ,
    LOW_HZ,
    N_FFT,
    TINY,
    Sounds,
    mel_bands,
    power_spectra,
    sound_pairs,
    tile_flatness,
)
from timbrespace.audio.stft import mel_filters
from timbrespace.contracts import SAMPLE_RATE, ConfigError

MATCH_DB = 40.0  # cells of the original this close to its peak determine the gain of the reconstruction
SECONDS = 1.5
_NOISY_DB = -5.0  # Gaussian noise has a flatness of -2.3 dB, a sine -20 dB or less
_LEAST_DECAY = 0.005  # s; the least decay time of an original in a percentage
_MOST_PERCENT = 1000.0  # one endless tail must not dominate a mean


def log_mel_error(
    original: Sounds,
    reconstruction: Sounds,
    *,
    sample_rate: int = SAMPLE_RATE,
    lengths: Tensor | None = None,
    match_level: bool = True,
    seconds: float = SECONDS,
    n_fft: int = N_FFT,
) -> Tensor:
    """Root mean square difference in dB of the log-mel spectrograms of original and reconstruction, `(batch,)`.

    Power spectrogram (1024-point periodic Hann, hop 256, centred), 128 Slaney mel bands 20 Hz … 22.05 kHz, dB, both clipped
    80 dB below the loudest cell of the original, over all cells of the first `seconds` (zero padded) of each sound.
    lengths: of the originals in a padded batch; samples beyond count as silence.
    match_level: the reconstruction first gets one constant gain, the median dB difference over the cells of the original within
    40 dB of its peak. Cells in which the reconstruction is silent (80 dB below its loudest) are left out of that median; a silent
    reconstruction gets no gain.
    n_fft: another window, in samples, with a hop of a quarter of it; bands too narrow for one of its bins are then left out (10 of
    128 at 512). The result is a different measure: state the window beside it. Raises ShapeError, ConfigError.
    """
    return _mel_error(
        original,
        reconstruction,
        sample_rate=sample_rate,
        lengths=lengths,
        match_level=match_level,
        seconds=seconds,
        whole=True,
        n_fft=n_fft,
    )


def sound_error(
    original: Sounds,
    reconstruction: Sounds,
    *,
    sample_rate: int = SAMPLE_RATE,
    lengths: Tensor | None = None,
    match_level: bool = True,
    seconds: float = SECONDS,
) -> Tensor:
    """`log_mel_error` over only the frames whose centre is within the length of the original, `(batch,)` dB."""
    return _mel_error(
        original, reconstruction, sample_rate=sample_rate, lengths=lengths, match_level=match_level, seconds=seconds, whole=False
    )


def attack_error_ms(original: Sounds, reconstruction: Sounds, *, sample_rate: int = SAMPLE_RATE, lengths: Tensor | None = None) -> Tensor:
    """Absolute difference of the attack times (10 % to 90 % of the peak of the envelope) in ms, `(batch,)`."""
    pairs = sound_pairs(original, reconstruction, sample_rate=sample_rate, lengths=lengths, seconds=SECONDS)
    return _joined([(descriptors.attack_time(a, SAMPLE_RATE) - descriptors.attack_time(b, SAMPLE_RATE)).abs() * 1000 for a, b, _ in pairs])


def decay_error_percent(
    original: Sounds, reconstruction: Sounds, *, sample_rate: int = SAMPLE_RATE, lengths: Tensor | None = None
) -> Tensor:
    """Difference of the 60 dB decay times in percent of that of the original (at least 5 ms), at most 1000 %, `(batch,)`.

    See `descriptors.decay_time`; only the first 10 s are analysed.
    """
    errors = []
    for a, b, _ in sound_pairs(original, reconstruction, sample_rate=sample_rate, lengths=lengths, seconds=None):
        reference, estimate = descriptors.decay_time(a, SAMPLE_RATE), descriptors.decay_time(b, SAMPLE_RATE)
        errors.append((100 * (estimate - reference).abs() / reference.clamp_min(_LEAST_DECAY)).clamp_max(_MOST_PERCENT))
    return _joined(errors)


def grain_error(original: Sounds, reconstruction: Sounds, *, sample_rate: int = SAMPLE_RATE, lengths: Tensor | None = None) -> Tensor:
    """Error of the spectral flatness in the noisy segments of the original, dB, `(batch,)`.

    Spectrograms are divided into tiles of 690 Hz × 46 ms. The flatness of a tile is the dB ratio of the geometric to the arithmetic
    mean power of its 16 bins, averaged over its 8 frames. Noise is near -2.3 dB; closer to 0 is noise without grain, far below is
    tonal or sparse. The error is the absolute difference of the mean flatness over the tiles in which the original is noisy (above
    -5 dB) and audible (within 50 dB of its loudest tile). Sounds without such a tile (see `noisy_share`) have 0 and should be left out
    of a mean.
    """
    errors = []
    for a, b, _ in sound_pairs(original, reconstruction, sample_rate=sample_rate, lengths=lengths, seconds=SECONDS):
        (reference, level), (estimate, _) = tile_flatness(power_spectra(a)), tile_flatness(power_spectra(b))
        noisy = (reference > _NOISY_DB) & (level > -AUDIBLE_DB)
        errors.append(((estimate - reference) * noisy).sum(dim=(1, 2)).abs() / noisy.sum(dim=(1, 2)).clamp_min(1))
    return _joined(errors)


def noisy_share(sounds: Sounds, *, sample_rate: int = SAMPLE_RATE, lengths: Tensor | None = None) -> Tensor:
    """Share of the audible tiles of a sound that are noisy, as defined in `grain_error`, 0 … 1, `(batch,)`."""
    shares = []
    for a, _, _ in sound_pairs(sounds, sounds, sample_rate=sample_rate, lengths=lengths, seconds=SECONDS):
        flatness, level = tile_flatness(power_spectra(a))
        audible = level > -AUDIBLE_DB
        shares.append((audible & (flatness > _NOISY_DB)).sum(dim=(1, 2)) / audible.sum(dim=(1, 2)).clamp_min(1))
    return _joined(shares)


@torch.no_grad()
def _mel_error(
    original: Sounds,
    reconstruction: Sounds,
    *,
    sample_rate: int,
    lengths: Tensor | None,
    match_level: bool,
    seconds: float,
    whole: bool,
    n_fft: int = N_FFT,
) -> Tensor:
    if n_fft < 64 or n_fft % 4:
        raise ConfigError(f"n_fft is {n_fft}, allowed are multiples of 4 from 64; {N_FFT} is the measure of all tables")
    errors = []
    for a, b, true in sound_pairs(original, reconstruction, sample_rate=sample_rate, lengths=lengths, seconds=seconds):
        reference, estimate = (_filled(mel_bands(power_spectra(one, n_fft=n_fft), bands=BANDS, n_fft=n_fft), n_fft=n_fft) for one in (a, b))
        loudest = torch.maximum(reference.amax(dim=(1, 2)), TINY * torch.ones_like(reference[:, 0, 0]))
        # A silent original has no loudest cell: that of the reconstruction is used, and its audible cells are the error.
        silent = loudest <= TINY
        loudest = torch.where(silent, estimate.amax(dim=(1, 2)).clamp_min(TINY), loudest)[:, None, None]
        reference_db, estimate_db = 10 * torch.log10(reference.clamp_min(TINY)), 10 * torch.log10(estimate.clamp_min(TINY))
        if match_level:
            estimate_db = estimate_db + torch.where(silent, 0.0, _gain_db(reference_db, estimate_db))[:, None, None]
        floor = 10 * torch.log10(loudest) - FLOOR_DB
        square = (reference_db.maximum(floor) - estimate_db.maximum(floor)).square().mean(dim=1)
        if whole:
            errors.append(square.mean(dim=1).sqrt())
        else:
            inside = torch.arange(square.shape[1], device=square.device)[None] * (n_fft // 4) < true[:, None]
            errors.append(((square * inside).sum(dim=1) / inside.sum(dim=1)).sqrt())
    return _joined(errors)


def _gain_db(reference_db: Tensor, estimate_db: Tensor) -> Tensor:
    """Gain of the reconstruction in dB: two `(batch, bands, frames)` -> `(batch,)`; 0 if no cell can be matched."""
    peak, estimate_peak = reference_db.amax(dim=(1, 2), keepdim=True), estimate_db.amax(dim=(1, 2), keepdim=True)
    empty = 10 * math.log10(TINY)
    used = (reference_db >= peak - MATCH_DB) & (estimate_db >= estimate_peak - FLOOR_DB) & (estimate_db > empty)
    difference = torch.where(used, reference_db - estimate_db, torch.nan).flatten(1)
    # nanmedian is the lower middle; its mean with the upper one is the usual median of an even count.
    return (0.5 * (difference.nanmedian(dim=1).values - (-difference).nanmedian(dim=1).values)).nan_to_num(0.0)


def _filled(power: Tensor, *, n_fft: int) -> Tensor:
    """Mel power `(batch, bands, frames)` without the bands that contain no bin of the window (at 1024 there are none)."""
    bank = mel_filters(bands=power.shape[1], n_fft=n_fft, sample_rate=SAMPLE_RATE, low=LOW_HZ, high=HIGH_HZ)
    held = bank.amax(1) > 0
    return power if bool(held.all()) else power[:, held.to(power.device)]


def _joined(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts).float() if parts else torch.zeros(0)
