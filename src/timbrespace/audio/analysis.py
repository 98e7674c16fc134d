"""The common basis of error measures and embedding: mono audio at 44.1 kHz, its spectrograms, and the flatness of their tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from timbrespace.audio.stft import mel_filters, stft
from timbrespace.contracts import SAMPLE_RATE, ConfigError, ShapeError, check_audio, check_lengths

Sounds = Tensor | Sequence[Tensor]  # a padded batch (batch, channels, time), or a list of (channels, time)

N_FFT, HOP, BANDS = 1024, 256, 128  # 23 ms, 5.8 ms
LOW_HZ, HIGH_HZ = 20.0, 22_050.0
FLOOR_DB = 80.0  # cells are clipped this far below the loudest
TINY = 1e-30  # power; far below that of any float32 audio
LONGEST_S = 10.0  # analysed of a sound, so that one long file cannot fill the memory
_CHUNK = 32  # sounds at a time, so that memory does not grow

# Grain: tiles of 16 bins × 8 frames (690 Hz × 46 ms), from 8 bins up.
_TILE_BINS, _TILE_FRAMES, _FIRST_BIN = 16, 8, 8
AUDIBLE_DB = 50.0  # tiles this far below the loudest tile are ignored


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


@torch.no_grad()
def tile_flatness(power: Tensor) -> tuple[Tensor, Tensor]:
    """Flatness and level of every tile in dB: power spectrogram `(batch, 513, frames) -> 2 × (batch, bands, steps)`.

    Levels are relative to the loudest tile, -inf everywhere for silence. Frames after the last complete tile are left out.
    """
    bands, steps = (power.shape[1] - _FIRST_BIN) // _TILE_BINS, power.shape[2] // _TILE_FRAMES
    power = power[:, _FIRST_BIN : _FIRST_BIN + bands * _TILE_BINS, : steps * _TILE_FRAMES].unflatten(1, (bands, _TILE_BINS))
    mean = power.mean(dim=2)
    least = (mean.amax(dim=(1, 2)) * 10 ** (-(FLOOR_DB + 20) / 10)).clamp_min(TINY)[:, None, None]
    log_mean = mean.maximum(least).log10()
    # Each frame relative to its own mean: a fast decay within a tile is not a lack of grain.
    flatness = 10 * (power.maximum(least[:, None]).log10().mean(dim=2) - log_mean).clamp_max(0)
    flatness = flatness.unflatten(2, (steps, _TILE_FRAMES)).mean(dim=3)
    tiles = mean.unflatten(2, (steps, _TILE_FRAMES)).mean(dim=3)
    loudest = tiles.amax(dim=(1, 2), keepdim=True)
    level = torch.where(loudest > TINY, 10 * torch.log10(tiles.clamp_min(TINY) / loudest.clamp_min(TINY)), -torch.inf)
    return flatness, level


def power_spectra(audio: Tensor, *, n_fft: int = N_FFT) -> Tensor:
    """Power spectrogram of mono audio: `(batch, time) -> (batch, n_fft // 2 + 1, 1 + time // (n_fft // 4))`."""
    spectrum = stft(audio[:, None], n_fft=n_fft, hop=n_fft // 4)[:, 0]
    return spectrum.real.square() + spectrum.imag.square()


def mel_bands(power: Tensor, *, bands: int, n_fft: int = N_FFT) -> Tensor:
    """Power in mel bands: `(batch, n_fft // 2 + 1, frames) -> (batch, bands, frames)`."""
    bank = mel_filters(bands=bands, n_fft=n_fft, sample_rate=SAMPLE_RATE, low=LOW_HZ, high=HIGH_HZ)
    return bank.to(power) @ power
