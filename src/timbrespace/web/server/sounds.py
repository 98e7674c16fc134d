"""Sounds asked for in words, and the training sounds nearest to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException

from timbrespace.web.server.bodies import NeighboursBody, PromptBody
from timbrespace.web.server.jobs import Job
from timbrespace.web.server.office import Office

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument


def sound_routes(office: Office) -> APIRouter:
    """Returns the routes."""
    router = APIRouter(prefix="/api/instrument/{number}")

    @router.post("/prompt")
    async def prompt(number: int, body: PromptBody, request: Request) -> dict[str, Any]:
        instrument = office.playable(number).instrument
        found: dict[str, Any] = await office.quickly(request, lambda job: sounds_of(instrument, body, job))
        return found

    @router.post("/neighbours")
    async def neighbours(number: int, body: NeighboursBody, request: Request) -> dict[str, Any]:
        served = office.playable(number)
        dims = served.instrument.dims
        if len(body.z) != dims:
            raise HTTPException(422, f"z has {len(body.z)} numbers, this instrument {dims}")
        found: list[dict[str, Any]] = await office.quickly(request, lambda job: served.like_latent(body.z, body.count))
        return {"neighbours": found}

    return router


def sounds_of(instrument: Instrument, body: PromptBody, job: Job) -> dict[str, Any]:
    """Returns the sounds that fit a prompt, as latents, and how it was understood. Raises ConfigError, CancelledError."""
    from timbrespace.prompt.make import Words, prompted
    from timbrespace.synthesis.request import DrawOptions
    from timbrespace.web.server.values import seed_in

    reading = instrument.understand(body.text)
    options, seed = DrawOptions(temperature=body.temperature), seed_in(body.seed)
    requests = prompted(instrument.contents, Words(body.text), body.count, options, seed=seed, progress=job.progress)
    known = instrument.categories
    unknown = [one.word for one in reading.unknown]
    return {
        "sounds": [
            {
                "z": [float(value) for value in one.z],
                "category": known.index(one.category) if one.category in known else -1,
                "seed": str(one.seed),
            }
            for one in requests
        ],
        "understood": "\n".join(line for line in reading.lines() if not line.startswith("not understood: ")),
        "unknown": unknown,
    }
