"""Getting phase back: from the magnitudes of an STFT to audio whose STFT has those magnitudes.

method             starts from     then
griffin-lim        random phase    plain iterations (Griffin, Lim 1984)
fast-griffin-lim   random phase    accelerated iterations (Perraudin, Balazs, Søndergaard 2013)
pghi               `pghi`          nothing
pghi+griffin-lim   `pghi`          accelerated iterations, with less momentum: it starts nearer
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.representation.pghi import check_grid, integrate_phase


class Method(NamedTuple):
    """A way to recover phase: whether PGHI gives its start, and how many iterations follow with how much momentum."""

    pghi: bool
    iterations: int
    momentum: float


METHODS = {
    "griffin-lim": Method(False, 32, 0.0),
    "fast-griffin-lim": Method(False, 32, 0.99),
    "pghi": Method(True, 0, 0.0),
    "pghi+griffin-lim": Method(True, 32, 0.9),
}
DEFAULT_METHOD = "pghi+griffin-lim"


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
) -> Tensor:
    """Magnitudes of an STFT to audio, `(..., bins, frames) -> (..., length)`, each sound on its own and with the same seed.

    n_fft: periodic Hann window, samples; hop divides it; frames = 1 + length // hop, centred, as `audio.stft` makes them. method: see
    the top of this file. iterations, momentum: the method's own (METHODS) unless given. seed: of the random phases.
    Silence comes back as silence. Raises ShapeError, ConfigError.
    """
    way = _way(method, iterations, momentum)
    if isinstance(magnitude, Tensor) and magnitude.ndim > 2:
        sounds = magnitude.reshape(-1, *magnitude.shape[-2:])
        options = {"n_fft": n_fft, "hop": hop, "length": length, "seed": seed}
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
    phase = integrate_phase(magnitude, n_fft=n_fft, hop=hop, seed=seed) if way.pghi else None
    return griffin_lim(
        magnitude, n_fft=n_fft, hop=hop, length=length, iterations=way.iterations, momentum=way.momentum, seed=seed, phase=phase
    )


def _way(method: str, iterations: int | None, momentum: float | None) -> Method:
    """The method with what was asked of it. Raises ConfigError."""
    if method not in METHODS:
        raise ConfigError(f"method is {method!r}, known are {', '.join(METHODS)}; {DEFAULT_METHOD} is the closest")
    own = METHODS[method]
    if iterations is not None and (iterations < 0 or (own.iterations == 0 and iterations)):
        allowed = "0 or more" if own.iterations else "none; for some, take pghi+griffin-lim"
        raise ConfigError(f"iterations is {iterations}, {method} allows {allowed}")
    if momentum is not None and (not 0 <= momentum <= 2 or (own.momentum == 0 and momentum)):
        allowed = "0 to 2, best under 1" if own.momentum else "none; for some, take fast-griffin-lim or pghi+griffin-lim"
        raise ConfigError(f"momentum is {momentum}, {method} allows {allowed}")
    return Method(own.pghi, own.iterations if iterations is None else iterations, own.momentum if momentum is None else momentum)


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
    window = torch.hann_window(n_fft, dtype=magnitude.dtype, device=magnitude.device)
    target = magnitude.T.contiguous()  # frames first: one frame is one run of memory for the FFT
    frames = target.shape[0]
    padded_length = (frames - 1) * hop + n_fft
    # At hops over n_fft / 4 the last samples lie at the edge of the only window that reaches them: they fade, and are not blown up.
    envelope = _overlap_add((window * window).expand(frames, n_fft), hop=hop).clamp_min(0.2)
    # The centred transform sees zeros before sample 0 and after `length`; an estimate must not leak there.
    inside = torch.zeros(padded_length, dtype=magnitude.dtype, device=magnitude.device)
    inside[n_fft // 2 : n_fft // 2 + length] = 1.0
    weight = inside / envelope

    def to_audio(spectrum: Tensor) -> Tensor:
        return _overlap_add(torch.fft.irfft(spectrum, n=n_fft) * window, hop=hop) * weight

    if phase is None:
        generator = torch.Generator().manual_seed(seed)
        phase = torch.rand(target.shape, generator=generator, dtype=torch.float32).to(target).T * (2 * math.pi)
    spectrum = torch.polar(target, phase.T.contiguous())
    previous = None
    for _ in range(iterations):
        consistent = torch.fft.rfft(to_audio(spectrum).unfold(0, n_fft, hop) * window)
        ahead = consistent if previous is None else torch.lerp(previous, consistent, 1 + momentum)
        previous = consistent
        # |ahead| by rsqrt over the real view: several times cheaper than a complex abs.
        real = torch.view_as_real(ahead)
        spectrum = ahead * (target * (real[..., 0].square() + real[..., 1].square()).add_(1e-24).rsqrt_())
    return to_audio(spectrum)[n_fft // 2 : n_fft // 2 + length]


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
