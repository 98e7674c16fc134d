"""An engine that only notes what it is asked for, and refuses what the real one refuses."""

from __future__ import annotations

import math
import threading
from typing import Any

from timbrespace.contracts import ConfigError

DIMS, CONTROLS = 8, ("brightness", "decay")


class FakeEngine:
    """calls: name, positional values, and named ones that were given."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.threads: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(*values: Any, **named: Any) -> None:
            self.threads.add(threading.get_ident())
            flat = [number for value in values for number in (value if isinstance(value, tuple) else (value,))]
            if any(isinstance(value, float) and not math.isfinite(value) for value in flat):
                raise ConfigError(f"{name} is not finite")
            if name == "set_control" and values[0] not in CONTROLS:
                raise ConfigError(f"there is no control {values[0]!r}; controls are {', '.join(CONTROLS)}")
            if name == "set_latent" and not 0 <= values[0] < DIMS:
                raise ConfigError(f"latent {values[0] + 1} is not one of {DIMS}")
            self.calls.append((name, *values, named) if named else (name, *values))

        return call
