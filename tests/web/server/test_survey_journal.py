"""The file of answers: nothing that was taken is lost, whatever happens to the process, the disk or the file."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from surveys import small_survey

from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.evaluation.survey import journal as module
from timbrespace.evaluation.survey.analysis import analyse
from timbrespace.evaluation.survey.journal import Journal, read_journal
from timbrespace.evaluation.survey.survey import Survey

NAME = "0123456789abcdef01234567"


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return small_survey(tmp_path_factory.mktemp("survey"))


def line(survey: Survey, index: int, *, plan: int = 0, name: str = NAME, quality: int = 4) -> dict[str, Any]:
    item = survey.items[survey.plans[plan][index]]
    values = {
        one.name: quality if one.kind == "scale" else (item.accepted[0] if item.accepted else one.options[0])
        for one in survey.questions[item.kind]
    }
    return {"session": name, "plan": plan, "index": index, "item": item.name, "values": values, "seconds": 1.5}


def test_what_is_appended_is_read_back(survey: Survey, tmp_path: Path) -> None:
    path = tmp_path / "answers" / "answers.jsonl"
    with Journal(survey, path) as journal:
        journal.append({"session": NAME, "plan": 0, "background": {"device": "headphones"}}, line(survey, 0))
        journal.append(line(survey, 1))
    with Journal(survey, path) as journal:
        journal.append(line(survey, 2))
    sessions, remarks = read_journal(survey, path)
    assert remarks == []
    assert sessions[NAME].answered == 3
    assert sessions[NAME].background == {"device": "headphones"}
    assert json.loads(path.read_bytes().splitlines()[0]) == {"format": "timbrespace answers", "version": 1, "survey": survey.identity}
    assert path.read_bytes().count(b"\n") == 5


def test_a_file_that_ends_anywhere_is_read_up_to_there(survey: Survey, tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    with Journal(survey, whole) as journal:
        journal.append({"session": NAME, "plan": 0, "background": {}}, *(line(survey, index) for index in range(4)))
    data = whole.read_bytes()
    ends = [place + 1 for place, byte in enumerate(data) if byte == 10]
    for length in range(ends[1], len(data), 7):
        path = tmp_path / "cut.jsonl"
        path.write_bytes(data[:length])
        sessions, remarks = read_journal(survey, path)
        kept = sum(length >= end - 1 for end in ends[2:])  # the end of the line itself says nothing
        assert sessions[NAME].answered == kept
        assert remarks == ([] if length in (*ends, *(end - 1 for end in ends)) else [(f"cut.jsonl line {kept + 3}", remarks[0][1])])
        assert all("cut off" in reason for _, reason in remarks)
        with Journal(survey, path) as journal:  # the server goes on behind what is cut off
            journal.append(*(line(survey, index) for index in range(kept, 4)))
        assert read_journal(survey, path)[0][NAME].answered == 4
        assert path.read_bytes().startswith(data[:length])


@pytest.mark.parametrize("damage", [b"\0" * 40, b"{}", b"[]", b"null", b'"x"', b"\xff\xfe", b"{" * 9000, b"x" * 20_000, b'{"session": 3}'])
def test_a_damaged_line_takes_nothing_with_it(survey: Survey, tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "answers.jsonl"
    with Journal(survey, path) as journal:
        journal.append({"session": NAME, "plan": 0, "background": {}}, line(survey, 0))
    with path.open("ab") as file:
        file.write(damage + b"\n")
    with Journal(survey, path) as journal:
        journal.append(line(survey, 1))
    sessions, remarks = read_journal(survey, path)
    assert sessions[NAME].answered == 2
    assert [place for place, _ in remarks] == ["answers.jsonl line 4"]


def test_a_lost_first_line_of_a_listener_loses_the_background_only(survey: Survey, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(line(survey, index)) + "\n" for index in (1, 0, 2)))
    sessions, remarks = read_journal(survey, path)
    assert remarks == []
    assert sessions[NAME].answered == 3


@pytest.mark.parametrize(
    "change",
    [
        {"index": 99}, {"index": -1}, {"index": True}, {"index": 0.0}, {"index": None}, {"plan": 1}, {"plan": 99}, {"session": "../x"},
        {"session": "äöü" * 8}, {"item": "none"}, {"item": ["x"]}, {"values": {}}, {"values": {"quality": 9}}, {"values": None},
    ],
)  # fmt: skip
def test_lines_that_no_page_writes_are_left_out(survey: Survey, tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "answers.jsonl"
    rows = [line(survey, 0), {**line(survey, 1), **change}, line(survey, 1, quality=2)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    sessions, remarks = read_journal(survey, path)
    assert [place for place, _ in remarks] == ["answers.jsonl line 2"]
    assert sessions[NAME].answered == 2
    assert sessions[NAME].rows[1].values["quality"] == 2


def test_the_first_answer_counts(survey: Survey, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(line(survey, 1, quality=value)) + "\n" for value in (5, 1)))
    assert read_journal(survey, path)[0][NAME].rows[1].values["quality"] == 5


def test_many_damaged_lines_are_counted(survey: Survey, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text("x\n" * 100)
    _, remarks = read_journal(survey, path)
    assert len(remarks) == 21
    assert remarks[-1] == ("answers.jsonl", "80 more of its lines cannot be used")


def test_answers_of_another_survey_are_not_mixed(survey: Survey, tmp_path: Path) -> None:
    other = small_survey(tmp_path, seed=6)
    path = tmp_path / "answers.jsonl"
    Journal(other, path).close()
    with pytest.raises(ConfigError, match="another survey"):
        read_journal(survey, path)
    path.write_text('{"format": "timbrespace answers", "version": 9, "survey": "x"}\n')
    with pytest.raises(ConfigError, match="version 9"):
        read_journal(survey, path)


def test_one_process_writes(survey: Survey, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with Journal(survey, path), pytest.raises(ConfigError, match="another `survey serve`"):
        Journal(survey, path)
    Journal(survey, path).close()


def test_a_full_disk_leaves_no_half_line(survey: Survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "answers.jsonl"
    write = os.write
    with Journal(survey, path) as journal:
        journal.append(line(survey, 0))
        before = path.read_bytes()

        def full(handle: int, data: bytes) -> int:
            if len(data) < 60:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(handle, data[:50])

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(TimbrespaceError, match="no room left"):
            journal.append(line(survey, 1))
        assert path.read_bytes() == before
        monkeypatch.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
        with pytest.raises(TimbrespaceError, match="no room left"):
            journal.append(line(survey, 1))
        monkeypatch.undo()
        journal.append(line(survey, 1))
    sessions, remarks = read_journal(survey, path)
    assert sessions[NAME].answered == 2
    assert len(remarks) == 1  # the half line


def test_a_full_file_is_said(survey: Survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 500)
    with Journal(survey, tmp_path / "answers.jsonl") as journal, pytest.raises(TimbrespaceError, match="is full"):
        for index in range(8):
            journal.append(line(survey, index))
    assert (tmp_path / "answers.jsonl").stat().st_size <= 500


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be moved there")
def test_a_file_that_is_taken_away_is_noticed(survey: Survey, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with Journal(survey, path) as journal:
        path.rename(tmp_path / "moved.jsonl")
        with pytest.raises(TimbrespaceError, match="moved or removed"):
            journal.append(line(survey, 0))
        path.write_text("")
        with pytest.raises(TimbrespaceError, match="moved or removed"):
            journal.append(line(survey, 0))


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_what_was_taken_survives_a_kill(survey: Survey, tmp_path: Path) -> None:
    """A process appends answers and prints each number behind it; it is killed in the middle."""
    path = tmp_path / "answers.jsonl"
    (tmp_path / "lines.json").write_text(json.dumps([line(survey, n % 8, name=f"{n // 8:024x}") for n in range(8 * 2000)]))
    program = (
        "import json, sys; from pathlib import Path\n"
        "from timbrespace.evaluation.survey.journal import Journal\n"
        "from timbrespace.evaluation.survey.survey import read_survey\n"
        f"journal = Journal(read_survey({str(tmp_path / 'test')!r}), Path({str(path)!r}))\n"
        f"for n, row in enumerate(json.load(open({str(tmp_path / 'lines.json')!r}))):\n"
        "    journal.append(row)\n"
        "    print(n, flush=True)\n"
    )
    other = small_survey(tmp_path)
    assert other.identity == survey.identity
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(200):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    taken = 200 + len(rest)
    sessions, _ = read_journal(survey, path)
    assert sum(session.answered for session in sessions.values()) in (taken, taken + 1)
    Journal(survey, path).close()  # the lock has ended with its process


def test_the_analysis_reads_the_file_and_the_folder(survey: Survey, tmp_path: Path) -> None:
    pytest.importorskip("scikit_posthocs")
    small_survey(tmp_path)
    path = tmp_path / "test" / "answers" / "answers.jsonl"
    with Journal(survey, path) as journal:
        for plan in range(3):
            name = f"{plan:024x}"
            journal.append({"session": name, "plan": plan, "background": {"device": "headphones"}})
            journal.append(*(line(survey, index, plan=plan, name=name, quality=2 + plan) for index in range(len(survey.plans[plan]))))
        journal.append(line(survey, 0, name="f" * 24))  # only a check
    with path.open("ab") as file:
        file.write(b'{"session": "01')
    for source in (path, path.parent):
        found = analyse(tmp_path / "test", source)
        assert found.listeners == 3
        assert found.background["device"] == {"headphones": 3}
        assert found.steadiness == 1
        (rated,) = found.rated
        assert {name: group.mean for name, group in rated.comparison.groups.items()} == {"new": 3, "real": 3}
        assert dict(found.left_out) == {
            f"answers.jsonl, listener {'f' * 24}": "it has no answers to any sound",
            f"answers.jsonl line {path.read_bytes().count(10) + 1}": "it is cut off: the last writing was interrupted",
        }
