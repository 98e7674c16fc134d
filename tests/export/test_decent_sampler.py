"""Decent Sampler presets: the XML as the player reads it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from kits import drum_entries, entry, write_sounds
from timbrespace.export.decent_sampler import DecentSampler
from timbrespace.export.kit import Kit


def test_decent_sampler_parses_back(tmp_path: Path) -> None:
    entries = write_sounds(tmp_path, [*drum_entries(), entry("odd/b & 'quoted' ü", "kick")])
    (path,) = DecentSampler().export(Kit("my -- kit & <co>", tuple(entries)), tmp_path)
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
