"""Conversion with voices learned from two computed instruments: course kept, timbre taken on, own voice unchanged."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from melodies import REED, STRING, melody

from timbrespace.contracts import ConfigError, CorpusError, InstrumentFileError
from timbrespace.instrument import Instrument
from timbrespace.modulation.change import donor_of
from timbrespace.modulation.measuring import measure_audio, split
from timbrespace.modulation.options import read_wish
from timbrespace.voices import load, train
from timbrespace.voices.analysis import analyse
from timbrespace.voices.conversion import ConversionOptions, Converted, convert
from timbrespace.voices.file import Voices, write_voices
from timbrespace.voices.frames import RATE
from timbrespace.voices.training import VoicesOptions, fit_voices, read_voices
from timbrespace.voices.weights import Curve

NOTES = (58, 65, 61, 68)


def to(weight: float) -> Curve:
    """Weights of the string."""
    return Curve(((0.0, {"reed": 1 - weight, "string": weight}),))


def piece(partials: tuple[float, ...] = REED, **options: float) -> np.ndarray:
    return melody(partials, NOTES, seed=9, **options)[None].astype(np.float32)  # type: ignore[arg-type]


def even_share(audio: np.ndarray) -> float:
    """The level of the second partial over that of the first in dB: low for the reed, -6 for the string."""
    frames = analyse(audio[0].astype(np.float64))
    loud = frames.loudness() > -40
    return float(np.median(20 * np.log10((frames.partials[loud, 1] + 1e-6) / (frames.partials[loud, 0] + 1e-6))))


@pytest.fixture(scope="module")
def string(voices: Voices) -> Converted:
    return convert(voices, piece(), to(1))


def test_pitch_loudness_and_length_are_those_of_the_piece(string: Converted) -> None:
    wave = piece()
    assert string.audio.shape == wave.shape
    assert string.source == "reed"
    assert string.passages == ()
    before, after = analyse(wave[0].astype(np.float64)), analyse(string.audio[0].astype(np.float64))
    both = before.pitched & after.pitched & (before.loudness() > -45)
    assert np.median(np.abs(1200 * np.log2(after.pitch[both] / before.pitch[both]))) < 3
    assert np.corrcoef(before.loudness()[both], after.loudness()[both])[0, 1] > 0.98


def test_a_quieter_piece_has_the_same_timbre(voices: Voices, string: Converted) -> None:
    """The level of a recording says nothing about how loudly it was played."""
    quiet = convert(voices, 0.2 * piece(), to(1))
    heard = string.frames.loudness() > -45
    want, have = (20 * np.log10(one.voiced.partials[heard, :8] + 1e-6) for one in (string, quiet))
    assert np.abs(have - want - 20 * np.log10(0.2)).mean() < 1.0


def test_a_note_far_below_keeps_the_envelope_of_the_voice(voices: Voices) -> None:
    """Two octaves below what was learned: levels are those of the lowest notes at the same frequencies, evens of the reed stay low."""
    low = melody(STRING, (33, 36), seed=3)[None].astype(np.float32)
    result = convert(voices, low, to(0))
    heard = (result.frames.loudness() > -40) & result.frames.pitched
    levels = 20 * np.log10(result.voiced.partials[heard] + 1e-6).mean(0) if heard.any() else np.zeros(1)
    assert levels[0:8:2].min() > levels[1:9:2].max() + 10


def test_the_timbre_moves_with_the_weight(voices: Voices, string: Converted) -> None:
    shares = [even_share(convert(voices, piece(), to(weight)).audio) for weight in (0.0, 0.5)] + [even_share(string.audio)]
    assert shares[0] < -30
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] == pytest.approx(-6, abs=5)


def test_the_own_voice_changes_no_level(voices: Voices) -> None:
    result = convert(voices, piece(STRING), to(1))
    assert result.source == "string"
    heard = result.frames.loudness() > -60
    levels = 20 * np.log10(result.voiced.partials[heard] + 1e-3) - 20 * np.log10(result.frames.partials[heard] + 1e-3)
    assert np.abs(levels).max() < 0.1


def test_a_curve_moves_the_timbre_within_the_piece(voices: Voices) -> None:
    audio = convert(voices, piece(), Curve(((0.5, {"reed": 1.0}), (2.5, {"string": 1.0})))).audio
    half = audio.shape[1] // 4
    assert even_share(audio[:, :half]) < even_share(audio[:, -half:]) - 15


def test_stretch_changes_the_length_alone_and_transpose_the_pitch(voices: Voices) -> None:
    wave = piece()
    result = convert(voices, wave, to(1), ConversionOptions(stretch=1.5, transpose=3.0))
    assert result.audio.shape[1] == round(1.5 * wave.shape[1])
    before, after = analyse(wave[0].astype(np.float64)), analyse(result.audio[0].astype(np.float64))
    middle = [round((number + 0.5) * 0.8 * RATE / 256) for number in range(len(NOTES))]
    played = 69 + 12 * np.log2(after.pitch[[round(1.5 * at) for at in middle]] / 440)
    np.testing.assert_allclose(played, np.array(NOTES) + 3, atol=0.1)
    np.testing.assert_allclose(before.pitch[middle], 440 * 2 ** ((np.array(NOTES) - 69) / 12), rtol=0.01)


def test_vibrato_stays_or_goes(voices: Voices) -> None:
    def swing(keep: tuple[str, ...]) -> float:
        audio = convert(voices, piece(vibrato=40.0), to(1), ConversionOptions(keep=keep)).audio
        pitch = analyse(audio[0].astype(np.float64)).pitch[30:110]
        return float(np.std(1200 * np.log2(pitch / np.median(pitch))))

    assert swing(("loudness", "vibrato")) == pytest.approx(40 / np.sqrt(2), rel=0.15)
    assert swing(("loudness",)) < 4


def test_modulations_are_scaled_and_taken_from_another_sound(voices: Voices) -> None:
    def depth(audio: np.ndarray) -> float:
        found = measure_audio(audio, RATE).vibrato
        return 0.0 if found is None else found.depth

    with_vibrato = melody(REED, (61, 66), seconds=1.5, vibrato=40.0)[None].astype(np.float32)
    less = ConversionOptions(vibrato=read_wish("vibrato", 0.5))
    assert depth(convert(voices, with_vibrato, to(1), less).audio) == pytest.approx(20, rel=0.15)
    plain = melody(REED, (59, 64), seconds=1.5)[None].astype(np.float32)
    taken = ConversionOptions(donor=donor_of(split(with_vibrato, RATE)))
    assert depth(convert(voices, plain, to(1), taken).audio) == pytest.approx(40, rel=0.15)
    with pytest.raises(ConfigError, match="add vibrato to keep"):
        ConversionOptions(keep=("loudness",), vibrato=read_wish("vibrato", 0.5))


def test_noise_stays_where_it_is_kept(voices: Voices) -> None:
    kept = convert(voices, piece(), to(1), ConversionOptions(keep=("loudness", "vibrato", "noise")))
    ratio = kept.voiced.noise.sum(1) / np.maximum(kept.frames.noise.sum(1), 1e-20)
    loud = kept.frames.loudness() > -40
    assert np.median(10 * np.log10(ratio[loud])) == pytest.approx(0, abs=3)


def test_chords_are_filtered_and_reported(voices: Voices) -> None:
    chord = sum(piece(STRING, seconds=1.0)[:, : 4 * RATE // 2] * 0.5 for _ in range(1))
    other = melody(STRING, (63, 70, 66, 73), seconds=1.0)[None, : chord.shape[1]].astype(np.float32) * 0.5
    result = convert(voices, (chord + other).astype(np.float32), to(0))
    assert sum(stop - start for start, stop in result.passages) > 0.8
    assert np.isfinite(result.audio).all()
    level = 20 * np.log10(np.std(result.audio) / np.std(chord + other))
    assert abs(level) < 4


def test_two_channels_keep_their_levels(voices: Voices) -> None:
    wave = np.concatenate([piece(), 0.25 * piece()])
    result = convert(voices, wave, to(1)).audio
    assert result.shape == wave.shape
    assert 20 * np.log10(np.std(result[1]) / np.std(result[0])) == pytest.approx(-12, abs=0.5)


@pytest.mark.parametrize("wave", [np.zeros((1, 1), np.float32), np.zeros((1, 5_000), np.float32), np.full((1, 3_000), 0.5, np.float32)])
def test_pieces_without_a_melody_give_sound_without_faults(voices: Voices, wave: np.ndarray) -> None:
    result = convert(voices, wave, to(0.5))
    assert result.audio.shape == wave.shape
    assert np.isfinite(result.audio).all()


def test_noise_and_clicks_are_no_reason_to_fail(voices: Voices, rng: np.random.Generator) -> None:
    wave = 0.1 * rng.standard_normal((1, RATE)).astype(np.float32)
    wave[0, RATE // 2] = 1.0
    result = convert(voices, wave, to(1))
    assert np.isfinite(result.audio).all()
    assert np.std(result.audio) == pytest.approx(0.1, rel=0.5)


def test_a_piece_out_of_range_is_moved_by_the_octaves_that_are_advised(voices: Voices) -> None:
    low = melody(REED, (34, 41, 37), seed=3)[None].astype(np.float32)
    result = convert(voices, low, to(1))
    assert result.outside > 0.9
    assert result.octaves == 24
    assert convert(voices, low, to(1), ConversionOptions(transpose=24.0)).outside < 0.1


def test_small_weights_of_many_instruments_have_a_range(voices: Voices) -> None:
    even = Curve(((0.0, {"reed": 0.1, "string": 0.1}),))  # of a file with more instruments
    assert convert(voices, piece(), even).outside < 0.1


def test_a_seed_gives_the_same_samples(voices: Voices, string: Converted) -> None:
    np.testing.assert_array_equal(convert(voices, piece(), to(1)).audio, string.audio)
    assert not np.array_equal(convert(voices, piece(), to(1), ConversionOptions(seed=1)).audio, string.audio)


def test_options_out_of_range_are_refused(voices: Voices) -> None:
    for options in ({"keep": ("hall",)}, {"stretch": 0.0}, {"stretch": float("nan")}, {"transpose": 99.0}):
        with pytest.raises(ConfigError):
            ConversionOptions(**options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no voice"):
        convert(voices, piece(), to(1), ConversionOptions(source="harp"))
    with pytest.raises(ConfigError, match="no samples"):
        convert(voices, np.zeros((1, 0), np.float32), to(1))


def test_training_twice_gives_the_same_tensors(recordings: dict[str, Path]) -> None:
    found = read_voices(recordings)
    one, other = (fit_voices(found, VoicesOptions(steps=5, seed=4))[0].state_dict() for _ in range(2))
    assert all((one[name] == other[name]).all() for name in one)
    different = fit_voices(found, VoicesOptions(steps=5, seed=5))[0].state_dict()
    assert not all((one[name] == different[name]).all() for name in one)


def test_minutes_become_steps(recordings: dict[str, Path]) -> None:
    _, facts, training = fit_voices(read_voices(recordings), VoicesOptions(minutes=0.01))
    assert training["steps"] >= 1
    assert facts["reed"].lowest == pytest.approx(57, abs=1)
    assert facts["string"].highest == pytest.approx(72, abs=1)


def test_folders_that_teach_nothing_are_refused(recordings: dict[str, Path], tmp_path: Path) -> None:
    from timbrespace.audio.files import write

    quiet, noise = tmp_path / "quiet", tmp_path / "noise"
    for folder, level in ((quiet, 0.0), (noise, 0.1)):
        folder.mkdir()
        write(folder / "a.wav", level * np.random.default_rng(0).standard_normal((1, 6 * RATE)).astype(np.float32), RATE)
    (tmp_path / "empty").mkdir()
    for folder in ("quiet", "noise", "empty"):
        with pytest.raises(CorpusError, match="s of sound with a pitch"):
            train({"reed": recordings["reed"], "other": tmp_path / folder})
    with pytest.raises(CorpusError, match="2 to"):
        train({"reed": recordings["reed"]})
    with pytest.raises(CorpusError, match="same folder"):
        train({"reed": recordings["reed"], "other": recordings["reed"]})
    with pytest.raises(CorpusError, match="does not exist"):
        train({"reed": recordings["reed"], "other": tmp_path / "nowhere"})


def test_the_file_holds_the_same_voices(voices: Voices, voices_file: Path, tmp_path: Path) -> None:
    again = load(write_voices(voices, tmp_path / "again.safetensors"))
    assert again.digest == voices.digest
    assert again.facts == voices.facts
    assert again.training == voices.training
    with pytest.raises(InstrumentFileError, match="timbrespace convert"):
        Instrument.load(voices_file)


def test_damaged_files_are_refused_by_name(voices: Voices, voices_file: Path, tmp_path: Path) -> None:
    data = voices_file.read_bytes()
    rng = np.random.default_rng(1)
    for number in range(60):
        broken = bytearray(data)
        if number % 3 == 0:
            broken = broken[: int(rng.integers(0, len(data)))]
        else:
            for _ in range(3):
                broken[int(rng.integers(0, 2_000 if number % 3 == 1 else len(data)))] = int(rng.integers(0, 256))
        path = tmp_path / "broken.safetensors"
        path.write_bytes(broken)
        with contextlib.suppress(InstrumentFileError):  # no other error; a byte in a name can also change nothing
            load(path)
    old = tmp_path / "old.safetensors"
    old.write_bytes(data.replace(b'\\"version\\": 2', b'\\"version\\": 1', 1))
    with pytest.raises(InstrumentFileError, match="version 1, this release reads 2; train it again"):
        load(old)
    bad = replace(voices, facts={})
    with pytest.raises(InstrumentFileError, match="damaged"):
        load(write_voices(bad, tmp_path / "bad.safetensors"))
