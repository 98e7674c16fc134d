"""What the routes of the server share: the instruments, the work, the folder."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from timbrespace.web.server.jobs import CANCELLED, FAILED, Job, Jobs
from timbrespace.web.server.served import Served

LONGEST_ANSWER = 80.0  # seconds of quick work


class Office:
    """The instruments that are served, the work they are asked for, and the folder for new sounds."""

    def __init__(self, served: Sequence[Served], *, folder: Path | None = None, jobs: Jobs | None = None):
        """folder: None where no files are written."""
        self.served, self.folder, self.jobs = list(served), folder, jobs or Jobs()

    def facts(self, here: int) -> dict[str, Any]:
        """Returns what the page of instrument `here` knows of the server."""
        instruments = [{"title": one.title, "href": one.href} for one in self.served]
        return {
            "instruments": instruments,
            "here": here,
            "folder": self.folder is not None,
            "base": self.served[here].base,
            "key": self.served[here].key,
        }

    def instrument(self, number: int, key: str | None = None) -> Served:
        """Returns an instrument by its number. key: of the one that a page means; None: any. Raises HTTPException."""
        if not 0 <= number < len(self.served):
            raise HTTPException(404, f"there is no instrument {number}; they are 0 to {len(self.served) - 1}")
        if key is not None and key != self.served[number].key:
            raise HTTPException(409, "this page is of another instrument than the server has here now; load the page again")
        return self.served[number]

    def playable(self, number: int, key: str | None = None) -> Served:
        """Returns an instrument that a page plays. key: see `instrument`. Raises HTTPException."""
        one = self.instrument(number, key)
        if one.refusal:
            raise HTTPException(
                409, f"{one.title} cannot be played in a page: {one.refusal}; new sounds of it can be written to the folder"
            )
        return one

    async def quickly(self, request: Request, work: Callable[[Job], Any], *, seconds: float = LONGEST_ANSWER) -> Any:
        """Returns what quick work returns. The work ends with the request: when the client goes away, or after `seconds`.

        Raises HTTPException.
        """
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the server has stopped
                loop.call_soon_threadsafe(ended.set)

        number = self.jobs.start(work, quick=True, when_ended=tell)
        job = self.jobs.find(number)
        assert job is not None
        gone, over = asyncio.ensure_future(_gone(request)), asyncio.ensure_future(ended.wait())
        try:
            await asyncio.wait((gone, over), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            over.cancel()
            self.jobs.cancel(number)  # nothing where it has ended
        if job.state == FAILED:
            raise HTTPException(500 if job.is_bug else 422, job.error)
        if job.state == CANCELLED or not ended.is_set():
            raise HTTPException(408, f"this took longer than {seconds:g} s and was ended; ask for fewer sounds")
        return job.result


async def _gone(request: Request) -> None:
    """Returns when the client has gone away; its body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
