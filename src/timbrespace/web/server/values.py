"""Values of requests that need more than a type."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from timbrespace.contracts import ConfigError

Key = Annotated[str | None, Header(alias="X-Instrument", max_length=64)]  # of the instrument that a page means, see `Served.key`


def seed_in(text: str) -> int:
    """Returns the seed in a text of digits. Raises ConfigError beyond 2^63 - 1."""
    seed = int(text)
    if seed >= 2**63:
        raise ConfigError(f"the seed is {text}, allowed is 0 to {2**63 - 1}")
    return seed
