"""Griffin-Lim against a slow loop over frames, its convergence and seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from timbrespace.audio.stft import stft
from timbrespace.noise import initial_phases
from timbrespace.representation.phase.recover import griffin_lim
from tiny import drum

N_FFT, HOP = 256, 64


def magnitude_of(audio: torch.Tensor, *, n_fft: int = N_FFT, hop: int = HOP) -> torch.Tensor:
    return stft(audio[None, None], n_fft=n_fft, hop=hop)[0, 0].abs()


def convergence_db(magnitude: torch.Tensor, audio: torch.Tensor, *, n_fft: int = N_FFT, hop: int = HOP) -> float:
    """Spectral convergence: the error of the magnitudes over their own size, dB."""
    return float(20 * torch.log10((magnitude_of(audio, n_fft=n_fft, hop=hop) - magnitude).norm() / magnitude.norm()))


def slow(magnitude: np.ndarray, *, length: int, iterations: int, momentum: float, seed: int) -> np.ndarray:
    """Frame by frame in float64, as the two papers write it."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    frames, half = magnitude.shape[1], N_FFT // 2

    def inverse(spectrum: np.ndarray) -> np.ndarray:
        total, weight = np.zeros(length + 2 * N_FFT), np.zeros(length + 2 * N_FFT)
        for k in range(frames):
            at = slice(k * HOP, k * HOP + N_FFT)
            total[at] += np.fft.irfft(spectrum[:, k], n=N_FFT) * window
            weight[at] += window**2
        return (total / np.maximum(weight, 1e-8))[half : half + length]

    def forward(audio: np.ndarray) -> np.ndarray:
        padded = np.pad(audio, (half, half + N_FFT))
        return np.stack([np.fft.rfft(padded[k * HOP : k * HOP + N_FFT] * window) for k in range(frames)], axis=1)

    phase = initial_phases(seed, frames=frames, bins=magnitude.shape[0]).T
    spectrum, before = magnitude * np.exp(1j * phase), None
    for _ in range(iterations):
        now = forward(inverse(spectrum))
        ahead = now if before is None else now + momentum * (now - before)
        before = now
        spectrum = magnitude * ahead / np.maximum(np.abs(ahead), 1e-12)
    return inverse(spectrum)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("length", [1000, 1024, 1087])
def test_equals_the_slow_loop(length: int, momentum: float) -> None:
    audio = drum(1)[0, 400 : 400 + length].double()
    magnitude = magnitude_of(audio)
    found = griffin_lim(magnitude, n_fft=N_FFT, hop=HOP, length=length, iterations=6, momentum=momentum, seed=3)
    expected = slow(magnitude.numpy(), length=length, iterations=6, momentum=momentum, seed=3)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_converges_and_momentum_helps() -> None:
    plain, fast = [], []
    for index in (0, 1, 2, 3):
        audio = drum(index, seconds=0.3)[0]
        magnitude = magnitude_of(audio, n_fft=1024, hop=256)
        for momentum, row in ((0.0, plain), (0.99, fast)):
            found = griffin_lim(magnitude, n_fft=1024, hop=256, length=len(audio), iterations=32, momentum=momentum)
            row.append(convergence_db(magnitude, found, n_fft=1024, hop=256))
    assert np.mean(fast) < -18
    assert np.mean(fast) < np.mean(plain) - 1


def test_more_iterations_come_closer() -> None:
    audio = drum(4, seconds=0.2)[0]
    magnitude = magnitude_of(audio)
    few, many = (griffin_lim(magnitude, n_fft=N_FFT, hop=HOP, length=len(audio), iterations=n) for n in (2, 40))
    assert convergence_db(magnitude, many) < convergence_db(magnitude, few) - 1


def test_the_true_phase_of_one_iteration_is_exact_for_a_click() -> None:
    audio = torch.zeros(2048)
    audio[1000] = 1.0
    magnitude = magnitude_of(audio)
    found = griffin_lim(magnitude, n_fft=N_FFT, hop=HOP, length=2048, iterations=60)
    assert found.abs()[:700].max() < 1e-3  # energy stays where the magnitudes put it
    assert found.abs()[1300:].max() < 1e-3


def test_deterministic_and_seeded() -> None:
    audio = drum(1)[0, :3000]
    magnitude = magnitude_of(audio)
    one, same, other = (griffin_lim(magnitude, n_fft=N_FFT, hop=HOP, length=3000, iterations=4, seed=s) for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    state = torch.random.get_rng_state()
    griffin_lim(magnitude, n_fft=N_FFT, hop=HOP, length=3000, iterations=1, seed=9)
    assert torch.equal(state, torch.random.get_rng_state())  # the caller's rng are not touched


def test_silent_frames_do_not_divide_by_zero() -> None:
    magnitude = torch.zeros(N_FFT // 2 + 1, 20)
    magnitude[10, 5] = 1.0
    found = griffin_lim(magnitude, n_fft=N_FFT, hop=HOP, length=19 * HOP, iterations=8)
    assert torch.isfinite(found).all()
    assert torch.equal(griffin_lim(torch.zeros_like(magnitude), n_fft=N_FFT, hop=HOP, length=19 * HOP), torch.zeros(19 * HOP))
