"""`timbrespace survey serve DIR`: a listening test on a server, which stores every answer as it is given."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from timbrespace.evaluation.survey.sessions import Progress, Sessions

_PORT_HELP = "Port to answer on; 0: any free one."
_HOST_HELP = "Address to answer on. By default only this computer is answered; 0.0.0.0 answers the network, and then asks for a token."
_TOKEN_HELP = "Token that a browser must know, 12 letters or more. By default one is made where --host is not this computer."
_SAME_TROUBLE = 60.0  # seconds until the same trouble is printed again


def survey_serve(
    folder: Annotated[Path, typer.Argument(metavar="TEST", help="Folder that `survey make` wrote.", show_default=False)],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help=_PORT_HELP)] = 8766,
    host: Annotated[str, typer.Option("--host", help=_HOST_HELP)] = "127.0.0.1",
    token: Annotated[str | None, typer.Option("--token", help=_TOKEN_HELP, show_default=False)] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Let listeners answer a listening test in their browsers; every answer is stored at once.

    Answers go to TEST/answers/answers.jsonl. Ctrl-C stops the server; started again, it goes on with the listeners of that file.
    """
    from timbrespace.cli.common.text import command_line, printable
    from timbrespace.cli.play.needs import check_web
    from timbrespace.evaluation.survey.journal import JOURNAL, Journal
    from timbrespace.evaluation.survey.sessions import Sessions
    from timbrespace.evaluation.survey.survey import ANSWERS, read_survey

    check_web()
    from timbrespace.web.server.running import listen, run, token_for
    from timbrespace.web.server.survey import guarded_survey, sound_files

    survey = read_survey(folder)
    files, secret = sound_files(survey, folder), token_for(host, token)
    with Journal(survey, folder / ANSWERS / JOURNAL) as journal:
        sessions = Sessions(survey, journal)
        listening = listen(host, port)
        for place, reason in sessions.remarks:
            print(printable(f"left out: {place}: {reason}"))
        address, terminal = listening.address(secret), Terminal(sessions)

        def ready() -> None:
            print(printable(f"{survey.title}: {len(survey.plans)} plans; answers go to {journal.path}"))
            print(f"{address}  (give it to the listeners; Ctrl-C stops)")
            if listening.is_loopback:
                print("Only this computer is answered; --host 0.0.0.0 answers others on the network, too.")
            terminal.changed()

        app = guarded_survey(sessions, files, listening.names, token=secret, changed=terminal.changed, report=terminal.report)
        run(app, listening, when_ready=ready, browser=address if open_browser else None)
        terminal.end()
    print(f"stopped; to read the answers: {command_line('timbrespace', 'survey', 'analyse', folder)}")


class Terminal:
    """The researcher's view: one line of progress, which is written over on a terminal; elsewhere a line for each finished listener."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions, self._lock = sessions, threading.Lock()
        self._line, self._finished = "", -1
        self._trouble: dict[str, float] = {}

    def changed(self) -> None:
        """Prints how far the listeners are, if that has changed."""
        progress = self._sessions.progress
        text = f"{_words(progress)}, {progress.active} listen now"
        with self._lock:
            if sys.stdout.isatty():
                if text != self._line:
                    print(f"\r{text.ljust(len(self._line))}", end="", flush=True)
                    self._line = text
            elif progress.finished != self._finished:
                print(text, flush=True)
            self._finished = progress.finished

    def report(self, text: str) -> None:
        """Prints why answers are not stored, at most once a minute."""
        from timbrespace.cli.common.text import printable

        with self._lock:
            now = time.monotonic()
            if now - self._trouble.get(text, -_SAME_TROUBLE) >= _SAME_TROUBLE:
                self._trouble[text] = now
                print(printable(f"answers are not stored: {text}"), file=sys.stderr, flush=True)

    def end(self) -> None:
        """Prints how far the listeners have come."""
        with self._lock:
            print(f"\r{_words(self._sessions.progress).ljust(len(self._line))}" if self._line else _words(self._sessions.progress))


def _words(progress: Progress) -> str:
    from timbrespace.wording import counted

    return f"{counted(progress.answers, 'answer')} of {counted(progress.begun, 'listener')}, {progress.finished} finished"
