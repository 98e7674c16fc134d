"""OSC: what messages do, what is answered, and packets of any content."""

from __future__ import annotations

import math
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from fake_engine import FakeEngine
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.live.conductor import Conductor
from timbrespace.live.mapping.mapping import Mapping
from timbrespace.live.mapping.schema import parse_mapping
from timbrespace.live.osc.addresses import HIGHEST_ID, Addresses
from timbrespace.live.osc.packets import LARGEST, OscError, read_packet
from timbrespace.live.osc.server import OscServer, parse_address

pythonosc = pytest.importorskip("pythonosc", reason="python-osc is not installed")


def packet(address: str, *values: Any) -> bytes:
    from pythonosc.osc_message_builder import build_msg

    return build_msg(address, list(values)).dgram


def bundle(seconds: float | None, *packets: bytes) -> bytes:
    tag = 1 if seconds is None else round((seconds + 2_208_988_800) * 2**32)
    return b"#bundle\0" + tag.to_bytes(8) + b"".join(len(part).to_bytes(4) + part for part in packets)


class Line:
    """A client of a server, and what came of it."""

    def __init__(self, server: OscServer, conductor: Conductor, engine: FakeEngine, said: list[str]):
        self.server, self.conductor, self.engine, self.said = server, conductor, engine, said
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(5)
        self.port = self._socket.getsockname()[1]

    def send(self, data: bytes) -> None:
        self._socket.sendto(data, ("127.0.0.1", self.server.port))

    def answer(self, *, step: bool = False, again: bytes = b"") -> tuple[str, tuple[Any, ...]]:
        """The next answer. step: the engine has to be called for it. again: sent every second, as UDP may lose a packet in a flood."""
        for attempt in range(1, 1000):
            if select.select([self._socket], [], [], 0.01)[0]:
                break
            if step:
                self.conductor.step()
            if again and attempt % 100 == 0:
                self.send(again)
        (message,) = read_packet(self._socket.recvfrom(65536)[0])
        return message.address, message.values

    def settle(self) -> list[tuple[Any, ...]]:
        """Calls of the engine after all that was sent before has been read: the server answers in order."""
        self.send(packet("/ping"))
        while (message := self.answer(again=packet("/ping")))[0] != "/pong":
            assert message[0] in ("/error", "/state")
        self.conductor.step()
        return self.engine.calls

    def close(self) -> None:
        self._socket.close()


@contextmanager
def line(mapping: Mapping | None = None, **options: Any) -> Iterator[Line]:
    engine, said = FakeEngine(), []
    conductor = Conductor(engine, say=said.append, mapping=mapping)
    with OscServer(conductor, **options) as server:
        client = Line(server, conductor, engine, said)
        try:
            yield client
        finally:
            client.close()


def calls(*messages: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """What messages do, without a socket."""
    engine = FakeEngine()
    conductor = Conductor(engine, say=lambda line: None)
    addresses = Addresses(conductor.midi_actions)
    for address, *values in messages:
        conductor.put(addresses.actions(address, values))
    conductor.step()
    return engine.calls


# --- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "call"),
    [
        (("/mnote", 60.0, 100.0, 7), ("note_on", 60, 100.0, {"id": 7})),
        (("/mnote", 60, 0), ("note_off", 60, 0)),
        (("/mnote/rel", 60, 10, 7), ("note_off", 60, 10.0, {"id": 7})),
        (("/mnote/rel", 60), ("note_off", 60, 0.0)),
        (("/ne/pitch", 7, -1.5), ("bend", -1.5, {"id": 7})),
        (("/ne/timbre", 7, 0.25), ("timbre", 0.25, {"id": 7})),
        (("/ne/pressure", 7, 1), ("pressure", 1.0, {"id": 7})),
        (("/allnotesoff",), ("all_notes_off",)),
        (("/allsoundoff",), ("all_sound_off",)),
        (("/pbend", 3, 1.0), ("bend", 2 * 8191 / 8192, {"channel": 3})),
        (("/cc", 2, 64, 127), ("sustain", True, {"channel": 2})),
        (("/chan_at", 0, 127), ("pressure", 1.0, {"channel": 0})),
        (("/sustain", 1), ("sustain", True)),
        (("/latent/3", 1.5), ("set_latent", 2, 1.5)),
        (("/latent", 1.0, 2, 3.5), ("set_latents", (1.0, 2.0, 3.5))),
        (("/axis/1", -2.0), ("set_axis", 0, -2.0)),
        (("/control/Brightness", 1), ("set_control", "brightness", 1.0)),
        (("/map", 0.2, 1.0), ("set_map", 0.2, 1.0)),
        (("/morph", 1, 2, 0.5), ("set_morph", 0, 1, 0.5)),
        (("/pad/4",), ("pad", 3, 100.0)),
        (("/pad/4", True), ("pad", 3, 1.0)),
        (("/program", 1), ("program", 1)),
        (("/gain", 0.5), ("set_gain", 0.5)),
    ],
)  # fmt: skip
def test_what_an_address_does(message: tuple[Any, ...], call: tuple[Any, ...]) -> None:
    assert calls(message) == [call]


def test_a_frequency_is_a_key_with_parts_of_a_semitone_and_its_own_id() -> None:
    (on,) = calls(("/fnote", 450.0, 90))
    assert on == ("note_on", pytest.approx(69 + 12 * math.log2(450 / 440)), 90.0, on[3])
    assert on[3]["id"] > HIGHEST_ID
    assert calls(("/fnote/rel", 450.0)) == [("note_off", on[1], 0.0, on[3])]
    assert calls(("/fnote", 440, 90, 5)) == [("note_on", 69.0, 90.0, {"id": 5})]


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (("/mnote",), "value 1, the note, is missing"),
        (("/mnote", 128, 1), "the note is 128"),
        (("/mnote", 60.5, 1), "give a whole number from 0 to 127"),
        (("/mnote", 60, math.nan), "the velocity is nan"),
        (("/mnote", "C4", 100), "the note is 'C4'"),
        (("/latent/2", math.inf), "the value is inf"),
        (("/latent/0", 1), "counted from 1"),
        (("/latent/x", 1), "counted from 1"),
        (("/latent",), "value 1, the value, is missing"),
        (("/map", 0.5), "value 2, the y, is missing"),
        (("/ne/volume", 1, 1), "there is no OSC address /ne/volume"),
        (("/", 1), "there is no OSC address"),
        (("/gain", -1), "the gain is -1"),
        (("/pad/2", [1]), r"the velocity is \[1\]"),
    ],
)
def test_what_is_wrong_is_said_in_words(message: tuple[Any, ...], says: str) -> None:
    with pytest.raises(OscError, match=says):
        calls(message)


# --- packets -----------------------------------------------------------------------------------------------------


def test_bundles_in_bundles_keep_order_and_times() -> None:
    data = bundle(None, packet("/a", 1), bundle(2e9 + 0.5, packet("/b", 2.0)), packet("/c"))
    assert [(message.address, message.values, message.due) for message in read_packet(data)] == [
        ("/a", (1,), None), ("/b", (2.0,), 2e9 + 0.5), ("/c", (), None),
    ]  # fmt: skip


def nested(depth: int) -> bytes:
    data = packet("/a")
    for _ in range(depth):
        data = bundle(None, data)
    return data


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no OSC"), (b"hello", "no OSC"), (b"#bundle\0", "cut off"), (b"/a b\0\0\0\0", "no OSC"), (b"/\xff\0\0", "no OSC"),
        (b"#bundle\0" + b"\0" * 7 + b"\1" + b"\xff\xff\xff\xfc" + b"/a\0\0", "part of -4 bytes"),
        (b"#bundle\0" + b"\0" * 7 + b"\1" + b"\0\0\0\x00", "part of 0 bytes"),
        (bundle(None, packet("/a", 1))[:-4], "where"),
        (nested(20), "nested more than"),
        (b"/a\0\0,i\0\0\0\0", "cannot be read"),
        (b"/a\0\0,x\0\0", "its types are ',x'"),
        (b"/a\0\0,[[\0", "cannot be read"),
        (b"/a\0\0,s\0\0\xff\xfe\0\0", "cannot be read"),
        (b"/" + b"a" * LARGEST, "up to 16,384"),
        (bundle(None, *[packet("/a")] * 1001), "more than 1000 messages"),
    ],
)  # fmt: skip
def test_a_damaged_packet_is_refused_in_words(data: bytes, says: str) -> None:
    with pytest.raises(OscError, match=says):
        read_packet(data)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=120),
        st.tuples(st.binary(max_size=60), st.integers(0, 60)).map(lambda pair: packet("/latent/1", 0.5)[: pair[1]] + pair[0]),
        st.binary(max_size=80).map(lambda data: b"#bundle\0" + data),
        st.binary(max_size=80).map(lambda data: b"/a\0\0," + data),
    )
)
def test_any_bytes_are_messages_or_refused(data: bytes) -> None:
    messages = None
    with suppress(OscError):
        messages = read_packet(data)
    assert messages is None or messages or data.startswith(b"#bundle\0")


# --- the server --------------------------------------------------------------------------------------------------


def test_messages_reach_the_engine_in_order_on_one_thread() -> None:
    with line() as osc:
        for note in range(40, 60):
            osc.send(bundle(None, packet("/latent/1", note / 100), packet("/mnote", note, 100)))
        assert osc.settle() == [
            call for note in range(40, 60) for call in (("set_latent", 0, pytest.approx(note / 100)), ("note_on", note, 100.0))
        ]
        assert len(osc.engine.threads) == 1
        assert osc.said == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (packet("/nowhere"), "there is no OSC address /nowhere"), (b"rubbish", "no OSC"), (packet("/map", math.nan, 0.5), "the x is nan"),
        (packet("/control/loudness", 1.0), "there is no control 'loudness'"), (packet("/latent/99", 1.0), "latent 99 is not one of 8"),
        (packet("/walk/speed", 1.0), "no walk plays"), (packet("/q/gain"), "nothing has set it yet"),
        (packet("/learn", "map q"), "is no target"),
    ],
)  # fmt: skip
def test_faults_are_answered_and_said_once(data: bytes, says: str) -> None:
    with line() as osc:
        for _ in range(3):
            osc.send(data)
            address, (text,) = osc.answer(step=True)
            assert address == "/error"
            assert says in text
        osc.send(packet("/mnote", 60, 100))
        assert ("note_on", 60, 100.0) in osc.settle()
        assert len(osc.said) == 1


def test_time_tags_are_kept_until_they_are_due() -> None:
    with line() as osc:
        now = time.time()
        osc.send(bundle(now + 0.3, packet("/mnote", 62, 100)))
        osc.send(bundle(now + 0.15, packet("/mnote", 61, 100)))
        osc.send(bundle(now - 10, packet("/mnote", 60, 100)))
        assert [call[1] for call in osc.settle()] == [60]
        while len(osc.engine.calls) < 3:
            osc.conductor.step(1.0)
            assert time.time() < now + 60
        assert [call[1] for call in osc.engine.calls] == [60, 61, 62]
        assert time.time() >= now + 0.3
        osc.send(bundle(now + 3600, packet("/mnote", 62, 100)))
        assert "s ahead; up to 60 s are kept" in osc.answer()[1][0]


def test_questions_and_changes_are_answered_whoever_changed() -> None:
    mapping = Mapping(parse_mapping({"controllers": [{"cc": 1, "target": "z2"}]}))
    with line(mapping, state=lambda: [0.5, 3]) as osc:
        osc.conductor.midi(b"\xb0\x01\x7f")
        osc.send(packet("/map", 0.25, 0.75))
        osc.settle()
        osc.send(packet("/q/latent/2"))
        assert osc.answer() == ("/latent/2", (3.0,))
        osc.send(packet("/q/all_params"))
        assert [osc.answer(), osc.answer()] == [("/latent/2", (3.0,)), ("/map", (0.25, 0.75))]
        osc.send(packet("/q/state"))
        assert osc.answer() == ("/state", (0.5, 3))


def test_changes_are_sent_to_where_the_user_said() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(5)
        with line(send_to=f"127.0.0.1:{other.getsockname()[1]}") as osc:
            osc.conductor.midi(b"\xc0\x02")
            for value in range(1, 101):
                osc.send(packet("/latent/1", value / 100))
            osc.settle()
            seen = {}
            while seen.get("/latent/1") != (1.0,):
                (message,) = read_packet(other.recvfrom(65536)[0])
                seen[message.address] = message.values
            assert seen == {"/program": (2,), "/latent/1": (1.0,)}


def test_an_address_of_another_program_is_learned_and_mapped() -> None:
    with line() as osc:
        osc.send(packet("/learn", "z3"))
        osc.send(packet("/1/fader1", 0.0))
        osc.send(packet("/1/fader1", 1.0))
        osc.send(packet("/1/fader1", 0.5))
        osc.settle()
        assert osc.engine.calls[-1] == ("set_latent", 2, 0.0)


def test_a_flood_is_carried_out_and_answered_little() -> None:
    """50,000 messages, good and bad, as fast as they can be sent: what UDP delivers is read, and the last value counts."""
    with line() as osc:
        good, bad, junk = packet("/control/brightness", 0.5), packet("/nowhere/at/all", 1), b"\xff" * 40
        for number in range(50_000):
            osc.send((good, bad, good, junk, packet("/latent/1", number / 50_000))[number % 5])
            if number % 1000 == 999:
                osc.conductor.step()
        osc.settle()
        osc.send(packet("/latent/1", 2.0))
        osc.send(packet("/mnote", 60, 100))
        assert osc.settle()[-2:] == [("set_latent", 0, 2.0), ("note_on", 60, 100.0)]
        assert len(osc.said) == 2  # each kind once
        assert osc.conductor.inbox.dropped == 0


@settings(max_examples=200, deadline=None)
@given(
    address=st.sampled_from(
        ["/mnote", "/fnote", "/latent/1", "/latent", "/map", "/morph", "/pad/1", "/program", "/cc", "/ne/pitch", "/gain", "/walk/speed"]
    ),
    values=st.lists(st.one_of(st.floats(width=32), st.integers(-300, 300), st.text(max_size=5), st.booleans(), st.none()), max_size=4),
)  # fmt: skip
def test_any_values_are_carried_out_or_refused(address: str, values: list[Any]) -> None:
    with suppress(OscError):
        for call in calls((address, *values)):
            assert all(not isinstance(value, float) or math.isfinite(value) for value in call[1:])


# --- ports -------------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_said_in_words() -> None:
    with line() as osc, pytest.raises(TimbrespaceError, match=f"UDP port {osc.server.port} of 127.0.0.1 is in use by another program"):
        OscServer(osc.conductor, str(osc.server.port))


def test_addresses_of_servers() -> None:
    assert parse_address("9000") == ("127.0.0.1", 9000)
    assert parse_address("0.0.0.0:9000") == ("0.0.0.0", 9000)
    assert parse_address("[::1]:9000") == ("::1", 9000)
    for text in ("", "x", ":9", "localhost:", "70000", "-1", "a:b"):
        with pytest.raises(ConfigError, match="is no address; give a port"):
            parse_address(text)
    conductor = Conductor(FakeEngine(), say=print)
    with pytest.raises(ConfigError, match="is no address of this machine"):
        OscServer(conductor, "no-such-host.invalid:9000")
    with pytest.raises(TimbrespaceError, match="OSC cannot use"):
        OscServer(conductor, "192.0.2.1:9000")
    with OscServer(conductor) as server:
        assert not server.is_open_to_others
