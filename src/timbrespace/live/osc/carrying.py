"""Messages in the form of OSC, from wherever they come, as actions of a conductor."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

from timbrespace.live.actions import Action
from timbrespace.live.conductor import Conductor
from timbrespace.live.osc.addresses import Addresses
from timbrespace.live.osc.packets import OscError
from timbrespace.live.osc.patterns import SIGNS, addresses_of, matching


class Carrier:
    """Gives a conductor what messages ask for: by its mapping where that names an address, else as the address has it."""

    def __init__(self, conductor: Conductor):
        self._conductor, self._addresses = conductor, Addresses(conductor.midi_actions)

    def put(self, address: str, values: Sequence[Any], refused: Callable[[str], None]) -> list[Action]:
        """Queues what a message does, and returns it. refused: gets the reason where the engine refuses it. Raises OscError.

        An address may be a pattern: then the message is for each latent, axis, control, pad or setting of a walk that it names.
        """
        if SIGNS.isdisjoint(address):
            return self._put(address, values, refused)
        found = matching(address, addresses_of(self._conductor.sources))
        if not found:
            raise OscError(f"{address[:60]} names no latent, axis, control, pad or setting of a walk of the instruments that play")
        return [action for one in found for action in self._put(one, values, refused)]

    def _put(self, address: str, values: Sequence[Any], refused: Callable[[str], None]) -> list[Action]:
        mapped = None
        if len(values) == 1 and isinstance(values[0], int | float) and math.isfinite(values[0]):
            mapped = self._conductor.mapping.osc(address, float(values[0]))
        actions = self._addresses.actions(address, values) if mapped is None else mapped
        self._conductor.put(dataclasses.replace(action, refused=refused) for action in actions)
        return actions
