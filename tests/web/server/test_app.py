"""The server's interface and pages: what is asked, what comes back, and that nothing asked for harms it."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import struct
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import schemathesis
import soundfile
from hypothesis import HealthCheck, given, settings

from timbrespace.instrument import Instrument
from timbrespace.native.interface import Opened
from timbrespace.native.library import load_core
from timbrespace.web.page import shown_rows
from timbrespace.web.server.app import make_app
from timbrespace.web.server.guard import BYTES, JSON, Guard, Limits
from timbrespace.web.server.office import Office
from timbrespace.web.server.running import listen, server_of
from timbrespace.web.server.served import Served
from timbrespace.web.server.uploads import name_in
from tiny import Tiny

BASE = "/api/instrument/0"
SIZES = {JSON: 128 * 1024, BYTES: 20_000_000}


class Site:
    """A server in this process. folder: its own, inside `around`, in which nothing else may change."""

    def __init__(self, files: list[Path], around: Path, *, folder: bool = True, engine: str = "auto"):
        self.folder = around / "OUT"
        self.folder.mkdir(parents=True, exist_ok=True)
        served = [Served(Instrument.load(file, engine=engine), title=f"tiny {n}", number=n) for n, file in enumerate(files)]
        self.office = Office(served, folder=self.folder if folder else None)
        self.app = make_app(self.office)
        self.listening = listen("127.0.0.1", 0)
        self.server = server_of(Guard(self.app, limits=Limits(sizes=SIZES)))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening.socket]}, daemon=True)
        self.thread.start()
        self.home = self.listening.address().rstrip("/")
        self.client = httpx.Client(base_url=self.home, timeout=120)

    def close(self) -> None:
        self.client.close()
        self.server.should_exit = True
        self.thread.join(30)
        self.listening.socket.close()
        assert not self.thread.is_alive()
        assert self.office.jobs.close()

    def post(self, verb: str, body: Any, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body)
        kind = BYTES if verb == "encode" else JSON
        return self.client.post(f"{BASE}/{verb}", content=content, headers={"Content-Type": kind, **headers})

    def ended(self, answer: Any) -> dict[str, Any]:
        """The last state of a job that was taken."""
        assert answer.status_code == 202, answer.text
        for _ in range(3000):
            state: dict[str, Any] = self.client.get(f"/api/jobs/{answer.json()['job']}").json()
            if state["state"] not in ("waiting", "running"):
                return state
            time.sleep(0.01)
        raise AssertionError(state)

    def generate(self, **more: Any) -> Any:
        return self.post("generate", {"id": str(uuid.uuid4()), "count": 2, **more})


@pytest.fixture(scope="module")
def site(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site([tiny.file], tmp_path_factory.mktemp("around"))
    yield made
    made.close()


@pytest.fixture
def other_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes further servers, which are closed after the test."""
    made: list[Site] = []

    def make(*files: Path, **options: Any) -> Site:
        made.append(Site(list(files), tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def wav(seconds: float = 0.2, rate: int = 44_100, channels: int = 1, kind: str = "WAV", subtype: str | None = None) -> bytes:
    time = np.arange(round(seconds * rate)) / rate
    audio = np.repeat((np.sin(2 * np.pi * 200 * time) * np.exp(-20 * time))[:, None], channels, axis=1)
    out = io.BytesIO()
    soundfile.write(out, audio, rate, format=kind, subtype=subtype)
    return out.getvalue()


# --- pages --------------------------------------------------------------------------------------------------------------


def facts_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.split('id="facts">')[1].split("</script>")[0])
    return found


def test_the_page_knows_its_server(site: Site) -> None:
    answer = site.client.get("/")
    expected = {"instruments": [{"title": "tiny 0", "href": "/instrument/0"}], "here": 0, "folder": True, "base": BASE}
    assert facts_of(answer.text)["server"] == expected
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


# --- files --------------------------------------------------------------------------------------------------------------


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_batch_is_a_new_folder_of_sounds_with_recipes(site: Site, instrument: Instrument) -> None:
    state = site.ended(site.generate(count=3, seed="5", category=0, kit=True))
    result = state["result"]
    assert state["done"] == state["of"]
    made = site.folder / result["folder"]
    assert made.parent == site.folder
    assert sorted(path.name for path in made.iterdir()) == result["files"]
    assert len([name for name in result["files"] if name.endswith(".wav")]) == 3
    assert {Path(name).suffix for name in result["files"]} == {".wav", ".json", ".sfz", ".dspreset"}
    for sound in instrument.generate(3, seed=5, category=instrument.categories[0]):
        audio, _ = soundfile.read(made / f"{sound.name}.wav", dtype="float32")
        assert np.abs(audio - sound.samples[0]).max() < 2**-22
        assert json.loads((made / f"{sound.name}.json").read_text())["timbrespace"] == "recipe"


def test_a_batch_in_words(site: Site) -> None:
    result = site.ended(site.generate(prompt="short kick"))["result"]
    recipe = json.loads((site.folder / result["folder"] / next(name for name in result["files"] if name.endswith(".json"))).read_text())
    assert recipe["asked"]["prompt"] == "short kick"
    assert "xyzzy" in site.ended(site.generate(prompt="xyzzy"))["error"]


def test_a_double_submit_makes_one_batch(site: Site) -> None:
    own, before = str(uuid.uuid4()), len(list(site.folder.iterdir()))
    answers = [site.generate(id=own) for _ in range(3)]
    assert len({answer.json()["job"] for answer in answers}) == 1
    site.ended(answers[0])
    assert site.generate(id=own).json() == answers[0].json()
    assert len(list(site.folder.iterdir())) == before + 1
    assert site.generate(id=own, count=3).status_code == 409


def test_a_cancelled_batch_leaves_nothing(site: Site) -> None:
    before = tree(site.folder)
    answer = site.generate(count=1000)
    assert site.client.delete(f"/api/jobs/{answer.json()['job']}").status_code == 200
    assert site.ended(answer)["state"] == "cancelled"
    assert tree(site.folder) == before


def test_without_a_folder_nothing_is_written(tiny: Tiny, other_site: Callable[..., Site]) -> None:
    none = other_site(tiny.file, folder=False)
    answer = none.generate()
    assert answer.status_code == 404
    assert "--folder" in answer.json()["error"]
    assert none.client.get("/").text.count('"folder": false') == 1


def test_a_folder_that_is_gone_is_a_sentence(tiny: Tiny, other_site: Callable[..., Site]) -> None:
    gone = other_site(tiny.file)
    gone.folder.rmdir()
    state = gone.ended(gone.generate())
    assert state["state"] == "failed"
    assert "could not write" in state["error"]


PATHS = ["../evil", "/tmp/evil", "..\\evil", "%2e%2e/evil", "a/../../evil", "~/evil", "C:\\evil", "evil\x00.wav", "file:///tmp/evil"]


@pytest.mark.parametrize("path", PATHS)
def test_no_field_is_a_path(site: Site, path: str) -> None:
    """Whatever field holds one: nothing outside the folder is made, and nothing is read."""
    around, before = site.folder.parent, {*tree(site.folder.parent)}
    for field in ("id", "category", "seed", "prompt", "folder", "name", "out", "kit", "count"):
        answer = site.generate(**{field: path})
        if answer.status_code == 202:
            assert field == "prompt"
            assert site.ended(answer)["state"] == "failed"
        else:
            assert answer.status_code == 422
    site.ended(site.post("encode", wav(), **{"X-Name": path.replace("\x00", "%00")}))
    for address in (f"/instrument/{path}", f"/{path}", f"/api/jobs/{path}", f"/static/{path}"):
        assert site.client.get(address.replace("\x00", "%00")).status_code in (404, 422)
    assert tree(around) == before
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize(
    "change",
    [{"count": 0}, {"count": 1001}, {"count": 1.5}, {"count": "2"}, {"count": True}, {"temperature": -0.1}, {"temperature": 5}, {"seed": 7},
     {"temperature": float("nan")}, {"seed": "9223372036854775808"}, {"seed": "-1"}, {"seed": "٣"}, {"category": -2}, {"category": 99},
     {"prompt": "x" * 1001}, {"prompt": ""}, {"id": "1"}, {"kit": "yes"}, {"more": 1}],
)  # fmt: skip
def test_every_value_is_checked(site: Site, change: dict[str, Any]) -> None:
    before = tree(site.folder)
    answer = site.generate(**change)
    if answer.status_code == 202:  # too large a seed
        assert "seed" in site.ended(answer)["error"]
    else:
        assert answer.status_code == 422
        assert next(iter(change)) in answer.json()["error"]
    assert tree(site.folder) == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 50_000, b'{"text": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(site: Site, body: bytes) -> None:
    answer = site.post("prompt", body)
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]


def test_unknown_addresses_and_jobs(site: Site) -> None:
    for address in ("/nothing", "/docs", "/openapi.json", "/redoc", "/api", "/api/jobs/x", "/instrument/9", "/instrument/-1"):
        assert site.client.get(address).status_code in (404, 422), address
    assert site.client.delete("/api/jobs/x").status_code == 404
    assert "error" in site.client.post("/", content=b"{}", headers={"Content-Type": JSON}).json()


# --- many requests ------------------------------------------------------------------------------------------------------


def test_the_interface_keeps_its_schema(site: Site) -> None:
    """Whatever is sent after the schema, or against it: an answer that the schema names, and never a failure of the server."""
    site.post("neighbours", {"z": [0.0] * 6})  # so that the first request does not load PyTorch
    schema = schemathesis.openapi.from_dict(site.app.openapi())
    checks = [schemathesis.checks.not_a_server_error, schemathesis.checks.response_schema_conformance]
    count = 0
    for result in schema.exclude(path_regex="instrument/.number.(/generate)?$").get_all_operations():
        operation = result.ok()

        @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
        def one(case: Any) -> None:
            nonlocal count
            count += 1
            if case.body and isinstance(case.body, dict) and isinstance(case.body.get("count"), int):
                case.body["count"] = min(case.body["count"], 2)
            case.call_and_validate(base_url=site.home, checks=checks)

        given(case=operation.as_strategy())(one)()
    assert count > 40


def flood(site: Site, count: int) -> int:
    """Sends requests of all kinds, and returns the growth of memory over the second half in KB."""
    z = [0.1] * 6
    kinds = [
        lambda: site.client.get("/api/jobs/x"),
        lambda: site.post("neighbours", {"z": z, "count": 3}),
        lambda: site.post("neighbours", {"z": [0.0]}),
        lambda: site.client.get("/", headers={"If-None-Match": tag}),
        lambda: site.client.get("/", headers={"Host": "evil.example"}),
        lambda: site.post("encode", b"no sound"),
        lambda: site.post("generate", {"id": "no"}),
        lambda: site.client.get("/nothing"),
    ]
    tag = site.client.get("/").headers["etag"]
    half = 0
    for number in range(count):
        kinds[number % len(kinds)]()
        if number == count // 2:
            half = resident()
    return resident() - half


def resident() -> int:
    """Memory of this process in KB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_stays_flat(site: Site, count: int) -> None:
    flood(site, 200)
    assert flood(site, count) < 12_000
    assert len(site.office.jobs._jobs) <= 220


def test_compressed_pages_are_the_page(site: Site) -> None:
    page = site.office.served[0].page(site.office.facts(0))
    assert gzip.decompress(page.packed) == page.plain
