"""Principal axes of the latents, in the order of what they change in decoded sounds, and latents of positions on them (inverse PCA)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.space.controls.coordinates import Point
from timbrespace.space.controls.meter import Meter
from timbrespace.synthesis.file.contents import InstrumentContents

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
