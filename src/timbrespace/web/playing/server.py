"""The server of the page of live playing, inside `timbrespace play --page`: the guard of `serve`, one page, one request."""

from __future__ import annotations

import threading
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from timbrespace import __version__
from timbrespace.live.conductor import Conductor
from timbrespace.live.osc.feedback import Feedback
from timbrespace.live.osc.server import parse_address
from timbrespace.web.playing.facts import facts_of
from timbrespace.web.playing.page import render_live_page
from timbrespace.web.playing.players import Players
from timbrespace.web.server.errors import answer_plainly
from timbrespace.web.server.guard import JSON, Guard, Limits
from timbrespace.web.server.running import listen, server_of, token_for

_LIMITS = Limits(sizes={JSON: 64 * 1024}, answering=10.0)
_LOOK = 0.5  # s
Value = Annotated[float, Field(ge=-1e6, le=1e6)]
Message = Annotated[list[Annotated[str, Field(max_length=200)] | Value], Field(min_length=1, max_length=80)]


class PlayBody(BaseModel):
    """page: drawn by the page at random. since: number of the last change that it knows. messages: of OSC, each an address and numbers."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    page: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]
    since: Annotated[int, Field(ge=0)] = 0
    messages: Annotated[list[Message], Field(max_length=500)] = []

    @field_validator("messages")
    @classmethod
    def _addressed(cls, messages: list[list[str | float]]) -> list[list[str | float]]:
        if not all(isinstance(message[0], str) for message in messages):
            raise ValueError("a message begins with an address")
        return messages


class PagePlayer:
    """Serves the page on a thread of its own. Use it as a context manager. address: to open, with the token where one is needed."""

    def __init__(self, conductor: Conductor, address: str):
        """address: a port, or HOST:PORT; port 0: any free one. Raises ConfigError."""
        host, port = parse_address(address)
        token = token_for(host, None)
        listening = listen(host, port, option="--page")
        self.address, self.is_open_to_others = listening.address(token), not listening.is_loopback
        self._conductor, self.feedback, self._players = conductor, Feedback(), Players(conductor)
        conductor.listeners.append(self.feedback.done)
        self._listening, self._closing, self._ready = listening, threading.Event(), threading.Event()
        app = Guard(self._app(), hosts=listening.names, token=token, limits=_LIMITS)
        self._server = server_of(app, when_ready=self._ready.set)
        self._threads = [threading.Thread(target=self._run, name="page", daemon=True), threading.Thread(target=self._look, daemon=True)]
        for thread in self._threads:
            thread.start()
        self._ready.wait(10)

    def close(self) -> None:
        """Ends the notes of all pages, and the server."""
        self._closing.set()
        self._server.should_exit = True
        for thread in self._threads:
            thread.join(timeout=5)
        self._players.close()
        if self.feedback.done in self._conductor.listeners:
            self._conductor.listeners.remove(self.feedback.done)

    def __enter__(self) -> PagePlayer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._listening.socket])
        finally:
            self._listening.socket.close()

    def _look(self) -> None:
        while not self._closing.wait(_LOOK):
            self._players.look()

    def _app(self) -> FastAPI:
        engine = self._conductor.engine
        app = FastAPI(title="timbrespace", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
        answer_plainly(app)

        @app.get("/", response_class=HTMLResponse)
        def page(request: Request) -> Response:
            text, policy = render_live_page(facts_of(engine.sounds.sources, walk=self._conductor.walk))
            return HTMLResponse(text, headers={"Content-Security-Policy": policy})

        @app.post("/api/play")
        def play(body: PlayBody) -> dict[str, Any]:
            errors = self._players.take(body.page, body.messages)
            state = engine.state()
            self.feedback.look(self._conductor.walk)
            number, changed = self.feedback.since(body.since)
            return {
                "number": number, "changed": [[address, *values] for address, values in changed], "errors": errors,
                "level": float(state.level), "voices": state.voices, "late": state.late, "program": state.program,
            }  # fmt: skip

        return app
