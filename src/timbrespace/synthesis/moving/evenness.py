"""Speeds on the way from one given sound to another for an even audible change: measured, and corrected by the measurement.

once   In every sixteenth of the time the place of a key between the two sounds is that of its projection on their difference. The sound
       is at the key whose place, times how far the two are apart there, makes the same step from block to block.
held   The sound is rendered, the change of its spectrum from sixteenth to sixteenth measured, the path given more time where it changes
       more, and so on, a few times; the most even one is taken.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from timbrespace.synthesis.moving.course import steady

BLOCKS = 16
Values = NDArray[np.float64]
_FLOOR_DB = 60.0  # under the loudest cell: softer changes do not count
_LEAST_APART = 0.1  # of the mean distance of the sounds: where both are nearly silent, the place would jump
_FASTEST = 4.0  # times the mean step of the place
_PASSES, _STEP = 6, 0.7  # corrections of the places; the share of the error that each takes away
_NOTE_PASSES = 30  # of a note by its partials
_ROUNDS, _EVEN = 4, 1.4  # renderings of a held sound at most; largest change over the mean, under which it is even enough
_NOTE_ROUNDS, _NOTE_EVEN = 12, 1.15  # the same for a held note, which is measured before it is rendered
_POWER = 0.7  # of the change, by which a block gets more time
_MOST_LOG = 1.2  # of the change over the mean, that counts
_SHORTEST, _LONGEST = 1 / 8, 4.0  # times the mean, of the way within a block
_N_FFT, _HOP, _BANDS, _LOW_HZ = 1024, 128, 40, 60.0


def projected(levels: Tensor, *, start: int, end: int, weights: Tensor | None = None) -> Tensor:
    """Returns places among the keys `(frames,)`: 0 until frame `start`, at the last from frame `end` on; between, not always rising.

    levels: of the keys on the time axis of the result, dB, `(keys, parts, bands, frames)`; the first and the last are the two sounds.
    weights: of the bands `(bands,)`.
    """
    keys, frames = levels.shape[0], levels.shape[-1]
    blocks = min(BLOCKS, end - start)
    if blocks < 4 or keys < 2:
        return steady(frames, keys, start=start, end=end)
    cells = levels[..., start:end].flatten(1, 2)
    cells = cells.clamp_min(float(torch.maximum(cells[0], cells[-1]).max()) - _FLOOR_DB).double()
    bottom = float(cells.min())
    if weights is not None:
        weights = weights.double().sqrt().repeat(levels.shape[1])
        cells = cells * weights[:, None]
    difference = cells[-1] - cells[0]
    parts = torch.arange(end - start).tensor_split(blocks)
    size = np.array([float(difference[:, part].square().sum()) for part in parts]) + 1e-9
    apart = np.sqrt(size / np.array([difference[:, part].numel() for part in parts]))
    if not apart.max() > 1e-3:
        return steady(frames, keys, start=start, end=end)

    def place(values: Tensor) -> Values:
        """Of levels `(…, cells, frames)` between the two sounds, in each block `(…, blocks)`."""
        away = (values - cells[0]) * difference
        return np.stack([away[..., part].sum((-2, -1)).numpy() for part in parts], -1) / size

    reached = np.maximum.accumulate(place(cells).T, axis=1) + 1e-9 * np.arange(keys)
    between = np.concatenate([apart[:1], (apart[1:] + apart[:-1]) / 2, apart[-1:]])
    weight = np.array([0.5, *[1.0] * (blocks - 1), 0.5])
    steps = weight / np.maximum(between, _LEAST_APART * between.mean())
    steps = np.minimum(steps, _FASTEST / blocks * steps.sum() * weight)
    goal = np.cumsum(steps / steps.sum())[:-1]
    aim, best, least = goal, steady(frames, keys, start=start, end=end), np.inf
    time, at = torch.arange(end - start), np.zeros(blocks)
    gain, before = np.full(blocks, _STEP * (keys - 1)), np.zeros(blocks)
    for number in range(_PASSES if weights is None else _NOTE_PASSES):
        if number < _PASSES:
            at = np.array([float(np.interp(aim[block], reached[block], np.arange(keys))) for block in range(blocks)])
        found = _between_blocks(at, keys, end - start)
        first = torch.from_numpy(found).long().clamp_max(keys - 2)
        share = torch.from_numpy(found) - first
        raw = levels[..., start:end].flatten(1, 2)
        mixed = torch.lerp(raw[first, :, time].double(), raw[first + 1, :, time].double(), share[:, None]).T
        mixed = mixed.clamp_min(bottom)
        got = place(mixed if weights is None else mixed * weights[:, None])
        change = np.abs(np.diff(got)) * between[1:-1]
        uneven = float(change.max() / max(change.mean(), 1e-12))
        if uneven < least:
            least = uneven
            best = torch.full((frames,), float(keys - 1), dtype=torch.float64)
            best[:start] = 0.0
            best[start:end] = torch.from_numpy(found)
        aim = np.clip(aim + _STEP * (goal - got), 0.0, 1.0)
        if number + 1 >= _PASSES:  # where the place hardly depends on the key, or not always rises with it: smaller and smaller steps
            gain = np.where(before * (goal - got) < 0, gain / 2, gain)
            at, before = np.clip(at + gain * (goal - got), 0.0, keys - 1), goal - got
    return best


def _between_blocks(at: Values, keys: int, frames: int) -> Values:
    """Places `(frames,)` that go from 0 to the last key through those of the blocks, linear between their middles."""
    middles = [float(part.mean()) for part in np.array_split(np.arange(frames), len(at))]
    return np.interp(np.arange(frames), [0.0, *middles, float(frames)], [0.0, *at, keys - 1.0])


def paced(places: Tensor, pace: Values, *, start: int, end: int) -> Tensor:
    """Returns places `(frames,)` that pass the path from frame `start` to `end` in blocks of these shares of it `(blocks,)`."""
    if end <= start:
        return places
    edges = np.concatenate([[0.0], np.cumsum(pace) / pace.sum()])
    time = np.arange(end - start) / (end - start) * len(pace)
    found = places.clone()
    found[start:end] = torch.from_numpy(np.interp(time, np.arange(len(pace) + 1), edges) * float(places.max()))
    return found


def settled_places(levels: Tensor, places: Tensor, *, start: int, end: int, weights: Tensor) -> Tensor:
    """Returns the most even of a few ways to pass the places `(frames,)` of a held note from frame `start` to `end`.

    levels: of the keys, dB `(keys, parts, cells, frames)`. weights: of the cells `(cells,)`.
    """
    if end - start < BLOCKS:
        return places
    floor, time, keys = float(levels[..., start:end].max()) - _FLOOR_DB, torch.arange(start, end), len(levels)
    root = (weights / weights.mean()).sqrt()[:, None]

    def make(pace: Values | None) -> tuple[Tensor, Tensor]:
        found = places if pace is None else paced(places, pace, start=start, end=end)
        first = found[start:end].floor().long().clamp_max(keys - 2)
        share = (found[start:end] - first).to(levels)[:, None, None]
        return torch.lerp(levels[first, :, :, time], levels[first + 1, :, :, time], share).movedim(0, -1), found

    def change(cells: Tensor, _: Tensor) -> Values:
        blocks = torch.stack([part.clamp_min(floor).mean(-1) for part in cells.tensor_split(BLOCKS, -1)], -1)
        return np.asarray((root * blocks.diff(dim=-1)).square().mean((0, 1)).sqrt().double().numpy())

    return _settled(make, change, rounds=_NOTE_ROUNDS, even=_NOTE_EVEN)[1]


def settled(render: Callable[[Values | None], tuple[Tensor, Tensor]], *, hop: int, rate: int) -> Tensor:
    """Returns the most even audio `(channels, time)` of a few renderings.

    render: audio and places `(frames,)` for a pace, None: that of its own. hop: samples between the places. rate: Hz.
    """

    def change(audio: Tensor, places: Tensor) -> Values:
        moves = _moves(places)
        return changes(audio[:, int(moves[0]) * hop : int(moves[-1]) * hop].mean(0), rate) if len(moves) else np.zeros(0)

    return _settled(render, change, rounds=_ROUNDS, even=_EVEN)[0]


def _settled(
    make: Callable[[Values | None], tuple[Tensor, Tensor]], change_of: Callable[[Tensor, Tensor], Values], *, rounds: int, even: float
) -> tuple[Tensor, Tensor]:
    """The most even result and its places `(frames,)` among those made for a few paces. change_of: of both, from block to block."""
    pace: Values | None = None
    best, least = None, np.inf
    for _ in range(rounds):
        made, places = make(pace)
        change, moves = change_of(made, places), _moves(places)
        if len(change) < BLOCKS - 1 or not change.mean() > 0:
            return (made, places) if best is None else best
        uneven = float(change.max() / change.mean())
        if uneven < least:
            best, least = (made, places), uneven
        if uneven < even:
            break
        if pace is None:
            edges = np.interp(np.linspace(int(moves[0]), int(moves[-1]) + 1, BLOCKS + 1), np.arange(len(places)), places.numpy())
            pace = np.diff(edges)
        log = np.clip(np.log(np.maximum(change, 1e-6) / change.mean()), -_MOST_LOG, _MOST_LOG)
        excess = np.concatenate([log[:1], (log[1:] + log[:-1]) / 2, log[-1:]])
        pace = np.maximum(pace, pace.mean() * _SHORTEST) * np.exp(-_POWER * excess)
        pace = np.clip(pace / pace.mean(), _SHORTEST, _LONGEST)
    assert best is not None
    return best


def _moves(places: Tensor) -> Tensor:
    """The frames in which places `(frames,)` are on the way."""
    return torch.nonzero((places > 0) & (places < float(places.max()))).flatten()


def changes(audio: Tensor, rate: int) -> Values:
    """Returns how far the spectrum of a sound `(time,)` changes from each sixteenth to the next, dB, `(15,)`; nothing for a short one.

    Root mean square over 40 bands, even in log frequency, of mean power, 60 dB under the loudest one at least.
    """
    if audio.shape[0] < BLOCKS * _HOP + _N_FFT:
        return np.zeros(0)
    power = torch.stft(audio, _N_FFT, _HOP, window=torch.hann_window(_N_FFT), center=False, return_complex=True).abs().square()
    hertz = torch.arange(_N_FFT // 2 + 1) * (rate / _N_FFT)
    edges = torch.logspace(float(np.log10(_LOW_HZ)), float(np.log10(0.45 * rate)), _BANDS + 1)
    inside = (hertz >= edges[:-1, None]) & (hertz < torch.maximum(edges[1:], edges[:-1] + rate / _N_FFT)[:, None])
    bands = inside.float() @ power / inside.sum(1, keepdim=True).clamp_min(1)
    levels = 10 * torch.log10(torch.stack([part.mean(1) for part in bands.tensor_split(BLOCKS, 1)], 1).clamp_min(1e-20))
    return np.asarray(levels.clamp_min(float(levels.max()) - _FLOOR_DB).diff(dim=1).square().mean(0).sqrt().double().numpy())
