"""Preparing a corpus and reading it back: nothing lost, nothing torn apart, the same every time."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hits import RATE, hit, save
from timbrespace.audio.offset import dc_offset
from timbrespace.audio.trim import STORED_PEAK, Segment, bounds, make_clip
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.cutting import cut_audio, onsets
from timbrespace.corpus.prepare import prepare


@pytest.fixture
def drums(tmp_path):
    folder = tmp_path / "My Drüms"
    for i in range(12):
        save(folder / "Kicks" / f"boom {chr(97 + i)}.wav", hit(0.2 + 0.02 * i, seed=i))
        save(folder / "Snares" / f"crack {chr(97 + i)}.wav", hit(0.3, seed=100 + i, rate=48000), 48000)
    return folder


def test_prepare_and_open(drums, tmp_path):
    seen = []
    corpus = prepare(drums, tmp_path / "c", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (24, 24)
    assert len(corpus) == 24
    assert corpus.categories == ["kick", "snare"]
    assert corpus.clip_seconds == 2.0
    clip = corpus.clips[0]
    assert (clip.name, clip.file, clip.source_rate, clip.source_channels) == ("Kicks/boom a", "Kicks/boom a.wav", RATE, 1)
    for i, info in enumerate(corpus.clips):
        audio = corpus.audio(i)
        assert audio.shape[0] == 1
        assert abs(float(audio.abs().max()) - STORED_PEAK) < 1e-6
        assert info.seconds == pytest.approx(audio.shape[1] / RATE)
    assert {c.split for c in corpus.clips} == {"train", "validation", "test"}
    assert sorted(sum((corpus.indices(s) for s in ("train", "validation", "test")), [])) == list(range(24))
    assert corpus.indices("train", "kick") == [i for i in corpus.indices("train") if corpus.clips[i].category == "kick"]
    with pytest.raises(ConfigError, match="kick, snare"):
        corpus.indices(category="tom")
    with pytest.raises(ConfigError, match="validation"):
        corpus.indices("valid")


def test_gain_and_start_are_remembered(tmp_path):
    sound = np.concatenate([np.zeros(4410), 0.25 * np.exp(-np.arange(8000) / 900)])
    save(tmp_path / "in" / "a.wav", sound)
    corpus = prepare(tmp_path / "in", tmp_path / "c")
    clip, audio = corpus.clips[0], corpus.audio(0)[0].numpy()
    begin = round(clip.start_s * RATE)
    assert 4410 - 60 < begin < 4410
    original = sound[begin : begin + len(audio)] * 10 ** (clip.gain_db / 20)
    assert np.abs(original[:-300] - audio[:-300]).max() < 1e-4


def test_the_arrays_are_readable_without_the_project(drums, tmp_path):
    prepare(drums, tmp_path / "c", store_stft=True, channels=2)
    audio, offsets = np.load(tmp_path / "c" / "audio.npy"), np.load(tmp_path / "c" / "offsets.npy")
    lines = [json.loads(line) for line in (tmp_path / "c" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    assert audio.shape == (offsets[-1], 2)
    assert len(lines) == len(offsets) - 1
    stft, frames = np.load(tmp_path / "c" / "stft.npy"), np.load(tmp_path / "c" / "stft_offsets.npy")
    head = json.loads((tmp_path / "c" / "corpus.json").read_text(encoding="utf-8"))
    assert (head["stft"]["n_fft"], head["stft"]["hop"]) == (1024, 256)
    assert stft.dtype == np.complex64
    clip = audio[offsets[3] : offsets[4]].T
    assert frames[4] - frames[3] == 1 + clip.shape[1] // 256
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    k = 4
    expected = np.fft.rfft(np.pad(clip[1], 512)[k * 256 : k * 256 + 1024] * window)
    assert np.abs(stft[frames[3] + k, 1] - expected).max() < 1e-3


def test_the_result_does_not_depend_on_workers_or_the_run(drums, tmp_path):
    first = prepare(drums, tmp_path / "a", workers=1)
    second = prepare(drums, tmp_path / "b", workers=3)
    assert first.fingerprint == second.fingerprint == first.head["fingerprint"]
    assert (tmp_path / "a" / "audio.npy").read_bytes() == (tmp_path / "b" / "audio.npy").read_bytes()


def test_source_files_are_never_touched(drums, tmp_path):
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in drums.rglob("*.wav")}
    prepare(drums, tmp_path / "c")
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in drums.rglob("*") if p.is_file()}


@pytest.mark.parametrize("frames", [1, 2, 7, 40, 220, 2205])
@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_no_clip_is_dropped_for_being_short(tmp_path, frames, rate):
    save(tmp_path / "in" / "a.wav", 0.5 * np.ones(frames) * np.cos(np.arange(frames)), rate)
    corpus = prepare(tmp_path / "in", tmp_path / "c")
    assert len(corpus) == 1
    assert corpus.audio(0).shape[1] >= 1
    assert abs(float(corpus.audio(0).abs().max()) - STORED_PEAK) < 1e-6
    assert corpus.clips[0].split == "train"


def test_batch_pads_and_cuts(drums, tmp_path):
    corpus = prepare(drums, tmp_path / "c")
    longest = max(corpus.samples(i) for i in range(len(corpus)))
    audio, lengths = corpus.batch([0, 5, 9], samples=longest + 10)
    for row, i in enumerate([0, 5, 9]):
        assert lengths[row] == corpus.samples(i)
        assert torch.equal(audio[row, :, : lengths[row]], corpus.audio(i))
        assert not audio[row, :, lengths[row] :].any()
    audio, lengths = corpus.batch([3], samples=2000)
    assert lengths.tolist() == [2000]
    assert audio[0, 0, -1] == 0.0
    assert torch.equal(audio[0, :, :1559], corpus.audio(3)[:, :1559])
    assert corpus.batch([], samples=5)[0].shape == (0, 1, 5)


def test_a_synthetic_corpus_can_be_prepared_in_place_of_a_folder(tmp_path):
    corpus = prepare("synthetic:drums", tmp_path / "c", seed=3, count=12)
    assert len(corpus) == 12
    assert "kick" in corpus.categories
    assert {c.split for c in corpus.clips} >= {"train", "validation"}
    with pytest.raises(ConfigError, match="drums"):
        prepare("synthetic:nothing", tmp_path / "d")
    assert not (tmp_path / "d").exists()


# --- shaping and cutting -------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    time=st.integers(1, 6000), lead=st.integers(0, 3000), tail=st.integers(0, 3000), level=st.floats(1e-3, 8.0), channels=st.integers(1, 2)
)
def test_clips_begin_before_and_end_behind_the_sound(time, lead, tail, level, channels):
    body = np.random.default_rng(time).uniform(-1, 1, (channels, time)).astype(np.float32)
    body[:, [0, -1]] = 1.0
    audio = np.pad(body * np.float32(level), ((0, 0), (lead, tail)))
    clip, first, gain = make_clip(audio, Segment(0, audio.shape[1]), RATE)
    assert lead - 45 <= first <= lead
    assert np.abs(clip).max() == pytest.approx(STORED_PEAK, abs=1e-6)
    whole = clip[:, lead - first : lead - first + time]
    assert np.allclose(whole, body * np.float32(level * 10 ** (gain / 20)), atol=1e-5)
    assert clip.shape[1] <= time + 45 + 221


def test_soft_attacks_stay_whole_and_noise_before_a_hit_goes():
    t = np.arange(RATE) / RATE
    swell = (np.minimum(1, t / 0.5) * np.sin(2 * np.pi * 220 * t)).astype(np.float32)[None]
    onset, _ = bounds(np.pad(swell, ((0, 0), (5000, 0))), RATE)
    assert 5000 <= onset < 5000 + 0.01 * RATE
    noise = 0.003 * np.random.default_rng(0).standard_normal(RATE // 2)
    vinyl = np.concatenate([noise, hit(0.5, seed=1) + 0.003 * np.random.default_rng(1).standard_normal(RATE // 2)]).astype(np.float32)[None]
    onset, _ = bounds(vinyl, RATE)
    assert abs(onset - RATE // 2) < 0.005 * RATE


def test_dc_is_removed_only_where_it_is_one():
    sound = hit(1.0, seed=4, decay=4)
    sound -= sound.mean()
    assert dc_offset((sound + 0.1).astype(np.float32)[None], RATE)[0] == pytest.approx(0.1, abs=0.01)
    lopsided = np.exp(-np.arange(RATE) / 900).astype(np.float32)[None]  # mean well above zero, rests at zero
    assert dc_offset(lopsided, RATE)[0] == 0
    assert dc_offset(np.full((1, 100), 0.5, np.float32), RATE)[0] == 0  # too short to tell


def test_auto_cut(tmp_path):
    def cut(sound, mode="auto", seconds=2.0):
        return [(p.start, p.end) for p in cut_audio(sound.astype(np.float32)[None], RATE, cut=mode, segment_seconds=seconds)]

    short = hit(5.9, decay=0.1)
    assert cut(short) == [(0, len(short))]
    assert cut(hit(9.0, decay=0.1), "keep") == [(0, 9 * RATE)]
    crash = hit(9.0, decay=0.6)
    assert len(cut(crash)) == 1
    assert cut(crash)[0][1] / RATE == pytest.approx(6.0, abs=0.1)
    drone = np.sin(np.arange(9 * RATE) * 0.05)
    ends = cut(drone)
    assert [e - s for s, e in ends[:-1]] == [2 * RATE] * (len(ends) - 1)
    assert ends[0][0] <= 1
    assert ends[-1][1] == len(drone)
    assert [round((e - s) / RATE, 3) for s, e in cut(np.resize(drone, int(4.1 * RATE)), "segments")] == [2.0, 2.1]
    row = np.concatenate([np.pad(hit(0.5, seed=i), (0, RATE // 2)) for i in range(8)])
    assert len(cut(row)) == 8
    for i, (start, _) in enumerate(cut(row)):
        assert abs(start - i * RATE) < 0.02 * RATE
    assert len(cut(row[: 3 * RATE])) == 1
    assert len(cut(row[: 3 * RATE], "onsets")) == 3
    with pytest.raises(ConfigError, match="auto, keep"):
        cut(row, "sometimes")
    assert onsets(np.zeros((1, 10), np.float32), RATE) == []


def test_ten_minutes_are_cut_without_losing_any(tmp_path):
    rate = 8000
    t = np.arange(600 * rate) / rate
    save(tmp_path / "in" / "long.wav", 0.5 * np.sin(2 * np.pi * (100 * t + t**2)), rate, "PCM_16")
    corpus = prepare(tmp_path / "in", tmp_path / "c", sample_rate=rate)
    assert len(corpus) == 300
    assert sum(c.seconds for c in corpus.clips) == pytest.approx(600, abs=0.1)
    assert corpus.clips[7].name == "long#8"
    assert corpus.clips[7].start_s == pytest.approx(14.0, abs=0.01)
    assert Counter(c.split for c in corpus.clips) == {"train": 240, "validation": 30, "test": 30}
    splits = [c.split for c in corpus.clips]  # in stretches of a tenth, not mixed at random
    assert sum(a != b for a, b in pairwise(splits)) <= 4


def test_longer_recordings_are_read_in_stretches(tmp_path, monkeypatch):
    from timbrespace.corpus import sources

    monkeypatch.setattr(sources, "_STRETCH_SECONDS", 10.0)
    save(tmp_path / "in" / "a.wav", 0.5 * np.sin(np.arange(31 * 8000) * 0.1), 8000)
    seen = []
    corpus = prepare(tmp_path / "in", tmp_path / "c", sample_rate=8000, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 1)]
    assert [round(c.start_s) for c in corpus.clips] == list(range(0, 31, 2))
    assert sum(c.seconds for c in corpus.clips) == pytest.approx(31, abs=0.05)
    assert [c.name for c in corpus.clips] == [f"a#{k}" for k in range(1, 17)]


def test_stereo_is_kept_on_request(tmp_path):
    save(tmp_path / "in" / "a.wav", np.stack([hit(seed=1), hit(seed=2)], axis=1))
    save(tmp_path / "in" / "eight.wav", np.stack([hit(seed=i) for i in range(8)], axis=1))
    assert prepare(tmp_path / "in", tmp_path / "one").audio(0).shape[0] == 1
    corpus = prepare(tmp_path / "in", tmp_path / "two", channels=2)
    assert corpus.audio(1).shape[0] == 2
    assert corpus.clips[1].source_channels == 8
    assert not torch.equal(corpus.audio(0)[0], corpus.audio(0)[1])


def test_same_stem_gets_its_suffix(tmp_path):
    save(tmp_path / "in" / "a.wav", hit(seed=1))
    soundfile.write(tmp_path / "in" / "a.flac", hit(seed=2), RATE)
    assert [c.name for c in prepare(tmp_path / "in", tmp_path / "c").clips] == ["a.flac", "a.wav"]


def test_a_moved_corpus_opens(drums, tmp_path):
    fingerprint_before = prepare(drums, tmp_path / "c").fingerprint
    (tmp_path / "c").rename(tmp_path / "d")
    assert Corpus.open(tmp_path / "d").fingerprint == fingerprint_before


@settings(max_examples=40, deadline=None)
@given(
    clicks=st.lists(st.tuples(st.integers(0, 80_000), st.integers(1, 9000), st.floats(0.01, 1.0)), max_size=12),
    noise=st.floats(0, 0.1),
    cut=st.sampled_from(["auto", "segments", "onsets"]),
)
def test_pieces_are_in_order_and_never_empty(clicks, noise, cut):
    rate = 8000
    audio = noise * np.random.default_rng(0).standard_normal((1, 80_000)).astype(np.float32)
    for at, length, level in clicks:
        audio[0, at : at + length] += level
    found = cut_audio(audio.astype(np.float32), rate, cut=cut, segment_seconds=1.0)
    assert found
    assert all(piece.start < piece.end <= 80_000 for piece in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
