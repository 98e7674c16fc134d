"""What doctor sees in a folder, and what it prints."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from hits import RATE, hit
from timbrespace.cli.main import main
from timbrespace.contracts import CorpusError
from timbrespace.corpus.doctor.doctor import doctor


@pytest.fixture
def mess(tmp_path):
    """A folder with one of everything that doctor knows."""
    folder = tmp_path / "Sounds é"
    (folder / "kicks").mkdir(parents=True)
    for i in range(6):
        soundfile.write(folder / "kicks" / f"k{'abcdef'[i]}.wav", hit(0.2 + 0.1 * i, seed=i), RATE, subtype="PCM_24")
    soundfile.write(folder / "copy.wav", hit(0.2, seed=0), RATE, subtype="PCM_24")
    soundfile.write(folder / "lossy.ogg", 0.5 * hit(0.5, seed=3), RATE)
    soundfile.write(folder / "clipped.wav", np.clip(20 * hit(0.4, seed=11), -1, 1), RATE)
    soundfile.write(folder / "dc.wav", 0.5 * hit(0.4, seed=12) + 0.1, RATE)
    soundfile.write(folder / "quiet.wav", 0.01 * hit(0.4, seed=13), RATE, subtype="PCM_24")
    soundfile.write(folder / "late.wav", np.concatenate([np.zeros(9000), hit(0.4, seed=14)]), RATE)
    soundfile.write(folder / "dull.flac", hit(0.4, seed=15, rate=8000), 8000)
    soundfile.write(folder / "apart.wav", np.outer(hit(0.4, seed=16), [1, -1]), 48000)
    soundfile.write(folder / "long.wav", np.tile(hit(1.0, seed=17), 7), RATE)
    soundfile.write(folder / "silent.wav", np.zeros(1000), RATE)
    (folder / "broken.wav").write_bytes(b"RIFF\x00\x00nonsense")
    (folder / "empty.mp3").write_bytes(b"")
    (folder / "song.m4a").write_bytes(b"x")
    (folder / "readme.txt").write_text("not a sound")
    return folder


def test_each_thing_is_found_in_the_file_that_has_it(mess):
    report = doctor(mess)
    found = {finding.kind: finding for finding in report.findings}
    for kind, file in {
        "clipped": "clipped.wav",
        "dc": "dc.wav",
        "quiet": "quiet.wav",
        "late": "late.wav",
        "dull": "dull.flac",
        "cancels": "apart.wav",
        "long": "long.wav",
        "silent": "silent.wav",
    }.items():
        assert found[kind].files == [file], kind
        assert found[kind].count == 1
        assert found[kind].do
    assert {row["file"] for row in report.unreadable} == {"broken.wav", "empty.mp3", "song.m4a"}
    assert all(row["reason"] for row in report.unreadable)
    assert report.exact_duplicates == [["copy.wav", "kicks/ka.wav"]]
    assert report.near_duplicates == [["kicks/kd.wav", "lossy.ogg"]]
    assert report.findings[0].level == "problem"


def test_figures(mess):
    report = doctor(mess)
    assert report.files == 19
    assert report.usable == 15
    assert report.categories == {"kick": 6}
    assert report.uncategorised == 9
    assert report.lengths["max"] == pytest.approx(7.0)
    assert report.sample_rates == {"44100": 14, "8000": 1, "48000": 1}
    assert report.channels == {"1": 15, "2": 1}
    assert report.formats["WAV PCM_24"] == 8
    assert report.prepare_seconds > 0
    assert report.train_minutes == 3.0
    assert doctor(mess, rules={"dc*": "odd"}).categories == {"kick": 6, "odd": 1}


def test_workers_change_nothing(mess):
    one, many = doctor(mess, workers=1).as_dict(), doctor(mess, workers=3).as_dict()
    for figures in (one, many):
        figures.pop("prepare_seconds"), figures.pop("took_seconds")
    assert one == many


def test_a_healthy_folder_has_no_problems(tmp_path):
    (tmp_path / "snares").mkdir()
    for i in range(9):
        soundfile.write(tmp_path / "snares" / f"{'abcdefghi'[i]}.wav", hit(seed=i), RATE)
    assert doctor(tmp_path).findings == []


def test_few_sounds_are_told(tmp_path):
    soundfile.write(tmp_path / "snare.wav", hit(), RATE)
    assert "too few" in [finding.kind for finding in doctor(tmp_path).findings]
    soundfile.write(tmp_path / "snare b.wav", hit(seed=2), RATE)
    assert "few" in [finding.kind for finding in doctor(tmp_path).findings]


def test_the_command_prints_json_alone(mess, capsys):
    assert main(["doctor", str(mess), "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["files"] == 19
    assert {finding["kind"] for finding in report["findings"]} >= {"clipped", "silent", "unreadable"}
    assert err == ""


def test_the_command_prints_a_readable_report(mess, capsys):
    assert main(["doctor", str(mess), "--rule", "long=*long*"]) == 0
    out = capsys.readouterr().out
    for text in ("19 sound files", "kick 6", "long 1", "flat tops", "broken.wav", "3 minutes", "→"):
        assert text in out


def test_bad_folders(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(CorpusError, match="no sound files"):
        doctor(tmp_path)
    for arguments in (["doctor", str(tmp_path)], ["doctor", str(tmp_path / "nowhere")], ["doctor", str(tmp_path / "notes.txt")]):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert "Traceback" not in error
        assert str(tmp_path) in error
    assert main(["doctor", str(tmp_path), "--rule", "nonsense"]) == 2
    assert "kick=*bd*" in capsys.readouterr().err


def test_doctor_changes_nothing(mess):
    before = {path: path.stat().st_mtime_ns for path in mess.rglob("*")}
    doctor(mess)
    assert before == {path: path.stat().st_mtime_ns for path in mess.rglob("*")}


def test_categories_from_folders_are_listed_with_the_way_to_change_them(tmp_path, capsys):
    for i in range(6):
        path = tmp_path / "lib" / "all" / ("01 Casio [old]", "insect")[i % 2] / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, hit(0.2 + 0.05 * i, seed=i), RATE)
    report = doctor(tmp_path / "lib")
    assert report.folder_categories == report.categories == {"casio [old]": 3, "insect": 3}
    assert report.folder == str(tmp_path / "lib")
    (finding,) = (one for one in report.findings if one.kind == "folder categories")
    assert "--rule 'NAME=*01 Casio [[]old]/*'" in finding.do
    assert "casio [old] 3, insect 3" in finding.do
    assert doctor(tmp_path / "lib", rules={"*01 Casio [[]old]/*": "keys"}).folder_categories == {"insect": 3}
    assert main(["doctor", str(tmp_path / "lib")]) == 0
    assert "have the name of their folder as category" in capsys.readouterr().out


def test_repeats_leave_few_different_sounds(tmp_path):
    for k in range(8):
        soundfile.write(tmp_path / f"{'abcdefgh'[k]}.wav", hit(seed=k % 4), RATE)
    findings = {one.kind: one for one in doctor(tmp_path).findings}
    assert findings["few"].count == 4
    assert findings["few"].what.startswith("different sounds among 8 files")
    assert "one sound" not in findings


def test_one_sound_in_many_files_is_a_problem(tmp_path):
    for name in "abcdefgh":
        soundfile.write(tmp_path / f"{name}.wav", hit(seed=0), RATE)
    findings = {one.kind: one for one in doctor(tmp_path).findings}
    assert findings["one sound"].level == "problem"
    assert "1 sound among 8 files" in findings["one sound"].what
    assert "few" not in findings
