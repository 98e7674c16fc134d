"""The listeners of a served survey: each gets a plan, answers in its order, goes on after a break. Every answer is on the disk first."""

from __future__ import annotations

import math
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.evaluation.survey.journal import Journal, Session, read_journal
from timbrespace.evaluation.survey.rows import read_row
from timbrespace.evaluation.survey.survey import Survey

_NAME = re.compile(r"[0-9a-f]{24}")
_MOST_WAITING = 500  # listeners without an answer that are remembered
_AWAY = 1800.0  # seconds without an answer after which a listener's plan is given to another one
_BURST, _PER_SECOND = 100, 1.0  # listeners that may begin at once, and on average
_HEARD, _LATENCY = 0.9, 0.2  # an answer comes no earlier than after this part of a sound, less so many seconds
MOST_LISTENER = 100_000


class RefusedError(TimbrespaceError):
    """What a page sent is refused. wait: seconds after which it may be sent again."""

    wait: float | None = None


class UnknownListenerError(RefusedError):
    """The session has not begun here."""


class NotNowError(RefusedError):
    """It comes too early: another answer is missing before it, the sound has not ended, or too many begin at once."""

    def __init__(self, text: str, wait: float | None = None) -> None:
        super().__init__(text)
        self.wait = wait


@dataclass(frozen=True)
class Status:
    """Where a listener is. items: names in the order of the plan. answered: the first so many of them have their answers."""

    plan: int
    items: list[str]
    answered: int


@dataclass(frozen=True)
class Progress:
    """What the researcher sees. begun: listeners with an answer. finished: of them. active: unfinished ones of the last half hour."""

    begun: int
    finished: int
    active: int
    answers: int


class Sessions:
    """All listeners of a survey; its methods may be called from several threads."""

    def __init__(self, survey: Survey, journal: Journal, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Reads the journal as it is. remarks: (place, reason) of the lines of it that cannot be used. Raises ConfigError."""
        self.survey = survey
        self._journal, self._clock = journal, clock
        self._stored, self.remarks = read_journal(survey, journal.path)
        self._waiting: OrderedDict[str, Session] = OrderedDict()  # begun, without an answer: nothing of them is in the file
        self._seen: dict[str, float] = {}  # session -> time of its last answer; since when it may hear the next sound
        self._given = [0] * len(survey.plans)
        for session in self._stored.values():
            self._given[session.plan] += 1
        self._credit, self._credited = float(_BURST), clock()
        self._lock = threading.Lock()

    def begin(self, name: object, background: object, listener: object = None) -> Status:
        """Begins a session and returns its status; of one that has begun already the status only.

        name: 24 hexadecimal digits that the page drew at random. listener: a number that chooses the plan, as in the page from disk, or
        None: the plan that fewest listeners have finished or are at. Raises RefusedError.
        """
        session = Session(_session_name(name), 0, _background(self.survey, background))
        if listener is not None and not (isinstance(listener, int) and not isinstance(listener, bool) and 1 <= listener <= MOST_LISTENER):
            raise RefusedError(f"the number of a listener is {listener!r:.20}, allowed is 1 to {MOST_LISTENER}")
        with self._lock:
            if (known := self._known(session.name)) is not None:
                return self._status(known)
            self._spend()
            session.plan = self._free_plan() if listener is None else (listener - 1) % len(self.survey.plans)
            self._waiting[session.name] = session
            self._seen[session.name] = self._clock()
            self._given[session.plan] += 1
            while len(self._waiting) > _MOST_WAITING:
                oldest, gone = self._waiting.popitem(last=False)
                self._given[gone.plan] -= 1
                del self._seen[oldest]
            return self._status(session)

    def status(self, name: object) -> Status:
        """Returns where a session is. Raises UnknownListenerError."""
        with self._lock:
            return self._status(self._require(name))

    def answer(self, name: object, index: object, row: Mapping[str, Any]) -> Status:
        """Stores the answers to the sound at `index` of the listener's plan, and returns the status when they are on the disk.

        The first answer counts: another one at the same place changes nothing. row: item, values, seconds. Raises RefusedError for
        impossible values, TimbrespaceError when it cannot be stored.
        """
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            raise RefusedError(f"index is {index!r:.20}, it must be the place of a sound in the plan, from 0")
        try:
            answer = read_row(self.survey, row)
        except ConfigError as error:
            raise RefusedError(str(error)) from None
        with self._lock:
            session = self._require(name)
            order, answered = self.survey.plans[session.plan], session.answered
            if index >= len(order) or order[index] != answer.item:
                raise RefusedError("the answer is not to the sound that has this place in the listener's plan")
            if index < answered:
                return self._status(session)
            if index > answered:
                raise NotNowError(f"the answer to sound {answered + 1} comes before that to sound {index + 1}")
            self._check_heard(session.name, answer.item)
            place = {"session": session.name, "plan": session.plan}
            lines: list[dict[str, Any]] = [{**place, "index": index, **vars(answer)}]
            if session.name in self._waiting:
                lines.insert(0, {**place, "background": session.background})
            self._journal.append(*lines)
            self._waiting.pop(session.name, None)
            self._stored[session.name] = session
            session.add(index, answer)
            self._seen[session.name] = self._clock()
            return self._status(session)

    @property
    def progress(self) -> Progress:
        """How many have begun and finished."""
        with self._lock:
            stored = list(self._stored.values())
            finished = sum(self._is_finished(session) for session in stored)
            active = sum(not self._is_finished(session) and self._is_active(session) for session in (*stored, *self._waiting.values()))
            return Progress(len(stored), finished, active, sum(session.answered for session in stored))

    def _known(self, name: str) -> Session | None:
        return self._stored.get(name) or self._waiting.get(name)

    def _require(self, name: object) -> Session:
        session = self._known(_session_name(name))
        if session is None:
            raise UnknownListenerError("this listener has not begun, or the server was started with other answers; begin again")
        return session

    def _status(self, session: Session) -> Status:
        return Status(session.plan, self.survey.plans[session.plan], session.answered)

    def _is_finished(self, session: Session) -> bool:
        return session.answered >= len(self.survey.plans[session.plan])

    def _is_active(self, session: Session) -> bool:
        return self._clock() - self._seen.get(session.name, -math.inf) < _AWAY

    def _free_plan(self) -> int:
        """The plan that fewest listeners have finished or are at; of several the one that was given to fewest; of these the first."""
        busy = [0] * len(self.survey.plans)
        for session in (*self._stored.values(), *self._waiting.values()):
            busy[session.plan] += self._is_finished(session) or self._is_active(session)
        return min(range(len(busy)), key=lambda plan: (busy[plan], self._given[plan], plan))

    def _check_heard(self, name: str, item: str) -> None:
        """Raises NotNowError for an answer that comes before its sound can have ended: the page waits for the end, a script does not."""
        since = self._seen.get(name)
        if since is None:  # the server was started again meanwhile
            return
        wait = since + _HEARD * self.survey.items[item].seconds - _LATENCY - self._clock()
        if wait > 0:
            raise NotNowError("the answer comes before the sound has ended; listen to it first", wait)

    def _spend(self) -> None:
        """Counts one beginning. Raises NotNowError when there were too many in a short time."""
        now = self._clock()
        self._credit, self._credited = min(_BURST, self._credit + (now - self._credited) * _PER_SECOND), now
        if self._credit < 1:
            raise NotNowError("very many listeners begin at once; try again in a few seconds", (1 - self._credit) / _PER_SECOND)
        self._credit -= 1


def _session_name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise RefusedError("session must be 24 hexadecimal digits")
    return value


def _background(survey: Survey, values: object) -> dict[str, str]:
    """The answers on the listener. Raises RefusedError for one that is not possible."""
    asked = {question.name: question for question in survey.background}
    if not isinstance(values, Mapping):
        raise RefusedError("background must be an object of answers")
    for name, value in values.items():
        if name not in asked or not asked[name].allows(value):
            raise RefusedError(f"the answer {value!r:.40} to {name!r:.40} is not possible")
    return dict(values)
