"""The two constraints of phase retrieval, each as a projection of the complex STFT of one sound.

magnitude      the nearest spectrum with the given power: of every bin (`project_to_bins`), or of whole bands (`project_to_bands`)
consistency    the nearest spectrum that is the STFT of some audio: inverse STFT, then STFT (`StftGrid.project`)

The algorithms that alternate them are in `griffin_lim` and `raar`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from timbrespace.audio.stft import overlap_add

Projection = Callable[[Tensor], Tensor]  # complex (frames, bins) -> complex (frames, bins)

MIN_OVERLAP = 0.2  # of squared windows
_MIN_POWER = 1e-20
_MAX_GAIN = 1e6  # of power in one projection: limits how far almost silent cells are amplified at once


class StftGrid:
    """The frames of an STFT over one sound: `n_fft` samples each, `hop` samples apart, with zeros before and after the sound.

    Args:
        n_fft, hop: samples; hop divides n_fft.
        length: of the sound, samples.
        like: a tensor whose type and device are used.
        window: `(n_fft,)`; default: periodic Hann.
        centred: True: the middle of frame 0 is sample 0; False: frame 0 starts at sample 0.
        min_overlap: the sum of squared windows is clamped to at least this. Where it is smaller, audio fades instead of being amplified.
        past: the first samples of the sound, `(any,)`, which are known and stay as they are; None: none are.
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
        min_overlap: float = MIN_OVERLAP,
        past: Tensor | None = None,
    ):
        self.n_fft, self.hop, self.length = n_fft, hop, length
        self.padding = n_fft // 2 if centred else 0
        self.frames = 1 + (length // hop if centred else max(0, -(-(length - n_fft) // hop)))
        self.window = (torch.hann_window(n_fft, dtype=torch.float64) if window is None else window).to(like)
        # At hops over n_fft / 4 the last samples are only covered by the edge of one window.
        envelope = overlap_add((self.window * self.window).expand(self.frames, n_fft), hop=hop).clamp_min(min_overlap)
        # The sound is zero before sample 0 and after `length`; an estimate is set to zero there as well.
        inside = torch.zeros_like(envelope)
        inside[self.padding : self.padding + length] = 1.0
        self._weight = inside / envelope
        self._past = None if past is None else past[:length].to(like)

    def to_audio(self, spectrum: Tensor) -> Tensor:
        """Returns the least-squares inverse: `complex (frames, bins) -> (length,)` (Griffin & Lim 1984)."""
        return self._to_padded_audio(spectrum)[self.padding : self.padding + self.length]

    def project(self, spectrum: Tensor) -> Tensor:
        """Returns the STFT of the least-squares inverse: `complex (frames, bins) -> complex (frames, bins)`."""
        return torch.fft.rfft(self._to_padded_audio(spectrum).unfold(0, self.n_fft, self.hop) * self.window)

    def _to_padded_audio(self, spectrum: Tensor) -> Tensor:
        """`complex (frames, bins) -> ((frames - 1) * hop + n_fft,)`, zero outside the sound."""
        audio = overlap_add(torch.fft.irfft(spectrum, n=self.n_fft) * self.window, hop=self.hop) * self._weight
        if self._past is not None:
            audio[self.padding : self.padding + len(self._past)] = self._past
        return audio


def project_to_bins(magnitude: Tensor) -> Projection:
    """Returns the projection that gives every bin its magnitude and keeps its phase. magnitude: `(frames, bins)`."""

    def project(spectrum: Tensor) -> Tensor:
        # |spectrum| by rsqrt over the real view: several times cheaper than a complex abs.
        return spectrum * (magnitude * _power(spectrum).add_(1e-24).rsqrt_())

    return project


def project_to_bands(
    power: Tensor, max_power: Tensor, *, gather: Callable[[Tensor], Tensor], spread: Callable[[Tensor], Tensor]
) -> Projection:
    """Returns the projection that scales all bins of a band together to the band's power; how it is distributed within the band is free.

    Args:
        power: of the bands, `(bands, frames)`.
        max_power: `(bands, frames)`: an upper limit for bands whose power is not known exactly, 0 for the others.
        gather: power of bins `(frames, bins)` to power of bands `(frames, bands)`.
        spread: a factor per band `(frames, bands)` to a factor per bin `(frames, bins)`.
    """
    lower, upper = power.T.contiguous(), torch.maximum(power, max_power).T.contiguous()

    def project(spectrum: Tensor) -> Tensor:
        current = gather(_power(spectrum))
        ratio = current.clamp(lower, upper).div_(current.clamp_min_(_MIN_POWER))
        return spectrum * spread(ratio.clamp_max_(_MAX_GAIN).sqrt_())

    return project


def power_limits(level: Tensor, *, above_floor: Tensor) -> tuple[Tensor, Tensor]:
    """Returns `power` and `max_power` of `project_to_bands`, `(bands, frames)` each.

    level: dB, `(bands, frames)`. above_floor: bool, `(bands, frames)`. A cell on the floor may have up to that power beside cells above
    the floor, because of the side lobes of the window; a frame without cells above the floor is silent.
    """
    power = 10 ** (level / 10)
    return torch.where(above_floor, power, 0.0), torch.where(~above_floor & above_floor.any(0), power, 0.0)


def extrapolate(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Returns a + share (b - a), complex, any shape. Computed over the real views, which is several times cheaper."""
    return torch.view_as_complex(torch.lerp(torch.view_as_real(a), torch.view_as_real(b), share))


def _power(spectrum: Tensor) -> Tensor:
    """`complex (frames, bins) -> (frames, bins)`."""
    pairs = torch.view_as_real(spectrum)
    return pairs[..., 0].square() + pairs[..., 1].square()
