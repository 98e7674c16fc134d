"""Pieces of any length: rows on disk, reading and writing in parts, blocks without a trace in the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from melodies import REED, STRING, melody

from timbrespace.audio.files import resample_array, write
from timbrespace.contracts import AudioFileError
from timbrespace.voices import conversion, pitch, rendering
from timbrespace.voices.analysis import analyse, analyse_part, find_course
from timbrespace.voices.conversion import ConversionOptions, convert
from timbrespace.voices.file import Voices
from timbrespace.voices.frames import RATE, joined
from timbrespace.voices.path import extend_paths, path_to
from timbrespace.voices.stream import reading, rows, writing
from timbrespace.voices.stream.background import background
from timbrespace.voices.stream.rows import Piece, Rows
from timbrespace.voices.weights import Curve


def test_rows_are_the_same_in_memory_and_on_disk(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_IN_MEMORY", 100)
    values = rng.standard_normal((1_000, 3)).astype(np.float32)
    for made in (Rows(3), Rows(3, tmp_path)):
        for part in np.split(values, (1, 7, 500)):
            made.append(part)
        assert made.shape == values.shape
        for at in (slice(None), slice(5, 9), slice(990, 2_000), slice(2_000, 3_000), slice(9, 5)):
            np.testing.assert_array_equal(made[at], values[at])
        made.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize(("channels", "samples"), [(1, 1), (2, 1_001), (1, 9_999)])
def test_a_file_written_in_parts_has_the_same_bytes(
    subtype: str, channels: int, samples: int, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_PART", 1_000)
    audio = (0.5 * rng.standard_normal((channels, samples))).astype(np.float32)
    made = Rows(channels)
    made.append(audio.T)
    write(tmp_path / "whole.wav", 0.5 * audio, 48_000, subtype=subtype)
    writing.write_rows(tmp_path / "parts.wav", made, 48_000, gain=0.5, subtype=subtype)
    assert (tmp_path / "parts.wav").read_bytes() == (tmp_path / "whole.wav").read_bytes()


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
def test_files_beyond_4_gb_are_rf64(subtype: str, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_LARGEST", 1_000)
    audio = (0.1 * rng.standard_normal((5_001, 1))).astype(np.float32)
    made = Rows(1)
    made.append(audio)
    writing.write_rows(tmp_path / "large.wav", made, RATE, subtype=subtype)
    read, _ = soundfile.read(tmp_path / "large.wav", dtype="float32", always_2d=True)
    assert soundfile.info(tmp_path / "large.wav").format == "RF64"
    np.testing.assert_allclose(read, audio, atol=2**-23)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("samples", [1, 7, 20_000])
def test_a_piece_read_in_parts_is_the_piece(
    rate: int, samples: int, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_PART", 1_003)
    audio = (0.1 * rng.standard_normal((2, samples))).astype(np.float32)
    write(tmp_path / "piece.wav", audio, rate, subtype="FLOAT")
    read = reading.read_rows(tmp_path / "piece.wav", tmp_path)
    assert read.rate == rate
    np.testing.assert_allclose(read.audio[:].T, resample_array(audio, rate, RATE), atol=1e-6)
    read.audio.close()


def test_many_channels_become_one_and_silence_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    audio = (0.1 * rng.standard_normal((5, 3_000))).astype(np.float32)
    write(tmp_path / "many.wav", audio, RATE, subtype="FLOAT")
    np.testing.assert_allclose(reading.read_rows(tmp_path / "many.wav").audio[:][:, 0], audio.mean(0), atol=1e-6)
    write(tmp_path / "silent.wav", 0 * audio, RATE)
    with pytest.raises(AudioFileError, match="silent"):
        reading.read_rows(tmp_path / "silent.wav")


def test_the_path_does_not_depend_on_the_parts_it_is_found_in(rng: np.random.Generator) -> None:
    """Decided where all paths agree, it is the path of the whole."""
    octaves, costs = rng.uniform(6, 10, (500, 8)), rng.uniform(0, 1, (500, 8))
    totals = np.append(costs[0], 0.5)
    back = extend_paths(octaves, costs, totals, 0.5, 0.15, 4.0, 0.6)
    wanted = path_to(back, 499, int(np.argmin(totals)))
    depths = costs - pitch._LONGER * (np.log2(RATE) - octaves) - pitch._MULTIPLE * pitch._multiple(octaves, costs)
    hollow = np.zeros(depths.shape)
    found = []
    for step in (1, 3, 64, 500):
        paths = pitch._Paths()
        for first in range(0, 500, step):
            part = slice(first, first + step)
            paths.add(octaves[part], depths[part], np.ones(500)[part], hollow[part])
        found.append(paths.finish())
        assert step == 500 or len(paths._decided) > 3
    for one in found[:-1]:
        np.testing.assert_array_equal(one, found[-1])
    assert ((found[-1][0] > 0) == (wanted < 8)).mean() > 0.5


def test_frames_do_not_depend_on_the_parts_that_are_analysed(tmp_path: Path) -> None:
    wave = melody(REED, (58, 65, 61))
    piece = Rows(1, tmp_path)
    piece.append(wave[:, None])
    whole, course = analyse(wave.astype(np.float32).astype(np.float64)), find_course(Piece(piece))
    parts = joined([analyse_part(Piece(piece), course, first, first + 256) for first in range(0, len(whole), 256)])
    for name in ("pitch", "periodicity", "partials", "noise", "explained"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    piece.close()


@pytest.mark.parametrize(
    "options",
    [
        ConversionOptions(),
        ConversionOptions(keep=("noise",), stretch=1.3, transpose=2.0),
        ConversionOptions(stretch=0.4),
        ConversionOptions(keep=("room",)),
    ],
)
def test_a_conversion_does_not_depend_on_its_blocks(voices: Voices, options: ConversionOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise is drawn block by block; all else is the same. A chord in the middle takes the second path."""
    wave = np.stack([melody(REED, (58, 65, 61)), 0.5 * melody(REED, (58, 65, 61))]).astype(np.float32)
    wave[:, RATE : 2 * RATE] += melody(STRING, (63, 70, 66))[RATE : 2 * RATE].astype(np.float32)
    curve = Curve(((0.2, {"reed": 1.0}), (2.0, {"string": 1.0})))
    monkeypatch.setattr(rendering, "_noise", lambda noise, offset, number, count, seed: np.zeros(count))
    whole = convert(voices, wave, curve, options)
    assert whole.passages
    monkeypatch.setattr(rendering, "BLOCK", 64)
    monkeypatch.setattr(conversion, "BLOCK", 64)
    blocks = convert(voices, wave, curve, options)
    assert (blocks.passages, blocks.source, blocks.octaves) == (whole.passages, whole.source, whole.octaves)
    assert blocks.outside == pytest.approx(whole.outside)
    np.testing.assert_allclose(blocks.audio, whole.audio, atol=2e-4)
    np.testing.assert_allclose(blocks.voiced.partials, whole.voiced.partials, atol=1e-4)


def test_the_background_of_a_tone_is_what_is_between_its_partials(rng: np.random.Generator) -> None:
    """White noise keeps the share of the band that is not around partials; the tone itself is gone; without a pitch all is background."""
    time = np.arange(2 * RATE) / RATE
    tone = sum(np.cos(2 * np.pi * 441 * k * time) / k for k in range(1, 20))[:, None]
    noise = 0.01 * rng.standard_normal((len(time), 2))
    pitch, gains = np.full(len(time) // 256 + 1, 441.0), np.ones(len(time) // 256 + 1)
    inside = slice(20 * 256, 300 * 256)
    alone = background(np.repeat(tone, 2, axis=1), pitch, gains, 0, 340)
    assert 20 * np.log10(alone[inside].std() / tone.std()) < -60
    kept = background(tone + noise, pitch, gains, 0, 340)[inside]
    bins = np.arange(2_049)
    apart = np.abs(bins - np.rint(bins * RATE / 4_096 / 441) * 441 * 4_096 / RATE)
    share = ((apart >= 3 + 0.01 * bins) | (bins < 20)).mean()
    np.testing.assert_allclose(kept.var(axis=0) / noise.var(axis=0), share, rtol=0.15)
    assert np.corrcoef(kept.T)[0, 1] == pytest.approx(0, abs=0.05)  # each channel keeps its own
    np.testing.assert_allclose(background(noise, 0 * pitch, gains, 0, 340)[inside], noise[inside], atol=1e-4)
    assert not background(noise, pitch, 0 * gains, 0, 340).any()


def test_a_kept_room_is_the_piece_between_its_notes(voices: Voices, rng: np.random.Generator) -> None:
    """Noise of both channels goes through, each with its own; the tone has the timbre of the voice."""
    wave = np.stack([melody(REED, (58, 65, 61), seed=9)] * 2)
    noise = 0.003 * rng.standard_normal(wave.shape)
    curve = Curve(((0.0, {"string": 1.0}),))
    dry, kept = (
        convert(voices, (wave + noise).astype(np.float32), curve, ConversionOptions(keep=(*names, "loudness", "vibrato"))).audio
        for names in ((), ("room",))
    )
    assert np.corrcoef(dry[0] - dry[1], noise[0] - noise[1])[0, 1] < 0.1
    assert np.corrcoef(kept[0] - kept[1], noise[0] - noise[1])[0, 1] > 0.3  # of its power a fifth is between the partials
