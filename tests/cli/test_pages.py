"""`--page`, `--reel` and `--kit` of every verb that makes sounds, and what the page holds."""

from __future__ import annotations

import base64
import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile

from shell import Shell
from tiny import RATE, Tiny, drum, hashes, make_tiny

VERBS = ["generate", "vary", "morph", "reconstruct"]


def command(verb: str, file: Path, tiny: Tiny) -> list[Any]:
    """A command that makes two or three sounds."""
    words = {
        "generate": ["-n", 3],
        "vary": [tiny.sound, "-n", 2],
        "morph": [tiny.sound, tiny.other, "--steps", 3],
        "reconstruct": [tiny.sound, tiny.other],
    }
    return [verb, file, *words[verb]]


def tiles(page: Path) -> list[dict[str, str]]:
    """The data attributes of every tile."""
    found = re.findall(r'<article class="sound[^"]*"([^>]*)>', page.read_text(encoding="utf-8"))
    return [{name: unescape(value) for name, value in re.findall(r'data-([a-z]+)="([^"]*)"', text)} for text in found]


def check_page(folder: Path, count: int) -> list[dict[str, str]]:
    """Asserts that every file that the page of `count` sounds names exists, and that each pack holds its sound's files; the tiles."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    for url in re.findall(r'(?:data-src|data-file|data-pack|data-recipe|<img src)="(\./[^"]*)"', text):
        assert (folder / unquote(url)).is_file(), url
    found = tiles(folder / "index.html")
    assert len(found) == count
    for number, tile in enumerate(found):
        pack = re.fullmatch(r"timbrespacePack\((\d+),(.*)\);\n", (folder / unquote(tile["pack"])).read_text(encoding="utf-8"))
        assert pack
        assert int(pack[1]) == int(tile["index"]) == number
        for file in json.loads(pack[2]):
            assert base64.b64decode(file["data"]) == (folder / file["name"]).read_bytes()
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_writes_a_page_a_reel_and_a_kit(verb: str, shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    report = shell.json(*command(verb, tiny.file, tiny), "--out", tmp_path, "--page", "--reel", "--kit")
    assert report["page"] == str(tmp_path / "index.html")
    sounds = [Path(file) for file in report["written"]] if verb == "reconstruct" else [Path(row["file"]) for row in report["sounds"]]
    found = check_page(tmp_path, len(sounds))
    assert [tmp_path / unquote(tile["file"]) for tile in found] == sounds
    frames = sum(soundfile.info(path).frames for path in sounds) + (len(sounds) - 1) * round(0.25 * RATE)
    assert soundfile.info(tmp_path / "reel.wav").frames == frames
    kit = (tmp_path / "tiny kit.sfz").read_text(encoding="utf-8")
    assert sorted(re.findall(r"sample=(.*)", kit)) == sorted(path.relative_to(tmp_path).as_posix() for path in sounds)
    assert all(float(tile["brightness"]) > 0 for tile in found)
    assert ("error" in found[0]) == (verb == "reconstruct")
    assert [bool(tile["recipe"]) for tile in found] == [verb != "reconstruct"] * len(sounds)


@pytest.mark.parametrize("verb", VERBS)
def test_a_stripped_instrument_writes_pages_too(verb: str, shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    shell("info", tiny.file, "--strip", tmp_path / "bare.safetensors")
    shell(*command(verb, tmp_path / "bare.safetensors", tiny), "--out", tmp_path / "out", "--page")
    found = check_page(tmp_path / "out", 2 if verb in ("vary", "reconstruct") else 3)
    assert not any("novelty" in tile or tile["near"] for tile in found)


def test_stereo_pages(shell: Shell, tmp_path: Path) -> None:
    stereo = make_tiny(tmp_path / "stereo", count=8, channels=2)
    shell("reconstruct", stereo.file, stereo.folder, "--out", tmp_path / "out", "--page")
    check_page(tmp_path / "out", 8)
    assert soundfile.info(tmp_path / "out" / "reel.wav").channels == 2
    assert soundfile.info(tmp_path / "out" / "index_files" / "originals" / "0001.wav").channels == 2


def test_a_page_of_reconstructions_has_the_originals_beside_them(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    odd = tmp_path / "in" / "deep" / "C#3 = $9 <b>é</b> 😀.wav"
    odd.parent.mkdir(parents=True)
    soundfile.write(odd, drum(3)[0].numpy(), RATE)
    soundfile.write(tmp_path / "in" / "snare.wav", drum(1)[0].numpy(), RATE)
    (tmp_path / "in" / "bad.wav").write_text("no sound")
    out = tmp_path / "out"
    report = shell.json("reconstruct", tiny.file, tmp_path / "in", "--out", out, "--page", "--kit")
    assert [Path(row["file"]).name for row in report["skipped"]] == ["bad.wav"]
    found = {tile["name"]: tile for tile in check_page(out, 2)}
    assert set(found) == {"deep/C#3 = $9 <b>é</b> 😀", "snare"}
    assert found["snare"]["kind"] == "snare"
    assert "C#3" in report["not in the kit"]
    assert "SFZ" in report["not in the kit"]
    assert "Decent" not in report["not in the kit"] or "Decent" in report["kit"]
    originals = [soundfile.read(path, dtype="float32")[0] for path in sorted((out / "index_files" / "originals").iterdir())]
    assert any(len(one) == len(drum(1)[0]) and np.allclose(one, drum(1)[0], atol=2e-3) for one in originals)
    assert "<b>é</b>" not in (out / "index.html").read_text(encoding="utf-8")


def test_what_is_there_is_kept_and_names_do_not_meet(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    shell("reconstruct", tiny.file, tiny.sound, "--out", tmp_path / "out", "--page")
    before = hashes(tmp_path / "out")
    assert "exists already" in shell("reconstruct", tiny.file, tiny.other, "--out", tmp_path / "out", "--page", code=2)
    assert hashes(tmp_path / "out") == before
    shell("reconstruct", tiny.file, tiny.other, "--out", tmp_path / "out", "--page", "--force")
    for name, option in (("reel.wav", "--reel"), ("index_files/a.wav", "--page")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, drum(1)[0].numpy(), RATE)
        words = shell("reconstruct", tiny.file, tmp_path / "in", "--out", tmp_path / "other", option, code=2)
        assert "leave these out, or rename" in words
        assert not (tmp_path / "other").exists()
        path.unlink()
    soundfile.write(tmp_path / "reel.wav", drum(1)[0].numpy(), RATE)
    before = hashes(tmp_path)
    shell("reconstruct", tiny.file, tmp_path / "reel.wav", "--out", tmp_path, "--reel", "--force", code=2)
    assert hashes(tmp_path) == before, "an input is never replaced"


def test_anonymous_pages_and_packs_hold_no_names(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    shell("generate", tiny.file, "-n", 3, "--out", tmp_path, "--page", "--anonymous")
    names = {f"{path.parent.name}/{path.stem}" for path in tiny.folder.rglob("*.wav")}
    texts = [path.read_text(encoding="utf-8") for path in [tmp_path / "index.html", *tmp_path.glob("*.json")]]
    for pack in (tmp_path / "index_files" / "data").iterdir():
        files = json.loads(pack.read_text(encoding="utf-8").split(",", 1)[1].rsplit(")", 1)[0])
        texts += [base64.b64decode(file["data"]).decode() for file in files if file["name"].endswith(".json")]
    assert not [name for name in names for text in texts if name in text]


def test_new_sounds_near_a_sound_say_how_they_are_called(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    text = shell("generate", tiny.file, "--near", tiny.other, "-n", 2, "--out", tmp_path)
    assert f"called snare, the kind of {tiny.other} by its name; --category chooses another" in text
    assert sorted(path.name[:9] for path in tmp_path.glob("*.wav")) == ["snare 001", "snare 002"]
    (path,) = tmp_path.glob("snare 001*.json")
    assert "called" not in shell("generate", tiny.file, "--recipe", path, "--source", tiny.folder, "--out", tmp_path / "again")
