"""`represent`: features as arrays, images, pictures and stacks, round trips, and decoding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from shell import Shell
from timbrespace.contracts import ConfigError, FeatureFileError, OutputExistsError
from timbrespace.corpus.prepare import prepare
from timbrespace.features.arrays import load_features, save_features
from timbrespace.features.compute import compute_features
from timbrespace.features.stack import load_stack
from timbrespace.representation.registry import REPRESENTATIONS
from tiny import RATE, drum, hashes, write_drums


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four drums in folders, stereo."""
    return write_drums(tmp_path_factory.mktemp("sounds"), 4, channels=2)


def header_of(path: Path) -> dict[str, Any]:
    header = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert isinstance(header, dict)
    return header


def wav(path: Path, audio: torch.Tensor, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        soundfile.write(file, audio.numpy().T, rate, subtype="FLOAT", format="WAV")
    return path


# --- arrays ---------------------------------------------------------------------------------------------------------------------------


def test_a_folder_becomes_arrays_of_the_same_names(shell: Shell, sounds: Path, tmp_path: Path) -> None:
    before = hashes(sounds)
    output = shell.json("represent", sounds, "--as", "mel", "--set", "bands=40", "--out", tmp_path)
    names = sorted(path.relative_to(sounds).with_suffix("").as_posix() for path in sounds.rglob("*.wav"))
    assert sorted(row["name"] for row in output["sounds"]) == names
    for name in names:
        array = np.load(tmp_path / f"{name}.npy", allow_pickle=False)
        header = header_of(tmp_path / f"{name}.npy")
        assert array.dtype == np.float32
        assert list(array.shape) == header["shape"] == [1, 40, 1 + header["length"] // 256]
        assert header["representation"]["name"] == "mel"
        assert header["representation"]["bands"] == 40
        assert {"n_fft", "hop", "floor", "iterations"} <= set(header["representation"])
        assert (header["sample_rate"], header["channels"], header["source"]) == (RATE, 1, f"{name}.wav")
        assert len(header["axes"]["bands"]["centres"]) == 40
        assert str(sounds) not in json.dumps(header)
    assert hashes(sounds) == before


@pytest.mark.parametrize("name", REPRESENTATIONS)
@pytest.mark.parametrize("channels", [1, 2])
def test_saved_features_are_loaded(name: str, channels: int, tmp_path: Path) -> None:
    audio = torch.cat([drum(1)[:, :3000], 0.5 * drum(0)[:, :3000]])[:channels]
    features = compute_features(audio, name)
    loaded = load_features(save_features(tmp_path / "x.v2", features))
    assert (tmp_path / "x.v2.npy").exists()
    assert np.array_equal(loaded.array, features.array)
    assert loaded.axes.to_dict() == features.axes.to_dict() == loaded.header["axes"]
    back = loaded.audio(seed=1)
    assert torch.equal(back, features.audio(seed=1))
    assert back.shape == audio.shape
    if features.representation.exact:
        assert (back - audio).abs().max() < 1e-5


def test_edited_arrays_are_decoded(shell: Shell, tmp_path: Path) -> None:
    source = wav(tmp_path / "in" / "a.wav", drum(1))
    shell("represent", source, "--as", "complex", "--out", tmp_path / "f")
    array = np.load(tmp_path / "f" / "a.npy")
    np.save(tmp_path / "f" / "a.npy", np.asfortranarray(array.astype(np.float64) * 0.5))
    shell("represent", tmp_path / "f" / "a.npy", "--back", "--out", tmp_path / "b")
    audio, rate = soundfile.read(tmp_path / "b" / "a.wav", dtype="float32")
    assert rate == RATE
    assert np.abs(audio - 0.5 * drum(1)[0].numpy()).max() < 1e-5


def test_wrong_options_are_explained(shell: Shell, sounds: Path, tmp_path: Path) -> None:
    def refused(*words: object) -> str:
        error = shell("represent", *words, "--out", tmp_path / "o", code=2)
        assert not (tmp_path / "o").exists()
        return error

    assert "--as is missing, allowed are bands, waveform" in refused(sounds)
    assert "--as is 'piano', allowed are" in refused(sounds, "--as", "piano")
    assert "--set bands is 1" in refused(sounds, "--as", "mel", "--set", "bands=1")
    assert "--set colour is not a setting; known here are n_fft" in refused(sounds, "--as", "mel", "--set", "colour=2")
    assert "KEY=VALUE" in refused(sounds, "--as", "mel", "--set", "bands")
    assert "YAML" in refused(sounds, "--as", "mel", "--set", "bands=[")
    assert "allowed are 1 and 2" in refused(sounds, "--as", "mel", "--channels", 3)
    assert "--rate is 10" in refused(sounds, "--as", "mel", "--rate", 10)
    assert "--seconds is 0" in refused(sounds, "--as", "mel", "--seconds", 0)
    assert "--count" in refused(sounds, "--as", "mel", "-n", 3)
    assert "format is" in refused(sounds, "--as", "mel", "--format", "MP3")
    assert "--range" in refused(sounds, "--as", "mel", "--picture", "--range", 3, 1)
    assert "--pixels-per-second" in refused(sounds, "--as", "mel", "--picture", "--pixels-per-second", 1e9)
    assert "--stack writes one array" in refused(sounds, "--as", "mel", "--stack", "--picture")
    assert "--as cannot be used with --back" in refused(sounds, "--as", "mel", "--back")
    assert "normalisation is 'most'" in refused(sounds, "--as", "mel", "--normalise", "most")
    assert "known are" in refused("synthetic:piano", "--as", "mel")
    assert "must be the only source" in refused("synthetic:drums", sounds, "--as", "mel")
    (tmp_path / "empty").mkdir()
    assert "there are no sound files" in refused(tmp_path / "empty", "--as", "mel")
    assert "no features" in refused(tmp_path / "empty", "--back")
    assert "none of the sounds" in refused(tmp_path / "no.wav", "--as", "mel")


def test_bad_files_are_skipped_and_listed(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    wav(folder / "good.wav", drum(1))
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("hello")
    (folder / "song.m4a").write_bytes(b"x")
    wav(folder / "nan.wav", torch.full((1, 400), float("nan")))
    output = shell.json("represent", folder, "--as", "log-stft", "--out", tmp_path / "o")
    assert [row["name"] for row in output["sounds"]] == ["good"]
    assert {Path(row["file"]).name for row in output["skipped"]} == {"empty.wav", "text.wav", "song.m4a", "nan.wav"}
    assert all(row["reason"] and str(tmp_path) not in row["reason"] for row in output["skipped"])
    (folder / "good.wav").unlink()
    assert "none of the sounds" in shell("represent", folder, "--as", "log-stft", "--out", tmp_path / "p", code=2)


@pytest.mark.skipif(os.name == "nt", reason="names that only other systems allow")
def test_hostile_names(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    names = ["a b.v2", "$\\frac{1}$", "日本 'ü\"", "new\nline", "-x", "%s{}", "[red]x[/red]", os.fsdecode(b"bad\xff")]
    for name in names:
        wav(folder / f"{name}.wav", drum(1, seconds=0.05))
    wav(folder / "a b.v2.wav", drum(1, seconds=0.05)).with_suffix(".flac").write_bytes(b"")
    soundfile.write(folder / "a b.v2.flac", drum(2, seconds=0.05).numpy().T, RATE)
    words = ("--as", "mel", "--array", "--picture", "--image", "--roundtrip", "--out", tmp_path / "o")
    output = shell.json("represent", folder, *words)
    assert not output["skipped"]
    assert len(output["sounds"]) == len(names) + 1
    assert len(list((tmp_path / "o").rglob("*.npy"))) == len(names) + 1
    assert (tmp_path / "o" / "a b.v2.npy").exists()
    assert len(shell.json("represent", tmp_path / "o", "--back", "--out", tmp_path / "b")["sounds"]) == len(names) + 1


def test_a_name_that_leaves_no_room_for_a_suffix_is_skipped(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    wav(folder / f"{'n' * 251}.wav", drum(1, seconds=0.05))
    wav(folder / "short.wav", drum(2, seconds=0.05))
    output = shell.json("represent", folder, "--as", "mel", "--array", "--out", tmp_path / "o")
    assert [row["name"] for row in output["sounds"]] == ["short"]
    assert ["its name is too long" in row["reason"] for row in output["skipped"]] == [True]


def test_names_that_are_equal_as_text_are_two_sounds(shell: Shell, tmp_path: Path) -> None:
    for k, name in enumerate((b"a\xe9", b"a\xe8")):
        wav(tmp_path / "in" / f"{os.fsdecode(name)}.wav", drum(k, seconds=0.05))
    output = shell.json("represent", tmp_path / "in", "--as", "mel", "--array", "--out", tmp_path / "o")
    assert [row["name"] for row in output["sounds"]] == ["a\ufffd", "a\ufffd (2)"]
    assert len(list((tmp_path / "o").glob("*.npy"))) == 2


def test_nothing_is_overwritten_and_no_input_touched(shell: Shell, tmp_path: Path) -> None:
    source = wav(tmp_path / "a.wav", drum(1))
    shell("represent", source, "--as", "mel", "--out", tmp_path / "o")
    before = hashes(tmp_path)
    assert "exists already" in shell("represent", source, "--as", "log-stft", "--out", tmp_path / "o", code=2)
    assert "itself an input" in shell("represent", source, "--as", "mel", "--roundtrip", "--force", "--out", tmp_path, code=2)
    assert "is a file" in shell("represent", source, "--as", "mel", "--out", source, code=2)
    assert hashes(tmp_path) == before
    shell("represent", source, "--as", "log-stft", "--out", tmp_path / "o", "--force")
    assert header_of(tmp_path / "o" / "a.npy")["representation"]["name"] == "log-stft"
    with pytest.raises(OutputExistsError):
        save_features(tmp_path / "o" / "a.npy", compute_features(drum(1), "mel"))


def test_two_sounds_never_share_a_file(shell: Shell, tmp_path: Path) -> None:
    wav(tmp_path / "in" / "a.wav", drum(1))
    wav(tmp_path / "in" / "a.image.wav", drum(1))
    error = shell("represent", tmp_path / "in", "--as", "mel", "--picture", "--image", "--out", tmp_path / "o", code=2)
    assert "both write" in error


def test_rate_channels_and_seconds(shell: Shell, sounds: Path, tmp_path: Path) -> None:
    words = ("--rate", 22_050, "--channels", 2, "--seconds", 0.5)
    output = shell.json("represent", sounds, "--as", "bands", *words, "--out", tmp_path / "f")
    assert {tuple(row["shape"]) for row in output["sounds"]} == {(2, 161, 1 + 11_025 // 256)}
    shell("represent", tmp_path / "f", "--back", "--out", tmp_path / "b")
    for path in (tmp_path / "b").rglob("*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels) == (22_050, 2)
        source = sounds / path.relative_to(tmp_path / "b")
        assert abs(info.frames - soundfile.info(source).frames / 2) <= 1, "padding is left off again"


# --- stacks and corpora ---------------------------------------------------------------------------------------------------------------


def test_a_corpus_becomes_one_array(shell: Shell, sounds: Path, tmp_path: Path) -> None:
    corpus = prepare(sounds, tmp_path / "corpus")
    words = ("represent", tmp_path / "corpus", "--as", "bands", "--stack")
    assert "--seconds" in shell(*words, "--out", tmp_path / "s", code=2)
    assert not list((tmp_path / "s").glob("*"))
    output = shell.json(*words, "--seconds", 0.2, "--out", tmp_path / "s")
    array = np.load(tmp_path / "s" / "features.npy", allow_pickle=False)
    assert list(array.shape) == output["shape"] == [len(corpus), 1, 161, 1 + 8820 // 256]
    header = header_of(tmp_path / "s" / "features.npy")
    assert [clip["name"] for clip in header["clips"]] == [clip.name for clip in corpus.clips]
    assert [clip["labels"]["category"] for clip in header["clips"]] == [clip.category for clip in corpus.clips]
    stack = load_stack(tmp_path / "s" / "features.npy")
    audio, _ = corpus.batch([2], samples=8820)
    assert np.allclose(stack.features(2).array, compute_features(audio[0], "bands").array, atol=1e-3)
    shell("represent", tmp_path / "s", "--back", "--out", tmp_path / "b")
    for index, clip in enumerate(corpus.clips):
        assert soundfile.info(tmp_path / "b" / f"{clip.name}.wav").frames == min(8820, corpus.samples(index))
    assert "inside the corpus" in shell("represent", tmp_path / "corpus", "--as", "mel", "--out", tmp_path / "corpus" / "x", code=2)


def test_a_synthetic_corpus(shell: Shell, tmp_path: Path) -> None:
    output = shell.json("represent", "synthetic:drums", "-n", 3, "--as", "mel", "--out", tmp_path / "f")
    assert [row["name"] for row in output["sounds"]] == ["kick/kick 001", "snare/snare 001", "hat/hat 001"]
    assert header_of(tmp_path / "f" / "kick" / "kick 001.npy")["source"] == "synthetic:drums"
    shell("represent", "synthetic:drums", "-n", 3, "--as", "mel", "--stack", "--seconds", 0.3, "--out", tmp_path / "s")
    assert load_stack(tmp_path / "s" / "features.npy").clips[1]["labels"]["category"] == "snare"
    damaged = tmp_path / "s" / "features.npy"
    damaged.write_bytes(damaged.read_bytes()[:-8])
    with pytest.raises(FeatureFileError, match="not a complete NumPy array"):
        load_stack(damaged)


# --- round trips, normalisation -------------------------------------------------------------------------------------------------------


def test_a_round_trip_keeps_length_and_peak(shell: Shell, tmp_path: Path) -> None:
    sound = torch.cat([torch.zeros(1, 3000), 1.5 * drum(1), torch.zeros(1, 2000)], 1)  # over full scale, silence around
    source = wav(tmp_path / "a.wav", sound)
    output = shell.json("represent", source, "--as", "mdct", "--roundtrip", "--out", tmp_path / "o")
    copy, _ = soundfile.read(tmp_path / "o" / "a.wav", dtype="float32")
    assert copy.shape == sound[0].shape
    assert np.abs(copy - sound[0].numpy()).max() < 1e-5
    row = output["sounds"][0]
    assert row["snr_db"] > 120
    assert row["log_mel_error_db"] < 0.01
    output = shell.json("represent", source, "--as", "bands", "--roundtrip", "--out", tmp_path / "p")
    assert output["sounds"][0]["snr_db"] is None
    assert 0.1 < output["sounds"][0]["log_mel_error_db"] < 4
    text = shell("represent", source, "--as", "waveform", "--roundtrip", "--out", tmp_path / "q")
    assert "identical" in text
    silent = wav(tmp_path / "silent.wav", torch.zeros(1, 4000))
    assert shell.json("represent", silent, "--as", "polar", "--roundtrip", "--out", tmp_path / "q")["sounds"][0]["identical"]


@pytest.mark.parametrize("kind", ["range", "standard", "band"])
def test_normalised_features_are_decoded(kind: str, shell: Shell, sounds: Path, tmp_path: Path) -> None:
    words = ("represent", sounds, "--as", "mdct", "--set", "bands=64", "--normalise", kind)
    shell(*words, "--array", "--picture", "--out", tmp_path / "f")
    arrays = [np.load(path) for path in sorted((tmp_path / "f").rglob("*.npy"))]
    values = np.concatenate([array.reshape(64, -1) for array in arrays], axis=1)
    if kind == "range":
        assert np.abs(values).max() == pytest.approx(1, abs=1e-6), "signed numbers lie around zero: an offset would cost them bits"
        assert values.min() < 0
    else:
        assert values.mean() == pytest.approx(0, abs=1e-4)
        assert values.std() == pytest.approx(1, abs=1e-3)
    shell("represent", tmp_path / "f", "--back", "--out", tmp_path / "b")
    for path in sorted(sounds.rglob("*.wav")):
        wanted = soundfile.read(path)[0].mean(1)
        found = soundfile.read(tmp_path / "b" / path.relative_to(sounds))[0]
        assert np.abs(found - wanted).max() < 1e-5
    shell(*words, "--stack", "--seconds", 0.2, "--out", tmp_path / "s")
    assert header_of(tmp_path / "s" / "features.npy")["normalisation"]["kind"] == kind
    with pytest.raises(ConfigError, match="not fitted"):
        compute_features(drum(1), {"name": "mel", "normalisation": kind})


def test_arrays_are_read_without_timbrespace(tmp_path: Path) -> None:
    save_features(tmp_path / "a.npy", compute_features(drum(1), "mel"))
    code = "import numpy, json; a = numpy.load('a.npy'); print(a.shape == tuple(json.load(open('a.json'))['shape']), a.dtype)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "float32"]


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "project")
    from test_docs import ROOT, run_examples

    wav(tmp_path / "kick.wav", drum(0))
    wav(tmp_path / "drums" / "snare.wav", drum(1))
    monkeypatch.chdir(tmp_path)
    names = run_examples(ROOT / "docs" / "represent.md")
    assert (tmp_path / "kick.npy").exists()
    assert names["decoded"].shape == drum(0).shape  # type: ignore[attr-defined]
