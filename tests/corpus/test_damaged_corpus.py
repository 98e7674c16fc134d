"""A corpus that is damaged, foreign or hostile is refused with a reason, before anything of it is used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hits import RATE, hit
from timbrespace.contracts import CorpusError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare


def _edit_head(path: Path, **changes) -> None:
    head = json.loads((path / "corpus.json").read_text())
    head.update(changes)
    (path / "corpus.json").write_text(json.dumps(head))


def _edit_line(path: Path, **changes) -> None:
    lines = (path / "manifest.jsonl").read_text().splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), **changes})
    (path / "manifest.jsonl").write_text("\n".join(lines))


def _drop_field(path: Path) -> None:
    lines = [json.loads(line) for line in (path / "manifest.jsonl").read_text().splitlines()]
    del lines[0]["group"]
    (path / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))


def _offsets(path: Path, change) -> None:
    offsets = np.load(path / "offsets.npy")
    np.save(path / "offsets.npy", change(offsets))


DAMAGE = {
    "no head": lambda p: (p / "corpus.json").unlink(),
    "no audio": lambda p: (p / "audio.npy").unlink(),
    "no manifest": lambda p: (p / "manifest.jsonl").unlink(),
    "no offsets": lambda p: (p / "offsets.npy").unlink(),
    "head is no JSON": lambda p: (p / "corpus.json").write_text("{"),
    "head is a list": lambda p: (p / "corpus.json").write_text("[]"),
    "head nests deeply": lambda p: (p / "corpus.json").write_text("[" * 100_000),
    "foreign format": lambda p: _edit_head(p, format="zip"),
    "newer version": lambda p: _edit_head(p, version=99),
    "version is text": lambda p: _edit_head(p, version="1"),
    "rate 0": lambda p: _edit_head(p, sample_rate=0),
    "rate is text": lambda p: _edit_head(p, sample_rate="44100"),
    "clip_seconds huge": lambda p: _edit_head(p, clip_seconds=1e9),
    "channels differ": lambda p: _edit_head(p, channels=2),
    "more clips": lambda p: _edit_head(p, clips=4),
    "manifest cut": lambda p: (p / "manifest.jsonl").write_bytes((p / "manifest.jsonl").read_bytes()[:-9]),
    "manifest binary": lambda p: (p / "manifest.jsonl").write_bytes(b"\xff\xfe\n\x00\n\x00"),
    "field missing": _drop_field,
    "escaping name": lambda p: _edit_line(p, name="../../etc/passwd"),
    "absolute file": lambda p: _edit_line(p, file="/etc/passwd"),
    "windows path": lambda p: _edit_line(p, file="C:\\x"),
    "category a path": lambda p: _edit_line(p, category="../x"),
    "split unknown": lambda p: _edit_line(p, split="holdout"),
    "split a list": lambda p: _edit_line(p, split=["train"]),
    "gain NaN": lambda p: _edit_line(p, gain_db=float("nan")),
    "id wrong": lambda p: _edit_line(p, id=7),
    "seconds negative": lambda p: _edit_line(p, seconds=-1),
    "offsets fall": lambda p: _offsets(p, lambda o: o[::-1].copy()),
    "offsets beyond": lambda p: _offsets(p, lambda o: o * 10),
    "offsets short": lambda p: _offsets(p, lambda o: o[:-1]),
    "offsets float": lambda p: _offsets(p, lambda o: o.astype(float)),
    "offsets objects": lambda p: np.save(p / "offsets.npy", np.array([{}], dtype=object), allow_pickle=True),
    "audio cut": lambda p: (p / "audio.npy").write_bytes((p / "audio.npy").read_bytes()[:-100]),
    "audio empty": lambda p: (p / "audio.npy").write_bytes(b""),
    "audio garbage": lambda p: (p / "audio.npy").write_bytes(b"\x93NUMPY\x01\x00\xff\xff" + b"{" * 500),
    "audio hostile shape": lambda p: (p / "audio.npy").write_bytes(
        b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999, 1), }".ljust(117) + b"\n"
    ),
    "audio doubles": lambda p: np.save(p / "audio.npy", np.load(p / "audio.npy").astype(np.float64)),
}


@pytest.fixture(scope="module")
def corpus_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "in").mkdir()
    for i in range(3):
        soundfile.write(folder / "in" / f"{'abc'[i]}.wav", hit(seed=i), RATE)
    prepare(folder / "in", folder / "c")
    return folder / "c"


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda name: name.replace(" ", "-"))
def test_a_damaged_corpus_is_refused_with_a_reason(corpus_folder, tmp_path, damage):
    path = tmp_path / "c"
    shutil.copytree(corpus_folder, path)
    DAMAGE[damage](path)
    with pytest.raises(CorpusError) as error:
        Corpus.open(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 600


def test_damaged_samples_are_refused_when_they_are_read(corpus_folder, tmp_path):
    path = tmp_path / "c"
    shutil.copytree(corpus_folder, path)
    data = np.load(path / "audio.npy")
    data[5] = np.nan
    np.save(path / "audio.npy", data)
    with pytest.raises(CorpusError, match="NaN"):
        Corpus.open(path).audio(0)


def test_what_is_no_corpus_is_told(good, tmp_path):
    with pytest.raises(CorpusError, match="timbrespace prepare"):
        Corpus.open(good)
    with pytest.raises(CorpusError, match="does not exist"):
        Corpus.open(tmp_path / "nowhere")
    prepare(good, tmp_path / "c")
    with pytest.raises(CorpusError, match="prepared corpus already"):
        prepare(tmp_path / "c", tmp_path / "d")
