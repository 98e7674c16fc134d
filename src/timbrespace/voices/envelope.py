"""The second path of a conversion: a piece filtered by the difference of two spectral envelopes, where several tones sound together."""

from __future__ import annotations

import numpy as np

from timbrespace.voices.frames import CENTRES, HOP, PARTIALS, RATE, Frames, Samples, Values, k_weight, mel

_WINDOW = 2_048  # samples
_MOST_DB = 24.0  # of the filter
_NEAR_SECONDS, _FARTHEST_SECONDS = 0.1, 0.8  # over which the weight of frames falls to 1/e; beyond, they have none
NEARBY = round(_FARTHEST_SECONDS * RATE / HOP)  # frames
_UNSURE = 1e-3  # least weight of a frame
_POINTS = 40  # of an envelope, evenly on the mel scale
_LEAST = 1e-9
_AXIS = np.linspace(float(mel(np.array(80.0))), float(mel(np.array(16_000.0))), _POINTS)


def filtered(
    wave: Samples, places: Values, voiced: Frames, own: Frames, gains: Values, sure: Values, first: int, last: int, *, ratio: float,
    samples: int,
) -> Values:  # fmt: skip
    """Returns frames `first` to `last` of a piece `(time,)`, filtered: audio of `(last - first) * HOP` samples, cut at `samples`.

    places: in the piece of every frame of the result. voiced, own: the frames in the voice and in the piece's own instrument. gains: of
    amplitude, of every frame. sure: how well pitch and levels of every frame are known, 0 to 1: where they are not, the difference is that
    of frames nearby. ratio: of the pitch, reached by resampling each window.
    """
    from scipy.fft import irfft, rfft

    window = np.hanning(_WINDOW + 1)[:-1]
    reach = _WINDOW // HOP // 2
    out = np.zeros((last - first) * HOP + 2 * _WINDOW)
    bins = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    at = np.interp(mel(bins), _AXIS, np.arange(_POINTS))
    low = np.minimum(at.astype(int), _POINTS - 2)
    share, weighting = at - low, k_weight(np.maximum(bins, 1.0))
    start, stop = max(first - reach, 0), min(last + reach + 1, len(places))
    changes = _changes(voiced, own, sure, start, stop)
    for frame in range(start, stop):
        if gains[frame] == 0:
            continue
        centre = places[frame] * HOP
        piece = _samples(wave, (np.arange(_WINDOW) - _WINDOW // 2) * ratio + centre)
        change = changes[frame - start]
        curve = change[low] * (1 - share) + change[low + 1] * share
        begin = (frame - first) * HOP - _WINDOW // 2 + _WINDOW
        spectrum, factors = rfft(piece * window), 10 ** (curve / 20)
        power = np.square(np.abs(spectrum)) * weighting
        level = np.sqrt(power.sum() / max(float((power * np.square(factors)).sum()), _LEAST**2))  # the piece's loudness
        out[begin : begin + _WINDOW] += gains[frame] * level * irfft(spectrum * factors) * window
    overlap = np.square(window).sum() / HOP
    stop = min((last - first) * HOP, samples - first * HOP)
    return np.asarray(out[_WINDOW : _WINDOW + stop] / overlap, np.float32)


def _changes(voiced: Frames, own: Frames, sure: Values, first: int, last: int) -> Values:
    """The difference of the envelopes of frames in dB `(last - first, _POINTS)`, a mean over those nearby, the surest first."""
    from scipy.ndimage import convolve1d

    low, high = max(first - NEARBY, 0), min(last + NEARBY, len(sure))
    curves = np.stack([_envelope(voiced, frame) - _envelope(own, frame) for frame in range(low, high)])
    weights = np.maximum(sure[low:high, None], _UNSURE)
    both = np.concatenate([np.clip(curves, -_MOST_DB, _MOST_DB) * weights, weights], axis=1)
    kernel = np.exp(-np.abs(np.arange(-NEARBY, NEARBY + 1)) * HOP / RATE / _NEAR_SECONDS)
    kernel[NEARBY] = 2.0
    both = convolve1d(both, kernel, axis=0, mode="constant")
    return np.asarray((both[:, :-1] / both[:, -1:])[first - low : last - low])


def _samples(wave: Samples, at: Values) -> Values:
    """Samples at fractional places, which rise, linear between them; 0 outside."""
    start = max(0, int(at[0]) - 1)
    wave = wave[start : max(start, int(at[-1]) + 3)]
    if not len(wave):
        return np.zeros(len(at))
    at = at - start
    low = np.floor(at).astype(int)
    inside = (low >= 0) & (low < len(wave) - 1)
    low = np.clip(low, 0, max(len(wave) - 2, 0))
    share = at - low
    return np.where(inside, wave[low] * (1 - share) + wave[np.minimum(low + 1, len(wave) - 1)] * share, 0.0)


def _envelope(frames: Frames, frame: int) -> Values:
    """The level of the partials, or of the noise where there is no pitch, in dB on the axis of the envelope `(_POINTS,)`."""
    pitch = frames.pitch[frame]
    if pitch <= 0:
        return np.asarray(np.interp(_AXIS, mel(CENTRES), 10 * np.log10(frames.noise[frame] + _LEAST**2)))
    hertz = pitch * np.arange(1, PARTIALS + 1)
    there = (hertz < RATE / 2) & (frames.partials[frame] > 0)
    if not there.any():
        return np.zeros(_POINTS)
    return np.asarray(np.interp(_AXIS, mel(hertz[there]), 20 * np.log10(frames.partials[frame][there] + _LEAST)))
