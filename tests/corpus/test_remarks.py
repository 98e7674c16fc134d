"""Files that are read although something is odd: `doctor` and `prepare` say what, and every verb lists what it passed over."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import sound_bytes as make
from timbrespace.cli.main import main
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.doctor.doctor import doctor
from timbrespace.corpus.prepare import prepare

SOUND = make.tone()
ODD = {
    "cut.mp3": (make.mp3(make.tone(1.0, channels=2), announced=False)[:-50], "cut"),
    "streamed.wav": (make.wav(make.tone(0.5), riff=0, size=0), "streamed"),
    "twice.aif": (make.aiff(make.tone(0.4)) * 2, "extra"),
}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "in"
    path.mkdir()
    for name, (data, _) in ODD.items():
        (path / name).write_bytes(data)
    (path / "good.wav").write_bytes(make.wav(SOUND))
    (path / "half.flac").write_bytes(make.encoded(SOUND, "FLAC")[:9000])
    (path / "song.m4a").write_bytes(b"\0\0\0\x14ftypM4A \0\0\0\0M4A \0\0\0\x08moov")
    return path


def test_doctor_and_prepare_agree_on_odd_files(folder, tmp_path):
    report = doctor(folder)
    assert {row["file"]: row["kind"] for row in report.remarks} == {name: kind for name, (_, kind) in ODD.items()}
    levels = {finding.kind: (finding.level, finding.count) for finding in report.findings if finding.kind in ("cut", "extra", "streamed")}
    assert levels == {"cut": ("advice", 1), "extra": ("advice", 1), "streamed": ("note", 1)}
    assert sorted(row["file"] for row in report.unreadable) == ["half.flac", "song.m4a"]
    corpus = prepare(folder, tmp_path / "c")
    assert corpus.remarks() == report.remarks
    assert sorted(row["file"] for row in corpus.skipped()) == ["half.flac", "song.m4a"]
    lengths = {clip.name: clip.seconds for clip in corpus.clips}
    assert lengths["streamed"] == pytest.approx(0.5, abs=0.01)
    assert lengths["twice"] == pytest.approx(0.4, abs=0.01)
    assert Corpus.open(tmp_path / "c").remarks() == corpus.remarks()
    prepare(folder, tmp_path / "c", force=True)


def test_a_folder_of_ordinary_files_has_no_list_of_remarks(tmp_path):
    (tmp_path / "in").mkdir()
    for name, sound in (("a.wav", SOUND), ("b.wav", make.tone(0.3))):
        (tmp_path / "in" / name).write_bytes(make.wav(sound))
    corpus = prepare(tmp_path / "in", tmp_path / "c")
    assert corpus.remarks() == []
    assert not (tmp_path / "c" / "remarks.jsonl").exists()


def test_the_commands_print_what_is_odd(folder, tmp_path, capsys):
    assert main(["doctor", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert main(["prepare", str(folder), "--out", str(tmp_path / "c")]) == 0
    for text in (shown, capsys.readouterr().out):
        assert "cut.mp3: the header has no length and the last frame is cut" in text
        assert "twice.aif: another sound file follows in the same file; it is not read" in text
        assert "half.flac: truncated" in text
        assert "song.m4a: " in text
    assert main(["doctor", str(folder), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["remarks"]) == 3
    assert main(["prepare", str(folder), "--out", str(tmp_path / "d"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["remarks"]) == 3


def test_reconstruct_lists_every_file_that_it_passed_over(folder, tmp_path, capsys, monkeypatch):
    from timbrespace.audio.files import read
    from timbrespace.cli.common import options

    (folder / "loop.wav").symlink_to(folder / "loop.wav")
    instrument = SimpleNamespace(
        longest=None,
        is_long_file=lambda path: False,
        needs_windows=lambda audio: False,
        sample_rate=44100,
        read=lambda path: read(path, sample_rate=44100, channels=1)[0],
        novelty=lambda audio: None,
        reconstruct=lambda audio, seed: torch.zeros_like(audio) + np.float32(0.5),
    )
    monkeypatch.setattr(options, "open_instrument", lambda path: instrument)
    (tmp_path / "x.safetensors").write_bytes(b"")
    assert main(["reconstruct", str(tmp_path / "x.safetensors"), str(folder), "--out", str(tmp_path / "out"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert sorted(row["file"].rpartition("/")[2] for row in report["skipped"]) == ["half.flac", "loop.wav", "song.m4a"]
    assert len(report["written"]) == 4
