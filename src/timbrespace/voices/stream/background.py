"""What sounds between the partials of a piece: its room, its background, its breath."""

from __future__ import annotations

import numpy as np

from timbrespace.voices.frames import HOP, RATE, Values
from timbrespace.voices.stream.rows import Rows

_WINDOW = 4_096  # samples
_STEP = 4  # frames between windows
_LOBE = 3.0  # bins on either side of a partial that are left out
_BEND = 0.01  # of the frequency: vibrato spreads high partials further


def background(audio: Values | Rows, pitch: Values, gains: Values, first: int, last: int) -> Values:
    """Returns the background of frames `first` to before `last`, multiples of four apart: `((last - first) * HOP, channels)`.

    audio: the piece `(time, channels)` at RATE. pitch: in Hz, of all frames; where it is 0, all of the piece is background. gains: of
    amplitude, of all frames. Short-time spectra without the bins around the partials are added up again.
    """
    from scipy.fft import irfft, rfft

    window = np.hanning(_WINDOW + 1)[:-1]
    reach = _WINDOW // 2 // HOP
    frames = np.arange(first - reach, last + reach + 1, _STEP)  # a block begins at a multiple of the step
    start = (first - 2 * reach) * HOP
    stop = (last + 2 * reach + 1) * HOP
    piece = audio[max(start, 0) : max(stop, 0)]
    piece = np.pad(piece, ((max(0, -start), max(0, stop - max(start, 0) - len(piece))), (0, 0)))
    bins = np.arange(_WINDOW // 2 + 1)
    out = np.zeros(piece.shape)
    for frame in frames:
        at = int(np.clip(frame, 0, len(pitch) - 1))
        if frame < 0 or gains[at] == 0:
            continue
        place = frame * HOP - start - _WINDOW // 2
        spectrum = rfft(piece[place : place + _WINDOW] * window[:, None], axis=0)
        if pitch[at] > 0:
            spacing = pitch[at] * _WINDOW / RATE
            number = np.rint(bins / spacing)
            apart = np.abs(bins - number * spacing)
            spectrum[(number > 0) & (apart < _LOBE + _BEND * bins)] = 0
        out[place : place + _WINDOW] += gains[at] * irfft(spectrum, axis=0) * window[:, None]
    overlap = np.square(window).sum() / (_STEP * HOP)
    inner = slice(first * HOP - start, last * HOP - start)
    return np.asarray(out[inner] / overlap, np.float32)
