"""Griffin-Lim: alternating projections between magnitudes and consistent spectra, plain or accelerated.

Griffin and Lim 1984, "Signal estimation from modified short-time Fourier transform". Perraudin, Balazs and Søndergaard 2013, "A fast
Griffin-Lim algorithm", add momentum. Both converge quickly and then stay in a local optimum.
"""

from __future__ import annotations

from torch import Tensor

from timbrespace.representation.phase.projection import Projection, StftGrid, extrapolate


def fast_griffin_lim(spectrum: Tensor, project: Projection, grid: StftGrid, *, iterations: int, momentum: float) -> Tensor:
    """Returns a more consistent spectrum after `iterations`: `complex (frames, bins) -> complex (frames, bins)`, projected by `project`.

    spectrum: the initial one, projected by `project`. momentum: alpha of the paper; 0 is the plain algorithm of 1984.

        c[n] = grid.project(t[n - 1]);  t[n] = project(c[n] + momentum (c[n] - c[n - 1]))
    """
    previous = None
    for _ in range(iterations):
        consistent = grid.project(spectrum)
        accelerated = consistent if previous is None else extrapolate(previous, consistent, 1 + momentum)
        previous, spectrum = consistent, project(accelerated)
    return spectrum
