"""The modules under the page's controls: the queue of sounds to render, the player, and what a page says where it cannot play."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import page_modules
import pytest

import browser
from timbrespace.instrument import Instrument
from timbrespace.web.page import render_page

READY = 'body[data-ready="true"]'


@pytest.fixture(scope="module")
def text(instrument: Instrument) -> str:
    return render_page(instrument, title="Tiny")


@pytest.fixture(scope="module")
def page_file(text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "play.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def page(page_file: Path) -> Iterator[Any]:
    with browser.opened(page_file) as tab:
        tab.wait_for_selector(READY, timeout=90_000)
        yield tab


_UNPACK = """const unpack = async (id) => {
  const raw = Uint8Array.from(atob(document.getElementById(id).textContent.trim()), (sign) => sign.charCodeAt(0));
  return new Uint8Array(await new Response(new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
};"""


def test_memory_that_moves_at_every_call_changes_nothing(page: Any) -> None:
    """WebAssembly's memory moves when it grows, at a place that depends on the size of the file; here it grows whenever some is taken."""
    page_modules.load(page, core=("CoreMemory", "CoreInstrument"), player=("Player", "carryOut"))
    same = page.evaluate(f"""async () => {{
      {_UNPACK}
      const {{ CoreMemory, CoreInstrument, Player, carryOut }} = window.found, module = await WebAssembly.compile(await unpack("core"));
      const file = await unpack("instrument"), outcomes = [];
      for (const moves of [false, true]) {{
        const {{ take }} = CoreMemory.prototype;
        const moving = function (size) {{ this.memory.grow(1); return take.call(this, size); }};
        if (moves) CoreMemory.prototype.take = moving;
        const instrument = new CoreInstrument(module, file), player = new Player(module, 44100), drawn = instrument.draw({{ seed: 3 }});
        const steered = instrument.steer({{ z: drawn.z, amounts: {{}} }}), near = instrument.around({{ z: drawn.z, amount: 0.3, seed: 1 }});
        const channels = instrument.render(drawn), taken = [];
        carryOut(player, {{ verb: "sound", slot: 0, channels, rate: 44100 }});
        carryOut(player, {{ verb: "lane", index: 0, slot: 0 }});
        carryOut(player, {{ verb: "steps", lane: 0, steps: [{{ on: true, velocity: 1, probability: 1, ratchet: 1 }}] }});
        carryOut(player, {{ verb: "start" }});
        for (let k = 0; k < 20; k++) taken.push(...player.process(128)[0]);
        outcomes.push(JSON.stringify([instrument.info, drawn, steered, near, [...channels[0]], taken, player.read()]));
      }}
      return [outcomes[0] === outcomes[1], outcomes[0].length];
    }}""")
    assert same[0]
    assert same[1] > 1000


def test_what_is_waited_for_is_rendered_and_the_rest_is_dropped(page: Any) -> None:
    page_modules.load(page, sounds=("openInstrument", "draw", "render", "prefetch", "forget"))
    outcome = page.evaluate("""async () => {
      const { openInstrument, draw, render, prefetch, forget } = window.found;
      await openInstrument();
      const recipes = await Promise.all(Array.from({ length: 9 }, (_, index) => draw({ seed: 5, index })));
      prefetch(recipes.slice(0, 8));
      const waited = render(recipes[6]), own = render(recipes[8]);
      const dropped = recipes.slice(0, 8).map((recipe) => render(recipe, { spare: true }).then(() => false, () => true));
      forget();
      const seconds = (await Promise.all([waited, own])).map((sound) => sound.seconds);
      return { seconds, dropped: await Promise.all(dropped), again: (await render(recipes[7])).seconds };
    }""")
    assert all(seconds > 0 for seconds in outcome["seconds"])
    assert outcome["dropped"][7]
    assert not outcome["dropped"][6]
    assert outcome["again"] > 0


def test_what_is_wanted_at_once_overtakes_what_is_prepared(page: Any) -> None:
    """Nothing that is prepared begins while an urgent sound waits or is made; what a pointer has left is dropped."""
    page_modules.load(page, sounds=("openInstrument", "draw", "render", "prefetch", "forget"))
    before = page.evaluate("""async () => {
      const { openInstrument, draw, render, prefetch } = window.found;
      await openInstrument();
      const recipes = await Promise.all(Array.from({ length: 12 }, (_, index) => draw({ seed: 8, index }))), done = [];
      prefetch(recipes.slice(0, 10));
      recipes.slice(0, 10).forEach((recipe, k) => render(recipe, { spare: true }).then(() => done.push(k)));
      await render(recipes[10], { urgent: true });
      const before = done.length;
      prefetch([]);
      return before;
    }""")
    assert before <= 2


def test_recipes_prefetched_again_are_rendered_once(page: Any) -> None:
    page_modules.load(page, sounds=("openInstrument", "draw", "render", "prefetch"))
    assert page.evaluate("""async () => {
      const { openInstrument, draw, render, prefetch } = window.found;
      await openInstrument();
      const recipes = await Promise.all(Array.from({ length: 8 }, (_, index) => draw({ seed: 6, index })));
      prefetch(recipes);
      prefetch(recipes);
      const first = recipes.map((recipe) => render(recipe));
      await Promise.all(first);
      return recipes.every((recipe, k) => render(recipe) === first[k]);
    }""")


def test_a_recording_is_whole(page: Any) -> None:
    """Steps of a beat through the audio thread are as far apart as they should be, over several parts of the recording."""
    page_modules.load(page, audio=("wake", "record", "setLane", "setPattern", "start"))
    page.locator(".pad").first.click()  # allows sound
    steps = page.evaluate("""async () => {
      const { wake, record, setLane, setPattern, start } = window.found;
      await wake();
      const sound = { id: 1, channels: [Float32Array.from({ length: 400 }, (_, n) => Math.exp(-n / 40))], sampleRate: 44100 };
      setLane(0, { sound, gain: 0.5, pan: 0, tune: 0, reverse: false, decay: 0, choke: 0, mute: false, solo: false });
      const step = { on: true, velocity: 1, probability: 1, ratchet: 1 };
      setPattern({ tempo: 180, swing: 0.5, steps: 16, seed: 0.5, lanes: [{ steps: Array(16).fill(step) }] });
      await record(true);
      start();
      await new Promise((done) => setTimeout(done, 1500));
      const twice = await Promise.all([record(false), record(false)]), { channels: [left], sampleRate } = twice[0], onsets = [];
      for (let n = 0, quiet = 1e9; n < left.length; n++) {
        if (Math.abs(left[n]) > 0.1) { if (quiet > 1000) onsets.push(n); quiet = 0; } else quiet++;
      }
      return { onsets, exact: (sampleRate * 15) / 180, length: left.length, other: twice[1].channels[0].length };
    }""")
    places = [onset - k * steps["exact"] for k, onset in enumerate(steps["onsets"])]
    assert len(places) >= 8
    assert steps["length"] > 2 * 16384
    assert max(places) - min(places) <= 1
    assert steps["other"] == 0


def test_a_sound_waits_where_the_queue_of_the_player_is_full(page: Any) -> None:
    page_modules.load(page, player=("Player", "carryOut"))
    packed = page.locator("#core").text_content()
    outcome = page.evaluate(
        """async (packed) => {
      const { Player, carryOut } = window.found, raw = Uint8Array.from(atob(packed.trim()), (sign) => sign.charCodeAt(0));
      const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
      const player = new Player(await WebAssembly.compile(await new Response(stream).arrayBuffer()), 44100);
      const sound = { verb: "sound", slot: 0, channels: [new Float32Array(2000).fill(0.5)], rate: 44100 };
      let most = 0;
      while (carryOut(player, { verb: "release", id: 1 }) && most < 1e6) most++;
      const refused = !carryOut(player, sound), top = player.core.top;
      const again = !carryOut(player, sound), grown = player.core.top - top;
      player.process(128);
      const taken = carryOut(player, sound) && carryOut(player, { verb: "play", slot: 0, id: 2, velocity: 1 });
      return { most, refused, again, grown, taken, peak: Math.max(...player.process(128)[0]) };
    }""",
        packed,
    )
    assert 64 <= outcome["most"] < 1e6
    assert outcome["refused"]
    assert outcome["again"]
    assert outcome["grown"] == 0
    assert outcome["taken"]
    assert outcome["peak"] > 0.1


def test_a_page_without_sound_output_says_so_and_goes_on(page: Any) -> None:
    page.evaluate("AudioWorklet.prototype.addModule = () => Promise.reject(new Error('no audio')); null")
    page.locator(".pad").first.click()
    page.wait_for_selector("#status.error:has-text('no audio')")
    page.click("#record")
    page.click("#record")
    assert page.locator("#record").text_content() == "Record"
    with page.expect_download() as download:
        page.click("#take-sound")
    assert Path(download.value.path()).stat().st_size > 1000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("delete window.AudioWorkletNode", "no audio worklets"),
        ("delete window.DecompressionStream", "no decompression"),
        ("WebAssembly.validate = () => false", "without SIMD"),
        (
            "delete BaseAudioContext.prototype.audioWorklet; Object.defineProperty(window, 'isSecureContext', { value: false })",
            "over https",
        ),
    ],
)
def test_a_page_says_why_it_cannot_play(text: str, tmp_path: Path, change: str, words: str) -> None:
    said = words_of(text, tmp_path, change)
    assert words in said


def test_a_damaged_page_says_so(text: str, tmp_path: Path) -> None:
    start = text.index('id="instrument">') + 2000
    assert "damaged" in words_of(f"{text[:start]}AAAA{text[start + 4 :]}", tmp_path)
    assert "damaged" in words_of(f"{text[:start]}?{text[start + 1 :]}", tmp_path)


def words_of(text: str, folder: Path, change: str = "") -> str:
    """What a page says that cannot open, in a browser that `change` changes."""
    path = folder / "play.html"
    path.write_text(text, encoding="utf-8")
    tab = browser._start().new_context().new_page()
    try:
        tab.add_init_script(change)
        tab.goto(path.as_uri())
        tab.wait_for_selector("#status.error", timeout=90_000)
        return str(tab.locator("#status").text_content())
    finally:
        tab.context.close()
