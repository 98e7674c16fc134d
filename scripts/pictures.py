"""Makes the pictures of README.md again, in docs/pictures.

    timbrespace train DRUMS --out drums.safetensors --minutes 2 --seed 0
    python scripts/pictures.py DRUMS drums.safetensors

DRUMS is the folder `drums` that benchmarks/real_audio.py makes. Needs Playwright (an extra of `[dev]`) and a Chromium that it finds. Sounds
are drawn at random by a fixed seed, none is picked by hand. No audio is written.
"""

from __future__ import annotations

import argparse
import io
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
KINDS = ("kick", "snare", "hat", "cymbal", "tom")
EACH = 4  # real sounds, and new ones, of each kind
SECONDS, LOWEST_DB = 0.8, -70
COLOURS = 256  # of a stored PNG; with fewer, the small dots of categories become grey


def main(arguments: list[str] | None = None) -> None:
    """Draws new sounds beside real ones, takes pictures of the page of an instrument and of its map."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", type=Path, metavar="DRUMS", help="the folder that the instrument was trained on")
    parser.add_argument("instrument", type=Path, help="the trained instrument")
    given = parser.parse_args(arguments)
    PICTURES.mkdir(parents=True, exist_ok=True)
    store(real_and_new(given.sounds, given.instrument), "real-and-new.png")
    store(playable_page(given.instrument), "page.png")
    store(map_page(given.instrument), "map.png", colours=None)


def real_and_new(sounds: Path, file: Path) -> bytes:
    """A PNG: a row for each kind, real sounds on the left, new ones on the right."""
    import timbrespace
    from timbrespace.audio.files import find_audio, read

    instrument = timbrespace.load(file)
    clips = instrument.contents.clips
    assert clips is not None, "the instrument is stripped: it does not know its training sounds"
    files = {path.relative_to(sounds).with_suffix("").as_posix(): path for path in find_audio(sounds)}
    rows = []
    for kind in KINDS:
        names = [name for name, category in zip(clips.names, clips.categories, strict=True) if category == kind and name in files]
        chosen = random.Random(0).sample(names, EACH)
        real = [read(files[name], sample_rate=instrument.sample_rate, channels=1)[0][0] for name in chosen]
        new = [sound.audio[0] for sound in instrument.generate(EACH, category=kind, seed=0)]
        rows.append((kind, real, new))
    return draw(rows, instrument.sample_rate)


def draw(rows: Sequence[tuple[str, list[Any], list[Any]]], sample_rate: int) -> bytes:
    """The spectrograms of sounds `(time,)` as one PNG."""
    from matplotlib.figure import Figure

    spectrogram = spectrogram_of(sample_rate)
    figure = Figure(figsize=(9.6, 5.2), dpi=100, facecolor="white")
    grid = figure.subplots(
        len(rows), 2 * EACH + 1, gridspec_kw={"width_ratios": [1] * EACH + [0.18] + [1] * EACH, "wspace": 0.06, "hspace": 0.08}
    )
    for line, (kind, real, new) in zip(grid, rows, strict=True):
        line[EACH].axis("off")
        for axes, sound in zip([*line[:EACH], *line[EACH + 1 :]], [*real, *new], strict=True):
            axes.imshow(spectrogram(sound), origin="lower", aspect="auto", cmap="inferno", vmin=LOWEST_DB, vmax=0, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        line[0].set_ylabel(kind, fontsize=12)
    figure.subplots_adjust(left=0.035, right=0.995, bottom=0.01, top=0.92)
    figure.text(0.265, 0.945, "real sounds", ha="center", fontsize=13)
    figure.text(0.765, 0.945, "new sounds", ha="center", fontsize=13)
    written = io.BytesIO()
    figure.savefig(written, format="png")
    return written.getvalue()


def spectrogram_of(sample_rate: int) -> Callable[[Any], Any]:
    """A function from a sound `(time,)` to its levels `(bands, frames)` in dB under the loudest cell, over the first SECONDS."""
    import torch

    from timbrespace.representation.views.mel import Mel

    view = Mel(hop=128, bands=96, floor=float(-LOWEST_DB), sample_rate=sample_rate)

    def spectrogram(sound: Any) -> Any:
        length = round(SECONDS * sample_rate)
        cut = torch.nn.functional.pad(sound[:length], (0, max(0, length - len(sound))))
        levels = view.encode(cut[None, None])[0, 0]
        return (levels - levels.max()).numpy()

    return spectrogram


def playable_page(file: Path) -> bytes:
    """A PNG of the page that plays an instrument, with a random beat and the name of a sound under the pointer."""
    import timbrespace
    from timbrespace.web.page import write_page

    def act(window: Any) -> None:
        window.wait_for_selector('body[data-ready="true"]')
        window.click("#beat")
        window.locator("#map").hover(position={"x": 250, "y": 300})
        window.wait_for_timeout(2_000)  # until the words about the beat are gone

    with tempfile.TemporaryDirectory() as folder:
        page = write_page(Path(folder) / "play.html", timbrespace.load(file), title="Kitchen drums")
        return screenshot(page, width=1320, height=1560, act=act)


def map_page(file: Path) -> bytes:
    """A PNG of the map of an instrument, with two dozen new sounds; the toms are selected and one of them is shown."""
    import timbrespace

    drawn = timbrespace.load(file).map(generated=24)
    toms = [row for row, category in enumerate(drawn.categories) if category == "tom"]
    with tempfile.TemporaryDirectory() as folder:
        page = drawn.save(Path(folder) / "map.html", title=f"Map of {file.stem}", sounds=len(toms), places=64)
        select = f"timbrespace.map.select({toms}); timbrespace.map.focus({toms[0]}); document.querySelector('.wake').hidden = true"
        return screenshot(page, height=760, act=lambda window: window.evaluate(select))


def screenshot(page: Path, *, act: Callable[[Any], None], width: int = 1100, height: int = 1000) -> bytes:
    """The upper part of a page as a PNG. act: what is done with the window before."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        window = browser.new_page(viewport={"width": width, "height": height})
        window.goto(page.resolve().as_uri())
        act(window)
        window.wait_for_timeout(1_500)
        picture = window.screenshot()
        browser.close()
    return picture


def store(png: bytes, name: str, *, colours: int | None = COLOURS) -> None:
    """Writes a PNG with few colours, so that it is small; None: with all of them, where light areas would take a tint."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    if colours is not None:
        picture = picture.quantize(colours, Image.Quantize.MAXCOVERAGE)
    picture.save(PICTURES / name, optimize=True)
    print(f"{name}: {(PICTURES / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
