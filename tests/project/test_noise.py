"""Noise: Philox and the rules from its words to numbers, against plain arithmetic; streams that share nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from timbrespace.noise import Noise, Purpose, initial_phases, seed_of
from timbrespace.representation.phase.pghi import integrate_phase
from timbrespace.representation.phase.recover import random_phase
from timbrespace.representation.phase.rtpghi import stream_phase

MASK = 2**64 - 1


def philox(counter: tuple[int, ...], key: tuple[int, int]) -> list[int]:
    """One block of Philox 4x64-10 in plain integers (Salmon et al. 2011, section 4)."""
    a, b, c, d = counter
    left, right = key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * a, 0xCA5A826395121157 * c
        a, b, c, d = (second >> 64) ^ b ^ left, second & MASK, (first >> 64) ^ d ^ right, first & MASK
        left, right = (left + 0x9E3779B97F4A7C15) & MASK, (right + 0xBB67AE8584CAA73B) & MASK
    return [a, b, c, d]


def words(seed: int, purpose: int, *path: int) -> list[int]:
    """The first twelve words of a stream."""
    rest = (*path, 0, 0, 0)[:3]
    return [word for block in (1, 2, 3) for word in philox((block, *rest), (seed, purpose))]


def test_the_reference_has_the_published_answers() -> None:
    assert philox((0, 0, 0, 0), (0, 0)) == [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    assert philox((MASK,) * 4, (MASK, MASK)) == [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0]


@pytest.mark.parametrize(("seed", "path"), [(0, ()), (7, (1,)), (2**63 - 1, (5, 9)), (MASK, (MASK, 0, 3))])
def test_streams_are_philox_and_numbers_follow_from_words(seed: int, path: tuple[int, ...]) -> None:
    expected = words(seed, Purpose.LATENT, *path)
    assert Noise(seed, Purpose.LATENT, *path).words(12).tolist() == expected
    even = [(word >> 11) / 2**53 for word in expected]
    assert Noise(seed, Purpose.LATENT, *path).uniform(3, 4).flatten().tolist() == even
    inner = [((word >> 11) + 0.5) / 2**53 for word in expected]
    normal = [r for a, b in zip(inner[::2], inner[1::2], strict=True) for r in box_muller(a, b)]
    np.testing.assert_allclose(Noise(seed, Purpose.LATENT, *path).normal(12), normal, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(Noise(seed, Purpose.LATENT, *path).normal(5), normal[:5], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(Noise(seed, Purpose.LATENT, *path).gumbel(12), [-math.log(-math.log(a)) for a in inner], rtol=1e-12)
    assert seed_of(seed, 3) == words(seed, Purpose.SEED, 3)[0] >> 1 < 2**63


def box_muller(a: float, b: float) -> tuple[float, float]:
    radius = math.sqrt(-2 * math.log(a))
    return radius * math.cos(2 * math.pi * b), radius * math.sin(2 * math.pi * b)


def test_distributions() -> None:
    noise = Noise(3, Purpose.GRAIN)
    drawn = noise.normal(200_000)
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
    assert abs((np.abs(drawn) > 1.959964).mean() - 0.05) < 0.003
    weights = np.array([1.0, 0.0, 3.0])
    counts = np.bincount([noise.choice(weights) for _ in range(4000)], minlength=3)
    assert counts[1] == 0
    assert abs(counts[2] / 4000 - 0.75) < 0.03
    assert noise.choice(np.array([0.0, 0.0, 2.0])) == 2


def test_streams_differ_by_seed_purpose_and_path() -> None:
    streams = [Noise(0, Purpose.LATENT), Noise(1, Purpose.LATENT), Noise(0, Purpose.PHASE)]
    streams += [Noise(0, Purpose.LATENT, 1), Noise(0, Purpose.LATENT, 0, 1)]
    assert len({tuple(stream.words(4).tolist()) for stream in streams}) == 5
    for seed, path in ((-1, ()), (2**64, ()), (0, (-1,)), (0, (1, 2, 3, 4))):
        with pytest.raises(ValueError, match="whole numbers"):
            Noise(seed, Purpose.LATENT, *path)


def test_a_call_continues_the_stream() -> None:
    whole, parts = Noise(4, Purpose.PHASE), Noise(4, Purpose.PHASE)
    assert np.array_equal(whole.uniform(5, 3), np.concatenate([parts.uniform(2, 3), parts.uniform(3, 3)]))


def test_every_way_to_a_phase_starts_alike() -> None:
    faint = torch.full((33, 6), 1e-12)  # no cell is integrated but the first
    faint[7, 0] = 1.0
    expected = torch.from_numpy(initial_phases(9, frames=6, bins=33)).float().T
    offline = integrate_phase(faint, n_fft=64, hop=16, seed=9)
    stream = stream_phase(faint, n_fft=64, hop=16, seed=9)
    torch.testing.assert_close(random_phase(faint, seed=9), expected)
    torch.testing.assert_close(offline[:, 1:], expected[:, 1:])
    torch.testing.assert_close(stream[:, 2:], expected[:, 2:])
