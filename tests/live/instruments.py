"""Instruments that were never trained, for tests of playing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from tests.native.instrument.untrained import untrained, untrained_notes

from timbrespace.instrument import Instrument
from timbrespace.latent.space import LatentSpace

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
