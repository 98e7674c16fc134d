"""A map that can be saved: as a page to listen to, as a picture, as a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from timbrespace.atomic import check_absent, write_text
from timbrespace.audio.describe import DESCRIPTORS
from timbrespace.contracts import ConfigError
from timbrespace.report.map.sounds import MOST_SOUNDS, PLACES, SOUNDS, MapSounds, render_sounds
from timbrespace.space.atlas.atlas import Atlas
from timbrespace.space.atlas.clusters import MapClusters, map_clusters

_NOTEBOOK_SOUNDS, _NOTEBOOK_PLACES = 40, 36  # rendered for a notebook, which keeps them
PAGES, PICTURES, TABLES = (".html", ".htm"), (".png", ".svg"), (".csv", ".json")


class SoundMap(Atlas):
    """An `Atlas` that can be saved."""

    @cached_property
    def clusters(self) -> MapClusters:
        """The cluster of each sound, and their titles, see `map_clusters`."""
        return map_clusters(self)

    def save(
        self,
        path: Path | str,
        *,
        title: str = "Map",
        color: str = "category",
        sounds: int = SOUNDS,
        places: int = PLACES,
        force: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Path:
        """Writes the map and returns its path. The suffix says as what:

        .html: a page to listen to, see `render_sounds` for `sounds` and `places`; .png, .svg: a picture; .csv, .json: name, category, kind,
        cluster, position and descriptors of each sound. color: "category", "cluster" or a descriptor. Raises ConfigError,
        OutputExistsError.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in PAGES + PICTURES + TABLES:
            raise ConfigError(f"the map is to be written to {path.name!r}; its name must end in {', '.join(PAGES + PICTURES + TABLES)}")
        check_absent(path, force=force)
        if suffix in TABLES:
            rows = self.rows()
            write_text(path, json.dumps(rows, indent=1) + "\n" if suffix == ".json" else _csv(rows), force=force)
            return path
        if suffix in PICTURES:
            from timbrespace.report.map.picture import write_picture

            return write_picture(path, self, self.clusters, title=title, colour=color, force=force)
        from timbrespace.report.map.page import write_map_page

        rendered, described = self.rendered(sounds=sounds, places=places, progress=progress)
        return write_map_page(path, described, rendered, self.clusters, title=title, colour=color, force=force)

    def rendered(
        self, *, sounds: int = SOUNDS, places: int = PLACES, progress: Callable[[int, int], None] | None = None
    ) -> tuple[MapSounds, Atlas]:
        """Returns the sounds of the page and the map with their descriptors, see `render_sounds`. Raises ConfigError."""
        for name, value in (("sounds", sounds), ("places", places)):
            if isinstance(value, bool) or not 0 <= value <= MOST_SOUNDS:
                raise ConfigError(f"the number of {name} rendered beforehand is {value!r}, allowed is 0 to {MOST_SOUNDS}")
        return render_sounds(self, sounds=sounds, places=places, progress=progress)

    def _repr_html_(self) -> str:
        from timbrespace.report.map.page import render_map_page
        from timbrespace.report.notebook.cells import page_html

        sounds, described = self.rendered(sounds=_NOTEBOOK_SOUNDS, places=_NOTEBOOK_PLACES)
        return page_html(render_map_page(described, sounds, self.clusters))

    def rows(self) -> list[dict[str, Any]]:
        """Returns a row for each sound: name, category, kind, cluster from 1, x, y, and its descriptors in their units."""
        points = self.points
        rows = []
        for row, (name, category, kind) in enumerate(zip(points.names, points.categories, points.kinds, strict=True)):
            values = {
                one.name: float(f"{one.from_scale(float(place)):.5g}") if place.isfinite() else None
                for one, place in zip(DESCRIPTORS.values(), points.descriptors[row], strict=True)
            }
            x, y = (round(float(value), 6) for value in points.positions[row])
            found = {"name": name, "category": category, "kind": kind, "cluster": self.clusters.numbers[row] + 1, "x": x, "y": y, **values}
            rows.append(found)
        return rows


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return text.getvalue()
