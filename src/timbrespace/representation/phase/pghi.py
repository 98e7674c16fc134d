"""Phase from magnitudes without iterating: phase-gradient heap integration (Průša, Balazs, Søndergaard 2017).

With a Gaussian window exp(-π t² / gamma) the slope of an STFT's phase follows exactly from its log magnitude s; with other
bell-shaped windows nearly so, for the gamma of the Gaussian nearest to them. For centred frames at n * hop of n_fft samples,
as `audio.stft` makes them, in radians:

    from frame to frame   2π hop bin / n_fft + hop n_fft / gamma * ds/dbin       a partial turns at its own frequency
    from bin to bin       π - gamma / (hop n_fft) * ds/dframe                    a click lies where the level rises or falls;
                                                                                 π: time 0 of a frame is its first sample, not its centre
The slopes are summed up from the loudest cells outward (`heap`). Cells too quiet to trust, and each island's start, get a random phase.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, ShapeError

if TYPE_CHECKING:
    import numpy as np

TOLERANCE = 1e-4  # of the loudest cell, 80 dB; smaller ones cost time and are not heard
_DEEPEST = 1e-10  # of the loudest cell; below, silence is silence

# gamma / n_fft² of the Gaussian that lies nearest to a periodic window (Průša et al. 2017, table; Gaussian: exp(-π (t / n_fft)² / share)).
GAMMA = {"hann": 0.25645, "hamming": 0.29794, "blackman": 0.17954}


def gamma_of(window: str | float, *, n_fft: int) -> float:
    """gamma in samples² of a window: a name in GAMMA, or gamma itself for any other (for a Gaussian of standard deviation d: 2π d²).

    Raises ConfigError.
    """
    if isinstance(window, str):
        if window not in GAMMA:
            raise ConfigError(
                f"window is {window!r}, known are {', '.join(sorted(GAMMA))}; for another give its gamma in samples² as a number"
            )
        return GAMMA[window] * n_fft**2
    if not 0 < window < math.inf:
        raise ConfigError(f"window is {window}, as a number it must be a gamma in samples² over 0, for Hann {GAMMA['hann']} * n_fft²")
    return float(window)


def check_grid(magnitude: Tensor, *, n_fft: int, hop: int) -> None:
    """Checks magnitudes `(bins, frames)` and the grid they lie on. Raises ShapeError, ConfigError."""
    if n_fft < 4 or n_fft % 2:
        raise ConfigError(f"n_fft is {n_fft}, allowed are even numbers from 4; powers of two are fastest")
    if not 1 <= hop <= n_fft // 2 or n_fft % hop:
        raise ConfigError(
            f"hop is {hop}, it must divide n_fft {n_fft} into two or more whole parts; {n_fft // 4} is usual, {n_fft // 8} better"
        )
    if not isinstance(magnitude, Tensor) or magnitude.ndim != 2 or not magnitude.is_floating_point():
        found = f"{tuple(magnitude.shape)} of {magnitude.dtype}" if isinstance(magnitude, Tensor) else type(magnitude).__name__
        raise ShapeError(f"magnitude must be a floating-point tensor (bins, frames), not {found}")
    if magnitude.shape[0] != n_fft // 2 + 1 or magnitude.shape[1] < 1:
        raise ShapeError(f"magnitude is {tuple(magnitude.shape)}, n_fft {n_fft} needs {n_fft // 2 + 1} bins and at least one frame")
    if not bool(torch.isfinite(magnitude).all()) or bool((magnitude < 0).any()):
        raise ShapeError("magnitude holds NaN, infinite or negative cells; take the absolute value and repair the sound first")


def integrate_phase(
    magnitude: Tensor, *, n_fft: int, hop: int, window: str | float = "hann", tolerance: float = TOLERANCE, seed: int = 0
) -> Tensor:
    """Phase of one sound: `(bins, frames) -> (bins, frames)` in [0, 2π), on the device and in the type of `magnitude`.

    n_fft, hop: of the STFT, samples; hop divides n_fft and redundancy n_fft / hop of 4 or more is wanted, 8 is better. window: as
    `gamma_of` takes it. tolerance: cells under this share of the loudest one get a random phase. seed: of those, drawn on the CPU.
    Raises ShapeError, ConfigError.
    """
    import numpy as np

    check_grid(magnitude, n_fft=n_fft, hop=hop)
    check_tolerance(tolerance)
    gamma = gamma_of(window, n_fft=n_fft)
    values = magnitude.detach().T.to("cpu", torch.float32).contiguous().numpy()  # frames first: a frame is one run of memory
    phase = np.random.default_rng(seed).uniform(0, 2 * math.pi, values.shape)
    loudest = float(values.max())
    if loudest > 0:
        from timbrespace.representation.phase import pghi_kernels  # late: loads numba and compiles

        level = np.log(np.maximum(values / np.float32(loudest), np.float32(_DEEPEST)))
        along_bins = slope_along_bins(
            np.gradient(level, axis=0) if len(level) > 1 else np.zeros_like(level), n_fft=n_fft, hop=hop, gamma=gamma
        )
        along_frames = slope_along_frames(level, n_fft=n_fft, hop=hop, gamma=gamma)
        trusted = np.flatnonzero(values > tolerance * loudest)
        order = trusted[np.argsort(-values.reshape(-1)[trusted], kind="stable")].astype(np.int32)
        known = np.ones(values.size, dtype=bool)
        known[order] = False
        flat = phase.reshape(-1)
        flat[order[0]] = 0.0
        pghi_kernels.spread(level.reshape(-1), order, known, along_bins.reshape(-1), along_frames.reshape(-1), flat, values.shape[1])
    return torch.from_numpy(phase % (2 * math.pi)).to(magnitude).T


def slope_along_bins(per_frame: np.ndarray, *, n_fft: int, hop: int, gamma: float) -> np.ndarray:
    """rad a bin, from the change of the log magnitude a frame; any shape, float32."""
    import numpy as np

    return (math.pi - gamma / (n_fft * hop) * per_frame).astype(np.float32)


def slope_along_frames(level: np.ndarray, *, n_fft: int, hop: int, gamma: float) -> np.ndarray:
    """rad a frame, from the log magnitude itself, `(frames, bins)` float32. Whole turns are left out."""
    import numpy as np

    per_bin = np.zeros_like(level)  # real sound mirrors at the lowest and the highest bin: level there
    per_bin[:, 1:-1] = 0.5 * (level[:, 2:] - level[:, :-2])
    turns = (hop * np.arange(level.shape[1]) % n_fft) / n_fft
    return (2 * math.pi * turns + hop * n_fft / gamma * per_bin).astype(np.float32)


def check_tolerance(tolerance: float) -> float:
    """Returns `tolerance`, or raises ConfigError when it is no share of the loudest cell."""
    if not 0 <= tolerance < 1:
        raise ConfigError(f"tolerance is {tolerance}, allowed is 0 to under 1, a share of the loudest cell; the default is {TOLERANCE:g}")
    return tolerance
