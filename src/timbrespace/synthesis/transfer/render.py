"""From frames to audio, block by block, without a seam: each phase search continues the samples that are there already.

frames      |--------------------------------------------------------------- …
search 1    [============================~~~~]            ~ looks ahead, is not kept
search 2                          [#######===================~~~~]      # the samples before, which stay as they are
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from timbrespace.noise import seed_of
from timbrespace.representation.phase.start import Start
from timbrespace.synthesis.detail.audio import near_view
from timbrespace.synthesis.transfer.feed import Feed
from timbrespace.synthesis.transfer.overlap import Overlapped
from timbrespace.synthesis.transfer.views import SILENCE, hop_of, reach_of, with_floor

_SECONDS = 3.0  # of audio that one search gives
_PAST, _AHEAD = 2, 2  # times the reach of a frame: samples before that are kept, and after that are not
_TRUSTED_DB, _ABOVE_FLOOR_DB = 24.0, 3.0  # as in `detail.audio`: gain up to which a cell keeps the phase of a given sound


class Near(NamedTuple):
    """Recordings on the time axis of the result, whose phases are kept where the result is near them."""

    feeds: Sequence[Feed]


def audio_of_frames(view: Any, frames: Overlapped, samples: int, *, near: Near | None, seed: int) -> Iterator[Tensor]:
    """Yields audio `(channels, any)`, `samples` in all, of the frames of a plain view that `continues`. seed: of phases."""
    hop, reach = hop_of(view), reach_of(view)
    step, past, ahead = (-(-size // hop) * hop for size in (round(_SECONDS * view.sample_rate), _PAST * reach, _AHEAD * reach))
    before = torch.zeros(view.channels, 0)
    for number, start in enumerate(range(0, samples, step)):
        begin, stop = start - before.shape[1], min(samples, start + step + ahead)
        wanted = with_floor(view, frames.read(begin // hop, view.frames(stop - begin)))
        audio = torch.zeros(view.channels, stop - begin)
        if wanted is not None:
            options: dict[str, Any] = {"length": stop - begin, "seed": seed_of(seed, number), "past": before if number else None}
            found = None if near is None else _start(view, wanted, near, begin, stop)
            if found is None:
                audio = view.decode(wanted[None], **options)[0]
            else:
                audio = near_view(view).decode_from(wanted, found, **options)
        end = min(samples, start + step)
        made = audio[:, start - begin : end - begin]
        before = torch.cat([before, made], 1)[:, -past:]
        yield made


def _start(view: Any, wanted: Tensor, near: Near, begin: int, stop: int) -> Start | None:
    """The start of the phase search: each cell at the recording that is nearest to it; None where no cell is near one."""
    found: Start | None = None
    for feed in near.feeds:
        own = torch.from_numpy(feed.read(begin, stop))
        levels, spectra = view.encode(own[None])[0], view.spectra_of(own)
        gain = wanted - levels
        floor = float(levels.max()) - view.floor
        known = (gain.abs() < _TRUSTED_DB) & (levels > max(floor, SILENCE / 2) + _ABOVE_FLOOR_DB)
        if found is None:
            found = Start(spectra, gain, known)
            continue
        other = known & (~found.known | (gain.abs() < found.gain.abs()))
        bands = view.main_band_of_bin().clamp_min(0)
        found = Start(
            torch.where(other[:, bands].transpose(1, 2), spectra, found.spectra), torch.where(other, gain, found.gain), found.known | known
        )
    return found if found is not None and bool(found.known.any()) else None


def audio_of_samples(stream: Overlapped, samples: int, *, step: int) -> Iterator[Tensor]:
    """Yields audio `(channels, any)`, `samples` in all, of a stream of samples."""
    for start in range(0, samples, step):
        yield stream.read(start, min(step, samples - start))
