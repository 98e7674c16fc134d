"""What OSC sends back: the values of an instrument after they changed, by whatever moved them."""

from __future__ import annotations

import threading
from typing import Any

from timbrespace.live.actions import Action
from timbrespace.live.conductor import Steered

_MOST = 8_192  # values that are kept


def message_of(action: Action) -> tuple[str, tuple[Any, ...]] | None:
    """Returns the address and values that would set the same; None for notes and other events."""
    name, values = action.name, action.values
    if action.id is not None or (action.channel is not None and name != "program"):
        return None
    if name in ("set_latent", "set_axis"):
        return f"/{name.removeprefix('set_')}/{values[0] + 1}", (float(values[1]),)
    if name == "set_control":
        return f"/control/{values[0].replace(' ', '/')}", (float(values[1]),)
    if name == "set_morph":
        return "/morph", (values[0] + 1, values[1] + 1, float(values[2]))
    if name in ("set_map", "set_gain") or (name == "program" and not action.channel):
        return f"/{name.removeprefix('set_')}", tuple(values)
    if name == "set_latents":
        return "/latent", tuple(map(float, values[0]))
    return (f"/walk/{name.removeprefix('walk_')}", (float(values[0]),)) if name.startswith("walk_") else None


class Feedback:
    """The present value of each address, and which of them changed since they were last sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, tuple[Any, ...]] = {}
        self._changed: dict[str, None] = {}  # in order
        self._numbers: dict[str, int] = {}  # of the last change of each
        self._number = 0

    def done(self, action: Action) -> None:
        """Takes an action that was carried out."""
        message = message_of(action)
        if message is None:
            return
        self._set(*message)

    def look(self, walk: Steered | None) -> None:
        """Takes the tempo of what plays by itself, and whether it plays: both may change without an action."""
        if walk is not None:
            if walk.tempo is not None:
                self._set("/walk/tempo", (float(walk.tempo),))
            self._set("/walk/playing", (int(walk.playing),))

    def _set(self, address: str, values: tuple[Any, ...]) -> None:
        with self._lock:
            if self._values.get(address) == values:  # two programs that send each other what they are sent would never end
                return
            if address in self._values or len(self._values) < _MOST:
                self._values[address] = values
                self._changed[address] = None
                self._number += 1
                self._numbers[address] = self._number

    def since(self, number: int) -> tuple[int, list[tuple[str, tuple[Any, ...]]]]:
        """Returns the number of the last change, and what changed after that of an earlier call; 0: all values that were set."""
        with self._lock:
            found = sorted((one, address) for address, one in self._numbers.items() if one > number or number > self._number)
            return self._number, [(address, self._values[address]) for _, address in found]

    def changed(self) -> list[tuple[str, tuple[Any, ...]]]:
        """Returns what changed since the last call."""
        with self._lock:
            addresses, self._changed = list(self._changed), {}
            return [(address, self._values[address]) for address in addresses]

    def value(self, address: str) -> tuple[Any, ...] | None:
        """Returns the values that were last set at an address, None where nothing was."""
        with self._lock:
            return self._values.get(address)

    def all(self) -> list[tuple[str, tuple[Any, ...]]]:
        """Returns all values that were set."""
        with self._lock:
            return list(self._values.items())
