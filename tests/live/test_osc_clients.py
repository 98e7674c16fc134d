"""OSC from programs that others wrote, and the example patches of docs/live."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine

from timbrespace.live.conductor import Conductor
from timbrespace.live.osc.addresses import Addresses
from timbrespace.live.osc.server import OscServer

PATCHES = Path(__file__).parents[2] / "docs" / "live"
MAX_PATCHES = sorted(PATCHES.glob("*.maxpat"))


class Played:
    """A server, its engine, and the faults that were said."""

    def __init__(self, server: OscServer, conductor: Conductor, engine: FakeEngine, said: list[str]):
        self.port, self.said, self._conductor, self._engine = server.port, said, conductor, engine

    def calls(self, count: int) -> list[tuple[Any, ...]]:
        """The calls of the engine, once there are `count`."""
        end = time.monotonic() + 60
        while len(self._engine.calls) < count and time.monotonic() < end:
            self._conductor.step(0.05)
        return self._engine.calls


@pytest.fixture
def played() -> Iterator[Played]:
    engine, said = FakeEngine(), []
    conductor = Conductor(engine, say=said.append)
    with OscServer(conductor) as server:
        yield Played(server, conductor, engine, said)


def program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt install {package})")
    return found


def test_oscsend(played: Played) -> None:
    oscsend = program("oscsend", "liblo-tools")
    for words in (
        ["/mnote", "iii", "60", "100", "7"],
        ["/ne/pitch", "if", "7", "0.5"],
        ["/control/brightness", "d", "1.5"],
        ["/mnote/rel", "fff", "60", "0", "7"],
    ):
        subprocess.run([oscsend, "127.0.0.1", str(played.port), *words], check=True, timeout=60)
    assert played.calls(4) == [
        ("note_on", 60, 100.0, {"id": 7}), ("bend", 0.5, {"id": 7}), ("set_control", "brightness", 1.5), ("note_off", 60, 0.0, {"id": 7}),
    ]  # fmt: skip
    assert played.said == []


def test_the_patch_for_pure_data_loads_without_a_word_and_plays(played: Played) -> None:
    pd = program("pd", "puredata-core")
    words = [
        f"timbrespace-connect 127.0.0.1 {played.port}",
        "timbrespace-note 60 100",
        "timbrespace-z1 1.5",
        "timbrespace-pad 90",
        "timbrespace-note 60 0",
    ]
    sent = [word for message in [*words, "pd quit"] for word in ("-send", message)]
    command = [pd, "-nogui", "-noaudio", "-nomidi", "-noprefs", "-stderr", "-open", str(PATCHES / "timbrespace.pd"), *sent]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, "", "")
    assert played.calls(4) == [("note_on", 60, 100.0), ("set_latent", 0, 1.5), ("pad", 0, 90.0), ("note_off", 60, 0)]
    assert played.said == []


def boxes_of(path: Path) -> dict[str, dict[str, Any]]:
    patcher = json.loads(path.read_text(encoding="utf-8"))["patcher"]
    boxes = {item["box"]["id"]: item["box"] for item in patcher["boxes"]}
    assert len(boxes) == len(patcher["boxes"])
    for line in patcher["lines"]:
        (source, outlet), (target, inlet) = line["patchline"]["source"], line["patchline"]["destination"]
        assert 0 <= outlet < boxes[source]["numoutlets"]
        assert 0 <= inlet < boxes[target]["numinlets"]
    return boxes


@pytest.mark.parametrize("path", MAX_PATCHES, ids=lambda path: path.stem)
def test_patches_for_max_are_patchers_whose_messages_exist(path: Path) -> None:
    conductor = Conductor(FakeEngine(), say=print)
    addresses = Addresses(conductor.midi_actions)
    texts = [box.get("text", "") for box in boxes_of(path).values()]
    assert "udpsend 127.0.0.1 9000" in texts
    messages = [text.removeprefix("prepend ").split() for text in texts if text.removeprefix("prepend ").startswith("/")]
    assert len(messages) >= 5
    for address, *values in messages:
        usual = {"/mnote": [60, 100], "/map": [0.5, 0.5]}.get(address, [0.5])
        assert addresses.actions(address, [float(value) for value in values] or usual)


def test_the_device_for_live_has_dials_with_ranges() -> None:
    dials = [box for box in boxes_of(PATCHES / "timbrespace-live-device.maxpat").values() if box["maxclass"] == "live.dial"]
    assert len(dials) >= 4
    for dial in dials:
        values = dial["saved_attribute_attributes"]["valueof"]
        assert values["parameter_mmin"] <= values["parameter_initial"][0] <= values["parameter_mmax"]
        assert dial["parameter_enable"] == 1
