"""Part `map`: time of a map of many sounds, its page in a browser, and how well each method keeps neighbours together."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lib.page import table
from timbrespace.audio.describe import NAMES
from timbrespace.instrument import Instrument
from timbrespace.report.map.sound_map import SoundMap
from timbrespace.space.atlas.layout import METHODS, fit_layout

SIZES = (1_000, 5_000, 10_000)
_SPREAD = 0.3  # of the noise by which the sounds of a large map differ from those of the instrument, in latent units
_HELD, _NEAREST = 0.1, 10  # share of the sounds that are placed instead of laid out; neighbours that are compared

NOTE = """Large maps hold the training sounds of a real instrument several times, each latent with noise of 0.3. *t-SNE*: the layout anew
(above 5,000 sounds: of 5,000 of them, the others placed between). *Page*: rendering and compressing 300 training sounds and 196
places, and writing. Seconds are CPU time (user and system) of one process; rendering and clustering use all cores. *Open*: from
the address to the first painted map, in headless Chromium without a GPU, 1440 × 900; *pan*, *zoom*: frames a second over 90 and
60 steps, one a frame.

*Trustworthiness* (Venna and Kaski 2001) counts neighbours on the map that are none in the latent space; *same category*: of the
ten nearest sounds on the map; *placed*: the same for a tenth of the sounds that the layout did not see and that were placed on
it."""


class _Setting(Protocol):
    def instrument(self, what: str) -> Instrument: ...


def section(setting: _Setting) -> str:
    """Returns the two tables as Markdown. setting: gives the instrument of drums."""
    opened = setting.instrument("drums")
    sizes = [_sizes_row(opened, count) for count in SIZES]
    head = ["sounds", "t-SNE (s)", "clusters (s)", "page (s)", "page (MB)", "open (s)", "pan (frames/s)", "zoom (frames/s)"]
    methods = [_method_row(opened, method) for method in METHODS]
    return "\n\n".join([
        NOTE, table(head, sizes), table(["method", "trustworthiness", "same category", "placed", "CPU (s)"], methods),
    ])  # fmt: skip


def _sizes_row(opened: Instrument, count: int) -> list[str]:
    many = enlarged(opened, count)
    layout, layout_seconds = _timed(lambda: fit_layout(_latents(many), "tsne"))
    clips = many.contents.clips
    assert clips is not None
    drawn = Instrument(replace(many.contents, clips=replace(clips, positions=layout.positions))).map()
    values = torch.randn(count, len(NAMES), generator=torch.Generator().manual_seed(1))
    drawn = SoundMap(**vars(drawn.with_descriptors(values + 8)))
    _, cluster_seconds = _timed(lambda: drawn.clusters)
    with tempfile.TemporaryDirectory() as folder:
        page, page_seconds = _timed(lambda: drawn.save(Path(folder) / "map.html"))
        size = page.stat().st_size / 1e6
        opening, pan, zoom = browse(page)
    seconds = [f"{value:.1f}" for value in (layout_seconds, cluster_seconds, page_seconds)]
    return [f"{count:,}", *seconds, f"{size:.1f}", f"{opening:.2f}", f"{pan:.0f}", f"{zoom:.0f}"]


def _method_row(opened: Instrument, method: str) -> list[str]:
    from sklearn.manifold import trustworthiness

    clips = opened.contents.clips
    assert clips is not None
    latents, kinds = clips.latents, np.array([category or "" for category in clips.categories])
    held = torch.rand(len(latents), generator=torch.Generator().manual_seed(0)) < _HELD
    layout, seconds = _timed(lambda: fit_layout(latents, method))
    trust = trustworthiness(latents.numpy(), layout.positions.numpy(), n_neighbors=_NEAREST)
    part = fit_layout(latents[~held], method)
    own = _purity(layout.positions, kinds, layout.positions, kinds, skip=1)
    placed = _purity(part.place(latents[held]), kinds[held.numpy()], part.positions, kinds[~held.numpy()], skip=0)
    return [method, f"{trust:.3f}", f"{100 * own:.0f} %", f"{100 * placed:.0f} %", f"{seconds:.1f}"]


def _purity(points: Tensor, kinds: np.ndarray, among: Tensor, known: np.ndarray, *, skip: int) -> float:
    """Share of the ten nearest of `among` that have the category of a point; points without a category are left out."""
    nearest = torch.cdist(points, among).argsort(1)[:, skip : skip + _NEAREST].numpy()
    rows = kinds != ""
    return float((known[nearest[rows]] == kinds[rows, None]).mean())


def enlarged(opened: Instrument, count: int) -> Instrument:
    """Returns the instrument with `count` training sounds: its own several times, with noise on latents and embeddings."""
    clips = opened.contents.clips
    assert clips is not None
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(len(clips.names), (count,), generator=generator)
    chosen = rows.tolist()
    embeddings = clips.embeddings[rows]
    changes: dict[str, Any] = {"descriptors": None} if hasattr(clips, "descriptors") else {}
    many = replace(
        clips,
        names=tuple(f"{clips.names[row]} {number}" for number, row in enumerate(chosen)),
        categories=tuple(clips.categories[row] for row in chosen),
        latents=clips.latents[rows] + _SPREAD * torch.randn(count, opened.dims, generator=generator),
        embeddings=embeddings + 0.02 * torch.randn(embeddings.shape, generator=generator).to(embeddings),
        positions=clips.positions[rows],
        counted=None,
        **changes,
    )
    return Instrument(replace(opened.contents, clips=many))


def browse(page: Path) -> tuple[float, float, float]:
    """Returns the seconds until a page shows its map, and the frames a second while panning and zooming, in headless Chromium."""
    import shutil

    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--mute-audio"])
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        start = time.perf_counter()
        tab.goto(page.as_uri())
        while not tab.evaluate("window.timbrespace && timbrespace.painted > 0"):
            time.sleep(0.01)
        opened = time.perf_counter() - start
        pan, zoom = tab.evaluate(_FRAMES)
        browser.close()
    return opened, float(pan), float(zoom)


_FRAMES = """(async () => {
  const view = timbrespace.view;
  const rate = async (steps, act) => {
    const start = performance.now();
    for (let k = 0; k < steps; k++) { act(k); await new Promise((done) => requestAnimationFrame(done)); }
    return 1000 * steps / (performance.now() - start);
  };
  const pan = await rate(90, (k) => view.pan(k % 30 < 15 ? 8 : -8, 3 * Math.sin(k)));
  return [pan, await rate(60, (k) => view.zoom(k < 30 ? 1.05 : 1 / 1.05))];
})()"""


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result of some work and its CPU time, user and system, in seconds."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    result = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return result, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _latents(opened: Instrument) -> Tensor:
    clips = opened.contents.clips
    assert clips is not None
    return clips.latents
