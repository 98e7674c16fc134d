"""`timbrespace survey serve` as its users have it: the command, two browsers at once, a crash in between, the analysis."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from surveys import serving, small_survey

import browser
from browser import opened
from shell import Shell
from timbrespace.cli.report.survey_serve import Terminal
from timbrespace.evaluation.survey.journal import Journal
from timbrespace.evaluation.survey.sessions import Progress
from timbrespace.evaluation.survey.survey import Survey

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

import httpx
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

TOKEN = "a-token-of-the-lab"


@pytest.fixture(scope="module", autouse=True)
def _one_browser() -> Iterator[None]:
    yield
    browser.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Survey, Path]:
    folder = tmp_path_factory.mktemp("survey")
    return small_survey(folder), folder / "test"


@pytest.fixture
def folder(made: tuple[Survey, Path], tmp_path: Path) -> Path:
    return shutil.copytree(made[1], tmp_path / "test")


class Running:
    """The command in a process of its own."""

    def __init__(self, folder: Path, *words: object, port: int = 0) -> None:
        command = [sys.executable, "-m", "timbrespace", "survey", "serve", folder, "--port", port, *words]
        self.process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        self.printed = ""
        while not (found := re.search(r"http://\S+:(\d+)/\S*", self.printed)):
            line = self.process.stdout.readline()
            assert line, self.printed
            self.printed += line
        self.address, self.port = found[0], int(found[1])

    def end(self, sign: int = signal.SIGINT) -> str:
        """Ends the process and returns what it has printed."""
        self.process.send_signal(sign)
        rest, _ = self.process.communicate(timeout=60)
        return self.printed + rest


@contextmanager
def running(folder: Path, *words: object) -> Iterator[Running]:
    one = Running(folder, *words)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.end()


def wait_for(tab: Any, text: str) -> None:
    tab.locator("#state", has_text=text).wait_for()


def answer(tab: Any, survey: Survey, name: str, likes: dict[str, int]) -> None:
    """Answers one sound that has been played to its end."""
    item = survey.items[name]
    for question in survey.questions[item.kind]:
        wanted = item.accepted[0] if question.options else str(likes[item.condition])
        tab.locator(f"fieldset[data-name='{question.name}'] input[value='{wanted}']").check()
    tab.locator("#next").click()


def test_two_listeners_at_once_survive_a_crash_and_are_analysed(made: tuple[Survey, Path], folder: Path, shell: Shell) -> None:
    """All sounds play in real time: nine seconds of them."""
    pytest.importorskip("scikit_posthocs")
    survey, length = made[0], len(made[0].plans[0])
    likes = {0: {"real": 5, "new": 2}, 1: {"real": 4, "new": 3}}
    server = Running(folder, "--token", TOKEN)
    try:
        with opened(server.address) as one, opened(f"{server.address}&listener=2") as two:
            tabs = (one, two)
            assert two.locator("#number").input_value() == "2"
            for tab, device in zip(tabs, ("headphones", "loudspeakers"), strict=True):
                assert "token" not in tab.url
                tab.locator(f"fieldset[data-name='device'] input[value='{device}']").check()
                tab.locator("#begin").click()
            for place in range(length):
                for tab in tabs:
                    wait_for(tab, f"Sound {place + 1} of {length}")
                    tab.locator("#play").click()
                for tab in tabs:
                    wait_for(tab, "Now answer")
                if place == 2:  # the power fails while both choose
                    server.end(signal.SIGKILL)
                    server = Running(folder, "--token", TOKEN, port=server.port)
                for plan, tab in enumerate(tabs):
                    answer(tab, survey, survey.plans[plan][place], likes[plan])
                if place == 4:  # one closes the page, and opens it again
                    wait_for(one, "Sound 6")
                    one.goto(server.address)
            for tab in tabs:
                tab.locator("#end").wait_for()
            one.locator("#another").click()
            one.locator("#start").wait_for()
            assert one.locator("#number").input_value() == ""
            two.reload()
            two.locator("#end").wait_for()
    finally:
        printed = server.end()
    assert f"{2 * length} answers of 2 listeners, 2 finished\n" in printed
    assert f"timbrespace survey analyse {folder}" in printed
    found = shell.json("survey", "analyse", folder)
    assert found["listeners"] == 2
    assert found["background"]["device"] == {"headphones": 1, "loudspeakers": 1}
    assert found["left_out"] == []
    (rated,) = found["rated"]
    assert {name: group["mean"] for name, group in rated["comparison"]["groups"].items()} == {"real": 4.5, "new": 2.5}
    assert {name: group["count"] for name, group in rated["comparison"]["groups"].items()} == {"real": 4, "new": 4}
    assert found["recognised"][0]["recognition"]["right"] == {"new": [4, 4], "real": [4, 4]}
    sessions = {json.loads(line).get("session") for line in (folder / "answers" / "answers.jsonl").read_text().splitlines()[1:]}
    assert len(sessions) == 2


def test_two_windows_of_one_listener_do_not_answer_twice(made: tuple[Survey, Path], folder: Path) -> None:
    survey = made[0]
    with running(folder) as server, opened(server.address) as one:
        one.locator("#begin").click()
        wait_for(one, "Sound 1 of")
        two = one.context.new_page()
        two.goto(server.address)
        for tab in (one, two):
            wait_for(tab, "Sound 1 of")
            tab.locator("#play").click()
        for tab in (one, two):
            wait_for(tab, "Now answer")
            answer(tab, survey, survey.plans[0][0], {})
            wait_for(tab, "Sound 2 of")
        assert "1 answer of 1 listener, 0 finished\nstopped" in server.end()
    assert (folder / "answers" / "answers.jsonl").read_text().count("\n") == 3


def test_the_page_waits_while_answers_cannot_be_stored(made: tuple[Survey, Path], folder: Path) -> None:
    survey, file = made[0], folder / "answers" / "answers.jsonl"
    with running(folder) as server, opened(server.address, refusals=True) as tab:
        tab.locator("#begin").click()
        wait_for(tab, "Sound 1 of")
        tab.locator("#play").click()
        wait_for(tab, "Now answer")
        file.rename(folder / "away")
        answer(tab, survey, survey.plans[0][0], {})
        tab.locator(".trouble", has_text="This page tries again").wait_for()
        (folder / "away").rename(file)
        wait_for(tab, "Sound 2 of")
        assert tab.locator(".trouble").text_content() == ""
        assert "moved or removed" in server.end()
    assert file.read_text().count("\n") == 3


def test_the_terminal_has_one_line_of_progress(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = SimpleNamespace(progress=Progress(10, 1, 3, 100))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    terminal = Terminal(sessions)  # type: ignore[arg-type]
    terminal.changed()
    terminal.changed()
    sessions.progress = Progress(2, 1, 0, 9)
    terminal.changed()
    terminal.end()
    first, second = "100 answers of 10 listeners, 1 finished, 3 listen now", "9 answers of 2 listeners, 1 finished, 0 listen now"
    end = second.partition(", 0")[0]
    assert capsys.readouterr().out == f"\r{first}\r{second.ljust(len(first))}\r{end.ljust(len(second))}\n"
    for _ in range(3):
        terminal.report("no room")
    assert capsys.readouterr().err == "answers are not stored: no room\n"


def test_the_guard_is_in_front(folder: Path) -> None:
    with running(folder, "--token", TOKEN) as server, httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        body = {"session": "a" * 24, "background": {}}
        known = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/").status_code == 401
        assert client.post("/api/survey/begin", json=body).status_code == 401
        assert client.post("/api/survey/begin", json=body, headers={**known, "Origin": "http://evil.example"}).status_code == 403
        assert client.post("/api/survey/begin", json=body, headers={**known, "Host": "evil.example"}).status_code == 403
        assert client.post("/api/survey/begin", content="x=1", headers=known).status_code == 415
        assert client.post("/api/survey/begin", json={**body, "background": {"a": "x" * 20_000}}, headers=known).status_code == 413
        assert client.post("/api/survey/begin", json=body, headers=known).status_code == 200
        page = client.get("/", headers=known)
        assert page.headers["content-security-policy"] == "frame-ancestors 'none'"
        assert page.headers["cache-control"] == "no-store"
        assert client.get("/openapi.json", headers=known).status_code == 404


def test_what_cannot_be_served_is_explained(made: tuple[Survey, Path], folder: Path, shell: Shell, tmp_path: Path) -> None:
    assert "there is no file" in shell("survey", "serve", tmp_path / "nowhere", code=2)
    assert "12 to 200" in shell("survey", "serve", folder, "--token", "short", code=2)
    assert "no address of this computer" in shell("survey", "serve", folder, "--host", "no.such.host.invalid", "--token", TOKEN, code=2)
    with Journal(made[0], folder / "answers" / "answers.jsonl"):
        assert "another `survey serve`" in shell("survey", "serve", folder, "--port", 0, code=2)
    with running(folder) as server:
        other = shutil.copytree(made[1], tmp_path / "other")
        assert f"port {server.port} is taken" in shell("survey", "serve", other, "--port", server.port, code=2)
    shutil.rmtree(other / "answers", ignore_errors=True)
    (other / "answers").write_text("a file")
    assert "could not write" in shell("survey", "serve", other, "--port", 0, code=2)
    (folder / "answers" / "answers.jsonl").write_text('{"format": "timbrespace answers", "version": 1, "survey": "x"}\n')
    assert "of another survey" in shell("survey", "serve", folder, "--port", 0, code=2)
    next((folder / "public" / "sounds").iterdir()).unlink()
    assert "is missing" in shell("survey", "serve", folder, "--port", 0, code=2)


def test_the_link_works_from_a_page_of_another_site(made: tuple[Survey, Path], folder: Path, tmp_path: Path) -> None:
    """A mail that is read in a browser: for it, localhost and 127.0.0.1 are two sites."""
    mail = FastAPI()

    @mail.get("/")
    def letter() -> HTMLResponse:
        return HTMLResponse(f'<link rel="icon" href="data:,"><a href="{server.address}&amp;listener=3">the test</a>')

    with running(folder, "--token", TOKEN) as server, serving(mail) as address, opened(address.replace("127.0.0.1", "localhost")) as tab:
        tab.locator("a").click()
        tab.locator("#start").wait_for()
        assert tab.url == f"http://127.0.0.1:{server.port}/?listener=3"
        tab.locator("#begin").click()
        wait_for(tab, "Sound 1 of")
