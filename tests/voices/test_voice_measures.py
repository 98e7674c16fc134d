"""The measures of the benchmark of voices: perfect for the piece itself, worse for what is moved, smeared or clicks."""

from __future__ import annotations

import importlib
import random
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from melodies import STRING, Wave, melody

from timbrespace.voices.frames import RATE

SCRIPTS = Path(__file__).resolve().parents[2] / "benchmarks"
PITCHES = (58, 65, 61, 68)
NOTES = [(0.8 * number, 0.8, pitch, 100) for number, pitch in enumerate(PITCHES)]


@pytest.fixture
def lib(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The modules of benchmarks/lib/voices by name."""
    pytest.importorskip("librosa")
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return {name: importlib.import_module(f"lib.voices.{name}") for name in ("beginnings", "measures", "artefacts", "same_notes")}


def piece(pitches: tuple[int, ...] = PITCHES) -> Wave:
    return melody(STRING, pitches, seed=9)


def test_beginnings_and_course_of_the_piece_itself_and_of_others(lib: dict[str, ModuleType]) -> None:
    curves, beginnings, course = lib["beginnings"].curves, lib["beginnings"].beginnings, lib["measures"].course
    wave = piece()
    own = curves(wave)
    same = beginnings(own, own, NOTES)
    assert (same.detected, same.attacks, same.notes) == (1, 1, 1)
    assert same.chance < 0.5
    late = np.concatenate([np.zeros(round(0.06 * RATE)), wave])[: len(wave)]
    assert beginnings(own, curves(late), NOTES).notes <= 0.25
    kept = course(wave, wave, own, own)
    assert kept == pytest.approx((0, 0, 1, 1, 1), abs=1e-6)
    higher = piece(tuple(pitch + 1 for pitch in PITCHES))
    moved = course(wave, higher, own, curves(higher))
    assert moved.cents == pytest.approx(100, abs=10)
    assert moved.off > 0.9


def test_a_burst_is_noticed_and_an_attack_is_none(lib: dict[str, ModuleType]) -> None:
    artefacts, cells = lib["artefacts"].artefacts, lib["artefacts"].artefact_cells
    wave = piece()
    clean = artefacts(wave, NOTES)
    assert clean[-1][0] == 0
    clicking = wave.copy()
    clicking[round(1.2 * RATE)] += 1.0
    found = artefacts(clicking, NOTES)
    assert found[-1][0] > 0
    assert len(cells(found, clean)) == len(lib["artefacts"].artefact_heads())
    assert cells(clean, clean)[0].startswith(f"{np.nanmean(clean[0]):.1f} (")


def test_notes_of_the_pieces_are_those_that_they_were_made_of(lib: dict[str, ModuleType]) -> None:
    """The first numbers of a seeded generator: the pieces on disk keep their notes."""
    notes = lib["same_notes"].notes_of("violin", 2, 60.0)
    rng = random.Random("violin2")
    step = 4 + rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 4])
    assert notes[0][0] == pytest.approx(0.1)
    assert notes[0][2] == 60 + 12 * (step // 7) + [0, 2, 3, 5, 7, 8, 10][step % 7]
    assert all(one[0] < other[0] for one, other in pairwise(notes))
    assert len(lib["same_notes"].notes_of("violin", 2, 10.0)) < len(notes) / 3
