"""The listeners of a served survey: balanced plans, answers in order, each once, none before its sound has ended."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from surveys import small_survey

from timbrespace.contracts import TimbrespaceError
from timbrespace.evaluation.survey.journal import Journal, read_journal
from timbrespace.evaluation.survey.sessions import NotNowError, RefusedError, Sessions, UnknownListenerError
from timbrespace.evaluation.survey.survey import Survey


class Clock:
    """Seconds that pass when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return small_survey(tmp_path_factory.mktemp("survey"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(survey: Survey, tmp_path: Path, clock: Clock) -> Iterator[Sessions]:
    with Journal(survey, tmp_path / "answers.jsonl") as journal:
        yield Sessions(survey, journal, clock=clock)


def row(survey: Survey, plan: int, index: int, *, quality: int = 4) -> dict[str, Any]:
    item = survey.items[survey.plans[plan][index]]
    asked = survey.questions[item.kind]
    return {
        "item": item.name,
        "values": {one.name: quality if one.kind == "scale" else (item.accepted or one.options)[0] for one in asked},
        "seconds": 1.0,
    }


def answer_all(sessions: Sessions, clock: Clock, name: str) -> None:
    status = sessions.status(name)
    for index in range(status.answered, len(status.items)):
        clock.now += 3
        sessions.answer(name, index, row(sessions.survey, status.plan, index))


def test_each_listener_gets_a_plan_of_its_own_and_the_balance_holds(sessions: Sessions, clock: Clock) -> None:
    plans = [sessions.begin(f"{number:024x}", {}).plan for number in range(9)]
    assert Counter(plans) == {0: 3, 1: 3, 2: 3}
    assert plans[:3] == [0, 1, 2]
    for number in (0, 2):  # plans 0 and 2; all others go away
        answer_all(sessions, clock, f"{number:024x}")
    clock.now += 3600
    assert [sessions.begin(f"{number:024x}", {}).plan for number in range(20, 24)] == [1, 0, 2, 1]


def test_a_number_chooses_the_plan(sessions: Sessions) -> None:
    assert [sessions.begin(f"{number:024x}", {}, number).plan for number in (1, 2, 3, 4, 100_000)] == [0, 1, 2, 0, 0]


def test_beginning_twice_is_once(sessions: Sessions) -> None:
    first = sessions.begin("a" * 24, {"device": "headphones"})
    assert sessions.begin("a" * 24, {"device": "loudspeakers"}, 2) == first
    assert sessions.begin("b" * 24, {}).plan == 1


def test_nothing_of_a_listener_without_an_answer_is_stored(sessions: Sessions, survey: Survey, clock: Clock, tmp_path: Path) -> None:
    for number in range(50):
        sessions.begin(f"{number:024x}", {"age": "18 to 29"})
    assert (tmp_path / "answers.jsonl").read_bytes().count(b"\n") == 1
    clock.now += 5
    sessions.answer(f"{7:024x}", 0, row(survey, 7 % 3, 0))
    (one,) = read_journal(survey, tmp_path / "answers.jsonl")[0].values()
    assert (one.name, one.background, one.answered) == (f"{7:024x}", {"age": "18 to 29"}, 1)


def test_a_listener_goes_on_after_the_server_ended(sessions: Sessions, survey: Survey, clock: Clock, tmp_path: Path) -> None:
    sessions.begin("a" * 24, {})
    clock.now += 5
    sessions.answer("a" * 24, 0, row(survey, 0, 0))
    again = Sessions(survey, sessions._journal, clock=clock)
    assert again.status("a" * 24) == sessions.status("a" * 24)
    again.answer("a" * 24, 1, row(survey, 0, 1))  # its sound was played before the server ended
    assert again.progress.answers == 2
    answer_all(again, clock, "a" * 24)
    assert (again.progress.finished, again.progress.begun, again.progress.active) == (1, 1, 0)


def test_the_first_answer_counts_and_the_page_goes_on(sessions: Sessions, survey: Survey, clock: Clock, tmp_path: Path) -> None:
    sessions.begin("a" * 24, {})
    for index in (0, 1):
        clock.now += 5
        sessions.answer("a" * 24, index, row(survey, 0, index, quality=5))
    size = (tmp_path / "answers.jsonl").stat().st_size
    for _ in range(3):
        assert sessions.answer("a" * 24, 1, row(survey, 0, 1, quality=1)).answered == 2
    assert (tmp_path / "answers.jsonl").stat().st_size == size
    assert read_journal(survey, tmp_path / "answers.jsonl")[0]["a" * 24].rows[1].values["quality"] == 5


def test_a_script_cannot_answer_before_the_sound_has_ended(sessions: Sessions, survey: Survey, clock: Clock) -> None:
    sessions.begin("a" * 24, {})
    length = survey.items[survey.plans[0][0]].seconds
    clock.now += 0.5 * length
    with pytest.raises(NotNowError, match="before the sound has ended") as found:
        sessions.answer("a" * 24, 0, row(survey, 0, 0))
    assert found.value.wait is not None
    clock.now += found.value.wait + 0.01
    assert sessions.answer("a" * 24, 0, row(survey, 0, 0)).answered == 1
    with pytest.raises(NotNowError):
        sessions.answer("a" * 24, 1, row(survey, 0, 1))


def test_an_answer_out_of_order_is_refused(sessions: Sessions, survey: Survey, clock: Clock) -> None:
    sessions.begin("a" * 24, {})
    clock.now += 100
    with pytest.raises(NotNowError, match="sound 1 comes before") as found:
        sessions.answer("a" * 24, 1, row(survey, 0, 1))
    assert found.value.wait is None
    with pytest.raises(RefusedError, match="this place"):
        sessions.answer("a" * 24, 0, row(survey, 0, 1))
    with pytest.raises(RefusedError, match="this place"):
        sessions.answer("a" * 24, 9999, row(survey, 0, 1))


@pytest.mark.parametrize("name", ["f" * 24, "A" * 24, "", None, 3, "../" * 8, ["a" * 24]])
def test_unknown_listeners_are_refused(sessions: Sessions, survey: Survey, name: object) -> None:
    with pytest.raises(RefusedError):
        sessions.answer(name, 0, row(survey, 0, 0))
    with pytest.raises(RefusedError):
        sessions.status(name)
    assert sessions.progress.answers == 0
    if name == "f" * 24:
        with pytest.raises(UnknownListenerError):
            sessions.status(name)


@pytest.mark.parametrize(
    "background", [None, [], {"age": "200"}, {"name": "Jane"}, {"age": ["18 to 29"]}, {"age": None}, {"device": "headphones", "x": "y"}]
)
def test_only_answers_to_questions_on_the_listener_are_taken(sessions: Sessions, background: object) -> None:
    with pytest.raises(RefusedError):
        sessions.begin("a" * 24, background)
    with pytest.raises(RefusedError, match="allowed is 1 to"):
        sessions.begin("a" * 24, {}, 0)
    assert sessions.progress.active == 0


def test_what_is_no_question_is_not_stored(sessions: Sessions, survey: Survey, clock: Clock, tmp_path: Path) -> None:
    sessions.begin("a" * 24, {})
    clock.now += 5
    sent = row(survey, 0, 0)
    sessions.answer("a" * 24, 0, {**sent, "values": {**sent["values"], "secret": "x"}, "seconds": float("nan"), "more": "secret"})
    stored = (tmp_path / "answers.jsonl").read_text()
    assert "secret" not in stored
    assert '"seconds":null' in stored


def test_a_flood_of_listeners_is_bounded(sessions: Sessions, clock: Clock, tmp_path: Path) -> None:
    waits: list[float | None] = []
    for number in range(2000):
        clock.now += 0.5
        try:
            sessions.begin(f"{number:024x}", {})
        except NotNowError as error:
            waits.append(error.wait)
    assert 880 < len(waits) < 1000
    assert all(wait is not None and 0 < wait <= 1 for wait in waits)
    assert len(sessions._waiting) == 500
    assert sum(sessions._given) == 500
    assert len(sessions._seen) == 500
    assert (tmp_path / "answers.jsonl").stat().st_size < 200


def test_an_answer_that_cannot_be_stored_is_not_taken(
    sessions: Sessions, survey: Survey, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.begin("a" * 24, {})
    clock.now += 5

    def full(*_: object) -> None:
        raise TimbrespaceError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(sessions._journal, "append", full)
        with pytest.raises(TimbrespaceError, match="no room"):
            sessions.answer("a" * 24, 0, row(survey, 0, 0))
    assert sessions.status("a" * 24).answered == 0
    assert sessions.answer("a" * 24, 0, row(survey, 0, 0)).answered == 1


def test_many_at_once_lose_nothing(sessions: Sessions, survey: Survey, clock: Clock, tmp_path: Path) -> None:
    """Twelve listeners, each with two windows that send every answer, in threads."""
    for number in range(12):
        sessions.begin(f"{number:024x}", {"device": "headphones"})
    clock.now += 1e6
    gate = threading.Barrier(24)
    length = len(survey.plans[0])

    def listen(worker: int) -> int:
        name, taken = f"{worker // 2:024x}", 0
        plan = sessions.status(name).plan
        gate.wait()
        while (index := sessions.status(name).answered) < length:
            clock.now += 100
            try:
                sessions.answer(name, index, row(survey, plan, index, quality=1 + worker % 2))
                taken += 1
            except NotNowError:
                continue
        return taken

    with ThreadPoolExecutor(24) as pool:
        assert sum(pool.map(listen, range(24))) >= 12 * length
    found, remarks = read_journal(survey, tmp_path / "answers.jsonl")
    assert remarks == []
    assert {session.answered for session in found.values()} == {length}
    assert len(found) == 12
    assert (tmp_path / "answers.jsonl").read_bytes().count(b"\n") == 1 + 12 * (1 + length)  # no answer twice
    assert sessions.progress.finished == 12
