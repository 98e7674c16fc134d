"""The key map of kits: drums by General MIDI, pitched sounds around their roots."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kits import drum_entries, entry, labels_by_root
from timbrespace.export.keymap import HIGHEST_KEY, LOWEST_KEY, PAGE, keymap
from timbrespace.export.kit import KitEntry


def test_drums_get_their_general_midi_keys() -> None:
    (zones,) = keymap(drum_entries())
    placed = labels_by_root(zones)
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
def test_kinds_are_recognised_by_name(category: str | None, label: str, kind: str | None) -> None:
    assert KitEntry(Path("x.wav"), category, None, 1.0, label).kind == kind


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
            assert "kick" in str(labels_by_root(zones)[36]) or next(z for z in zones if z.root == 36).entry.category == "kick"
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
