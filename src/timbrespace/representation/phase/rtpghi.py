"""Phase frame by frame: real-time phase-gradient heap integration (RTPGHI).

Průša and Søndergaard 2016, "Real-time spectrogram inversion using phase gradient heap integration".

push:   ... frame n - 2   frame n - 1   frame n
phase:  ... known         known         with `look_ahead`, the phase of frame n - 1 is returned now (central differences over time);
                                        without, that of frame n (one-sided differences, slightly less accurate)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from timbrespace.representation.phase.pghi import (
    TOLERANCE,
    check_grid,
    check_tolerance,
    gamma_of,
    phase_step_per_bin,
    phase_step_per_frame,
)

if TYPE_CHECKING:
    import numpy as np

_MIN_MAGNITUDE = 1e-10  # absolute: the loudest cell of a stream is not known


class PhaseStream:
    """RTPGHI with its state. The result does not depend on how the frames are grouped into pushes.

    n_fft, hop, window, tolerance, seed: see `integrate_phase`; tolerance is a share of the loudest cell of two consecutive frames.
    look_ahead: the phase of a frame is returned with the next frame (hop samples later) and is more accurate; call `flush` at the end.
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
        """Returns to the initial state, also of the random phases."""
        import numpy as np

        from timbrespace.noise import Noise, Purpose

        self._noise = Noise(self.seed, Purpose.PHASE)
        self._levels: list[np.ndarray] = []  # log magnitudes (bins,): up to two frames with a phase, then up to one without
        self._solved = 0  # how many of them have a phase
        self._phase = np.zeros(self.bins)  # of the last frame that has one
        self._along_frames = np.zeros(self.bins, np.float32)  # phase step per frame of the same frame

    def push(self, magnitude: Tensor) -> Tensor:
        """Returns phases in [0, 2π): `(bins, frames) -> (bins, frames)`; with `look_ahead`, the first push returns one frame fewer.

        Raises ShapeError.
        """
        check_grid(magnitude, n_fft=self.n_fft, hop=self.hop)
        values = magnitude.detach().T.to("cpu", torch.float32).contiguous().numpy()
        return self._stacked([phase for frame in values for phase in self._push_frame(frame)], like=magnitude)

    def flush(self) -> Tensor:
        """Returns the phase of the last frame if it is pending, `(bins, 0 or 1)` float32, and resets."""
        pending = [self._solve(None)] if self.look_ahead and len(self._levels) > self._solved else []
        self.reset()
        return self._stacked(pending, like=torch.zeros(0))

    def _push_frame(self, values: np.ndarray) -> list[np.ndarray]:
        """Returns the phases `(bins,)` that are known after magnitudes `(bins,)`: none or one."""
        import numpy as np

        level = np.log(np.maximum(values, np.float32(_MIN_MAGNITUDE)))
        if self.look_ahead:
            solved = [self._solve(level)] if len(self._levels) > self._solved else []
            self._levels.append(level)
            return solved
        self._levels.append(level)
        return [self._solve(None)]

    def _solve(self, ahead: np.ndarray | None) -> np.ndarray:
        """Returns the phase `(bins,)` of the newest frame. ahead: log magnitude `(bins,)` of the frame after it, if known."""
        import numpy as np

        from timbrespace.representation.phase import pghi_kernels  # late: loads numba and compiles

        *past, level = self._levels
        previous = past[-1] if past else np.full_like(level, math.log(_MIN_MAGNITUDE))
        if ahead is not None:
            change = 0.5 * (ahead - past[-1]) if past else ahead - level
        elif self.look_ahead or len(past) < 2:  # the last frame, or the first two
            change = level - past[-1] if past else np.zeros_like(level)
        else:
            change = 0.5 * (3 * level - 4 * past[-1] + past[-2])
        along_frames = phase_step_per_frame(level[None], n_fft=self.n_fft, hop=self.hop, gamma=self.gamma)[0]
        phase = np.stack([self._phase, self._noise.uniform(self.bins) * (2 * math.pi)])
        min_level = max(float(level.max()), float(previous.max())) + math.log(max(self.tolerance, _MIN_MAGNITUDE))
        pghi_kernels.integrate_frame(
            np.stack([previous, level]),
            np.float32(max(min_level, math.log(_MIN_MAGNITUDE))),
            phase_step_per_bin(change, n_fft=self.n_fft, hop=self.hop, gamma=self.gamma),
            np.stack([self._along_frames, along_frames]),
            phase,
        )
        self._phase, self._along_frames = phase[1] % (2 * math.pi), along_frames
        self._levels = self._levels[-2:]
        self._solved = len(self._levels)
        return self._phase

    def _stacked(self, phases: list[np.ndarray], *, like: Tensor) -> Tensor:
        """Returns phases `(bins,)` as `(bins, frames)` with the type and device of `like`."""
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
    """Returns the phase that `PhaseStream` gives one whole sound, in [0, 2π): `(bins, frames) -> (bins, frames)`."""
    stream = PhaseStream(n_fft=n_fft, hop=hop, window=window, tolerance=tolerance, look_ahead=look_ahead, seed=seed)
    return torch.cat([stream.push(magnitude), stream.flush().to(magnitude)], dim=1)
