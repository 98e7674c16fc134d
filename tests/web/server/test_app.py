"""The server's pages, words, neighbours and dropped sounds: what is asked, what comes back, and that a hostile sound does no harm."""

from __future__ import annotations

import io
import json
import resource
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from site_of import BASE, BYTES, JSON, Site, wav

from timbrespace.instrument import Instrument
from timbrespace.native.interface import Opened
from timbrespace.native.library import load_core
from timbrespace.web.page import shown_rows
from timbrespace.web.server.uploads import name_in
from tiny import Tiny

# --- pages --------------------------------------------------------------------------------------------------------------


def facts_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.split('id="facts">')[1].split("</script>")[0])
    return found


def test_the_page_knows_its_server(site: Site) -> None:
    answer = site.client.get("/")
    expected = {"instruments": [{"title": "tiny 0", "href": "/instrument/0"}], "here": 0, "folder": True, "base": BASE}
    server = facts_of(answer.text)["server"]
    assert len(server.pop("key")) == 16  # names the instrument: an old tab at another one is refused
    assert server == expected
    assert site.client.get("/instrument/0").text == answer.text
    policy = answer.headers["content-security-policy"]
    assert "connect-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert policy.split("; frame")[0] in answer.text.replace("&#x27;", "'")


def test_a_page_is_sent_compressed_or_plain_and_not_twice(site: Site) -> None:
    packed = site.client.get("/", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    plain = site.client.get("/", headers={"Accept-Encoding": "br, gzip;q=0"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    again = site.client.get("/", headers={"If-None-Match": f'"x", {plain.headers["etag"]}'})
    assert again.status_code == 304
    assert again.content == b""


def test_several_instruments_have_a_page_each(tiny: Tiny, other_site: Callable[..., Site]) -> None:
    two = other_site(tiny.file, tiny.file)
    assert '<a href="/instrument/1">tiny 1</a>' in two.client.get("/").text
    facts = facts_of(two.client.get("/instrument/1").text)["server"]
    assert (facts["here"], facts["base"], len(facts["instruments"])) == (1, "/api/instrument/1", 2)
    assert two.client.get("/instrument/2").status_code == 404


def test_an_instrument_that_the_core_does_not_play_still_makes_files(tiny: Tiny, other_site: Callable[..., Site]) -> None:
    """A page says why and offers what works; what only a page could use is refused."""
    other = other_site(tiny.file, engine="pytorch")
    page = other.client.get("/").text
    assert "cannot be played in a page" in page
    assert "--preset oneshot" in page
    assert 'id="form"' in page
    assert other.post("prompt", {"text": "short"}).status_code == 409
    assert other.post("encode", wav()).status_code == 409
    assert other.post("neighbours", {"z": [0.0]}).status_code == 409
    assert other.ended(other.generate())["state"] == "done"


# --- words, neighbours, dropped sounds -----------------------------------------------------------------------------------


def test_words_become_sounds_that_the_core_renders(site: Site, tiny: Tiny) -> None:
    body = {"text": "short kick xyzzy", "count": 3, "seed": "7"}
    answer = site.post("prompt", body).json()
    assert answer["unknown"] == ["xyzzy"]
    assert "category: kick" in answer["understood"]
    core = Opened(load_core(), tiny.file.read_bytes())
    for sound in answer["sounds"]:
        assert core.categories[sound["category"]] == "kick"
        assert np.abs(core.render(np.asarray(sound["z"], np.float32), int(sound["seed"]), category=sound["category"])).max() > 0.1
    assert site.post("prompt", body).json() == answer
    assert site.post("prompt", {**body, "seed": "8"}).json()["sounds"] != answer["sounds"]


@pytest.mark.parametrize("text", ["xyzzy", " ", "\u0000", "\ud800x", "not a not"])
def test_words_that_ask_for_nothing_are_a_sentence(site: Site, text: str) -> None:
    answer = site.post("prompt", {"text": text})
    assert answer.status_code == 422
    assert answer.json()["error"]


def test_the_neighbour_of_a_training_sound_is_itself(site: Site, instrument: Instrument) -> None:
    clips = instrument.contents.clips
    assert clips is not None
    rows = shown_rows(len(clips.names))
    first = 0
    for point in range(0, len(rows), 5):
        z = [float(value) for value in clips.latents[int(rows[point])]]
        near = site.post("neighbours", {"z": z, "count": 50}).json()["neighbours"]
        assert len(near) == len(rows)
        distances = [one["distance"] for one in near]
        assert distances == sorted(distances)
        first += point in [one["point"] for one in near[:3]]
    assert first >= len(range(0, len(rows), 5)) - 1  # its sound is decoded, and not the recording


@pytest.mark.parametrize("z", [[], [0.0], [0.0] * 5000, [1e30] * 6, ["0"] * 6, None, [True] * 6])
def test_a_latent_that_does_not_fit_is_refused(site: Site, z: Any) -> None:
    answer = site.post("neighbours", {"z": z})
    assert answer.status_code == 422
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("kind", "subtype", "rate", "channels"), [("WAV", None, 44_100, 1), ("FLAC", None, 48_000, 2), ("OGG", "VORBIS", 22_050, 1)]
)
def test_a_dropped_sound_is_encoded(site: Site, kind: str, subtype: str | None, rate: int, channels: int, instrument: Instrument) -> None:
    state = site.ended(site.post("encode", wav(0.2, rate, channels, kind, subtype), **{"X-Name": "kick%20%C3%A9.wav"}))
    result = state["result"]
    assert (state["done"], state["of"]) == (3, 3)
    assert len(result["z"]) == instrument.dims
    assert result["name"] == "kick é.wav"
    assert instrument.categories[result["category"]] == "kick"
    assert abs(result["seconds"] - 0.2) < 0.01
    assert 0 < result["error_db"] < 40
    assert len(result["neighbours"]) == 10


def huge_flac() -> bytes:
    """A small file of a long sound."""
    out = io.BytesIO()
    soundfile.write(out, np.zeros(44_100 * 90, np.int16), 44_100, format="FLAC")
    return out.getvalue()


def false_size() -> bytes:
    """A WAV whose header promises four gigabytes."""
    data = bytearray(wav())
    place = data.find(b"data")
    data[place + 4 : place + 8] = struct.pack("<I", 0xFFFFFFF0)
    return bytes(data)


HOSTILE = {
    "noise": lambda: np.random.default_rng(0).bytes(100_000),
    "text": lambda: b"<script>alert(1)</script>" * 100,
    "a zip": lambda: b"PK\x03\x04" + bytes(1000),
    "half a file": lambda: wav()[:3000],
    "a header": lambda: wav()[:44],
    "silence": lambda: wav(0.2).replace(wav(0.2)[44:], bytes(len(wav(0.2)) - 44)),
    "long": huge_flac,
    "false size": false_size,
    "many channels": lambda: wav(0.01, 44_100, 1000, "WAV"),
    "a path": lambda: b"/etc/passwd",
    "NaN": lambda: _floats(np.full(1000, np.nan, np.float32)),
}


def _floats(audio: Any) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, audio, 44_100, format="WAV", subtype="FLOAT")
    return out.getvalue()


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_file_is_a_sentence_or_a_sound(site: Site, name: str) -> None:
    before = set(Path(tempfile.gettempdir()).glob("timbrespace-*"))
    state = site.ended(site.post("encode", HOSTILE[name](), **{"X-Name": "..%2f..%2fetc%2fevil.wav"}))
    assert state["state"] == "failed" or name in ("false size", "many channels", "half a file")
    if state["state"] == "failed":
        assert "bug" not in state["error"]
        assert "/tmp" not in state["error"]
        assert tempfile.gettempdir() not in state["error"]
    assert set(Path(tempfile.gettempdir()).glob("timbrespace-*")) <= before  # nothing is kept


def test_a_long_sound_is_not_decoded(site: Site) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "90 s" in site.ended(site.post("encode", huge_flac()))["error"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KB


@pytest.mark.parametrize(
    ("header", "name"),
    [(None, "sound"), ("a%20b.wav", "a b.wav"), ("..%2F..%2Fetc%2Fpasswd", "passwd"),
     ("C%3A%5Cx%5Cy.wav", "y.wav"), ("%00%0d%0a", "\ufffd" * 3),
     ("..", ".."), ("%ff", "\ufffd"), ("/", "sound"), ("a" * 999, "a" * 200)],
)  # fmt: skip
def test_a_name_is_only_a_label(header: str | None, name: str) -> None:
    assert name_in(header) == name


def test_an_upload_needs_its_type_and_a_body(site: Site) -> None:
    assert site.client.post(f"{BASE}/encode", content=b"{}", headers={"Content-Type": JSON}).status_code == 415
    assert site.client.post(f"{BASE}/prompt", content=b"{}", headers={"Content-Type": BYTES}).status_code in (415, 422)
    assert site.post("encode", b"").status_code == 422
    assert site.post("encode", bytes(20_000_001)).status_code == 413
