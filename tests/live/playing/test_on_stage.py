"""Playing goes on: full disks, closed terminals, small terminals, floods; errors count as their senders do."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
from collections import namedtuple
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile
from pythonosc.osc_message_builder import build_msg
from tests.live import instruments
from tests.live.fake_engine import FakeEngine

from timbrespace.cli.main import _terminate_like_interrupt
from timbrespace.contracts import TimbrespaceError
from timbrespace.live import Engine
from timbrespace.live.actions import Action
from timbrespace.live.conductor import Conductor
from timbrespace.live.device import loop
from timbrespace.live.device.events import described
from timbrespace.live.device.keyboard import Keys, Kind, Typed
from timbrespace.live.device.record import Recorder
from timbrespace.live.device.view import View
from timbrespace.live.held.pitch import Spectrum
from timbrespace.live.held.source import Frame
from timbrespace.live.mapping.targets import lacking, parse_target
from timbrespace.live.midi.ports import MidiIn
from timbrespace.live.midi.receiver import MidiReceiver
from timbrespace.live.midi.watch import Watch, place_of
from timbrespace.live.osc.addresses import Addresses
from timbrespace.live.osc.carrying import Carrier
from timbrespace.live.osc.feedback import Feedback, message_of
from timbrespace.live.osc.server import OscServer
from timbrespace.live.sound.places import Places
from timbrespace.live.state import EngineState
from timbrespace.web.playing.server import PagePlayer

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("ending", [".wav", ".flac", ".w64"])
def test_a_full_disk_ends_the_recording_and_keeps_it(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    free = [2**30]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2**31, 2**30, free[0]))
    audio = np.linspace(-0.5, 0.5, 2 * 48_000, dtype=np.float32).reshape(-1, 2)

    class Playing:
        def take(self) -> tuple[np.ndarray, int]:
            return audio, 7

    path = tmp_path / f"take{ending}"
    view: Any = View("drums", quiet=True)
    device: Any = Playing()
    with Recorder(path, sample_rate=48_000, channels=2) as recorder:
        loop._record(recorder, device, view)
        loop._record(recorder, device, view)
        free[0] = 1000
        loop._record(recorder, device, view)  # not an error: the sound goes on
        loop._record(recorder, device, view)
    assert capsys.readouterr().out.count("no room left on the disk") == 1
    kept, rate = soundfile.read(path)
    assert (len(kept), rate, recorder.lost) == (96_000, 48_000, 7)
    np.testing.assert_allclose(kept[48_000:], audio, atol=2**-22)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_closed_terminal_is_like_an_interrupt_unless_it_is_ignored() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with pytest.raises(KeyboardInterrupt), _terminate_like_interrupt():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == before
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with _terminate_like_interrupt():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_newest_lines_fit_a_small_terminal() -> None:
    view = View("drums and notes of a long name that goes on for ever on a device of a long name, 48000 Hz")
    view._live = object()
    for number in range(30):
        view.say(f"message {number} of many, each of which is longer than the terminal is wide")
    for action in [Action("pad", (2, 90)), Action("set_control", ("brightness", 0.5)), Action("note_off", (60, 0))]:
        view.happened(action)
    for width, height in ((40, 10), (80, 24), (20, 5), (200, 60)):
        rows = view._rows(EngineState(voices=1), None, "", width, height)
        assert len(rows) < height
        assert max(map(len, rows)) < max(width, 21)
        assert rows[0].startswith("drums and notes")
        assert "1 voice," in rows[2]
        if height >= 10:
            assert {"played pad 3 (90)", "moved brightness +0.50"} <= set(rows)
            assert any("message 29" in row for row in rows)


def test_what_happened_in_words() -> None:
    actions = [
        Action("note_on", (60, 0)), Action("note_on", (60.5, 99.6)), Action("set_latent", (0, -1.0)), Action("set_map", ()),
        Action("set_morph", (0, 3, 0.25)), Action("walk_tempo", (90.0,)), Action("sustain", (True,)), Action("all_sound_off"),
        Action("walk_start"),
    ]  # fmt: skip
    words = ["", "note 60.5 (100)", "z1 -1.00", "map left", "morph 1 4 0.25", "walk tempo 90", "pedal down", "all sound off", "walk start"]
    assert [described(action) for action in actions] == words


def test_notes_without_pads_are_said_once(capsys: Any) -> None:
    with View("drums") as view:
        for note in range(90):
            view.update(EngineState(last=("program 0: drums", f"no pad at note {note}")), None)
    assert capsys.readouterr().out == "program 0: drums\nno pad at note 0\n"


def test_what_keys_play_is_known_to_listeners(drums_file: Path) -> None:
    with Engine(drums_file) as engine:
        conductor = Conductor(engine, say=print)
        seen: list[str] = []
        conductor.listeners.append(lambda action: seen.append(described(action)))
        Typed(conductor.carry_out).pad(0, 100)
        Typed(conductor.carry_out).note_on(38, 90)
        assert seen == ["pad 1 (100)", "note 38 (90)"]
        assert np.abs(engine.render(2000)).max() > 0


@pytest.mark.parametrize(
    ("address", "value", "says"),
    [
        ("/latent/1", np.float32(8.1).item(), "latent 1 is 8.1, allowed is a number from -8 to 8"),
        ("/latent/7", 1.0, "z7: there are 6 latents"),
        ("/axis/99", 1.0, r"pc99: there are \d principal axes"),
        ("/pad/999", 100.0, r"pad 999: there are \d+ pads"),
        ("/control/nonsense", 1.0, "nonsense"),
    ],
)
def test_refusals_count_as_the_sender_does(drums_file: Path, address: str, value: float, says: str) -> None:
    found: list[str] = []
    with Engine(drums_file) as engine:
        conductor = Conductor(engine, say=lambda line: None)
        Carrier(conductor).put(address, [value], found.append)
        conductor.step()
    assert len(found) == 1
    assert re.search(says, found[0]), found


def test_targets_that_no_instrument_has(drums_file: Path, notes_file: Path) -> None:
    with Engine(drums_file, notes_file) as engine:
        sources = engine.sounds.sources
        for text in ("z1", "pc1", "pad 1", "morph 1 2", "gain", "program", "walk speed"):
            assert not lacking(parse_target(text), sources), text
        assert lacking(parse_target("brightnes"), sources).startswith("there is no control 'brightnes'")
        assert lacking(parse_target("morph 1 4000"), sources).startswith("morph 1 4000: there are")
        assert not lacking(parse_target("brightnes"), [])  # nothing is known


def test_the_map_is_left_again(tiny: Any) -> None:
    with Engine(tiny.file) as engine:
        own = engine.sounds.sources[0]
        base = engine.sounds.key(0, 0, 100, 0)
        engine.set_map(0.2, 0.9)
        moved = engine.sounds.key(0, 0, 100, 0)
        assert moved.wanted.place == (0.2, 0.9)
        assert not np.allclose(own.latent(moved), own.latent(base))
        engine.pad(1)  # a drum: the map stays
        assert engine.sounds.key(0, 1, 100, 0).wanted.place == (0.2, 0.9)
        engine.sounds.choose(0, 1)  # of notes and held sounds: what was chosen sounds
        assert engine.sounds.key(0, 1, 100, 0).wanted.place is None
        engine.set_map(0.2, 0.9)
        assert engine.sounds.key(0, 1, 100, 0).wanted.place == (0.2, 0.9)
        conductor = Conductor(engine, say=print)
        Carrier(conductor).put("/map", [], print)
        conductor.step()
        assert engine.sounds.key(0, 0, 100, 0) == base
        with pytest.raises(TimbrespaceError, match="y is None"):
            engine.set_map(0.2)


def test_nothing_jumps_on_the_way_over_the_map() -> None:
    random = np.random.default_rng(0)
    latents, positions = random.standard_normal((60, 4)), random.standard_normal((60, 2))
    places = Places(latents, positions, [None] * 60)
    for share in (0, 1):
        line = np.linspace(0, 1, 5_001)
        path = np.array([places.at((x, 0.37) if share else (0.61, x)) for x in line])
        steps = np.abs(np.diff(path, axis=0)).max(1)
        assert steps.max() < 0.05  # a neighbour that comes or goes made one of 0.3
    exact = places.at((float(places.points[3, 0]), float(places.points[3, 1])))
    np.testing.assert_allclose(exact, latents[3], atol=1e-3)


def test_whole_numbers_may_be_those_of_numpy(drums_file: Path) -> None:
    def played(whole: Any) -> np.ndarray:
        with Engine(drums_file, sample_rate=whole(44_100), voices=whole(8), seed=whole(3)) as engine:
            engine.set_latent(whole(1), 0.5)
            engine.pad(whole(2), 90, channel=whole(1), at=whole(100))
            engine.note_on(whole(36), whole(100), id=whole(5))
            return engine.render(whole(2_000))

    np.testing.assert_array_equal(played(np.int64), played(int))
    with Engine(drums_file) as engine:
        for bad in (True, 1.5, np.float32(1), "1", None, [1], np.array([1, 2])):
            with pytest.raises(TimbrespaceError, match="pad is"):
                engine.pad(bad)  # type: ignore[arg-type]
        with pytest.raises(TimbrespaceError, match="id is"):
            engine.note_on(60, 100, id=[1])  # type: ignore[arg-type]


def test_a_closed_engine_says_so(drums_file: Path) -> None:
    engine = Engine(drums_file)
    engine.close()
    engine.close()
    for use in (lambda: engine.render(10), lambda: engine.note_on(36, 100), lambda: engine.pad(0)):
        with pytest.raises(TimbrespaceError, match="closed"):
            use()
    engine.all_notes_off()  # ends what is over
    assert not engine.state().voices


def test_a_program_change_of_a_manager_is_for_its_zone() -> None:
    mpe, plain = MidiReceiver(members=3), MidiReceiver()
    assert mpe.receive(b"\xc0\x01") == [Action("program", (1,), channel) for channel in range(4)]
    assert mpe.receive(b"\xc2\x01") == [Action("program", (1,), 2)]
    assert plain.receive(b"\xc0\x01") == [Action("program", (1,), 0)]


def test_a_program_by_osc_may_name_its_channel() -> None:
    addresses = Addresses(lambda message: [])
    assert addresses.actions("/program", [1.0]) == [Action("program", (1,))]
    assert addresses.actions("/program", [1, 9]) == [Action("program", (1,), 9)]
    assert message_of(Action("program", (1,), 0)) == ("/program", (1,))
    assert message_of(Action("program", (1,), 9)) is None  # /q/program is that of the notes of OSC


def test_ids_of_osc_are_those_of_32_bits() -> None:
    addresses = Addresses(lambda message: [])
    assert addresses.actions("/mnote", [60, 100, 2**31 - 1])[0].id == 2**31 - 1
    frequency = addresses.actions("/fnote", [12_600.0, 100])[0].id
    assert frequency is not None
    assert frequency > 2**31 - 1
    assert addresses.actions("/ne/pitch", [3, 120.0]) == [Action("bend", (120.0,), id=3)]


def test_keys_of_a_terminal_reach_every_instrument_and_sound(drums_file: Path, notes_file: Path) -> None:
    with Engine(drums_file, notes_file) as engine:
        conductor = Conductor(engine, say=print)
        seen: list[str] = []
        conductor.listeners.append(lambda action: seen.append(described(action)))
        kinds = [Kind(source.notes, len(source.pads)) for source in engine.sounds.sources]
        keys = Keys(Typed(conductor.carry_out), kinds, program=lambda: engine.sounds.program(0))
        assert "Tab" in keys.help()
        assert [keys.press(key, 0.0) for key in "2\t2a\tz"] == [True, True, True, True, True, False]
        assert seen == ["pad 2 (100)", "program 1", "pad 2 (100)", "note 60 (100)", "program 0"]
        assert engine.sounds.chosen(1) == 1


def test_a_value_that_stays_is_not_sent_again() -> None:
    feedback = Feedback()
    feedback.done(Action("set_latent", (0, 0.5)))
    assert feedback.changed() == [("/latent/1", (0.5,))]
    feedback.done(Action("set_latent", (0, 0.5)))  # as it comes back from a program that shows values and sends them
    assert feedback.changed() == []
    feedback.done(Action("set_latent", (0, 0.25)))
    assert feedback.changed() == [("/latent/1", (0.25,))]


def test_answers_of_other_programs_are_not_answered() -> None:
    said: list[str] = []
    conductor = Conductor(FakeEngine(), say=said.append)
    with OscServer(conductor) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.settimeout(5)
        for address in ("/error", "/pong", "/state", "/ping"):
            other.sendto(build_msg(address, ["there is no OSC address /x"]).dgram, (server.host, server.port))
        assert other.recv(9999).startswith(b"/pong")  # of the last one alone
        other.settimeout(0.05)
        with pytest.raises(TimeoutError):
            other.recv(9999)
    assert len(said) == 1


def test_a_listener_that_fails_does_not_stop_the_rest() -> None:
    engine, said = FakeEngine(), list[str]()
    conductor = Conductor(engine, say=said.append)
    conductor.listeners.append(lambda action: 1 / 0)  # type: ignore[arg-type, return-value]
    assert conductor.carry_out([Action("set_gain", (1.0,)), Action("pad", (1, 100))]) == 2
    assert [call[0] for call in engine.calls] == ["set_gain", "pad"]
    assert "ZeroDivisionError" in said[0]


def test_a_sound_that_oscillators_leave_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = Spectrum(np.full(600, 1e-3, np.float32), 10.0, 1.5)
    path = instruments.held(tmp_path / "held.safetensors")
    for kind, said in (("bank", True), ("spectrum", False)):
        with Engine(path, held=kind) as engine:
            engine.note_on(60, 100)
            assert not any("noise" in line for line in engine.state().last)
            monkeypatch.setattr(engine.sounds.sources[0], "frame", lambda key, before: Frame(flat, 220.0))
            for value in (0.5, 0.6):
                engine.set_latent(0, value)
                engine.render(960)
            assert sum("nearly all noise" in line for line in engine.state().last) == said


def test_errors_of_a_page_name_its_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TimbrespaceError, match=rf"port {port} is taken.* another with --page"):
            PagePlayer(Conductor(FakeEngine(), say=print), str(port))
    with pytest.raises(TimbrespaceError, match=r"--page '192\.0\.2\.77' is no address of this computer"):
        PagePlayer(Conductor(FakeEngine(), say=print), "192.0.2.77:0")


def test_a_midi_port_that_vanished_is_opened_again() -> None:
    class Client:
        opened: ClassVar[list[Any]] = []

        def close_port(self) -> None:
            self.opened.append("closed")

        def open_port(self, number: int) -> None:
            self.opened.append(number)

    said: list[str] = []
    gone: list[int] = []
    watch = Watch(MidiIn(Client(), "keystep:keystep MIDI 1 24:0", ""), say=said.append, gone=lambda: gone.append(1))
    for names in (["through 14:0", "keystep:keystep MIDI 1 24:0"], ["through 14:0"], ["through 14:0"], []):
        watch.look(names)
    assert (len(said), gone, Client.opened) == (1, [1], [])
    watch.look(["through 14:0", "other 20:0", "keystep:keystep MIDI 1 28:0"])  # ALSA gives it another number
    watch.look(["keystep:keystep MIDI 1 28:0"])
    assert Client.opened == ["closed", 2]
    assert said[1].endswith("is back")
    assert place_of("in", ["in 2", "inn"]) is None
