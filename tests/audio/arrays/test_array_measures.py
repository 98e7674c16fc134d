"""timbrespace.audio.arrays: fast sizes, spectra, and embeddings of single sounds as in batches."""

from __future__ import annotations

import numpy as np
import torch
from scipy import fft, signal

from timbrespace.audio.arrays.embedding import EMBEDDING_DIMS, embed
from timbrespace.audio.arrays.notes import root_note
from timbrespace.audio.arrays.spectra import fft_size, hann, power_spectra
from timbrespace.audio.embedding import embedding
from timbrespace.audio.stft import power_spectrogram

RATE = 44_100


def burst(rng: np.random.Generator, seconds: float = 0.4, *, channels: int = 1) -> np.ndarray:
    """Decaying noise `(channels, time)`."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (rng.standard_normal((channels, len(time))) * np.exp(-12 * time)).astype(np.float32)


def test_fast_sizes_are_those_of_scipy(rng: np.random.Generator) -> None:
    sizes = [*range(1, 700), *rng.integers(700, 3_000_000, 300).tolist()]
    assert [fft_size(size) for size in sizes] == [fft.next_fast_len(size, real=True) for size in sizes]


def test_windows_are_those_of_scipy() -> None:
    assert np.allclose(hann(1024), signal.windows.hann(1024, sym=False), atol=1e-7)
    assert np.allclose(hann(15, periodic=False), signal.windows.hann(15), atol=1e-7)


def test_power_spectra_are_those_of_tensors(rng: np.random.Generator) -> None:
    audio = burst(rng, channels=2)
    found = power_spectra(audio)
    wanted = power_spectrogram(torch.from_numpy(audio)[None], n_fft=1024, hop=256)[0].transpose(-1, -2).numpy()
    assert found.shape == (2, 1 + audio.shape[1] // 256, 513)
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-6 * wanted.max())


def test_an_embedding_is_the_same_alone_in_a_batch_and_at_double_precision(rng: np.random.Generator) -> None:
    sounds = [burst(rng, 0.2), burst(rng, 0.7), 0.1 * burst(rng, 0.05)]
    longest = max(sound.shape[1] for sound in sounds)
    padded = torch.stack([torch.from_numpy(np.pad(sound, ((0, 0), (0, longest - sound.shape[1])))) for sound in sounds])
    alone = np.stack([embed(sound) for sound in sounds])
    assert alone.shape == (3, EMBEDDING_DIMS)
    assert np.array_equal(embedding([torch.from_numpy(sound) for sound in sounds]).numpy(), alone)
    assert np.allclose(embedding(padded, lengths=torch.tensor([sound.shape[1] for sound in sounds])).numpy(), alone, atol=1e-4)
    assert np.allclose(np.stack([embed(sound.astype(np.float64)) for sound in sounds]), alone, atol=1e-3)
    assert np.allclose(embed(np.repeat(sounds[0], 2, axis=0)), alone[0], atol=1e-4)  # two equal channels


def test_embeddings_of_silence_and_single_samples_are_finite() -> None:
    for audio in (np.zeros((1, 1)), np.zeros((2, 9000)), np.ones((1, 1))):
        assert np.isfinite(embed(audio.astype(np.float32))).all()


def test_the_root_note_of_tones_and_noise(rng: np.random.Generator) -> None:
    time = np.arange(RATE) / RATE
    tone = sum(np.sin(2 * np.pi * 220 * k * time) / k for k in (1, 2, 3))[None] * np.exp(-2 * time)
    assert root_note(tone, RATE) == 57
    assert root_note(burst(rng), RATE) is None
    assert root_note(np.zeros((1, 100)), RATE) is None
