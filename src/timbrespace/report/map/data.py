"""The data of a map page: columns of positions, names, colours and sounds, small enough for ten thousand points."""

from __future__ import annotations

import base64
import math
from collections import Counter
from typing import Any

from torch import Tensor

from timbrespace.audio.describe import DESCRIPTORS, Descriptor
from timbrespace.report.map.sounds import MapSounds
from timbrespace.report.templates import GREY, printable
from timbrespace.space.atlas.atlas import Atlas
from timbrespace.space.atlas.clusters import MapClusters

_STEPS = 10_000  # positions are whole numbers from 0 to this
_RANGE = (0.02, 0.98)  # quantiles of a descriptor between which its colours spread


def page_data(atlas: Atlas, sounds: MapSounds, clusters: MapClusters) -> dict[str, Any]:
    """Returns what the scripts of the page read: plain JSON values, texts without characters that a page must not hold."""
    points, categories = atlas.points, ordered_categories(atlas)
    low, high = atlas.positions.min(0).values, atlas.positions.max(0).values
    reach = float((high - low).max()) or 1.0
    middle = (low + high) / 2

    def place(xy: Tensor) -> list[list[int]]:
        unit = (xy - middle) / reach  # -0.5 to 0.5, the longer side of the map; y upwards
        return [[round((0.5 + x) * _STEPS), round((0.5 - y) * _STEPS)] for x, y in unit.tolist()]

    spots = place(atlas.positions.new_tensor([[x, y] for x, y, _ in sounds.places]).reshape(-1, 2))
    return {
        "steps": _STEPS,
        "points": place(atlas.positions),
        "names": [printable(name) for name in points.names],
        "kinds": [("training", "new", "given").index(kind) for kind in points.kinds],
        "groups": {
            "category": {
                "of": [categories.index(category or "") for category in points.categories],
                "names": [printable(category) or "no category" for category in categories],
                "colours": [min(rank, GREY) if category else GREY for rank, category in enumerate(categories)],
            },
            "cluster": {
                "of": clusters.numbers,
                "names": [printable(title) for title in clusters.titles],
                "colours": [min(number, GREY) for number in range(len(clusters.titles))],
            },
        },
        "scales": {
            name: column
            for number, (name, descriptor) in enumerate(DESCRIPTORS.items())
            if (column := _scale(descriptor, points.descriptors[:, number])) is not None
        },
        "players": sounds.player,
        "own": [int(own) for own in sounds.own],
        "places": [[*spot, sound] for spot, (_, _, sound) in zip(spots, sounds.places, strict=True)],
    }


def sound_data(sounds: MapSounds) -> list[str]:
    """Returns the sounds as base64 text."""
    return [base64.b64encode(data).decode() for data in sounds.files]


def ordered_categories(atlas: Atlas) -> list[str]:
    """Returns the categories on the map, the most frequent first; "" for none is the last."""
    counts = Counter(category or "" for category in atlas.categories)
    return sorted(counts, key=lambda category: (not category, -counts[category], category))


def _scale(descriptor: Descriptor, values: Tensor) -> dict[str, Any] | None:
    """A descriptor for the page: values with three digits on the scale, null where unknown, and the ends of its colours.

    None where no point has a value.
    """
    known = values[values.isfinite()]
    if not len(known):
        return None
    low, high = (float(known.double().quantile(share)) for share in _RANGE)
    return {
        "values": [None if math.isnan(value) else round(value, 3) for value in values.tolist()],
        "ends": [round(low, 4), round(high if high > low else low + 1e-3, 4)],
        "unit": descriptor.unit,
        "words": [descriptor.less, descriptor.more],
        "logarithmic": descriptor.logarithmic,
        "meaning": descriptor.meaning,
    }
