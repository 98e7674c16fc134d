"""`timbrespace map` at the command line."""

import json
from pathlib import Path

import pytest

from shell import Shell
from timbrespace.instrument import Instrument
from tiny import Tiny


def test_a_page_pictures_and_what_is_printed(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "sub" / "map.html"
    options = ["--generated", "2", "--place", tiny.folder / "kick", "--sounds", "3", "--spots", "4"]
    result = shell("map", tiny.file, "--out", out, "--png", tmp_path / "m.png", "--svg", tmp_path / "m.svg", *options)
    assert "2 new sounds" in result
    assert "given sounds, laid out by tsne" in result
    assert "<!doctype html>" in out.read_text(encoding="utf-8")
    assert (tmp_path / "m.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "m.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert "kick 001" in out.read_text(encoding="utf-8")


def test_json_and_a_table_of_a_map_laid_out_anew(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    values = shell.json("map", tiny.file, "--out", tmp_path / "map.csv", "--method", "pca")
    clips = Instrument.load(tiny.file).contents.clips
    assert clips is not None
    assert values["sounds"] == {"training": len(clips.names), "new": 0, "given": 0}
    assert values["method"] == "pca"
    assert values["written"][0]["bytes"] == (tmp_path / "map.csv").stat().st_size


def test_anonymous_pages_name_no_sound(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    for suffix in ("html", "csv"):
        out = tmp_path / f"map.{suffix}"
        shell("map", tiny.file, "--out", out, "--place", tiny.sound, "--anonymous", "--sounds", "1", "--spots", "1")
        text = out.read_text(encoding="utf-8")
        assert "training sound 1" in text
        assert "your sound 1" in text
        assert "kick 00" not in text


def test_a_stripped_instrument_shows_new_sounds_and_says_so(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    Instrument.load(tiny.file).save(tmp_path / "bare.safetensors", strip=True)
    out = tmp_path / "map.html"
    result = shell("map", tmp_path / "bare.safetensors", "--out", out, "--generated", "9", "--spots", "4")
    assert "stripped" in result
    assert "stripped of its training sounds" in out.read_text(encoding="utf-8")
    assert "9 new sounds" in result


def test_bad_files_are_skipped_by_name(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "broken.wav").write_bytes(b"RIFF no sound")
    (tmp_path / "mine" / "kick.wav").write_bytes(tiny.sound.read_bytes())
    result = shell("map", tiny.file, "--out", tmp_path / "map.json", "--place", tmp_path / "mine")
    assert "broken.wav" in result
    rows = json.loads((tmp_path / "map.json").read_text())
    assert [row["name"] for row in rows if row["kind"] == "given"] == ["kick"]
    assert rows[-1]["category"] == "kick"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--out map.html"),
        (["--out", "map.gif"], ".html or .htm or .png"),
        (["--png", "map.svg"], "--png is 'map.svg'"),
        (["--out", "a.png", "--png", "a.png"], "the same name"),
        (["--out", "a.html", "--color", "mood"], "allowed is category, cluster, brightness"),
        (["--out", "a.html", "--method", "som"], "allowed are tsne, pca, umap"),
        (["--out", "a.html", "--generated", "-1"], "allowed is 0 to 10000"),
        (["--out", "a.html", "--sounds", "-1"], "allowed is 0 to 10000"),
        (["--out", "a.html", "--place", "nowhere"], "nowhere"),
    ],
)
def test_wrong_wishes_end_with_2_and_write_nothing(
    shell: Shell, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    error = shell("map", tiny.file, *options, code=2)
    assert words in error
    assert list(tmp_path.iterdir()) == []


def test_files_are_kept_and_the_instrument_is_never_replaced(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("mine")
    assert "--force" in shell("map", tiny.file, "--out", tmp_path / "map.csv", code=2)
    assert (tmp_path / "map.csv").read_text() == "mine"
    shell("map", tiny.file, "--out", tmp_path / "map.csv", "--force")
    assert (tmp_path / "map.csv").read_text().startswith("name,")
