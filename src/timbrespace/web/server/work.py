"""Long work: encoding a sound that was dropped, writing new sounds; how it is followed and cancelled."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from timbrespace.web.server.batches import write_batch
from timbrespace.web.server.bodies import GenerateBody
from timbrespace.web.server.guard import BYTES
from timbrespace.web.server.jobs import Asked, Job
from timbrespace.web.server.office import Office
from timbrespace.web.server.uploads import encoded, name_in
from timbrespace.web.server.values import Key

Label = Annotated[str | None, Header(max_length=4_000)]
_UPLOAD = {
    "requestBody": {"required": True, "content": {BYTES: {"schema": {"type": "string", "format": "binary"}}}},
}


class Taken(BaseModel):
    """The number of a job that was taken."""

    job: str


class State(BaseModel):
    """A job: waiting, running, done (with its result), failed (with its error) or cancelled. done, of: how far it is."""

    state: str
    done: int
    of: int
    result: dict[str, Any] | None = None
    error: str | None = None


def work_routes(office: Office) -> APIRouter:
    """Returns the routes."""
    router = APIRouter(prefix="/api")

    @router.post("/instrument/{number}/encode", status_code=202, openapi_extra=_UPLOAD)
    async def encode(number: int, request: Request, key: Key = None, x_name: Label = None) -> Taken:
        served, name = office.playable(number, key), name_in(x_name)
        _check_type(request, BYTES)
        data = await request.body()
        if not data:
            raise HTTPException(422, "the body is empty; send the bytes of a sound file")
        return Taken(job=office.jobs.start(lambda job: encoded(served, data, name, job), quick=True))

    @router.post("/instrument/{number}/generate", status_code=202)
    async def generate(number: int, body: GenerateBody, key: Key = None) -> Taken:
        served, folder = office.instrument(number, key), office.folder
        if folder is None:
            raise HTTPException(404, "this server writes no files; start it with --folder OUT")
        if body.category >= len(served.instrument.categories):
            raise HTTPException(422, f"category is {body.category}, this instrument has 0 to {len(served.instrument.categories) - 1}")
        asked = Asked(str(body.id), f"{number} {body.model_dump_json()}")
        return Taken(job=office.jobs.start(lambda job: write_batch(served, body, folder, job), asked=asked))

    @router.get("/jobs/{number}", response_model=State, response_model_exclude_unset=True)
    async def follow(number: str) -> dict[str, Any]:
        return _known(office.jobs.find(number)).facts()

    @router.delete("/jobs/{number}", response_model=State, response_model_exclude_unset=True)
    async def cancel(number: str) -> dict[str, Any]:
        return _known(office.jobs.cancel(number)).facts()

    return router


def _known(job: Job | None) -> Job:
    if job is None:
        raise HTTPException(404, "there is no such job; it was forgotten, or the server was started again")
    return job


def _check_type(request: Request, wanted: str) -> None:
    """Raises HTTPException for another content type than the one that a route takes."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != wanted:
        raise HTTPException(415, f"the content type is {kind[:80]!r}, allowed is {wanted}")
