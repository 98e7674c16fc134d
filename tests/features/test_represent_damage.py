"""Damaged and malicious arrays of features are refused with a clear error."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_represent import header_of

from shell import Shell
from timbrespace.contracts import FeatureFileError, TimbrespaceError
from timbrespace.features.arrays import load_features, save_features
from timbrespace.features.compute import compute_features
from timbrespace.representation.registry import REPRESENTATIONS
from tiny import drum, write_drums


def change(**keys: object) -> Any:
    def edit(path: Path) -> None:
        header = header_of(path)
        for key, value in keys.items():
            place = header
            *outer, last = key.split("__")
            for name in outer:
                place = place[name]
            place[last] = value
        path.with_suffix(".json").write_text(json.dumps(header))

    return edit


def huge(path: Path) -> None:
    """A header that claims a terabyte."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (1, 128, 2**31)})


def pickled(path: Path) -> None:
    np.save(path, np.array([print, 1], dtype=object), allow_pickle=True)


def archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


def cut_json(path: Path) -> None:
    path.with_suffix(".json").write_text(path.with_suffix(".json").read_text()[:300])


DAMAGE: dict[str, tuple[Any, str]] = {
    "shape": (lambda p: np.save(p, np.load(p)[:, :-1]), "shape"),
    "more dimensions": (lambda p: np.save(p, np.load(p)[None]), "shape"),
    "scalar": (lambda p: np.save(p, np.float32(1)), "shape"),
    "nan": (lambda p: np.save(p, np.load(p) * np.nan), "NaN"),
    "too large for float32": (lambda p: np.save(p, np.load(p).astype(float) + 1e300), "NaN or infinite"),
    "whole numbers": (lambda p: np.save(p, np.load(p).astype(int)), "floating point"),
    "complex": (lambda p: np.save(p, np.load(p).astype(complex)), "floating point"),
    "texts": (lambda p: np.save(p, np.load(p).astype(str)), "floating point"),
    "pickled": (pickled, "not a complete NumPy array"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-4]), "not a complete NumPy array"),
    "empty": (lambda p: p.write_bytes(b""), "not a complete NumPy array"),
    "text": (lambda p: p.write_text("hello"), "not a complete NumPy array"),
    "archive": (archive, "archive"),
    "huge": (huge, "not a complete NumPy array"),
    "missing array": (lambda p: p.unlink(), "missing"),
    "missing json": (lambda p: p.with_suffix(".json").unlink(), "missing"),
    "cut json": (cut_json, "damaged"),
    "deep json": (lambda p: p.with_suffix(".json").write_text("[" * 100_000), "damaged"),
    "json list": (lambda p: p.with_suffix(".json").write_text("[1]"), "damaged"),
    "foreign json": (lambda p: p.with_suffix(".json").write_text("{}"), "is not a header of features"),
    "version": (change(version=2), "version 2"),
    "length": (change(length=10**15), "length"),
    "length of fewer frames": (change(length=20), "shape"),
    "negative length": (change(length=-5), "length"),
    "length as text": (change(length="long"), "length"),
    "rate": (change(sample_rate=10**9), "sample_rate"),
    "channels": (change(channels=77), "channels"),
    "name": (change(representation__name="__import__"), "allowed are"),
    "settings": (change(representation__bands=10**9), "bands"),
    "other bands": (change(representation__bands=64), "shape"),
    "no settings": (change(representation=None), "representation"),
    "shape in json": (change(shape=[1, 2]), "shape"),
    "normalised without figures": (change(representation__normalisation="band"), "normalisation"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_files_are_reported_and_nothing_is_written(kind: str, shell: Shell, tmp_path: Path) -> None:
    path = save_features(tmp_path / "f" / "a.npy", compute_features(drum(1, seconds=0.1), "mel"))
    damage, words = DAMAGE[kind]
    damage(path)
    with pytest.raises(FeatureFileError, match=words):
        load_features(path)
    assert "none of the arrays" in shell("represent", path, "--back", "--out", tmp_path / "b", code=2)
    assert not list(tmp_path.rglob("*.wav"))


def test_extreme_values_give_audio_or_an_error() -> None:
    for name in REPRESENTATIONS:
        features = compute_features(drum(1, seconds=0.05), name)
        for value in (1e30, -1e30, 3e38, 0.0):
            features.array[:] = value
            with contextlib.suppress(TimbrespaceError):  # a sentence
                assert torch.isfinite(features.audio()).all()


def test_a_stack_cannot_write_elsewhere(shell: Shell, tmp_path: Path) -> None:
    sounds = write_drums(tmp_path / "in", 2)
    shell("represent", sounds, "--as", "mel", "--stack", "--seconds", 0.1, "--out", tmp_path / "s")
    beside = tmp_path / "s" / "features.json"
    for name in ("../../evil", "/evil", "a\0b"):
        header = json.loads(beside.read_text())
        header["clips"][0]["name"] = name
        beside.write_text(json.dumps(header))
        assert "none of the arrays" in shell("represent", beside, "--back", "--out", tmp_path / "deep" / "b", code=2)
    assert not list(tmp_path.rglob("evil*"))
