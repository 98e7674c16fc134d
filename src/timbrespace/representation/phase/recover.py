"""Getting phase back: from the magnitudes of an STFT to audio whose STFT has those magnitudes.

method             starts from     then
griffin-lim        random phase    plain iterations (Griffin, Lim 1984)
fast-griffin-lim   random phase    accelerated iterations (Perraudin, Balazs, Søndergaard 2013)
pghi               `pghi`          nothing
pghi+griffin-lim   `pghi`          accelerated iterations, with less momentum: it starts nearer
pghi+raar          `pghi`          reflections for three quarters of the iterations (Luke 2005), then accelerated ones

Where only bands are known and not every bin, `pghi+raar` keeps to the bands (`known`); the others take the bins as they were guessed.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.representation.phase import projection as steps
from timbrespace.representation.phase.pghi import check_grid, integrate_phase
from timbrespace.representation.phase.projection import Grid, Projection


class Method(NamedTuple):
    """A way to recover phase: whether PGHI gives its start, how many iterations follow with how much momentum, whether most reflect."""

    pghi: bool
    iterations: int
    momentum: float
    reflects: bool = False


METHODS = {
    "griffin-lim": Method(False, 32, 0.0),
    "fast-griffin-lim": Method(False, 32, 0.99),
    "pghi": Method(True, 0, 0.0),
    "pghi+griffin-lim": Method(True, 32, 0.9),
    "pghi+raar": Method(True, 32, 0.9, True),
}
DEFAULT_METHOD = "pghi+raar"


def recover_phase(
    magnitude: Tensor,
    *,
    n_fft: int,
    hop: int,
    length: int,
    method: str = DEFAULT_METHOD,
    iterations: int | None = None,
    momentum: float | None = None,
    seed: int = 0,
    known: Projection | None = None,
) -> Tensor:
    """Magnitudes of an STFT to audio, `(..., bins, frames) -> (..., length)`, each sound on its own and with the same seed.

    n_fft: periodic Hann window, samples; hop divides it; frames = 1 + length // hop, centred, as `audio.stft` makes them. method: see
    the top of this file. iterations, momentum: the method's own (METHODS) unless given. seed: of the random phases.
    known: of one sound `(bins, frames)` whose magnitudes are a guess, what is known of them (`iterations.bands_known`).
    Silence comes back as silence. Raises ShapeError, ConfigError.
    """
    way = _way(method, iterations, momentum)
    if isinstance(magnitude, Tensor) and magnitude.ndim > 2:
        sounds = magnitude.reshape(-1, *magnitude.shape[-2:])
        options: dict[str, Any] = {"n_fft": n_fft, "hop": hop, "length": length, "seed": seed}
        found = [recover_phase(one, method=method, iterations=iterations, momentum=momentum, **options) for one in sounds]
        return torch.stack(found).reshape(*magnitude.shape[:-2], length) if found else magnitude.new_zeros(*magnitude.shape[:-2], length)
    check_grid(magnitude, n_fft=n_fft, hop=hop)
    if length < 1 or magnitude.shape[1] != 1 + length // hop:
        frames = magnitude.shape[1]
        raise ShapeError(
            f"{frames} frames at hop {hop} stand for {(frames - 1) * hop}…{frames * hop - 1} samples (at least 1), not for length {length}"
        )
    if not bool(magnitude.any()):
        return magnitude.new_zeros(length)
    start = integrate_phase(magnitude, n_fft=n_fft, hop=hop, seed=seed) if way.pghi else random_phase(magnitude, seed=seed)
    return search(magnitude, start, Grid(n_fft=n_fft, hop=hop, length=length, like=magnitude), way=way, known=known)


def search(magnitude: Tensor, start: Tensor, grid: Grid, *, way: Method, known: Projection | None = None) -> Tensor:
    """The iterations of a method: magnitudes and the phase that they start from, both `(bins, frames)`, to audio `(length,)`.

    grid: that they lie on, any window, centred or not. known: as in `recover_phase`.
    """
    target = magnitude.T.contiguous()  # frames first: one frame is one run of memory for the FFT
    agree = known if known is not None and way.reflects else steps.bins_known(target)
    reflections = way.iterations * 3 // 4 if way.reflects else 0
    relaxation = min(max(1 - 2 / max(way.iterations, 1), 0.9), 0.98)  # few steps must settle soon, many may go further
    spectrum = torch.polar(target, start.T.contiguous())
    spectrum = steps.reflect(spectrum, agree, grid, iterations=reflections, relaxation=relaxation)
    return grid.audio(steps.griffin_lim(spectrum, agree, grid, iterations=way.iterations - reflections, momentum=way.momentum))


def random_phase(magnitude: Tensor, *, seed: int) -> Tensor:
    """`(bins, frames)` rad, drawn on the CPU so that every device starts alike."""
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(magnitude.T.shape, generator=rng, dtype=torch.float32).to(magnitude).T * (2 * math.pi)


def _way(method: str, iterations: int | None, momentum: float | None) -> Method:
    """The method with what was asked of it. Raises ConfigError."""
    if method not in METHODS:
        raise ConfigError(f"method is {method!r}, known are {', '.join(METHODS)}; {DEFAULT_METHOD} is the closest")
    own = METHODS[method]
    if iterations is not None and (iterations < 0 or (own.iterations == 0 and iterations)):
        allowed = "0 or more" if own.iterations else "none; for some, take pghi+raar"
        raise ConfigError(f"iterations is {iterations}, {method} allows {allowed}")
    if momentum is not None and (not 0 <= momentum <= 2 or (own.momentum == 0 and momentum)):
        allowed = "0 to 2, best under 1" if own.momentum else "none; for some, take fast-griffin-lim or pghi+raar"
        raise ConfigError(f"momentum is {momentum}, {method} allows {allowed}")
    return own._replace(
        iterations=own.iterations if iterations is None else iterations, momentum=own.momentum if momentum is None else momentum
    )


def griffin_lim(
    magnitude: Tensor,
    *,
    n_fft: int,
    hop: int,
    length: int,
    iterations: int = 32,
    momentum: float = 0.99,
    seed: int = 0,
    phase: Tensor | None = None,
) -> Tensor:
    """Accelerated Griffin-Lim (Perraudin, Balazs, Søndergaard 2013) on one sound: `(bins, frames) -> (length,)`.

    n_fft: periodic Hann window, samples; hop divides it. frames = 1 + length // hop, centred. momentum 0 is the plain algorithm
    (Griffin, Lim 1984). seed: of the random starting phase, drawn on the CPU so that every device starts alike.
    phase: `(bins, frames)` in rad to start from instead.
    """
    grid = Grid(n_fft=n_fft, hop=hop, length=length, like=magnitude)
    start = random_phase(magnitude, seed=seed) if phase is None else phase
    return search(magnitude, start, grid, way=Method(False, iterations, momentum))
