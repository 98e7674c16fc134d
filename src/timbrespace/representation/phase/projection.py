"""Iterations between what an STFT must hold and what an STFT of audio can hold, on one sound.

agree        the nearest spectrum with the power that is known: that of every bin (`bins_known`), or of bands alone (`bands_known`)
consistent   the nearest spectrum that is the STFT of some audio: to audio and back

griffin_lim  agree, consistent, agree, … with momentum; comes near soon and then stands still
reflect      relaxed averaged alternating reflections (Luke 2005): goes beyond both, leaves places where griffin_lim stands still, but
             does not settle; griffin_lim should have the last word
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Projection = Callable[[Tensor], Tensor]  # complex (frames, bins) -> the same shape

_TINY = 1e-20  # power
_MOST_GAIN = 1e6  # of power, a step: what is all but silent is not torn up at once
LEAST_OVERLAP = 0.2  # of squared windows


class Grid:
    """Frames of n_fft samples, `hop` samples apart, over `length` samples; silence before and after.

    window: `(n_fft,)`, periodic Hann unless given. centred: frame 0 lies around sample 0, else it begins there. least: overlap of squared
    windows that is assumed where there is less; audio fades there instead of being blown up. like: type and device.
    """

    def __init__(
        self,
        *,
        n_fft: int,
        hop: int,
        length: int,
        like: Tensor,
        window: Tensor | None = None,
        centred: bool = True,
        least: float = LEAST_OVERLAP,
    ):
        self.n_fft, self.hop, self.length = n_fft, hop, length
        self.before = n_fft // 2 if centred else 0
        self.frames = 1 + (length // hop if centred else max(0, -(-(length - n_fft) // hop)))
        self.window = (torch.hann_window(n_fft, dtype=torch.float64) if window is None else window).to(like)
        # At hops over n_fft / 4 the last samples lie at the edge of the only window that reaches them.
        envelope = _overlap_add((self.window * self.window).expand(self.frames, n_fft), hop=hop).clamp_min(least)
        # The transform sees zeros before sample 0 and after `length`; an estimate must not leak there.
        inside = torch.zeros_like(envelope)
        inside[self.before : self.before + length] = 1.0
        self._weight = inside / envelope

    def audio(self, spectrum: Tensor) -> Tensor:
        """`complex (frames, bins) -> (length,)`."""
        return self._padded(spectrum)[self.before : self.before + self.length]

    def consistent(self, spectrum: Tensor) -> Tensor:
        """`complex (frames, bins) -> complex (frames, bins)`: of the audio that comes nearest."""
        return torch.fft.rfft(self._padded(spectrum).unfold(0, self.n_fft, self.hop) * self.window)

    def _padded(self, spectrum: Tensor) -> Tensor:
        return _overlap_add(torch.fft.irfft(spectrum, n=self.n_fft) * self.window, hop=self.hop) * self._weight


def bins_known(magnitude: Tensor) -> Projection:
    """magnitude: `(frames, bins)`."""

    def agree(spectrum: Tensor) -> Tensor:
        # |spectrum| by rsqrt over the real view: several times cheaper than a complex abs.
        return spectrum * (magnitude * _power(spectrum).add_(1e-24).rsqrt_())

    return agree


def bands_known(wanted: Tensor, most: Tensor, *, gather: Callable[[Tensor], Tensor], spread: Callable[[Tensor], Tensor]) -> Projection:
    """Scales the bins of a band together: what lies between them, grain or harmonics, is free.

    wanted: power of bands `(bands, frames)`. most: the same where no more is known than that there was no more, elsewhere 0.
    gather: power of bins `(frames, bins)` to bands `(frames, bands)`. spread: a factor a band to a factor a bin.
    """
    least, most = wanted.T.contiguous(), torch.maximum(wanted, most).T.contiguous()

    def agree(spectrum: Tensor) -> Tensor:
        found = gather(_power(spectrum))
        ratio = found.clamp(least, most).div_(found.clamp_min_(_TINY))
        return spectrum * spread(ratio.clamp_max_(_MOST_GAIN).sqrt_())

    return agree


def power_limits(level: Tensor, *, heard: Tensor) -> tuple[Tensor, Tensor]:
    """Levels in dB `(bands, frames)` as `wanted` and `most` of `bands_known`; heard: where they are known.

    A cell on the floor may hold that little beside cells that are heard, as any window's skirts do; frames without any are silence.
    """
    power = 10 ** (level / 10)
    return torch.where(heard, power, 0.0), torch.where(~heard & heard.any(0), power, 0.0)


def griffin_lim(spectrum: Tensor, agree: Projection, grid: Grid, *, iterations: int, momentum: float) -> Tensor:
    """Accelerated Griffin-Lim (Perraudin, Balazs, Søndergaard 2013): `complex (frames, bins)` that agrees, to one nearer to audio.

    momentum 0 is the plain algorithm (Griffin, Lim 1984).
    """
    before = None
    for _ in range(iterations):
        now = grid.consistent(spectrum)
        ahead = now if before is None else _between(before, now, 1 + momentum)
        before, spectrum = now, agree(ahead)
    return spectrum


def reflect(spectrum: Tensor, agree: Projection, grid: Grid, *, iterations: int, relaxation: float) -> Tensor:
    """Relaxed averaged alternating reflections: `complex (frames, bins)` that agrees, to one that does."""
    found = spectrum
    for _ in range(iterations):
        now = torch.view_as_real(grid.consistent(_between(spectrum, found, 2.0)))
        now.add_(torch.view_as_real(spectrum)).mul_(relaxation).add_(torch.view_as_real(found), alpha=1 - 2 * relaxation)
        spectrum = torch.view_as_complex(now)
        found = agree(spectrum)
    return found


def _between(a: Tensor, b: Tensor, share: float) -> Tensor:
    """a + share (b - a), complex. Over the real views: several times cheaper."""
    return torch.view_as_complex(torch.lerp(torch.view_as_real(a), torch.view_as_real(b), share))


def _power(spectrum: Tensor) -> Tensor:
    pairs = torch.view_as_real(spectrum)
    return pairs[..., 0].square() + pairs[..., 1].square()


def _overlap_add(pieces: Tensor, *, hop: int) -> Tensor:
    """`(frames, n_fft) -> ((frames - 1) * hop + n_fft,)`; hop divides n_fft.

    piece 0   |a0|a1|a2|a3|                a piece is n_fft / hop blocks; block k of all pieces
    piece 1      |b0|b1|b2|b3|             is added in one go, k blocks further on
    """
    frames, n_fft = pieces.shape
    blocks = n_fft // hop
    split = pieces.reshape(frames, blocks, hop)
    summed = pieces.new_zeros(frames + blocks - 1, hop)
    for k in range(blocks):
        summed[k : k + frames] += split[:, k]
    return summed.reshape(-1)
