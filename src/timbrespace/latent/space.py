"""The density of a corpus in the latent space, and drawing new points from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.model.parts.streamed_pca import principal_components
from timbrespace.noise import Noise

_CLIPS_A_COMPONENT = 6  # least mean number of clips of a component
_MOST_COMPONENTS = 96
_HALF_SHRUNK = 32.0  # clips of a component whose covariance is shrunk half-way to the pooled one
_NEAR_SPREAD = 0.2  # least spread of a coordinate that `near` names: a known condition still has neighbours
_MOST_AXES = 256  # longer latents (a plain autoencoder's code has thousands of numbers) are described along their principal axes
_MOST_EXACT = 2_048  # such latents; of more of them the axes are computed in batches, without their matrix in double precision
_SLOPE_RIDGE = 4.0  # clips whose coordinate differs by 1, against slopes of a category that are chance
_BATCH = 512  # latents in double precision at a time, of these


@dataclass(frozen=True)
class LatentSpace:
    """A mixture of Gaussians over the latents, each component within one category. Tensors alone, so that a file stores it without pickle.

    weights `(components,)` sum to 1; means `(components, dims)`; factors `(components, dims, dims)`: lower Cholesky factors of the
    covariances; shared `(dims, dims)`: Cholesky factor of the pooled covariance within components; labels: category of each component
    (None: no category).

    Latents of more than 256 numbers are described along their principal axes, at most 256: axes `(axes, dims)` with orthonormal rows,
    centre `(dims,)`. means, factors and shared then have `axes` in place of `dims`.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor
    shared: Tensor
    labels: tuple[str | None, ...]
    axes: Tensor | None = None
    centre: Tensor | None = None

    @property
    def categories(self) -> list[str]:
        """Sorted names of the categories that `draw` accepts."""
        return sorted({label for label in self.labels if label is not None})

    @classmethod
    def fit(cls, latents: Tensor, categories: list[str | None], *, seed: int = 0, played: int | None = None) -> LatentSpace:
        """Returns the mixture fitted to latents: k-means within each category, covariances shrunk towards the pooled one.

        latents: `(clips, dims)`, one clip or more. categories: one a clip. A component of n clips keeps the share n / (n + 32) of
        its own covariance. played: a coordinate that says how a sound is played, counted from the end; in every component the others
        follow it as they do in the whole category, see `draw`.
        """
        axes, centre = _principal_axes(latents) if latents.shape[1] > _MOST_AXES else (None, None)
        points = latents.double().numpy() if axes is None or centre is None else _along(latents, axes, centre)
        groups = [
            (label, points[[c == label for c in categories]]) for label in sorted(set(categories), key=lambda c: (c is None, c or ""))
        ]
        clusters = [(label, cluster) for label, group in groups for cluster in _clusters(group, total=len(points), seed=seed)]
        residuals = np.concatenate([cluster - cluster.mean(0) for _, cluster in clusters])
        dims = points.shape[1]
        # With one point in every cluster the spread is unknown: a tenth of the prior's.
        freedom = max(1, len(residuals) - len(clusters))
        pooled = residuals.T @ residuals / freedom + 1e-4 * np.eye(dims) if len(residuals) > len(clusters) else 0.01 * np.eye(dims)
        # Along principal axes the variances fall steeply: an even target would add mostly noise.
        even = np.trace(pooled) / dims * np.eye(dims) if axes is None else np.diag(np.diag(pooled))
        pooled = _shrunk(pooled, even, count=freedom, half=float(dims))
        covariances = [_shrunk(_covariance(cluster), pooled, count=len(cluster), half=_HALF_SHRUNK) for _, cluster in clusters]
        if played is not None and axes is None:
            slopes = {label: _slope(group, played) for label, group in groups}
            covariances = [_following(one, slopes[label], played) for one, (label, _) in zip(covariances, clusters, strict=True)]
        factors = [np.linalg.cholesky(one) for one in covariances]

        def tensor(values: object) -> Tensor:
            return torch.tensor(np.asarray(values), dtype=torch.float32)

        return cls(
            weights=tensor([len(cluster) / len(points) for _, cluster in clusters]),
            means=tensor([cluster.mean(0) for _, cluster in clusters]),
            factors=tensor(factors),
            shared=tensor(np.linalg.cholesky(pooled)),
            labels=tuple(label for label, _ in clusters),
            axes=None if axes is None else tensor(axes),
            centre=None if centre is None else tensor(centre),
        )

    def anonymous(self, clips: int, *, fewest: int = 3) -> LatentSpace:
        """Returns the space without components of fewer than `fewest` of its `clips` sounds, because the mean of one sound is that sound.

        Each of them becomes the component of all of them together: without a category, its covariance the pooled one plus that of
        their means. Where they have fewer than `fewest` sounds together, each becomes the heaviest of the other components, unless
        there are no others. Weights and order stay, so that every other component is drawn with the same seeds as before.
        """
        counts = self.weights.double() * clips
        small = counts < fewest - 0.5
        if not bool(small.any()) or (bool(small.all()) and float(counts.sum()) < fewest - 0.5):
            return self
        label: str | None
        if float(counts[small].sum()) >= fewest - 0.5:
            shares = (counts[small] / counts[small].sum()).float()
            mean = shares @ self.means[small]
            centred = self.means[small] - mean
            covariance = self.shared @ self.shared.T + (centred * shares[:, None]).T @ centred
            factor, label = torch.linalg.cholesky(covariance), None
        else:
            heaviest = int(self.weights.masked_fill(small, -1.0).argmax())
            mean, factor, label = self.means[heaviest], self.factors[heaviest], self.labels[heaviest]
        means = torch.where(small[:, None], mean, self.means)
        factors = torch.where(small[:, None, None], factor, self.factors).contiguous()  # as from a file: products round alike
        labels = tuple(label if is_small else own for own, is_small in zip(self.labels, small.tolist(), strict=True))
        return LatentSpace(self.weights, means, factors, self.shared, labels, self.axes, self.centre)

    def draw(
        self,
        noise: Noise,
        *,
        category: str | None = None,
        temperature: float = 1.0,
        last: float | Callable[[float], float] | None = None,
        near: Mapping[int, float] | None = None,
        played: Mapping[int, float | Callable[[float], float]] | None = None,
    ) -> tuple[Tensor, str | None]:
        """Returns one point `(dims,)` and its category. temperature: factor of the spread about a component's mean; 0 gives means.

        last: value of the last coordinate, or a function of the drawn value; the other coordinates are then drawn conditionally on it.
        near: coordinate -> value; components that make these values likely are preferred, the point itself is not moved there.
        played: coordinate -> value, or a function of the drawn one; the others are drawn conditionally on it, as on `last`, but the
        component does not depend on it: with another value the same sound is drawn, moved as far as the component's covariance says.
        Raises ConfigError when `category` is not one of `categories`.
        """
        allowed = np.array([category is None or label == category for label in self.labels])
        if not allowed.any():
            known = ", ".join(self.categories) or "none: its training sounds had no categories"
            raise ConfigError(f"category is {category!r}, this instrument has {known}")
        weights = self.weights.double().numpy() * allowed
        if isinstance(last, float | int):  # likelihood of the value under each component
            spread = self.factors[:, -1].double().norm(dim=1).numpy()
            log = -0.5 * ((last - self.means[:, -1].double().numpy()) / spread) ** 2 - np.log(spread)
            weights = weights * np.exp(np.where(allowed, log - log[allowed].max(), -np.inf))
        if near and self.axes is None:
            coordinates, values = list(near), np.array(list(near.values()))
            spread = self.factors[:, coordinates].double().norm(dim=2).numpy() + _NEAR_SPREAD
            log = (-0.5 * ((values - self.means[:, coordinates].double().numpy()) / spread) ** 2 - np.log(spread)).sum(1)
            weights = weights * np.exp(np.where(weights > 0, log - log[weights > 0].max(), -np.inf))
        component = noise.choice(weights)
        offset = torch.from_numpy(noise.normal(self.means.shape[1]).astype(np.float32))
        factor = self.factors[component]
        point = self.means[component] + temperature * (factor @ offset)
        if last is not None:
            value = last(float(point[-1])) if callable(last) else float(last)
            shared = factor @ factor[-1]  # covariance of every coordinate with the last
            point = point + shared / shared[-1] * (value - point[-1])
            point[-1] = value
        if played and self.axes is None:
            factor = factor if last is None else factor - shared[:, None] / shared[-1] * factor[-1]  # the remaining factor, given `last`
            point = _moved(point, factor, played)
        point = self._to_latent(point)
        return point if self.centre is None else self.centre + point, self.labels[component]

    def slope(self, category: str | None, coordinate: int) -> Tensor:
        """Returns by how much all coordinates `(dims,)` change with one, counted from the end, in a category; 0 for an unknown one."""
        if category not in self.labels or self.axes is not None:
            return torch.zeros(self.shared.shape[0])
        factor = self.factors[self.labels.index(category)]
        shared = factor @ factor[coordinate]
        return shared / shared[coordinate]

    def around(self, point: Tensor, noise: Noise, *, amount: float, known: int = 0) -> Tensor:
        """Returns a point `(dims,)` near `point (dims,)`, offset by `amount` times the pooled spread.

        known: of the last coordinates, which stay as they are; the spread of the others is what these leave of it.
        """
        offset = self.shared @ torch.from_numpy(noise.normal(len(self.shared)).astype(np.float32))
        if known and self.axes is None:
            covariance = self.shared @ self.shared.T
            slopes = torch.linalg.solve(covariance[-known:, -known:], covariance[-known:])
            offset = offset - offset[-known:] @ slopes
        return point + amount * self._to_latent(offset)

    def offset(self, standard: Tensor) -> Tensor:
        """Returns the offset `(dims,)` of standardised coordinates `(len(shared),)`: unit normal ones give the pooled spread."""
        return self._to_latent(self.shared @ standard)

    def distance(self, a: Tensor, b: Tensor) -> float:
        """Returns how far two points `(dims,)` are apart in units of the pooled spread: about `amount` for a point of `around`."""
        apart = b - a if self.axes is None else self.axes @ (b - a)
        standard = torch.linalg.solve_triangular(self.shared.double(), apart.double()[:, None], upper=False)
        return float(standard.square().mean().sqrt())

    def coordinates(self, latents: Tensor) -> Tensor:
        """Returns latents `(n, dims)` as the space describes them, `(n, axes)` along its principal axes; the same without axes."""
        if self.axes is None or self.centre is None:
            return latents
        return torch.from_numpy(_along(latents, self.axes.double().numpy(), self.centre.double().numpy())).float()

    def _to_latent(self, direction: Tensor) -> Tensor:
        """A direction `(axes,)` along the principal axes as `(dims,)`; unchanged where there are no axes."""
        return direction if self.axes is None else direction @ self.axes


def _moved(point: Tensor, factor: Tensor, played: Mapping[int, float | Callable[[float], float]]) -> Tensor:
    """A point `(dims,)` with coordinates at given values, the others by their regression on these; factor `(dims, n)` of the covariance."""
    for coordinate, wanted in played.items():
        value = wanted(float(point[coordinate])) if callable(wanted) else float(wanted)
        shared = factor @ factor[coordinate]
        slope = shared / shared[coordinate]
        point = point + slope * (value - point[coordinate])
        point[coordinate] = value
        factor = factor - slope[:, None] * factor[coordinate]
    return point


def _principal_axes(latents: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Principal axes `(axes, dims)` of latents `(n, dims)`, at most n or 256, and their mean `(dims,)`.

    Of more than 2,048 latents by subspace iteration over batches of all of them (`principal_components`), without a decomposition of
    the whole matrix.
    """
    if len(latents) > _MOST_EXACT:
        mean, basis, deviations = principal_components(lambda: iter(latents.split(_BATCH)), rows=len(latents), count=_MOST_AXES)
        return basis[: max(1, int((deviations > 0).sum()))].double().numpy(), mean.double().numpy()
    points = latents.double().numpy()
    centre = points.mean(0)
    _, spread, axes = np.linalg.svd(points - centre, full_matrices=False)
    rank = max(1, int((spread > 1e-6 * spread[0]).sum())) if spread[0] > 0 else 1
    return axes[: min(rank, _MOST_AXES)], centre


def _along(latents: Tensor, axes: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Latents `(n, dims)` along axes `(axes, dims)` from `centre (dims,)`: `(n, axes)` in double precision."""
    size = _BATCH if len(latents) > _MOST_EXACT else _MOST_EXACT
    return np.concatenate([(some.double().numpy() - centre) @ axes.T for some in latents.split(size)])


def _clusters(points: np.ndarray, *, total: int, seed: int) -> list[np.ndarray]:
    """The points `(n, dims)` of one category, split by k-means."""
    count = max(1, min(len(points) // _CLIPS_A_COMPONENT, round(_MOST_COMPONENTS * len(points) / total)))
    count = min(count, len(np.unique(points, axis=0)))  # a corpus may hold one sound many times
    if count == 1:
        return [points]
    from sklearn.cluster import KMeans

    labels = KMeans(count, n_init=2, random_state=seed).fit_predict(points)
    return [points[labels == k] for k in range(count) if (labels == k).any()]


def _covariance(points: np.ndarray) -> np.ndarray:
    centred = points - points.mean(0)
    return np.asarray(centred.T @ centred / max(1, len(points) - 1))


def _slope(points: np.ndarray, coordinate: int) -> np.ndarray:
    """The change of every coordinate with one of them, `(dims,)`, over the points `(n, dims)` of a category, their pitch apart.

    What comes after the coordinate is known too, and is an input of the regression as well. Few points that hardly differ in it tell
    little: the slope is then smaller.
    """
    centred = points - points.mean(0)
    known = centred[:, coordinate:]
    square = known.T @ known + _SLOPE_RIDGE * np.eye(known.shape[1])
    return np.asarray(np.linalg.solve(square, known.T @ centred)[0])


def _following(covariance: np.ndarray, slope: np.ndarray, coordinate: int) -> np.ndarray:
    """A covariance whose coordinates follow one by `slope (dims,)`; its variance and those of the others given it stay as they are.

    What comes after it, known as well, keeps its covariance with it.
    """
    variance = covariance[coordinate, coordinate]
    own = covariance[:, coordinate] / variance
    wanted = slope.copy()
    wanted[coordinate:] = own[coordinate:]
    rest = covariance - variance * np.outer(own, own)
    return np.asarray(rest + variance * np.outer(wanted, wanted) + 1e-8 * np.eye(len(covariance)))


def _shrunk(covariance: np.ndarray, target: np.ndarray, *, count: float, half: float) -> np.ndarray:
    """A covariance of `count` points shrunk towards `target`, half-way where `count` is `half`."""
    share = count / (count + half)
    return np.asarray(share * covariance + (1 - share) * target + 1e-8 * np.eye(len(target)))
