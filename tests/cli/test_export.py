"""`timbrespace export` at the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from shell import Shell
from timbrespace.instrument import Instrument
from tiny import Tiny


def test_a_page_is_written_and_never_overwritten(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "sub" / "play.html"
    values = shell.json("export", tiny.file, "--format", "page", "--out", out, "--title", "A & <b>")
    assert values == {"written": str(out), "format": "page", "bytes": out.stat().st_size}
    assert "<h1>A &amp; &lt;b&gt;</h1>" in out.read_text(encoding="utf-8")
    assert "--force" in shell("export", tiny.file, "--out", out, code=2)
    assert "open it in a browser" in shell("export", tiny.file, "--out", out, "--force", "--bits", "16")


def test_a_title_of_bytes_that_are_no_text(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    """As the shell hands over a file name of another encoding."""
    shell("export", tiny.file, "--out", tmp_path / "x.html", "--title", "caf\udce9 \x07\u00e9")
    assert "<h1>caf\ufffd \ufffd\u00e9</h1>" in (tmp_path / "x.html").read_text(encoding="utf-8")


def test_an_anonymous_page_has_no_names(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    clips = Instrument.load(tiny.file).contents.clips
    assert clips is not None
    for option, named in ((), True), (("--anonymous",), False):
        out = tmp_path / f"{named}.html"
        shell("export", tiny.file, "--out", out, *option)
        assert (json.dumps(clips.names[0]) in out.read_text(encoding="utf-8")) == named


def test_a_stripped_instrument_has_a_page_without_a_map(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    Instrument(replace(Instrument.load(tiny.file).contents, clips=None)).save(tmp_path / "bare.safetensors")
    shell("export", tmp_path / "bare.safetensors", "--out", tmp_path / "bare.html")
    assert '"names": []' in (tmp_path / "bare.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "x.txt"], "must end in .html"),
        (["--out", "x.html", "--bits", "4"], "allowed is 8, 16 or 32"),
        (["--out", "x.html", "--format", "plugin"], "page"),
        ([], "--out"),
    ],
)
def test_bad_options(shell: Shell, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in shell("export", tiny.file, *options, code=2)
    assert list(tmp_path.glob("*.html")) == []


def test_files_that_are_no_instrument(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(tiny.file.read_bytes()[:-1000])
    for path in (damaged, tiny.sound, tmp_path / "none.safetensors"):
        assert shell("export", path, "--out", tmp_path / "x.html", code=2)
    assert not (tmp_path / "x.html").exists()
