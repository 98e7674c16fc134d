"""RAAR: relaxed averaged alternating reflections.

Luke 2005, "Relaxed averaged alternating reflections for diffraction imaging". Reflections go beyond both constraints and leave local
optima of Griffin-Lim, but they do not settle: a few iterations of Griffin-Lim should follow.
"""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.representation.phase.projection import Projection, StftGrid, extrapolate


def raar(spectrum: Tensor, project: Projection, grid: StftGrid, *, iterations: int, relaxation: float) -> Tensor:
    """Returns a spectrum projected by `project`: `complex (frames, bins) -> complex (frames, bins)`.

    spectrum: the initial one, projected by `project`. relaxation: beta of the paper, 0.5 to 1. With P = project, C = grid.project and the
    reflection R = 2 P - 1, one iteration is

        x <- beta (x + C(R(x))) + (1 - 2 beta) P(x)
    """
    projected = spectrum
    for _ in range(iterations):
        update = torch.view_as_real(grid.project(extrapolate(spectrum, projected, 2.0)))
        update.add_(torch.view_as_real(spectrum)).mul_(relaxation).add_(torch.view_as_real(projected), alpha=1 - 2 * relaxation)
        spectrum = torch.view_as_complex(update)
        projected = project(spectrum)
    return projected
