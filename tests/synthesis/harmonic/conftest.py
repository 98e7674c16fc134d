"""What the tests of notes share."""

from __future__ import annotations

import pytest

import timbrespace
from timbrespace.audio.files import write
from timbrespace.corpus.synthetic.registry import synthetic_clips
from timbrespace.instrument import Instrument
from tiny import RATE, quick_finish

SMALL = (
    "training.synthesised=1", "training.examples=64", "training.variations=1", "training.batch=16", "model.dims=6", "model.coefficients=24",
)  # fmt: skip


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Instrument:
    """An instrument of forty synthetic notes."""
    folder = tmp_path_factory.mktemp("notes")
    for clip in synthetic_clips("synthetic:notes", count=40):
        write(folder / "sounds" / f"{clip.name}.wav", clip.audio, RATE)
    with pytest.MonkeyPatch.context() as patch:
        quick_finish(patch)
        return timbrespace.train(folder / "sounds", folder / "notes.safetensors", epochs=2, changes=SMALL, seed=1, device="cpu")
