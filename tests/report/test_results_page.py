"""The page of results: well-formed, complete, safe with hostile names, and working in a browser if one is installed."""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pytest

from browser import opened
from timbrespace.contracts import ConfigError, OutputExistsError, ShapeError
from timbrespace.report import spectrogram
from timbrespace.report.card import CardRow, CardView
from timbrespace.report.results_page import ResultsPage, SoundTile, category_colours, render_results_page, write_results_page
from timbrespace.report.spectrogram import draw_spectrogram
from timbrespace.report.verdicts import FRESH, Verdict
from timbrespace.synthesis.novelty import COPY, UNLIKE

if TYPE_CHECKING:
    from torch import Tensor

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\" onclick='alert(3)' \u202e\x00&amp;"
VOID = {"meta", "link", "img", "input", "br", "path", "circle"}
SCREENS = [(360, 740), (820, 1100), (1280, 900)]


class Reader(HTMLParser):
    """Collects elements, checks that they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.data = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice: {tag} {names}"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"closed but never opened: {tag}"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.data = data if data.startswith("{") else self.data
        else:
            self.text.append(data)


@pytest.fixture
def page(tmp_path: Path, tone: Callable[..., Tensor]) -> tuple[Path, ResultsPage]:
    """A small page with real files beside it; one name in each place is hostile."""
    from timbrespace.audio.files import write

    def sound(name: str, file: str, **more: Any) -> SoundTile:
        audio = tone(seconds=1.5)
        write(tmp_path / f"{file}.wav", audio, 44_100)
        draw_spectrogram(audio, 44_100, tmp_path / f"{file}.png")
        return SoundTile(name=name, file=f"{file}.wav", seconds=1.5, picture=f"{file}.png", **more)

    sounds = [
        sound("snare 1", "sounds/snare 1", category="snare", nearest="a/b", novelty=0.9, x=0.0, y=0.0),
        sound(HOSTILE, "sounds/100% #é?", category=HOSTILE, nearest=HOSTILE, novelty=0.0, is_copy=True, x=3.0, y=-1.0),
    ]
    data = ResultsPage(
        title=f"Drums {HOSTILE}",
        sounds=sounds,
        morphs=[[sounds[0], sounds[1]], []],
        reel=sound("reel", "reel"),
        reel_marks=[(0.0, "snare 1"), (0.7, HOSTILE)],
        corpus=[(0.5, 0.5, "a/b", "snare"), (1.0, -1.0, HOSTILE, None), (math.nan, 0.0, "lost", "snare")],
        card=CardView([Verdict(HOSTILE, HOSTILE, HOSTILE, "good")], [CardRow("Clips", "2", HOSTILE)], advice=[HOSTILE]),
        steps=[(HOSTILE, 1.5), ("Train", 120.0)],
        made_with=HOSTILE,
    )
    write_results_page(tmp_path, data)
    return tmp_path / "index.html", data


def test_the_page_is_well_formed_and_hostile_names_stay_text(page: tuple[Path, ResultsPage]) -> None:
    reader = Reader(page[0].read_text(encoding="utf-8"))
    assert sum(tag == "script" for tag, _ in reader.elements) == 3
    assert not [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]
    assert {attributes["src"] for tag, attributes in reader.elements if tag == "img"} == {
        "./reel.png", "./sounds/snare%201.png", "./sounds/100%25%20%23%C3%A9%3F.png",
    }  # fmt: skip
    assert "</script><script>alert(1)" in "".join(reader.text), "shown as text"
    assert "\u202e" not in "".join(reader.text)
    assert json.loads(reader.data)["dots"][1][2].startswith("</script>")


def test_every_file_that_it_names_exists_and_none_is_remote(page: tuple[Path, ResultsPage]) -> None:
    reader = Reader(page[0].read_text(encoding="utf-8"))
    links = [attributes[key] for _, attributes in reader.elements for key in ("src", "data-src") if key in attributes]
    assert len(links) > 10
    for url in links:
        assert url.startswith("./")
        assert (page[0].parent / unquote(url)).is_file(), url
    text = page[0].read_text(encoding="utf-8")
    assert "http://" not in text
    assert "https://" not in text


def test_points_without_a_position_are_left_out(page: tuple[Path, ResultsPage]) -> None:
    dots = json.loads(Reader(page[0].read_text(encoding="utf-8")).data)["dots"]
    assert len(dots) == 2
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y, *_ in dots)


@pytest.mark.parametrize("file", ["/etc/passwd", "../outside.wav", "a/../../b.wav", "", "a\\b.wav"])
def test_files_outside_the_folder_are_refused(file: str) -> None:
    with pytest.raises(ConfigError, match="inside its own folder"):
        render_results_page(ResultsPage("x", sounds=[SoundTile("a", file, 1.0)]))


def test_a_name_with_a_colon_is_no_scheme() -> None:
    page = ResultsPage("x", sounds=[SoundTile("a", "javascript:alert(1)", 1.0)])
    assert 'data-src="./javascript%3Aalert%281%29"' in render_results_page(page)


def test_the_words_of_novelty_are_explained_with_their_limits() -> None:
    text = render_results_page(ResultsPage("x", sounds=[SoundTile("a", "a.wav", 1.0, novelty=0.4, nearest="b", brightness=999.7)]))
    assert "familiar 0.40" in text
    assert "1.0 kHz" in text
    for words in (f"<b>Copy</b>: under {COPY}.", f"<b>Familiar</b>: under {FRESH},", f"<b>Far out</b>: over {UNLIKE},"):
        assert words in text
    assert "built-in" not in text


def test_empty_parts_are_left_out() -> None:
    reader = Reader(render_results_page(ResultsPage("nothing yet")))
    assert not [tag for tag, _ in reader.elements if tag == "section"]


def test_many_categories_share_grey() -> None:
    corpus = [(0.0, float(k), f"clip {k}", f"kind {k}") for k in range(25)]
    text = render_results_page(ResultsPage("x", corpus=corpus))
    assert 'class="dot c11"' in text
    assert text.count('class="dot c12"') == 25 - 12, "all others are grey"
    assert 'class="dot c13"' not in text
    assert category_colours(ResultsPage("x", corpus=[(0.0, 0.0, "a", None), (0.0, 0.0, "b", "kick")])) == {"kick": 0, "": 12}


def test_an_existing_page_is_kept(page: tuple[Path, ResultsPage]) -> None:
    with pytest.raises(OutputExistsError):
        write_results_page(page[0].parent, page[1])
    write_results_page(page[0].parent, replace(page[1], title="Again"), force=True)
    assert "<title>Again</title>" in page[0].read_text(encoding="utf-8")


# --- pictures ----------------------------------------------------------------------------------------------------


def pixels(path: Path) -> np.ndarray[Any, Any]:
    """The palette indices of a PNG that draw_spectrogram wrote: (height, width)."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + size
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    return np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)[:, 1:]


@pytest.mark.parametrize("hz", [60.0, 440.0, 3000.0, 15000.0])
@pytest.mark.parametrize("sample_rate", [44_100, 96_000])
def test_a_tone_is_drawn_at_its_frequency(tmp_path: Path, tone: Callable[..., Tensor], hz: float, sample_rate: int) -> None:
    draw_spectrogram(0.1 * tone(hz, 1.0, sample_rate), sample_rate, tmp_path / "a.png")  # soft enough to have one brightest row
    image = pixels(tmp_path / "a.png")
    assert image.shape == (140, 320)
    brightest = int(image[:, 100].argmax())
    expected = (1.0 - spectrogram.height_of(hz)) * 140 - 0.5
    assert abs(brightest - expected) <= 1.5


def test_the_time_axis_is_linear_and_levels_are_absolute(tmp_path: Path, tone: Callable[..., Tensor]) -> None:
    click = tone(1000, 0.5) * 0.0
    click[:, 11_025 : 11_025 + 30] = 0.9
    draw_spectrogram(click, 44_100, tmp_path / "click.png", seconds=1.0)
    image = pixels(tmp_path / "click.png")
    assert abs(int(image[10].argmax()) - 80) <= 4, "a click at 0.25 s of 1 s is at a quarter of the width"
    assert not image[:, 175:].any(), "the picture is dark after the end of the sound"
    loud, soft = (tone(1000, 0.5) * gain for gain in (0.2, 0.02))
    draw_spectrogram(loud, 44_100, tmp_path / "loud.png")
    draw_spectrogram(soft, 44_100, tmp_path / "soft.png")
    difference = int(pixels(tmp_path / "loud.png").max()) - int(pixels(tmp_path / "soft.png").max())
    assert abs(difference - 20 / (spectrogram.TOP_DB - spectrogram.FLOOR_DB) * 255) < 6


@pytest.mark.parametrize("samples", [1, 2, 100, 5000])
def test_the_shortest_sounds_have_a_picture(tmp_path: Path, samples: int) -> None:
    import torch

    draw_spectrogram(torch.ones(2, samples) * 0.5, 8_000, tmp_path / "a.png")
    assert pixels(tmp_path / "a.png").shape == (140, 320)


def test_an_empty_sound_has_no_picture(tmp_path: Path) -> None:
    import torch

    with pytest.raises(ShapeError):
        draw_spectrogram(torch.zeros(1, 0), 44_100, tmp_path / "a.png")


# --- in a browser ------------------------------------------------------------------------------------------------


@pytest.fixture
def browser_page(page: tuple[Path, ResultsPage]) -> Iterator[Any]:
    """The page, opened from disk in headless Chromium; skipped where Playwright or Chromium is missing."""
    with opened(page[0]) as tab:
        yield tab


def test_clicking_and_keys_play(browser_page: Any) -> None:
    tab = browser_page
    first = tab.locator(".sound .play").first
    first.click()
    tab.wait_for_selector(".sound .play.playing")
    assert first.get_attribute("aria-pressed") == "true"
    first.click()
    tab.wait_for_selector(".sound .play.playing", state="detached")
    first.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Enter")
    second = tab.locator(".sound .play").nth(1)
    tab.wait_for_function("document.querySelectorAll('.sound .play')[1].classList.contains('playing')")
    assert second.get_attribute("aria-pressed") == "true"
    tab.keyboard.press("Escape")
    tab.wait_for_selector(".play.playing", state="detached")


def test_the_map_plays_and_names(browser_page: Any) -> None:
    tab = browser_page
    spot = tab.locator(".spot").nth(1)
    spot.scroll_into_view_if_needed()
    spot.hover()
    assert "</script>" in tab.locator(".tip").inner_text(), "the name, as text"
    spot.click()
    tab.wait_for_selector(".spot.playing")
    assert tab.locator(".spot.playing").count() == 1
    tab.locator(".map").evaluate("map => map.scrollIntoView()")
    box = tab.locator(".map canvas").bounding_box()
    place = tab.evaluate("JSON.parse(document.getElementById('data').textContent).dots[0]")
    tab.mouse.move(box["x"] + place[0] * box["width"] + 2, box["y"] + place[1] * box["height"])
    assert "a/b" in tab.locator(".tip").inner_text()


def test_filters_rows_and_the_reel(browser_page: Any) -> None:
    tab = browser_page
    tab.locator("[data-filter='snare']").click()
    assert tab.locator(".sound:visible").count() == 1
    tab.locator("[data-filter-all]").click()
    assert tab.locator(".sound:visible").count() == 2
    tab.locator("[data-row]").click()
    tab.wait_for_function("document.querySelectorAll('.morph .play')[1].classList.contains('playing')", timeout=15_000)
    tab.locator("[data-reel] .play").click()
    tab.wait_for_selector("[data-reel].playing")
    assert tab.locator("[data-row]").get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_it_fits_the_screen(browser_page: Any, width: int, height: int) -> None:
    browser_page.set_viewport_size({"width": width, "height": height})
    browser_page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true })")
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= width
