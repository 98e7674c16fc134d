"""Audio from a stream of magnitudes: RTPGHI (`rtpghi`) and overlap-add, one block of `hop` samples per frame.

    frame pushed     n - 1            n                n + 1
    block returned |..hop samples..|..hop samples..|..hop samples..|
                                   ^ ends where the window of the next frame without a phase starts: later frames do not change it

Frames are centred on multiples of the hop. Sample s of their audio is returned `latency` samples later: half a window, and a hop more
with `look_ahead`. Analysing live sound adds another half window, which a centred frame needs after its centre.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ShapeError
from timbrespace.representation.phase.pghi import TOLERANCE, check_grid
from timbrespace.representation.phase.projection import MIN_OVERLAP
from timbrespace.representation.phase.rtpghi import PhaseStream

ToMagnitude = Callable[[Tensor], Tensor]  # features of one frame (bands, 1) -> magnitudes (bins, 1)


class MagnitudeStream:
    """A converter of magnitude frames, or of band frames through `spread`, to audio. Thread-safe: other threads wait.

    n_fft, hop: of periodic Hann windows, samples; hop divides n_fft. look_ahead, tolerance, seed: see `PhaseStream`.
    spread: converts features of one frame `(bands, 1)` to magnitudes `(bins, 1)`, for instance
    `partial(bands.magnitude, loudest=torch.tensor(54.0))`; None: frames are magnitudes.
    The audio does not depend on how the frames are grouped into pushes, and equals that of the whole sound at once (`stream_audio`).
    """

    def __init__(
        self,
        *,
        n_fft: int,
        hop: int,
        look_ahead: bool = True,
        tolerance: float = TOLERANCE,
        seed: int = 0,
        spread: ToMagnitude | None = None,
    ):
        self._phases = PhaseStream(n_fft=n_fft, hop=hop, look_ahead=look_ahead, tolerance=tolerance, seed=seed)
        self.n_fft, self.hop, self.look_ahead, self.spread = n_fft, hop, look_ahead, spread
        self._window = torch.hann_window(n_fft, dtype=torch.float64).numpy()
        self._lock = threading.Lock()
        self._clear()

    @property
    def latency(self) -> int:
        """Delay of the stream in samples; `flush` returns as many."""
        return self.n_fft // 2 + (self.hop if self.look_ahead else 0)

    def reset(self) -> None:
        """Returns to the initial state."""
        with self._lock:
            self._phases.reset()
            self._clear()

    def push(self, frames: Tensor) -> Tensor:
        """Returns audio: `(bins or bands, frames) -> (frames * hop,)`, the first `latency` samples silent. Raises ShapeError."""
        if not isinstance(frames, Tensor) or frames.ndim != 2:
            given = f"{tuple(frames.shape)}" if isinstance(frames, Tensor) else type(frames).__name__
            raise ShapeError(f"frames must be a tensor (bins, frames), or (bands, frames) with `spread`, not {given}")
        with self._lock:
            blocks = [self._push_frame(frames[:, k : k + 1]) for k in range(frames.shape[1])]
            return torch.from_numpy(np.concatenate(blocks) if blocks else np.zeros(0, np.float32))

    def flush(self) -> Tensor:
        """Returns the last `latency` samples, `(latency,)`, and resets; `(0,)` if no frame was pushed."""
        with self._lock:
            remaining = self.latency if self._pushed else 0
            blocks = []
            if self.look_ahead and self._pushed:
                self._add(self._phases.flush())
                blocks.append(self._next_block())
            while sum(map(len, blocks)) < remaining:
                self._solved += 1  # a silent frame
                blocks.append(self._next_block())
            self._phases.reset()
            self._clear()
            return torch.from_numpy(np.concatenate(blocks)[:remaining] if blocks else np.zeros(0, np.float32))

    def _clear(self) -> None:
        self._sum, self._overlap = np.zeros(self.n_fft), np.zeros(self.n_fft)  # of audio and squared windows, from the next sample
        self._pushed = self._solved = 0
        self._pending: np.ndarray | None = None  # magnitudes (bins,) without a phase yet

    def _push_frame(self, frame: Tensor) -> np.ndarray:
        """`(bins or bands, 1) -> (hop,)` float32."""
        magnitude = frame if self.spread is None else self.spread(frame)
        check_grid(magnitude, n_fft=self.n_fft, hop=self.hop)
        phase = self._phases.push(magnitude)
        values = magnitude[:, 0].detach().to("cpu", torch.float64).numpy().copy()
        self._pushed += 1
        if not self.look_ahead:
            self._pending = values
        if phase.shape[1] == 0:
            self._pending = values
            return np.zeros(self.hop, np.float32)
        self._add(phase)
        if self.look_ahead:
            self._pending = values
        return self._next_block()

    def _add(self, phase: Tensor) -> None:
        """Overlap-adds the pending frame. phase: `(bins, 1)`, rad."""
        assert self._pending is not None
        spectrum = self._pending * np.exp(1j * phase[:, 0].to("cpu", torch.float64).numpy())
        self._sum += np.fft.irfft(spectrum, n=self.n_fft) * self._window
        self._overlap += self._window**2
        self._solved += 1

    def _next_block(self) -> np.ndarray:
        """Returns the next samples, `(hop,)` float32; no later frame overlaps them."""
        hop = self.hop
        block = self._sum[:hop] / np.maximum(self._overlap[:hop], MIN_OVERLAP)
        first = (self._solved - 1) * hop - self.n_fft // 2  # index in the audio; samples before 0 are silent
        block[: max(0, -first)] = 0.0
        for row in (self._sum, self._overlap):
            row[:-hop] = row[hop:]
            row[-hop:] = 0.0
        return block.astype(np.float32)


def stream_audio(
    frames: Tensor, *, n_fft: int, hop: int, length: int, look_ahead: bool = True, seed: int = 0, spread: ToMagnitude | None = None
) -> Tensor:
    """Returns the audio that `MagnitudeStream` gives one whole sound, without the latency: `(bins or bands, frames) -> (length,)`.

    length: samples, at most frames * hop. Raises ShapeError, ConfigError.
    """
    stream = MagnitudeStream(n_fft=n_fft, hop=hop, look_ahead=look_ahead, seed=seed, spread=spread)
    if not 1 <= length <= frames.shape[-1] * hop:
        raise ShapeError(
            f"length is {length}, allowed are 1 to {frames.shape[-1] * hop} samples for {frames.shape[-1]} frames at hop {hop}"
        )
    return torch.cat([stream.push(frames), stream.flush()])[stream.latency : stream.latency + length]
