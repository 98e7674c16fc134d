"""Getting phase back: from the magnitudes of an STFT to audio whose STFT has those magnitudes."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def griffin_lim(
    magnitude: Tensor, *, n_fft: int, hop: int, length: int, iterations: int = 32, momentum: float = 0.99, seed: int = 0
) -> Tensor:
    """Accelerated Griffin-Lim (Perraudin, Balazs, Søndergaard 2013) on one sound: `(bins, frames) -> (length,)`.

    n_fft: periodic Hann window, samples; hop divides it. frames = 1 + length // hop, centred. momentum 0 is the plain algorithm
    (Griffin, Lim 1984). seed: of the random starting phase, drawn on the CPU so that every device starts alike.
    """
    window = torch.hann_window(n_fft, dtype=magnitude.dtype, device=magnitude.device)
    target = magnitude.T.contiguous()  # frames first: one frame is one run of memory for the FFT
    frames = target.shape[0]
    padded_length = (frames - 1) * hop + n_fft
    envelope = _overlap_add((window * window).expand(frames, n_fft), hop=hop).clamp_min(1e-8)
    # The centred transform sees zeros before sample 0 and after `length`; an estimate must not leak there.
    inside = torch.zeros(padded_length, dtype=magnitude.dtype, device=magnitude.device)
    inside[n_fft // 2 : n_fft // 2 + length] = 1.0
    weight = inside / envelope

    def to_audio(spectrum: Tensor) -> Tensor:
        return _overlap_add(torch.fft.irfft(spectrum, n=n_fft) * window, hop=hop) * weight

    generator = torch.Generator().manual_seed(seed)
    phase = torch.rand(target.shape, generator=generator, dtype=torch.float32).to(target) * (2 * math.pi)
    spectrum = torch.polar(target, phase)
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
