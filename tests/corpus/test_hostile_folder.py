"""A folder with everything that real folders hold: every good file becomes a clip, every other is named with its reason."""

from __future__ import annotations

import json
import os
import socket
import struct
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hits import RATE, hit
from timbrespace.audio.files import UNOPENED, find_audio
from timbrespace.cli.main import main
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.doctor.doctor import doctor
from timbrespace.corpus.prepare import prepare

WILD_NAMES = [
    *("new\nline", "bell\x07", "esc\x1b[31m", "drum 🥁", "-dash", "--force", "%s%d", "it's", 'say "hi"', "a\\b", "a_b", "$HOME"),
    *("`id`", "$(id)", "*", "[a]", "?", "|", "<>", "a:b", "#1", "~", "sqlite:x", "\u202egpj", "zero\u200bwidth", "  x  ", "dot.", "CON"),
    *(unicodedata.normalize(form, "Größe é") for form in ("NFC", "NFD")),
    *("Kick", "kick", "KICK", "n" * 251, "é" * 125),
]


def put(path: Path, k: int, **how: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        soundfile.write(file, hit(0.1, seed=k), RATE, **{"format": "WAV", **how})
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder, the names that must become clips, and those that must be named."""
    root = tmp_path_factory.mktemp("hostile") / "My Drums"
    good, bad = [], []
    for k, name in enumerate(WILD_NAMES):
        good.append(put(root / "names" / f"{name}.wav", k))
    for k, name in enumerate((b"latin \xe9.wav", b"latin \xe8.wav")):  # equal as text
        good.append(put(Path(os.fsdecode(os.fsencode(root / "names") + b"/" + name)), 50 + k))
    good += [put(root / "names" / name, 60 + k) for k, name in enumerate(("ends in dot.wav.", "ends in space.wav ", "LOUD.WAV"))]
    good += [put(root / "snares" / f"snare {k}.flac", 70 + k, format="FLAC") for k in range(3)]
    good += [put(root / "folder.wav" / "inside.wav", 80), put(root.joinpath(*["deep"] * 40) / "deep.wav", 81)]
    for place in ("#recycle", "$RECYCLE.BIN", ".Trash-1000", "__MACOSX", "@eaDir", "lost+found"):
        put(root / place / "x.wav", 0)
        bad.append(place)
    put(root / ".hidden.wav", 0)
    (root / "snares" / "._snare 0.flac").write_bytes(struct.pack(">II", 0x00051607, 0x00020000) + bytes(90))
    for name in ("notes.txt", "cover.jpg", ".DS_Store"):
        (root / name).write_bytes(b"x")
    with zipfile.ZipFile(root / "kit.zip", "w") as archive:
        archive.writestr("a.wav", b"x")
    for name in ("film.mp4", "piano.sf2", "old.sd2", "snare.wav.part"):
        (root / name).write_bytes(b"x")
    bad += ["kit.zip", "film.mp4", "piano.sf2", "old.sd2", "snare.wav.part"]
    wrong = root / "wrong"
    put(wrong / "half.wav", 1)
    (wrong / "half.wav").write_bytes((wrong / "half.wav").read_bytes()[:3000])
    (wrong / "empty.wav").touch()
    (wrong / "text.mp3").write_text("hello" * 100)
    soundfile.write(wrong / "silent.wav", np.zeros(999), RATE)
    soundfile.write(wrong / "level.wav", np.full(9999, 0.3), RATE)
    soundfile.write(wrong / "nan.wav", np.full(999, np.nan), RATE, subtype="FLOAT")
    os.mkfifo(wrong / "pipe.wav")
    (wrong / "device.wav").symlink_to("/dev/zero")
    (wrong / "broken.wav").symlink_to("nowhere")
    (wrong / "itself.wav").symlink_to("itself.wav")
    (wrong / "up").symlink_to("..")
    (root / "a link to snares").symlink_to(root / "snares")  # before "snares" in order
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(wrong)  # names of sockets are short
        server.bind("socket.wav")
        os.chdir(here)
    names = "half.wav empty.wav text.mp3 silent.wav level.wav nan.wav pipe.wav device.wav broken.wav itself.wav up socket.wav"
    bad += [*(f"wrong/{name}" for name in names.split()), "a link to snares"]
    return root, good, bad


def text_of(path: Path, root: Path) -> str:
    return os.fsencode(path.relative_to(root).as_posix()).decode("utf-8", "replace").replace("\\", "_")


def test_every_good_file_is_a_clip_and_every_other_is_named(folder, tmp_path):
    root, good, bad = folder
    corpus = prepare(root, tmp_path / "x.corpus", workers=1)
    files = [clip.file for clip in corpus.clips]
    assert len(set(files)) == len(files) == len(good)
    assert {text_of(path, root) for path in good} <= set(files)
    assert sorted(row["file"] for row in corpus.skipped()) == sorted(bad)
    assert all(row["reason"] for row in corpus.skipped())
    assert sum(clip.file.startswith("snares/") for clip in corpus.clips) == 3  # not by the name of the link
    assert {clip.category for clip in corpus.clips if clip.file.startswith("snares/")} == {"snare"}


def test_names_that_are_equal_as_text_stay_apart(folder, tmp_path):
    root, _, _ = folder
    corpus = Corpus.open(prepare(root, tmp_path / "x.corpus", workers=2).path)
    for name in ("names/a_b", "names/latin �"):
        pair = [clip for clip in corpus.clips if clip.file in (f"{name}.wav", f"{name} (2).wav")]
        assert len(pair) == 2
        assert not np.array_equal(corpus.audio(pair[0].id), corpus.audio(pair[1].id))


def test_doctor_and_prepare_agree_about_what_is_usable(folder, tmp_path):
    root, good, bad = folder
    report = doctor(root, workers=1)
    silent = next(one for one in report.findings if one.kind == "silent")
    assert sorted(silent.files) == ["wrong/level.wav", "wrong/silent.wav"]
    assert report.usable == len(good)
    assert sorted([row["file"] for row in report.unreadable] + silent.files) == sorted(bad)
    unopened = next(one for one in report.findings if one.kind == "unopened")
    assert (unopened.level, unopened.count) == ("note", 5)


def test_the_command_line_prints_no_control_characters_of_names(folder, tmp_path, capsys):
    root, _, _ = folder
    for words in (["doctor", str(root)], ["prepare", str(root), "--out", str(tmp_path / "x.corpus")]):
        assert main(words) == 0
        out, err = capsys.readouterr()
        assert not set(out + err) & set("\x07\x1b\u202e")
    assert main(["doctor", str(root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == len(folder[1]) + 11  # without the folders and what is not opened


@pytest.mark.parametrize("suffix", sorted(UNOPENED))
def test_what_is_not_opened_says_what_to_do(tmp_path, suffix):
    path = tmp_path / f"x{suffix.upper()}"
    path.touch()
    problems: list[tuple[Path, str]] = []
    assert find_audio(tmp_path, problems=problems) == []
    assert problems == [(path, UNOPENED[suffix])]
    assert "; " in UNOPENED[suffix]
