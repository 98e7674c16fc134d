"""The page as a server gives it, with answers that a test chooses, after the contract of the server's interface."""

from __future__ import annotations

import json
from typing import Any

import browser
from timbrespace.instrument import Instrument
from timbrespace.web.page import render_page

ADDRESS = "http://127.0.0.1:9"
Answer = tuple[int, dict[str, Any]] | None  # None: nobody answers


class Answers:
    """The requests that a page made of its server, and what they get. jobs: the states that a job goes through."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.given: dict[str, Answer] = {}
        self.jobs: dict[str, list[dict[str, Any]]] = {}

    def __call__(self, route: Any) -> None:
        request = route.request
        path = request.url.removeprefix(ADDRESS)
        if path.startswith("/instrument/"):
            route.fulfill(status=200, content_type="text/html; charset=utf-8", body=self.text)
            return
        body = request.post_data_buffer
        is_json = request.headers.get("content-type") == "application/json"
        self.asked.append((request.method, path, request.headers, json.loads(body) if is_json else body))
        verb = path.rsplit("/", 1)[1]
        if verb in self.jobs and request.method == "GET":
            states = self.jobs[verb]
            answer: Answer = (200, states.pop(0) if len(states) > 1 else states[0])
        else:
            answer = self.given.get(verb, (404, {"error": f"no answer for {verb}"}))
        if answer is None:
            route.abort("connectionrefused")
        else:
            route.fulfill(status=answer[0], content_type="application/json", body=json.dumps(answer[1]))

    def of(self, verb: str) -> list[Any]:
        """The bodies of the requests to a verb."""
        return [body for method, path, _, body in self.asked if method == "POST" and path.endswith("/" + verb)]


def served(instrument: Instrument, **changes: Any) -> str:
    """The page as a server gives it."""
    instruments = [{"title": f"No {n} <b>", "href": f"/instrument/{n}"} for n in range(2)]
    facts = {"instruments": instruments, "here": 0, "folder": True, "base": "/api/instrument/0", **changes}
    return render_page(instrument, title="Tiny", server=facts)


def tab_of(answers: Answers, **options: Any) -> Any:
    return browser.opened(f"{ADDRESS}/instrument/0", before=lambda tab: tab.route("**/*", answers), refusals=True, **options)
