"""Existing results and inputs are kept; full disks and files of another kind are refused."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile
import torch

from shell import Shell
from timbrespace.cli.main import main
from tiny import RATE, SMALL, Tiny, drum, hashes

SET = [word for change in SMALL for word in ("--set", change)]


def wavs(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("*.wav"))


# --- what is there is kept -------------------------------------------------------------------------------------------------------


def test_existing_sounds_are_kept(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    shell("generate", tiny.file, "-n", 2, "--out", tmp_path, "--category", "kick")
    before = hashes(tmp_path)
    text = shell("generate", tiny.file, "-n", 3, "--out", tmp_path, "--category", "kick", code=2)
    assert "exists already and is kept" in text
    assert "--force" in text
    assert hashes(tmp_path) == before  # nor is a third one written
    shell("generate", tiny.file, "-n", 3, "--out", tmp_path, "--category", "kick", "--level", "loudness", "--force")
    assert len(wavs(tmp_path)) == 3
    assert all(hashes(tmp_path)[name] != content for name, content in before.items())
    for name, words in (("tiny kit.sfz", ["--kit"]), ("tiny kit.dspreset", ["--kit"]), ("reel.wav", ["--reel"])):
        (tmp_path / name).write_bytes(b"mine")
        shell("generate", tiny.file, "-n", 1, "--out", tmp_path, "--category", "tom", *words, code=2)
        assert (tmp_path / name).read_bytes() == b"mine"
        (tmp_path / name).unlink()
        assert not any(name.startswith("tom") for name in wavs(tmp_path))


def test_inputs_are_never_overwritten(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    shell("generate", tiny.file, "-n", 1, "--out", tmp_path, "--category", "kick")
    (kick,) = tmp_path.glob("kick 001*.wav")
    recipe = kick.with_suffix(".json")
    near = ["generate", tiny.file, "-n", 1, "--category", "kick", "--near"]
    (tmp_path / "elsewhere").mkdir()
    shell(*near, kick, "--out", tmp_path / "elsewhere")
    (name,) = wavs(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / name).write_bytes(kick.read_bytes())
    before = hashes(tmp_path)
    assert "itself an input" in shell(*near, tmp_path / "elsewhere" / name, "--out", tmp_path / "elsewhere", "--force", code=2)
    shell("generate", tiny.file, "--recipe", recipe, "--out", tmp_path, "--force", code=2)
    shell("reconstruct", tiny.file, kick, "--out", tmp_path, "--force", code=2)
    shell("reconstruct", tiny.file, tmp_path, "--out", tmp_path, "--force", code=2)
    assert hashes(tmp_path) == before
    other = tmp_path / "other" / kick.name
    other.parent.mkdir()
    soundfile.write(other, drum(0)[0].numpy(), RATE)
    before = hashes(tmp_path)
    # The copy of one input would land on the other input.
    text = shell("reconstruct", tiny.file, kick, tmp_path / "other", "--out", tmp_path / "other", "--force", code=2)
    assert "other" in text
    assert hashes(tmp_path) == before
    copy = tmp_path / "x.safetensors"
    copy.write_bytes(tiny.file.read_bytes())
    shell("info", copy, "--strip", copy, "--force", code=2)
    assert copy.read_bytes() == tiny.file.read_bytes()


@pytest.mark.parametrize("verb", ["generate", "vary", "morph", "reconstruct"])
def test_paths_that_cannot_be_written(verb: str, shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    inputs = {"generate": [], "vary": [tiny.sound], "morph": [tiny.sound, tiny.other], "reconstruct": [tiny.sound]}[verb]
    (tmp_path / "file").write_bytes(b"mine")
    assert "is a file" in shell(verb, tiny.file, *inputs, "--out", tmp_path / "file", code=2)
    assert "could not write" in shell(verb, tiny.file, *inputs, "--out", tmp_path / "file" / "below", code=2)
    assert (tmp_path / "file").read_bytes() == b"mine"
    if os.name == "posix" and os.geteuid() != 0:
        (tmp_path / "closed").mkdir()
        (tmp_path / "closed").chmod(stat.S_IRUSR | stat.S_IXUSR)
        assert "no permission to write" in shell(verb, tiny.file, *inputs, "--out", tmp_path / "closed", code=2)


@pytest.mark.parametrize("words", [["generate"], ["vary", "SOUND"], ["morph", "SOUND", "SOUND"], ["reconstruct", "SOUND"], ["info"]])
def test_files_that_are_not_instruments_are_refused(words: list[str], shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("hello there, this is text")
    (tmp_path / "short.safetensors").write_bytes(tiny.file.read_bytes()[:5000])
    verb, *rest = [str(tiny.sound) if word == "SOUND" else word for word in words]
    out = [] if verb == "info" else ["--out", tmp_path / "out"]
    for bad in (tmp_path / "text.safetensors", tmp_path / "short.safetensors", tmp_path / "none", tmp_path, tiny.sound):
        assert str(bad) in shell(verb, bad, *rest, *out, code=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["generate", "vary", "morph", "reconstruct"])
def test_files_that_are_not_sounds_are_refused(verb: str, shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("not audio")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "short.wav").write_bytes(tiny.sound.read_bytes()[:300])
    soundfile.write(tmp_path / "silent.wav", torch.zeros(1000).numpy(), RATE)
    soundfile.write(tmp_path / "nan.wav", torch.full((1000,), torch.nan).numpy(), RATE, subtype="FLOAT")
    (tmp_path / "folder").mkdir()
    names = ["text.wav", "empty.wav", "short.wav", "silent.wav", "nan.wav", "none.wav", "folder"]
    before = hashes(tmp_path)
    for name in names:
        bad = tmp_path / name
        words = {"generate": ["--near", bad], "vary": [bad], "morph": [tiny.sound, bad], "reconstruct": [bad]}[verb]
        shell(verb, tiny.file, *words, "--out", tmp_path / "out", code=2)
    assert hashes(tmp_path) == before


# --- a disk that is full ------------------------------------------------------------------------------------------------------------


@contextmanager
def limited(room: int) -> Iterator[None]:
    """No file may grow beyond `room` bytes: the system refuses the write, as it does on a full disk."""
    import resource

    before, cached = resource.getrlimit(resource.RLIMIT_FSIZE), sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # Python keeps a compiled module that was cut short, and fails to import it ever after
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        sys.dont_write_bytecode = cached


@pytest.mark.skipif(os.name != "posix", reason="a limit on file sizes is POSIX")
@pytest.mark.parametrize(
    ("verb", "room"), [("generate", 9_000), ("generate", 100), ("vary", 9_000), ("reconstruct", 9_000), ("prepare", 50_000)]
    + [("train", size) for size in (100, 50_000, 400_000)] + [("info", 50_000)],
)  # fmt: skip
def test_a_full_disk_leaves_no_partial_file(verb: str, room: int, shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    before = hashes(tiny.folder)
    out = tmp_path / "out"
    words = {
        "generate": [tiny.file, "-n", 3, "--out", out],
        "vary": [tiny.file, tiny.sound, "-n", 2, "--out", out],
        "reconstruct": [tiny.file, tiny.folder, "--out", out],
        "prepare": [tiny.folder, "--out", out],
        "train": [tiny.corpus, "--out", tmp_path / "x.safetensors", "--minutes", 0.01, "--device", "cpu", *SET],
        "info": [tiny.file, "--strip", tmp_path / "bare.safetensors"],
    }[verb]
    with limited(room):
        text = shell(verb, *words, code=2)
    assert "could not write" in text
    assert "too large" in text
    assert hashes(tiny.folder) == before
    left = [p for p in tmp_path.rglob("*") if p.is_file() and "x.training" not in p.parts]
    for path in left:  # whatever was finished before is whole
        assert path.suffix in (".wav", ".json")
        if path.suffix == ".wav":
            assert soundfile.read(path)[0].size
    assert not [p for p in tmp_path.rglob("*") if "partial" in p.name]


def test_missing_parent_folders_are_created(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    shell("generate", tiny.file, "-n", 1, "--out", tmp_path / "a" / "b" / "c")
    assert len(wavs(tmp_path / "a" / "b" / "c")) == 1


def test_a_recipe_excludes_other_sources(tmp_path: Path, tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["generate", str(tiny.file), "--out", str(tmp_path / "out"), "--recipe", "x.json", "--rate", "48000", "--category", "kick"]
    assert main(arguments) == 2
    assert "--category, --rate cannot be given with --recipe" in capsys.readouterr().err
    for words in (["-n", "16"], ["--seed", "0"], ["--level", "peak"], ["--temperature", "1.0"]):  # also where they repeat the default
        assert main([*arguments[:6], *words]) == 2
        assert f"{words[0]} cannot be given with --recipe" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
