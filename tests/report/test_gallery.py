"""The gallery of a page of results in a browser: sorting, filters, favourites, downloads and keys, from disk."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from test_results_page import HOSTILE

from browser import opened
from timbrespace.report.packs import write_packs
from timbrespace.report.results_page import ResultsPage, SoundTile, write_results_page
from timbrespace.report.spectrogram import draw_spectrogram

KINDS = ["kick", "snare", "hat", None]
ODD = ["kick 'n' \"bass\" & <b>more</b>", "café 😀 drum", "صوت 7", "a very long name " * 6 + "x" * 60, HOSTILE]


def make_page(
    folder: Path, count: int, *, names: list[str] | None = None, originals: bool = False, files: bool = True
) -> tuple[Path, list[SoundTile]]:
    """Writes a page of `count` sounds of different length; all share one picture. Returns it and its tiles. files: with their files."""
    rng = np.random.default_rng(3)
    audio = torch.from_numpy(0.1 * rng.standard_normal((1, 4410)).astype(np.float32))
    draw_spectrogram(audio, 44_100, folder / "picture.png")
    tiles = []
    for k in range(count):
        name = names[k] if names and k < len(names) else f"sound {k + 1}"
        file = f"{k:04d} 100% #é 😀.wav"
        if files:
            soundfile.write(folder / file, audio[0, : 2205 + k].numpy(), 44_100)
            (folder / file).with_suffix(".json").write_text(json.dumps({"number": k}))
        more: dict[str, Any] = {"original": file, "error": float(k), "verdict": "fair"} if originals else {}
        tiles.append(SoundTile(
            name, file, 0.05 + (k * 7 % count) / 1000, category=KINDS[k % 4], nearest=f"mine/{k % 3}",
            novelty=None if originals or k % 5 == 4 else (k * 3 % count) / 10, picture="picture.png", brightness=100.0 + (k * 11 % count),
            recipe=str(Path(file).with_suffix(".json")), **more,
        ))  # fmt: skip
    packs = write_packs(folder, [[tile.file, tile.recipe or ""] for tile in tiles]) if files else [None] * count
    tiles = [SoundTile(**{**vars(tile), "pack": pack}) for tile, pack in zip(tiles, packs, strict=True)]
    return write_results_page(folder, ResultsPage("Drums / <all>", sounds=tiles)), tiles


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[SoundTile]]:
    """A page of 20 sounds, five of them with odd names."""
    return make_page(tmp_path_factory.mktemp("gallery"), 20, names=ODD)


@pytest.fixture
def tab(batch: tuple[Path, list[SoundTile]]) -> Iterator[Any]:
    """The page in a browser."""
    with opened(batch[0], dialogs=True) as tab:
        yield tab


def order(tab: Any) -> list[int]:
    """The numbers of the sounds that are shown, in order."""
    found: list[int] = tab.evaluate("[...document.querySelectorAll('.sound')].filter((t) => !t.hidden).map((t) => Number(t.dataset.index))")
    return found


def focused(tab: Any) -> int:
    return int(tab.evaluate("document.activeElement.closest('.sound').dataset.index"))


@pytest.mark.parametrize("key", ["novelty", "seconds", "brightness"])
def test_it_sorts_both_ways_by_number(tab: Any, batch: tuple[Path, list[SoundTile]], key: str) -> None:
    values = {k: getattr(tile, key) for k, tile in enumerate(batch[1])}
    known = [k for k in values if values[k] is not None]
    missing = [k for k in values if values[k] is None]
    tab.locator("[data-sort]").select_option(key)
    assert order(tab) == sorted(known, key=lambda k: (values[k], k)) + missing
    tab.locator("[data-direction]").press("Enter")
    assert order(tab) == sorted(known, key=lambda k: (-values[k], k)) + missing, "those without a value stay at the end"


def test_it_sorts_by_kind_and_name(tab: Any, batch: tuple[Path, list[SoundTile]]) -> None:
    tab.locator("[data-sort]").select_option("kind")
    kinds = [batch[1][k].category for k in order(tab)]
    assert kinds == ["hat"] * 5 + ["kick"] * 5 + ["snare"] * 5 + [None] * 5
    tab.locator("[data-sort]").select_option("name")
    names = [batch[1][k].name for k in order(tab)]
    plain = [name for name in names if name.startswith("sound ")]
    assert plain == [f"sound {k}" for k in range(6, 21)], "numbers by their value"
    tab.locator("[data-sort]").select_option("index")
    assert order(tab) == list(range(20))
    tab.locator("[data-direction]").click()
    assert order(tab) == list(range(19, -1, -1))


def test_it_filters_by_kind_name_and_favourites(tab: Any) -> None:
    tab.locator("[data-filter='snare']").click()
    assert order(tab) == [1, 5, 9, 13, 17]
    tab.locator("[data-search]").fill("CAFE drum")
    assert order(tab) == [1], "accents and case do not count"
    assert tab.locator("[data-count]").inner_text() == "1 of 20 sounds"
    tab.locator("[data-search]").fill("no such name")
    assert order(tab) == []
    tab.locator("[data-reset]").click()
    assert order(tab) == list(range(20))
    tab.locator("[data-search]").fill("mine/2")
    assert order(tab) == [2, 5, 8, 11, 14, 17], "the nearest sound counts too"
    tab.locator("[data-search]").fill("")
    for number in (3, 7):
        tab.locator(f".sound[data-index='{number}'] .star").click()
    tab.locator("[data-favourites]").click()
    assert order(tab) == [3, 7]
    tab.locator(".sound[data-index='3'] .star").click()
    assert order(tab) == [7]


def test_favourites_stay_and_belong_to_their_page(batch: tuple[Path, list[SoundTile]], tmp_path: Path) -> None:
    other, _ = make_page(tmp_path, 3)
    with opened(batch[0], dialogs=True) as tab:
        for number in (2, 4):
            tab.locator(f".sound[data-index='{number}'] .star").click()
        tab.reload()
        marked = "[...document.querySelectorAll('.star[aria-pressed=true]')].map((star) => star.closest('.sound').dataset.index)"
        assert tab.evaluate(marked) == ["2", "4"]
        assert tab.locator("[data-favourite-count]").inner_text() == "2"
        tab.goto(other.as_uri())
        assert tab.evaluate(marked) == []
        tab.goto(batch[0].as_uri())
        tab.locator("[data-clear]").click()
        assert tab.evaluate(marked) == []
        tab.reload()
        assert tab.evaluate(marked) == []
        assert tab.locator("[data-download]").is_disabled()


def test_without_storage_favourites_last_for_the_visit(batch: tuple[Path, list[SoundTile]], tmp_path: Path) -> None:
    text = batch[0].read_text(encoding="utf-8")
    broken = "<script>Object.defineProperty(window, 'localStorage', { get() { throw new Error('off') } })</script>"
    page = tmp_path / "index.html"
    page.write_text(text.replace("<head>", f"<head>{broken}", 1), encoding="utf-8")
    shutil.copy(batch[0].parent / "picture.png", tmp_path)
    with opened(page) as tab:
        tab.locator(".sound[data-index='2'] .star").click()
        assert tab.locator(".star[aria-pressed=true]").count() == 1


def test_the_favourites_are_a_zip_file_of_sounds_and_recipes(tab: Any, batch: tuple[Path, list[SoundTile]], tmp_path: Path) -> None:
    for number in (1, 6, 0):
        tab.locator(f".sound[data-index='{number}'] .star").click()
    with tab.expect_download() as download:
        tab.locator("[data-download]").click()
    assert download.value.suggested_filename == "Drums all favourites.zip"
    download.value.save_as(tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as file:
        assert file.testzip() is None, "the checksums are right"
        expected = [name for k in (0, 1, 6) for name in (batch[1][k].file, batch[1][k].recipe)]
        assert file.namelist() == expected
        for name in file.namelist():
            assert file.read(name) == (batch[0].parent / name).read_bytes()
            assert file.getinfo(name).compress_type == zipfile.ZIP_STORED


def test_one_sound_is_downloaded_as_it_is(tab: Any, batch: tuple[Path, list[SoundTile]], tmp_path: Path) -> None:
    with tab.expect_download() as download:
        tab.locator(".sound[data-index='4'] .save").click()
    assert download.value.suggested_filename.startswith("0004 100")
    download.value.save_as(tmp_path / "x.wav")
    assert (tmp_path / "x.wav").read_bytes() == (batch[0].parent / batch[1][4].file).read_bytes()


def test_without_packs_the_favourites_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timbrespace.report.packs.LARGEST", 1000)
    page, tiles = make_page(tmp_path, 3)
    assert [tile.pack for tile in tiles] == [None] * 3
    with opened(page) as tab:
        tab.locator(".sound[data-index='1'] .star").click()
        with tab.expect_download() as download:
            tab.locator("[data-download]").click()
        download.value.save_as(tmp_path / "x.txt")
        assert (tmp_path / "x.txt").read_text(encoding="utf-8") == f"{tiles[1].file}\n"
        assert "beside the page" in tab.locator(".trouble").inner_text()
        tab.locator(".sound[data-index='1'] .save").click()
        tab.wait_for_function("document.querySelector('.trouble').textContent.includes('0001 100%')")


def test_keys_move_play_and_mark(tab: Any) -> None:
    # The sound is short: it may have ended before a busy machine looks, so what was playing is noted.
    note = "new MutationObserver(() => { window.played ||= button.matches('.playing') }).observe(button, {attributes: true})"
    tab.evaluate(f"() => {{ const button = document.querySelector(\".sound[data-index='0'] .play\"); {note} }}")
    tab.keyboard.press("Space")
    tab.wait_for_function("window.played === true")
    assert focused(tab) == 0
    tab.keyboard.press("ArrowRight")
    assert focused(tab) == 1
    columns = int(tab.evaluate("getComputedStyle(document.querySelector('.grid')).gridTemplateColumns.split(' ').length"))
    assert columns > 1
    tab.keyboard.press("ArrowDown")
    assert focused(tab) == 1 + columns
    tab.keyboard.press("ArrowUp")
    assert focused(tab) == 1
    tab.keyboard.press("f")
    assert tab.locator(".sound[data-index='1'] .star").get_attribute("aria-pressed") == "true"
    tab.keyboard.press("End")
    assert focused(tab) == 19
    tab.keyboard.press("Home")
    assert focused(tab) == 0
    tab.keyboard.press("Escape")
    tab.wait_for_selector(".play.playing", state="detached")
    tab.locator("[data-auto]").check()
    tab.locator(".sound[data-index='5'] .main").focus()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_selector(".sound[data-index='6'] .play.playing")
    tab.keyboard.press("/")
    tab.keyboard.type("f d")
    assert tab.locator("[data-search]").input_value() == "f d", "keys in a field are letters"
    assert tab.locator(".star[aria-pressed=true]").count() == 1


def test_those_shown_play_in_their_order(tab: Any) -> None:
    tab.evaluate(  # a short sound can have ended before a busy machine looks
        """() => { window.played = []; new MutationObserver((changes) => { for (const { target } of changes) {
            const index = target.closest(".sound")?.dataset.index;
            if (target.matches(".play.playing") && window.played.at(-1) !== index) window.played.push(index) } })
            .observe(document.body, { subtree: true, attributes: true, attributeFilter: ["class"] }) }"""
    )
    tab.locator("[data-filter='hat']").click()
    tab.locator("[data-play-shown]").click()
    for _ in range(600):
        if len(tab.evaluate("window.played")) > 1:
            break
        tab.wait_for_timeout(50)
    assert tab.evaluate("window.played")[:2] == ["2", "6"]
    if tab.locator("[data-play-shown]").get_attribute("aria-pressed") == "true":
        tab.locator("[data-play-shown]").click()
    tab.wait_for_selector(".play.playing", state="detached")


@pytest.mark.parametrize("width", [360, 1280])
def test_names_are_shown_whole(batch: tuple[Path, list[SoundTile]], width: int) -> None:
    with opened(batch[0], width=width) as tab:
        texts = "[...document.querySelectorAll('h3, .near, .tags, .chip bdi')]"
        assert tab.evaluate(f"{texts}.filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth).length") == 0
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        shown = tab.locator(".sound[data-index='3'] h3").inner_text()
        assert shown.split() == ODD[3].split()


def test_every_control_has_a_name(tab: Any) -> None:
    nameless = """[...document.querySelectorAll('button, input, select, summary')].filter((e) =>
        !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length)))"""
    assert tab.evaluate(f"{nameless}.length") == 0
    assert "Favourite: sound 6" in tab.locator(".sound[data-index='5'] .star").get_attribute("aria-label")


def test_originals_are_beside_reconstructions(tmp_path: Path) -> None:
    page, _ = make_page(tmp_path, 4, originals=True)
    with opened(page) as tab:
        tile = tab.locator(".sound[data-index='2']")
        assert tile.locator("figcaption").all_inner_texts() == ["original", "reconstruction"]
        assert "fair 2.0 dB" in tile.inner_text()
        assert tile.locator("[data-row]").get_attribute("aria-label") == "Play sound 3: original, then reconstruction"
        tab.locator("[data-sort]").select_option("error")
        tab.locator("[data-direction]").click()
        assert order(tab) == [3, 2, 1, 0]


def test_a_thousand_sounds(tmp_path: Path) -> None:
    page, tiles = make_page(tmp_path, 1000, files=False)
    with opened(page) as tab:
        tab.locator("[data-sort]").select_option("brightness")
        assert order(tab) == sorted(range(1000), key=lambda k: (tiles[k].brightness, k))
        tab.locator("[data-search]").fill("sound 99")
        assert order(tab) == sorted((k for k in range(1000) if "99" in str(k + 1)), key=lambda k: (tiles[k].brightness, k))
        tab.keyboard.press("Escape")
        tab.locator(".sound:not([hidden]) .main").first.focus()
        tab.keyboard.press("f")
        assert tab.locator("[data-favourite-count]").inner_text() == "1"


def contexts(path: Path) -> list[AbstractContextManager[Any]]:
    return [opened(path, width=width, scheme=scheme) for width, scheme in ((360, "light"), (1280, "dark"))]


def test_text_is_readable_in_both_themes(batch: tuple[Path, list[SoundTile]]) -> None:
    channel = "v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4"
    values = f"const [r, g, b] = text.match(/[\\d.]+/g).map((v) => {{ v /= 255; return {channel} }})"
    luminance = f"(text) => {{ {values}; return 0.2126 * r + 0.7152 * g + 0.0722 * b }}"
    for context in contexts(batch[0]):
        with context as tab:
            panel = tab.evaluate("getComputedStyle(document.querySelector('.sound')).backgroundColor")
            for selector in ("h3", ".near", ".tags", ".lead", ".count", ".act"):
                ink = tab.evaluate(f"getComputedStyle(document.querySelector('{selector}')).color")
                a, b = sorted(tab.evaluate(f"[{json.dumps(ink)}, {json.dumps(panel)}].map({luminance})"))
                assert (b + 0.05) / (a + 0.05) >= 4.5, selector
