"""Recordings read in pieces, at another rate, with another duration, and the file that a result is written to."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.audio import time_stretch
from timbrespace.audio.files import read
from timbrespace.contracts import AudioFileError, ConfigError
from timbrespace.instrument import Instrument
from timbrespace.synthesis.transfer import feed as feeds
from timbrespace.synthesis.transfer import take as takes
from timbrespace.synthesis.transfer.feed import ArrayFeed, FileFeed, survey
from timbrespace.synthesis.transfer.onsets import onsets
from timbrespace.synthesis.transfer.overlap import fades
from timbrespace.synthesis.transfer.stretching import StretchedFeed, to_length
from timbrespace.synthesis.transfer.take import Take
from timbrespace.synthesis.transfer.windows import clip_windows, even_windows, windows_of

RATE = 44_100


def noise(samples: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return (0.2 * np.random.default_rng(seed).standard_normal((channels, samples))).astype(np.float32)


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (0.4 * np.sin(2 * math.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)[None]


@settings(max_examples=25, deadline=None)
@given(samples=st.integers(1, 5_000), size=st.integers(1, 1_500), ahead=st.integers(0, 700))
def test_any_pieces_are_the_recording(samples: int, size: int, ahead: int) -> None:
    audio = noise(samples)
    padded = np.pad(audio, ((0, 0), (ahead, size + ahead)))
    feed = ArrayFeed(audio)
    for start in range(-ahead, samples, size):
        assert np.array_equal(feed.read(start, start + size + ahead), padded[:, start + ahead : start + 2 * ahead + size])


@pytest.mark.parametrize("rate", [RATE, 22_050, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_is_read_in_blocks_as_it_is_read_whole(rate: int, channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "noise.wav"
    soundfile.write(path, noise(30_011, 2).T + 0.01, rate, subtype="FLOAT")
    whole, _ = read(path, sample_rate=RATE, channels=channels)
    found = {}
    for block in (1 << 17, 4_096):
        monkeypatch.setattr(feeds, "_BLOCK", block)
        feed = FileFeed(survey(path, channels), rate=RATE, channels=channels)
        assert feed.samples == whole.shape[1]
        found[block] = np.concatenate([feed.read(k, min(feed.samples, k + 5_000)) for k in range(0, feed.samples, 5_000)], 1)
    assert np.array_equal(found[4_096], found[1 << 17])
    inside = slice(200, -200)  # a resampler rings at a step, here that of the offset
    error = (found[4_096] - (whole.numpy() - whole.numpy().mean(1, keepdims=True)))[:, inside]
    assert np.abs(error).max() < 2e-4


def test_silence_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(5_000), RATE)
    with pytest.raises(AudioFileError, match="silent"):
        survey(path, 1)


def test_stretching_in_blocks_is_stretching() -> None:
    rng = np.random.default_rng(1)
    audio = np.concatenate([tone(300, 0.6), tone(500, 0.5) * np.exp(-np.arange(22_050) / 4_000), tone(200, 1.1)], 1).astype(np.float32)
    audio = np.concatenate([audio, audio + rng.standard_normal(audio.shape).astype(np.float32) * 0.01])
    for factor in (0.5, 1.7):
        whole = time_stretch.stretch(np.ascontiguousarray(audio.T), factor, sample_rate=RATE).T
        marks = [0, *onsets(ArrayFeed(audio), RATE)]
        feed = StretchedFeed(ArrayFeed(audio), whole.shape[1], sample_rate=RATE, marks=marks)
        parts = np.concatenate([feed.read(k, min(whole.shape[1], k + 7_777)) for k in range(0, whole.shape[1], 7_777)], 1)
        assert np.array_equal(parts, whole)


@pytest.mark.parametrize("factor", [0.5, 2.0, 3.3])
def test_a_stretched_tone_keeps_its_pitch_and_its_envelope_is_stretched(factor: float) -> None:
    time = np.arange(4 * RATE) / RATE
    audio = (np.sin(2 * math.pi * 441.3 * time) * (0.5 + 0.3 * np.sin(2 * math.pi * 1.0 * time)))[None].astype(np.float32)
    length = round(audio.shape[1] * factor)
    slow = to_length(ArrayFeed(audio), length, sample_rate=RATE, marks=[0]).read(0, length)[0]
    inside = slow[RATE // 2 : -RATE // 2].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(inside * np.hanning(len(inside)), 1 << 21))
    hertz = np.argmax(spectrum) * RATE / (1 << 21)
    assert abs(1_200 * math.log2(hertz / 441.3)) < 2
    window = round(0.05 * RATE)
    level = np.sqrt(np.convolve(slow.astype(np.float64) ** 2, np.ones(window) / window, "same"))
    peaks = [int(np.argmax(level[round(k * factor * RATE) : round((k + 1) * factor * RATE)])) / RATE / factor for k in (1, 2)]
    assert np.allclose(peaks, 0.25, atol=0.03)


def test_a_factor_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"0\.25 to 4"):
        to_length(ArrayFeed(noise(1_000)), 100, sample_rate=RATE, marks=[0])


@settings(max_examples=60, deadline=None)
@given(samples=st.integers(1, 400_000), size=st.integers(4, 60), overlap=st.integers(1, 15))
def test_even_windows_add_up_to_one(samples: int, size: int, overlap: int) -> None:
    unit = 256
    windows = even_windows(samples, size=size * unit, overlap=min(overlap, size // 4 or 1) * unit)
    check_sum(windows, samples, unit)


@settings(max_examples=60, deadline=None)
@given(samples=st.integers(1, 400_000), marks=st.lists(st.integers(0, 400_000), max_size=40))
def test_windows_at_onsets_add_up_to_one(samples: int, marks: list[int]) -> None:
    unit, longest = 256, 20_480
    windows = clip_windows(samples, [mark for mark in marks if mark < samples], unit=unit, longest=longest, attack=350, apart=2_600)
    check_sum(windows, samples, unit)
    assert all(window.stop - window.start <= longest for window in windows)
    softer = dict.fromkeys(marks[::2], 2_200)
    soft = clip_windows(
        samples, [mark for mark in marks if mark < samples], unit=unit, longest=longest, attack=350, apart=2_600, fades=softer
    )
    check_sum(soft, samples, unit)
    assert all(window.stop - window.start <= longest for window in soft)


def test_windows_fade_softly_where_what_begins_weighs_little(instrument: Instrument) -> None:
    weights = {20_000: 1.0, 40_000: 0.05, 60_000: 0.05, 60_700: 0.9, 80_000: 0.3}
    windows = {window.start: window.fade_in for window in windows_of(instrument.contents, 100_000, weights)}
    faded = [next(fade for start, fade in windows.items() if 0 < mark - start <= 1_024) for mark in (20_000, 40_000, 60_000, 80_000)]
    assert faded[0] == faded[2] < 600  # a hard onset right after a soft one
    assert faded[0] < faded[3] < faded[1] <= 2_646


def test_a_window_begins_just_before_each_onset() -> None:
    marks = [0, 10_000, 30_000, 61_111]
    windows = clip_windows(100_000, marks, unit=256, longest=20_480, attack=350, apart=2_600)
    starts = [window.start for window in windows]
    for mark in marks[1:]:
        assert any(256 <= mark - start <= 1_024 for start in starts), mark


def check_sum(windows: list, samples: int, unit: int) -> None:
    total = torch.zeros(samples // unit + 1)
    for window in windows:
        assert window.start % unit == 0
        assert window.stop > window.start
        points = (window.stop - window.start) // unit + (0 if window.fade_out else 1)
        weights = fades(window, points, hop=unit)
        total[window.start // unit : window.start // unit + points] += weights[: len(total) - window.start // unit]
    assert windows[-1].stop == samples
    assert torch.allclose(total, torch.ones_like(total), atol=1e-5)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_take_is_written_as_the_whole_would_be(subtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = noise(10_000, 2)
    written = {}
    for block in (1 << 19, 1_000):
        monkeypatch.setattr(takes, "_BLOCK", block)
        take = Take(2, RATE)
        for start in range(0, 10_000, 3_333):
            take.add(audio[:, start : start + 3_333])
        assert take.peak == np.abs(audio).max()
        assert np.array_equal(take.array(), audio)
        take.write(tmp_path / f"{block}.wav", subtype=subtype)
        written[block] = (tmp_path / f"{block}.wav").read_bytes()
        assert take.at_rate(22_050).samples == 5_000
        assert take.gain("peak") == pytest.approx(10 ** (-1 / 20) / take.peak)
    assert written[1_000] == written[1 << 19]
    read_back, rate = soundfile.read(tmp_path / "1000.wav", dtype="float32")
    assert rate == RATE
    assert np.abs(read_back.T - audio).max() < (1e-4 if subtype == "PCM_16" else 1e-6)
