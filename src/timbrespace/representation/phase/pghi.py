"""Phase from magnitudes without iterations: phase-gradient heap integration (PGHI).

Průša, Balazs and Søndergaard 2017, "A noniterative method for reconstruction of phase from STFT magnitude".

With a Gaussian window exp(-π t² / gamma) the gradient of an STFT's phase follows exactly from its log magnitude s; with other
bell-shaped windows it does approximately, for the gamma of the nearest Gaussian. For centred frames at n * hop of n_fft samples,
as `audio.stft` makes them, in radians:

    from frame to frame   2π hop bin / n_fft + hop n_fft / gamma * ds/dbin       the phase of a partial advances at its frequency
    from bin to bin       π - gamma / (hop n_fft) * ds/dframe                    the group delay of a click; π because time 0 of a
                                                                                 frame is its first sample, not its centre
The gradient is integrated from the loudest cells outward, in steps of 0.05 dB (`pghi_kernels`). Cells under the tolerance, and the first
cell of each region that is integrated separately, get a random phase.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, ShapeError

if TYPE_CHECKING:
    import numpy as np

    from timbrespace.representation.phase.start import PartStart

TOLERANCE = 1e-4  # of the loudest cell, 80 dB; a smaller tolerance takes more time without audible difference
_MIN_MAGNITUDE = 1e-10  # of the loudest cell; smaller magnitudes are clamped before the logarithm

# gamma / n_fft² of the Gaussian nearest to a periodic window (table of Průša et al. 2017; Gaussian: exp(-π (t / n_fft)² / share)).
GAMMA = {"hann": 0.25645, "hamming": 0.29794, "blackman": 0.17954}


def gamma_of(window: str | float, *, n_fft: int) -> float:
    """Returns gamma in samples² of a window.

    window: a name in GAMMA, or the gamma of another window (2π d² for a Gaussian of standard deviation d). Raises ConfigError.
    """
    if isinstance(window, str):
        if window not in GAMMA:
            raise ConfigError(
                f"window is {window!r}, allowed are {', '.join(sorted(GAMMA))}; for another window give its gamma in samples² as a number"
            )
        return GAMMA[window] * n_fft**2
    if not 0 < window < math.inf:
        raise ConfigError(
            f"window is {window}; a number is the window's gamma in samples² and must be over 0; of Hann it is {GAMMA['hann']} * n_fft²"
        )
    return float(window)


def check_grid(magnitude: Tensor, *, n_fft: int, hop: int, divides: bool = True) -> None:
    """Raises ShapeError, ConfigError unless magnitudes `(bins, frames)` are valid and fit the STFT settings.

    divides: whether hop must be a divisor of n_fft.
    """
    if n_fft < 4 or n_fft % 2:
        raise ConfigError(f"n_fft is {n_fft}, allowed are even numbers from 4; powers of two are fastest")
    if not 1 <= hop <= n_fft // 2 or (divides and n_fft % hop):
        raise ConfigError(
            f"hop is {hop}; it must be a divisor of n_fft {n_fft} and at most {n_fft // 2}: {n_fft // 4} is usual, {n_fft // 8} is better"
        )
    if not isinstance(magnitude, Tensor) or magnitude.ndim != 2 or not magnitude.is_floating_point():
        found = f"{tuple(magnitude.shape)} of {magnitude.dtype}" if isinstance(magnitude, Tensor) else type(magnitude).__name__
        raise ShapeError(f"magnitude must be a floating-point tensor (bins, frames), not {found}")
    if magnitude.shape[0] != n_fft // 2 + 1 or magnitude.shape[1] < 1:
        raise ShapeError(f"magnitude is {tuple(magnitude.shape)}, n_fft {n_fft} needs {n_fft // 2 + 1} bins and at least one frame")
    if not bool(torch.isfinite(magnitude).all()) or bool((magnitude < 0).any()):
        raise ShapeError("magnitude holds NaN, infinite or negative cells; take the absolute value and repair the sound first")


def integrate_phase(
    magnitude: Tensor, *, n_fft: int, hop: int, window: str | float = "hann", tolerance: float = TOLERANCE, seed: int = 0,
    start: PartStart | None = None,
) -> Tensor:  # fmt: skip
    """Returns the phase of one sound in [0, 2π): `(bins, frames) -> (bins, frames)`, device and type of `magnitude`.

    n_fft, hop: of the STFT, samples; hop divides n_fft. The redundancy n_fft / hop should be 4 or more, 8 is better. window: see
    `gamma_of`. tolerance: cells under this share of the loudest one get a random phase. seed: of the random phases, drawn on the CPU.
    start: phases that are known beforehand and are kept; the others are integrated from them.
    Raises ShapeError, ConfigError.
    """
    import numpy as np

    from timbrespace.noise import initial_phases

    check_grid(magnitude, n_fft=n_fft, hop=hop)
    check_tolerance(tolerance)
    gamma = gamma_of(window, n_fft=n_fft)
    values = magnitude.detach().T.to("cpu", torch.float32).contiguous().numpy()  # frames first: a frame is contiguous memory
    phase = initial_phases(seed, frames=values.shape[0], bins=values.shape[1])
    loudest = float(values.max())
    if loudest > 0:
        from timbrespace.representation.phase import pghi_kernels  # late: loads numba and compiles

        level = np.log(np.maximum(values / np.float32(loudest), np.float32(_MIN_MAGNITUDE)))
        level_change = np.gradient(level, axis=0) if len(level) > 1 else np.zeros_like(level)
        along_bins = phase_step_per_bin(level_change, n_fft=n_fft, hop=hop, gamma=gamma)
        along_frames = phase_step_per_frame(level, n_fft=n_fft, hop=hop, gamma=gamma)
        cells = np.flatnonzero(values > tolerance * loudest)
        lists = pghi_kernels.lists_of(level).reshape(-1)
        order = cells[np.argsort(lists[cells].astype(np.int16), kind="stable")].astype(np.int32)  # 16 bits: by radix, several times faster
        order = np.concatenate([[np.int32(values.argmax())], order])[: len(order) + (len(order) > 0)]
        known = np.ones(values.size, dtype=bool)
        known[order] = False
        flat, seeds = phase.reshape(-1), np.empty(0, np.int32)
        if start is not None:
            seeds = _keep_known(phase, known.reshape(values.shape), start)
        if len(order) and not known[order[0]]:
            flat[order[0]] = 0.0
        gradients = along_bins.reshape(-1), along_frames.reshape(-1)
        pghi_kernels.integrate(lists, seeds, order, known, *gradients, flat, values.shape[1])
    return torch.from_numpy(phase % (2 * math.pi)).to(magnitude).T


def _keep_known(phase: np.ndarray, known: np.ndarray, start: PartStart) -> np.ndarray:
    """Sets the known phases in place, in `phase` and `known (frames, bins)`. Returns the known cells beside unknown ones, int32."""
    import numpy as np

    own, angle = start.known.T.cpu().numpy(), start.phase.T.cpu().numpy()
    np.copyto(phase, angle, where=own)
    own = own & ~known  # cells under the tolerance have a phase, and the integration does not start from them
    known |= own
    unknown = ~known
    beside = np.zeros_like(own)
    beside[1:] |= unknown[:-1]
    beside[:-1] |= unknown[1:]
    beside[:, 1:] |= unknown[:, :-1]
    beside[:, :-1] |= unknown[:, 1:]
    return np.flatnonzero(own & beside).astype(np.int32)


def phase_step_per_bin(level_change: np.ndarray, *, n_fft: int, hop: int, gamma: float) -> np.ndarray:
    """Returns rad per bin, float32, same shape. level_change: of the log magnitude, per frame."""
    import numpy as np

    return (math.pi - gamma / (n_fft * hop) * level_change).astype(np.float32)


def phase_step_per_frame(level: np.ndarray, *, n_fft: int, hop: int, gamma: float) -> np.ndarray:
    """Returns rad per frame without whole turns, float32 `(frames, bins)`. level: log magnitude, `(frames, bins)`."""
    import numpy as np

    level_change = np.zeros_like(level)  # per bin; 0 at the lowest and highest bin, where the spectrum of a real signal is symmetric
    level_change[:, 1:-1] = 0.5 * (level[:, 2:] - level[:, :-2])
    turns = (hop * np.arange(level.shape[1]) % n_fft) / n_fft
    return (2 * math.pi * turns + hop * n_fft / gamma * level_change).astype(np.float32)


def check_tolerance(tolerance: float) -> float:
    """Returns `tolerance`, a share of the loudest cell. Raises ConfigError unless it is 0 to under 1."""
    if not 0 <= tolerance < 1:
        raise ConfigError(
            f"tolerance is {tolerance}, allowed are numbers from 0 to under 1 (a share of the loudest cell); the default is {TOLERANCE:g}"
        )
    return tolerance
