"""Finding, reading, writing and resampling sound files, and writing whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from timbrespace import atomic
from timbrespace.audio import files
from timbrespace.contracts import AudioFileError, ConfigError, OutputExistsError, ShapeError, TimbrespaceError
from timbrespace.corpus.labels.readers.registry import read_labels


def tone(seconds: float = 0.3, *, rate: int = 44100, channels: int = 1, hz: float = 440.0) -> np.ndarray:
    """(time, channels): a decaying tone, a little different in each channel."""
    t = np.arange(max(1, round(seconds * rate))) / rate
    return np.stack([0.7 * np.exp(-6 * t) * np.cos(2 * np.pi * hz * (1 + 0.01 * c) * t) for c in range(channels)], axis=1)


@pytest.mark.parametrize(
    ("name", "file_format", "subtype", "tolerance"),
    [
        ("a.wav", "WAV", "PCM_U8", 0.01),
        ("a.wav", "WAV", "PCM_16", 1e-4),
        ("a.wav", "WAV", "PCM_24", 1e-6),
        ("a.wav", "WAV", "PCM_32", 1e-6),
        ("a.wav", "WAV", "FLOAT", 1e-6),
        ("a.wav", "WAV", "DOUBLE", 1e-6),
        ("a.WAV", "WAVEX", "PCM_24", 1e-6),
        ("a.aif", "AIFF", "PCM_16", 1e-4),
        ("a.flac", "FLAC", "PCM_24", 1e-6),
        ("a.ogg", "OGG", "VORBIS", 0.1),
        ("a.mp3", "MP3", "MPEG_LAYER_III", 0.1),
    ],
)
def test_every_format_reads_back(tmp_path, name, file_format, subtype, tolerance):
    sound = tone(channels=2)
    soundfile.write(tmp_path / name, sound, 44100, format=file_format, subtype=subtype)
    audio, rate = files.read(tmp_path / name)
    assert rate == 44100
    assert audio.dtype == torch.float32
    assert audio.shape[0] == 2
    assert abs(audio.shape[1] - len(sound)) <= (0 if tolerance < 0.1 else 2500)
    shared = min(audio.shape[1], len(sound))
    assert np.abs(audio.numpy().T[1000:shared] - sound[1000:shared]).max() < tolerance


def test_probe_tells_the_header(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(0.5, rate=48000, channels=8), 48000, subtype="PCM_24")
    info = files.probe(tmp_path / "a.wav")
    assert (info.sample_rate, info.channels, info.frames, info.subtype) == (48000, 8, 24000, "PCM_24")
    assert info.seconds == 0.5


def test_mixing_keeps_the_mean_and_spares_channels_that_cancel(tmp_path):
    left = tone()[:, 0]
    soundfile.write(tmp_path / "s.wav", np.stack([left, 0.5 * left], axis=1), 44100, subtype="FLOAT")
    soundfile.write(tmp_path / "c.wav", np.stack([left, -left], axis=1), 44100, subtype="FLOAT")
    mixed, _ = files.read(tmp_path / "s.wav", channels=1)
    assert np.allclose(mixed[0].numpy(), 0.75 * left, atol=1e-6)
    rescued, _ = files.read(tmp_path / "c.wav", channels=1)
    assert np.allclose(rescued[0].numpy(), left, atol=1e-6)
    assert files.read(tmp_path / "s.wav", channels=2)[0].shape[0] == 2


def test_eight_channels_fold_to_two_and_mono_doubles():
    eight = np.arange(8, dtype=np.float32)[:, None] * np.ones((1, 5), np.float32)
    assert files.mix(eight, 2)[:, 0].tolist() == [3.0, 4.0]
    assert files.mix(eight[:1] + 1, 2)[:, 0].tolist() == [1.0, 1.0]


@settings(max_examples=25, deadline=None)
@given(time=st.integers(1, 3000), rates=st.sampled_from([(48000, 44100), (8000, 44100), (44100, 22050), (96000, 44100), (44100, 44100)]))
def test_resampled_length_is_the_rounded_ratio(time, rates):
    out = files.resample(torch.ones(2, time), *rates)
    assert out.shape == (2, max(1, round(time * rates[1] / rates[0])))
    assert torch.isfinite(out).all()


def test_resampling_keeps_a_tone():
    t48, t44 = torch.arange(48000).double() / 48000, torch.arange(44100).double() / 44100
    out = files.resample(torch.sin(2 * np.pi * 1000 * t48)[None], 48000, 44100)[0]
    assert (out - torch.sin(2 * np.pi * 1000 * t44))[2000:-2000].abs().max() < 1e-4
    with pytest.raises(ConfigError, match="0 Hz"):
        files.resample(torch.zeros(1, 5), 0, 44100)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(subtype=st.sampled_from(files.SUBTYPES), channels=st.integers(1, 3), time=st.integers(1, 500), seed=st.integers(0, 99))
def test_written_files_read_back_and_are_always_the_same(tmp_path, subtype, channels, time, seed):
    audio = torch.rand(channels, time, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    path = tmp_path / "x.wav"
    files.write(path, audio, 44100, subtype=subtype, force=True)
    first = path.read_bytes()
    files.write(path, audio, 44100, subtype=subtype, force=True)
    assert path.read_bytes() == first
    back, rate = files.read(path)
    assert rate == 44100
    assert (back - audio).abs().max() <= {"PCM_16": 2**-15, "PCM_24": 2**-23, "FLOAT": 0.0}[subtype] * 1.01


def test_float_files_carry_no_time_of_day(tmp_path, monkeypatch):
    files.write(tmp_path / "x.wav", torch.ones(1, 9), 44100, subtype="FLOAT")
    data = (tmp_path / "x.wav").read_bytes()
    at = data.find(b"PEAK")
    assert at < 0 or struct.unpack_from("<I", data, at + 12)[0] == 0


def test_write_refuses_what_it_should(tmp_path):
    path = tmp_path / "x.wav"
    files.write(path, torch.tensor([[2.0, -2.0]]), 44100, subtype="PCM_16")
    assert files.read(path)[0].abs().max() <= 1.0  # clipped, not wrapped round
    with pytest.raises(OutputExistsError, match="--force"):
        files.write(path, torch.zeros(1, 3), 44100)
    with pytest.raises(ShapeError, match="NaN"):
        files.write(tmp_path / "n.wav", torch.tensor([[float("nan")]]), 44100)
    with pytest.raises(ShapeError, match="channels, time"):
        files.write(tmp_path / "n.wav", torch.zeros(3), 44100)
    with pytest.raises(ConfigError, match="PCM_24"):
        files.write(tmp_path / "n.wav", torch.zeros(1, 3), 44100, subtype="MP3")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.wav"]


def test_find_audio_is_sorted_recursive_and_quiet_about_other_files(tmp_path):
    for name in ("b/Ätsch é.WAV", "a b/x.flac", "a b/notes.txt", ".hidden/x.wav", "c/._mac.wav", "__MACOSX/x.wav", "pic.png", "z.mp3"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "song.m4a").write_bytes(b"\0\0\0\x18ftypM4A ")
    problems: list = []
    found = [p.relative_to(tmp_path).as_posix() for p in files.find_audio(tmp_path, problems=problems)]
    assert found == ["a b/x.flac", "b/Ätsch é.WAV", "song.m4a", "z.mp3"]  # what cannot be read is refused with its reason when it is opened
    assert [(path.name, reason[:22]) for path, reason in problems] == [("__MACOSX", "a folder of the system")]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_find_audio_ends_on_link_loops(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.wav").write_bytes(b"")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nothing")
    (tmp_path / "b.wav").symlink_to(tmp_path / "b.wav")
    problems: list = []
    assert [p.name for p in files.find_audio(tmp_path, problems=problems)] == ["x.wav", "gone.wav"]
    reasons = {path.relative_to(tmp_path).as_posix(): reason for path, reason in problems}
    assert reasons.pop("b.wav").startswith("cannot be examined")
    assert reasons == {
        "a/loop": "a link to a folder that is read already (the folder itself)",
        "again": "a link to a folder that is read already (a)",
    }


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_folder_that_cannot_be_opened_stops_neither_the_search_nor_the_tables(tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    (tmp_path / "x.wav").write_bytes(b"")
    for name in ("scandir", "stat"):  # for those who run the tests as root
        monkeypatch.setattr(os, name, _refusing(getattr(os, name), tmp_path / "locked", inside=name == "stat"))
    problems: list = []
    assert [p.name for p in files.find_audio(tmp_path, problems=problems)] == ["x.wav"]
    assert [(path.name, reason) for path, reason in problems] == [("locked", "the folder cannot be opened: Permission denied")]
    assert read_labels(tmp_path, frozenset(["x.wav"])).layout == "folder"


def _refusing(call, folder, *, inside):
    def refuse(path, *arguments, **options):
        if (folder in Path(path).parents) if inside else Path(path) == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return call(path, *arguments, **options)

    return refuse


@pytest.mark.parametrize(
    "name",
    ["lost+found", "#recycle", "$RECYCLE.BIN", ".Trash-1000", "__MACOSX", "@eaDir", "System Volume Information", "RECYCLER", ".Trashes"],
)
def test_folders_of_the_system_are_no_sounds_and_are_listed(tmp_path, name):
    (tmp_path / "a" / name).mkdir(parents=True)
    (tmp_path / "a" / name / "x.wav").write_bytes(b"")
    problems: list = []
    assert files.find_audio(tmp_path, problems=problems) == []
    assert [(path.name, reason.split(" (")[0]) for path, reason in problems] == [(name, "a folder of the system")]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="deep paths need a setting on Windows")
def test_very_deep_folders_do_not_exhaust_the_stack(tmp_path):
    deep = tmp_path
    for _ in range(1_200):
        deep = deep / "d"
        deep.mkdir()
    (deep / "x.wav").write_bytes(b"")
    try:
        assert len(files.find_audio(tmp_path)) == 1
    finally:
        (deep / "x.wav").unlink()
        while deep != tmp_path:  # step by step: shutil.rmtree is recursive
            deep.rmdir()
            deep = deep.parent


@pytest.mark.parametrize("length", [5, 238, 250, 255])
def test_a_file_with_a_long_name_is_written(tmp_path, length):
    path = tmp_path / ("n" * (length - 4) + ".wav")
    files.write(path, torch.zeros(1, 3), 44100)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_name_that_is_too_long_for_the_disk_is_an_error_that_says_so(tmp_path):
    with pytest.raises(TimbrespaceError, match="too long"):
        files.write(tmp_path / ("n" * 300 + ".wav"), torch.zeros(1, 3), 44100)


def test_find_audio_names_a_closed_folder(tmp_path, monkeypatch):
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "x.wav").write_bytes(b"")
    (tmp_path / "shut").mkdir()
    scan = os.scandir

    def closed(folder):
        if str(folder).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(files.os, "scandir", closed)
    problems: list = []
    assert len(files.find_audio(tmp_path, problems=problems)) == 1
    assert problems[0][0].name == "shut"
    with pytest.raises(AudioFileError, match="permissions"):
        files.find_audio(tmp_path / "shut")
    with pytest.raises(AudioFileError, match="does not exist"):
        files.find_audio(tmp_path / "nowhere")


def test_atomic_writing_keeps_the_old_file_when_the_new_one_fails(tmp_path):
    path = tmp_path / "deep" / "x.json"
    atomic.write_json(path, {"é": 1})
    assert json.loads(path.read_text(encoding="utf-8")) == {"é": 1}
    with pytest.raises(OutputExistsError):
        atomic.write_text(path, "new")
    with pytest.raises(RuntimeError), atomic.replacing(path, force=True) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text(encoding="utf-8")) == {"é": 1}
    atomic.write_text(path, "new", force=True)
    assert path.read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]
    with pytest.raises(TimbrespaceError, match="is a folder"):
        atomic.write_text(tmp_path / "deep", "new", force=True)


def test_a_full_disk_is_told_in_one_sentence(tmp_path):
    with pytest.raises(TimbrespaceError, match="no room left"), atomic.replacing(tmp_path / "x") as temporary:
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), OSError("1024 requested and 96 written")])
def test_a_full_disk_is_named_also_where_numpy_hides_it(error, tmp_path):
    with pytest.raises(TimbrespaceError, match="no room left on the disk"), atomic.replacing(tmp_path / "x.npy"):
        raise error
    assert not list(tmp_path.iterdir())
