"""The page of live playing: what fingers, keys and faders send, what it shows of others, who may use it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live import instruments

import browser
from timbrespace.live import Engine
from timbrespace.live.actions import Action
from timbrespace.live.clock.follower import Follower
from timbrespace.live.clock.source import ClockedSource
from timbrespace.live.conductor import Conductor
from timbrespace.live.midi.file import MidiFile

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("pythonosc")

import httpx

from timbrespace.live.osc.packets import read_packet
from timbrespace.live.osc.server import OscServer
from timbrespace.live.walk.beats import FileBeats
from timbrespace.live.walk.bounds import playable
from timbrespace.live.walk.walk import Walk
from timbrespace.web.playing.players import GONE, Players
from timbrespace.web.playing.server import PagePlayer

PAGE = "0123456789abcdef01234567"
_AXE = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map(
  ({ id, nodes }) => id + ": " + nodes.slice(0, 3).map((node) => node.html.slice(0, 120) + node.failureSummary).join(" | "))"""


class Stage:
    """An engine that plays without a device, its page, and a program that receives the OSC that it sends."""

    def __init__(self, *files: Path):
        self.engine = Engine(*files)
        self.actions: list[Action] = []
        self.conductor = Conductor(self.engine, say=lambda _: None, done=[self.actions.append])
        self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.bind(("127.0.0.1", 0))
        self.receiver.settimeout(20)
        self.osc = OscServer(self.conductor, send_to=f"127.0.0.1:{self.receiver.getsockname()[1]}")
        self.page = PagePlayer(self.conductor, "0")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._step)
        self._thread.start()

    def close(self) -> None:
        self.page.close()
        self.osc.close()
        self._closing.set()
        self._thread.join()
        self.receiver.close()
        self.engine.close()

    def _step(self) -> None:
        samples = 0
        while not self._closing.is_set():
            self.conductor.step(0.01)
            if isinstance(self.conductor.walk, Walk):
                self.conductor.walk.advance(samples := samples + 500)

    def walk(self) -> None:
        """From now on a walk plays."""
        self.conductor.walk = Walk(playable(self.engine), "notes", sample_rate=self.engine.sample_rate, tempo=97)

    def wait(self, true: Callable[[], Any]) -> None:
        end = time.monotonic() + 30
        while not true():
            assert time.monotonic() < end, [(action.name, action.values) for action in self.actions]
            time.sleep(0.01)

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [action.values for action in self.actions if action.name == name]

    def received(self, address: str) -> tuple[Any, ...]:
        """The values that arrive at an address."""
        while True:
            for message in read_packet(self.receiver.recv(4096)):
                if message.address == address:
                    return message.values

    def post(self, *messages: list[Any], **more: Any) -> httpx.Response:
        body = json.dumps({"page": PAGE, "since": 0, "messages": messages} | more)
        return httpx.post(self.page.address + "api/play", content=body, headers={"Content-Type": "application/json"}, timeout=30)


@pytest.fixture(scope="module", autouse=True)
def _one_browser() -> Iterator[None]:
    yield
    browser.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("page")
    return instruments.notes(folder / "notes.safetensors"), instruments.drums(folder / "drums.safetensors")


@pytest.fixture
def stage(files: tuple[Path, Path]) -> Iterator[Stage]:
    stage = Stage(*files)
    yield stage
    stage.close()


def opened(stage: Stage, **more: Any) -> Any:
    return browser.opened(stage.page.address, **more)


def ready(tab: Any) -> None:
    tab.wait_for_selector('body[data-answered="true"]', timeout=60_000)


def middle(tab: Any, selector: str, *, down: float = 0.5) -> tuple[float, float]:
    tab.locator(selector).first.scroll_into_view_if_needed()
    box = tab.locator(selector).first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] * down


def test_pads_keys_faders_and_buttons_reach_the_engine_and_other_programs(stage: Stage) -> None:
    with opened(stage) as tab:
        ready(tab)
        tab.mouse.move(*middle(tab, ".pad", down=0.02))
        tab.mouse.down()
        tab.mouse.up()
        stage.wait(lambda: stage.named("pad"))
        assert stage.named("pad")[0][0] == 0
        assert stage.named("pad")[0][1] > 120  # hit at its upper edge
        tab.mouse.move(*middle(tab, '.key[data-note="64"]', down=0.9))
        tab.mouse.down()
        stage.wait(lambda: stage.named("note_on"))
        tab.mouse.move(*middle(tab, '.key[data-note="65"]', down=0.9))  # slides to the next key
        stage.wait(lambda: len(stage.named("note_on")) == 2)
        tab.mouse.up()
        stage.wait(lambda: len(stage.named("note_off")) == 2)
        assert [values[0] for values in stage.named("note_on")] == [64, 65]
        assert [values[0] for values in stage.named("note_off")] == [64, 65]
        tab.locator('[data-address="/axis/3"]').focus()
        tab.keyboard.press("End")
        assert stage.received("/axis/3") == (3.0,)
        tab.keyboard.press("Delete")
        assert stage.received("/axis/3") == (0.0,)
        tab.mouse.click(*middle(tab, "#axes", down=0.75))
        assert stage.received("/axis/2")[0] == pytest.approx(-1.5, abs=0.1)
        tab.locator('.key[data-note="60"]').focus()
        tab.keyboard.down("w")  # the second key from the left
        stage.wait(lambda: stage.named("note_on")[-1][0] == 61)
        tab.keyboard.up("w")
        stage.wait(lambda: stage.named("note_off")[-1][0] == 61)
        for button, name in (("#sustain", "sustain"), ("#notes-off", "all_notes_off"), ("#sound-off", "all_sound_off")):
            tab.click(button)
            stage.wait(lambda name=name: stage.named(name))


def test_two_fingers_hold_two_keys_and_a_third_moves_a_plane(stage: Stage) -> None:
    with opened(stage) as tab:
        ready(tab)
        touch = tab.context.new_cdp_session(tab)
        tab.evaluate("document.querySelector('#keys').scrollIntoView({ block: 'end' })")
        tab.set_viewport_size({"width": 1100, "height": 1800})
        tab.evaluate("scrollTo(0, 0)")
        points = [
            dict(zip("xy", middle(tab, place, down=0.9), strict=True))
            for place in ('.key[data-note="60"]', '.key[data-note="67"]', "#axes")
        ]

        def fingers(kind: str, count: int) -> None:
            touch.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{**points[index], "id": index} for index in range(count)]}
            )

        for count in (1, 2, 3):
            fingers("touchStart", count)
        stage.wait(lambda: len(stage.named("note_on")) == 2 and stage.named("set_axis"))
        assert [values[0] for values in stage.named("note_on")] == [60, 67]
        assert not stage.named("note_off")
        points.append(points.pop(0))
        fingers("touchEnd", 0)
        stage.wait(lambda: sorted(values[0] for values in stage.named("note_off")) == [60, 67])


def test_what_others_move_moves_on_the_page_and_programs_change_it(stage: Stage) -> None:
    with opened(stage) as tab:
        ready(tab)
        assert tab.locator("#keys-card").is_visible()
        stage.conductor.put([Action("set_axis", (0, 1.5)), Action("set_gain", (0.5,))])
        tab.wait_for_selector('[data-address="/axis/1"][aria-valuenow="1.50"]', timeout=90_000)
        tab.wait_for_selector('[data-address="/gain"][aria-valuenow="0.50"]', timeout=90_000)
        tab.select_option("#program", "1")
        stage.wait(lambda: stage.named("program") == [(1,)])
        tab.wait_for_selector("#keys-card", state="hidden", timeout=90_000)
        assert tab.locator(".pad").count() == len(stage.engine.sounds.sources[1].pads)
        tab.wait_for_selector('[data-address="/gain"][aria-valuenow="0.50"]', timeout=90_000)  # new faders show what was set before
        assert len(stage.named("set_axis")) == 1  # showing a value sends nothing


def test_a_walk_is_started_and_stopped_and_its_tempo_is_shown_on_the_page_and_sent(stage: Stage) -> None:
    stage.walk()
    assert stage.received("/walk/tempo") == (97.0,)
    with opened(stage) as tab:
        ready(tab)
        tab.wait_for_selector('[data-address="/walk/tempo"][aria-valuenow="97"]', timeout=60_000)
        for button, words, playing in (("stop", "stopped", 0), ("continue", "plays", 1), ("stop", "stopped", 0), ("start", "plays", 1)):
            tab.focus(f"#walk-{button}")
            tab.keyboard.press("Enter")
            assert browser.until(tab, lambda: tab.inner_text("#walk-playing"), lambda text, words=words: text == words) == words
            stage.wait(lambda playing=playing: stage.osc.feedback.value("/walk/playing") == (playing,))
        assert stage.named("transport") == [("stop",), ("continue",), ("stop",), ("start",)]


def test_the_words_are_those_of_what_plays(files: tuple[Path, Path]) -> None:
    with Engine(files[0], hold_notes=True) as engine:
        conductor = Conductor(engine, say=lambda _: None)
        follower = Follower(96.0)
        conductor.walk = ClockedSource(
            FileBeats(MidiFile((), seconds=1.0, beats=2.0), lambda _: []), follower, sample_rate=48_000, say=print
        )
        with PagePlayer(conductor, "0") as page, browser.opened(page.address) as tab:
            ready(tab)
            assert "notes that sound move there" in tab.inner_text("#map-card")
            assert "notes that sound" in tab.inner_text("#controls-card")
            assert tab.inner_text("#walk-title") == "MIDI file"
            assert tab.locator("#walk-faders .fader").count() == 0  # the tempo is the clock's
            for number in range(30):
                follower.pulse(number / 48)
            browser.until(tab, lambda: tab.inner_text("#walk-tempo"), lambda text: "120.0" in text)
            assert tab.inner_text("#walk-tempo") == "MIDI clock: 120.0 beats a minute"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_breaks_no_rule_of_accessibility(stage: Stage, width: int, scheme: str) -> None:
    package = pytest.importorskip("axe_playwright_python")
    stage.walk()
    with opened(stage, width=width, scheme=scheme) as tab:
        ready(tab)
        tab.click("#latents-card > summary")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        small = """[...document.querySelectorAll("button:not(.key), .track, summary")]
            .filter((one) => one.offsetHeight < 40 && one.offsetParent).length"""
        assert tab.evaluate(small) == 0  # large enough for fingers
        page = tab.context.new_cdp_session(tab)
        page.send("Page.setBypassCSP", {"enabled": True})
        tab.reload()
        ready(tab)
        tab.evaluate(Path(package.__path__[0], "axe.min.js").read_text(encoding="utf-8"))
        assert tab.evaluate(_AXE) == []


def test_only_its_own_pages_are_answered(stage: Stage) -> None:
    page = httpx.get(stage.page.address)
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
    assert httpx.get(stage.page.address, headers={"Host": "elsewhere.example"}).status_code == 403
    foreign = {"Content-Type": "application/json", "Origin": "http://elsewhere.example"}
    assert httpx.post(stage.page.address + "api/play", content="{}", headers=foreign).status_code == 403
    assert httpx.post(stage.page.address + "api/play", content="{}", headers={"Content-Type": "text/plain"}).status_code == 415


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", '{"page": "x"}', f'{{"page": "{PAGE}", "messages": [[]]}}', f'{{"page": "{PAGE}", "messages": [["/axis/1", NaN]]}}',
     f'{{"page": "{PAGE}", "messages": [["/axis/1", 1e99]]}}', f'{{"page": "{PAGE}", "messages": {[["/a"]] * 600}}}'.replace("'", '"'),
     f'{{"page": "{PAGE}", "more": 1}}', f'{{"page": "{PAGE}", "messages": [[7, 1]]}}'],
)  # fmt: skip
def test_what_is_no_request_is_refused_with_a_sentence(stage: Stage, body: str) -> None:
    answer = httpx.post(stage.page.address + "api/play", content=body, headers={"Content-Type": "application/json"}, timeout=30)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert not stage.actions


def test_what_the_engine_refuses_is_told_to_the_page(stage: Stage) -> None:
    answer = stage.post(["/nowhere", 1], ["/axis/1", 99], ["/pad/1"]).json()
    assert "no OSC address /nowhere" in " ".join(answer["errors"])
    stage.wait(lambda: stage.named("pad"))
    stage.wait(lambda: "axis" in " ".join(stage.post().json()["errors"]))


def test_a_page_that_goes_away_lets_its_notes_go(files: tuple[Path, Path]) -> None:
    now, conductor = [0.0], Conductor(None, say=lambda _: None)
    players = Players(conductor, clock=lambda: now[0])

    def names() -> list[tuple[str, Any]]:
        return [(action.name, action.values[0]) for action in conductor.inbox.take()]

    players.take(PAGE, [["/mnote", 60, 100], ["/mnote", 64, 100], ["/mnote", 60, 0], ["/sustain", 1]])
    players.take("other", [["/mnote", 72, 100]])
    names()
    now[0] = GONE - 0.1
    players.take("other", [])
    players.look()
    assert names() == []
    now[0] = GONE + 0.1
    players.look()
    assert names() == [("note_off", 64), ("sustain", False)]
    players.close()
    assert names() == [("note_off", 72)]


def test_pages_without_end_do_not_fill_memory() -> None:
    players = Players(Conductor(None, say=lambda _: None))
    for number in range(200):
        players.take(f"{number:024x}", [["/mnote", 60, 100]])
    assert len(players._pages) <= 32


def test_another_address_gets_a_token(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timbrespace.web.server.running._outer_address", lambda _: "127.0.0.1")
    with Engine(files[1]) as engine, PagePlayer(Conductor(engine, say=lambda _: None), "0.0.0.0:0") as page:
        assert page.is_open_to_others
        assert "?token=" in page.address
        port = page.address.rsplit(":", 1)[1].split("/")[0]
        assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 401
