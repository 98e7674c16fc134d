"""What a session holds comes back whole or not at all, and its seeds are those of Python."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import page_modules
import pytest
import soundfile

import browser
from timbrespace.instrument import Instrument, load
from timbrespace.noise import seed_of
from timbrespace.web.page import write_page
from tiny import Tiny

READY = 'body[data-ready="true"]'
HOSTILE = (
    None, True, "", "1", "x" * 50,
    [], [1], {}, {"z": 1}, -1, -0.5, 0.5, 1.5, 3, 17, 65, 2**31 + 1, 2**53, 1e300, -1e300, "18446744073709551616",
    "-1", "1.5", "0x10", "١", [[]], [None] * 64, {"length": 3}, {"__proto__": {"on": True}}, "constructor",
)  # fmt: skip


@pytest.fixture(scope="module")
def page_file(instrument: Instrument, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page") / "play.html", instrument, title="Tiny", bits=None)


@pytest.fixture
def page(page_file: Path) -> Iterator[Any]:
    with browser.opened(page_file) as tab:
        tab.wait_for_selector(READY, timeout=90_000)
        yield tab


def saved(page: Any) -> dict[str, Any]:
    with page.expect_download() as download:
        page.click("#take-session")
    found: dict[str, Any] = json.loads(Path(download.value.path()).read_text())
    return found


def load_file(page: Any, folder: Path, file: Any) -> str:
    """Loads a session as a user does and returns what the page says."""
    path = folder / "session.json"
    path.write_text(file if isinstance(file, str) else json.dumps(file))
    page.evaluate("document.getElementById('say').textContent = ''")
    page.set_input_files("#load-session", str(path))
    page.wait_for_selector("#say:has-text('session.json')")
    return str(page.locator("#say").text_content())


def test_the_first_pad_is_the_sound_that_python_makes_of_the_same_seed(page: Any, tiny: Tiny) -> None:
    """The page's first draw has seed 2: its seed of rendering, latent and samples are those of `generate --seed 2`."""
    pad = saved(page)["session"]["pads"][0]["sound"]
    assert pad["seed"] == str(seed_of(2, 0))
    assert seed_of(2, 0) > 2**53  # a number of JSON would lose its last bits
    instrument = load(tiny.file, engine="native")
    kind = instrument.categories[pad["category"]]
    sound = instrument.generate(1, seed=2, category=kind)[0]
    np.testing.assert_array_equal(np.asarray(pad["z"], np.float32), sound.latent.numpy())
    with page.expect_download() as download:
        page.click("#take-sound")
    audio, rate = soundfile.read(download.value.path(), always_2d=True)
    assert rate == instrument.sample_rate
    assert audio.T.shape == sound.samples.shape
    assert np.abs(audio.T - sound.samples).max() <= 2**-20


def test_a_session_of_the_older_page_is_loaded(page: Any, tmp_path: Path) -> None:
    """Version 1 held seeds as numbers of 53 bits; they stay what they are."""
    file = saved(page)
    assert file["version"] == 2
    file["version"] = 1
    for k, pad in enumerate(file["session"]["pads"]):
        pad["sound"]["seed"] = 2**53 - 1 - k
    assert "cannot" not in load_file(page, tmp_path, file)
    assert [pad["sound"]["seed"] for pad in saved(page)["session"]["pads"]] == [str(2**53 - 1 - k) for k in range(16)]


def test_a_session_with_the_largest_seed_plays(page: Any, tmp_path: Path) -> None:
    file = saved(page)
    file["session"]["pads"][0]["sound"]["seed"] = str(2**64 - 1)
    assert "cannot" not in load_file(page, tmp_path, file)
    with page.expect_download() as download:
        page.click("#take-sound")
    assert Path(download.value.path()).stat().st_size > 1000


WRONG: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("pads", 2, "sound", "seed"), 0.5, "session, pads 3, sound, seed must be a seed"),
    (("pads", 2, "sound", "seed"), str(2**64), "below 2^64"),
    (("pads", 2, "sound", "z"), [0.0], "sound, z must be a list of 6"),
    (("pads", 0, "sound", "category"), 99, "category must be a whole number from -1"),
    (("pads", 0, "sound", "samples"), 10**9, "samples must be a whole number"),
    (("pads", 0, "amounts"), {"no control": 1}, "amounts must be of"),
    (("pads", 0, "choke"), 1.5, "choke must be a whole number"),
    (("pads", 0), None, "pads 1 must be an object"),
    (("pads",), "sixteen", "pads must be a list"),
    (("selected",), 1.5, "selected must be a whole number"),
    (("seed",), 1.5, "seed must be a whole number"),
    (("pattern", "steps"), 16.5, "steps must be one of 8, 12, 16, 32, 64"),
    (("pattern", "seed"), 0.5, "pattern, seed must be a whole number"),
    (("pattern", "lanes", 1, "steps", 3, "ratchet"), 2.5, "lanes 2, steps 4, ratchet must be a whole number"),
    (("pattern", "lanes", 1, "steps", 3, "on"), 1, "on must be true or false"),
    (("favourites",), [None], "favourites 1 must be an object"),
]


def test_a_session_with_a_wrong_field_is_refused_by_name(page: Any, tmp_path: Path) -> None:
    before = saved(page)
    for place, value, words in WRONG:
        file = copy.deepcopy(before)
        put(file["session"], place, value)
        said = load_file(page, tmp_path, file)
        assert "cannot be loaded" in said, place
        assert words in said, place
    assert saved(page) == before


def put(root: Any, place: tuple[str | int, ...], value: Any) -> None:
    for step in place[:-1]:
        root = root[step]
    root[place[-1]] = value


def places(value: Any, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a session."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(place for key, one in inner for place in places(one, (*above, key)))]


def fits(session: Any, *, dims: int, kinds: int) -> bool:
    """Whether a session has in every field what the page can play, said a second time."""

    def within(value: Any, low: float, high: float, *, whole: bool = False) -> bool:
        return type(value) in (int, float) and low <= value <= high and (not whole or float(value).is_integer())

    def is_sound(sound: Any) -> bool:
        seed = sound["seed"]
        return (
            len(sound["z"]) == dims and all(within(x, -1e3, 1e3) for x in sound["z"])
            and within(sound["category"], -1, kinds - 1, whole=True)
            and type(seed) is str and str(int(seed)) == seed and 0 <= int(seed) < 2**64 and within(sound["samples"], 0, 1e7, whole=True)
        )  # fmt: skip

    def is_pad(pad: Any) -> bool:
        ranges = {"gain": (0, 4), "pan": (-1, 1), "tune": (-24, 24), "decay": (0, 10), "choke": (0, 4)}
        return (
            (pad["sound"] is None or (is_sound(pad["sound"]) and len(pad["plain"]) == dims))
            and all(within(pad[name], *ends, whole=name == "choke") for name, ends in ranges.items())
            and all(type(pad[name]) is bool for name in ("locked", "reverse", "mute", "solo"))
            and all(within(amount, -3, 3) for amount in pad["amounts"].values())
        )

    def is_step(step: Any) -> bool:
        return (
            type(step["on"]) is bool
            and within(step["velocity"], 0, 1)
            and within(step["probability"], 0, 1)
            and within(step["ratchet"], 1, 8, whole=True)
        )

    beat = session["pattern"]
    return (
        len(session["pads"]) == 16 and all(map(is_pad, session["pads"])) and all(map(is_sound, session["favourites"]))
        and within(session["selected"], 0, 15, whole=True) and within(session["category"], -1, kinds - 1, whole=True)
        and within(session["seed"], 0, 2**31, whole=True) and within(session["temperature"], 0, 4)
        and within(beat["tempo"], 30, 300) and within(beat["swing"], 0.5, 0.75) and beat["steps"] in (8, 12, 16, 32, 64)
        and within(beat["seed"], 0, 2**31, whole=True) and within(beat["endless"], 0, 1)
        and len(beat["lanes"]) == 16 and all(len(lane["steps"]) == 64 and all(map(is_step, lane["steps"])) for lane in beat["lanes"])
    )  # fmt: skip


def test_hostile_sessions_are_refused_or_whole(page: Any, instrument: Instrument) -> None:
    """Sessions with one to three places taken away or replaced: each is refused in words and changes nothing, or is one that plays."""
    rng, good = random.Random(7), saved(page)
    good["session"]["pattern"]["lanes"] = good["session"]["pattern"]["lanes"][:1]
    good["session"]["favourites"] = [copy.deepcopy(good["session"]["pads"][0]["sound"])]
    shallow = [place for place in places(good["session"]) if place and "steps" not in place[:-1]]
    deep = [place for place in places(good["session"]) if "steps" in place[:-1]]
    texts = []
    for _ in range(300):
        file = copy.deepcopy(good)
        for place in rng.sample(shallow, rng.randint(1, 2)) + rng.sample(deep, rng.randint(0, 1)):
            try:
                if rng.random() < 0.15:
                    root = file["session"]
                    for step in place[:-1]:
                        root = root[step]
                    del root[place[-1]]
                else:
                    put(file["session"], place, copy.deepcopy(rng.choice(HOSTILE)))
            except (KeyError, IndexError, TypeError):
                pass  # a place above it has gone
        texts.append(json.dumps(file))
    texts += [json.dumps({**good, "session": one}) for one in HOSTILE] + [json.dumps({**good, "version": one}) for one in HOSTILE]
    texts += [json.dumps(one) for one in HOSTILE] + [
        json.dumps(good).replace('"gain": 1', '"gain": 1e999'),
        '{"timbrespace": "session", "__proto__": {}}',
    ]
    page_modules.load(page, state=("session", "loadSession", "savedSession"))
    info = {
        "fingerprint": good["instrument"], "dims": instrument.dims, "capacity": 44_100, "controls": [],
        "categories": list(instrument.categories),
    }  # fmt: skip
    outcomes = page.evaluate(
        """([texts, info]) => {
      const { session, loadSession, savedSession } = window.found;
      return texts.map((text) => {
        const before = savedSession(info.fingerprint);
        try {
          loadSession(text, info);
          return { session: structuredClone(session) };
        } catch (error) { return { words: error.message, kind: error.constructor.name, same: savedSession(info.fingerprint) === before }; }
      });
    }""",
        [texts, info],
    )
    loaded = [outcome["session"] for outcome in outcomes if "session" in outcome]
    assert 10 < len(loaded) < len(outcomes) - 100
    assert all(fits(session, dims=instrument.dims, kinds=len(instrument.categories)) for session in loaded)
    for outcome in outcomes:
        if "session" not in outcome:
            assert outcome["kind"] == "Error"  # said on purpose, not stumbled over
            assert outcome["same"]
            assert len(outcome["words"]) < 300
    assert page.evaluate("({}).on === undefined")


def test_a_euclidean_beat_is_the_core_s(page: Any) -> None:
    """Four of sixteen on lane 1; lane 3 has seven onsets whose distances differ by one step at most."""
    page.click("#euclid")
    page.wait_for_selector("#say:has-text('euclidean')")
    lanes = saved(page)["session"]["pattern"]["lanes"]
    onsets = [[k for k, step in enumerate(lane["steps"][:16]) if step["on"]] for lane in lanes]
    assert onsets[0] == [0, 4, 8, 12]
    assert onsets[1] == [4, 12]
    assert [len(lane) for lane in onsets] == [4, 2, 7, 3, 5, 9, 11, 13, *[0] * 8]
    for lane in onsets[:8]:
        gaps = [(later - one) % 16 for one, later in zip(lane, lane[1:] + lane[:1], strict=True)]
        assert max(gaps) - min(gaps) <= 1
    assert lanes[2]["steps"][:16] == lanes[2]["steps"][16:32]
