"""Instruments that were never trained, for tests of playing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from tests.native.instrument.untrained import untrained, untrained_notes
from torch import Tensor

from timbrespace.instrument import Instrument
from timbrespace.latent.space import LatentSpace
from timbrespace.latent.trajectories import Trajectories

SMALL = ("model.dims=6", "model.coefficients=40", "model.width=16", "model.depth=1")
DRUMS: tuple[str | None, ...] = ("kick", "snare", "hat", "gong")


def drums(path: Path, *, labels: tuple[str | None, ...] = DRUMS, seed: int = 0) -> Path:
    """Writes an instrument whose sounds have these categories."""
    instrument = untrained(changes=SMALL, samples=11_025, seed=seed)
    count = 40 * len(labels)
    space = LatentSpace.fit(torch.randn(count, 6), [labels[index % len(labels)] for index in range(count)])
    Instrument(replace(instrument.contents, space=space)).save(path)
    return path


def notes(path: Path) -> Path:
    """Writes an instrument of notes 45 to 75, with velocities."""
    untrained_notes().save(path)
    return path


def held(path: Path, *, hertz: float = 220.0, view: str = "spectrum", partials: int = 12, spread: float = 0.1) -> Path:
    """Writes an instrument of single spectra: harmonics of a pitch that fall by 1 / n; the first latent makes them brighter."""
    changes = ("model.encoder=[8]", "model.decoder=[2]", "model.dims=2", "model.likelihood=squared", "model.unit=1.0")
    bins = {"spectrum": "representation.bands=600"}
    preset = {"spectrum": "spectra", "mdct": "spectra-mdct"}[view]
    instrument = untrained(preset, changes=(*changes, *([bins[view]] if view in bins else [])), samples=22_050)
    contents = instrument.contents
    time = torch.arange(44_100) / 44_100
    tones = [torch.sin(2 * torch.pi * hertz * number * time) / number for number in range(1, partials + 1)]

    def frame(weights: list[float]) -> Tensor:
        audio = 0.2 * sum(weight * tone for weight, tone in zip(weights, tones, strict=True))
        return contents.representation.encode(audio[None, None])[0, :, :, 6].flatten()

    dark, bright = frame([1.0] * partials), frame([number**0.5 for number in range(1, partials + 1)])
    first, last = contents.model.decoder[0], contents.model.decoder[-1]
    first.weight.copy_(torch.eye(2))
    first.bias.copy_(torch.tensor([4.0, 4.0]))
    last.weight.copy_(torch.stack([(bright - dark) / 4, torch.zeros_like(dark)], 1))
    last.bias.copy_(dark - 4 * (bright - dark) / 4)
    paths = [spread * torch.randn(2, 1).expand(2, 8) + 0.01 * torch.randn(2, 8) for _ in range(40)]
    trajectories, space = Trajectories.fit(paths, [9_000 + 100 * index for index in range(40)], ["tone"] * 40)
    Instrument(replace(contents, trajectories=trajectories, space=space)).save(path)
    return path
