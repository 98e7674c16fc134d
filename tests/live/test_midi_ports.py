"""MIDI ports: which are there, which is meant, and messages through a real one of a JACK server."""

from __future__ import annotations

import sys
import threading

import jack
import pytest

from timbrespace.contracts import ConfigError
from timbrespace.live.midi import ports
from timbrespace.live.midi.ports import MidiError, choose_port, load_rtmidi, midi_ports, open_midi

NAMES = ["Midi Through:0", "Launchpad Mini:1", "Launchpad X:2", "nanoKONTROL2:3"]


@pytest.mark.parametrize(("wanted", "index"), [("nano", 3), ("2", 1), (" launchpad x", 2), ("Midi Through:0", 0), ("3", 2)])
def test_a_port_by_number_name_or_part(wanted: str, index: int) -> None:
    assert choose_port(wanted, NAMES) == index


def test_a_whole_name_is_that_port_also_if_others_contain_it() -> None:
    assert choose_port("keys", ["keys two", "Keys"]) == 1


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("piano", "there is no MIDI port 'piano'; ports are 1: Midi Through:0"),
        ("launchpad", "is part of 2 MIDI ports"),
        ("", "no MIDI port"),
    ],
)
def test_a_port_that_is_not_clear_is_refused_with_all_names(wanted: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        choose_port(wanted, NAMES)


def test_a_lacking_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rtmidi2", None)
    with pytest.raises(ConfigError, match=r"pip install 'timbrespace\[live\]'"):
        load_rtmidi()


def test_a_system_without_midi_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rtmidi2", reason="rtmidi2 is not installed")
    monkeypatch.setattr(ports, "_LINUX", True)
    monkeypatch.setattr(ports, "_try", lambda interface, virtual, direction: (None, f"no {interface or 'sequencer'}"))
    found = midi_ports()
    assert found.names == ()
    assert "neither an ALSA sequencer (no sequencer) nor a JACK server (no jack)" in found.problem
    with pytest.raises(MidiError, match="this system has no MIDI"):
        open_midi("virtual", print)
    with pytest.raises(MidiError, match="no JACK server answers"):
        open_midi("jack:virtual", print)


def test_an_interface_that_ends_its_process_is_a_problem_of_that_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_TRY", "import os, sys; print('MidiInJack::x: no', file=sys.stderr, flush=True); os.abort()")
    assert ports._try("", "") == (None, "MidiInJack::x: no")
    monkeypatch.setattr(ports, "_TRY", "while True: pass")
    monkeypatch.setattr(ports, "_ANSWER_SECONDS", 0.2)
    assert ports._try("", "") == (None, "no answer within 0.2 s")


def test_messages_through_a_virtual_port_of_a_jack_server() -> None:
    if jack.missing_midi():
        pytest.skip(jack.missing_midi())
    received: list[bytes] = []
    arrived = threading.Event()

    def receive(message: bytes) -> None:
        received.append(message)
        if message == b"\xfc":
            arrived.set()

    with jack.jack_server():
        assert midi_ports().problem == ""
        with open_midi("jack:virtual", receive) as port:
            assert port.name == "timbrespace:in (virtual)"
            rtmidi = load_rtmidi()
            sender = rtmidi.MidiOut("sender", api=rtmidi.API_UNIX_JACK)
            (number,) = (number for number, name in enumerate(sender.ports) if "timbrespace" in name)
            sender.open_port(number)
            messages = [
                b"\x90\x3c\x64",
                b"\xb0\x4a\x05",
                b"\xe1\x00\x60",
                b"\xc2\x07",
                b"\xd3\x11",
                b"\xf0\x7e\x7f\x09\x01\xf7",
                b"\xf8",
                b"\xfc",
            ]
            for message in messages:
                sender.send_raw(*message)
            assert arrived.wait(60)
            sender.close_port()
            with pytest.raises(ConfigError, match="there is no MIDI port 'nowhere'"):
                open_midi("jack:nowhere", receive)
        assert received == messages
