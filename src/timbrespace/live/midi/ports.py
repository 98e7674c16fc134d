"""MIDI ports of the system, through rtmidi2: their names, messages as they arrive, and messages that are sent.

What a system can do is first tried in a process of its own. RtMidi ends the whole process where a JACK server refuses it, and the
libraries below it print lines of their own.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.live.midi.stamps import Stamps

VIRTUAL = "virtual"  # the word for a port of our own, to which other programs connect
CLIENT = "timbrespace"
_ANSWER_SECONDS = 10.0
_LINUX = sys.platform.startswith("linux")
_JACK = "jack"  # the word for the ports of a JACK server

# Run by a Python of its own with the name of an interface, of a virtual port ("" for none), and "in" or "out": prints {"ports": […]}.
_TRY = """
import json, sys
from timbrespace.live.midi.ports import load_rtmidi, open_client
client = open_client(load_rtmidi(), sys.argv[1], sys.argv[3])
if sys.argv[2]:
    client.open_virtual_port(sys.argv[2])
print(json.dumps({"ports": list(client.ports)}))
"""


class MidiError(TimbrespaceError):
    """MIDI is not there, or a port cannot be opened."""


@dataclass(frozen=True)
class MidiPorts:
    """Ports of one direction. interface: "" for its usual one, "jack". problem: why there are none, "" if they could be listed."""

    names: tuple[str, ...]
    interface: str = ""
    problem: str = ""


class MidiIn:
    """An open input port. Use it as a context manager, or call `close`."""

    def __init__(self, client: Any, name: str, interface: str | None = None):
        """interface: of a port of the system, see MidiPorts; None: of a port of our own."""
        self._client, self.name, self.interface = client, name, interface

    def open_again(self, number: int) -> None:
        """Opens the port of this number, counted from 0, in the place of one that vanished. Raises what RtMidi raises."""
        self._client.close_port()
        self._client.open_port(number)

    def close(self) -> None:
        """Closes the port; no message arrives afterwards."""
        client, self._client = self._client, None
        if client is not None:
            client.callback = None
            with suppress(Exception):  # of a device that was pulled out
                client.close_port()

    def __enter__(self) -> MidiIn:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MidiOut:
    """An open output port. Use it as a context manager, or call `close`."""

    def __init__(self, client: Any, name: str):
        self._client, self.name = client, name

    def send(self, message: bytes) -> None:
        """Sends a message. Raises MidiError where the port is gone."""
        try:
            self._client.send_raw(*message)
        except Exception as error:
            raise MidiError(f"MIDI cannot be sent to {self.name} ({str(error).strip() or type(error).__name__})") from None

    def close(self) -> None:
        """Closes the port."""
        with suppress(Exception):  # of a device that was pulled out
            self._client.close_port()

    def __enter__(self) -> MidiOut:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load_rtmidi() -> ModuleType:
    """Returns the package rtmidi2. Raises ConfigError where it is not installed."""
    if _LINUX:
        # The package brings a JACK library of 2016, whose protocol today's servers refuse; the system's own, if there is one, goes first.
        name = ctypes.util.find_library("jack")
        if name:
            with suppress(OSError):
                ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    try:
        import rtmidi2
    except ImportError:
        raise ConfigError("MIDI ports need the package rtmidi2; install it with: pip install 'timbrespace[live]'") from None
    return rtmidi2


def open_client(rtmidi: ModuleType, interface: str, direction: str = "in") -> Any:
    """Returns a client for input ("in") or output ("out"). interface: see MidiPorts."""
    api = rtmidi.API_UNIX_JACK if interface == _JACK else rtmidi.API_UNSPECIFIED
    if direction == "out":
        return rtmidi.MidiOut(f"{CLIENT} clock", api=api)
    # A long queue: RtMidi drops what does not fit, and the control thread may wait for Python's lock.
    return rtmidi.MidiIn(CLIENT, 4096, api=api)


def midi_ports(direction: str = "in") -> MidiPorts:
    """Returns the input ports ("in") or output ports ("out") of the system, of a JACK server where there is no other interface.

    Raises ConfigError where the package rtmidi2 is not installed.
    """
    load_rtmidi()
    return _ports("", direction=direction)


def open_midi(wanted: str, receive: Callable[[bytes], None], *, clock: Callable[[bytes, float], None] | None = None) -> MidiIn:
    """Returns an open port whose messages go to `receive`, on a thread of the system.

    wanted: part of its name or its number as listed, from 1; "virtual": a port of our own; "jack:…": either of them on a JACK server.
    receive must be quick; it is called with whole messages. clock: gets them first, and when they arrived, in s of `time.monotonic`.
    Raises ConfigError for a port that does not exist, MidiError.
    """

    stamps = Stamps()

    def got(message: Any, seconds: float) -> None:
        if clock is not None:
            clock(bytes(message), stamps.at(seconds, time.monotonic()))
        receive(bytes(message))

    def prepare(client: Any) -> None:
        # Clock and other one-byte messages are received; active sensing, three a second, is not.
        client.ignore_types(midi_sysex=False, midi_time=False, midi_sense=True)
        client.callback = got

    return MidiIn(*_open(wanted, "in", prepare))


def open_midi_out(wanted: str) -> MidiOut:
    """Returns an open output port. wanted: as for `open_midi`. Raises ConfigError for a port that does not exist, MidiError."""
    return MidiOut(*_open(wanted, "out", lambda client: None)[:2])


def _open(wanted: str, direction: str, prepare: Callable[[Any], None]) -> tuple[Any, str, str | None]:
    """An open client, the name of its port, and the interface of a port of the system. prepare: called before it is opened."""
    rtmidi = load_rtmidi()
    interface, _, name = wanted.rpartition(":") if wanted.casefold().startswith(f"{_JACK}:") else ("", "", wanted)
    virtual = name.strip().casefold() == VIRTUAL
    if virtual and os.name == "nt":
        raise ConfigError("Windows has no virtual MIDI ports; install loopMIDI, make a port there, and give its name")
    ports = _ports(interface.casefold(), VIRTUAL if virtual else "", direction)
    if ports.problem:
        raise MidiError(ports.problem)
    number = -1 if virtual else choose_port(name, ports.names)
    client = None
    try:
        client = open_client(rtmidi, ports.interface, direction)
        prepare(client)
        if virtual:
            client.open_virtual_port(direction)
        else:
            client.open_port(number)
    except Exception as error:
        if client is not None and direction == "in":
            client.callback = None
        what = f"the virtual MIDI port {CLIENT}" if virtual else f"the MIDI port {ports.names[number]!r}"
        raise MidiError(
            f"{what} cannot be opened ({str(error).strip() or type(error).__name__}); close other programs that use it"
        ) from None
    ours = CLIENT if direction == "in" else f"{CLIENT} clock"
    return (client, f"{ours}:{direction} (virtual)", None) if virtual else (client, ports.names[number], ports.interface)


def choose_port(wanted: str, names: Sequence[str]) -> int:
    """Returns the index of a port. wanted: its number from 1, its name, or a part of it, in any case. Raises ConfigError."""
    known = ", ".join(f"{number}: {name}" for number, name in enumerate(names, 1)) or "none"
    text = wanted.strip().casefold()
    if text.isdigit() and 1 <= int(text[:6]) <= len(names):
        return int(text) - 1
    folded = [name.casefold() for name in names]
    found = [index for index, name in enumerate(folded) if name == text] or [index for index, name in enumerate(folded) if text in name]
    if not text or not found:
        raise ConfigError(
            f"there is no MIDI port {wanted!r}; ports are {known}, and 'virtual' for one of our own (`timbrespace play --list`)"
        )
    if len(found) > 1:
        raise ConfigError(f"{wanted!r} is part of {len(found)} MIDI ports; ports are {known}: give more of the name, or the number")
    return found[0]


def _ports(interface: str, virtual: str = "", direction: str = "in") -> MidiPorts:
    """What a process of its own finds. virtual: the name of a port that it shall make, to see whether that works."""
    problems = []
    for one in [interface] if interface else ["", _JACK] if _LINUX else [""]:
        found, problem = _try(one, virtual, direction)
        if found is not None:
            return MidiPorts(tuple(found), one)
        problems.append(problem)
    return MidiPorts((), interface, _advice(problems))


def _try(interface: str, virtual: str, direction: str = "in") -> tuple[list[str] | None, str]:
    """The ports of one interface, or None and the last line that its library printed."""
    try:
        answer = subprocess.run(
            [sys.executable, "-c", _TRY, interface, virtual, direction],
            capture_output=True, text=True, errors="replace", timeout=_ANSWER_SECONDS,
            stdin=subprocess.DEVNULL, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"no answer within {_ANSWER_SECONDS:g} s"
    except OSError as error:
        return None, str(error)
    # A client that found no server exists, and has no ports: RtMidi only prints so.
    if answer.returncode == 0 and "server not running" not in answer.stderr:
        with suppress(ValueError, KeyError, TypeError, IndexError):
            return [str(name) for name in json.loads(answer.stdout.splitlines()[-1])["ports"]], ""
    lines = [
        line.strip()
        for line in answer.stderr.splitlines()
        if "MidiIn" in line or "MidiOut" in line or "Error" in line or "mismatch" in line
    ]
    return None, lines[-1][:200] if lines else f"it ended with {answer.returncode}"


def _advice(problems: Sequence[str]) -> str:
    """Why there is no MIDI, and what to do."""
    if not _LINUX:
        return f"this system's MIDI cannot be used ({problems[0]}); connect a device, or play by OSC with --osc"
    if len(problems) == 1:
        return f"no JACK server answers ({problems[0]}); start one (jackd, or PipeWire with pipewire-jack), or leave 'jack:' out"
    return (
        f"this system has no MIDI: neither an ALSA sequencer ({problems[0]}) nor a JACK server ({problems[-1]}). Load the sequencer "
        "(`modprobe snd-seq`, and be in the group audio), or start JACK or PipeWire; or play a MIDI file, or by OSC with --osc"
    )
