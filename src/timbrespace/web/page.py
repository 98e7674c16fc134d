"""The page of an instrument: one HTML file that makes and plays its sounds in the browser, without a network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace import __version__
from timbrespace.atomic import write_text
from timbrespace.audio.describe import DESCRIPTORS
from timbrespace.contracts import ConfigError
from timbrespace.instrument import Instrument
from timbrespace.native.calls import CoreError
from timbrespace.native.interface import Opened
from timbrespace.native.library import WASM, load_core
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.file.writing import encoded
from timbrespace.web.join import STATIC, join

_MOST_POINTS = 10_000
_FEWEST_KNOWN = 3  # sounds that have a descriptor, to colour the map by it
_RANGE = (0.02, 0.98)  # quantiles between which its colours spread
# What a page loads: nothing. Its scripts are named by their hashes; the audio thread and the workers are made of texts inside the page.
_POLICY = (
    "default-src 'none'; script-src {hashes} data: 'wasm-unsafe-eval'; worker-src blob:; style-src 'unsafe-inline'; img-src data:; "
    "media-src blob:; base-uri 'none'; form-action 'none'"
)
_SERVED = "; connect-src 'self'"  # where a server gives the page, it asks that server

_ABOUT = "This page works offline, sends nothing and holds no recording: all is made here."
_ABOUT_SERVED = "The sounds are made in this page. Words, and sounds that you drop here, go to the server that gave it, and nowhere else."


def write_page(path: Path | str, instrument: Instrument, *, title: str, bits: int | None = 8, force: bool = False) -> Path:
    """Writes the page of an instrument and returns its path.

    title: on the page. bits: of the weights in it, see `with_bits`. Raises ConfigError for an instrument that the native core does not
    play, OutputExistsError.
    """
    path = Path(path)
    write_text(path, render_page(instrument, title=title, bits=bits), force=force)
    return path


def render_page(instrument: Instrument, *, title: str, bits: int | None = 8, server: dict[str, Any] | None = None) -> str:
    """Returns the page as HTML. It holds the model and the latents of the training sounds with their names, and no recording.

    server: what the page knows of the server that gives it, see `web.server`; None for a page that works alone.
    """
    contents, title = instrument.contents, _plain(title)
    data = _shared(contents, bits=bits)
    _check_plays(data)
    if not WASM.exists():
        raise ConfigError(f"{WASM.name} is missing: install timbrespace again, or build it: python3 scripts/run.py native --wasm")
    script = join("main.js")
    values = {
        "title": html.escape(title),
        "about": f"Made with timbrespace {__version__}. {_ABOUT if server is None else _ABOUT_SERVED}",
        "styles": (STATIC / "page.css").read_text(encoding="utf-8"),
        "policy": policy_of(script, served=server is not None),
        "instrument": _packed(data),
        "core": _packed(WASM.read_bytes()),
        "facts": _script_json(_facts(contents, title=title, data=data) | ({} if server is None else {"server": server})),
        "worker": join("worker.js"),
        "worklet": join("worklet.js"),
        "script": script,
    }
    first, *rest = (STATIC / "page.html").read_text(encoding="utf-8").split("{{")
    pieces = [first]
    for piece in rest:
        name, _, after = piece.partition("}}")
        pieces += [values[name], after]
    return "".join(pieces)


def policy_of(script: str, *, served: bool) -> str:
    """Returns the Content-Security-Policy of a page with one script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _POLICY.format(hashes=f"'sha256-{digest}'") + (_SERVED if served else "")


def _shared(contents: InstrumentContents, *, bits: int | None) -> bytes:
    """The instrument file for the page: without its training sounds, fewer bits."""
    return encoded(replace(contents, clips=None, origin=None, name_words=None), bits=bits)


def _check_plays(data: bytes) -> None:
    """Raises ConfigError unless the native core plays the file."""
    try:
        Opened(load_core(), data)
    except CoreError as error:
        raise ConfigError(
            f"this instrument cannot be played in a page: {error}; a page plays instruments of --preset oneshot, the default"
        ) from None


def _facts(contents: InstrumentContents, *, title: str, data: bytes) -> dict[str, Any]:
    """What the scripts know beside the file: title, and the training sounds' latents, places and names; none of a stripped instrument."""
    facts = {"title": title, "fingerprint": hashlib.sha256(data).hexdigest()[:16]}
    clips = contents.clips
    if clips is None:
        return {**facts, "latents": "", "x": [], "y": [], "categories": [], "names": [], "scales": {}, "clusters": [], "clusterTitles": []}
    rows = shown_rows(len(clips.names))
    known = {name: index for index, name in enumerate(contents.space.categories)}
    places = clips.positions.numpy()[rows]
    low, high = places.min(0), places.max(0)
    unit = (places - (low + high) / 2) / np.maximum(high - low, 1e-9)  # each axis from -1/2 to 1/2
    return {
        **facts,
        "latents": base64.b64encode(clips.latents.numpy()[rows].astype("<f4").tobytes()).decode(),
        "x": [round(0.5 + float(x), 4) for x in unit[:, 0]],
        "y": [round(0.5 - float(y), 4) for y in unit[:, 1]],
        "categories": [known.get(clips.categories[row] or "", -1) for row in rows.tolist()],
        "names": [clips.names[row] for row in rows.tolist()],
        "scales": {} if clips.descriptors is None else _scales(clips.descriptors.numpy()[rows]),
        **_clusters(contents, rows),
    }


def _clusters(contents: InstrumentContents, rows: np.ndarray) -> dict[str, Any]:
    """The cluster of each of these training sounds, as on the map that Python writes, and the titles of the clusters."""
    from timbrespace.space.atlas.clusters import training_clusters
    from timbrespace.space.neighbours.neighbours import Neighbours

    found = training_clusters(Neighbours(contents))
    number_of = {row: number for number, cluster in enumerate(found) for row in cluster.rows}
    return {"clusters": [number_of[row] for row in rows.tolist()], "clusterTitles": [_plain(cluster.title) for cluster in found]}


def shown_rows(count: int) -> np.ndarray:
    """Returns which of `count` training sounds are points of a page's map, by their numbers: all, or as many as it shows, evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).round().astype(int))


def _scales(values: np.ndarray) -> dict[str, list[float | None]]:
    """Descriptors `(n, DESCRIPTORS)` by name from 0 to 1 between the ends of their usual range; null where unknown."""
    found = {}
    for name, column in zip(DESCRIPTORS, values.T, strict=True):
        known = np.isfinite(column)
        if known.sum() < _FEWEST_KNOWN:
            continue
        low, high = np.quantile(column[known], _RANGE)
        share = np.clip((column - low) / max(float(high - low), 1e-9), 0, 1)
        found[name] = [round(float(value), 3) if is_known else None for value, is_known in zip(share, known, strict=True)]
    return found


def _plain(title: str) -> str:
    """A title without what no page can hold: bytes of a file name that are no text, and control characters."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in title)


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _script_json(value: Any) -> str:
    """JSON for a script element: no `<` that could end it."""
    return json.dumps(value, ensure_ascii=True).replace("<", "\\u003c")
