"""Principal axes of the latents, in the order of what they change in decoded sounds, and latents of positions on them (inverse PCA)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from timbrespace.contracts import Parameter, ShapeError
from timbrespace.space.controls.coordinates import Point
from timbrespace.space.controls.meter import Meter
from timbrespace.synthesis.controls import Controls
from timbrespace.synthesis.file.contents import InstrumentContents

FARTHEST = 4.0  # deviations: source E's range
_MOST, _COMPARED = 8, 6


def principal_axes(contents: InstrumentContents, meter: Meter, points: Sequence[Point]) -> dict[str, Tensor]:
    """Returns axes `(p, dims)`, centre `(dims,)`, scale `(p,)` and change `(p,)`, see `Controls`; p is at most 8.

    Of paths the means over time. The change is measured on decoded sounds, from one deviation under the place of a few sounds to one above.
    Conditions do not move.
    """
    inferred = contents.model.inferred_dims
    latents = torch.stack([point.z if point.z.ndim == 1 else point.z.mean(1) for point in points])
    centre = latents.mean(0)
    centred = (latents - centre)[:, :inferred].double()
    count = max(1, min(_MOST, len(latents) - 1, inferred))
    if inferred <= 512:
        values, vectors = torch.linalg.eigh(centred.T @ centred / max(1, len(centred) - 1))
        deviations, rows = values.flip(0)[:count].clamp_min(0).sqrt(), vectors.T.flip(0)[:count]
    else:
        _, singular, rows = torch.linalg.svd(centred, full_matrices=False)
        deviations, rows = (singular / max(1, len(centred) - 1) ** 0.5)[:count], rows[:count]
    rows = rows * torch.sign(rows.gather(1, rows.abs().argmax(1, keepdim=True)))
    axes = torch.zeros(len(rows), latents.shape[1])
    axes[:, :inferred] = rows.float()
    scale = deviations.float()
    compared = [points[place] for place in torch.linspace(0, len(points) - 1, min(_COMPARED, len(points))).round().long().unique().tolist()]
    changes = []
    for axis, size in zip(axes, scale, strict=True):
        below, above = ([_shifted(contents, point, sign * size * axis) for point in compared] for sign in (-1, 1))
        changes.append((meter.tiles(above) - meter.tiles(below)).square().mean(1).sqrt().mean())
    change = torch.stack(changes)
    order = change.argsort(descending=True, stable=True)
    return {"axes": axes[order].contiguous(), "centre": centre, "scale": scale[order], "change": change[order]}


def _shifted(contents: InstrumentContents, point: Point, shift: Tensor) -> Point:
    z = point.z + (shift if point.z.ndim == 1 else shift[:, None])
    return point._replace(z=contents.model.project(z[None])[0])


@dataclass(frozen=True)
class LatentAxes:
    """Principal axes of the latents, the most audible first. Positions are in deviations of the corpus: 0 is the mean.

    directions `(p, dims)`, centre `(dims,)`, change `(p,)` in dB: of a decoded sound from -1 to 1. Of a time-varying latent the axes are
    those of the means over time.
    """

    directions: Tensor
    centre: Tensor
    change: Tensor
    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, controls: Controls) -> LatentAxes:
        """Returns the axes that an instrument's controls hold; each as a Parameter from -4 to 4 (source E's range)."""
        parameters = [
            Parameter(f"axis {number}", -FARTHEST, FARTHEST, 0.0, "deviations", f"{change:.1f} dB of change from -1 to 1")
            for number, change in enumerate(controls.change.tolist(), 1)
        ]
        return cls(controls.axes * controls.scale[:, None], controls.centre, controls.change, tuple(parameters))

    def __len__(self) -> int:
        return len(self.directions)

    def positions(self, z: Tensor) -> Tensor:
        """Returns positions `(…, p)` of latents `(…, dims)`; PCA."""
        return (z - self.centre) @ self.directions.T / self.directions.square().sum(1).clamp_min(1e-12)

    def latents(self, positions: Tensor, *, around: Tensor | None = None) -> Tensor:
        """Returns latents `(…, dims)` at positions `(…, k)` on the first k axes; inverse PCA.

        A list of positions on two axes, `(n, 2)`, is source E's control path. around: a latent `(dims,)` whose other properties they
        share; None: the mean. Raises ShapeError.
        """
        count = positions.shape[-1] if positions.ndim else 0
        if not 1 <= count <= len(self) or not positions.is_floating_point() or not bool(positions.isfinite().all()):
            raise ShapeError(f"positions must be finite numbers (…, 1 to {len(self)}), not {tuple(positions.shape)} of {positions.dtype}")
        base = self.centre if around is None else around
        return base + (positions - (0 if around is None else self.positions(base)[:count])) @ self.directions[:count]
