"""Players of the core of these sources, both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from timbrespace.native.calls import Core
from timbrespace.native.live import Live

NewLive = Callable[..., Live]


@pytest.fixture
def new(cores: dict[str, Core]) -> NewLive:
    """new(**options): a player by the library."""

    def make(**options: Any) -> Live:
        return Live(core=cores["native"], **options)

    return make
