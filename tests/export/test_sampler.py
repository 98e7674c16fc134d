"""Kits for samplers: placement on the keyboard, SFZ and Decent Sampler files that parse back, and a real player where one is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from timbrespace.contracts import ConfigError, OutputExistsError
from timbrespace.export.keymap import HIGHEST_KEY, LOWEST_KEY, PAGE, Zone, keymap, kind_of
from timbrespace.export.sampler import KitEntry, write_decent_sampler, write_sfz

RATE = 44_100


def entry(name: str, category: str | None = None, *, root: int | None = None, seconds: float = 0.5) -> KitEntry:
    return KitEntry(Path(f"{name}.wav"), category, root, seconds, name)


def keys(zones: list[Zone]) -> dict[int, str]:
    return {zone.root: zone.entry.label for zone in zones}


def kit(folder: Path, entries: list[KitEntry]) -> list[KitEntry]:
    """Writes a decaying tone for every entry, each of its own pitch, so that a player's output tells which file was played."""
    for k, one in enumerate(entries):
        path = folder / one.file
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(round(one.seconds * RATE)) / RATE
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * (300 + 110 * k) * time) * np.exp(-3 * time / one.seconds), RATE, subtype="PCM_16")
    return entries


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


def some_drums() -> list[KitEntry]:
    return [
        entry("kick/kick 001", "kick"),
        entry("snare/snare 001", "snare"),
        entry("hat/hat long", "hat", seconds=0.9),
        entry("hat/hat short", "hat", seconds=0.1),
        entry("clap/clap 001", "clap"),
        entry("tom/tom 001", "tom"),
        entry("tom/tom 002", "tom"),
        entry("cymbal/crash 001", "cymbal"),
        entry("kick/kick 002", "kick"),
        entry("kick/kick 003", "kick"),
        entry("odd/grosse trömmel & söhne", None),
    ]


def test_drums_lie_where_general_midi_has_them() -> None:
    (zones,) = keymap(some_drums())
    placed = keys(zones)
    assert placed[36] == "kick/kick 001"
    assert placed[35] == "kick/kick 002"
    assert placed[38] == "snare/snare 001"
    assert placed[39] == "clap/clap 001"
    assert placed[42] == "hat/hat short"
    assert placed[46] == "hat/hat long"
    assert placed[45] == "tom/tom 001"
    assert placed[47] == "tom/tom 002"
    assert placed[49] == "cymbal/crash 001"
    assert placed[37] == "kick/kick 003"  # the first free key from 36
    assert len(placed) == 11
    assert {zone.entry.label for zone in zones if zone.choke} == {"hat/hat long", "hat/hat short"}


@pytest.mark.parametrize(
    ("category", "label", "kind"),
    [
        ("Closed Hats", "x", "closed hat"),
        ("hat", "Hat Open 3", "open hat"),
        ("HiHat", "x", "hat"),
        ("Bass Drum", "x", "kick"),
        ("Side Stick", "x", "rim"),
        ("snares", "kick", "snare"),
        ("cowbell", "x", "cowbell"),
        ("that", "x", None),
        ("chat", "hat", None),
        (None, "BD_03", "kick"),
        (None, "tomato", None),
    ],
)
def test_kinds_are_known_by_their_names(category: str | None, label: str, kind: str | None) -> None:
    assert kind_of(KitEntry(Path("x.wav"), category, None, 1.0, label))[0] == kind


@pytest.mark.parametrize("count", [1, 90, 127, 128, 300])
def test_no_drum_is_lost_and_no_key_is_used_twice(count: int) -> None:
    kinds = ["kick", "snare", "hat", "tom", "clap", "cymbal", "zither", None]
    entries = [entry(f"sound {k}", kinds[(k * len(kinds)) // count], seconds=0.1 + k / count) for k in range(count)]
    pages = keymap(entries)
    assert len(pages) == -(-count // PAGE)
    for zones in pages:
        used = [zone.root for zone in zones]
        assert len(set(used)) == len(used)
        assert all(LOWEST_KEY <= key <= HIGHEST_KEY for key in used)
        assert all(zone.low == zone.high == zone.root for zone in zones)
        if count >= 90:
            assert "kick" in str(keys(zones)[36]) or next(z for z in zones if z.root == 36).entry.category == "kick"
    assert Counter(zone.entry.label for zones in pages for zone in zones) == Counter(one.label for one in entries)


def test_pitched_sounds_cover_the_keyboard_around_their_roots() -> None:
    entries = [entry("high", root=72), entry("low", root=48), entry("mid", root=59), entry("low again", root=48)]
    first, second = keymap(entries)
    assert [(zone.entry.label, zone.low, zone.root, zone.high) for zone in first] == [
        ("low", 1, 48, 53),
        ("mid", 54, 59, 65),
        ("high", 66, 72, 127),
    ]
    assert [(zone.entry.label, zone.low, zone.high) for zone in second] == [("low again", 1, 127)]
    for zones in (first, second):
        assert sorted(key for zone in zones for key in range(zone.low, zone.high + 1)) == list(range(1, 128))


def test_one_unpitched_sound_makes_it_a_drum_kit() -> None:
    (zones,) = keymap([entry("a", root=60), entry("b")])
    assert all(zone.low == zone.high for zone in zones)


def test_sfz_parses_back(tmp_path: Path) -> None:
    entries = kit(tmp_path, some_drums())
    (path,) = write_sfz(tmp_path, entries, name="my kit")
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
    entries = kit(tmp_path, [entry("C3", root=48), entry("C4", root=60)])
    (path,) = write_sfz(tmp_path, entries, name="notes")
    regions = {region["sample"]: region for region in read_sfz(path)}
    assert {k: regions["C4.wav"][k] for k in ("lokey", "hikey", "pitch_keycenter", "loop_mode")} == {
        "lokey": "54",
        "hikey": "127",
        "pitch_keycenter": "60",
        "loop_mode": "no_loop",
    }


def test_decent_sampler_parses_back(tmp_path: Path) -> None:
    entries = kit(tmp_path, [*some_drums(), entry("odd/b & 'quoted' ü", "kick")])
    (path,) = write_decent_sampler(tmp_path, entries, name="my -- kit & <co>")
    text = path.read_bytes().decode("utf-8")
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    root = ElementTree.fromstring(text)
    assert root.tag == "DecentSampler"
    assert [child.tag for child in root if isinstance(child.tag, str)] == ["groups"]
    samples = root.findall("./groups/group/sample")
    assert {sample.get("path") for sample in samples} == {one.file.as_posix() for one in entries}
    assert all((tmp_path / str(sample.get("path"))).is_file() for sample in samples)
    notes = [sample.get("rootNote") for sample in samples]
    assert len(set(notes)) == len(notes)
    assert all(sample.get("loNote") == sample.get("hiNote") == sample.get("rootNote") for sample in samples)
    (hats,) = [group for group in root.iter("group") if group.get("silencedByTags")]
    assert hats.get("silencedByTags") == hats.get("tags") == "hats"
    assert {sample.get("path") for sample in hats} == {"hat/hat long.wav", "hat/hat short.wav"}


def test_pages_are_numbered_files_and_hold_every_sound(tmp_path: Path) -> None:
    entries = [entry(f"s/{k:03d}", "snare") for k in range(PAGE + 3)]
    (tmp_path / "s").mkdir()
    for one in entries:
        (tmp_path / one.file).touch()
    paths = write_sfz(tmp_path, entries, name="big")
    assert [path.name for path in paths] == ["big.sfz", "big 2.sfz"]
    assert {region["sample"] for path in paths for region in read_sfz(path)} == {one.file.as_posix() for one in entries}
    presets = write_decent_sampler(tmp_path, entries, name="big")
    assert sum(len(list(ElementTree.parse(path).iter("sample"))) for path in presets) == len(entries)


def test_existing_kits_are_kept_unless_forced(tmp_path: Path) -> None:
    entries = kit(tmp_path, [entry("a", "kick", root=40), entry("b", "kick", root=40)])
    (tmp_path / "k 2.sfz").write_text("mine")
    with pytest.raises(OutputExistsError):
        write_sfz(tmp_path, entries, name="k")
    assert not (tmp_path / "k.sfz").exists()  # nothing half written
    assert (tmp_path / "k 2.sfz").read_text() == "mine"
    assert len(write_sfz(tmp_path, entries, name="k", force=True)) == 2
    assert write_sfz(tmp_path, entries, name="../../evil", force=True)[0].parent == tmp_path


def test_bad_kits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one"):
        write_sfz(tmp_path, [], name="k")
    with pytest.raises(ConfigError, match="not in"):
        write_sfz(tmp_path, [entry("missing")], name="k")
    for outside in (Path("../x.wav"), (tmp_path / "x.wav").absolute()):
        with pytest.raises(ConfigError, match="inside"):
            write_sfz(tmp_path, [KitEntry(outside, None, None, 1.0, "x")], name="k")
    kit(tmp_path, [entry("a=b")])
    with pytest.raises(ConfigError, match="rename"):
        write_sfz(tmp_path, [entry("a=b")], name="k")
    assert write_decent_sampler(tmp_path, [entry("a=b")], name="k")
    with pytest.raises(ConfigError, match="root note"):
        write_sfz(tmp_path, kit(tmp_path, [entry("a", root=200)]), name="k")


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
    """Each key of a kit is struck in turn with sfizz; the pitch heard tells that the right file was played, to its end."""
    entries = kit(tmp_path, some_drums())
    (path,) = write_sfz(tmp_path, entries, name="kit")
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
