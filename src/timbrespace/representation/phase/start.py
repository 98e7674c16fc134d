"""The start of a phase search near a given sound: its own spectrum, in the cells that hardly differ from it.

    known cells      magnitude and phase of the given sound, times the gain from its level to the wanted one
    other cells      the magnitude that the view estimates, and a phase integrated outward from the known cells (`pghi`)

Where all cells are known and no gain is asked for, the start is the given sound itself, and the search stays there: both projections
leave it unchanged.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Start(NamedTuple):
    """A start near a given sound, frame for frame on the time axis of the result.

    spectra: STFT of the given sound, complex `(parts, frames, bins)`. gain: from its level to the wanted one, dB, `(parts, bands, frames)`.
    known: which cells are near enough, bool `(parts, bands, frames)`.
    """

    spectra: Tensor
    gain: Tensor
    known: Tensor


class PartStart(NamedTuple):
    """A start of one part, bin by bin: magnitude and phase (rad) where `known`, all `(bins, frames)`."""

    magnitude: Tensor
    phase: Tensor
    known: Tensor


def continued(start: PartStart | None, magnitude: Tensor, past: Tensor, *, window: Tensor, hop: int, centred: bool) -> PartStart:
    """Returns a start at the audio that precedes a sound: the frames that are inside it have its magnitudes and phases.

    start: of the other cells; None: they are unknown and have `magnitude (bins, frames)`. past: the first samples of the sound. window:
    `(n_fft,)`. centred: whether the middle of frame 0 is sample 0, else it starts there.
    """
    if start is None:
        start = PartStart(magnitude, torch.zeros_like(magnitude), torch.zeros_like(magnitude, dtype=torch.bool))
    size = len(window)
    padded = torch.cat([past.new_zeros(size // 2), past]) if centred else past
    count = min(magnitude.shape[1], (len(padded) - size) // hop + 1)
    if count < 1:
        return start
    spectrum = torch.fft.rfft(padded.to(magnitude).unfold(0, size, hop)[:count] * window.to(magnitude)).T
    values = [field.clone() for field in start]
    for field, known in zip(values, (spectrum.abs(), spectrum.angle(), torch.ones(1, dtype=torch.bool)), strict=True):
        field[:, :count] = known
    return PartStart(*values)


def part_start(start: Start, part: int, magnitude: Tensor, *, band_of_bin: Tensor) -> PartStart:
    """Returns the start of one part: its own magnitudes where known, else `magnitude (bins, frames)`.

    band_of_bin: `(bins,)`; -1 for a bin without a band, which is never known.
    """
    bands = band_of_bin.clamp_min(0)
    known = start.known[part][bands] & (band_of_bin >= 0)[:, None]
    spectrum = start.spectra[part].T
    own = spectrum.abs() * 10 ** (start.gain[part][bands] / 20)
    return PartStart(torch.where(known, own, magnitude), spectrum.angle(), known)
