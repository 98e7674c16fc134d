"""Phase for streams: real-time phase-gradient heap integration (Průša, Søndergaard 2016), frame by frame, with a state to carry.

push:   ... frame n - 2   frame n - 1   frame n                      `look_ahead`: the phase of frame n - 1 comes out now
phase:  ... known         known         from n - 1, its own slopes   without: that of frame n, with a one-sided slope, a little worse
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from timbrespace.representation.phase.pghi import TOLERANCE, check_grid, check_tolerance, gamma_of, slope_along_bins, slope_along_frames

if TYPE_CHECKING:
    import numpy as np

_DEEPEST = 1e-10  # magnitude; a stream has no loudest cell to measure from


class PhaseStream:
    """Gives phase to magnitudes as they come. What comes out does not depend on how the frames are cut into pushes.

    n_fft, hop, window, tolerance, seed: as `integrate_phase` takes them; tolerance counts from the louder of two frames' loudest cells.
    look_ahead: the phase of a frame waits for the next one (hop samples later) and is better for it; call `flush` at the end.
    """

    def __init__(
        self,
        *,
        n_fft: int,
        hop: int,
        window: str | float = "hann",
        tolerance: float = TOLERANCE,
        look_ahead: bool = True,
        seed: int = 0,
    ):
        check_grid(torch.zeros(n_fft // 2 + 1, 1), n_fft=n_fft, hop=hop)
        self.n_fft, self.hop, self.bins, self.look_ahead, self.seed = n_fft, hop, n_fft // 2 + 1, look_ahead, seed
        self.tolerance, self.gamma = check_tolerance(tolerance), gamma_of(window, n_fft=n_fft)
        self.reset()

    def reset(self) -> None:
        """Forgets everything; the stream starts anew, also its random phases."""
        import numpy as np

        self._dice = np.random.default_rng(self.seed)
        self._levels: list[np.ndarray] = []  # log magnitudes, (bins,): up to two frames back, then what waits for its phase
        self._done = 0  # how many of those have their phase
        self._phase = np.zeros(self.bins)  # of the last one that has
        self._along_frames = np.zeros(self.bins, np.float32)  # likewise

    def push(self, magnitude: Tensor) -> Tensor:
        """`(bins, frames) -> (bins, frames out)` in [0, 2π): as many frames as go in, with `look_ahead` one fewer the first time.

        Raises ShapeError.
        """
        check_grid(magnitude, n_fft=self.n_fft, hop=self.hop)
        values = magnitude.detach().T.to("cpu", torch.float32).contiguous().numpy()
        return self._joined([one for frame in values for one in self._frame(frame)], like=magnitude)

    def flush(self) -> Tensor:
        """The phase of the frame that still waits, `(bins, 0 or 1)` float32; then starts anew."""
        waiting = [self._solve(None)] if self.look_ahead and len(self._levels) > self._done else []
        self.reset()
        return self._joined(waiting, like=torch.zeros(0))

    def _frame(self, values: np.ndarray) -> list[np.ndarray]:
        """Takes in one frame `(bins,)`; the phases that can be told now, none or one."""
        import numpy as np

        level = np.log(np.maximum(values, np.float32(_DEEPEST)))
        if self.look_ahead:
            out = [self._solve(level)] if len(self._levels) > self._done else []
            self._levels.append(level)
            return out
        self._levels.append(level)
        return [self._solve(None)]

    def _solve(self, ahead: np.ndarray | None) -> np.ndarray:
        """Phase `(bins,)` of the newest frame kept, `ahead` being the one after it where that is known."""
        import numpy as np

        from timbrespace.representation.phase import pghi_kernels  # late: loads numba and compiles

        *past, level = self._levels
        before = past[-1] if past else np.full_like(level, math.log(_DEEPEST))
        if ahead is not None:
            change = 0.5 * (ahead - past[-1]) if past else ahead - level
        elif self.look_ahead or len(past) < 2:  # the last frame of all, or the first ones
            change = level - past[-1] if past else np.zeros_like(level)
        else:
            change = 0.5 * (3 * level - 4 * past[-1] + past[-2])
        along_frames = slope_along_frames(level[None], n_fft=self.n_fft, hop=self.hop, gamma=self.gamma)[0]
        phase = np.stack([self._phase, self._dice.uniform(0, 2 * math.pi, self.bins)])
        least = max(float(level.max()), float(before.max())) + math.log(max(self.tolerance, _DEEPEST))
        pghi_kernels.spread_frame(
            np.stack([before, level]),
            np.float32(max(least, math.log(_DEEPEST))),
            slope_along_bins(change, n_fft=self.n_fft, hop=self.hop, gamma=self.gamma),
            np.stack([self._along_frames, along_frames]),
            phase,
        )
        self._phase, self._along_frames = phase[1] % (2 * math.pi), along_frames
        self._levels = self._levels[-2:]
        self._done = len(self._levels)
        return self._phase

    def _joined(self, phases: list[np.ndarray], *, like: Tensor) -> Tensor:
        import numpy as np

        frames = np.stack(phases, axis=1) if phases else np.zeros((self.bins, 0))
        return torch.from_numpy(frames).to(like)


def stream_phase(
    magnitude: Tensor,
    *,
    n_fft: int,
    hop: int,
    window: str | float = "hann",
    tolerance: float = TOLERANCE,
    look_ahead: bool = True,
    seed: int = 0,
) -> Tensor:
    """What a `PhaseStream` makes of one whole sound, `(bins, frames) -> (bins, frames)` in [0, 2π)."""
    stream = PhaseStream(n_fft=n_fft, hop=hop, window=window, tolerance=tolerance, look_ahead=look_ahead, seed=seed)
    return torch.cat([stream.push(magnitude), stream.flush().to(magnitude)], dim=1)
