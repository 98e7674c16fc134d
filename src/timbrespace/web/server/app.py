"""The application of `timbrespace serve`: pages, and the interface that they use. It expects the guard in front of it."""

from __future__ import annotations

import html

from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from timbrespace import __version__
from timbrespace.web.server.errors import answer_plainly, refusal
from timbrespace.web.server.jobs import BusyError, ConflictError
from timbrespace.web.server.office import Office
from timbrespace.web.server.served import Page
from timbrespace.web.server.sounds import sound_routes
from timbrespace.web.server.work import work_routes
from timbrespace.web.uncovered import uncovered_page

_LIST_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class Refusal(BaseModel):
    """Why a request was not answered, in words."""

    error: str


def make_app(office: Office) -> FastAPI:
    """Returns the application. Addresses and bodies are in docs/serve.md."""
    app = FastAPI(
        title="timbrespace", version=__version__, docs_url=None, redoc_url=None, openapi_url=None, responses={"4XX": {"model": Refusal}},
    )  # fmt: skip
    answer_plainly(app)
    app.add_exception_handler(BusyError, _busy)
    app.add_exception_handler(ConflictError, _conflict)
    app.add_exception_handler(Exception, _bug)

    @app.get("/", response_class=HTMLResponse)
    async def first_page(request: Request) -> Response:
        if len(office.served) == 1:
            return await _instrument_page(office, 0, request)
        return HTMLResponse(_list_of(office), headers={"Content-Security-Policy": _LIST_POLICY})

    @app.get("/instrument/{number}", response_class=HTMLResponse)
    async def page(number: int, request: Request) -> Response:
        return await _instrument_page(office, number, request)

    app.include_router(sound_routes(office))
    app.include_router(work_routes(office))
    return app


async def _instrument_page(office: Office, number: int, request: Request) -> Response:
    page = await run_in_threadpool(_made, office, number)
    headers = {"ETag": page.tag, "Cache-Control": "private, no-cache", "Content-Security-Policy": page.policy, "Vary": "Accept-Encoding"}
    if page.tag in (one.strip() for one in request.headers.get("if-none-match", "").split(",")):
        return Response(None, 304, headers)
    packed = _accepts_gzip(request.headers.get("accept-encoding", ""))
    headers |= {"Content-Encoding": "gzip"} if packed else {}
    return HTMLResponse(page.packed if packed else page.plain, headers=headers)


def _made(office: Office, number: int) -> Page:
    served, facts = office.instrument(number), office.facts(number)
    if served.refusal:
        return Page.of(
            *uncovered_page(served.title, served.refusal, base=served.base, instruments=facts["instruments"], folder=facts["folder"])
        )
    return served.page(facts)


def _accepts_gzip(accepted: str) -> bool:
    """Whether a header Accept-Encoding names gzip, and not with a weight of zero."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _list_of(office: Office) -> str:
    """The page that lists the instruments."""
    links = "".join(f'<li><a href="{one.href}">{html.escape(one.title)}</a></li>' for one in office.served)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>timbrespace</title><style>:root{color-scheme:light dark}body{font:1.1rem/1.6 system-ui,sans-serif;max-width:40rem;"
        f"margin:3rem auto;padding:0 1rem}}</style><h1>Instruments</h1><ul>{links}</ul></html>"
    )


async def _busy(request: Request, error: Exception) -> Response:
    answer = refusal(429, error)
    answer.headers["Retry-After"] = "5"
    return answer


async def _conflict(request: Request, error: Exception) -> Response:
    return refusal(409, error)


async def _bug(request: Request, error: Exception) -> Response:
    return refusal(500, f"this is a bug in timbrespace ({type(error).__name__}); the terminal of the server says more")
