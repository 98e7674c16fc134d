"""Audio from magnitudes as they come: real-time PGHI (`rtpghi`) and overlap-add, a block of `hop` samples for every frame.

    frame pushed     n - 1            n                n + 1
    block given   |..hop samples..|..hop samples..|..hop samples..|
                                  ^ ends where the window of the next frame whose phase is open begins: nothing in it can change any more

Sample s of the audio that frames centred on multiples of the hop describe comes out `latency` samples later: half a window, and a
hop more with `look_ahead`. A stream that also analyses live sound adds the half window that a centred frame looks ahead itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ShapeError
from timbrespace.representation.phase.pghi import TOLERANCE, check_grid
from timbrespace.representation.phase.projection import LEAST_OVERLAP
from timbrespace.representation.phase.rtpghi import PhaseStream

Spread = Callable[[Tensor], Tensor]  # features of one frame (bands, 1) -> magnitudes (bins, 1)


class MagnitudeStream:
    """Takes frames of magnitudes, or of bands through `spread`, and gives audio; one thread at a time, others wait.

    n_fft, hop: of the periodic Hann windows, samples; hop divides n_fft. look_ahead, tolerance, seed: as `PhaseStream` takes them.
    spread: features of one frame `(bands, 1)` to magnitudes `(bins, 1)`, for instance
    `partial(bands.magnitude, loudest=torch.tensor(54.0))`; None: the frames are magnitudes.
    What comes out does not depend on how the frames are cut into pushes, and equals the whole sound at once (`stream_audio`).
    """

    def __init__(
        self,
        *,
        n_fft: int,
        hop: int,
        look_ahead: bool = True,
        tolerance: float = TOLERANCE,
        seed: int = 0,
        spread: Spread | None = None,
    ):
        self._phases = PhaseStream(n_fft=n_fft, hop=hop, look_ahead=look_ahead, tolerance=tolerance, seed=seed)
        self.n_fft, self.hop, self.look_ahead, self.spread = n_fft, hop, look_ahead, spread
        self._window = torch.hann_window(n_fft, dtype=torch.float64).numpy()
        self._lock = threading.Lock()
        self._start()

    @property
    def latency(self) -> int:
        """Samples by which the stream lags behind the audio that the frames describe; as much is owed by `flush`."""
        return self.n_fft // 2 + (self.hop if self.look_ahead else 0)

    def reset(self) -> None:
        """Forgets everything; the stream starts anew."""
        with self._lock:
            self._phases.reset()
            self._start()

    def push(self, frames: Tensor) -> Tensor:
        """`(bins or bands, frames) -> (frames * hop,)` float32. The first `latency` samples of a stream are silence. Raises ShapeError."""
        if not isinstance(frames, Tensor) or frames.ndim != 2:
            found = f"{tuple(frames.shape)}" if isinstance(frames, Tensor) else type(frames).__name__
            raise ShapeError(f"frames must be a tensor (bins, frames), or (bands, frames) with a spread, not {found}")
        with self._lock:
            blocks = [self._block(frames[:, k : k + 1]) for k in range(frames.shape[1])]
            return torch.from_numpy(np.concatenate(blocks) if blocks else np.zeros(0, np.float32))

    def flush(self) -> Tensor:
        """The `latency` samples still owed, `(latency,)`; then the stream starts anew."""
        with self._lock:
            owed = self.latency if self._pushed else 0
            blocks = []
            if self.look_ahead and self._pushed:
                self._add(self._phases.flush())
                blocks.append(self._take())
            while sum(map(len, blocks)) < owed:
                self._solved += 1  # a frame of nothing
                blocks.append(self._take())
            self._phases.reset()
            self._start()
            return torch.from_numpy(np.concatenate(blocks)[:owed] if blocks else np.zeros(0, np.float32))

    def _start(self) -> None:
        self._sum, self._overlap = np.zeros(self.n_fft), np.zeros(self.n_fft)  # from the next sample to be given on
        self._pushed = self._solved = 0
        self._waiting: np.ndarray | None = None  # magnitudes (bins,) whose phase is open

    def _block(self, frame: Tensor) -> np.ndarray:
        """Takes one frame, gives `hop` samples."""
        magnitude = frame if self.spread is None else self.spread(frame)
        check_grid(magnitude, n_fft=self.n_fft, hop=self.hop)
        phase = self._phases.push(magnitude)
        values = magnitude[:, 0].detach().to("cpu", torch.float64).numpy().copy()
        self._pushed += 1
        if not self.look_ahead:
            self._waiting = values
        if phase.shape[1] == 0:
            self._waiting = values
            return np.zeros(self.hop, np.float32)
        self._add(phase)
        if self.look_ahead:
            self._waiting = values
        return self._take()

    def _add(self, phase: Tensor) -> None:
        """Lays the waiting frame over what is summed, `phase` `(bins, 1)` rad."""
        assert self._waiting is not None
        turned = self._waiting * np.exp(1j * phase[:, 0].to("cpu", torch.float64).numpy())
        self._sum += np.fft.irfft(turned, n=self.n_fft) * self._window
        self._overlap += self._window**2
        self._solved += 1

    def _take(self) -> np.ndarray:
        """The next `hop` samples, which no later frame reaches."""
        hop = self.hop
        block = self._sum[:hop] / np.maximum(self._overlap[:hop], LEAST_OVERLAP)
        first = (self._solved - 1) * hop - self.n_fft // 2  # its time in the audio; before 0 there is none
        block[: max(0, -first)] = 0.0
        for row in (self._sum, self._overlap):
            row[:-hop] = row[hop:]
            row[-hop:] = 0.0
        return block.astype(np.float32)


def stream_audio(
    frames: Tensor, *, n_fft: int, hop: int, length: int, look_ahead: bool = True, seed: int = 0, spread: Spread | None = None
) -> Tensor:
    """What a `MagnitudeStream` makes of one whole sound: `(bins or bands, frames) -> (length,)`, its latency taken off.

    length: samples, at most frames * hop. Raises ShapeError, ConfigError.
    """
    stream = MagnitudeStream(n_fft=n_fft, hop=hop, look_ahead=look_ahead, seed=seed, spread=spread)
    if not 1 <= length <= frames.shape[-1] * hop:
        raise ShapeError(f"length is {length}, {frames.shape[-1]} frames at hop {hop} describe 1 to {frames.shape[-1] * hop} samples")
    return torch.cat([stream.push(frames), stream.flush()])[stream.latency : stream.latency + length]
