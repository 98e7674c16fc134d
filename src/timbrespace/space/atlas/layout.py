"""Layouts of a map: positions in the plane for latents, by PCA, t-SNE or UMAP, and both directions between plane and latents.

A layout is fitted once. Further latents get a position without refitting: by their projection (PCA), or as the weighted mean of the
positions of their nearest neighbours in the latent space (t-SNE, UMAP), as `positions.interpolate_positions` does. In the
other direction the latent of a position is the weighted mean over its nearest neighbours on the map.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.space.atlas.positions import interpolate_positions

METHODS = ("tsne", "pca", "umap")
_FEWEST = 8  # with fewer points neighbourhoods mean nothing, and every method shows the plane of PCA
_MOST = 5_000  # points that t-SNE and UMAP are fitted to; the others are placed between their neighbours
_PERPLEXITY, _NEIGHBOURS = 30.0, 15  # of t-SNE and UMAP, for maps of enough points
_NEAREST = 5  # neighbours on the map; their mean is the latent of a position
_MOST_AXES = 64  # longer latents are laid out along their principal axes


@dataclass(frozen=True)
class Layout:
    """Positions of points, and what they were computed from.

    method: "tsne", "pca" or "umap". latents `(n, dims)`, positions `(n, 2)`: of the points, positions within -1 to 1.
    axes `(2, dims)`, centre `(dims,)`: of a PCA, position = (latent - centre) @ axes.T; None for the other methods.
    """

    method: str
    latents: Tensor
    positions: Tensor
    axes: Tensor | None = None
    centre: Tensor | None = None

    def place(self, latents: Tensor) -> Tensor:
        """Returns positions `(m, 2)` of latents `(m, dims)`, without refitting. Raises ShapeError."""
        if latents.ndim != 2 or latents.shape[1] != self.latents.shape[1]:
            raise ShapeError(f"latents to be placed must have the shape (m, {self.latents.shape[1]}), not {tuple(latents.shape)}")
        if not len(latents):
            return torch.zeros(0, 2)
        if self.axes is not None and self.centre is not None:
            return (latents.float() - self.centre) @ self.axes.T
        return interpolate_positions(latents.float(), latents=self.latents, positions=self.positions, neighbours=_NEAREST)

    def latents_at(self, positions: Tensor, *, known: int = 0) -> Tensor:
        """Returns latents `(m, dims)` of positions `(m, 2)`: means over the nearest points of the map, weighted by 1 / distance².

        At a point of the map this is the point's own latent. On a map of PCA the mean is then moved in the plane of the map to the
        position itself, so that `place` returns it. known: entries at the end that are known values (pitch, conditions): they are not
        mixed but those of the nearest point. Raises ShapeError.
        """
        if positions.ndim != 2 or positions.shape[1] != 2 or not torch.isfinite(positions).all():
            raise ShapeError(f"positions on a map must be finite numbers (m, 2), not {tuple(positions.shape)}")
        distances, indices = torch.cdist(positions.double(), self.positions.double()).topk(min(_NEAREST, len(self.latents)), largest=False)
        weights = 1 / (distances + 1e-9).square()
        weights = (weights / weights.sum(1, keepdim=True)).float()
        latents = (self.latents[indices] * weights[..., None]).sum(1)
        if known:
            latents[:, -known:] = self.latents[indices[:, 0], -known:]
        if self.axes is not None:
            free = self.axes[:, : latents.shape[1] - known].double()
            missing = (positions - self.place(latents)).double()
            latents[:, : free.shape[1]] += (missing @ torch.linalg.pinv(free).T).float()
        return latents


def fit_layout(latents: Tensor, method: str = "tsne", *, seed: int = 0) -> Layout:
    """Returns the layout of latents `(n, dims)`, n ≥ 1. The same seed gives the same positions.

    method: "pca": the plane of the two principal axes; "tsne": t-SNE (van der Maaten, Hinton 2008); "umap": UMAP (McInnes, Healy,
    Melville 2018), which needs the package umap-learn. Both start at the plane of PCA and are fitted to at most 5,000 points, spread over
    all; the others are placed between their neighbours. Fewer than eight points are shown by PCA. Raises ConfigError, ShapeError.
    """
    if method not in METHODS:
        raise ConfigError(f"method of the map is {method!r}, allowed are {', '.join(METHODS)}")
    if latents.ndim != 2 or not len(latents) or not torch.isfinite(latents).all():
        raise ShapeError(f"latents of a map must be finite numbers (n, dims) with n > 0, not {tuple(latents.shape)}")
    points = latents.double().numpy()
    centre = points.mean(0)
    axes, coordinates = _principal(points - centre)
    flat = coordinates[:, :2]
    if method == "pca" or len(points) < _FEWEST or flat.std() == 0:
        reach = float(np.abs(flat).max()) or 1.0
        return Layout("pca", latents.float(), _tensor(flat / reach), axes=_tensor(axes[:2] / reach), centre=_tensor(centre))
    fitted = np.linspace(0, len(points) - 1, min(len(points), _MOST)).round().astype(int)
    found = _tsne(coordinates[fitted], seed) if method == "tsne" else _umap(coordinates[fitted], seed)
    positions = _tensor(found / (float(np.abs(found).max()) or 1.0))
    whole = latents.float()
    if len(fitted) < len(points):
        positions = interpolate_positions(whole, latents=whole[fitted], positions=positions, neighbours=_NEAREST)
    return Layout(method, whole, positions)


def _principal(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Principal axes `(axes, dims)` of centred points `(n, dims)`, two at least, with fixed signs, and the coordinates `(n, axes)`."""
    covariance = centred.T @ centred if centred.shape[1] <= len(centred) else centred @ centred.T
    values, vectors = np.linalg.eigh(covariance)
    order = np.argsort(values)[::-1][:_MOST_AXES]
    order = order[values[order] > 1e-12 * max(float(values.max()), 1e-30)]
    axes = vectors[:, order].T
    if centred.shape[1] > len(centred):
        axes = axes @ centred / np.sqrt(values[order])[:, None]
    axes = axes * np.where(axes[np.arange(len(axes)), np.abs(axes).argmax(1)] < 0, -1.0, 1.0)[:, None] if len(axes) else axes
    axes = np.vstack([axes, np.zeros((max(0, 2 - len(axes)), centred.shape[1]))])
    return axes, centred @ axes.T


def _tsne(coordinates: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    start = coordinates[:, :2] / coordinates[:, 0].std() * 1e-4
    perplexity = min(_PERPLEXITY, len(coordinates) / 4)
    return np.asarray(TSNE(perplexity=perplexity, init=start, random_state=seed, n_jobs=1).fit_transform(coordinates))


def _umap(coordinates: np.ndarray, seed: int) -> np.ndarray:
    umap = load_umap()
    start = 10 * coordinates[:, :2] / np.abs(coordinates[:, :2]).max()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one thread because of the seed, as intended
        fitted = umap.UMAP(n_neighbors=min(_NEIGHBOURS, len(coordinates) - 1), init=start, random_state=seed, n_jobs=1)
        return np.asarray(fitted.fit_transform(coordinates.astype(np.float32)), dtype=np.float64)


def load_umap() -> Any:
    """Returns the module `umap`. Raises ConfigError that names the extra to install where it is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # umap mentions TensorFlow, which it does not need here
        try:
            import umap
        except ImportError:
            raise ConfigError(
                "the method umap needs the package umap-learn: pip install 'timbrespace[map]'; the methods pca and tsne need nothing more"
            ) from None
    return umap


def _tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)
