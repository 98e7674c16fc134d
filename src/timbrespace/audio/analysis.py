"""The common basis of error measures and embedding: mono audio at 44.1 kHz, its spectrograms, and the flatness of their tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from timbrespace.audio.arrays import spectra
from timbrespace.audio.arrays.spectra import AUDIBLE_DB, BANDS, FLOOR_DB, HIGH_HZ, HOP, LONGEST_S, LOW_HZ, N_FFT, TINY
from timbrespace.audio.stft import mel_filters, stft
from timbrespace.contracts import SAMPLE_RATE, ConfigError, ShapeError, check_audio, check_lengths

__all__ = [
    "AUDIBLE_DB", "BANDS", "FLOOR_DB", "HIGH_HZ", "HOP", "LONGEST_S", "LOW_HZ", "N_FFT", "TINY", "Sounds", "mel_bands", "power_spectra",
    "sound_pairs", "tile_flatness", "to_mono",
]  # fmt: skip

Sounds = Tensor | Sequence[Tensor]  # a padded batch (batch, channels, time), or a list of (channels, time)

_CHUNK = 32  # sounds at a time, so that memory does not grow


def sound_pairs(
    original: Sounds, reconstruction: Sounds, *, sample_rate: int, lengths: Tensor | None, seconds: float | None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yields chunks (originals, reconstructions, lengths): mono, 44.1 kHz, cut or padded to one length; lengths in samples."""
    if len(original) != len(reconstruction):
        raise ShapeError(f"{len(original)} originals and {len(reconstruction)} reconstructions: one for every original is needed")
    if isinstance(sample_rate, bool) or sample_rate < 1:
        raise ConfigError(f"sample_rate is {sample_rate}, allowed are whole numbers of Hz from 1")
    if isinstance(original, Tensor):
        lengths = check_lengths(lengths, check_audio(original))
    elif lengths is not None:
        raise ShapeError("lengths are for a padded batch; the sounds of a list have their own")
    for start in range(0, len(original), _CHUNK):
        part = slice(start, start + _CHUNK)
        longest = math.ceil((LONGEST_S if seconds is None else seconds) * sample_rate)
        reference, true = to_mono(original[part], lengths[part] if lengths is not None else None, sample_rate, longest)
        estimate = reference if reconstruction is original else to_mono(reconstruction[part], None, sample_rate, longest)[0]
        time = max(reference.shape[1], estimate.shape[1]) if seconds is None else round(seconds * SAMPLE_RATE)
        yield _fit(reference, time), _fit(estimate, time), true.clamp_max(time)


def to_mono(sounds: Sounds, lengths: Tensor | None, sample_rate: int, longest: int) -> tuple[Tensor, Tensor]:
    """Mono audio `(batch, time)` at 44.1 kHz, zero beyond the lengths, and the lengths `(batch,)`.

    longest: sounds are cut to this length, in samples at `sample_rate`.
    """
    if isinstance(sounds, Tensor):
        true = check_lengths(lengths, check_audio(sounds))
        mono = sounds.detach()[..., :longest].mean(dim=1)
        true = true.clamp_max(longest)
        mono = torch.where(torch.arange(mono.shape[1], device=mono.device)[None] < true[:, None], mono, 0.0)
    else:
        for sound in sounds:
            if not isinstance(sound, Tensor) or sound.ndim != 2:
                raise ShapeError("a list of sounds must hold tensors of the shape (channels, time); mono is (1, time)")
            check_audio(sound[None])
        true = torch.tensor([min(sound.shape[-1], longest) for sound in sounds], dtype=torch.int64)
        mono = torch.stack([_fit(sound.detach()[:, :longest].mean(dim=0, keepdim=True), int(true.max()))[0] for sound in sounds])
        true = true.to(mono.device)
    mono = mono if mono.dtype in (torch.float32, torch.float64) else mono.float()
    if sample_rate != SAMPLE_RATE:
        from timbrespace.audio.files import resample

        mono = resample(mono, sample_rate, SAMPLE_RATE)
        true = ((true * SAMPLE_RATE + sample_rate - 1) // sample_rate).clamp(1, mono.shape[-1])
    return mono, true


def _fit(audio: Tensor, time: int) -> Tensor:
    """Audio `(batch, ...)` cut or zero padded at the end: `(batch, time)`."""
    return torch.nn.functional.pad(audio[:, :time], (0, max(0, time - audio.shape[1])))


def tile_flatness(power: Tensor) -> tuple[Tensor, Tensor]:
    """Flatness and level of every tile in dB: power spectrogram `(batch, 513, frames) -> 2 × (batch, bands, steps)`.

    See `arrays.spectra.tile_flatness`.
    """
    flatness, level = spectra.tile_flatness(power.detach().cpu().transpose(-1, -2).numpy())
    return torch.from_numpy(flatness).transpose(-1, -2).to(power.device), torch.from_numpy(level).transpose(-1, -2).to(power.device)


def power_spectra(audio: Tensor, *, n_fft: int = N_FFT) -> Tensor:
    """Power spectrogram of mono audio: `(batch, time) -> (batch, n_fft // 2 + 1, 1 + time // (n_fft // 4))`."""
    spectrum = stft(audio[:, None], n_fft=n_fft, hop=n_fft // 4)[:, 0]
    return spectrum.real.square() + spectrum.imag.square()


def mel_bands(power: Tensor, *, bands: int, n_fft: int = N_FFT) -> Tensor:
    """Power in mel bands: `(batch, n_fft // 2 + 1, frames) -> (batch, bands, frames)`."""
    bank = mel_filters(bands=bands, n_fft=n_fft, sample_rate=SAMPLE_RATE, low=LOW_HZ, high=HIGH_HZ)
    return bank.to(power) @ power
