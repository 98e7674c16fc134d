"""Rise times of rendered new sounds, mapped to those of real ones."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.audio.descriptors import attack_time, envelope, envelope_step
from timbrespace.synthesis.detail_model.grid import RISES

_LATEST_SECONDS = 0.2  # of the peak: later ones are swells, which keep their rise
_SWELL_SECONDS = 0.04  # sounds that rise more slowly do so by intention
_LEAST_RATIO = 0.3  # of a rise time to that of the rendered sound
_LEAST_MS = 0.1


def rise_map(rendered: list[Tensor], true: list[Tensor], sample_rate: int) -> Tensor:
    """Returns rise times `(2, RISES)`, log2 of ms, at even ranks: of rendered new sounds and of real ones, `(channels, time)` each.

    Latents between those of two sounds blend their attacks, and noise in frames of 23 ms has no single onset: new sounds rise more slowly.
    """
    ranks = torch.linspace(0.0, 1.0, RISES)
    rows = [_log_ms(torch.tensor([rise(audio, sample_rate) for audio in sounds])).quantile(ranks) for sounds in (rendered, true)]
    return torch.stack(rows)


def rise(audio: Tensor, sample_rate: int) -> float:
    """Returns the time in s from 10 to 90 % of the peak of `audio (channels, time)`."""
    return float(attack_time(audio.mean(0), sample_rate))


def sharpened(audio: Tensor, sample_rate: int, rises: Tensor) -> Tensor:
    """Returns `audio (channels, time)` whose envelope rises as fast as that of real sounds of its rank, see `rise_map`; never slower.

    The envelope before 90 % of the peak is compressed in time by a gain of at most 1; the rest is unchanged, and the silenced part
    before is cut, with as many zeros at the end. Sounds that rise for more than 40 ms, or whose peak is late, are left as they are.
    """
    step, length = envelope_step(sample_rate), audio.shape[1]
    size = envelope(audio[:, : round(2 * _LATEST_SECONDS * sample_rate)].mean(0), sample_rate)
    most = float(size.max())
    if not most > 0 or int(audio.abs().amax(0).argmax()) > _LATEST_SECONDS * sample_rate:
        return audio
    high, low = (int((size >= share * most).int().argmax()) for share in (0.9, 0.1))
    found = (high - low) * step / sample_rate
    wanted = _mapped(found, rises)
    if high < 2 or found > _SWELL_SECONDS or wanted > 0.97 * found:
        return audio
    rising = torch.cummax(size[: high + 1], 0).values
    ratio = found / wanted
    earlier = high - (high - torch.arange(high + 1)) * ratio
    lower = earlier.floor().clamp(0, high - 1).long()
    share = (earlier - lower).clamp(0, 1)
    target = torch.where(earlier >= 0, torch.lerp(rising[lower], rising[lower + 1], share), 0.0)
    gain = (target / rising.clamp_min(1e-9)).clamp(0, 1)
    samples = torch.arange(high * step)
    position = samples / step
    first = position.long().clamp_max(high - 1)
    curve = torch.lerp(gain[first], gain[first + 1], position - first)
    result = audio.clone()
    result[:, : len(curve)] *= curve
    silent = int((curve > 1e-3).int().argmax())
    cut = max(0, silent - round(0.001 * sample_rate))
    return functional.pad(result[:, cut:], (0, cut))[:, :length]


def _mapped(seconds: float, rises: Tensor) -> float:
    """A rise time in s as real sounds of the same rank have it, at least `_LEAST_RATIO` of it."""
    value = _log_ms(torch.tensor(seconds))
    rendered, true = rises
    upper = torch.searchsorted(rendered, value).clamp(1, len(rendered) - 1)
    span = (rendered[upper] - rendered[upper - 1]).clamp_min(1e-6)
    change = torch.lerp((true - rendered)[upper - 1], (true - rendered)[upper], ((value - rendered[upper - 1]) / span).clamp(0, 1))
    return seconds * max(_LEAST_RATIO, min(1.0, 2.0 ** float(change)))


def _log_ms(seconds: Tensor) -> Tensor:
    return torch.log2((1000 * seconds).clamp_min(_LEAST_MS))
