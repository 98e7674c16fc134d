"""The ends of a moving sound are the given sounds: its first samples are those of the first sound, its last ones those of the last.

    first sound   |########\\
    moving sound  |        /###############\\
    last sound    |                        /####|       #: samples as read; \\ /: fades of 10 ms
"""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.finish import SUBSONIC, Level, finish, high_pass, set_level
from timbrespace.synthesis.moving.plan import Moving

FADE_SECONDS = 0.010
_START_SECONDS, _END_SECONDS = 0.025, 0.045  # after the attack and before the end: samples of the given sounds, with the fade
_LIMIT_SECONDS = 0.02
_MOST_START, _MOST_END = 0.22, 0.15  # of the length


def join_ends(contents: InstrumentContents, moving: Moving, audio: Tensor, *, level: Level | None, out_rate: int) -> Tensor | None:
    """Returns a moving sound `(channels, new time)` at `out_rate` Hz, with what the given sounds have before and after it.

    audio: `(channels, time)` from the onset, as rendered. None where neither end is a given sound.
    """
    first, last, rate = moving.first, moving.last, contents.sample_rate
    if first is None and last is None:
        return None
    audio = torch.from_numpy(high_pass(audio.double().numpy(), rate, cutoff=SUBSONIC)).float()
    audio = _no_louder(audio, max(float(source.given.audio.abs().max()) for source in moving.sources), round(_LIMIT_SECONDS * rate))
    length = audio.shape[1]
    if first is not None and first.detail is not None:
        own = first.given.audio[:, first.lead.shape[1] :]
        count = own_start(contents, first, length)
        weight = _ramp(count, round(FADE_SECONDS * rate)).flip(0)
        audio[:, :count] = own[:, :count] * weight + audio[:, :count] * (1 - weight)
        audio = torch.cat([first.given.audio[:, : first.lead.shape[1]], audio], 1)
    if last is not None and last.detail is not None:
        audio = _with_end(contents, last, audio, length)
    else:
        audio = finish(audio, rate, level="keep", trim=False)
    return set_level(audio, rate, level=level, out_rate=out_rate)


def own_start(contents: InstrumentContents, first: Source, length: int) -> int:
    """Returns how many samples of a moving sound of `length` samples are those of its first sound, with the fade; 0 without detail."""
    if first.detail is None:
        return 0
    attack = first.detail.timing.attack * contents.representation.hop
    own = first.given.audio.shape[1] - first.lead.shape[1]
    return min(attack + round(_START_SECONDS * contents.sample_rate), round(_MOST_START * length), own)


def _no_louder(audio: Tensor, limit: float, reach: int) -> Tensor:
    """Audio `(channels, time)` that is nowhere louder than `limit`: its gain goes down and up again within `reach` samples."""
    peaks = audio.abs().amax(0)
    if float(peaks.max()) <= limit:
        return audio
    pooled = torch.nn.functional.pad(peaks[None, None], (2 * reach, 2 * reach))
    pooled = torch.nn.functional.max_pool1d(pooled, 2 * reach + 1, stride=1)
    gain = (limit / pooled.clamp_min(1e-9)).clamp_max(1.0)
    return audio * torch.nn.functional.avg_pool1d(gain, 2 * reach + 1, stride=1)[0]


def _with_end(contents: InstrumentContents, last: Source, audio: Tensor, length: int) -> Tensor:
    """Audio that ends with the samples of the last sound, also those after the part that the model sees."""
    own = last.given.audio[:, last.lead.shape[1] :]
    seen, rate = last.encoded.length, contents.sample_rate
    count = min(round(_END_SECONDS * rate), round(_MOST_END * length), seen)
    if not count:
        return audio
    tail = own[:, seen - count : last.total]
    weight = _ramp(count, round(FADE_SECONDS * rate))
    start = audio.shape[1] - count
    joined = tail[:, :count] * weight + audio[:, start:] * (1 - weight)
    return torch.cat([audio[:, :start], joined, tail[:, count:]], 1)


def _ramp(count: int, fade: int) -> Tensor:
    """Weights `(count,)` that rise from 0 to 1 within `fade` samples."""
    return (torch.arange(count) / max(1, min(fade, count))).clamp_max(1.0)
