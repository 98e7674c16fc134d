"""Places of the map and principal axes of an instrument's training sounds, in arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from timbrespace.synthesis.file.contents import InstrumentContents

_NEAREST = 5  # training sounds that a place of the map is mixed of


class Places:
    """latents `(n, dims)` of the training sounds, positions `(n, 2)` of any range, categories one each; n 0: there are none.

    points `(n, 2)`: the positions from 0 to 1."""

    def __init__(self, latents: np.ndarray, positions: np.ndarray, categories: list[str | None], *, axes: np.ndarray | None = None):
        """axes `(count, dims)`: principal axes; None: those of the latents."""
        self._latents = latents.astype(np.float32)
        low, high = (positions.min(0), positions.max(0)) if len(positions) else (0.0, 1.0)
        self.points = (positions.astype(np.float32) - low) / np.maximum(high - low, 1e-9)
        self.categories = np.array([*categories, None], object)[:-1]
        self.axes = _principal(self._latents) if axes is None else axes.astype(np.float32)

    @classmethod
    def of_contents(cls, contents: InstrumentContents) -> Places:
        """Returns those of an instrument that PyTorch plays."""
        clips, dims = contents.clips, contents.model.dims
        if clips is None:
            return cls(np.zeros((0, dims)), np.zeros((0, 2)), [])
        return cls(clips.latents.numpy(), clips.positions.numpy(), list(clips.categories))

    @property
    def known(self) -> bool:
        """Whether there is a map."""
        return len(self._latents) > 0

    def at(self, place: tuple[float, float], *, category: str | None = None) -> np.ndarray:
        """Returns the latent at a place, 0 to 1 each, mixed of the nearest training sounds, of a category where there are any.

        Weights fall to 0 at the distance of the next sound, so that nothing jumps where another one becomes one of the nearest.
        """
        rows = self.categories == category
        if category is None or not rows.any():
            rows = np.ones(len(self.categories), bool)
        latents, places = self._latents[rows], self.points[rows]
        distances = np.square(places - np.array(place, np.float32)).sum(1)
        nearest = np.argsort(distances, kind="stable")[: _NEAREST + 1]
        weights = 1 / (distances[nearest].astype(np.float64) + 1e-9)
        if len(nearest) > _NEAREST:
            weights = np.maximum(weights - weights[-1], 1e-12)
        return np.asarray((latents[nearest] * (weights / weights.sum())[:, None]).sum(0), np.float32)


def _principal(latents: np.ndarray) -> np.ndarray:
    """The principal axes `(count, dims)` of points, each as long as its standard deviation, the longest first."""
    if len(latents) < 2:
        return np.zeros((0, latents.shape[1]), np.float32)
    _, lengths, rows = np.linalg.svd((latents - latents.mean(0)).astype(np.float64), full_matrices=False)
    signs = np.sign(np.take_along_axis(rows, np.abs(rows).argmax(1, keepdims=True), 1))
    found = rows * signs * (lengths / np.sqrt(len(latents) - 1))[:, None]
    return np.asarray(found[lengths > 1e-9 * max(lengths[0], 1e-9)], np.float32)
