"""The map of a corpus: a place in the plane for every training sound, and for any new point of the latent space."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_FEWEST = 8  # under this many sounds neighbourhoods mean nothing: principal axes are drawn
_MOST = 4000  # t-SNE's time grows faster than its use


def lay_out(latents: Tensor, *, seed: int = 0) -> Tensor:
    """Places `(n, 2)` in -1 … 1 for latents `(n, dims)`: t-SNE (van der Maaten, Hinton 2008), started from the principal axes."""
    points = latents.double().numpy()
    points = points - points.mean(0)
    axes = np.linalg.svd(points, full_matrices=False)[2][:2] if len(points) > 1 else np.zeros((1, points.shape[1]))
    flat = points @ np.vstack([axes, np.zeros((2 - len(axes), points.shape[1]))]).T
    if _FEWEST <= len(points) <= _MOST and flat.std() > 0:
        from sklearn.manifold import TSNE

        start = flat / flat[:, 0].std() * 1e-4
        flat = TSNE(perplexity=min(30.0, len(points) / 4), init=start, random_state=seed, n_jobs=1).fit_transform(points)
    reach = np.abs(flat).max()
    return torch.tensor(flat / (reach if reach > 0 else 1.0), dtype=torch.float32)


def place(points: Tensor, *, latents: Tensor, places: Tensor, neighbours: int = 5) -> Tensor:
    """Places `(m, 2)` of new points `(m, dims)`: the mean place of the nearest training sounds, nearer ones weighing more."""
    distances, indices = torch.cdist(points, latents).topk(min(neighbours, len(latents)), largest=False)
    weights = 1 / (distances + 1e-6).square()
    weights = weights / weights.sum(1, keepdim=True)
    return (places[indices] * weights[..., None]).sum(1)
