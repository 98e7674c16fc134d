"""Statistics of a latent space: how its dimensions are used, how far they are from the prior, and what they share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from timbrespace.noise import Noise, Purpose
from timbrespace.synthesis import sequences
from timbrespace.synthesis.file.contents import InstrumentContents

ACTIVE = 0.01  # variance of the posterior's mean over sounds, above which a dimension is an active unit (Burda et al. 2016)
_LEAST_DEVIATION = 0.01  # of the largest: of a latent without a prior, whose unit is its own
_DRAWN = 2_000  # points from the density of a stripped instrument
_BINS = 40
_PRIOR_RANGE = 4.0  # deviations of the prior that the histograms of a variational model show
_MOST_CORRELATED = 64  # dimensions with correlations, those that vary most


@dataclass(frozen=True)
class LatentStatistics:
    """Statistics of each latent dimension over the sounds of an instrument. Tensors `(dims,)`, unless said.

    points `(n, dims)`: latents of the sounds, posterior means, of time-varying latents their means over time; categories: one each.
    measured: whether these are the training sounds; else they were drawn from the density of a stripped instrument.
    inferred: number of dimensions that the encoder infers; the others are known values (pitch, velocity, conditions).
    has_prior: whether the model has a Gaussian posterior, which the prior N(0, 1) is compared with.
    mean, deviation: over `points`. variance `(inferred,)`: of the posterior mean, over time too. noise `(inferred,)`: mean variance of
    the posterior; None where the file does not hold it. kl `(inferred,)`: KL divergence of the posterior from the prior in nats a sound,
    mean over sounds; None without a posterior. used `(inferred,)`: active units.
    share: of a dimension's variance between the categories (correlation ratio η²), NaN with fewer than two categories.
    edges `(bins + 1,)`, counts `(dims, bins)`: histograms; values beyond the edges are in the outer bins.
    correlated: the dimensions that vary most, at most 64; correlations `(len, len)` between them.
    notes: undefined figures of this instrument and why, in words.
    """

    points: Tensor
    categories: tuple[str | None, ...]
    measured: bool
    inferred: int
    has_prior: bool
    mean: Tensor
    deviation: Tensor
    variance: Tensor
    noise: Tensor | None
    kl: Tensor | None
    used: Tensor
    share: Tensor
    edges: Tensor
    counts: Tensor
    correlated: tuple[int, ...]
    correlations: Tensor
    notes: tuple[str, ...]

    @property
    def dims(self) -> int:
        """Size of the latent space."""
        return self.points.shape[1]

    @property
    def total_deviation(self) -> Tensor | None:
        """Deviation of the aggregate posterior `(inferred,)`: of means and noise together, 1 for a space that equals the prior."""
        return None if self.noise is None else (self.variance + self.noise).sqrt()

    @property
    def prior_distance(self) -> Tensor | None:
        """KL divergence in nats `(inferred,)` of the aggregate posterior, taken as a Gaussian, from the prior; 0 for the prior itself.

        One part of the KL (Hoffman, Johnson 2016): the other is the information that a dimension holds about a sound.
        """
        total = self.total_deviation
        if total is None:
            return None
        variance = total.square()
        return 0.5 * (self.mean[: self.inferred].square() + variance - 1 - variance.log())

    @property
    def order(self) -> list[int]:
        """The inferred dimensions, the most informative first: by KL, without a posterior by variance."""
        return torch.argsort(self.variance if self.kl is None else self.kl, descending=True, stable=True).tolist()

    def strongest(self, count: int = 8) -> list[tuple[int, int, float]]:
        """Returns the pairs of dimensions with the largest correlation, and it: at most `count`, beyond what chance gives (3 / √n)."""
        found = []
        for i, one in enumerate(self.correlated):
            for j in range(i):
                value = float(self.correlations[i, j])
                if abs(value) > 3 / math.sqrt(max(len(self.points), 1)):
                    found.append((min(one, self.correlated[j]), max(one, self.correlated[j]), value))
        return sorted(found, key=lambda pair: -abs(pair[2]))[:count]

    def to_json(self) -> dict[str, Any]:
        """Returns all but the points as plain JSON values; None for undefined figures."""

        def numbers(values: Tensor | None) -> list[Any] | None:
            if values is None:
                return None
            return [round(value, 5) if math.isfinite(value) else None for value in values.tolist()]

        return {
            "dims": self.dims,
            "inferred": self.inferred,
            "sounds": len(self.points),
            "of": "training sounds" if self.measured else "points drawn from the density",
            "active_units": int(self.used.sum()),
            "unused": [number + 1 for number, used in enumerate(self.used.tolist()) if not used],
            "kl_nats": None if self.kl is None else round(float(self.kl.sum()), 4),
            "dimensions": {
                "mean": numbers(self.mean),
                "deviation": numbers(self.deviation),
                "variance_of_means": numbers(self.variance),
                "noise_variance": numbers(self.noise),
                "total_deviation": numbers(self.total_deviation),
                "kl_nats": numbers(self.kl),
                "distance_from_prior_nats": numbers(self.prior_distance),
                "share_between_categories": numbers(self.share),
            },
            "histograms": {"edges": numbers(self.edges), "counts": self.counts.int().tolist()},
            "correlations": {
                "dimensions": [number + 1 for number in self.correlated],
                "values": [numbers(row) for row in self.correlations],
            },
            "notes": list(self.notes),
        }


def latent_statistics(contents: InstrumentContents, *, seed: int = 0) -> LatentStatistics:
    """Returns the statistics of an instrument's latent space.

    They are those of its training sounds, and, for KL and noise, those on the card. A stripped instrument holds no latents: 2,000 points
    are drawn from its density with `seed`.
    """
    clips, model = contents.clips, contents.model
    points, categories = _drawn(contents, seed) if clips is None else (clips.latents.float(), clips.categories)
    inferred = model.inferred_dims
    training = contents.card.get("training") if isinstance(contents.card, dict) else None
    training = training if isinstance(training, dict) else {}
    kl = _of_card(training, "kl_per_dimension", inferred)
    noise = _of_card(training, "noise_per_dimension", inferred)
    notes = [] if clips is not None else [f"the instrument was stripped of its latents: these are {_DRAWN:,} points drawn from its density"]
    has_prior = kl is not None and (noise is not None or bool((kl > 0).any()))
    deviation = points.double().std(0, correction=0).float()
    variance = deviation[:inferred].square()
    if model.time_varying:
        stored = _of_card(training, "variance_per_dimension", inferred)
        variance = variance if stored is None else stored
        notes.append(
            "the latent varies in time: points are means over the steps of a sound"
            + ("; variances count the steps too" if stored is not None else "; variances do not count the steps, and are smaller")
        )
    if kl is None:
        notes.append("the card of this file holds no KL: KL, information and distance from the prior are not known")
    elif not has_prior:
        notes.append(
            "the latent is a code without noise (a plain or bounded autoencoder, or a codebook): it has no posterior and no prior, so "
            "that KL, active units and distance from the prior are not defined; a dimension counts as used if its deviation is over 1 % of "
            "the largest"
        )
    elif noise is None:
        notes.append(
            "the card of this file, of an earlier version, holds no variance of the posterior: the distance from the prior is not known"
        )
    if model.conditioning.size:
        notes.append(
            f"the last {model.conditioning.size} of {model.dims} dimensions are known values (conditions, pitch, velocity), not inferred"
        )
    used = used_dimensions(variance, has_prior=has_prior or kl is None)
    edges = _edges(points[:, :inferred], prior=has_prior)
    most = sorted(torch.argsort(deviation, descending=True, stable=True)[:_MOST_CORRELATED].tolist())
    return LatentStatistics(
        points=points,
        categories=tuple(categories),
        measured=clips is not None,
        inferred=inferred,
        has_prior=has_prior,
        mean=points.double().mean(0).float(),
        deviation=deviation,
        variance=variance,
        noise=noise if has_prior else None,
        kl=kl if has_prior else None,
        used=used,
        share=between_categories(points, categories),
        edges=edges,
        counts=histograms(points, edges),
        correlated=tuple(most),
        correlations=correlations(points[:, most]),
        notes=tuple(notes),
    )


def used_dimensions(variance: Tensor, *, has_prior: bool) -> Tensor:
    """Returns whether each dimension is used `(dims,)`, by the variance of the posterior's mean over sounds `(dims,)`.

    has_prior: the active units, over 0.01; else the latent has its own unit, and a deviation over 1 % of the largest counts.
    """
    return variance > ACTIVE if has_prior else variance.sqrt() > _LEAST_DEVIATION * variance.max().sqrt()


def between_categories(points: Tensor, categories: tuple[str | None, ...]) -> Tensor:
    """Returns the share of each dimension's variance between categories `(dims,)`: η² (Pearson 1903), 0 to 1.

    Points `(n, dims)` without a category are left out. NaN for a dimension without variance, or with fewer than two categories.
    """
    names = sorted({category for category in categories if category is not None})
    known = torch.tensor([category is not None for category in categories], dtype=torch.bool)
    inside = points[known].double()
    if len(names) < 2:
        return torch.full((points.shape[1],), torch.nan)
    numbers = torch.tensor([names.index(category) for category in categories if category is not None])
    total = (inside - inside.mean(0)).square().sum(0)
    within = torch.zeros_like(total)
    for number in range(len(names)):
        group = inside[numbers == number]
        within += (group - group.mean(0)).square().sum(0)
    return torch.where(total > 1e-12, 1 - within / total.clamp_min(1e-12), torch.nan).float()


def correlations(points: Tensor) -> Tensor:
    """Returns Pearson's correlations `(dims, dims)` between the dimensions of points `(n, dims)`; 0 where one does not vary."""
    centred = points.double() - points.double().mean(0)
    size = centred.norm(dim=0)
    standard = torch.where(size > 1e-9, centred / size.clamp_min(1e-9), 0.0)
    return (standard.T @ standard).float()


def histograms(points: Tensor, edges: Tensor) -> Tensor:
    """Returns counts `(dims, bins)` of points `(n, dims)` between edges `(bins + 1,)`; values beyond are in the outer bins."""
    bins = torch.bucketize(points.contiguous(), edges[1:-1].contiguous(), right=True)
    counts = torch.zeros(points.shape[1], len(edges) - 1)
    return counts.scatter_add_(1, bins.T, torch.ones_like(bins.T, dtype=torch.float32))


def _edges(points: Tensor, *, prior: bool) -> Tensor:
    """Edges of the histograms `(bins + 1,)`: -4 to 4 for a model with a prior, else the range of the points, symmetric about 0."""
    reach = _PRIOR_RANGE if prior else float(points.abs().max()) or 1.0
    return torch.linspace(-reach, reach, _BINS + 1)


def _of_card(training: dict[str, Any], name: str, inferred: int) -> Tensor | None:
    """Values of each inferred dimension on the card; None where it has none, or others."""
    values = training.get(name)
    if not isinstance(values, list) or len(values) != inferred or not all(isinstance(value, int | float) for value in values):
        return None
    return torch.tensor([float(value) for value in values])


def _drawn(contents: InstrumentContents, seed: int) -> tuple[Tensor, tuple[str | None, ...]]:
    """Points `(2000, dims)` drawn from the density, and their categories."""
    points, labels = [], []
    for number in range(_DRAWN):
        point, label = contents.space.draw(Noise(seed, Purpose.LATENT, number))
        points.append(sequences.path_at(contents, point, None)[0].mean(1) if contents.model.time_varying else point)
        labels.append(label)
    return torch.stack(points).float(), tuple(labels)
