"""`steer` and `generate --control` at the command line."""

from pathlib import Path

import pytest

from shell import Shell
from timbrespace.audio.describe import DESCRIPTORS
from timbrespace.cli.common.controls import SHORT_FORMS, expand_short_forms
from tiny import Tiny


def test_the_short_forms_are_the_words_of_the_descriptors() -> None:
    assert list(SHORT_FORMS) == [word for one in DESCRIPTORS.values() for word in (one.more, one.less)]


@pytest.mark.parametrize(
    ("words", "expanded"),
    [
        (["--brighter"], ["--control", "brighter=0.5"]),
        (["--brighter", "1", "a.wav"], ["--control", "brighter=1", "a.wav"]),
        (["--brighter", "a.wav"], ["--control", "brighter=0.5", "a.wav"]),
        (["--brighter=0.2", "--out", "x"], ["--control", "brighter=0.2", "--out", "x"]),
        (["--darker", "-.5", "--shorter"], ["--control", "darker=-.5", "--control", "shorter=0.5"]),
        (["--control", "decay=0.4s", "--seed", "1"], ["--control", "decay=0.4s", "--seed", "1"]),
        (["--", "--brighter"], ["--", "--brighter"]),
    ],
)
def test_short_forms(words: list[str], expanded: list[str]) -> None:
    assert expand_short_forms(words) == expanded


def test_steer_writes_sounds_and_says_how_far_they_went(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = shell.json("steer", tiny.file, tiny.sound, tiny.other, "--darker", "0.2", "--control", "length=-0.2", "--out", out)
    assert len(found["sounds"]) == len(list(out.glob("*.wav"))) == 2
    assert {row["control"] for row in found["controls"]} == {"brightness", "length"}
    assert {row["wished"] for row in found["controls"]} == {-0.2}
    printed = shell("steer", tiny.file, tiny.sound, "--darker", "2.9", "--out", tmp_path / "two")
    assert "brightness: asked -2.9 spreads, changed by -" in printed
    assert "as far as it goes" in printed


def test_generate_takes_controls(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    assert "brightness: asked -0.2" in shell("generate", tiny.file, "-n", "2", "--darker", "0.2", "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no change is given"),
        (["--control", "warmth=1"], "there is no control 'warmth'; it has brightness"),
        (["--control", "pitch=C4"], "no control pitch"),
        (["--control", "brightness"], "is not NAME=VALUE"),
        (["--brighter", "0.5", "--darker", "0.5"], "asked for twice"),
        (["--brighter", "0,5"], "decimal comma"),
        (["--control", "brightness=+99"], "3 spreads either way"),
        (["--control", "decay=900s"], "ask for a value in that range"),
    ],
)
def test_bad_wishes(words: list[str], says: str, shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    assert says in shell("steer", tiny.file, tiny.sound, *words, "--out", tmp_path / "out", code=2)
    assert not (tmp_path / "out").exists()


def test_info_lists_the_controls(shell: Shell, tiny: Tiny) -> None:
    assert any(line.startswith("brightness ") for line in shell.json("info", tiny.file)["controls"])
