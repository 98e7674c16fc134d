"""`timbrespace play`: devices, recordings, what is refused."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient
from tests.live.jack import jack_server, missing

from shell import Shell
from timbrespace.contracts import ConfigError
from timbrespace.live import Engine
from timbrespace.live.device import audio
from timbrespace.live.device.audio import AudioError, DeviceInfo, choose_device
from timbrespace.live.device.keyboard import Keys, Kind
from timbrespace.live.device.loop import render_offline
from timbrespace.live.device.record import Recorder
from timbrespace.live.device.view import View, figures, meter
from timbrespace.live.state import EngineState


@pytest.fixture(scope="module")
def jack() -> Iterator[dict[str, str]]:
    """The environment of a JACK server that PortAudio finds."""
    if missing():
        pytest.skip(missing())
    with jack_server():
        environment = dict(os.environ)
        listed = subprocess.run([*PLAY, "--list"], env=environment, capture_output=True, text=True)
        if "JACK" not in listed.stdout:
            pytest.skip("PortAudio finds no JACK server here")
        yield environment


PLAY = [sys.executable, "-m", "timbrespace", "play"]


def wait_for_the_end(port: int) -> None:
    """Returns when a sound has begun and no voice sounds any more, however slowly a busy machine plays."""
    question, begun = OscMessageBuilder("/q/state").build().dgram, False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(30)
        for _ in range(1_500):
            asker.sendto(question, ("127.0.0.1", port))
            voices = OscMessage(asker.recv(1_024)).params[1]
            if begun and not voices:
                return
            begun = begun or voices > 0
            time.sleep(0.01)
    raise AssertionError("no sound began" if not begun else "the sound does not end")


def test_a_device_plays_what_keys_ask_for_and_it_is_recorded(jack: dict[str, str], drums_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "take.wav"
    ours, theirs = pty.openpty()
    command = [*PLAY, str(drums_file), "--record", str(out), "--block", "64", "--seed", "3", "--osc", "0"]
    process = subprocess.Popen(command, env=jack, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = 0
        while "keys" not in (line := process.stdout.readline()):
            assert line, process.communicate()[1]
            port = int(line.rpartition(":")[2]) if line.startswith("OSC on 127.0.0.1:") else port
        time.sleep(0.5)
        os.write(ours, b"1")
        wait_for_the_end(port)
        with SimpleUDPClient("127.0.0.1", port) as client:
            client.send_message("/mnote", [38.0, 100.0])
        wait_for_the_end(port)
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()  # closes its pipes
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0, errors
    assert "0 dropped" in printed
    heard, rate = soundfile.read(out, dtype="float32")
    assert rate == 48_000
    first = np.flatnonzero(np.abs(heard).max(1))[0]
    with Engine(drums_file, seed=3) as engine:  # the same samples as without a device
        engine.pad(0, 100)
        expected = engine.render(48_000)
        engine.note_on(38, 100)
        asked = engine.render(9_600)
    end = np.flatnonzero(np.abs(expected).max(1))[-1] + 1
    np.testing.assert_allclose(heard[first : first + end], expected[:end], atol=2e-7)
    later = heard[first + end :]
    second = np.flatnonzero(np.abs(later).max(1))[0] - np.flatnonzero(np.abs(asked).max(1))[0]
    count = min(np.flatnonzero(np.abs(asked).max(1))[-1] + 1, len(later) - second)  # the last block may be silent and not recorded
    assert count > 8_000
    np.testing.assert_allclose(later[second : second + count], asked[:count], atol=2e-7)


def test_a_server_that_ends_loses_no_recording(drums_file: Path, tmp_path: Path) -> None:
    """PortAudio does not notice, and would end the process where it is asked to end."""
    if missing():
        pytest.skip(missing())
    out = tmp_path / "take.wav"
    with jack_server(block=1_024, name="ends"):  # beside that of other tests
        command = [*PLAY, str(drums_file), "--record", str(out), "--osc", "0", "--quiet"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        while not (line := process.stdout.readline()).startswith("OSC on"):
            if not line:
                pytest.skip(f"PortAudio finds no JACK server here: {process.communicate()[1]}")
        with SimpleUDPClient("127.0.0.1", int(line.rpartition(":")[2])) as client:
            client.send_message("/mnote", [38.0, 100.0])
        time.sleep(1.5)
    try:
        lines = ""
        while "is gone" not in lines:
            line = process.stdout.readline()
            assert line, lines + process.communicate()[1]
            lines += line
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()  # closes its pipes
    assert process.returncode == 0, errors
    assert np.abs(soundfile.read(out)[0]).max() > 0.01


def test_devices_are_listed_and_chosen(jack: dict[str, str], drums_file: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*PLAY, *words], env=jack, capture_output=True, text=True)

    assert "system (JACK Audio Connection Kit, 48000 Hz)  default" in run("--list").stdout
    lacking = run(str(drums_file), "--rate", "44100", "--seconds", "0.1")
    assert (lacking.returncode, lacking.stderr) == (2, "error: system does not play at 44100 Hz; it has 48000: give --rate 48000\n")
    unknown = run(str(drums_file), "--device", "piano", "--seconds", "0.1")
    assert (unknown.returncode, unknown.stderr) == (2, "error: there is no audio device 'piano'; there are: 0 system\n")
    played = run(str(drums_file), "--device", "SYS", "--seconds", "0.3", "--quiet", "--humanise", "0.1", "--voices", "8")
    assert played.returncode == 0, played.stderr
    assert " late, 0 dropped" in played.stdout  # some are late where the machine is busy


def devices(*names: str) -> list[DeviceInfo]:
    return [DeviceInfo(number, name, "ALSA", 2, 44_100, number == 1) for number, name in enumerate(names)]


def test_the_choice_of_a_device() -> None:
    found = devices("USB One", "USB Two", "Built in")
    assert choose_device(found, None).name == "USB Two"
    assert choose_device(found, "built").number == 2
    assert choose_device(found, "0").name == "USB One"
    assert choose_device(found, "usb one").number == 0
    with pytest.raises(ConfigError, match="'usb' names several audio devices: USB One, USB Two"):
        choose_device(found, "usb")
    with pytest.raises(ConfigError, match="there is no audio device '7'; there are: 0 USB One; 1 USB Two; 2 Built in"):
        choose_device(found, "7")
    with pytest.raises(AudioError, match="there is no audio device that plays"):
        choose_device([], None)


def test_a_lacking_package_or_library_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "pip install 'timbrespace[live]'" in shell("play", "--list", code=2)

    class Missing:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(ConfigError, match="apt install libportaudio2"):
        audio.load_portaudio()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no instrument is given"),
        (("x.safetensors", "--block", "5"), "--block is 5"),
        (("x.safetensors", "--seconds", "0"), "--seconds is 0"),
        (("x.safetensors", "--record", "x.mp3"), "the name of a recording must end in .wav, .flac, .w64"),
        (("x.safetensors", "--mpe", "16"), "--mpe is 16"),
        (("x.safetensors", "--learn", "brightness"), "--learn needs --mapping"),
        (("x.safetensors", "--learn", "brightness", "--mapping", "m.yaml"), "--learn needs --midi, --osc or --page"),
        (("x.safetensors", "--osc-to", "127.0.0.1:9000"), "--osc-to needs --osc"),
        (("x.wav", "--record", "x.wav"), "x.wav is itself an input"),
    ],
)
def test_what_is_refused(words: tuple[str, ...], message: str, shell: Shell) -> None:
    assert message in shell("play", *words, code=2)


def test_a_recording_appears_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a.flac"
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, (1_000, 2)).astype(np.float32)
    with Recorder(out, sample_rate=48_000, channels=2) as recorder:
        recorder.write(audio)
        recorder.write(audio)
        assert not out.exists()
        assert recorder.seconds == pytest.approx(2_000 / 48_000)
    np.testing.assert_allclose(soundfile.read(out)[0], np.tile(audio, (2, 1)), atol=2e-7)
    with pytest.raises(KeyError), Recorder(tmp_path / "b.wav", sample_rate=48_000, channels=2) as recorder:
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["a.flac"]
    monkeypatch.setattr("timbrespace.live.device.record._MOST_WAV", 6_000)
    with Recorder(tmp_path / "c.wav", sample_rate=48_000, channels=2) as recorder:
        recorder.write(audio)
        recorder.write(audio)
        assert recorder.full
    assert len(soundfile.read(tmp_path / "c.wav")[0]) == 1_000


def test_offline_events_are_exact_and_the_end_is_silence(drums_file: Path, tmp_path: Path) -> None:
    def record(name: str, seconds: float | None) -> np.ndarray:
        with Engine(drums_file) as engine, Recorder(tmp_path / name, sample_rate=48_000, channels=2) as recorder:
            events = [(0.25, lambda: engine.note_on(36, 100)), (0.5, lambda: engine.note_on(38, 100)), (9.0, lambda: engine.note_on(36, 1))]
            render_offline(engine, events[:2] if seconds is None else events, recorder, seconds=seconds)
        return soundfile.read(tmp_path / name, dtype="float32")[0]

    whole, cut = record("a.wav", None), record("b.wav", 0.75)
    assert len(cut) == 36_000
    np.testing.assert_array_equal(whole[:36_000], cut)
    assert 12_000 <= np.flatnonzero(np.abs(cut).max(1))[0] < 12_010
    assert len(whole) < 4 * 48_000
    assert not whole[-10:].any()


def test_keys_of_the_terminal() -> None:
    class Player:
        def __init__(self) -> None:
            self.events: list[tuple[object, ...]] = []

        def note_on(self, note: float, velocity: float) -> None:
            self.events.append(("on", note))

        def note_off(self, note: float) -> None:
            self.events.append(("off", note))

        def pad(self, number: int, velocity: float) -> None:
            self.events.append(("pad", number))

        def program(self, number: int) -> None:
            self.events.append(("program", number))

    player = Player()
    keys = Keys(player, [Kind(True, 16)])
    assert [keys.press(key, 1.0) for key in ("a", "w", "x", "a", "z", "!", "")] == [True, True, True, True, True, False, False]
    keys.advance(1.1)
    assert player.events == [("on", 60), ("on", 61), ("on", 72)]
    keys.advance(2.0)
    assert player.events[3:] == [("off", 60), ("off", 61), ("off", 72)]
    player = Player()
    keys = Keys(player, [Kind(False, 3)])
    assert [keys.press(key, 1.0) for key in "134a"] == [True, True, False, False]
    assert player.events == [("pad", 0), ("pad", 2)]


def test_what_the_terminal_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert meter(1.0) == f"level [{'#' * 30}] 0 dBFS"
    assert meter(0.1) == f"level [{'#' * 17}{'-' * 13}] -20 dBFS"
    assert meter(0.0).endswith("silent")
    assert figures(EngineState(voices=3, load=0.0213, late=2), None) == "3 voices, load 2.1 %, program 0, 2 late"
    with View("drums") as view:
        view.say("playing drums")
        view.update(EngineState(last=("program 1: notes",)), None)
        view.update(EngineState(last=("program 1: notes", "no pad at note 3")), None)
    assert capsys.readouterr().out == "playing drums\nprogram 1: notes\nno pad at note 3\n"
