"""The page of a map in a browser: pointing, clicking, lasso, search, export, keys, colours; nothing is loaded."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from browser import opened
from timbrespace.audio.describe import NAMES
from timbrespace.contracts import ConfigError, OutputExistsError
from timbrespace.instrument import Instrument
from timbrespace.report.map.sound_map import SoundMap
from timbrespace.report.map.sounds import chosen_rows

HOSTILE = "</script><img src=x onerror=alert(1)> \u202e=cmd|'/c calc'!A1, \"x\""
FOCUS = "timbrespace.view.marks.focus"


@pytest.fixture(scope="module")
def drawn(instrument: Instrument) -> SoundMap:
    """A map of the training sounds and 4 new sounds, with descriptors; some names are odd."""
    plain = instrument.map(generated=4, seed=1)
    names = list(plain.names)
    names[0], names[1], names[2] = HOSTILE, "=1+1", "Café 😀 drum"
    values = torch.rand(len(plain), len(NAMES), generator=torch.Generator().manual_seed(2)) * 3 + 7
    values[next(row for row in range(len(plain)) if row not in chosen_rows(plain, 6))] = torch.nan  # what is rendered is measured
    return replace(plain, points=replace(plain.points, names=tuple(names), descriptors=values))


@pytest.fixture(scope="module")
def page(drawn: SoundMap, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the map, with 6 training sounds and 9 places to hear."""
    return drawn.save(tmp_path_factory.mktemp("map") / "map.html", title="Drums <all>", sounds=6, places=9)


@pytest.fixture
def tab(page: Path) -> Iterator[Any]:
    """The page in a browser."""
    with opened(page) as tab:
        until(tab, "timbrespace.painted > 0")
        yield tab


def until(tab: Any, condition: str) -> None:
    """Waits for a condition; the page's policy allows no `eval`, which Playwright's own waiting needs."""
    for _ in range(100):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"{condition} did not come true")


def screen(tab: Any, point: int) -> tuple[float, float]:
    """Where a point is in the window."""
    x, y = tab.evaluate(f"timbrespace.view.toScreen(timbrespace.view.xs[{point}], timbrespace.view.ys[{point}])")
    box = tab.locator("#view").bounding_box()
    return box["x"] + x, box["y"] + y


def lonely(tab: Any) -> int:
    """A point with no other within 30 pixels."""
    found = tab.evaluate(
        "(() => { const v = timbrespace.view, s = v.state.scale; for (let i = 0; i < v.count; i++) { let near = Infinity;"
        " for (let k = 0; k < v.count; k++) if (k !== i) near = Math.min(near, Math.hypot(v.xs[i] - v.xs[k], v.ys[i] - v.ys[k]) * s);"
        " if (near > 30) return i; } return -1; })()"
    )
    assert found >= 0
    return int(found)


def heard(tab: Any) -> int:
    """The number of the sound that played last, after a moment."""
    tab.wait_for_timeout(150)
    return int(tab.evaluate("timbrespace.sound.last"))


def test_a_click_on_a_dot_plays_its_sound_and_names_it(tab: Any, drawn: SoundMap) -> None:
    point = lonely(tab)
    tab.mouse.click(*screen(tab, point))
    assert heard(tab) == tab.evaluate(f"timbrespace.data.players[{point}]")
    assert tab.locator("#name").text_content() == tab.evaluate(f"timbrespace.data.names[{point}]")
    assert tab.locator(".trouble").text_content() == ""
    assert (drawn.categories[point] or "") in tab.locator("#kind").text_content()


def test_pointing_plays_after_the_first_click_and_can_be_turned_off(tab: Any) -> None:
    point = lonely(tab)
    place = screen(tab, point)
    tab.mouse.move(*place)
    assert tab.locator(".tip").is_visible()
    assert heard(tab) == -1  # browsers allow no sound before a click
    box = tab.locator("#view").bounding_box()
    tab.mouse.click(box["x"] + 20, box["y"] + 20)
    until(tab, "timbrespace.sound.last >= 0")
    tab.mouse.move(*place)
    assert heard(tab) == tab.evaluate(f"timbrespace.data.players[{point}]")
    tab.locator("#hover").uncheck()
    tab.mouse.move(box["x"] + 20, box["y"] + 20)
    tab.evaluate("timbrespace.sound.last = -7")
    tab.mouse.move(*place)
    assert heard(tab) == -7


def test_a_click_on_an_empty_spot_plays_the_nearest_place(tab: Any) -> None:
    box = tab.locator("#view").bounding_box()
    tab.mouse.click(box["x"] + 20, box["y"] + 20)
    until(tab, "timbrespace.sound.last >= 0")
    place = tab.evaluate("timbrespace.map.point().place")
    places = tab.evaluate("timbrespace.view.places")
    assert tab.evaluate("timbrespace.sound.last") == place[2]
    assert place[0] == min(spot[0] for spot in places)
    assert place[1] == min(spot[1] for spot in places)
    assert "between" in tab.locator("#name").text_content()


def test_every_sound_of_the_page_can_be_decoded(tab: Any) -> None:
    lengths = tab.evaluate(
        "Promise.all(JSON.parse(document.getElementById('sounds').textContent).map((text) =>"
        " new OfflineAudioContext(1, 1, 44100).decodeAudioData(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer)"
        ".then((b) => b.duration)))"
    )
    assert len(lengths) == 6 + 4 + 9
    assert all(0.02 < length < 2.2 for length in lengths)


def test_the_wheel_zooms_at_the_pointer_and_dragging_pans(tab: Any) -> None:
    point = lonely(tab)
    before = screen(tab, point)
    tab.mouse.move(*before)
    tab.mouse.wheel(0, -600)
    tab.wait_for_timeout(100)
    assert screen(tab, point) == pytest.approx(before, abs=1)
    assert tab.evaluate("timbrespace.view.state.scale") > 2 * tab.evaluate(
        "Math.min(timbrespace.view.state.width, timbrespace.view.state.height) * 0.86"
    )
    tab.mouse.down()
    tab.mouse.move(before[0] + 30, before[1] - 20, steps=4)
    tab.mouse.up()
    assert screen(tab, point) == pytest.approx((before[0] + 30, before[1] - 20), abs=1)
    assert tab.evaluate("timbrespace.view.marks.selected.size") == 0
    tab.locator("#fit").click()
    assert screen(tab, point) == pytest.approx(before, abs=1)


@pytest.mark.parametrize("by", ["tool", "shift"])
def test_the_lasso_selects_what_is_inside_and_exports_it(tab: Any, by: str, drawn: SoundMap) -> None:
    box = tab.locator("#view").bounding_box()
    right, bottom, middle = box["x"] + box["width"] - 3, box["y"] + box["height"] - 3, box["x"] + box["width"] / 2
    if by == "tool":
        tab.locator("#lasso").click()
    else:
        tab.keyboard.down("Shift")
    tab.mouse.move(middle, box["y"] + 3)
    tab.mouse.down()
    for corner in ((right, box["y"] + 3), (right, bottom), (middle, bottom)):
        tab.mouse.move(*corner, steps=6)
    tab.mouse.up()
    tab.keyboard.up("Shift")
    inside = [k for k in range(len(drawn)) if screen(tab, k)[0] > middle]
    assert 0 < len(inside) < len(drawn)
    assert sorted(tab.evaluate("[...timbrespace.view.marks.selected]")) == inside
    saved = {}
    for kind in ("txt", "csv", "json"):
        with tab.expect_download() as download:
            tab.locator(f"[data-save={kind}]").click()
        assert download.value.suggested_filename == f"selection.{kind}"
        saved[kind] = Path(download.value.path()).read_bytes().decode()
    names = tab.evaluate(f"{inside}.map((i) => timbrespace.data.names[i])")
    assert saved["txt"].splitlines() == names
    rows = json.loads(saved["json"])
    assert [row["name"] for row in rows] == names
    column = list(NAMES).index("brightness")
    for row, point in zip(rows, inside, strict=True):
        assert row["category"] == (drawn.categories[point] or "")
        known = drawn.points.descriptors[point, column]
        assert row["brightness"] is None if known.isnan() else row["brightness"] == pytest.approx(2 ** float(known), rel=2e-3)
    assert len(saved["csv"].split("\r\n")) == len(inside) + 2
    assert not re.search(r"(^|,)\"?[=+@]", saved["csv"])  # no formulas for a spreadsheet
    tab.locator("#clear").click()
    assert tab.evaluate("timbrespace.view.marks.selected.size") == 0


def test_search_fades_the_others_and_enter_goes_there(tab: Any) -> None:
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.id") == "search"
    tab.keyboard.type("cafe DRUM")
    assert tab.locator("#found li").all_text_contents() == ["Café 😀 drum"]
    assert tab.evaluate("[...timbrespace.view.faded].filter((f) => !f).length") == 1
    tab.keyboard.press("Enter")
    assert tab.evaluate(FOCUS) == 2
    assert tab.evaluate("document.activeElement.id") == "view"
    assert heard(tab) == tab.evaluate("timbrespace.data.players[2]")
    tab.locator("#take").click()
    assert tab.evaluate("[...timbrespace.view.marks.selected]") == [2]
    tab.keyboard.press("Escape")
    assert tab.evaluate("[...timbrespace.view.faded].filter((f) => f).length") == 0
    tab.keyboard.press("/")
    tab.keyboard.type("no such sound")
    assert "0 sounds found" in tab.locator("#say").text_content()


def test_arrows_go_to_the_nearest_sound_in_their_direction(tab: Any, drawn: SoundMap) -> None:
    tab.locator("#view").focus()
    tab.keyboard.press("ArrowRight")
    first = tab.evaluate(FOCUS)
    for key, axis, sign in (("ArrowRight", 0, 1), ("ArrowLeft", 0, -1), ("ArrowUp", 1, -1), ("ArrowDown", 1, 1)):
        before = tab.evaluate(FOCUS)
        tab.keyboard.press(key)
        after = tab.evaluate(FOCUS)
        if after != before:
            assert sign * (screen(tab, after)[axis] - screen(tab, before)[axis]) > 0
            assert tab.evaluate(f"timbrespace.data.names[{after}]")[:4] in tab.locator("#say").text_content()
    reached = {first}
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp") * 10:
        tab.keyboard.press(key)
        reached.add(tab.evaluate(FOCUS))
    assert len(reached) >= 5
    tab.keyboard.press("s")
    assert tab.evaluate("[...timbrespace.view.marks.selected]") == [tab.evaluate(FOCUS)]
    assert tab.locator("#mark").get_attribute("aria-pressed") == "true"
    tab.keyboard.press("Enter")
    assert heard(tab) == tab.evaluate(f"timbrespace.data.players[{FOCUS}]")
    before = tab.evaluate("timbrespace.view.state.scale")
    tab.keyboard.press("+")
    assert tab.evaluate("timbrespace.view.state.scale") == pytest.approx(1.5 * before)
    tab.keyboard.press("0")
    assert tab.evaluate("timbrespace.view.state.scale") == pytest.approx(before)


def test_every_colour_has_its_legend_and_a_group_is_brought_out(tab: Any, drawn: SoundMap) -> None:
    wanted = ["category", "cluster", *NAMES]
    assert tab.locator("#colour option").evaluate_all("all => all.map((one) => one.value)") == wanted
    for name in wanted:
        tab.locator("#colour").select_option(name)
        text = tab.locator("#legend").text_content()
        assert drawn.clusters.titles[0] in text if name == "cluster" else (name.replace("_", " ") in text) or name == "category"
        assert ("not known, 1 sound" in text) == (name not in ("category", "cluster"))
    tab.locator("#colour").select_option("category")
    chip = tab.locator("#legend .chip").first
    chip.click()
    shown = tab.evaluate("[...timbrespace.view.faded].filter((f) => !f).length")
    assert shown == sum(category == chip.locator("bdi").text_content() for category in drawn.categories)
    chip.click()
    assert tab.evaluate("[...timbrespace.view.faded].filter((f) => f).length") == 0


def test_the_theme_changes_the_dots(tab: Any) -> None:
    def pixel() -> tuple[int, ...]:
        tab.wait_for_timeout(150)
        x, y = screen(tab, lonely(tab))
        shot = Image.open(io.BytesIO(tab.screenshot(clip={"x": round(x), "y": round(y), "width": 1, "height": 1})))
        return shot.convert("RGB").getpixel((0, 0))

    light = pixel()
    tab.locator(".theme").click()
    assert pixel() != light
    assert min(light) < 200


def test_the_page_loads_nothing_and_holds_no_markup_of_names(page: Path, tab: Any) -> None:
    html = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in html
    assert not re.search(r"(src|href)=\"(?!data:)", html)
    assert "<img src=x" not in html
    assert "\u202e" not in html
    assert tab.evaluate("document.images.length") == 0
    assert tab.evaluate("performance.getEntriesByType('resource').length") == 0
    assert tab.locator("h1").text_content() == "Drums <all>"


def test_screen_readers_have_names_for_everything(tab: Any, drawn: SoundMap) -> None:
    assert tab.locator("#view").get_attribute("aria-label") == f"Map of {len(drawn)} sounds"
    assert tab.locator("#view").get_attribute("aria-describedby") == "keys"
    unnamed = tab.evaluate(
        "[...document.querySelectorAll('button, input, select')]"
        ".filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label') || e.closest('label'))).length"
    )
    assert unnamed == 0


def test_on_a_narrow_screen_nothing_is_wider_than_it(page: Path) -> None:
    with opened(page, width=390, height=844, scheme="dark") as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        assert tab.locator("#view").bounding_box()["height"] >= 300


def test_the_page_says_what_sounds(page: Path, drawn: SoundMap) -> None:
    html = page.read_text(encoding="utf-8")
    assert "The page contains no recording." in html
    assert f"This was done for 6 of the {len(drawn) - 4}" in html
    assert "9 places" in html


def test_the_same_map_has_the_same_bytes(drawn: SoundMap, page: Path, tmp_path: Path) -> None:
    again = drawn.save(tmp_path / "again.html", title="Drums <all>", sounds=6, places=9)
    assert again.read_bytes() == page.read_bytes()


def test_names_of_outputs_and_colours_are_checked(drawn: SoundMap, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"map.gif.*\.html"):
        drawn.save(tmp_path / "map.gif")
    with pytest.raises(ConfigError, match="'mood', allowed is category, cluster, brightness"):
        drawn.save(tmp_path / "map.png", color="mood")
    with pytest.raises(ConfigError, match="sounds rendered beforehand is -1"):
        drawn.save(tmp_path / "map.html", sounds=-1)
    (tmp_path / "map.csv").write_text("mine")
    with pytest.raises(OutputExistsError):
        drawn.save(tmp_path / "map.csv")
    assert list(tmp_path.iterdir()) == [tmp_path / "map.csv"]
