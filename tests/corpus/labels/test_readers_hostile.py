"""Tables of corpora that are wrong, hostile, halved or strangely written: told by file, line and column, never followed out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from layouts import NOTES, RATE, by_file, files_of, make_esc50, make_musicnet, make_nsynth, make_urbansound8k, table, tone
from timbrespace.contracts import CorpusError
from timbrespace.corpus.doctor.doctor import doctor
from timbrespace.corpus.labels.readers.registry import read_labels
from timbrespace.corpus.labels.readers.tables import json_entries
from timbrespace.corpus.prepare import prepare

BAD_LINES = {
    "fold 99": ("5-105-A-5.wav,99,5,dog,True,105,A", "line 10, column fold: '99', allowed is a whole number from 1 to 5"),
    "fold text": ("5-105-A-5.wav,five,5,dog,True,105,A", "column fold"),
    "fold NaN": ("5-105-A-5.wav,nan,5,dog,True,105,A", "column fold"),
    "fold infinite": ("5-105-A-5.wav,1e999,5,dog,True,105,A", "column fold"),
    "fold empty": ("5-105-A-5.wav,,5,dog,True,105,A", "column fold"),
    "no category": ("5-105-A-5.wav,5,5,,True,105,A", "column category: empty"),
    "short line": ("5-105-A-5.wav,5", "column src_file: empty"),
    "climbs out": ("../../../secret.wav,5,5,dog,True,105,A", "plain file name"),
    "climbs out by backslash": ("..\\secret.wav,5,5,dog,True,105,A", "plain file name"),
    "absolute": ("/etc/passwd.wav,5,5,dog,True,105,A", "plain file name"),
    "drive": ("C:\\x.wav,5,5,dog,True,105,A", "plain file name"),
    "absent": ("nowhere.wav,5,5,dog,True,105,A", "no such sound file"),
    "twice": ("1-101-A-1.wav,1,1,dog,True,101,A", "listed twice"),
}


@pytest.mark.parametrize("kind", BAD_LINES, ids=lambda kind: kind.replace(" ", "-"))
def test_a_bad_line_is_told_and_its_file_left_out(tmp_path: Path, kind: str) -> None:
    folder = make_esc50(tmp_path / "in")
    tone(tmp_path / "secret.wav", 5)
    path = folder / "meta" / "esc50.csv"
    lines = path.read_text().splitlines()
    line, reason = BAD_LINES[kind]
    lines[9 : 10 if line.startswith("5-105-A") else 9] = [line]  # instead of that file's own line, or added
    path.write_text("\n".join(lines))
    listing = read_labels(folder, files_of(folder))
    told = [row for row in listing.problems if reason in row["reason"]]
    assert told, listing.problems
    assert not any(".." in file or file.startswith("/") for file in listing.files)
    assert ("audio/5-105-A-5.wav" in listing.refused) == line.startswith("5-105-A")
    assert "audio/5-105-A-5.wav" not in listing.files or not line.startswith("5-105-A")


def test_what_is_wrong_in_a_table_is_listed_as_skipped(tmp_path: Path) -> None:
    folder = make_esc50(tmp_path / "in")
    path = folder / "meta" / "esc50.csv"
    path.write_text(path.read_text().replace("5-105-A-5.wav,5", "5-105-A-5.wav,nan").replace("1-101-A-1", "gone"))
    corpus = prepare(folder, tmp_path / "c", sample_rate=RATE)
    reasons = {row["file"]: row["reason"] for row in corpus.skipped()}
    assert set(reasons) == {"audio/5-105-A-5.wav", "audio/gone.wav"}
    assert "column fold: 'nan'" in reasons["audio/5-105-A-5.wav"]
    files = {clip.file for clip in corpus.clips}
    assert "audio/5-105-A-5.wav" not in files
    assert "audio/1-101-A-1.wav" in files  # no line lists it: an ordinary file
    assert "tables" in [finding.kind for finding in doctor(folder).findings]


def test_a_file_that_no_table_lists_is_an_ordinary_file(tmp_path: Path) -> None:
    folder = make_urbansound8k(tmp_path / "in")
    tone(folder / "audio" / "fold3" / "my kick C1.wav", 77)
    clip = by_file(prepare(folder, tmp_path / "c", sample_rate=RATE, pitch_names="c4"))["audio/fold3/my kick C1.wav"][0]
    assert (clip.category, clip.pitch, clip.split, clip.labels) == ("kick", 24.0, "train", {})


def test_rules_count_before_tables(tmp_path: Path) -> None:
    corpus = prepare(make_esc50(tmp_path / "in"), tmp_path / "c", sample_rate=RATE, rules={"*-A-*": "mine"})
    assert {clip.category for clip in corpus.clips if clip.labels["take"] == "A"} == {"mine"}
    assert {clip.category for clip in corpus.clips if clip.labels["take"] == "B"} == {"rain", "dog"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "missing"),
        (b"filename,fold\r\n1-101-A-1.wav,1\r\n", "'category' is missing"),
        (b"\x00\x01\x02\x03" * 999, "missing"),
        (b"filename,fold,category,src_file\n" + b'"' + b"x" * 200_000, "not a readable table"),
        (b"\xff\xfef\x00i\x00", "missing"),
        (b"\xff\xfe\x00\xd8\x00", "not a readable table|missing"),
    ],
    ids=["empty", "columns", "binary", "endless-field", "utf16", "half-utf16"],
)
def test_a_table_that_is_none(tmp_path: Path, data: bytes, words: str) -> None:
    folder = make_esc50(tmp_path / "in")
    (folder / "meta" / "esc50.csv").write_bytes(data)
    with pytest.raises(CorpusError, match=words) as error:
        prepare(folder, tmp_path / "c")
    assert "meta/esc50.csv" in str(error.value)
    assert "layout 'folder'" in str(error.value)
    assert len(prepare(folder, tmp_path / "c", layout="folder", sample_rate=RATE)) == 10


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, end: str) -> None:
    folder = make_esc50(tmp_path / "in")
    text = (folder / "meta" / "esc50.csv").read_text().replace("rain", '"orage, près"')
    (folder / "meta" / "esc50.csv").write_bytes(text.replace("\n", end).encode(encoding))
    listing = read_labels(folder, files_of(folder))
    assert not listing.problems
    assert {labels.category for labels in listing.files.values()} == {"orage, près", "dog"}


def test_a_table_of_which_most_is_absent(tmp_path: Path) -> None:
    folder = make_esc50(tmp_path / "in")
    with (folder / "meta" / "esc50.csv").open("a") as file:
        file.writelines(f"gone{i}.wav,1,1,dog,True,{i},A\n" for i in range(5000))
    problems = read_labels(folder, files_of(folder)).problems
    assert len(problems) == 1001
    assert "4000 more" in problems[-1]["reason"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not begin"),
        ("[1, 2]", "does not begin"),
        ('{"a": {"pitch": 1}', "in the middle"),
        ('{"a": 5}', "object in braces"),
        ('{"a": {}, }', "comma"),
        ('{"a": {"pitch": NaN}}', "NaN"),
        ('{"a": {"pitch": ' + "9" * 5000 + "}}", "entry 1"),
        ('{"a": ' + '{"b":' * 100_000, "entry 1"),
        ('{"a": {"b": "' + "x" * 3_000_000 + '"}}', "too long"),
        ("{'a': {}}", "quotes"),
        ('{"a": {} "b": {}}', "comma is expected"),
    ],
)
def test_json_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    folder = make_nsynth(tmp_path / "nsynth-test")
    (folder / "examples.json").write_text(text)
    with pytest.raises(CorpusError, match=words) as error:
        prepare(folder, tmp_path / "c")
    assert "examples.json" in str(error.value)
    assert len(str(error.value)) < 600


def test_json_is_read_as_a_stream(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = {f"note é {i}": {"pitch": i, "text": 'x{}\\"[' * int(rng.integers(0, 3000))} for i in range(60)}
    for indent in (None, 4):
        (tmp_path / "e.json").write_text(json.dumps(whole, indent=indent, ensure_ascii=indent is None), encoding="utf-8")
        assert dict(json_entries(tmp_path / "e.json", name="e.json")) == whole
    (tmp_path / "e.json").write_text(" { } ")
    assert dict(json_entries(tmp_path / "e.json", name="e.json")) == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pitch": 200}, "pitch: 200, allowed is a number from 0 to 127"),
        ({"pitch": "60"}, "pitch"),
        ({"velocity": 64.5}, "velocity"),
        ({"velocity": True}, "velocity"),
        ({"instrument_str": ["x"]}, "instrument_str"),
        ({"qualities_str": {"a": 1}}, "qualities_str"),
    ],
)
def test_wrong_entries_of_nsynth(tmp_path: Path, change: dict, words: str) -> None:
    folder = make_nsynth(tmp_path / "nsynth-test")
    notes = json.loads((folder / "examples.json").read_text())
    first = next(iter(notes))
    notes[first] |= change
    notes["../../x"] = notes[first]
    (folder / "examples.json").write_text(json.dumps(notes))
    listing = read_labels(folder, files_of(folder))
    reasons = {row["file"]: row["reason"] for row in listing.problems}
    assert words in reasons[f"audio/{first}.wav"]
    assert any("plain name" in reason for reason in reasons.values())
    assert len(listing.files) == 5


@pytest.mark.parametrize(
    "line", ["100,50,41,60,0,1,x", "0,100,400,60,0,1,x", "0,100,41,sixty,0,1,x", "-5,100,41,60,0,1,x", "0,1e99,41,60,0,1,x"]
)
def test_wrong_notes_of_musicnet(tmp_path: Path, line: str) -> None:
    folder = make_musicnet(tmp_path / "in")
    table(folder / "train_labels" / "2186.csv", NOTES, "0,44100,41,60,0,1,Quarter", line)
    table(folder / "train_labels" / "9999.csv", NOTES)
    listing = read_labels(folder, files_of(folder))
    reasons = {row["file"]: row["reason"] for row in listing.problems}
    assert "train_labels/2186.csv line 3, column" in reasons["train_data/2186.wav"]
    assert "no such sound file" in reasons["train_data/9999.wav"]
    assert set(listing.files) == files_of(folder) - {"train_data/2186.wav"}


def test_musicnet_by_half(tmp_path: Path) -> None:
    """Only metadata, only labels, or neither of both for a recording."""
    folder = make_musicnet(tmp_path / "in")
    (folder / "train_labels" / "2186.csv").unlink()
    (folder / "train_labels" / "2202.csv").unlink()
    files = read_labels(folder, files_of(folder)).files
    assert files["train_data/2186.wav"].category == "violin"
    assert files["train_data/2202.wav"].category is None
    (folder / "musicnet_metadata.csv").unlink()
    files = read_labels(folder, files_of(folder)).files
    assert files["train_data/2191.wav"].instrument == "violin"
    assert files["train_data/2300.wav"].category == "ensemble"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_table_behind_a_link_or_a_folder_named_like_one(tmp_path: Path) -> None:
    folder = make_esc50(tmp_path / "in")
    (folder / "meta" / "esc50.csv").unlink()
    (folder / "meta" / "esc50.csv").mkdir()
    assert read_labels(folder, files_of(folder)).layout == "folder"
    (folder / "meta" / "esc50.csv").rmdir()
    (folder / "meta" / "esc50.csv").symlink_to(tmp_path / "nowhere")
    assert read_labels(folder, files_of(folder)).layout == "folder"


def test_characters_that_cannot_be_written_are_left_out(tmp_path: Path) -> None:
    folder = make_nsynth(tmp_path / "nsynth-test")
    notes = json.loads((folder / "examples.json").read_text())
    for entry in notes.values():
        entry |= {"instrument_source_str": "a\ud800b\n", "instrument_family_str": "x\udfff/../y", "qualities_str": ["\x00" * 500]}
    (folder / "examples.json").write_text(json.dumps(notes))
    corpus = prepare(folder, tmp_path / "c", sample_rate=RATE)
    assert corpus.categories == ["x .. y"]
    assert corpus.clips[0].labels == {"source": "a b"}
    folder = tmp_path / "own"
    tone(folder / "a.wav")
    table(folder / "timbrespace.csv", "file,in\x01side,=cmd()," + "n" * 100, "a.wav,x\x07y,=cmd(),1e400")
    labels = prepare(folder, tmp_path / "d", sample_rate=RATE).clips[0].labels
    assert labels == {"in side": "x y", "=cmd()": "=cmd()", "n" * 64: "1e400"}
