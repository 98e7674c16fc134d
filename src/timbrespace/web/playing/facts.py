"""What the page of live playing knows of the instruments: pads, controls, ranges, the map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from timbrespace.live.conductor import Steered
from timbrespace.live.mapping.targets import WALK_TARGETS
from timbrespace.live.sound.source import SoundSource

_MOST_POINTS, _MOST_LATENTS, _MOST_AXES = 400, 64, 8


def facts_of(sources: Sequence[SoundSource], *, walk: Steered | None) -> dict[str, Any]:
    """Returns values for JSON. walk: what plays by itself, with the settings that have faders; None: nothing."""
    found = None
    if walk is not None:
        settings = {name: list(WALK_TARGETS[name]) for name in walk.settings}
        found = {"title": "Walk" if settings else "MIDI file", "settings": settings, "clocked": walk.clocked}
    return {"instruments": [_facts(source) for source in sources], "walk": found}


def _facts(source: SoundSource) -> dict[str, Any]:
    places = source.places
    rows = np.unique(np.linspace(0, max(len(places.points) - 1, 0), min(len(places.points), _MOST_POINTS)).round().astype(int))
    names = sorted({str(name) for name in places.categories if name})
    points = [
        [*map(float, places.points[row].round(3)), names.index(places.categories[row]) if places.categories[row] else -1] for row in rows
    ]
    return {
        "title": "".join(sign if sign.isprintable() else "\ufffd" for sign in source.title),
        "kind": "held" if source.held else "notes" if source.notes else "drums",
        "pads": [pad.name for pad in source.pads],
        "controls": {name: [low, high] for name, (low, high) in source.controls.items()},
        "axes": min(source.axes, _MOST_AXES), "latents": min(source.dims, _MOST_LATENTS),
        "mapped": source.mapped, "points": points, "categories": len(names), "lowest": source.lowest, "highest": source.highest,
    }  # fmt: skip
