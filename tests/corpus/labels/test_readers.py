"""Corpora as they lie on disk: labels, groups and official splits of each layout."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from layouts import MAKERS, RATE, by_file, files_of, make_esc50, make_musicnet, make_nsynth, make_urbansound8k, tone
from timbrespace.cli.main import main
from timbrespace.contracts import ConfigError
from timbrespace.corpus.doctor.doctor import doctor
from timbrespace.corpus.labels.readers.registry import LAYOUTS, READERS, read_labels
from timbrespace.corpus.prepare import prepare


def test_musicnet(tmp_path: Path) -> None:
    corpus = prepare(make_musicnet(tmp_path / "musicnet"), tmp_path / "c", sample_rate=RATE, cut="segments", segment_seconds=1.0)
    assert corpus.head["layout"] == "musicnet"
    found = by_file(corpus)
    assert len(found) == 5
    assert all(len(clips) == 7 for clips in found.values())
    for clips in found.values():  # a recording stays in one piece
        assert len({clip.group for clip in clips}) == len({clip.split for clip in clips}) == 1
    assert found["test_data/2204.wav"][0].split == "test"
    assert {clip.split for clip in corpus.clips if clip.file.startswith("train")} == {"train", "validation"}
    violin, trio = found["train_data/2186.wav"], found["train_data/2300.wav"]
    assert {(clip.category, clip.instrument) for clip in violin} == {("violin", "violin")}
    assert {(clip.category, clip.instrument) for clip in trio} == {("piano trio", None)}
    assert violin[0].labels["composer"] == "Bach"
    assert trio[0].labels["instruments"] == "cello, piano, violin"
    assert trio[0].labels["composition"] == "Piano Trio No 7 in B-flat, Archduke"
    assert [clip.pitch for clip in violin] == [60, 61, 62, 63, 64, 65, 66]
    assert all(clip.pitch_confidence is None for clip in corpus.clips)
    assert corpus.instruments == ["flute", "violin"]
    assert corpus.indices(instrument="flute") == [i for i, clip in enumerate(corpus.clips) if clip.category == "flute"]
    longer = prepare(tmp_path / "musicnet", tmp_path / "d", sample_rate=RATE, cut="segments", segment_seconds=5.0)
    clip = by_file(longer)["train_data/2186.wav"][0]
    assert clip.pitch is None
    assert clip.labels["notes"] == 5


def test_only_some_instruments(tmp_path: Path) -> None:
    folder = make_musicnet(tmp_path / "musicnet")
    corpus = prepare(folder, tmp_path / "c", sample_rate=RATE, only=["Violin", "flute"], cut="segments")
    assert corpus.categories == ["flute", "violin"]
    assert corpus.skipped() == []
    assert corpus.head["left_out"] == 1
    left = [json.loads(line) for line in (tmp_path / "c" / "left_out.jsonl").read_text().splitlines()]
    assert [row["file"] for row in left] == ["train_data/2300.wav"]
    with pytest.raises(ConfigError, match="violin"):
        prepare(folder, tmp_path / "d", only=["violin", "oboe"])
    assert not (tmp_path / "d").exists()


def test_nsynth_with_its_own_splits(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("valid", 1), ("test", 1)):
        make_nsynth(tmp_path / "in" / f"nsynth-{split}", instruments=count)
    corpus = prepare(tmp_path / "in", tmp_path / "c", sample_rate=RATE)
    assert corpus.head["layout"] == "nsynth"
    assert corpus.head["splits"] == {"train": 6, "validation": 2, "test": 2}
    assert corpus.head["pitches"] == {"labelled": 10, "estimated": 0, "none": 0}
    clip = next(clip for clip in corpus.clips if clip.file.startswith("nsynth-train/audio/synth_lead"))
    assert (clip.category, clip.pitch, clip.velocity, clip.pitch_confidence) == ("synth_lead", 60.0, 75, None)
    assert clip.labels == {"source": "acoustic", "qualities": "dark, reverb"}
    assert clip.instrument == clip.file.split("/")[-1].rsplit("-", 2)[0]
    assert len({c.group for c in corpus.clips}) == 5
    only = prepare(tmp_path / "in", tmp_path / "d", sample_rate=RATE, only=["synth lead"])
    assert only.categories == ["synth_lead"]


def test_one_split_of_nsynth_is_split_by_instrument(tmp_path: Path) -> None:
    corpus = prepare(make_nsynth(tmp_path / "nsynth-train", instruments=12), tmp_path / "c", sample_rate=RATE)
    assert corpus.head["splits"]["validation"] > 0
    assert corpus.head["splits"]["test"] > 0
    where = defaultdict(set)
    for clip in corpus.clips:
        where[clip.instrument].add(clip.split)
    assert len(where) == 12
    assert all(len(splits) == 1 for splits in where.values())


def test_urbansound8k(tmp_path: Path) -> None:
    corpus = prepare(make_urbansound8k(tmp_path / "UrbanSound8K"), tmp_path / "c", sample_rate=RATE)
    assert corpus.categories == ["dog_bark", "siren"]
    for clip in corpus.clips:
        assert clip.split == {10: "test", 9: "validation"}.get(clip.labels["fold"], "train")
    assert len({clip.group for clip in corpus.clips}) == 10  # one recording, two slices
    assert corpus.clips[0].labels == {"fold": 1, "fsID": "1001", "salience": 1, "start": 0.5, "end": 4.0, "classID": 1}


def test_esc50(tmp_path: Path) -> None:
    make_esc50(tmp_path / "download" / "ESC-50-master")
    corpus = prepare(tmp_path / "download", tmp_path / "c", sample_rate=RATE)  # the folder above will do
    assert corpus.head["layout"] == "esc50"
    assert corpus.head["splits"] == {"train": 6, "validation": 2, "test": 2}
    clip = corpus.clips[0]
    assert (clip.category, clip.labels["take"], clip.labels["esc10"], clip.labels["src_file"]) == ("dog", "A", 1, "101")
    assert len({c.group for c in corpus.clips}) == 5


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for i in range(12):
        tone(folder / "a" / f"{i:02d}.wav", i)
    lines = [
        f'a\\{i:02d}.wav;"warm; {"soft" if i % 2 else "hard"}";Alto flute;{"A4" if i else 60.5};{i + 1};g{i // 3};;{i / 2}'
        for i in range(6)
    ]
    lines += ["a/06.wav;;;;;;test;", "a/07.wav;;;;;;valid;nan"]
    folder.joinpath("timbrespace.csv").write_bytes(
        "﻿file;category;instrument;pitch;velocity;group;split;brightness\r\n".encode() + "\r\n".join(lines).encode()
    )
    corpus = prepare(folder, tmp_path / "c", sample_rate=RATE)
    assert corpus.head["layout"] == "table"
    assert len(corpus) == 12
    first, second = corpus.clips[:2]
    assert (first.category, first.instrument, first.pitch, first.velocity) == ("warm; hard", "Alto flute", 60.5, 1)
    assert (second.pitch, second.labels) == (69.0, {"brightness": 0.5})
    assert len({clip.group for clip in corpus.clips[:6]}) == 2
    assert [clip.file for clip in corpus.clips if clip.split == "test"] == ["a/06.wav"]
    assert [clip.file for clip in corpus.clips if clip.split == "validation"] == ["a/07.wav"]
    assert corpus.clips[7].labels == {"brightness": "nan"}
    assert corpus.clips[9].pitch_confidence is not None


# --- which layout ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_the_layout_is_found_refused_and_forced(tmp_path: Path, name: str) -> None:
    folder = MAKERS[name](tmp_path / "in")
    files = files_of(folder)
    assert read_labels(folder, files).layout == name
    assert set(read_labels(folder, files, layout=name).files) == files
    plain = read_labels(folder, files, layout="folder")
    assert (plain.layout, plain.files) == ("folder", {})
    other = next(layout for layout in READERS if layout != name)
    with pytest.raises(ConfigError, match=f"not laid out as {other}"):
        read_labels(folder, files, layout=other)
    assert doctor(folder).layout == name
    with pytest.raises(ConfigError, match="auto, folder"):
        prepare(folder, tmp_path / "c", layout="midi")
    assert set(LAYOUTS) == {"auto", "folder", *READERS}


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_nsynth(tmp_path / "nsynth-test")
    assert main(["prepare", str(folder), "--out", str(tmp_path / "c"), "--only", "flute", "--only", "string", "--rate", "16000"]) == 0
    out = capsys.readouterr().out
    for words in ("layout nsynth", "instruments: flute", "4 labelled", "left out by the selection: 2"):
        assert words in out
    assert main(["prepare", str(folder), "--out", str(tmp_path / "d"), "--layout", "esc50"]) == 2
    assert "esc50.csv" in capsys.readouterr().err
    assert main(["prepare", str(folder), "--out", str(tmp_path / "d"), "--count", "3"]) == 2
    assert "synthetic" in capsys.readouterr().err
    assert main(["doctor", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "nsynth; labels are read" in out
    assert "labelled 6" in out
