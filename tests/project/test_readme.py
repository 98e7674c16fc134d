"""The README's commands run line by line (with fewer minutes); the demo makes all of its files and can be repeated."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from timbrespace.cli.main import main
from timbrespace.cli.sounds import demo
from timbrespace.corpus.synthetic.registry import synthetic_clips
from timbrespace.evaluation import evaluate
from timbrespace.evaluation.parts.budget import QUICK
from timbrespace.web.server import running
from tiny import fix_plan, write_drums

LITTLE = replace(QUICK, new=16, imitated=4, trained=2, pairs=1, timed=2, draws=4, permutations=20, resamples=50)
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def block(heading: str, language: str) -> str:
    """The first code block of a language below a heading."""
    section = README.split(f"## {heading}\n", 1)[1]
    found = re.search(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert found, (heading, language)
    return found.group(1)


def test_the_commands_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    fix_plan(monkeypatch, variations=1, step_seconds=0.05)
    monkeypatch.setattr(evaluate, "Budget", lambda: LITTLE)
    monkeypatch.setattr(running, "run", lambda _, listening, **__: listening.socket.close())  # the server starts, and stops at once
    sounds = write_drums(tmp_path / "My Snares", 16)
    for name, source in zip("ab", sorted(sounds.rglob("*.wav")), strict=False):
        shutil.copy(source, tmp_path / f"{name}.wav")
    for clip in synthetic_clips("synthetic:notes", count=20):
        path = tmp_path / "My Notes" / f"{clip.name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, clip.audio[0].numpy(), 44_100)
    lines = [line for heading in ("The first five minutes", "What else it does") for line in block(heading, "sh").splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines]
    verbs = [words[1] for words in commands if words[0] == "timbrespace"]
    expected = "doctor train generate export vary morph steer generate map find serve train generate evaluate represent"
    assert verbs == expected.split()
    for words in commands:
        if words[0] != "timbrespace":
            continue
        if "--minutes" in words:
            words[words.index("--minutes") + 1] = "0.02"
            words += [
                "--set",
                "model.coefficients=40",
                "--set",
                "training.examples=64",
                "--set",
                "model.width=32",
                "--set",
                "training.synthesised=4",
            ]
        words += ["--port", "0"] if words[1] == "serve" else []
        assert main(words[1:]) == 0, (words, capsys.readouterr().err)
    assert len(list(Path("new").glob("*.wav"))) == 65  # 64 and the reel
    assert Path("new/index.html").is_file()
    assert list(Path("new").glob("*.sfz"))
    assert list(Path("new").glob("*.dspreset"))
    assert len(list(Path("morph").glob("*.wav"))) == len(list(Path("variations").glob("*.wav"))) == 8
    assert len(list(Path("middle C").glob("*C4*.wav"))) == 8
    assert sorted(path.name for path in Path("seen").iterdir()) == ["a.png", "a.wav"]

    scope: dict[str, object] = {}
    exec(compile(block("What else it does", "python"), "README.md", "exec"), scope)
    assert len(scope["sounds"]) == 16  # type: ignore[arg-type]


def test_the_demo_makes_all_files_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    fix_plan(monkeypatch, variations=1, step_seconds=0.05)
    sounds = write_drums(tmp_path / "hits", 20)
    monkeypatch.setattr(demo, "_MORPHS", 3)
    for count in ("8", "6"):  # the second replaces the first, of which nothing stays
        assert main(["demo", str(sounds), "--minutes", "0.02", "-n", count]) == 0, capsys.readouterr().err
    page = Path("demo/index.html").read_text(encoding="utf-8")
    assert "<h1>timbrespace: " in Path("demo/play.html").read_text(encoding="utf-8")
    assert len(list(Path("demo/sounds").glob("*.wav"))) == 6
    morphs = list(Path("demo/morphs").glob("*.wav"))
    assert len(morphs) == 3 * 6
    assert soundfile.info("demo/reel.wav").duration > sum(soundfile.info(str(path)).duration for path in Path("demo/sounds").glob("*.wav"))
    for path in [*morphs, *Path("demo/sounds").glob("*.wav")]:
        assert path.name.replace(" ", "%20").replace("#", "%23") in page
        assert json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["timbrespace"] == "recipe"


def test_the_demo_does_not_touch_other_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "song.txt").write_text("mine")
    assert main(["demo", "--out", str(tmp_path / "precious")]) == 2
    assert "not made by the demo" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "precious").iterdir()] == ["song.txt"]
