"""`timbrespace explore`, and `morph --as-one`, `--spline`, `--slerp`, as typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from shell import Shell
from tiny import Tiny, hashes


def words_of(tiny: Tiny) -> dict[str, list[Any]]:
    """A short call of every move."""
    a, b = tiny.sound, tiny.other
    return {
        "random": ["--random", "-n", 2], "around": ["--around", a, "-n", 3, "--amount", 0.5], "draws": ["--draws", a, "-n", 2],
        "axis": ["--axis", "z1,pc1", "-n", 2, "--from", a], "mesh": ["--mesh", "z1,z2", "-n", 2, "--low", -1, "--high", 1],
        "walk": ["--walk", "perlin", "-n", 3, "--category", "kick"], "mix": ["--mix", f"{a}=1.5", "--mix", f"{b}=-0.5"],
        "more": ["--more", a, "--less", b, "-n", 2], "curve": [a, b, "--curve", "0,1.3,-0.3", "-n", 3, "--way", "slerp"],
        "attack": ["--attack", a, "--tail", b, "--at", 0.03],
    }  # fmt: skip


COUNTS = {"random": 2, "around": 3, "draws": 2, "axis": 4, "mesh": 4, "walk": 3, "mix": 1, "more": 2, "curve": 3, "attack": 1}


@pytest.mark.parametrize("move", COUNTS)
def test_every_move_writes_its_sounds_and_recipes_repeat_them(move: str, shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    words = words_of(tiny)[move]
    report = shell.json("explore", tiny.file, *words, "--out", tmp_path / "one")
    assert len(report["sounds"]) == COUNTS[move]
    made = hashes(tmp_path / "one")
    recipes = sorted((tmp_path / "one").glob("*.json"))
    assert len(recipes) == COUNTS[move]
    shell("generate", tiny.file, "--recipe", recipes[-1], "--source", tiny.folder, "--out", tmp_path / "again")
    again = hashes(tmp_path / "again")
    assert all(made[name] == digest for name, digest in again.items() if name.endswith(".wav"))
    assert json.loads(recipes[-1].read_text())["asked"]["verb"] in ("explore", "generate")


@pytest.mark.parametrize("move", ["walk", "curve", "mesh"])
def test_moves_as_one_sound(move: str, shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    words = [*words_of(tiny)[move], "--as-one", "--seconds", 0.8]
    report = shell.json("explore", tiny.file, *words, "--out", tmp_path)
    (row,) = report["sounds"]
    assert row["seconds"] == pytest.approx(0.8, abs=0.05)
    assert row["file"].endswith("as one 001.wav")


def test_a_contact_sheet_has_the_grid_of_the_mesh_and_a_reel(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    report = shell.json("explore", tiny.file, "--mesh", "z1,z2", "-n", 3, "--sheet", "--out", tmp_path / "mesh")
    assert Path(report["sheet"]).name == "sheet.png"
    assert (tmp_path / "mesh" / "reel.wav").is_file()
    with Image.open(report["sheet"]) as picture:
        wide, high = picture.size
    shell("explore", tiny.file, "--axis", "z1", "-n", 3, "--sheet", "--out", tmp_path / "axis")
    with Image.open(tmp_path / "axis" / "sheet.png") as picture:
        assert picture.size[0] == wide
        assert picture.size[1] < high / 2  # one row of three
    text = shell("explore", tiny.file, "--axis", "z1", "-n", 3, "--sheet", "--out", tmp_path / "axis", code=2)
    assert "exists" in text
    one = shell("morph", tiny.file, tiny.sound, tiny.other, "--as-one", "--sheet", "--page", "--out", tmp_path / "one")
    assert "sheet.png" in one
    assert (tmp_path / "one" / "index.html").is_file()


def test_a_morph_as_one_begins_with_the_samples_of_the_first(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    shell("morph", tiny.file, tiny.sound, tiny.other, "--as-one", "--out", tmp_path)
    (path,) = tmp_path.glob("*.wav")
    assert path.name == "kick 001 to snare 001 as one 001.wav"
    made, first = (np.asarray(soundfile.read(file, always_2d=True)[0]) for file in (path, tiny.sound))
    assert np.allclose(made[:500], first[:500], atol=2e-7)


def test_a_morph_goes_on_a_spline_or_an_arc(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    third = tiny.folder / "hat" / "hat 001.wav"
    third = third if third.is_file() else next(path for path in tiny.folder.rglob("*.wav") if path not in (tiny.sound, tiny.other))
    made = {}
    for way in ([], ["--spline"], ["--slerp"]):
        out = tmp_path / "".join(["line", *way])
        report = shell.json("morph", tiny.file, tiny.sound, tiny.other, third, "--steps", 5, *way, "--out", out)
        assert [row["is_own"] for row in report["sounds"]][0::4] == [True, True]
        made["".join(way)] = {name: value for name, value in hashes(out).items() if name.endswith("002.wav")}
    assert len({tuple(files.values()) for files in made.values()}) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "none is given"),
        (["--random", "--walk", "perlin"], "--random and --walk"),
        (["--walk", "brown"], "allowed are uniform, perlin, fractal"),
        (["--axis", "z99"], "z1 to z6"),
        (["--mesh", "z1"], "not two axes"),
        (["--mix", "SOUND"], "FILE=WEIGHT"),
        (["--mix", "SOUND=much"], "FILE=WEIGHT"),
        (["--mix", "SOUND=1", "--mix", "SOUND=2"], "given twice"),
        (["--curve", "0,1"], "two sounds or more"),
        (["SOUND", "OTHER", "--curve", "0,one"], "not a list of numbers"),
        (["SOUND", "OTHER", "--curve", "0,1", "--way", "detour"], "line, slerp, spline"),
        (["SOUND", "--random"], "uses no further sounds"),
        (["--attack", "SOUND"], "give both"),
        (["--random", "--seconds", "3"], "without --as-one"),
        (["--random", "--speed", "3"], "belongs to --walk"),
        (["--around", "nowhere.wav"], "nowhere.wav"),
        (["--random", "-n", "0"], "allowed is 1 to"),
        (["--axis", "z1", "--from", "SOUND", "--category", "kick"], "not from both"),
        (["--random", "--as-one", "--seconds", "1000"], "seconds"),
    ],
)
def test_mistakes_are_explained(words: list[str], message: str, shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    filled = [word.replace("SOUND", str(tiny.sound)).replace("OTHER", str(tiny.other)) for word in words]
    assert message in shell("explore", tiny.file, *filled, "--out", tmp_path / "out", code=2)
    assert not (tmp_path / "out").exists()


def test_anonymous_moves_name_no_file(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    shell("explore", tiny.file, "--around", tiny.sound, "-n", 2, "--as-one", "--seconds", 0.3, "--anonymous", "--out", tmp_path)
    (recipe,) = tmp_path.glob("*.json")
    assert "kick 001" not in recipe.name + recipe.read_text()
