"""The MDCT against its definition as a sum, and the conditions that make it orthonormal."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.representation.views.mdct import Mdct, imdct, make_window, mdct, princen_bradley_error

WINDOWS = ["sine", "kbd", "vorbis"]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def naive(audio: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
    """The definition, N values from 2N samples, window by window: `(time,) -> (N, frames)`."""
    bands = len(window) // 2
    frames = 1 + math.ceil(len(audio) / bands)
    padded = torch.zeros((frames + 1) * bands, dtype=audio.dtype)
    padded[bands : bands + len(audio)] = audio
    n, k = torch.arange(2 * bands, dtype=audio.dtype), torch.arange(bands, dtype=audio.dtype)
    cosines = torch.cos(math.pi / bands * (n[None] + 0.5 + bands / 2) * (k[:, None] + 0.5))
    pieces = [cosines @ (window * padded[frame * bands : (frame + 2) * bands]) for frame in range(frames)]
    return math.sqrt(2 / bands) * torch.stack(pieces, 1)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize(("bands", "length"), [(2, 7), (4, 1), (6, 30), (16, 100), (50, 333), (128, 128), (256, 1000)])
def test_equals_the_definition(name: str, bands: int, length: int) -> None:
    window, audio = make_window(name, size=2 * bands), noise(length)
    torch.testing.assert_close(mdct(audio, window=window), naive(audio, window), rtol=0, atol=1e-10)


@pytest.mark.parametrize("alpha", [0.0, 2.0, 4.0, 20.0])
@pytest.mark.parametrize("size", [4, 8, 200, 2048])
@pytest.mark.parametrize("name", WINDOWS)
def test_windows_obey_princen_bradley(name: str, size: int, alpha: float) -> None:
    window = make_window(name, size=size, alpha=alpha)
    assert window.shape == (size,)
    assert princen_bradley_error(window) < 1e-12
    assert (window > 0).all()


def test_windows_are_those_of_their_names() -> None:
    n = torch.arange(16, dtype=torch.float64)
    torch.testing.assert_close(make_window("sine", size=16), torch.sin(math.pi / 16 * (n + 0.5)))
    torch.testing.assert_close(make_window("vorbis", size=16), torch.sin(math.pi / 2 * torch.sin(math.pi / 16 * (n + 0.5)) ** 2))
    bessel = torch.special.i0(math.pi * 4 * torch.sqrt(1 - (2 * torch.arange(9, dtype=torch.float64) / 8 - 1) ** 2))
    wanted = torch.sqrt(bessel.cumsum(0)[:-1] / bessel.sum())
    torch.testing.assert_close(make_window("kbd", size=16, alpha=4)[:8], wanted)


@pytest.mark.parametrize("name", WINDOWS)
def test_the_transform_is_orthonormal(name: str) -> None:
    """As a matrix from samples to coefficients: columns of length one, at right angles."""
    bands, length = 8, 40
    window = make_window(name, size=2 * bands)
    matrix = mdct(torch.eye(length, dtype=torch.float64), window=window).flatten(1)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(length, dtype=torch.float64), rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(half=st.integers(1, 80), length=st.integers(1, 2000), name=st.sampled_from(WINDOWS))
def test_inversion_is_exact_and_energy_is_kept(half: int, length: int, name: str) -> None:
    window, audio = make_window(name, size=4 * half), noise(2, length, seed=length)
    values = mdct(audio, window=window)
    assert values.shape == (2, 2 * half, 1 + math.ceil(length / (2 * half)))
    torch.testing.assert_close(imdct(values, window=window, length=length), audio, rtol=0, atol=1e-11)
    torch.testing.assert_close(values.square().sum(), audio.square().sum())


def test_any_princen_bradley_window_is_accepted() -> None:
    rise = torch.linspace(0.01, math.pi / 2 - 0.01, 32, dtype=torch.float64)
    half = torch.sin((rise + (math.pi / 2 - rise.flip(0))) / 2)
    window, audio = torch.cat([half, half.flip(0)]), noise(300)
    torch.testing.assert_close(imdct(mdct(audio, window=window), window=window, length=300), audio, rtol=0, atol=1e-11)


def test_a_tone_has_few_large_coefficients() -> None:
    time = torch.arange(44_100) / 44_100
    energy = Mdct(window="kbd").encode(torch.sin(2 * math.pi * 1000 * time)[None, None])[0, 0, :, 5:-5].square()
    at = round(1000 / (22_050 / 1024))
    assert energy[at - 4 : at + 5].sum() > 0.9999 * energy.sum()


def test_other_windows_are_refused() -> None:
    hann = torch.hann_window(64, periodic=False)
    skewed = torch.cat([torch.full((4,), 0.6), torch.full((4,), 0.8)])  # squares sum to one, not symmetric
    for window in (hann, skewed, torch.full((8,), torch.nan)):
        with pytest.raises(ConfigError, match="from the Princen-Bradley"):
            mdct(noise(100), window=window)
    for window in (torch.ones(6), torch.ones(2, 8), torch.ones(0)):
        with pytest.raises(ConfigError, match="even N: 4, 8, 12"):
            imdct(noise(3, 3), window=window, length=9)


def test_coefficients_of_another_shape_are_refused() -> None:
    window = make_window("sine", size=16)
    for shape, length in (((8, 4), 30), ((7, 5), 30), ((8,), 8), ((8, 1), 0)):
        with pytest.raises(ShapeError, match="coefficients must be"):
            imdct(noise(*shape), window=window, length=length)
