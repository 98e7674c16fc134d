"""SFZ files: opcodes as players read them, and a real player where one is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kits import RATE, drum_entries, entry, write_sounds
from timbrespace.export.keymap import keymap
from timbrespace.export.kit import Kit
from timbrespace.export.sfz import SFZ


def read_sfz(path: Path) -> list[dict[str, str]]:
    """A small SFZ reader: regions with what they inherit from group and global."""
    text = re.sub(r"(?m)//.*$", "", path.read_bytes().decode("utf-8"))
    levels: dict[str, dict[str, str]] = {}
    regions = []
    for header, body in re.findall(r"<(\w+)>([^<]*)", text):
        opcodes = dict(re.findall(r"(\w+)=(.*?)(?=\s+\w+=|\s*$|\s*\n)", body))
        if header == "global":
            levels = {"global": opcodes}
        elif header == "group":
            levels["group"] = opcodes
        else:
            assert header == "region"
            regions.append({**levels.get("global", {}), **levels.get("group", {}), **opcodes})
    return regions


def test_sfz_parses_back(tmp_path: Path) -> None:
    entries = write_sounds(tmp_path, drum_entries())
    (path,) = SFZ().export(Kit("my kit", tuple(entries)), tmp_path)
    assert path == tmp_path / "my kit.sfz"
    regions = read_sfz(path)
    assert len(regions) == len(entries)
    assert {region["sample"] for region in regions} == {one.file.as_posix() for one in entries}
    assert all((tmp_path / region["sample"]).is_file() for region in regions)
    assert all("\\" not in region["sample"] for region in regions)
    assert len({region["key"] for region in regions}) == len(regions)
    assert all(region["loop_mode"] == "one_shot" for region in regions)
    for region in regions:
        choked = region["sample"].startswith("hat/")
        assert (region.get("group"), region.get("off_by")) == (("1", "1") if choked else (None, None))


def test_pitched_sfz(tmp_path: Path) -> None:
    entries = write_sounds(tmp_path, [entry("C3", root=48), entry("C4", root=60)])
    (path,) = SFZ().export(Kit("notes", tuple(entries)), tmp_path)
    regions = {region["sample"]: region for region in read_sfz(path)}
    assert {k: regions["C4.wav"][k] for k in ("lokey", "hikey", "pitch_keycenter", "loop_mode")} == {
        "lokey": "54",
        "hikey": "127",
        "pitch_keycenter": "60",
        "loop_mode": "no_loop",
    }


def midi(notes: list[tuple[int, float, float]]) -> bytes:
    """A MIDI file of (key, start s, end s), 1000 ticks a second."""
    events = sorted([(start, 0x90, key) for key, start, _ in notes] + [(end, 0x80, key) for key, _, end in notes])
    track, now = b"\x00\xff\x51\x03\x07\xa1\x20", 0  # a quarter lasts 0.5 s: 500 ticks
    for moment, status, key in events:
        ticks = round(moment * 1000) - now
        now += ticks
        steps = bytes([ticks & 0x7F])
        while ticks := ticks >> 7:
            steps = bytes([0x80 | ticks & 0x7F]) + steps
        track += steps + bytes([status, key, 127])
    track += b"\x00\xff\x2f\x00"
    return b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xf4" + b"MTrk" + len(track).to_bytes(4, "big") + track


PLAYER = shutil.which("sfizz_render")


@pytest.mark.skipif(PLAYER is None, reason="sfizz_render (of the sfizz package) is not installed")
def test_a_real_player_plays_every_key(tmp_path: Path) -> None:
    """sfizz plays each key of a kit in turn; the pitch of its output shows that the right file was played to its end."""
    entries = write_sounds(tmp_path, drum_entries())
    (path,) = SFZ().export(Kit("kit", tuple(entries)), tmp_path)
    placed = [(zone.root, entries.index(zone.entry)) for zone in keymap(entries)[0]]
    (tmp_path / "keys.mid").write_bytes(midi([(key, float(k), k + 0.02) for k, (key, _) in enumerate(placed)]))
    command = [str(PLAYER), "--sfz", str(path), "--midi", str(tmp_path / "keys.mid"), "--wav", str(tmp_path / "out.wav")]
    command += ["--samplerate", str(RATE), "--use-eot"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    audio, rate = soundfile.read(tmp_path / "out.wav", always_2d=True)
    assert rate == RATE
    for k, (_, number) in enumerate(placed[:-1]):  # the file may end with the last event
        heard = audio[k * RATE : (k + 1) * RATE, 0]
        spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size)))
        assert np.argmax(spectrum) == pytest.approx(300 + 110 * number, abs=4), entries[number].label
        late = np.abs(heard[int(0.8 * entries[number].seconds * RATE) : int(0.9 * entries[number].seconds * RATE)]).max()
        assert late > 0.005, entries[number].label  # the key was let go after 20 ms, the drum plays on
