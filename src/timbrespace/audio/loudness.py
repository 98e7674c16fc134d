"""Momentary loudness after ITU-R BS.1770, which suits one-shots, and its K-weighting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 0.4  # s
_OFFSET = -0.691  # dB: makes a 997 Hz sine at full scale in one channel -3.01 LKFS

# Not pyloudnorm 0.2: it has no momentary loudness, refuses sounds shorter than 0.4 s, and approximates the K filter (a 997 Hz sine at
# full scale gives -3.05 LKFS, the standard requires -3.01).


def k_weighting(sample_rate: int) -> NDArray[np.float64]:
    """The two stages of the K filter as second-order sections `(2, 6)`, for any rate in Hz (the standard tabulates 48 kHz only).

    A shelf of 4 dB above 1.7 kHz (the head), then a high-pass at 38 Hz: the analogue filters of the standard by bilinear transform.
    """
    sections = np.zeros((2, 6))
    warped, quality = math.tan(math.pi * 1681.974450955533 / sample_rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    norm = 1 + warped / quality + warped**2
    shelf = [high + middle * warped / quality + warped**2, 2 * (warped**2 - high), high - middle * warped / quality + warped**2]
    sections[0] = np.array([*shelf, norm, 2 * (warped**2 - 1), 1 - warped / quality + warped**2]) / norm
    warped, quality = math.tan(math.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    norm = 1 + warped / quality + warped**2
    sections[1] = [1, -2, 1, 1, 2 * (warped**2 - 1) / norm, (1 - warped / quality + warped**2) / norm]
    return sections


def momentary_loudness(audio: Tensor | NDArray[np.floating], sample_rate: int) -> float:
    """Loudness of the loudest 0.4 s in LKFS (steps of 10 ms), -inf for silence.

    audio: `(channels, time)`, channels weighted equally (mono, stereo). A shorter sound is padded to 0.4 s, as in hearing: of two
    hits with the same peak, the shorter is quieter.
    """
    return _lkfs(float(_block_powers(audio, sample_rate, step=0.01).max()))


def _block_powers(audio: Tensor | NDArray[np.floating], sample_rate: int, *, step: float) -> NDArray[np.float64]:
    """K-weighted mean square, summed over channels, of every complete 0.4 s block, `(blocks,)`; a shorter sound is padded to one."""
    from scipy import signal

    window, hop = round(WINDOW * sample_rate), max(1, round(step * sample_rate))
    wave = (audio if isinstance(audio, np.ndarray) else audio.detach().cpu().numpy()).astype(np.float64)
    wave = np.pad(wave, ((0, 0), (0, max(0, window - wave.shape[-1]))))
    squares = signal.sosfilt(k_weighting(sample_rate), wave, axis=-1) ** 2
    running = np.concatenate([[0.0], np.cumsum(squares.sum(axis=0))])
    starts = np.arange(0, wave.shape[-1] - window + 1, hop)
    return np.maximum(running[starts + window] - running[starts], 0.0) / window


def _lkfs(power: float) -> float:
    return _OFFSET + 10 * math.log10(power) if power > 0 else -math.inf
