"""Sounds that a user gives to `vary`, `morph` and `generate --near`, as typed: unchanged ones, recipes with `--source`, bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from shell import Shell
from tiny import RATE, Tiny, hashes


def samples(path: Path) -> np.ndarray:
    return np.asarray(soundfile.read(path, dtype="float32", always_2d=True)[0])


def test_unchanged_sounds_are_called_your_own(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    calls = {
        "vary": ["vary", tiny.file, tiny.sound, "-n", 2, "--amount", 0],
        "near": ["generate", tiny.file, "--near", tiny.sound, "-n", 2, "--temperature", 0],
        "morph": ["morph", tiny.file, tiny.sound, tiny.other, "--steps", 3],
    }
    for name, words in calls.items():
        text = shell(*words, "--out", tmp_path / name, "--page")
        assert text.count("  your own sound") == 2
        assert "3 sounds, 2 of them your own, unchanged" in text or "2 sounds, 2 of them your own, unchanged" in text
        assert "COPY" not in text
        first = sorted((tmp_path / name).glob("*001*.wav"))[0]
        assert np.array_equal(samples(first), samples(tiny.sound))
        assert (tmp_path / name / "index.html").read_text().count(">your own sound<") == 2
        assert json.loads(first.with_suffix(".json").read_text())["own_sound"] is True
    loud = shell.json("vary", tiny.file, tiny.sound, "-n", 1, "--amount", 0, "--level", "peak", "--out", tmp_path / "loud")
    assert loud["sounds"][0]["is_own"] is True
    assert abs(float(np.abs(samples(Path(loud["sounds"][0]["file"]))).max()) - 10 ** (-1 / 20)) < 1e-3


def test_recipes_with_sources_give_the_same_file(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    for option in ([], ["--anonymous"]):
        made, again = (tmp_path / f"{name}{len(option)}" for name in ("made", "again"))
        shell("morph", tiny.file, tiny.sound, tiny.other, "--steps", 3, "--out", made, *option)
        for recipe in made.glob("*.json"):
            text = recipe.read_text()
            assert str(tiny.folder) not in text
            assert ("kick 001" in text) is not bool(option)
            shell("generate", tiny.file, "--recipe", recipe, "--source", tiny.folder, "--out", again)
        one, two = hashes(made), hashes(again)
        assert one.keys() == two.keys()
        assert all(two[name] == digest for name, digest in one.items() if name.endswith(".wav"))
    recipe = next((tmp_path / "made0").glob("*002*.json"))
    assert "give the folder that holds it with --source" in shell(
        "generate", tiny.file, "--recipe", recipe, "--out", tmp_path / "x", code=2
    )
    assert "without --recipe" in shell("generate", tiny.file, "--source", tmp_path, "--out", tmp_path / "x", code=2)
    changed = tmp_path / "changed" / tiny.sound.name
    changed.parent.mkdir()
    soundfile.write(changed, np.zeros(RATE), RATE)
    text = shell("generate", tiny.file, "--recipe", recipe, "--source", changed.parent, "--out", tmp_path / "x", code=2)
    assert "has changed since this sound was made from it" in text


def test_bad_sounds_and_amounts(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(RATE), RATE)
    for words in (["vary", tiny.file, silent], ["morph", tiny.file, tiny.sound, silent], ["generate", tiny.file, "--near", silent]):
        assert "silent.wav: the sound is silent" in shell(*words, "--out", tmp_path / "x", code=2)
    assert "amount is 5" in shell("vary", tiny.file, tiny.sound, "--amount", 5, "--out", tmp_path / "x", code=2)
    assert not (tmp_path / "x").exists()
