"""Makes clips of audio: onset and end, fades, peak normalisation.

Arrays are `(channels, time)` float32; thresholds are relative to the loudest sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SILENT_PEAK = 4e-5  # about -88 dBFS: the last bit of 16, which dither alone changes
STORED_PEAK = 10 ** (-1 / 20)  # -1 dB: the peak of stored clips
_ONSET = 1e-3  # -60 dB
_LOUD = 0.05  # -26 dB: certainly within the sound
_HIGHEST_ONSET = 0.02  # -34 dB: the highest threshold after a noisy lead-in
_END = 1e-4  # -80 dB
_BEFORE_SECONDS = 0.001  # kept before the onset, faded in
_AFTER_SECONDS = 0.005  # kept after the end, faded out
_CUT_FADE_SECONDS = 0.010


@dataclass(frozen=True)
class Segment:
    """Frames start … end of a file. fade_in, fade_out: frames to fade over where the sound continues beyond the segment."""

    start: int
    end: int
    fade_in: int = 0
    fade_out: int = 0


def bounds(audio: np.ndarray, rate: int) -> tuple[int, int]:
    """Onset and end of the sound in frames; the end is after the last sample above -80 dB of the peak. Silence gives (0, 0).

    The onset is the first sample above -60 dB of the peak, so that soft attacks are complete; only after a lead-in of even noise,
    such as that of a record, the threshold is above the noise.
    """
    envelope = np.abs(audio).max(axis=0)
    peak = float(envelope.max(initial=0.0))
    if peak == 0.0:
        return 0, 0
    onset = int(np.argmax(envelope > _ONSET * peak))
    loud = int(np.argmax(envelope > _LOUD * peak))
    block = max(1, rate // 1000)
    blocks = (loud - onset - 5 * block) // block  # whole milliseconds of lead-in, without the attack itself
    if blocks >= 20:
        levels = envelope[onset : onset + blocks * block].reshape(blocks, block).max(axis=1)
        first, second = float(np.median(levels[: blocks // 2])), float(np.median(levels[blocks // 2 :]))
        if second < 1.41 * first:  # even or falling: noise; an attack would rise
            threshold = min(2.0 * float(np.quantile(levels, 0.95)), _HIGHEST_ONSET * peak)
            onset = max(onset, int(np.argmax(envelope > threshold)))
    end = len(envelope) - int(np.argmax(envelope[::-1] > _END * peak))
    return onset, end


def shorten(audio: np.ndarray, samples: int, rate: int) -> np.ndarray:
    """The first `samples` frames of `audio (channels, time)`, faded out over the last 10 ms; unchanged if it is not longer."""
    if audio.shape[1] <= samples:
        return audio
    cut = audio[:, :samples].copy()
    fade = min(samples, max(1, round(_CUT_FADE_SECONDS * rate)))
    cut[:, samples - fade :] *= np.linspace(1.0, 0.0, fade + 1, dtype=np.float32)[1:]
    return cut


def make_clip(audio: np.ndarray, segment: Segment, rate: int) -> tuple[np.ndarray, int, float] | None:
    """One segment of `audio`, trimmed, faded where it was cut, and normalised; None if it is silent.

    Returns (clip `(channels, time)` float32 with a peak of -1 dB, its first frame in `audio`, gain in dB).
    """
    part = audio[:, segment.start : segment.end]
    onset, end = bounds(part, rate)
    if end == 0:
        return None
    first = max(0, onset - max(1, round(_BEFORE_SECONDS * rate)))
    last = min(part.shape[1], end + max(1, round(_AFTER_SECONDS * rate)))
    clip = part[:, first:last].copy()
    length = clip.shape[1]
    fade_in = onset - first if first > 0 else min(segment.fade_in, length // 2)
    fade_out = last - end if last < part.shape[1] else min(segment.fade_out, length // 2)
    if fade_in > 0:
        clip[:, :fade_in] *= np.linspace(0.0, 1.0, fade_in + 1, dtype=np.float32)[:-1]
    if fade_out > 0:
        clip[:, length - fade_out :] *= np.linspace(1.0, 0.0, fade_out + 1, dtype=np.float32)[1:]
    peak = float(np.abs(clip).max())
    if peak < SILENT_PEAK:
        return None
    gain = STORED_PEAK / peak
    return (clip.astype(np.float64) * gain).astype(np.float32), segment.start + first, float(20.0 * np.log10(gain))


def pad_and_normalise(audio: np.ndarray, samples: int) -> np.ndarray:
    """`audio (channels, time)` of up to `samples` frames, normalised to a peak of -1 dB and zero padded: `(channels, samples)`."""
    peak = float(np.abs(audio).max(initial=0.0))
    level = STORED_PEAK / peak if peak > SILENT_PEAK else 1.0
    return np.pad(audio * np.float32(level), ((0, 0), (0, samples - audio.shape[1])))
