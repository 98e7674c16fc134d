"""New sounds in the folder of the server, and that no request writes elsewhere."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from site_of import JSON, Site, tree, wav

from timbrespace.instrument import Instrument
from tiny import Tiny


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
