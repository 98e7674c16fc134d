"""Rows of a reconstruction table: sounds through an instrument or parts of it, and control rows that need no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from timbrespace.audio.embedding import embedding
from timbrespace.audio.stft import istft, stft
from timbrespace.contracts import SAMPLE_RATE, ShapeError
from timbrespace.evaluation.distribution import nearest
from timbrespace.evaluation.reconstruction import Sounds
from timbrespace.instrument import Instrument
from timbrespace.parallel import Pool

_N_FFT, _HOP = 1024, 256


def reconstructions(instrument: Instrument, originals: list[Tensor]) -> list[Tensor]:
    """Returns every sound `(channels, time)` encoded and decoded by the instrument."""
    with Pool() as pool:
        return list(pool.map(instrument.reconstruct, originals))


def true_features(instrument: Instrument, originals: list[Tensor]) -> list[Tensor]:
    """Returns every sound `(channels, time)` encoded and decoded by the representation alone: the least error that a model can have."""

    def one(audio: Tensor) -> Tensor:
        return instrument.representation.decode(instrument.representation.encode(audio[None]), length=audio.shape[-1])[0]

    with Pool() as pool:
        return list(pool.map(one, originals))


def linear_path(instrument: Instrument) -> Instrument | None:
    """Returns the instrument without its networks: principal components of the corpus, as many as latent dimensions; None without a codec.

    Latents of given sounds are refined as those of the instrument are.
    """
    model = instrument.model.linear_part()
    return None if model is None else Instrument(replace(instrument.contents, model=model))


def control_rows(
    originals: Sounds, training: Sequence[Tensor], *, sample_rate: int = SAMPLE_RATE, lengths: Tensor | None = None
) -> dict[str, list[Tensor]]:
    """Returns the rows that need no model: silence, the mean of the corpus, and the nearest training sound, in that order."""
    return {
        "silence": silence(originals),
        "mean of the corpus": corpus_mean(originals, training),
        "nearest training sound": nearest_training(originals, training, sample_rate=sample_rate, lengths=lengths),
    }


def silence(originals: Sounds) -> list[Tensor]:
    """Returns a silent sound `(channels, time)` for every original."""
    return [torch.zeros_like(sound) for sound in originals]


def corpus_mean(originals: Sounds, training: Sequence[Tensor], *, iterations: int = 32) -> list[Tensor]:
    """Returns the same sound `(1, time)` for every original: that of the mean log spectrogram of the training sounds.

    training: tensors `(channels, time)`, aligned at their onsets; each is scaled to the same loudest cell and limited to 80 dB
    below. Phases by Griffin–Lim from a fixed start. time: that of the longest original, at most 2 s at 44.1 kHz. Raises ShapeError.
    """
    if not len(training):
        raise ShapeError("the mean of a corpus needs at least one training sound")
    time = min(max(sound.shape[-1] for sound in originals), 2 * SAMPLE_RATE)
    total = torch.zeros(())
    for sound in training:
        mono = sound.float().mean(dim=0)[:time]
        mono = torch.nn.functional.pad(mono, (0, time - len(mono)))
        level = 20 * torch.log10(stft(mono[None, None], n_fft=_N_FFT, hop=_HOP).abs().clamp_min(1e-15))
        level = (level - level.amax()).clamp_min(-80.0) if bool(mono.any()) else torch.full_like(level, -80.0)
        total = total + level
    level = total / len(training)
    magnitude = torch.where(level > -79.9, 10 ** (level / 20), 0.0)
    generator = torch.Generator().manual_seed(0)
    phase = torch.polar(torch.ones_like(magnitude), 2 * torch.pi * torch.rand(magnitude.shape, generator=generator))
    audio = istft(magnitude * phase, n_fft=_N_FFT, hop=_HOP, length=time)
    for _ in range(iterations):
        spectrum = stft(audio, n_fft=_N_FFT, hop=_HOP)
        audio = istft(magnitude * spectrum / spectrum.abs().clamp_min(1e-12), n_fft=_N_FFT, hop=_HOP, length=time)
    audio = audio[0] / audio.abs().amax().clamp_min(1e-12)
    return [audio for _ in range(len(originals))]


def nearest_training(
    originals: Sounds, training: Sequence[Tensor], *, sample_rate: int = SAMPLE_RATE, lengths: Tensor | None = None
) -> list[Tensor]:
    """Returns for every original the training sound `(channels, time)` nearest to it by `audio.embedding.embedding`. Raises ShapeError."""
    if not len(training):
        raise ShapeError("the nearest training sound needs at least one training sound")
    points = embedding(originals, lengths=lengths, sample_rate=sample_rate)
    index, _ = nearest(points, embedding(training, sample_rate=sample_rate))
    return [training[int(i)] for i in index]
