"""The page of results: one folder with `index.html` that works from disk, offline, and shows what was made.

The page names files that lie beside it (sounds, pictures); the caller writes those, `write_page` writes only `index.html`, with
style and script inside it. Names come from other people's folders: every one is escaped, paths are quoted, and the data for the
script cannot close its own tag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from string import Template

from timbrespace.atomic import write_text
from timbrespace.report import parts
from timbrespace.report.escaping import clean, plain, script_json
from timbrespace.report.spectrogram import draw_spectrogram as draw_spectrogram

COLOURS = 10  # categories with a colour of their own; the rarer ones share the last, grey


@dataclass(frozen=True)
class PageSound:
    """A sound on the page.

    file, picture: paths relative to the page's folder ("/" between parts, no URL quoting). seconds: its length. span: what the
    picture's width stands for (s), default its length. novelty: distance to the nearest training sound, 1 = as far as a real
    sound that was never trained on. x, y: its place on the map, in the same units as the corpus points.
    """

    name: str
    file: str
    seconds: float
    category: str | None = None
    nearest: str | None = None
    novelty: float | None = None
    is_copy: bool = False
    picture: str | None = None
    span: float | None = None
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True)
class PageData:
    """Everything the page shows; what is empty leaves its section out.

    reel: one file with all new sounds; reel_marks: (start in s, name) of each sound in it. corpus: (x, y, name, category) of the
    training sounds. card: (label, value, hint). steps: (name, seconds). about: one sentence on what it is.
    """

    title: str
    about: str = "New sounds from a folder of sounds: each one was made by an instrument that learned from the clips on the map."
    sounds: list[PageSound] = field(default_factory=list)
    morphs: list[list[PageSound]] = field(default_factory=list)
    reel: PageSound | None = None
    reel_marks: list[tuple[float, str]] = field(default_factory=list)
    corpus: list[tuple[float, float, str, str | None]] = field(default_factory=list)
    card: list[tuple[str, str, str]] = field(default_factory=list)
    steps: list[tuple[str, float]] = field(default_factory=list)
    made_with: str = ""


def write_page(out: Path | str, data: PageData, *, force: bool = False) -> Path:
    """Writes `index.html` into the folder `out` and returns its path.

    Raises OutputExistsError when it is there and `force` is False, ConfigError for a file that is not inside the folder.
    """
    path = Path(out) / "index.html"
    write_text(path, render_page(data), force=force)
    return path


def render_page(data: PageData) -> str:
    """The page as HTML text."""
    static = resources.files("timbrespace.report") / "static"
    colours = category_colours(data)
    spots, dots = _places(data, colours)
    return Template((static / "page.html").read_text(encoding="utf-8")).substitute(
        title=clean(data.title),
        about=clean(data.about),
        facts=parts.facts(data),
        reel=parts.reel(data),
        gallery=parts.gallery(data, colours),
        morphs=parts.morphs(data),
        map=parts.map_section(data, colours, spots),
        card=parts.card(data),
        steps=parts.steps(data),
        made_with=clean(data.made_with),
        style=(static / "page.css").read_text(encoding="utf-8"),
        script=(static / "page.js").read_text(encoding="utf-8"),
        data=script_json({"dots": dots, "marks": [[_number(start), plain(name)] for start, name in data.reel_marks]}),
    )


def category_colours(data: PageData) -> dict[str, int]:
    """A colour number for each category, the most frequent first; the rarer ones beyond COLOURS share the last."""
    counts: dict[str, int] = {}
    for category in [point[3] for point in data.corpus] + [sound.category for sound in data.sounds]:
        counts[category or ""] = counts.get(category or "", 0) + 1
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    own = len(ordered) if len(ordered) <= COLOURS else COLOURS - 1
    return {name: min(rank, own) for rank, name in enumerate(ordered)}


def _places(data: PageData, colours: dict[str, int]) -> tuple[dict[int, tuple[float, float]], list[list[object]]]:
    """Map places in 0…1 (y down): of the new sounds by index, and of the corpus as [x, y, name, category, colour]."""
    new = {i: (s.x, s.y) for i, s in enumerate(data.sounds) if s.x is not None and s.y is not None and _finite(s.x, s.y)}
    old = [point for point in data.corpus if _finite(point[0], point[1])]
    xs = [x for x, _ in new.values()] + [point[0] for point in old]
    ys = [y for _, y in new.values()] + [point[1] for point in old]

    def place(x: float, y: float) -> tuple[float, float]:
        return round(_share(x, xs), 4), round(1.0 - _share(y, ys), 4)

    dots: list[list[object]] = [[*place(x, y), plain(name), plain(kind or ""), colours[kind or ""]] for x, y, name, kind in old]
    return {index: place(x, y) for index, (x, y) in new.items()}, dots


def _share(value: float, values: list[float]) -> float:
    low, high = min(values), max(values)
    return 0.5 if high <= low else 0.04 + 0.92 * (value - low) / (high - low)


def _finite(*values: float) -> bool:
    return all(math.isfinite(value) for value in values)


def _number(value: float) -> float:
    return round(float(value), 3) if math.isfinite(value) else 0.0
