"""Bad files, bad places, full disks and interruptions: never a traceback, never a half result, never a lost input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import timbrespace
from hits import RATE, hit
from timbrespace.audio import files as audio_files
from timbrespace.cli.main import main
from timbrespace.contracts import AudioFileError, ConfigError, CorpusError, OutputExistsError, TimbrespaceError
from timbrespace.corpus import writer as store
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare


def _nothing_but(folder: Path, *names: str) -> None:
    """Only these entries lie in `folder`, hidden ones included."""
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


# --- bad files -----------------------------------------------------------------------------------------------------------


def _bad_files(folder: Path) -> dict[str, str]:
    """Writes one of each bad file; returns name -> a word of its reason."""
    whole = {}
    for suffix, kind in (("wav", "WAV"), ("aif", "AIFF"), ("flac", "FLAC"), ("ogg", "OGG")):
        path = folder / f"whole.{suffix}"
        soundfile.write(path, hit(1.0), RATE, format=kind)
        whole[suffix] = path.read_bytes()
        path.unlink()
    for suffix, data in whole.items():
        (folder / f"cut.{suffix}").write_bytes(data[: len(data) * 6 // 10])
        (folder / f"stub.{suffix}").write_bytes(data[:30])
    (folder / "garbage.wav").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "garbage.mp3").write_bytes(b"\x00" * 4000)
    (folder / "text.flac").write_text("this is not audio")
    (folder / "zero.wav").write_bytes(b"")
    soundfile.write(folder / "frames0.wav", np.zeros(0), RATE)
    soundfile.write(folder / "silence.wav", np.zeros(5000), RATE)
    soundfile.write(folder / "offset.wav", np.full(9000, 0.3), RATE)
    soundfile.write(folder / "one zero.wav", np.zeros(1), RATE)
    for name, value in (("nan.wav", np.nan), ("inf.wav", np.inf)):
        sound = hit()
        sound[50] = value
        soundfile.write(folder / name, sound, RATE, subtype="FLOAT")
    (folder / "folder.wav").mkdir()
    header = bytearray(whole["wav"])
    header[24:28] = (1).to_bytes(4, "little")  # 1 Hz
    (folder / "rate.wav").write_bytes(bytes(header))
    return {
        **{f"cut.{suffix}": "trunc" for suffix in ("wav", "aif", "ogg")},
        "cut.flac": "",
        **{f"stub.{suffix}": "" for suffix in whole},
        "garbage.wav": "not readable",
        "garbage.mp3": "",
        "text.flac": "not readable",
        "zero.wav": "0 bytes",
        "frames0.wav": "",
        "silence.wav": "silence",
        "offset.wav": "silence",
        "one zero.wav": "silence",
        "nan.wav": "NaN",
        "inf.wav": "NaN",
        "rate.wav": "header",
    }


def test_bad_files_are_skipped_with_their_reason(good, tmp_path):
    expected = _bad_files(good)
    before = {path: path.read_bytes() for path in good.rglob("*") if path.is_file()}
    corpus = prepare(good, tmp_path / "c")
    assert [clip.name for clip in corpus.clips] == ["a", "b", "c"]
    skipped = {row["file"]: row["reason"] for row in corpus.skipped()}
    assert set(skipped) == set(expected)
    for name, word in expected.items():
        assert word in skipped[name], (name, skipped[name])
        assert skipped[name]
        assert str(good) not in skipped[name]
    assert corpus.head["skipped"] == len(expected)
    assert before == {path: path.read_bytes() for path in good.rglob("*") if path.is_file()}


def test_reading_a_bad_file_says_which_and_why(tmp_path):
    for name, word in _bad_files(tmp_path).items():
        if "silence" in word:
            continue
        with pytest.raises(AudioFileError, match=name.partition(".")[0]) as error:
            audio_files.read(tmp_path / name)
        assert word in str(error.value)
    with pytest.raises(AudioFileError, match="does not exist"):
        audio_files.read(tmp_path / "nowhere.wav")
    with pytest.raises(AudioFileError, match="not a regular file"):
        audio_files.read(tmp_path / "folder.wav")


def test_the_command_lists_what_it_skipped(good, tmp_path, capsys):
    (good / "zero.wav").write_bytes(b"")
    assert main(["prepare", str(good), "--out", str(tmp_path / "c")]) == 0
    out = capsys.readouterr().out
    assert "zero.wav" in out
    assert "0 bytes" in out
    assert "3 clips" in out
    assert main(["prepare", str(good), "--out", str(tmp_path / "d"), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["clips"] == 3
    assert figures["skipped_files"] == [{"file": "zero.wav", "reason": "empty file (0 bytes)"}]


def test_a_file_that_may_not_be_opened_is_skipped(good, tmp_path, monkeypatch):
    real = audio_files.inspect

    def closed(path):
        if path.name == "b.wav":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(audio_files, "inspect", closed)
    corpus = prepare(good, tmp_path / "c")
    assert corpus.skipped() == [{"file": "b.wav", "reason": "cannot be opened: Permission denied"}]


def test_wild_levels_and_wild_names(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    soundfile.write(folder / "huge.wav", hit(seed=1) * 1e37, RATE, subtype="FLOAT")
    soundfile.write(folder / "tiny.wav", hit(seed=2) * 1e-3, RATE, subtype="FLOAT")
    soundfile.write(folder / "two\nlines [b]x.wav", hit(seed=3), RATE)
    corpus = prepare(folder, tmp_path / "c")
    assert len(corpus) == 3
    assert all(abs(float(corpus.audio(i).abs().max()) - 10 ** (-1 / 20)) < 1e-5 for i in range(3))
    assert Corpus.open(tmp_path / "c").clips[2].name == "two\nlines [b]x"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="such names cannot exist there")
def test_names_that_are_not_text(good, tmp_path, capsys):
    shutil.copy(good / "a.wav", os.fsencode(good) + b"/caf\xe9.wav")
    Path(os.fsdecode(os.fsencode(good) + b"/bad\xff.wav")).write_bytes(b"")
    shutil.copy(good / "b.wav", good / "x\\..\\y.wav")
    (good / "C:").mkdir()
    shutil.copy(good / "c.wav", good / "C:" / "z.wav")
    assert main(["prepare", str(good), "--out", str(tmp_path / "c")]) == 0
    assert len(Corpus.open(tmp_path / "c")) == 6
    assert main(["doctor", str(good)]) == 0


# --- bad places and settings ---------------------------------------------------------------------------------------------


def test_places_that_are_refused(good, tmp_path):
    (good / "sub").mkdir()
    for out, error in ((good, "own source"), (good / "sub" / "c", "inside the source"), (tmp_path, "is inside")):
        with pytest.raises(TimbrespaceError, match=error):
            prepare(good, out, force=True)
    with pytest.raises(AudioFileError, match="does not exist"):
        prepare(tmp_path / "nowhere", tmp_path / "c")
    with pytest.raises(AudioFileError, match="not a folder"):
        prepare(good / "a.wav", tmp_path / "c")
    (tmp_path / "void").mkdir()
    with pytest.raises(CorpusError, match="no sound files"):
        prepare(tmp_path / "void", tmp_path / "c")
    _nothing_but(tmp_path, "in", "void")


def test_an_existing_output_is_kept(good, tmp_path):
    out = tmp_path / "c"
    first = prepare(good, out).fingerprint
    with pytest.raises(OutputExistsError, match="--force"):
        prepare(good, out)
    soundfile.write(good / "d.wav", hit(seed=9), RATE)
    assert prepare(good, out, force=True).fingerprint != first
    (out / "mine.wav").write_bytes(b"precious")
    with pytest.raises(OutputExistsError, match=r"mine\.wav"):
        prepare(good, out, force=True)
    other = tmp_path / "photos"
    other.mkdir()
    (other / "cat.png").write_bytes(b"cat")
    with pytest.raises(OutputExistsError, match="not a corpus"):
        prepare(good, other, force=True)
    assert (other / "cat.png").read_bytes() == b"cat"
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputExistsError):
        prepare(good, tmp_path / "file", force=True)
    (tmp_path / "empty").mkdir()
    assert len(prepare(good, tmp_path / "empty")) == 4
    _nothing_but(tmp_path, "c", "empty", "file", "in", "photos")


def test_nothing_usable_leaves_nothing(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    soundfile.write(folder / "s.wav", np.zeros(99), RATE)
    with pytest.raises(CorpusError, match="all silence"):
        prepare(folder, tmp_path / "c")
    _nothing_but(tmp_path, "in")


def test_a_failed_replacement_keeps_the_old_corpus(good, tmp_path):
    before = prepare(good, tmp_path / "c").fingerprint
    for path in good.iterdir():
        path.write_bytes(b"")
    with pytest.raises(CorpusError):
        prepare(good, tmp_path / "c", force=True)
    assert Corpus.open(tmp_path / "c").fingerprint == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"sample_rate": 10},
        {"channels": 3},
        {"cut": "x"},
        {"segment_seconds": 0},
        {"segment_seconds": float("nan")},
        {"rules": {"": "x"}},
        {"rules": {"*": "../x"}},
    ],
)
def test_settings_that_are_refused(good, tmp_path, wrong):
    with pytest.raises(ConfigError):
        prepare(good, tmp_path / "c", **wrong)
    _nothing_but(tmp_path, "in")


# --- full disk and interruptions -----------------------------------------------------------------------------------------


def test_a_full_disk_leaves_nothing_behind(good, tmp_path, monkeypatch, capsys):
    def full(self, rows):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.ArrayWriter, "append", full)
    with pytest.raises(TimbrespaceError, match="no room left on the disk"):
        prepare(good, tmp_path / "c")
    assert main(["prepare", str(good), "--out", str(tmp_path / "c")]) == 2
    assert "Traceback" not in capsys.readouterr().err
    _nothing_but(tmp_path, "in")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_met_at_the_last_write(good, tmp_path, monkeypatch):
    real = store.ArrayWriter.__init__

    def onto_full(self, path, shape, dtype):
        real(self, path, shape, dtype)
        self._file.close()
        self._file = Path("/dev/full").open("wb")  # noqa: SIM115 - the writer closes it

    monkeypatch.setattr(store.ArrayWriter, "__init__", onto_full)
    with pytest.raises(TimbrespaceError, match="no room left"):
        prepare(good, tmp_path / "c")
    _nothing_but(tmp_path, "in")


def test_ctrl_c_leaves_nothing_behind(good, tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(good, tmp_path / "c", progress=interrupt)
    _nothing_but(tmp_path, "in")


def _start_slow(good: Path, out: Path) -> subprocess.Popen:
    """A process that prepares `good` and then waits in the middle of it."""
    code = (
        "import sys, time\n"
        "from timbrespace.corpus.prepare import prepare\n"
        "def slow(done, total):\n"
        "    print(done, flush=True)\n"
        "    time.sleep(600)\n"
        "prepare(sys.argv[1], sys.argv[2], progress=slow, force=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(timbrespace.__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", code, str(good), str(out)], stdout=subprocess.PIPE, env=environment)
    assert process.stdout.readline().strip() == b"1"
    return process


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_kill_leaves_no_half_corpus_and_the_next_run_cleans_up(good, tmp_path):
    process = _start_slow(good, tmp_path / "c")
    assert not (tmp_path / "c").exists()
    with pytest.raises(TimbrespaceError, match="another run"):
        prepare(good, tmp_path / "c")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "c").exists()
    assert (tmp_path / ".c.partial").exists()
    assert len(prepare(good, tmp_path / "c")) == 3
    _nothing_but(tmp_path, "c", "in")


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_interrupting_the_process_cleans_up_at_once(good, tmp_path):
    process = _start_slow(good, tmp_path / "c")
    process.send_signal(signal.SIGINT)
    process.wait(timeout=120)  # not after its ten minutes
    process.stdout.close()
    _nothing_but(tmp_path, "in")


def test_killed_between_the_two_renames(good, tmp_path):
    fingerprint = prepare(good, tmp_path / "c").fingerprint
    (tmp_path / "c").rename(tmp_path / ".c.old")
    with pytest.raises(OutputExistsError):
        prepare(good, tmp_path / "c")
    assert Corpus.open(tmp_path / "c").fingerprint == fingerprint


def test_a_source_that_vanishes_while_it_is_read_is_an_error(good, tmp_path):
    def vanish(done, total):
        shutil.rmtree(good, ignore_errors=True)

    with pytest.raises(CorpusError, match="vanished while it was read"):
        prepare(good, tmp_path / "c", workers=1, progress=vanish)
    assert not (tmp_path / "c").exists()


def test_large_sets_of_equal_files_are_named_briefly(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for i in range(40):
        soundfile.write(tmp_path / "in" / f"{'k' * 60} {i}.wav", hit() if i else 0.5 * hit(), RATE)
    assert main(["doctor", str(tmp_path / "in")]) == 0
    out = capsys.readouterr().out
    assert "k 10.wav = " in out or "k 1.wav = " in out
    assert max(map(len, out.splitlines())) < 400
