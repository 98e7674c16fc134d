"""What the server is asked in JSON, each value with its bounds."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

MOST_PROMPTED, MOST_NEIGHBOURS, MOST_GENERATED = 64, 50, 1000
LONGEST_PROMPT = 1_000  # characters
_MOST_DIMS = 4_096

Seed = Annotated[str, Field(pattern=r"^[0-9]{1,19}$", examples=["7"], description="A whole number from 0 to 2^63 - 1, as text")]
Temperature = Annotated[float, Field(ge=0, le=4)]
Latent = Annotated[list[Annotated[float, Field(ge=-1e6, le=1e6)]], Field(min_length=1, max_length=_MOST_DIMS)]
Words = Annotated[str, Field(min_length=1, max_length=LONGEST_PROMPT)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class PromptBody(_Body):
    """Sounds asked for in words. like: latent `(dims,)` of a sound that they are compared with, "this"."""

    text: Words
    count: Annotated[int, Field(ge=1, le=MOST_PROMPTED)] = 1
    seed: Seed = "0"
    temperature: Temperature = 1.0
    like: Latent | None = None


class NeighboursBody(_Body):
    """The training sounds nearest to a latent `(dims,)`."""

    z: Latent
    count: Annotated[int, Field(ge=1, le=MOST_NEIGHBOURS)] = 10


class GenerateBody(_Body):
    """New sounds, written into the folder. id: the client's own, by which a second request for the same work is known. category: number of
    it; -1 for all."""

    id: Annotated[UUID, Field(strict=False)]
    count: Annotated[int, Field(ge=1, le=MOST_GENERATED)]
    category: Annotated[int, Field(ge=-1, le=100_000)] = -1
    temperature: Temperature = 1.0
    seed: Seed = "0"
    prompt: Words | None = None
    kit: bool = False
