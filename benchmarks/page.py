#!/usr/bin/env python3
"""How big and how quick is the page that plays an instrument?

    python benchmarks/page.py INSTRUMENT [--rounds 5] [--points 40] [--out FILE]

One table (docs/benchmarks/page.md), in headless Chromium from a file, the network off: size of the page; time from opening to a kit that
can be played; time from a pointer on the map to the message that plays its sound, over points never heard before and over points that were
prepared because the pointer was near; frames a second while the map is panned, with the instrument's points, with 1,000 and with 10,000;
by how many samples steps of a beat leave their exact places, rendered and through the audio thread; and clicks in random playing, see
lib/playing.py. Needs Playwright (an extra of `[dev]`) and a Chromium.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from lib.options import add_out, make_parser, publish
from lib.page import stamp, table
from lib.playing import live_playing, load_modules, pulse, random_playing
from lib.process import say
from timbrespace.instrument import Instrument
from timbrespace.web.page import render_page

COUNTS = (1_000, 10_000)
RENDERED_MINUTES, LIVE_SECONDS, PULSE_SECONDS, LIVE_PULSE_SECONDS = 10, 60, 120, 20
READY = 'body[data-ready="true"]'
# When the page sends a sound to the audio thread.
_WATCH = """
window.sent = [];
const post = MessagePort.prototype.postMessage;
MessagePort.prototype.postMessage = function (message, ...rest) {
  if (message?.verb === "play") window.sent.push(performance.now());
  return post.call(this, message, ...rest);
};
"""
_HOVER = """async ([x, y]) => {
  const map = document.getElementById("map"), box = map.getBoundingClientRect(), before = window.sent.length, start = performance.now();
  map.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + x, clientY: box.top + y, pointerType: "mouse", bubbles: true }));
  while (window.sent.length === before && performance.now() - start < 2000) await new Promise((done) => setTimeout(done, 1));
  return window.sent.length > before ? window.sent.at(-1) - start : null;
}"""
_PAN = """async () => {
  const map = document.getElementById("map"), box = map.getBoundingClientRect(), start = performance.now();
  const at = (type, k) => map.dispatchEvent(new PointerEvent(type, { clientX: box.left + 200 + 90 * Math.sin(k / 9), clientY: box.top + 200,
    pointerId: 1, pointerType: "mouse", button: 0, buttons: 1, bubbles: true }));
  at("pointerdown", 0);
  let frames = 0;
  while (performance.now() - start < 2000) { await new Promise(requestAnimationFrame); at("pointermove", ++frames); }
  at("pointercancel", frames);
  return (1000 * frames) / (performance.now() - start);
}"""


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints the table."""
    parser = make_parser(__doc__)
    parser.add_argument("instrument", type=Path, help="an instrument file with its training sounds")
    parser.add_argument("--rounds", type=int, default=5, help="how often the page is opened (default %(default)s)")
    parser.add_argument("--points", type=int, default=40, help="points of the map that are heard (default %(default)s)")
    add_out(parser, "page.md")
    given = parser.parse_args(arguments)
    if given.rounds < 1 or given.points < 4:
        parser.error("--rounds must be 1 or more, --points 4 or more")
    text = render_page(Instrument.load(given.instrument), title=given.instrument.stem)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "play.html"
        path.write_text(text, encoding="utf-8")
        many = {count: Path(folder) / f"{count}.html" for count in COUNTS}
        for points, other in many.items():
            other.write_text(with_points(text, points), encoding="utf-8")
        rows = [["size of the page (MB)", f"{path.stat().st_size / 1e6:.1f}"], *measured(path, many, given.rounds, given.points)]
    head = stamp(f"python benchmarks/page.py {given.instrument.name} --rounds {given.rounds} --points {given.points}")
    publish(f"{head}\n\n{table(['measure', 'value'], rows)}", given.out, "page")


def measured(path: Path, many: dict[int, Path], rounds: int, count: int) -> list[list[str]]:
    """The rows of the table."""
    opening = []
    for _ in range(rounds):
        say("opening the page")
        start = time.perf_counter()
        with opened(path) as page:
            page.wait_for_selector(READY)
            opening.append(1000 * (time.perf_counter() - start))
    rows = [["from opening to a kit that plays, median (ms)", f"{median(opening):.0f}"]]
    with opened(path) as page:
        page.wait_for_selector(READY)
        say("hearing points of the map")
        far, near = hovers(page, path, count)
        rows += [[f"from pointer to sound, {name}: median, 95 % (ms)", f"{median(v):.0f}, {quantiles(v, n=20)[-1]:.0f}"] for name, v in
                 (("never heard", far), ("beside the last one", near))]  # fmt: skip
        rows.append(["the map panned (frames a second)", f"{page.evaluate(_PAN):.0f}"])
        rows += played(page)
    for points, other in many.items():
        with opened(other) as page:
            page.wait_for_selector(READY)
            rows.append([f"the map of {points:,} points panned (frames a second)", f"{page.evaluate(_PAN):.0f}"])
    return rows


def played(page: Any) -> list[list[str]]:
    """Rows of steps and clicks."""
    load_modules(page)
    say("steps")
    rows = []
    for live, seconds in ((False, PULSE_SECONDS), (True, LIVE_PULSE_SECONDS)):
        found = pulse(page, seconds, live=live)
        way = "through the audio thread" if live else "rendered"
        rows.append([f"steps over {found['seconds']:.0f} s, {way}: drift (whole samples)", f"{int(found['spread'])}"])
    say("random playing")
    offline, live_found = random_playing(page, RENDERED_MINUTES), live_playing(page, LIVE_SECONDS)
    rows.append([f"clicks in {RENDERED_MINUTES} min of {offline['plays']:,} plays, rendered", f"{offline['clicks']}"])
    rows.append(
        [
            f"largest jump in {live_found['seconds']:.0f} s of {live_found['plays']} plays through the audio thread, of what is allowed",
            f"{live_found['worst']:.4f} of {live_found['allowed']:.4f}",
        ]
    )
    return rows


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A window with the page, after a click that allows sound."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--mute-audio"])
        context = browser.new_context(viewport={"width": 1440, "height": 1000}, offline=True, accept_downloads=True)
        page = context.new_page()
        page.add_init_script(_WATCH)
        page.goto(path.as_uri())
        yield page
        browser.close()


def facts_of(text: str) -> dict[str, Any]:
    """What the page knows of its points."""
    found = re.search(r'id="facts">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def with_points(text: str, count: int) -> str:
    """The page with `count` points: those it has, repeated at random places."""
    import base64

    facts, rng = facts_of(text), np.random.default_rng(0)
    rows = rng.integers(0, len(facts["x"]), count)
    latents = np.frombuffer(base64.b64decode(facts["latents"]), "<f4").reshape(len(facts["x"]), -1)[rows]
    facts |= {"latents": base64.b64encode(latents.tobytes()).decode(), "names": [facts["names"][row] for row in rows]}
    facts |= {"x": rng.random(count).round(4).tolist(), "y": rng.random(count).round(4).tolist()}
    facts["categories"] = [facts["categories"][row] for row in rows]
    return re.sub(r'(id="facts">).*?(</script>)', lambda m: m[1] + json.dumps(facts).replace("<", "\\u003c") + m[2], text, flags=re.DOTALL)


def hovers(page: Any, path: Path, count: int) -> tuple[list[float], list[float]]:
    """Times from pointer to sound in ms: of points far from all that were heard, and of the point nearest to the last one."""
    facts = facts_of(path.read_text(encoding="utf-8"))
    box = page.locator("#map").bounding_box()
    places = np.stack([facts["x"], facts["y"]], 1) - 0.5
    places = places * (box["width"] - 32, box["height"] - 32) + (box["width"] / 2, box["height"] / 2)
    page.locator(".pad").first.click()  # allows sound
    page.wait_for_timeout(500)
    rng, far, near = np.random.default_rng(0), list[float](), list[float]()
    for row in rng.permutation(len(places))[:count]:
        beside = int(np.argsort(np.square(places - places[row]).sum(1))[1])
        page.evaluate(_HOVER.replace("2000", "1"), [2, 2])  # away from all points
        for times, place in ((far, places[row]), (near, places[beside])):
            found = page.evaluate(_HOVER, place.tolist())
            if found is not None:
                times.append(found)
            page.wait_for_timeout(400)
    return far, near


if __name__ == "__main__":
    main()
