"""Sounds asked for in words, and the training sounds nearest to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException

from timbrespace.web.server.bodies import NeighboursBody, PromptBody
from timbrespace.web.server.jobs import Job
from timbrespace.web.server.office import Office
from timbrespace.web.server.values import Key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from timbrespace.instrument import Instrument
    from timbrespace.synthesis.detail.source import Source


def sound_routes(office: Office) -> APIRouter:
    """Returns the routes."""
    router = APIRouter(prefix="/api/instrument/{number}")

    @router.post("/prompt")
    async def prompt(number: int, body: PromptBody, request: Request, key: Key = None) -> dict[str, Any]:
        instrument = office.playable(number, key).instrument
        if body.like is not None and len(body.like) != instrument.dims:
            raise HTTPException(422, f"like has {len(body.like)} numbers, this instrument {instrument.dims}")
        found: dict[str, Any] = await office.quickly(request, lambda job: sounds_of(instrument, body, job))
        return found

    @router.post("/neighbours")
    async def neighbours(number: int, body: NeighboursBody, request: Request, key: Key = None) -> dict[str, Any]:
        served = office.playable(number, key)
        dims = served.instrument.dims
        if len(body.z) != dims:
            raise HTTPException(422, f"z has {len(body.z)} numbers, this instrument {dims}")
        found: list[dict[str, Any]] = await office.quickly(request, lambda job: served.like_latent(body.z, body.count))
        return {"neighbours": found}

    return router


def given_latent(instrument: Instrument, z: Sequence[float]) -> Source:
    """Returns the sound of a latent `(dims,)` as one that a prompt compares with."""
    import torch

    from timbrespace.synthesis.detail.given import GivenSound
    from timbrespace.synthesis.detail.source import analyse

    latent = torch.tensor(list(z), dtype=torch.float32)
    audio = instrument.decode(latent, texture=True)
    return analyse(instrument.contents, GivenSound(audio, "", file="this sound", latent=latent))


def sounds_of(instrument: Instrument, body: PromptBody, job: Job) -> dict[str, Any]:
    """Returns the sounds that fit a prompt, as latents, and how it was understood. Raises ConfigError, CancelledError."""
    from timbrespace.prompt.make import Words, prompted
    from timbrespace.synthesis.request import DrawOptions
    from timbrespace.web.server.values import seed_in

    like = None if body.like is None else given_latent(instrument, body.like)
    reading = instrument.understand(body.text, like=None if like is None else like.given.file)
    options, seed = DrawOptions(temperature=body.temperature), seed_in(body.seed)
    requests = prompted(instrument.contents, Words(body.text, like), body.count, options, seed=seed, progress=job.progress)
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
