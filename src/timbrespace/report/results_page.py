"""The page of results: one folder with `index.html` that works from disk, offline, and shows new sounds.

The page names files beside it (sounds, pictures); the caller writes those, `write_results_page` writes only `index.html`, with style
and script inside it.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from timbrespace.atomic import write_text
from timbrespace.report.card import CardView
from timbrespace.report.latents.section import LatentView
from timbrespace.report.spectrogram import height_of
from timbrespace.report.templates import COLOURS, GREY, printable, render
from timbrespace.report.verdicts import FRESH, novelty_word
from timbrespace.synthesis.output.nearest import COPY, UNLIKE

_FREQUENCY_MARKS = ((100, "100 Hz"), (1_000, "1 kHz"), (10_000, "10 k"))


@dataclass(frozen=True)
class SoundTile:
    """A sound on the page.

    file, picture: paths relative to the page's folder ("/" between parts, no URL quoting). seconds: length of the sound. span: time
    that the picture's width shows (s), default `seconds`. novelty: distance to the nearest training sound, 1 = as far as a real sound
    outside the training set. is_own: a given sound, unchanged. x, y: its place on the map, in the same units as the corpus points.
    brightness: Hz. recipe: path of its JSON file. pack: path of a script that holds both files, see `report.packs`.

    Of a reconstruction: original, original_picture: paths; original_seconds: length; error: dB; verdict: "close", "fair", "far" or "".
    """

    name: str
    file: str
    seconds: float
    category: str | None = None
    nearest: str | None = None
    novelty: float | None = None
    is_copy: bool = False
    is_own: bool = False
    picture: str | None = None
    span: float | None = None
    x: float | None = None
    y: float | None = None
    brightness: float | None = None
    recipe: str | None = None
    pack: str | None = None
    original: str | None = None
    original_picture: str | None = None
    original_seconds: float = 0.0
    error: float | None = None
    verdict: str = ""

    @property
    def word(self) -> str:
        """What its figure means: of a reconstruction its verdict, else how new it is."""
        return self.verdict if self.original else novelty_word(self.novelty, is_copy=self.is_copy)

    @property
    def picture_seconds(self) -> float:
        """The time that the picture's width shows (s)."""
        return max(self.span or self.seconds, 1e-3)


@dataclass(frozen=True)
class ResultsPage:
    """Everything that the page shows; a section without data is left out.

    about: one sentence under the title. heading, noun: what the sounds are, as in "Variations", "variation". lead: a sentence under the
    heading. identity: of this batch, under which the browser keeps favourites; by default that of its names. reel: one file with all new
    sounds; reel_marks: (start in s, name) of each sound in it. corpus: (x, y, name, category) of the training sounds. latents: of the
    latent space. steps: (name, seconds) of the work that made the page.
    """

    title: str
    about: str = "New sounds from a folder of sounds: each one was made by an instrument that learned from the clips on the map."
    heading: str = "New sounds"
    noun: str = "new sound"
    lead: str = ""
    identity: str = ""
    sounds: list[SoundTile] = field(default_factory=list)
    morphs: list[list[SoundTile]] = field(default_factory=list)
    reel: SoundTile | None = None
    reel_marks: list[tuple[float, str]] = field(default_factory=list)
    corpus: list[tuple[float, float, str, str | None]] = field(default_factory=list)
    card: CardView = field(default_factory=CardView)
    latents: LatentView | None = None
    steps: list[tuple[str, float]] = field(default_factory=list)
    made_with: str = ""


def write_results_page(out: Path | str, page: ResultsPage, *, force: bool = False) -> Path:
    """Writes `index.html` into the folder `out` and returns its path.

    Raises OutputExistsError if it exists and `force` is False, ConfigError for a file outside the folder.
    """
    path = Path(out) / "index.html"
    write_text(path, render_results_page(page), force=force)
    return path


def render_results_page(page: ResultsPage) -> str:
    """Returns the page as HTML text. Raises ConfigError for a file outside the page's folder."""
    colours = category_colours(page)
    spots, dots = _map_positions(page, colours)
    in_corpus = Counter(category or "" for *_, category in page.corpus)
    in_sounds = Counter(sound.category or "" for sound in page.sounds)
    legend = sorted(in_corpus | in_sounds, key=lambda category: (colours[category], category))
    sounds = page.sounds
    has = {
        "novelty": any(sound.novelty is not None for sound in sounds),
        "nearest": any(sound.nearest for sound in sounds),
        "error": any(sound.error is not None for sound in sounds),
        "words": any(sound.verdict for sound in sounds),
        "brightness": any(sound.brightness is not None for sound in sounds),
        "recipe": any(sound.recipe for sound in sounds),
        "original": any(sound.original for sound in sounds),
    }
    return render(
        "results.html",
        page=page,
        colours=colours,
        morphs=[row for row in page.morphs if row],
        sound_counts=dict(sorted(in_sounds.items(), key=lambda item: (not item[0], item[0]))),
        corpus_counts={category: in_corpus[category] for category in legend},
        spots=spots,
        frequency_marks=[(100 * height_of(frequency), text) for frequency, text in _FREQUENCY_MARKS],
        has=has,
        limits={"copy": COPY, "fresh": FRESH, "unlike": UNLIKE},
        styles=["page.css", "gallery.css", *(["diagnostics.css"] if page.latents else [])],
        scripts=["page.js", "download.js", "gallery.js"],
        script_data={
            "dots": dots,
            "marks": [[_rounded(start), printable(name)] for start, name in page.reel_marks],
            "identity": page.identity or _digest(sound.file for sound in sounds),
            "title": printable(page.title),
            "colours": COLOURS + 1,
        },
    )


def category_colours(page: ResultsPage) -> dict[str, int]:
    """Returns a colour number for each category, the most frequent first; those beyond COLOURS are grey. "" is no category, grey too."""
    counts = Counter(category or "" for category in [point[3] for point in page.corpus] + [sound.category for sound in page.sounds])
    ordered = sorted(counts, key=lambda category: (not category, -counts[category], category))
    return {category: min(rank, GREY) if category else GREY for rank, category in enumerate(ordered)}


def _map_positions(page: ResultsPage, colours: dict[str, int]) -> tuple[list[tuple[SoundTile, int, float, float]], list[list[object]]]:
    """Positions on the map, 0 to 1 with y downwards: new sounds as (sound, index, x, y), corpus as [x, y, name, category, colour]."""
    new = [(sound, k, sound.x, sound.y) for k, sound in enumerate(page.sounds) if sound.x is not None and sound.y is not None]
    new = [(sound, k, x, y) for sound, k, x, y in new if math.isfinite(x) and math.isfinite(y)]
    old = [point for point in page.corpus if math.isfinite(point[0]) and math.isfinite(point[1])]
    xs = [x for _, _, x, _ in new] + [point[0] for point in old]
    ys = [y for _, _, _, y in new] + [point[1] for point in old]

    def position(x: float, y: float) -> tuple[float, float]:
        return round(_share(x, xs), 4), round(1.0 - _share(y, ys), 4)

    dots: list[list[object]] = [
        [*position(x, y), printable(name), printable(category or ""), colours[category or ""]] for x, y, name, category in old
    ]
    return [(sound, k, *position(x, y)) for sound, k, x, y in new], dots


def _digest(names: Iterable[str]) -> str:
    """A short name of a list of file names."""
    return hashlib.sha256("\0".join(names).encode("utf-8", errors="surrogatepass")).hexdigest()[:16]


def _share(value: float, values: list[float]) -> float:
    """Where a value is between the smallest and the largest of `values`: 0.04 to 0.96, which leaves a margin."""
    low, high = min(values), max(values)
    return 0.5 if high <= low else 0.04 + 0.92 * (value - low) / (high - low)


def _rounded(value: float) -> float:
    return round(float(value), 3) if math.isfinite(value) else 0.0
