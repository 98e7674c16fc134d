"""Phase retrieval: from the magnitudes of an STFT to audio whose STFT has those magnitudes.

method             initial phase   iterations
griffin-lim        random          Griffin-Lim (Griffin & Lim 1984)
fast-griffin-lim   random          accelerated Griffin-Lim (Perraudin, Balazs & Søndergaard 2013)
pghi               PGHI            none (Průša, Balazs & Søndergaard 2017)
pghi+griffin-lim   PGHI            accelerated Griffin-Lim with less momentum, because PGHI starts nearer to the result
pghi+raar          PGHI            RAAR for three quarters of the iterations (Luke 2005), then accelerated Griffin-Lim

Where the power of bands is known instead of every bin's, `pghi+raar` projects to the bands (`projection`); the other methods project to
the magnitudes of the bins, which are an estimate then.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.representation.phase.griffin_lim import fast_griffin_lim
from timbrespace.representation.phase.pghi import check_grid, integrate_phase
from timbrespace.representation.phase.projection import Projection, StftGrid, project_to_bins
from timbrespace.representation.phase.raar import raar
from timbrespace.representation.phase.start import PartStart, continued


class Method(NamedTuple):
    """A method of phase retrieval.

    pghi: whether PGHI gives the initial phase (else it is random). iterations: how many follow. momentum: of accelerated Griffin-Lim.
    raar: whether three quarters of the iterations are RAAR.
    """

    pghi: bool
    iterations: int
    momentum: float
    raar: bool = False


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
    projection: Projection | None = None,
    start: PartStart | None = None,
    past: Tensor | None = None,
) -> Tensor:
    """Returns audio `(..., length)` for the magnitudes of an STFT `(..., bins, frames)`. Each sound is independent and uses the same seed.

    Args:
        magnitude: of centred frames as `audio.stft` makes them; frames = 1 + length // hop.
        n_fft, hop: of a periodic Hann window, samples; for PGHI, hop divides n_fft.
        length: of the audio, samples.
        method: see the top of this file.
        iterations, momentum: default: those of the method (METHODS).
        seed: of the random phases.
        projection: for one sound `(bins, frames)` whose magnitudes are an estimate: the projection to its known values
            (`projection.project_to_bands`).
        start: for one sound `(bins, frames)`: its own magnitudes and phases near a given sound, see `phase.start`.
        past: for one sound: its first samples, which are kept as they are, `(any,)`; the search continues them.

    Silence stays silence. Raises ShapeError, ConfigError.
    """
    settings = _configured(method, iterations, momentum)
    if isinstance(magnitude, Tensor) and magnitude.ndim > 2:
        sounds = magnitude.reshape(-1, *magnitude.shape[-2:])
        options: dict[str, Any] = {"n_fft": n_fft, "hop": hop, "length": length, "seed": seed}
        audio = [recover_phase(sound, method=method, iterations=iterations, momentum=momentum, **options) for sound in sounds]
        return torch.stack(audio).reshape(*magnitude.shape[:-2], length) if audio else magnitude.new_zeros(*magnitude.shape[:-2], length)
    check_grid(magnitude, n_fft=n_fft, hop=hop, divides=settings.pghi)
    if length < 1 or magnitude.shape[1] != 1 + length // hop:
        frames = magnitude.shape[1]
        raise ShapeError(
            f"length is {length}, but {frames} frames at hop {hop} are {(frames - 1) * hop} to {frames * hop - 1} samples (at least 1)"
        )
    if start is not None:
        magnitude = start.magnitude
    if not bool(magnitude.any()):
        return kept_past(past, magnitude.new_zeros(length))
    if past is not None:
        start = continued(start, magnitude, past, window=torch.hann_window(n_fft), hop=hop, centred=True)
        magnitude = start.magnitude
    if settings.pghi:
        phase = integrate_phase(magnitude, n_fft=n_fft, hop=hop, seed=seed, start=start)
    else:
        phase = random_phase(magnitude, seed=seed)
        phase = phase if start is None else torch.where(start.known, start.phase, phase)
    grid = StftGrid(n_fft=n_fft, hop=hop, length=length, like=magnitude, past=past)
    return iterate(magnitude, phase, grid, method=settings, projection=projection)


def kept_past(past: Tensor | None, audio: Tensor) -> Tensor:
    """Returns audio `(length,)` whose first samples are those of `past`, changed in place."""
    if past is not None:
        audio[: len(past)] = past[: len(audio)]
    return audio


def iterate(magnitude: Tensor, phase: Tensor, grid: StftGrid, *, method: Method, projection: Projection | None = None) -> Tensor:
    """Returns audio `(length,)` after the iterations of a method.

    magnitude, phase (initial, rad): `(bins, frames)`. grid: with any window, centred or not. projection: see `recover_phase`.
    """
    target = magnitude.T.contiguous()  # frames first: one frame is contiguous memory for the FFT
    project = projection if projection is not None and method.raar else project_to_bins(target)
    raar_iterations = method.iterations * 3 // 4 if method.raar else 0
    relaxation = min(max(1 - 2 / max(method.iterations, 1), 0.9), 0.98)  # few iterations must settle soon, many may go further
    spectrum = torch.polar(target, phase.T.contiguous())
    spectrum = raar(spectrum, project, grid, iterations=raar_iterations, relaxation=relaxation)
    spectrum = fast_griffin_lim(spectrum, project, grid, iterations=method.iterations - raar_iterations, momentum=method.momentum)
    return grid.to_audio(spectrum)


def random_phase(magnitude: Tensor, *, seed: int) -> Tensor:
    """Returns uniform phases in rad, `(bins, frames)` like `magnitude`. Drawn on the CPU, so that every device starts alike."""
    from timbrespace.noise import initial_phases

    bins, frames = magnitude.shape
    return torch.from_numpy(initial_phases(seed, frames=frames, bins=bins)).to(magnitude).T


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
    """Returns audio `(length,)` by accelerated Griffin-Lim on the magnitudes of one sound `(bins, frames)`.

    n_fft: periodic Hann window, samples; hop divides it; frames = 1 + length // hop, centred. momentum: 0 is the plain algorithm.
    phase: initial, rad, `(bins, frames)`; default: random, from `seed`.
    """
    grid = StftGrid(n_fft=n_fft, hop=hop, length=length, like=magnitude)
    initial = random_phase(magnitude, seed=seed) if phase is None else phase
    return iterate(magnitude, initial, grid, method=Method(False, iterations, momentum))


def _configured(method: str, iterations: int | None, momentum: float | None) -> Method:
    """Returns the named method with other iterations or momentum where given. Raises ConfigError."""
    if method not in METHODS:
        raise ConfigError(f"method is {method!r}, allowed are {', '.join(METHODS)}; the default is {DEFAULT_METHOD}, the most accurate")
    default = METHODS[method]
    if iterations is not None and (iterations < 0 or (default.iterations == 0 and iterations)):
        allowed = "0 or more" if default.iterations else "0 only; use pghi+raar for iterations"
        raise ConfigError(f"iterations is {iterations}, {method} allows {allowed}")
    if momentum is not None and (not 0 <= momentum <= 2 or (default.momentum == 0 and momentum)):
        allowed = "0 to 2, best under 1" if default.momentum else "0 only; use fast-griffin-lim or pghi+raar for momentum"
        raise ConfigError(f"momentum is {momentum}, {method} allows {allowed}")
    return default._replace(
        iterations=default.iterations if iterations is None else iterations, momentum=default.momentum if momentum is None else momentum
    )
