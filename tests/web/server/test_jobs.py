"""Long work: its states, its order, cancelling, repetition, forgetting."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from timbrespace.contracts import ConfigError
from timbrespace.web.server.jobs import Asked, BusyError, ConflictError, Job, Jobs, Turns


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    made = Jobs(waiting=2)
    yield made
    assert made.close()


def ended(jobs: Jobs, number: str) -> dict[str, Any]:
    job = jobs.find(number)
    assert job is not None
    for _ in range(2000):
        if job.state in ("done", "failed", "cancelled"):
            return job.facts()
        time.sleep(0.005)
    raise AssertionError(job.facts())


class Gate:
    """Work that says when it runs, and ends when it may; it gives way as long work does."""

    def __init__(self) -> None:
        self.runs, self.may_end = threading.Event(), threading.Event()

    def __call__(self, job: Job) -> str:
        self.runs.set()
        while not self.may_end.wait(0.005):
            job.progress(1, 2)
        return "ended"


def test_work_is_followed_to_its_result(jobs: Jobs) -> None:
    gate = Gate()
    number = jobs.start(gate)
    assert gate.runs.wait(60)
    gate.may_end.set()
    assert ended(jobs, number)["result"] == "ended"


def test_a_failure_is_a_sentence_and_a_bug_is_named(jobs: Jobs) -> None:
    def fails(job: Job) -> None:
        raise ConfigError("give another")

    def breaks(job: Job) -> None:
        raise ZeroDivisionError("secret")

    assert ended(jobs, jobs.start(fails)) == {"state": "failed", "done": 0, "of": 0, "error": "give another"}
    error = ended(jobs, jobs.start(breaks))["error"]
    assert "ZeroDivisionError" in error
    assert "secret" not in error


def test_running_and_waiting_work_is_cancelled(jobs: Jobs) -> None:
    gate = Gate()
    running, waiting = jobs.start(gate), jobs.start(Gate())
    assert gate.runs.wait(60)
    assert jobs.cancel(waiting).facts()["state"] == "cancelled"  # type: ignore[union-attr]
    jobs.cancel(running)
    assert ended(jobs, running)["state"] == "cancelled"
    assert jobs.cancel("unknown") is None


def test_what_has_ended_stays_as_it_is(jobs: Jobs) -> None:
    number = jobs.start(lambda job: 1)
    ended(jobs, number)
    jobs.cancel(number)
    assert ended(jobs, number) == {"state": "done", "done": 0, "of": 0, "result": 1}


def test_the_same_id_is_the_same_work(jobs: Jobs) -> None:
    count: list[int] = []
    first = jobs.start(lambda job: count.append(1), asked=Asked("a", "x"))
    assert jobs.start(lambda job: count.append(1), asked=Asked("a", "x")) == first
    ended(jobs, first)
    assert jobs.start(lambda job: count.append(1), asked=Asked("a", "x")) == first
    with pytest.raises(ConflictError):
        jobs.start(lambda job: count.append(1), asked=Asked("a", "y"))
    assert count == [1]


def test_only_so_much_waits(jobs: Jobs) -> None:
    gate = Gate()
    jobs.start(gate)
    assert gate.runs.wait(60)
    others = [jobs.start(Gate()) for _ in range(2)]
    with pytest.raises(BusyError):
        jobs.start(Gate())
    jobs.cancel(others[0])
    jobs.start(Gate())


def test_quick_work_goes_before_long_work(jobs: Jobs) -> None:
    """While a long job runs, not after it."""
    gate = Gate()
    long = jobs.start(gate)
    assert gate.runs.wait(60)
    assert ended(jobs, jobs.start(lambda job: "quick", quick=True))["result"] == "quick"
    assert jobs.find(long).state == "running"  # type: ignore[union-attr]


def test_one_piece_of_work_computes_at_a_time() -> None:
    turns, inside, most = Turns(), [0], [0]

    def work(quick: bool) -> None:
        for _ in range(30):
            with turns.quick() if quick else turns.long():
                for _ in range(3):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    time.sleep(0.0002)
                    inside[0] -= 1
                    if not quick:
                        turns.give_way()

    threads = [threading.Thread(target=work, args=(number % 2 == 0,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert most == [1]


def test_ended_jobs_are_forgotten() -> None:
    few = Jobs(kept=2)
    numbers = [few.start(lambda job: 1, asked=Asked(str(number), "")) for number in range(4)]
    for number in numbers[2:]:
        ended(few, number)
    assert [few.find(number) is None for number in numbers] == [True, True, False, False]
    assert few.start(lambda job: 1, asked=Asked("0", "")) != numbers[0]
    assert few.close()
    old = Jobs(kept_seconds=0)
    number = old.start(lambda job: 1)
    assert old.close()
    assert old.find(number) is None


def test_closing_cancels_everything() -> None:
    jobs, gate = Jobs(), Gate()
    numbers = [jobs.start(gate), jobs.start(Gate())]
    assert gate.runs.wait(60)
    assert jobs.close()
    assert [jobs.find(number).state for number in numbers] == ["cancelled", "cancelled"]  # type: ignore[union-attr]
    with pytest.raises(BusyError):
        jobs.start(Gate())
