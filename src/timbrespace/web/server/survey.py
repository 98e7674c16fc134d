"""The routes of `survey serve`: the listener's page, its sounds, and the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from timbrespace import __version__
from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.evaluation.survey.sessions import MOST_LISTENER, NotNowError, RefusedError, Sessions, Status, UnknownListenerError
from timbrespace.evaluation.survey.survey import PUBLIC, SOUNDS, Survey
from timbrespace.report.survey_page import render_served_survey
from timbrespace.web.server.errors import answer_plainly, refusal
from timbrespace.web.server.guard import JSON, Guard, Limits

_HOUR = 3600
_LIMITS = Limits(sizes={JSON: 16 * 1024}, answering=60.0, at_once=256)
SessionName = Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Beginning(_Body):
    """A listener begins. session: drawn by the page at random. listener: a number that chooses the plan, or None."""

    session: SessionName
    background: dict[str, str] = Field(default_factory=dict, max_length=50)
    listener: int | None = Field(default=None, ge=1, le=MOST_LISTENER)


class Answering(_Body):
    """The answers to one sound. index: place in the listener's plan, from 0. seconds: from the end of the first playing to the answer."""

    session: SessionName
    index: int = Field(ge=0, le=100_000)
    item: str = Field(max_length=64)
    values: dict[str, int | str] = Field(max_length=50)
    seconds: float | None = Field(default=None, ge=0, le=1e6)


def sound_files(survey: Survey, folder: Path) -> dict[str, Path]:
    """Returns the file of each sound of a survey by its name. Raises ConfigError when one is missing."""
    public = (folder / PUBLIC / SOUNDS).resolve()
    files = {name: public / f"{name}.wav" for name in survey.items}
    for name, path in files.items():
        if not name.isalnum() or not path.is_file() or path.resolve().parent != public:
            raise ConfigError(f"the sound {path} is missing; give the whole folder that `survey make` wrote")
    return files


def guarded_survey(
    sessions: Sessions, files: Mapping[str, Path], hosts: Iterable[str], *, token: str | None, changed: Callable[[], None],
    report: Callable[[str], None],
) -> Guard:  # fmt: skip
    """Returns the application of a survey behind its guard.

    files: item -> sound. hosts: names of the server. changed: called after every answer. report: gets a sentence when answers cannot be
    stored.
    """
    app = FastAPI(title="timbrespace survey", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    answer_plainly(app)
    app.include_router(_routes(sessions, files, render_served_survey(sessions.survey), changed, report))
    return Guard(app, hosts=hosts, token=token, limits=_LIMITS)


def _routes(
    sessions: Sessions, files: Mapping[str, Path], page: str, changed: Callable[[], None], report: Callable[[str], None]
) -> APIRouter:
    router = APIRouter()

    def reply(act: Callable[[], Status]) -> Response:
        try:
            status = act()
        except UnknownListenerError as error:
            return refusal(404, error)
        except NotNowError as error:
            return refusal(409, error) if error.wait is None else _later(429, error, error.wait)
        except RefusedError as error:
            return refusal(422, error)
        except TimbrespaceError as error:
            report(str(error))
            return refusal(503, "the answers cannot be stored at the moment")
        changed()
        return JSONResponse({"plan": status.plan, "items": status.items, "answered": status.answered})

    @router.get("/", response_class=HTMLResponse)
    def show_page() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": "frame-ancestors 'none'"})  # the page itself has the rest of it

    @router.get("/sounds/{name}.wav", response_class=FileResponse)
    def sound(name: str) -> Response:
        if name not in files:
            return refusal(404, "there is no such sound")
        return FileResponse(files[name], media_type="audio/wav", headers={"Cache-Control": f"private, max-age={_HOUR}"})

    @router.post("/api/survey/begin")
    def begin(body: Beginning) -> Response:
        return reply(lambda: sessions.begin(body.session, body.background, body.listener))

    @router.get("/api/survey/sessions/{session}")
    def status(session: SessionName) -> Response:
        return reply(lambda: sessions.status(session))

    @router.post("/api/survey/answer")
    def answer(body: Answering) -> Response:
        return reply(lambda: sessions.answer(body.session, body.index, body.model_dump(include={"item", "values", "seconds"})))

    return router


def _later(status: int, error: object, wait: float) -> Response:
    """A refusal that says after how many seconds the same may be sent again."""
    reply = refusal(status, error, wait=round(wait + 0.05, 2))
    reply.headers["Retry-After"] = str(int(wait) + 1)
    return reply
