"""`timbrespace.csv` as spreadsheets of many countries and systems write it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from timbrespace.corpus.labels.readers.labels import CorpusLabels
from timbrespace.corpus.labels.readers.registry import read_labels

FILES = frozenset(f"{k}.wav" for k in range(4))


def read(folder: Path, table: str, files: frozenset[str] = FILES, encoding: str = "utf-8") -> CorpusLabels:
    (folder / "timbrespace.csv").write_bytes(table.encode(encoding))
    return read_labels(folder, files, layout="table")


def values(found: CorpusLabels, column: str) -> list[object]:
    return [found.files[file].labels.get(column) for file in sorted(found.files)]


@pytest.mark.parametrize("mark", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_decimal_commas_between_semicolons_and_tabs_are_numbers(tmp_path, mark, encoding):
    lines = ["file;hell;Größe;pitch;velocity", "0.wav;0,3;1,250;60,5;90", "1.wav;-2;2,5e1;A4;", "2.wav;nan;;48;1"]
    found = read(tmp_path, "\r\n".join(lines).replace(";", mark), encoding=encoding)
    assert not found.problems
    assert values(found, "hell") == [0.3, -2, "nan"]
    assert values(found, "Größe") == [1.25, 25.0, None]
    assert [found.files[f"{k}.wav"].pitch for k in range(3)] == [60.5, 69.0, 48.0]


def test_decimal_commas_in_quotes_are_numbers_unless_they_may_be_thousands(tmp_path):
    found = read(tmp_path, 'file,bright,count\n0.wav,"0,3","1,234"\n1.wav,"1,125","12"\n2.wav,2.5,"-5,000"\n')
    assert values(found, "bright") == [0.3, 1.125, 2.5]
    assert values(found, "count") == ["1,234", 12, "-5,000"]
    assert found.problems == [{"file": "timbrespace.csv", "reason": "column count: '1,234' may be 1.234 or 1234; it is kept as text"}]


def test_a_column_of_texts_with_a_decimal_comma_stays_text_and_is_said(tmp_path):
    found = read(tmp_path, "file;mood;category\n0.wav;0,3;kick\n1.wav;dark;1,5\n")
    assert values(found, "mood") == ["0,3", "dark"]
    assert [found.files[f"{k}.wav"].category for k in range(2)] == ["kick", "1,5"]
    assert [row["reason"] for row in found.problems] == [
        "column mood: '0,3' is kept as text like its other values; write numbers with a point"
    ]


def test_a_decimal_comma_without_quotes_between_commas_is_an_error_of_its_line(tmp_path):
    """Read as columns, it would be 0 without a word."""
    found = read(tmp_path, "file,bright\n0.wav,0,3\n1.wav,2\n2.wav,5,,\n")
    assert values(found, "bright") == [2, 5]
    assert found.refused == {"0.wav"}
    assert "line 2" in found.problems[0]["reason"]
    assert "write decimal points" in found.problems[0]["reason"]


def test_files_are_found_whatever_the_form_and_case_of_their_names(tmp_path):
    decomposed = unicodedata.normalize("NFD", "Größe.wav")
    files = frozenset({decomposed, "Kick.WAV", "a.wav", "A.wav"})
    found = read(tmp_path, "file,x\nGröße.wav,1\nkick.wav,2\na.wav,3\nA.wav,4\n", files)
    assert {file: labels.labels["x"] for file, labels in found.files.items()} == {decomposed: 1, "Kick.WAV": 2, "a.wav": 3, "A.wav": 4}
    assert not found.problems
    assert "no such sound file" in read(tmp_path, "file,x\nB.wav,1\n", frozenset({"b.wav", "β.wav"}) | {"b.WAV"}).problems[0]["reason"]
