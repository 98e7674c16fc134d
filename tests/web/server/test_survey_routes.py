"""The routes of a served survey: what a listener's page sends, and what a hostile client sends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from surveys import serving, small_survey

from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.evaluation.survey.journal import Journal
from timbrespace.evaluation.survey.sessions import Sessions
from timbrespace.evaluation.survey.survey import Survey

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

import httpx

from timbrespace.web.server.guard import LOOPBACK
from timbrespace.web.server.survey import guarded_survey, sound_files

NAME = "0123456789abcdef01234567"


class Served:
    """A survey behind its routes, with a clock that the test moves."""

    def __init__(self, survey: Survey, folder: Path) -> None:
        self.survey = survey
        self.folder, self.now, self.reports = folder, 0.0, list[str]()
        self.file = self.folder / "answers" / "answers.jsonl"
        self.journal = Journal(self.survey, self.file)
        self.sessions = Sessions(self.survey, self.journal, clock=lambda: self.now)
        self.changes, self.client = 0, httpx.Client()
        files = sound_files(self.survey, self.folder)
        self.app = guarded_survey(self.sessions, files, LOOPBACK, token=None, changed=self.change, report=self.reports.append)

    def change(self) -> None:
        self.changes += 1

    def begin(self, name: str = NAME, **more: Any) -> Any:
        return self.client.post("/api/survey/begin", json={"session": name, "background": {}, **more})

    def body(self, index: int, *, plan: int = 0, name: str = NAME, quality: int = 3) -> dict[str, Any]:
        item = self.survey.items[self.survey.plans[plan][index]]
        values = {
            one.name: quality if one.kind == "scale" else (item.accepted or one.options)[0] for one in self.survey.questions[item.kind]
        }
        return {"session": name, "index": index, "item": item.name, "values": values, "seconds": 1.5}

    def answer(self, **body: Any) -> Any:
        return self.client.post("/api/survey/answer", json=body)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Survey, Path]:
    folder = tmp_path_factory.mktemp("survey")
    return small_survey(folder), folder / "test"


@pytest.fixture
def served(made: tuple[Survey, Path], tmp_path: Path) -> Iterator[Served]:
    one = Served(made[0], shutil.copytree(made[1], tmp_path / "test"))
    with serving(one.app) as address, httpx.Client(base_url=address) as one.client, one.journal:
        yield one


def test_a_listener_begins_answers_and_goes_on(served: Served) -> None:
    status = served.begin(background={"device": "headphones"}).json()
    assert status == {"plan": 0, "items": served.survey.plans[0], "answered": 0}
    for index in range(len(status["items"])):
        served.now += 5
        reply = served.answer(**served.body(index))
        assert (reply.status_code, reply.json()["answered"]) == (200, index + 1)
        assert served.client.get(f"/api/survey/sessions/{NAME}").json()["answered"] == index + 1
    assert len(served.lines()) == 2 + len(status["items"])
    assert set().union(*served.lines()) == {
        "format", "version", "survey", "session", "plan", "background", "index", "item", "values", "seconds"
    }  # fmt: skip


def test_the_page_says_neither_the_key_nor_the_plans(served: Served) -> None:
    page = served.client.get("/").text
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert set(data) == {"id", "title", "questions", "background", "kinds", "seconds"}
    assert "Tones &amp; &lt;hats&gt;" in page
    for secret in ("condition", "source", "accepted", "kick.wav"):
        assert secret not in json.dumps(data)
    assert "script-src 'sha256-" in page
    assert "connect-src 'self'" in page
    assert "'unsafe-inline'" not in page.split("<title>")[0]


def test_sounds_are_served_whole_and_in_parts(served: Served) -> None:
    name = served.survey.plans[0][1]
    data = (served.folder / "public" / "sounds" / f"{name}.wav").read_bytes()
    whole = served.client.get(f"/sounds/{name}.wav")
    assert (whole.content, whole.headers["content-type"]) == (data, "audio/wav")
    part = served.client.get(f"/sounds/{name}.wav", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, data[10:20])


@pytest.mark.parametrize(
    "path",
    [
        "/sounds/none.wav", "/sounds/../survey.json", "/sounds/..%2f..%2fsurvey.json", "/sounds/%2e%2e/index.html.wav", "/survey.json",
        "/answers/answers.jsonl", "/sounds/..%5c..%5csurvey.json.wav", "/sounds/%00.wav", "/public/index.html",
    ],
)  # fmt: skip
def test_nothing_else_is_served(served: Served, path: str) -> None:
    reply = served.client.get(path)
    assert reply.status_code == 404
    assert served.survey.identity not in reply.text


def test_answers_sent_twice_count_once(served: Served) -> None:
    served.begin()
    served.begin()
    served.now += 5
    body = served.body(0)
    replies = [served.answer(**body) for _ in range(5)]
    assert [reply.status_code for reply in replies] == [200] * 5
    assert [reply.json()["answered"] for reply in replies] == [1] * 5
    assert len(served.lines()) == 3
    other = served.body(0)
    other["values"] = {name: "5" if value != "5" else "4" for name, value in other["values"].items()}
    assert served.answer(**other).json()["answered"] == 1
    assert len(served.lines()) == 3


def test_a_script_waits_as_long_as_a_listener(served: Served) -> None:
    served.begin()
    reply = served.answer(**served.body(0))
    assert reply.status_code == 429
    wait = reply.json()["wait"]
    assert int(reply.headers["retry-after"]) >= wait - 0.1
    served.now += wait
    assert served.answer(**served.body(0)).status_code == 200
    served.now += 9
    assert served.answer(**served.body(2)).status_code == 409


def test_an_unknown_listener_is_told_to_begin(served: Served) -> None:
    assert served.answer(**served.body(0)).status_code == 404
    assert served.client.get(f"/api/survey/sessions/{NAME}").status_code == 404
    assert len(served.lines()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"session": "x"}, {"session": None}, {"session": NAME.upper()}, {"index": -1}, {"index": 1.5}, {"index": True}, {"index": 10**30},
        {"index": "0"}, {"item": "../x"}, {"item": None}, {"item": "x" * 10_000}, {"values": {}}, {"values": []}, {"values": {"beeps": 2}},
        {"values": {"beeps": ["2"]}}, {"values": {"beeps": "9"}}, {"values": {str(n): 1 for n in range(1000)}}, {"seconds": "1"},
        {"seconds": -1}, {"seconds": 1e300}, {"more": 1}, {"plan": 1},
    ],
)  # fmt: skip
def test_hostile_answers_are_refused(served: Served, change: dict[str, Any]) -> None:
    served.begin()
    served.now += 5
    reply = served.answer(**{**served.body(0), **change})
    assert 400 <= reply.status_code < 500
    assert len(served.lines()) == 1
    assert served.answer(**served.body(0)).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 50_000,
        '{"background": {"\\ud800": 1}}',
        '{"session": "\\ud800"}',
        '{"values": {"\\ud800": [1e999]}}',
        '{"session": "' + NAME + '", "background": NaN}',
        "\x00",
        "ÿ",
    ],
)
def test_what_is_no_json_is_refused(served: Served, text: str) -> None:
    for path in ("begin", "answer"):
        reply = served.client.post(f"/api/survey/{path}", content=text.encode("latin-1"), headers={"Content-Type": "application/json"})
        assert 400 <= reply.status_code < 500
        assert set(reply.json()) == {"error"}
    assert served.sessions.progress.active == 0


@pytest.mark.parametrize(
    "change", [{"listener": 0}, {"listener": 10**9}, {"listener": "7"}, {"background": {"age": "9"}}, {"background": {"a": {"b": 1}}}]
)
def test_a_hostile_beginning_is_refused(served: Served, change: dict[str, Any]) -> None:
    assert served.begin(**change).status_code == 422
    assert served.sessions.progress.active == 0


def test_what_cannot_be_stored_is_reported_to_the_researcher_only(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.begin()
    served.now += 5

    def full(*_: object) -> None:
        raise TimbrespaceError("no room left in /home/jane/test")

    with monkeypatch.context() as patch:
        patch.setattr(served.journal, "append", full)
        reply = served.answer(**served.body(0))
    assert (reply.status_code, reply.json()) == (503, {"error": "the answers cannot be stored at the moment"})
    assert served.reports == ["no room left in /home/jane/test"]
    assert served.answer(**served.body(0)).status_code == 200


def test_a_survey_without_its_sounds_is_not_served(tmp_path: Path) -> None:
    survey = small_survey(tmp_path)
    next((tmp_path / "test" / "public" / "sounds").iterdir()).unlink()
    with pytest.raises(ConfigError, match="is missing"):
        sound_files(survey, tmp_path / "test")


def test_sounds_outside_the_survey_are_not_served(tmp_path: Path) -> None:
    survey = small_survey(tmp_path)
    name = survey.plans[0][0]
    sound = tmp_path / "test" / "public" / "sounds" / f"{name}.wav"
    sound.unlink()
    sound.symlink_to(tmp_path / "new" / "kick.wav")
    with pytest.raises(ConfigError, match="is missing"):
        sound_files(survey, tmp_path / "test")
