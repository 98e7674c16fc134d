"""The contract of every exporter in `EXPORTERS`: what it writes reads back as the same zones, hostile input is refused, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from kits import drum_entries, entry, write_sounds
from timbrespace.contracts import ConfigError, OutputExistsError, TimbrespaceError
from timbrespace.export.base import Exporter, ReadZone
from timbrespace.export.keymap import PAGE, keymap
from timbrespace.export.kit import Kit, KitEntry, make_kit
from timbrespace.export.registry import EXPORTERS
from timbrespace.synthesis.sound import Sound

every = pytest.mark.parametrize("exporter", list(EXPORTERS.values()), ids=list(EXPORTERS))


def expected_zones(entries: list[KitEntry]) -> list[list[ReadZone]]:
    return [sorted(ReadZone(zone.entry.file.as_posix(), zone.low, zone.high, zone.root) for zone in page) for page in keymap(entries)]


@every
@pytest.mark.parametrize(
    "entries",
    [
        drum_entries(),
        [entry("C3", root=48), entry("C4", root=60), entry("C4 again", root=60)],
        [entry("odd/b & 'quoted' ü", "kick"), entry("a, b; c [1]", "x, y")],
        [entry(f"s/{k:03d}", "snare") for k in range(PAGE + 3)],
    ],
    ids=["drums", "pitched", "odd names", "two pages"],
)
def test_a_kit_reads_back_as_its_zones(exporter: Exporter, entries: list[KitEntry], tmp_path: Path) -> None:
    write_sounds(tmp_path, entries)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.wav")}
    paths = exporter.export(Kit("my kit", tuple(entries)), tmp_path)
    assert paths == exporter.targets(tmp_path, "my kit", pages=len(keymap(entries)))
    assert [sorted(exporter.read(path)) for path in paths] == expected_zones(entries)
    assert all((tmp_path / zone.file).is_file() for path in paths for zone in exporter.read(path))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.wav")} == before
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {*before, *paths}  # no temporary file stays


@every
@pytest.mark.parametrize("name", ["../../evil", "a/b", "con", "", ". .", "my -- kit & <co>"])
def test_any_kit_name_gives_a_file_in_the_folder(exporter: Exporter, name: str, tmp_path: Path) -> None:
    entries = write_sounds(tmp_path / "kit", [entry("a", "kick")])
    (path,) = exporter.export(Kit(name, tuple(entries)), tmp_path / "kit")
    assert path.parent == tmp_path / "kit"
    assert path.suffix == exporter.suffix
    assert len(exporter.read(path)) == 1


@every
def test_hostile_files_are_refused(exporter: Exporter, tmp_path: Path) -> None:
    write_sounds(tmp_path, [entry("a")])
    for outside in ("../x.wav", (tmp_path / "a.wav").absolute(), "a/../../x.wav", "..\\x.wav"):
        with pytest.raises(ConfigError, match="inside"):
            exporter.export(Kit("k", (KitEntry(Path(outside), None, None, 1.0, "x"),)), tmp_path)
    with pytest.raises(ConfigError, match="not in"):
        exporter.export(Kit("k", (entry("missing"),)), tmp_path)
    for letter in ("\n", "\x01", "\ufffe", *exporter.forbidden):
        entries = write_sounds(tmp_path, [entry(f"a{letter}b")])
        with pytest.raises(ConfigError, match="rename"):
            exporter.export(Kit("k", tuple(entries)), tmp_path)
    with pytest.raises(ConfigError, match="at least one"):
        exporter.export(Kit("k", ()), tmp_path)
    with pytest.raises(ConfigError, match="root note"):
        exporter.export(Kit("k", (entry("a", root=200),)), tmp_path)
    assert not list(tmp_path.glob(f"*{exporter.suffix}"))


@every
def test_existing_files_are_kept_unless_forced(exporter: Exporter, tmp_path: Path) -> None:
    entries = write_sounds(tmp_path, [entry("a", "kick", root=40), entry("b", "kick", root=40)])
    kit = Kit("k", tuple(entries))
    first, second = exporter.targets(tmp_path, "k", pages=2)
    second.write_text("mine")
    with pytest.raises(OutputExistsError):
        exporter.export(kit, tmp_path)
    assert not first.exists()  # all pages are checked before the first is written
    assert second.read_text() == "mine"
    assert exporter.export(kit, tmp_path, force=True) == [first, second]


@every
def test_a_file_that_does_not_read_back_is_not_kept(exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = write_sounds(tmp_path, [entry("a", "kick"), entry("b", "snare")])
    text = exporter.text
    monkeypatch.setattr(exporter, "text", lambda title, zones: text(title, zones[:1]), raising=False)
    with pytest.raises(TimbrespaceError, match="does not read back"):
        exporter.export(Kit("k", tuple(entries)), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "b.wav"]


@every
def test_titles_and_suffixes_are_unique(exporter: Exporter) -> None:
    others = [one for one in EXPORTERS.values() if one is not exporter]
    assert exporter.suffix.startswith(".")
    assert exporter.suffix not in {one.suffix for one in others}
    assert exporter.title not in {one.title for one in others}


def test_one_drum_makes_the_batch_a_drum_kit() -> None:
    import torch

    def sound(name: str, category: str | None) -> Sound:
        return Sound(name, torch.zeros(1, 44_100), 44_100, category=category, root_note=40)

    paths = [Path("kits/kick 001.wav"), Path("kits/string 001.wav")]
    kit = make_kit([sound("kick 001", "kick"), sound("string 001", "string")], paths, name="k")
    assert [one.root_note for one in kit.entries] == [None, None]
    assert [str(one.file) for one in kit.entries] == ["kick 001.wav", "string 001.wav"]
    assert [one.seconds for one in kit.entries] == [1.0, 1.0]
    notes = make_kit([sound("string 001", "string"), sound("string 002", None)], paths, name="k")
    assert [one.root_note for one in notes.entries] == [40, 40]
