"""Sets of sounds with known neighbours, made without audio."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.audio.describe import NAMES
from timbrespace.space.neighbours.sounds import SoundSet


def made(
    points: Tensor, *, categories: Sequence[str | None] | None = None, names: Sequence[str] | None = None, descriptors: Tensor | None = None
) -> SoundSet:  # fmt: skip
    """Sounds whose embedding and latent both start with `points (n, k)`, in dB and in deviations."""
    count, width = points.shape
    embeddings, latents = torch.zeros(count, 68), torch.zeros(count, 4)
    embeddings[:, :width], latents[:, :width] = points, points[:, :4]
    return SoundSet(
        tuple(names or [f"sound {k}" for k in range(count)]),
        tuple(categories or [None] * count),
        embeddings,
        latents,
        torch.full((count, len(NAMES)), torch.nan) if descriptors is None else descriptors,
        (None,) * count,
    )


def blobs(counts: Sequence[int], *, apart: float = 20.0, seed: int = 0) -> tuple[Tensor, list[str]]:
    """Points `(n, 3)` in round groups of deviation 1 around corners `apart` from each other, and the name of each point's group."""
    random = torch.Generator().manual_seed(seed)
    corners = apart * torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    points = [corners[k] + torch.randn(count, 3, generator=random) for k, count in enumerate(counts)]
    return torch.cat(points), [name for k, count in enumerate(counts) for name in ["abcd"[k]] * count]
