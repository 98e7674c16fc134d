"""Variations of audio: drawn apart from done, the default draws kept for ever, every change against its closed form."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import signal

from timbrespace.audio.time_stretch import stretch
from timbrespace.contracts import ConfigError
from timbrespace.corpus.augment import audio as do
from timbrespace.corpus.augment.draw import Bell, Variation, draw_variation
from timbrespace.corpus.augment.settings import Augmentation

RATE = 44_100
EVERYTHING = Augmentation(transpose=1, stretch=1, equaliser=1, noise=1, gain=1, reverse=1, pitch=1, mix=1, tilt=1, decay=1)  # type: ignore[arg-type]


def sine(hertz: float, *, seconds: float = 1.0, channels: int = 1, rate: int = RATE) -> do.Wave:
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None].astype(np.float32), channels, axis=1)


def noise(count: int, *, channels: int = 1, seed: int = 0) -> do.Wave:
    return np.random.default_rng(seed).normal(scale=0.2, size=(count, channels)).astype(np.float32)


def cents(wave: do.Wave, hertz: float) -> float:
    """How far a sine lies from `hertz`, by the turn of its phase between two windows in its middle."""
    half = len(wave) // 4
    place = np.arange(half, half + 2 * half)
    turning = wave[place, 0] * np.exp(-2j * np.pi * hertz * place / RATE) * np.tile(np.hanning(half), 2)
    turn = np.angle(turning[half:].sum() * np.conj(turning[:half].sum()))
    return float(1200 * np.log2(1 + turn / (2 * np.pi * half / RATE) / hertz))


def decibels(ratio: float) -> float:
    return float(10 * np.log10(max(ratio, 1e-30)))


# --- drawing ----------------------------------------------------------------------------------------------------------------

KEPT: dict[int, dict[str, float]] = {
    500: {"semitones": 0.1281028089917191, "tilt": 0.01567596094542827, "decay": -10.207368369186728},
    501: {"tilt": -0.4485501297197839},
    502: {
        "semitones": -2.6698610451052165,
        "partner": 77,
        "partner_db": -10.388363616676049,
        "partner_semitones": 3.3919088938646693,
        "decay": -16.612843950941873,
    },
    507: {"semitones": 3.474688653986038, "tilt": 0.5126309760850868, "decay": 38.91563720367746},
}


@pytest.mark.parametrize(("row", "wanted"), KEPT.items())
def test_the_default_draws_stay(row: int, wanted: dict[str, float]) -> None:
    """Instruments of earlier releases were trained with these; another order of drawing would make all of them new."""
    drawn = draw_variation(np.random.default_rng([7, row]), clips=100)
    assert drawn.to_dict() == wanted


def test_the_default_shares() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_variation(rng, clips=50) for _ in range(3000)]
    for found, wanted in (
        (np.mean([v.semitones != 0 for v in drawn]), 0.8),
        (np.mean([v.partner is not None for v in drawn]), 0.4),
        (np.mean([v.tilt != 0 for v in drawn]), 0.5),
        (np.mean([v.decay != 0 for v in drawn]), 0.5),
    ):
        assert abs(found - wanted) < 0.035
    assert max(abs(v.semitones) for v in drawn) <= 4
    assert {v.partner for v in drawn if v.partner is not None} == set(range(50))
    assert all((v.transpose, v.stretch, v.bells, v.noise_db, v.gain_db, v.reverse) == (0, 1, (), None, 0, False) for v in drawn)


def test_a_kind_that_is_turned_on_leaves_the_others() -> None:
    plain, rich = np.random.default_rng(1), np.random.default_rng(1)
    one = [draw_variation(plain, clips=1) for _ in range(40)]
    other = [draw_variation(rich, clips=9, settings=EVERYTHING) for _ in range(40)]
    assert plain.random() == rich.random(), "as many draws"
    assert all(a.semitones in (0, b.semitones) and a.decay in (0, b.decay) and a.partner is None for a, b in zip(one, other, strict=True))
    assert all(1 / 1.25 <= v.stretch <= 1.25 and len(v.bells) == 3 and v.reverse and 20 <= (v.noise_db or 0) <= 50 for v in other)
    assert {v.noise_pink for v in other} == {True, False}
    assert all(-12 <= v.gain_db <= 0 and abs(v.transpose) <= 4 and all(60 <= b.hertz <= 12_000 for b in v.bells) for v in other)


def test_a_variation_written_down_is_done_again_to_the_bit() -> None:
    sound, partner = noise(5000), sine(300, seconds=0.1)
    for seed in range(8):
        drawn = draw_variation(np.random.default_rng(seed), clips=3, settings=EVERYTHING)
        read = Variation.from_dict(json.loads(json.dumps(drawn.to_dict(), allow_nan=False)))
        assert read == drawn
        one, two = (do.vary_audio(sound, v, sample_rate=RATE, partner=partner) for v in (drawn, read))
        assert np.array_equal(one, two)
    assert Variation().to_dict() == {}
    assert Variation.from_dict({}) == Variation()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"pitch": 3}, "no 'pitch'; known are semitones"),
        ({"semitones": "high"}, "semitones of a variation is 'high'"),
        ({"tilt": float("nan")}, "tilt of a variation is nan"),
        ({"bells": [{"hertz": 3}]}, "gain_db"),
    ],
)
def test_a_wrong_variation_is_refused(content: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Variation.from_dict(content)


# --- doing all of it --------------------------------------------------------------------------------------------------------


def test_no_variation_changes_nothing() -> None:
    sound = noise(3000, channels=2)
    assert np.array_equal(do.vary_audio(sound, Variation(), sample_rate=RATE), sound)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 60, 700, 5000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_length_is_safe(count: int, channels: int) -> None:
    sound, partner = noise(count, channels=channels), noise(max(1, count // 3), channels=channels, seed=1)
    for seed in range(6):
        drawn = draw_variation(np.random.default_rng(seed), clips=2, settings=EVERYTHING)
        varied = do.vary_audio(sound, drawn, sample_rate=RATE, partner=partner)
        assert varied.dtype == np.float32
        assert varied.shape[1] == channels
        assert len(varied) >= 1
        assert np.isfinite(varied).all()
        assert abs(np.abs(varied).max() / np.abs(sound).max() / 10 ** (drawn.gain_db / 20) - 1) < 1e-5


def test_silence_stays_silence() -> None:
    silent = np.zeros((3000, 2), np.float32)
    for seed in range(6):
        drawn = draw_variation(np.random.default_rng(seed), clips=2, settings=EVERYTHING)
        assert not do.vary_audio(silent, drawn, sample_rate=RATE, partner=silent).any()


def test_stereo_is_treated_as_mono() -> None:
    left = sine(200, seconds=0.3) * np.linspace(1, 0, 13_230, dtype=np.float32)[:, None]
    both = np.concatenate([left, -0.5 * left], axis=1)
    drawn = Variation(semitones=2, transpose=-3, stretch=1.2, tilt=0.4, decay=9, bells=(Bell(400, 6, 1),), reverse=True, gain_db=-3)
    one, two = (do.vary_audio(sound, drawn, sample_rate=RATE) for sound in (left, both))
    np.testing.assert_allclose(two[:, :1], one, atol=2e-5)
    np.testing.assert_allclose(two[:, 1:], -0.5 * one, atol=2e-5)


def test_a_missing_partner_is_named() -> None:
    with pytest.raises(ValueError, match="a partner, but none was given"):
        do.vary_audio(noise(100), Variation(partner=3), sample_rate=RATE)


# --- one by one -------------------------------------------------------------------------------------------------------------


def test_gain_and_reverse() -> None:
    sound = noise(1000, channels=2)
    for db in (-60, -6.02, 0, 3, 20):
        np.testing.assert_allclose(do.gain(sound, db), sound * 10 ** (db / 20), rtol=1e-6)
    assert do.gain(sound, 0) is sound
    assert np.array_equal(do.reverse(do.reverse(sound)), sound)
    assert np.array_equal(do.reverse(sound)[0], sound[-1])
    assert decibels(float(np.square(do.gain(sound, -7)).sum() / np.square(sound).sum())) == pytest.approx(-7, abs=1e-4)


@pytest.mark.parametrize("semitones", [-12, -4, 0.37, 5, 12])
@pytest.mark.parametrize("hertz", [110.0, 440.3])
def test_pitch(semitones: float, hertz: float) -> None:
    wanted = hertz * 2 ** (semitones / 12)
    shifted, moved = do.shift(sine(hertz), semitones), do.transpose(sine(hertz), semitones, sample_rate=RATE)
    assert abs(cents(shifted, wanted)) < 0.1
    assert abs(cents(moved, wanted)) < 1
    assert abs(len(shifted) - RATE / 2 ** (semitones / 12)) <= 1
    assert len(moved) == RATE


def test_pitch_out_of_range() -> None:
    for change in (do.shift(noise(9), 24), do.transpose(noise(9), -24, sample_rate=RATE)):
        assert np.isfinite(change).all()
    for wrong in (24.1, -25, float("nan")):
        with pytest.raises(ConfigError, match="semitones"):
            do.shift(noise(9), wrong)
        with pytest.raises(ConfigError, match="semitones"):
            do.transpose(noise(9), wrong, sample_rate=RATE)


def test_mix_tilt_and_decay() -> None:
    sound, other = noise(2000), noise(900, seed=1)
    for mixed in (do.mix(sound, other), do.mix(other, sound)):
        assert np.array_equal(mixed[900:], sound[900:])
        np.testing.assert_allclose(mixed[:900], sound[:900] + other)
    np.testing.assert_allclose(do.tilt(sound, -0.3), signal.lfilter([1, 0.3], 1, sound, axis=0), atol=1e-6)
    envelope = do.decay(np.ones((RATE + 1, 1), np.float32), 40, sample_rate=RATE)
    assert envelope[0] == 1
    assert envelope[RATE // 2] == pytest.approx(0.1, rel=1e-4)
    assert envelope[-1] == pytest.approx(0.01, rel=1e-4)
    assert do.decay(np.ones((RATE + 1, 1), np.float32), -20, sample_rate=RATE)[-1] == pytest.approx(10, rel=1e-4)


def test_equaliser_against_freqz() -> None:
    bells = (Bell(100, 6, 0.7), Bell(1000, -9, 2.0), Bell(9000, 3, 0.5))
    impulse = np.zeros((1 << 15, 2), np.float32)
    impulse[0] = 1, -1
    found = np.fft.rfft(do.equalise(impulse, bells, sample_rate=RATE), axis=0)
    hertz = np.fft.rfftfreq(len(impulse), 1 / RATE)
    wanted = np.ones(len(hertz), complex)
    for section in do.bell_sections(bells, sample_rate=RATE):
        wanted *= signal.freqz(section[:3], section[3:], worN=hertz, fs=RATE)[1]
    np.testing.assert_allclose(found[:, 0], wanted, atol=1e-4)
    np.testing.assert_allclose(found[:, 1], -wanted, atol=1e-4)
    alone = do.equalise(impulse, bells[1:2], sample_rate=RATE)
    level = 20 * np.log10(np.abs(np.fft.rfft(alone[:, 0])))
    assert level[np.argmin(np.abs(hertz - 1000))] == pytest.approx(-9, abs=0.01)
    assert level[0] == pytest.approx(0, abs=0.01)
    assert np.isfinite(do.equalise(noise(50), (Bell(12_000, 6, 1),), sample_rate=8_000)).all()


@pytest.mark.parametrize("pink", [False, True])
@pytest.mark.parametrize("wanted", [0.0, 20.0, 47.5])
def test_noise_lies_where_it_should(pink: bool, wanted: float) -> None:
    sound = sine(500, channels=2) * np.linspace(1, 0, RATE, dtype=np.float32)[:, None]
    noisy = do.add_noise(sound, wanted, pink=pink, seed=3, sample_rate=RATE)
    added = noisy.astype(np.float64) - sound
    assert decibels(float(np.square(sound).sum() / np.square(added).sum())) == pytest.approx(wanted, abs=0.01)
    assert np.array_equal(noisy, do.add_noise(sound, wanted, pink=pink, seed=3, sample_rate=RATE))
    assert not np.array_equal(noisy, do.add_noise(sound, wanted, pink=pink, seed=4, sample_rate=RATE))
    assert np.abs(added[[0, -1]]).max() < 0.1 * np.abs(added).max(), "it fades in and out"
    hertz, power = signal.welch(added[:, 0], RATE, nperseg=4096)
    slope = np.polyfit(np.log2(hertz[10:1800]), 10 * np.log10(power[10:1800]), 1)[0]
    assert slope == pytest.approx(-3 if pink else 0, abs=0.3)
    assert abs(np.corrcoef(added.T)[0, 1]) < 0.3, "channels have noise of their own"


# --- stretching -------------------------------------------------------------------------------------------------------------


def test_a_stretch_by_one_changes_nothing() -> None:
    sound = noise(20_000, channels=2)
    assert stretch(sound, 1, sample_rate=RATE) is sound
    nearly = stretch(sound, 1 + 1e-7, sample_rate=RATE)
    assert decibels(float(np.square(sound).sum() / np.square(nearly - sound).sum())) > 100


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.1, 1.25, 2])
@pytest.mark.parametrize("hertz", [55.0, 440.3, 3000.7])
def test_a_stretched_sine_is_a_sine(factor: float, hertz: float) -> None:
    longer = stretch(sine(hertz), factor, sample_rate=RATE)
    assert len(longer) == round(RATE * factor)
    assert abs(cents(longer, hertz)) < 1
    inner = longer[len(longer) // 5 : -len(longer) // 5, 0]
    place = np.arange(len(inner)) * 2 * np.pi * hertz / RATE
    basis = np.stack([np.sin(place), np.cos(place)], axis=1)
    rest = inner - basis @ np.linalg.lstsq(basis, inner, rcond=None)[0]
    assert decibels(float(np.square(inner).sum() / np.square(rest).sum())) > (30 if hertz < 100 else 80)
    assert np.sqrt(2) * inner.std() == pytest.approx(0.5, rel=0.01)


def test_a_stretched_sound_keeps_its_attack_and_moves_its_end() -> None:
    sound = noise(RATE) * np.exp(-np.arange(RATE, dtype=np.float32) / 6000)[:, None]
    for factor in (0.8, 1.3):
        longer = stretch(sound, factor, sample_rate=RATE)
        assert decibels(float(np.square(sound[:500]).sum() / np.square(sound[:500] - longer[:500]).sum())) > 100
        # The envelope: 60 dB down at factor times the sample
        level = [np.sqrt(np.square(wave[int(12_000 * f) : int(14_000 * f)]).mean()) for wave, f in ((sound, 1.0), (longer, factor))]
        assert 20 * np.log10(level[1] / level[0]) == pytest.approx(0, abs=1.5)


def test_a_second_stroke_stays_sharp() -> None:
    sound = np.zeros((RATE, 1), np.float32)
    for place in (100, 20_000):
        sound[place : place + 4000] += noise(4000, seed=place) * np.exp(-np.arange(4000, dtype=np.float32) / 500)[:, None]
    longer = stretch(sound, 1.25, sample_rate=RATE)
    stroke = sound[20_000:20_400, 0]
    likeness = np.correlate(longer[:, 0], stroke)
    begin = int(np.argmax(likeness[10_000:])) + 10_000
    assert abs(begin - 25_000) < 1024
    rest = longer[begin : begin + 400, 0] - stroke
    assert decibels(float(np.square(stroke).sum() / np.square(rest).sum())) > 40, "the stroke itself is the same"
    before = longer[begin - 512 : begin, 0]
    assert decibels(float(np.square(stroke).sum() / np.square(before).sum())) > 40, "no echo ahead of the stroke"


def test_no_clicks_and_channels_together() -> None:
    bell = sine(330, channels=2) * np.hanning(RATE).astype(np.float32)[:, None]
    bell[:, 1] *= -0.5
    for factor in (0.7, 1.4):
        longer = stretch(bell, factor, sample_rate=RATE)
        assert np.abs(longer[[0, -1]]).max() < 1e-4
        assert np.abs(np.diff(longer, 2, axis=0)).max() < 1.1 * np.abs(np.diff(bell, 2, axis=0)).max()
        np.testing.assert_allclose(longer[:, 1], -0.5 * longer[:, 0], atol=1e-5)


def test_noise_keeps_its_level_and_lengths_are_right() -> None:
    for factor in (0.8, 1.25):
        assert 20 * np.log10(stretch(noise(RATE), factor, sample_rate=RATE).std() / 0.2) == pytest.approx(0, abs=1)
    for count in (1, 2, 17, 900):
        for factor in (0.25, 0.9, 1.7, 4):
            longer = stretch(noise(count), factor, sample_rate=RATE)
            assert longer.shape == (max(1, round(count * factor)), 1)
            assert np.isfinite(longer).all()
    assert not stretch(np.zeros((5000, 1), np.float32), 1.5, sample_rate=RATE).any()
    assert len(stretch(np.zeros((0, 1), np.float32), 1.5, sample_rate=RATE)) == 0


@pytest.mark.parametrize("factor", [0.2, 4.1, -1, float("nan")])
def test_stretches_out_of_range(factor: float) -> None:
    with pytest.raises(ConfigError, match=r"allowed is 0\.25 to 4"):
        stretch(noise(9), factor, sample_rate=RATE)
