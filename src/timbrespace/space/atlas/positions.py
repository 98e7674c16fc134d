"""The map of a corpus: a position in the plane for every training sound, and for any other latent."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_FEWEST = 8  # with fewer sounds neighbourhoods mean nothing, and the map shows the first two principal components
_MOST = 4000  # with more sounds t-SNE would need minutes


def fit_positions(latents: Tensor, *, seed: int = 0) -> Tensor:
    """Returns positions `(n, 2)` in -1 to 1 of latents `(n, dims)`: t-SNE (van der Maaten, Hinton 2008), initialised by PCA."""
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


def interpolate_positions(points: Tensor, *, latents: Tensor, positions: Tensor, neighbours: int = 5) -> Tensor:
    """Returns positions `(m, 2)` of further latents `points (m, dims)`: weighted means over their nearest training sounds.

    latents `(n, dims)`, positions `(n, 2)`: of the training sounds. Weights are inverse squared distances.
    """
    distances, indices = torch.cdist(points, latents).topk(min(neighbours, len(latents)), largest=False)
    weights = 1 / (distances + 1e-6).square()
    weights = weights / weights.sum(1, keepdim=True)
    return (positions[indices] * weights[..., None]).sum(1)
