"""Notes in file names against the sound: the octave of a library, and names that only look like notes."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from timbrespace.cli.main import main
from timbrespace.contracts import ConfigError
from timbrespace.corpus.doctor.doctor import doctor
from timbrespace.corpus.prepare import prepare

RATE = 22_050
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def write_tone(path, midi, *, seconds=0.5):
    """A decaying tone with six harmonics."""
    time = np.arange(round(seconds * RATE)) / RATE
    hz = 440 * 2 ** ((midi - 69) / 12)
    tone = sum(np.sin(2 * np.pi * hz * k * time) / k for k in range(1, 7) if hz * k < RATE / 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.4 * tone * np.exp(-3 * time), RATE)


def write_noise(path, seed):
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.3 * rng.standard_normal(RATE // 4) * np.exp(-np.linspace(0, 8, RATE // 4)), RATE)


def name_of(midi, middle=4):
    """The note name of a MIDI number where middle C is C4, C3 or C5."""
    return f"{NOTES[midi % 12]}{midi // 12 - 5 + middle}"


def pitches(folder, out, **options):
    """Pitch, velocity and confidence of every clip, by name."""
    corpus = prepare(folder, out, workers=1, **options)
    return {clip.name: (clip.pitch, clip.velocity, clip.pitch_confidence) for clip in corpus.clips}


@pytest.mark.parametrize("middle", [3, 4, 5])
def test_the_octave_of_a_library_is_found(tmp_path, middle):
    for midi in range(48, 80, 4):
        write_tone(tmp_path / "lib" / f"Pad {name_of(midi, middle)}.wav", midi)
    found = pitches(tmp_path / "lib", tmp_path / "corpus")
    assert found == {f"Pad {name_of(midi, middle)}": (midi, None, None) for midi in range(48, 80, 4)}
    (vote,) = json.loads((tmp_path / "corpus" / "corpus.json").read_text())["pitch_names"]
    assert (vote["octaves"], vote["agree"], vote["estimated"], vote["used"]) == (4 - middle, 8, 8, True)
    report = doctor(tmp_path / "lib", workers=1)
    assert [one["text"] for one in report.pitch_names] == [vote["text"]]
    assert f"middle C is C{middle}" in vote["text"]
    assert ("octave of names" in {finding.kind for finding in report.findings}) == (middle != 4)


def test_a_single_note_is_compared_too(tmp_path):
    write_tone(tmp_path / "lib" / "Pad C3.wav", 60)
    assert pitches(tmp_path / "lib", tmp_path / "corpus")["Pad C3"][0] == 60


def test_a_tempo_is_no_pitch(tmp_path):
    for i in range(1, 6):
        write_tone(tmp_path / "lib" / f"Lead_124_00{i}.wav", 50 + 3 * i)
        write_tone(tmp_path / "lib" / f"Lead_{name_of(50 + 3 * i)}_120_00{i}.wav", 50 + 3 * i)
    found = pitches(tmp_path / "lib", tmp_path / "corpus")
    for i in range(1, 6):
        pitch, velocity, confidence = found[f"Lead_124_00{i}"]
        assert pitch == pytest.approx(50 + 3 * i, abs=0.2)
        assert velocity is None
        assert confidence is not None
        assert found[f"Lead_{name_of(50 + 3 * i)}_120_00{i}"] == (50 + 3 * i, None, None)
    report = doctor(tmp_path / "lib", workers=1)
    assert report.pitches == {"labelled": 5, "to be estimated": 5}
    assert "names without pitch" in {finding.kind for finding in report.findings}


def test_numbers_that_are_pitches_stay(tmp_path):
    for midi in (48, 55, 62, 69):
        write_tone(tmp_path / "lib" / f"violin_{midi:03}_085.wav", midi)
    assert set(pitches(tmp_path / "lib", tmp_path / "corpus").values()) == {(midi, 85, None) for midi in (48, 55, 62, 69)}


def test_one_wrong_name_among_many_is_refused(tmp_path):
    for midi in range(48, 72, 2):
        write_tone(tmp_path / "lib" / f"Keys {name_of(midi, 3)}.wav", midi + (5 if midi == 60 else 0))
    found = pitches(tmp_path / "lib", tmp_path / "corpus")
    assert found["Keys C3"][0] == pytest.approx(65, abs=0.2)
    assert found["Keys C3"][2] is not None
    assert found["Keys D3"] == (62, None, None)
    report = doctor(tmp_path / "lib", workers=1)
    assert report.pitch_names[0]["contradicted"] == ["Keys C3.wav"]


def test_wrong_names_beyond_the_sample_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr("timbrespace.corpus.labels.pitch_names._SAMPLE", 6)
    for midi in range(48, 72):
        write_tone(tmp_path / "lib" / f"Keys {midi} {name_of(midi)}.wav", midi + (5 if midi in (48, 53) else 0), seconds=0.3)
    report = doctor(tmp_path / "lib", workers=1)
    assert report.pitch_names[0]["contradicted"] == ["Keys 48 C3.wav", "Keys 53 F3.wav"]


def test_pads_of_a_sampler_have_no_pitch(tmp_path):
    for i in range(6):
        write_noise(tmp_path / "lib" / f"Pad {'ABC'[i % 3]}{i + 1}.wav", i)
        write_noise(tmp_path / "kit" / f"{name_of(36 + i)} {('Kick', 'Snare', 'Hat')[i % 3]}.wav", i)
    assert {row[0] for row in pitches(tmp_path / "lib", tmp_path / "a").values()} == {None}
    assert {row[0] for row in pitches(tmp_path / "kit", tmp_path / "b").values()} == {None}


def test_chords_loops_and_bank_numbers_are_as_their_sound(tmp_path):
    names = ("Cmaj7", "Am", "A01 lead", "B12 lead", "loop_Cmin_120bpm", "E7", "G7")
    for i, name in enumerate(names):
        write_tone(tmp_path / "lib" / f"{name}.wav", 49 + i)
    found = pitches(tmp_path / "lib", tmp_path / "corpus")
    for i, name in enumerate(names):
        assert found[name][0] == pytest.approx(49 + i, abs=0.2), name


def test_libraries_with_different_names_for_middle_c(tmp_path):
    for midi in range(50, 74, 3):
        write_tone(tmp_path / "lib" / "Live" / f"Pad {name_of(midi, 3)}.wav", midi)
        write_tone(tmp_path / "lib" / "Other" / f"Pad {name_of(midi, 4)}.wav", midi)
    found = pitches(tmp_path / "lib", tmp_path / "corpus")
    for midi in range(50, 74, 3):
        assert found[f"Live/Pad {name_of(midi, 3)}"] == found[f"Other/Pad {name_of(midi, 4)}"] == (midi, None, None)
    (vote,) = doctor(tmp_path / "lib", workers=1).pitch_names
    assert (vote["agree"], vote["another_octave"]) == (16, 0)
    assert "in Live one octave up" in vote["text"] or "in Other as written" in vote["text"]


def test_notes_beyond_the_range_of_the_estimator_keep_their_names(tmp_path):
    for midi in [*range(21, 45, 3), *range(84, 109, 3)]:
        write_tone(tmp_path / "lib" / f"Key {name_of(midi)}.wav", midi)
    assert [row[0] for row in sorted(pitches(tmp_path / "lib", tmp_path / "c").values(), key=lambda row: row[0])] == [
        *range(21, 45, 3),
        *range(84, 109, 3),
    ]


def test_a_tempo_an_octave_from_the_sound_is_no_pitch(tmp_path):
    for i in range(1, 6):
        write_tone(tmp_path / "lib" / f"Lead_088_00{i}.wav", 76)
    assert {row[1] for row in pitches(tmp_path / "lib", tmp_path / "corpus").values()} == {None}


def test_the_user_decides(tmp_path):
    for midi in (60, 64, 67):
        write_tone(tmp_path / "lib" / f"Pad {name_of(midi)}.wav", midi)
    for mode, apart in (("c4", 0), ("c3", 12), ("c5", -12)):
        found = pitches(tmp_path / "lib", tmp_path / mode, pitch_names=mode)
        assert [row[0] for row in found.values()] == [60 + apart, 64 + apart, 67 + apart]
    assert all(row[2] is not None for row in pitches(tmp_path / "lib", tmp_path / "off", pitch_names="off").values())
    with pytest.raises(ConfigError, match="allowed are auto, c4, c3, c5, off"):
        prepare(tmp_path / "lib", tmp_path / "x", pitch_names="c6")


def test_tables_are_trusted(tmp_path):
    for midi in (60, 64, 67):
        write_tone(tmp_path / "lib" / f"Pad {name_of(midi)}.wav", midi + 1)
    (tmp_path / "lib" / "timbrespace.csv").write_text("file,pitch\nPad C4.wav,C4\nPad E4.wav,E4\nPad G4.wav,G4\n")
    assert [row[0] for row in pitches(tmp_path / "lib", tmp_path / "corpus").values()] == [60, 64, 67]


def test_workers_and_bad_files_change_nothing(tmp_path):
    for midi in range(50, 60):
        write_tone(tmp_path / "lib" / f"Pad {name_of(midi, 3)}.wav", midi)
    (tmp_path / "lib" / "Pad C9.wav").write_bytes(b"RIFF nonsense")
    one, many = (prepare(tmp_path / "lib", tmp_path / str(n), workers=n) for n in (1, 3))
    assert one.fingerprint == many.fingerprint
    assert {clip.pitch for clip in one.clips} == set(range(50, 60))


def test_doctor_and_prepare_say_what_was_decided(tmp_path, capsys):
    for midi in range(50, 60):
        write_tone(tmp_path / "lib" / f"Pad {name_of(midi, 3)}.wav", midi)
    line = "note names read one octave up (middle C is C3): 10 of 10 agree with the sound"
    assert main(["doctor", str(tmp_path / "lib")]) == 0
    assert line in capsys.readouterr().out
    assert main(["prepare", str(tmp_path / "lib"), "--out", str(tmp_path / "corpus")]) == 0
    assert line in capsys.readouterr().out
    assert main(["doctor", str(tmp_path / "lib"), "--pitch-names", "c4"]) == 0
    assert line not in capsys.readouterr().out


def test_comparing_names_needs_no_torch(tmp_path):
    for midi in (60, 64, 67):
        write_tone(tmp_path / "lib" / f"Pad {name_of(midi, 3)}.wav", midi)
    code = (
        "import sys; from timbrespace.corpus.doctor.doctor import doctor; from timbrespace.corpus.prepare import prepare; "
        "assert doctor(sys.argv[1]).pitch_names[0]['octaves'] == 1; prepare(sys.argv[1], sys.argv[2]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "lib"), str(tmp_path / "corpus")], check=True)


GERMAN = ("C", "Cis", "D", "Es", "E", "F", "Fis", "G", "As", "A", "B", "H")


@pytest.mark.parametrize("middle", [3, 4])
def test_german_names_have_b_for_b_flat_and_h_for_b(tmp_path, middle):
    for midi in range(55, 73):
        write_tone(tmp_path / "lib" / f"{midi} {GERMAN[midi % 12]}{midi // 12 - 5 + middle}.wav", midi)
    found = pitches(tmp_path / "lib", tmp_path / "corpus")
    assert [round(pitch) for _, (pitch, _, _) in sorted(found.items())] == list(range(55, 73))
    assert sum(confidence is None for _, _, confidence in found.values()) == 16  # all but As, which is A sharp elsewhere
    (vote,) = json.loads((tmp_path / "corpus" / "corpus.json").read_text())["pitch_names"]
    assert vote["german"]
    assert f"(middle C is C{middle}), B as B flat as in German: 16 of 18 agree" in vote["text"]


def test_b_stays_b_where_the_sounds_are_b(tmp_path):
    for midi in (59, 71, 83, 60, 62):
        write_tone(tmp_path / "lib" / f"Pad {name_of(midi)}.wav", midi)
    found = pitches(tmp_path / "lib", tmp_path / "corpus")
    assert {name: pitch for name, (pitch, _, _) in found.items()} == {f"Pad {name_of(midi)}": midi for midi in (59, 71, 83, 60, 62)}
