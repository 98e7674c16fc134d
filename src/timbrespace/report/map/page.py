"""The page of a map: one HTML file with everything inside, which loads nothing and runs no scripts but its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from timbrespace import __version__
from timbrespace.atomic import write_text
from timbrespace.audio.describe import DESCRIPTORS
from timbrespace.contracts import ConfigError
from timbrespace.report.map.data import page_data, sound_data
from timbrespace.report.map.sounds import MapSounds
from timbrespace.report.templates import COLOURS, render_closed
from timbrespace.space.atlas.atlas import Atlas
from timbrespace.space.atlas.clusters import MapClusters

METHOD_NAMES = {"tsne": "t-SNE", "pca": "PCA", "umap": "UMAP"}
GROUPS = ("category", "cluster")
_METHODS = {
    "tsne": "t-SNE: sounds side by side are alike; distances across the map, and empty space, mean little",
    "pca": "the plane of the two principal axes: directions and distances are true, but two dimensions of many",
    "umap": "UMAP: sounds side by side are alike, groups that touch are related; distances across the map mean little",
}


def colourings(atlas: Atlas) -> list[str]:
    """Returns what the map can be coloured by: category, cluster, and the descriptors that some sound on it has."""
    known = atlas.points.descriptors.isfinite().any(0).tolist()
    return [*GROUPS, *(name for name, has in zip(DESCRIPTORS, known, strict=True) if has)]


def check_colouring(atlas: Atlas, name: str) -> str:
    """Returns `name` if the map can be coloured by it. Raises ConfigError."""
    if name in colourings(atlas):
        return name
    if name in DESCRIPTORS:
        raise ConfigError(f"no sound on this map has the descriptor {name!r}; allowed is {', '.join(colourings(atlas))}")
    raise ConfigError(f"the colour of the map is {name!r}, allowed is {', '.join([*GROUPS, *DESCRIPTORS])}")


def write_map_page(
    path: Path | str, atlas: Atlas, sounds: MapSounds, clusters: MapClusters, *, title: str = "Map", colour: str = "category",
    force: bool = False,
) -> Path:  # fmt: skip
    """Writes the page and returns its path. Raises ConfigError, OutputExistsError."""
    path = Path(path)
    write_text(path, render_map_page(atlas, sounds, clusters, title=title, colour=colour), force=force)
    return path


def render_map_page(atlas: Atlas, sounds: MapSounds, clusters: MapClusters, *, title: str = "Map", colour: str = "category") -> str:
    """Returns the page as HTML text. colour: what the dots are coloured by at first. Raises ConfigError."""
    check_colouring(atlas, colour)
    kinds = Counter(atlas.points.kinds)
    stripped = atlas.contents.clips is None
    about = "Sounds that are close together are alike. Point to hear one, click between them to hear what belongs there."
    if stripped:
        about += " The instrument was stripped of its training sounds for sharing: the map shows new sounds only."
    named = [(kinds["training"], "training sound"), (kinds["new"], "new sound"), (kinds["given"], "sound of yours")]
    return render_closed(
        "map.html",
        page={"title": title, "about": about, "card": None, "steps": [], "made_with": f"timbrespace {__version__}"},
        counts=[(number, _plural(noun, number)) for number, noun in named],
        method=METHOD_NAMES[atlas.method],
        total=len(atlas),
        colourings=[(name, name.replace("_", " ")) for name in colourings(atlas)],
        colouring=colour,
        notes=_notes(atlas, sounds),
        sounds=sound_data(sounds),
        styles=["page.css", "map.css"],
        scripts=["page.js", "map_sound.js", "map_view.js", "map.js"],
        script_data={**page_data(atlas, sounds, clusters), "dots": [], "marks": [], "colours": COLOURS + 1},
    )


def _notes(atlas: Atlas, sounds: MapSounds) -> list[tuple[str, str]]:
    """What the page says about itself: how it was made, and what its sounds are."""
    points = atlas.points
    own = sum(own and kind == "training" for own, kind in zip(sounds.own, points.kinds, strict=True))
    training = points.kinds.count("training")
    notes = [("The map", _METHODS[atlas.method] + ".")]
    if training:
        text = "The page contains no recording. What sounds at a training sound is its latent, decoded by the instrument."
        if own < training:
            text += f" This was done for {own:,} of the {training:,}; each of the others plays the nearest of these, and its name is shown."
        notes.append(("Training sounds", text))
    if "given" in points.kinds:
        notes.append(("Your sounds", "Squares. They were encoded and placed on the map as it was; what sounds is their latent, decoded."))
    if "new" in points.kinds:
        notes.append(("New sounds", "Ringed dots: drawn from the distribution of the training sounds."))
    if sounds.places:
        text = f"Small grey dots: {len(sounds.places):,} places for which a new sound was made. Its latent is the mean of those of the "
        notes.append(("Empty spots", text + "five nearest sounds, near ones counting more. A click plays the nearest such place."))
    notes.append(
        ("Clusters", "Groups of sounds that are alike, found by k-means without regard to categories, at most 12; as `find --clusters`.")
    )
    return notes


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else noun.replace("sound", "sounds", 1)
