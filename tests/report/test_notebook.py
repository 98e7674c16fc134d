"""Sounds, instruments and maps in a notebook: players hold the samples, names are escaped, the size is bounded."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from browser import opened
from timbrespace.instrument import Instrument
from timbrespace.report.notebook import cells as notebook
from timbrespace.synthesis.sound import Sound
from timbrespace.synthesis.sounds import Sounds
from tiny import Tiny

RATE = 44_100
HOSTILE = '<script>alert("x")</script> & \'"/>\u202e'


class Parts(HTMLParser):
    """The tags of a piece of HTML with their attributes, and its text."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, attribute: str) -> list[str]:
        return [str(values.get(attribute)) for name, values in self.tags if name == tag]


def noise(seconds: float, *, name: str = "noise", channels: int = 1, seed: int = 0) -> Sound:
    audio = torch.rand(channels, round(seconds * RATE), generator=torch.Generator().manual_seed(seed)) - 0.5
    return Sound(name, audio, RATE)


def decoded(url: str, kind: str) -> bytes:
    assert url.startswith(f"data:{kind};base64,")
    return base64.b64decode(url.partition(",")[2], validate=True)


@pytest.fixture(scope="module")
def instrument(tiny: Tiny) -> Instrument:
    return Instrument.load(tiny.file)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_player_holds_the_samples(instrument: Instrument, channels: int) -> None:
    sound = noise(0.2, channels=channels)
    html = sound._repr_html_()
    assert html is not None
    (url,) = Parts(html).all("audio", "src")
    audio, rate = soundfile.read(io.BytesIO(decoded(url, "audio/wav")), dtype="float32", always_2d=True)
    assert rate == RATE
    assert np.abs(audio.T - sound.audio.numpy()).max() <= 1 / 32768
    (picture,) = Parts(html).all("img", "src")
    assert decoded(picture, "image/png").startswith(b"\x89PNG")


def test_lists_of_an_instrument_show_themselves(instrument: Instrument, tiny: Tiny) -> None:
    made = instrument.generate(3, seed=1)
    for sounds in (made, instrument.vary(tiny.sound, 3), instrument.morph([tiny.sound, tiny.other], 3)):
        assert isinstance(sounds, Sounds)
        parts = Parts(sounds._repr_html_() or "")
        assert len(parts.all("audio", "src")) == len(parts.all("img", "src")) == 3
        assert all(sound.name in parts.text for sound in sounds)
    assert "your own sound" in (instrument.morph([tiny.sound, tiny.other], 3)._repr_html_() or "")  # type: ignore[attr-defined]
    assert f"nearest {made[0].nearest}" in (made._repr_html_() or "")  # type: ignore[attr-defined]


def test_a_list_of_sounds_is_a_list() -> None:
    one, two = noise(0.01, name="one"), noise(0.01, name="two")
    sounds = Sounds([one, two])
    assert sounds == [one, two]
    assert isinstance(sounds, list)
    assert sounds[1] is two
    assert type(sounds[:1]) is type(sounds + [one]) is Sounds
    assert [sound.name for sound in sounds[::-1] + sounds] == ["two", "one", "one", "two"]
    assert repr(sounds) == "[<Sound 'one', 0.01 s>, <Sound 'two', 0.01 s>]"


def test_many_sounds_are_cut_with_a_note() -> None:
    html = notebook.sounds_html([noise(0.02, name=f"no {k}") for k in range(100)])
    parts = Parts(html)
    assert len(parts.all("audio", "src")) == notebook.MOST_SOUNDS
    assert "the first 24 of 100 sounds" in parts.text
    assert "[24:48]" in parts.text
    assert "no 23" in parts.text
    assert "no 24" not in parts.text


def test_the_size_is_bounded() -> None:
    sounds = [noise(15, name=f"long {k}", channels=2) for k in range(4)] + [noise(0.1, name="short")]
    parts = Parts(notebook.sounds_html(sounds))
    assert len(parts.all("audio", "src")) == 3  # two long ones and the short one
    assert parts.text.count("no room for its audio here") == 2
    assert sum(len(decoded(url, "audio/wav")) for url in parts.all("audio", "src")) <= notebook.MOST_BYTES
    parts = Parts(notebook.sounds_html([noise(60)]))
    (url,) = parts.all("audio", "src")
    assert soundfile.info(io.BytesIO(decoded(url, "audio/wav"))).duration == notebook.LONGEST_SECONDS
    assert "the first 20 s" in parts.text


def test_names_are_escaped() -> None:
    sound = Sound(HOSTILE, torch.zeros(1, 100), RATE, category=HOSTILE, nearest=HOSTILE, novelty=1.0)
    parts = Parts(notebook.sounds_html([sound]))
    assert {tag for tag, _ in parts.tags} <= {"div", "style", "p", "b", "figure", "img", "audio", "figcaption", "small", "bdi"}
    assert HOSTILE.replace("\u202e", "\N{REPLACEMENT CHARACTER}") in parts.text
    assert not [name for _, values in parts.tags for name in values if name.startswith("on")]


def test_a_sound_that_cannot_be_played() -> None:
    broken = Sound("broken", torch.full((1, 500), torch.nan), RATE)
    parts = Parts(notebook.sounds_html([broken, noise(0.1)]))
    assert "NaN or infinite samples" in parts.text
    assert len(parts.all("audio", "src")) == 1
    assert "time > 0" in Parts(notebook.sounds_html([Sound("empty", torch.zeros(1, 0), RATE)])).text
    assert "0 sounds" in notebook.sounds_html([])


def test_instruments(instrument: Instrument, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("notebook") / "stripped.safetensors"
    instrument.save(path, strip=True)
    for one in (instrument, Instrument.load(path)):
        parts = Parts(one._repr_html_())
        assert len(parts.all("audio", "src")) == 4
        assert f"{one.dims} numbers a sound" in parts.text
        assert all(category in parts.text for category in one.categories)
    assert "stripped" in parts.text
    assert not any(name in parts.text for name in instrument.neighbours.training.names)


def test_a_map_is_a_page_in_a_frame(instrument: Instrument) -> None:
    parts = Parts(instrument.map()._repr_html_())
    ((tag, values),) = parts.tags
    assert tag == "iframe"
    assert values["sandbox"] == "allow-scripts allow-downloads"
    assert re.match(r"\s*<!doctype html>", str(values["srcdoc"]))


def test_no_package_of_notebooks_is_imported() -> None:
    code = (
        "import sys, timbrespace.instrument, timbrespace.report.notebook.cells; print(sorted({'IPython', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_players_play_in_a_browser(tmp_path: Path) -> None:
    path = tmp_path / "cell.html"
    path.write_text(f"<!doctype html><meta charset=utf-8>{notebook.sounds_html([noise(0.3), noise(0.1)])}", encoding="utf-8")
    with opened(path) as tab:
        assert tab.evaluate("Promise.all([...document.images].map((image) => image.decode())).then((all) => all.length)") == 2
        lengths = tab.evaluate(
            "Promise.all([...document.querySelectorAll('audio')].map((one) => new Promise((done) => {"
            "one.addEventListener('loadedmetadata', () => done(one.duration)); one.preload = 'auto'; one.load(); })))"
        )
        assert lengths == pytest.approx([0.3, 0.1], abs=0.01)
