"""An updated corpus equals a new one, and only files that are new or have changed are read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from hits import RATE, hit, save
from timbrespace.cli.main import main
from timbrespace.contracts import ConfigError, CorpusError
from timbrespace.corpus import format as names
from timbrespace.corpus import prepare as preparing
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.corpus.prepared.records import digest_of_file
from timbrespace.corpus.prepared.update import update


def tone(hertz: float, seconds: float = 0.6) -> np.ndarray:
    """A tone with overtones that decays."""
    t = np.arange(round(seconds * RATE)) / RATE
    return sum(np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, 6)) * np.exp(-3 * t) / 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One-shots, named notes, a long file, an oddity and two files that cannot be read."""
    out = tmp_path / "Sounds"
    for k in range(6):
        save(out / "kicks" / f"kick {'abcdef'[k]}.wav", hit(seed=k, decay=9), subtype="PCM_16")
    for k, note in enumerate(("C3", "E3", "G3", "A3")):
        save(out / "keys" / f"Piano {note}.wav", tone(440 * 2 ** ((60 + (0, 4, 7, 9)[k] - 69) / 12)), subtype="PCM_16")
    save(out / "stab.wav", tone(311.0), subtype="PCM_16")
    save(out / "rain.wav", 0.1 * np.random.default_rng(0).standard_normal(13 * RATE), subtype="PCM_16")
    save(out / "apart.wav", np.outer(hit(0.4, seed=16), [1, -1]))
    save(out / "silent.wav", np.zeros(2_000))
    (out / "broken.wav").write_bytes(b"RIFF\x00\x00nonsense")
    return out


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded, in any order."""
    seen: list[str] = []
    real = preparing.prepare_unit

    def noted(unit: Any, clip_format: Any) -> Any:
        seen.append(unit.file)
        return real(unit, clip_format)

    monkeypatch.setattr(preparing, "prepare_unit", noted)
    return seen


def assert_equal(one: Path, other: Path) -> None:
    """Asserts that two corpora have the same files with the same bytes."""
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in other.iterdir())
    for path in one.iterdir():
        assert path.read_bytes() == (other / path.name).read_bytes(), path.name


def later(path: Path) -> None:
    """Sets the time of the last change of a file an hour ahead."""
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 3_600 * 10**9))


def add(folder: Path) -> None:
    save(folder / "kicks" / "kick new.wav", hit(seed=40, decay=9), subtype="PCM_16")


def remove(folder: Path) -> None:
    (folder / "kicks" / "kick c.wav").unlink()


def change(folder: Path) -> None:
    later(save_again(folder / "kicks" / "kick b.wav", seed=41))


def save_again(path: Path, *, seed: int) -> Path:
    save(path, hit(seed=seed, decay=9), subtype="PCM_16")
    return path


def rename(folder: Path) -> None:
    (folder / "kicks" / "kick d.wav").rename(folder / "kicks" / "snare d.wav")


def touch(folder: Path) -> None:
    later(folder / "stab.wav")


def mend(folder: Path) -> None:
    save(folder / "broken.wav", hit(seed=42), subtype="PCM_16")


def label(folder: Path) -> None:
    (folder / "keys").rename(folder / "808 kicks")  # drums now: their pitch is no longer estimated or named


def nothing(folder: Path) -> None:
    """Leaves the folder as it is."""


@pytest.mark.parametrize(
    ("edit", "again"),
    [
        (nothing, set()),
        (add, {"kicks/kick new.wav"}),
        (remove, set()),
        (change, {"kicks/kick b.wav"}),
        (rename, {"kicks/snare d.wav"}),
        (touch, set()),
        (mend, {"broken.wav"}),
        (label, {f"808 kicks/Piano {note}.wav" for note in ("C3", "E3", "G3", "A3")}),
    ],
)
def test_an_update_equals_a_new_corpus_and_reads_what_changed(
    edit: Callable[[Path], None], again: set[str], folder: Path, tmp_path: Path, read: list[str]
) -> None:
    prepare(folder, tmp_path / "c")
    edit(folder)
    read.clear()
    corpus, changes = update(folder, tmp_path / "c")
    assert set(read) - {"silent.wav", "broken.wav"} == again - {"broken.wav"}
    assert changes.new + changes.changed == len(again - {"broken.wav"})
    assert changes.skipped == 2
    prepare(folder, tmp_path / "fresh")
    assert_equal(corpus.path, tmp_path / "fresh")
    update(folder, tmp_path / "c")  # and once more
    assert_equal(corpus.path, tmp_path / "fresh")


def test_options_are_those_of_the_corpus(folder: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "sample_rate": 22_050, "channels": 2, "cut": "segments", "segment_seconds": 0.5, "rules": {"*kick a*": "thump"}, "seed": 3,
        "only": ["thump", "kick", "piano"], "pitch_names": "c3", "store_stft": True,
    }  # fmt: skip
    prepare(folder, tmp_path / "c", **options)
    add(folder)
    corpus, _ = update(folder, tmp_path / "c", workers=1)
    assert (corpus.sample_rate, corpus.channels) == (22_050, 2)
    assert_equal(corpus.path, prepare(folder, tmp_path / "fresh", **options).path)


def test_without_pitch(folder: Path, tmp_path: Path) -> None:
    prepare(folder, tmp_path / "c", pitch=False)
    add(folder)
    assert_equal(update(folder, tmp_path / "c")[0].path, prepare(folder, tmp_path / "fresh", pitch=False).path)


def test_a_killed_update_leaves_the_old_corpus(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = prepare(folder, tmp_path / "c").fingerprint
    add(folder)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(preparing, "build_manifest", stop)
        with pytest.raises(KeyboardInterrupt):
            update(folder, tmp_path / "c")
    assert Corpus.open(tmp_path / "c").fingerprint == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Sounds", "c"]
    assert update(folder, tmp_path / "c")[1].new == 1


def test_what_cannot_be_updated_is_refused_with_its_reason(folder: Path, tmp_path: Path) -> None:
    prepare("synthetic:drums", tmp_path / "toy", count=8)
    with pytest.raises(CorpusError, match="was not prepared from a folder of sounds"):
        update(folder, tmp_path / "toy")
    with pytest.raises(ConfigError, match="synthetic:drums is synthetic and does not change"):
        update("synthetic:drums", tmp_path / "toy")
    prepare(folder, tmp_path / "few", diverse=5)
    with pytest.raises(CorpusError, match=r"holds the 5 most diverse clips, but not the others.*--force, without --update"):
        update(folder, tmp_path / "few")
    prepare(folder, tmp_path / "c")
    with pytest.raises(CorpusError, match="none of the files that this corpus was prepared from is in the folder"):
        save(tmp_path / "other" / "x.wav", hit(seed=3))
        update(tmp_path / "other", tmp_path / "c")
    with pytest.raises(CorpusError, match=r"does not exist"):
        update(folder, tmp_path / "nothing")
    head = json.loads((tmp_path / "c" / names.HEAD).read_text(encoding="utf-8"))
    (tmp_path / "c" / names.HEAD).write_text(json.dumps({**head, "made_with": "timbrespace 0.0.1"}), encoding="utf-8")
    with pytest.raises(CorpusError, match=r"was made with timbrespace 0.0.1, this is .*--force, without --update"):
        update(folder, tmp_path / "c")
    (tmp_path / "c" / names.HEAD).write_text(json.dumps(head), encoding="utf-8")
    (tmp_path / "c" / names.RECORDS).write_text('{"file": "a.wav", "size": "x"}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match=r"files.jsonl is damaged"):
        update(folder, tmp_path / "c")
    (tmp_path / "c" / names.RECORDS).unlink()
    with pytest.raises(CorpusError, match="has no records of its files, as it was made by an earlier version"):
        update(folder, tmp_path / "c")


def test_the_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "c")
    assert main(["prepare", str(folder), "--out", out, "--rule", "thump=*kick a*"]) == 0
    add(folder)
    remove(folder)
    capsys.readouterr()
    assert main(["prepare", str(folder), "--out", out, "--update"]) == 0
    assert "1 files new, 0 changed, 1 removed, 12 unchanged (not read), 2 skipped before (read again)" in capsys.readouterr().out
    assert main(["prepare", str(folder), "--out", out, "--update", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["update"]["unchanged"] == 13
    assert main(["prepare", str(folder), "--out", out, "--update", "--rate", "48000", "--rule", "a=*b*"]) == 2
    assert "--rate, --rule cannot be given with --update" in capsys.readouterr().err


def test_a_moved_folder_is_the_same_folder(folder: Path, tmp_path: Path, read: list[str]) -> None:
    prepare(folder, tmp_path / "c")
    (tmp_path / "moved").mkdir()
    shutil.move(folder, tmp_path / "moved" / "Sounds")
    read.clear()
    _, changes = update(tmp_path / "moved" / "Sounds", tmp_path / "c")
    assert (changes.new, changes.changed, changes.removed) == (0, 0, 0)
    assert set(read) <= {"silent.wav", "broken.wav"}
    assert soundfile.info(tmp_path / "moved" / "Sounds" / "stab.wav").samplerate == RATE


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_and_devices_have_no_digest(tmp_path):
    """A pipe would be waited for, a device need not end."""
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "device.wav").symlink_to("/dev/zero")
    for name in ("pipe.wav", "device.wav"):
        with pytest.raises(OSError, match="not a regular file"):
            digest_of_file(tmp_path / name)
