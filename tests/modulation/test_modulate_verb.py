"""`timbrespace modulate` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from modulated_tones import RATE, tone

from timbrespace import modulation
from timbrespace.audio.files import read_array, write
from timbrespace.cli.main import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(Path("sung.wav"), tone(330, vibrato=40, tremolo=2, tremolo_rate=5.5), RATE, subtype="PCM_24")
    write(Path("plain.wav"), tone(220, 1.5), RATE, subtype="PCM_24")
    return tmp_path


def test_measure_prints_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.iterdir())
    assert main(["modulate", "sung.wav", "plain.wav", "--measure"]) == 0
    printed = capsys.readouterr().out
    assert "vibrato 5.5 Hz, ± 40 cents" in printed
    assert "no vibrato" in printed
    assert sorted(folder.iterdir()) == before
    assert main(["modulate", "sung.wav", "--measure", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["measured"][0]
    assert row["vibrato"]["rate"] == pytest.approx(5.5, rel=0.01)
    assert row["notes"][0]["tremolo"]["depth"] == pytest.approx(2, rel=0.05)


def test_a_change_is_written_with_its_recipe(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["modulate", "sung.wav", "--vibrato", "0.5", "--tremolo", "0", "--out", "less"]) == 0
    assert "vibrato: changed in 1 note; was 5.5 Hz, ± 40 cents" in capsys.readouterr().out
    found = modulation.measure("less/sung.wav")
    assert found.vibrato is not None
    assert found.vibrato.depth == pytest.approx(20, rel=0.05)
    assert found.tremolo is None
    recipe = json.loads(Path("less/sung.json").read_text(encoding="utf-8"))
    assert (recipe["vibrato"]["factor"], recipe["changed"]) == (0.5, {"vibrato": 1, "tremolo": 1})
    assert main(["modulate", "sung.wav", "--vibrato", "0.5", "--out", "less"]) == 2
    assert "exists already" in capsys.readouterr().err


def test_modulations_are_moved(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["modulate", "plain.wav", "--from", "sung.wav", "--out", "moved"]) == 0
    assert "that of sung.wav (5.5 Hz, ± 40 cents) in 1 note; was none" in capsys.readouterr().out
    found = modulation.measure("moved/plain.wav")
    assert found.vibrato is not None
    assert found.vibrato.depth == pytest.approx(40, rel=0.06)


def test_an_unchanged_sound_keeps_its_samples(folder: Path) -> None:
    assert main(["modulate", "sung.wav", "--vibrato", "1", "--out", "same"]) == 0
    assert np.array_equal(read_array(Path("same/sung.wav"))[0], read_array(Path("sung.wav"))[0])


def test_python_does_the_same(folder: Path) -> None:
    result = modulation.modulate("plain.wav", source="sung.wav", vibrato=0.5)
    assert result.audio.shape == (1, round(1.5 * RATE))
    assert (result.vibrato, result.tremolo) == (1, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sung.wav", "--out", "o"], "no change is given"),
        (["sung.wav", "--vibrato", "0"], "--out DIR"),
        (["sung.wav", "--measure", "--out", "o"], "writes nothing"),
        (["sung.wav", "--vibrato", "lots", "--out", "o"], "give a factor"),
        (["sung.wav", "--from", "plain.wav", "--out", "o"], "neither vibrato nor tremolo"),
        (["sung.wav", "--from", "missing.wav", "--out", "o"], "missing.wav"),
        (["missing.wav", "--measure"], "no sound could be read"),
        (["sung.wav", "--vibrato", "0", "--out", "."], "never replaced"),
    ],
)
def test_faults_are_said(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert main(["modulate", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_bad_file_does_not_stop_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("silent.wav"), np.zeros((1, 9_000), np.float32), RATE)
    Path("broken.wav").write_bytes(b"RIFF")
    assert main(["modulate", ".", "--tremolo", "3dB", "--out", "out"]) == 0
    assert sorted(path.name for path in Path("out").glob("*.wav")) == ["plain.wav", "sung.wav"]
    printed = capsys.readouterr()
    assert "silent" in printed.out + printed.err
