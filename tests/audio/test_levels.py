"""Samples that cannot be right are an error with a reason; sounds that are loud as a whole are not."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from timbrespace.audio.files import read_array
from timbrespace.contracts import AudioFileError
from timbrespace.corpus.doctor.doctor import doctor
from timbrespace.corpus.prepare import prepare

RATE = 44100


def hit(seed: int = 0, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(RATE // 2) / RATE
    wave = np.exp(-9 * t) * (np.sin(2 * np.pi * 300 * t) + 0.3 * rng.standard_normal(len(t)))
    return 0.4 * np.stack([wave] * channels, axis=1)


@pytest.mark.parametrize("value", [1e4, 1e20, -1e30, 3e38, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("at", [0, 9000, -1])
def test_one_impossible_sample_is_named(tmp_path, value, channels, at):
    sound = hit(channels=channels)
    sound[at, -1] = value
    soundfile.write(tmp_path / "x.wav", sound, RATE, subtype="FLOAT")
    for mixed in (None, 1):
        with pytest.raises(AudioFileError, match=r"x.wav: (damaged: 1 of|contains NaN or infinite).*export it again"):
            read_array(tmp_path / "x.wav", channels=mixed)


@pytest.mark.parametrize("gain", [1e-3, 32767.0, 2.0**31])
def test_one_impossible_sample_is_named_in_quiet_sounds_and_in_whole_numbers(tmp_path, gain):
    sound = hit() * gain
    sound[4000] = 1e20
    soundfile.write(tmp_path / "x.wav", sound, RATE, subtype="FLOAT")
    with pytest.raises(AudioFileError, match="damaged: 1 of"):
        read_array(tmp_path / "x.wav")


def test_a_click_alone_is_a_sound(tmp_path):
    for peak in (0.5, 32767.0, 1e20):
        sound = np.zeros((3000, 1))
        sound[100] = peak
        soundfile.write(tmp_path / "x.wav", sound, RATE, subtype="FLOAT")
        assert read_array(tmp_path / "x.wav")[0].max() == np.float32(peak)


def test_a_sample_that_only_double_precision_holds_is_named(tmp_path):
    sound = hit()
    sound[77] = 1e100
    soundfile.write(tmp_path / "x.wav", sound, RATE, subtype="DOUBLE")
    with pytest.raises(AudioFileError, match="too large for 32-bit float"):
        read_array(tmp_path / "x.wav")


def test_a_block_of_garbage_in_a_float_file_is_named(tmp_path):
    sound = hit()
    sound[3000:3600, 0] = np.random.default_rng(0).uniform(-1e25, 1e25, 600)
    soundfile.write(tmp_path / "x.wav", sound, RATE, subtype="FLOAT")
    with pytest.raises(AudioFileError, match="damaged: 600 of"):
        read_array(tmp_path / "x.wav")


@pytest.mark.parametrize("gain", [1.5, 8.0, 32767.0, 2.0**31, 1e25, 1e37])
def test_sounds_that_are_loud_as_a_whole_are_read(tmp_path, gain):
    sound = np.concatenate([hit(), np.zeros((RATE, 1))]) * gain
    soundfile.write(tmp_path / "x.wav", sound, RATE, subtype="FLOAT")
    audio, _ = read_array(tmp_path / "x.wav")
    assert np.allclose(audio[0], sound[:, 0], rtol=1e-6)


def test_doctor_and_prepare_pass_over_wild_files_and_say_why(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for seed, gain in enumerate((1.0, 1e20, 1e37, 32767.0)):
        soundfile.write(folder / f"good {seed}.wav", hit(seed) * gain, RATE, subtype="FLOAT")
    wild = hit(9)
    wild[500] = 1e20
    soundfile.write(folder / "wild.wav", wild, RATE, subtype="FLOAT")
    report = doctor(folder)
    assert report.usable == 4
    assert [row["file"] for row in report.unreadable] == ["wild.wav"]
    corpus = prepare(folder, tmp_path / "c")
    assert len(corpus) == 4
    assert corpus.skipped() == report.unreadable
    assert "1e+20" in corpus.skipped()[0]["reason"]
