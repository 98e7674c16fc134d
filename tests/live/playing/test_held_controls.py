"""Named controls of held sounds: what they do to a tone, and that all that plays can move them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.live import instruments
from tests.live.measured import RATE, in_blocks

from timbrespace.audio.arrays.tones import BRIGHTNESS, HOLLOWNESS, NOISINESS, amounts_for, describe_tones, harmonics, with_gains
from timbrespace.audio.describe import TONES
from timbrespace.contracts import ConfigError
from timbrespace.live import Engine
from timbrespace.live.held.groups import GROUPS, Group, Groups
from timbrespace.live.held.steering import NAMES

SPACING, PITCH, BINS = 10.0, 220.0, 1024


def power_of(levels: dict[float, float], noise: float = 0.0) -> np.ndarray:
    """A power spectrum of sines at multiples of PITCH, with the lobe of a window, and even noise."""
    places = np.arange(BINS) * SPACING
    lobes = [level**2 * np.exp(-(((places - number * PITCH) / SPACING) ** 2)) for number, level in levels.items()]
    return np.asarray(np.sum(lobes, 0) + noise)


def described(power: np.ndarray, pitch: float = PITCH) -> np.ndarray:
    return np.asarray(describe_tones(power[None], harmonics(len(power), SPACING, pitch))[0])


def test_controls_are_the_descriptors_of_tones() -> None:
    assert tuple(TONES) == NAMES  # written down a second time, since the first needs PyTorch
    assert [NAMES.index(name) for name in ("brightness", "noisiness", "hollowness")] == [BRIGHTNESS, NOISINESS, HOLLOWNESS]


def test_descriptors_of_tones_have_closed_forms() -> None:
    two = described(power_of({1: 1.0, 4: 1.0}))
    assert two[BRIGHTNESS] == pytest.approx(np.log2(2.5), abs=0.01)  # halfway, in multiples of the pitch
    odd = described(power_of({1: 1.0, 3: 2.0, 4: 1.0, 6: 1.0}))
    assert odd[HOLLOWNESS] == pytest.approx(10 * np.log10(4 / 2), abs=0.15)
    assert described(power_of({1: 1.0}, noise=1.0))[NOISINESS] > described(power_of({1: 1.0}, noise=1e-3))[NOISINESS]
    flat = np.random.default_rng(0).exponential(size=BINS)
    assert -1.0 < described(flat)[NOISINESS] < -0.7  # of noise: the mean of the log of an exponential variable is -0.58 / ln 2
    assert np.isfinite(described(np.zeros(BINS))).all()


def test_descriptors_do_not_depend_on_level_and_note() -> None:
    levels = {number: 1 / number for number in range(1, 12)}
    one = described(power_of(levels))
    np.testing.assert_allclose(described(100 * power_of(levels)), one, atol=1e-9)
    stretched = np.interp(np.arange(BINS) / 1.5, np.arange(BINS), power_of(levels), right=0.0)
    np.testing.assert_allclose(described(stretched, 1.5 * PITCH)[[BRIGHTNESS, HOLLOWNESS]], one[[BRIGHTNESS, HOLLOWNESS]], atol=0.15)


@pytest.mark.parametrize("octaves", [-0.6, -0.1, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("decibels", [-6.0, 0.0, 6.0])
def test_gains_change_brightness_and_hollowness_by_what_is_wanted(octaves: float, decibels: float) -> None:
    power = power_of({number: 1 / number for number in range(1, 20)})
    wanted = described(power) + np.array([octaves, 0.0, decibels])
    where = harmonics(BINS, SPACING, PITCH)
    found = with_gains(power, where, amounts_for(power, where, wanted, ways=(BRIGHTNESS, HOLLOWNESS)))
    np.testing.assert_allclose(described(found)[[BRIGHTNESS, HOLLOWNESS]], wanted[[BRIGHTNESS, HOLLOWNESS]], atol=0.1)


def test_gains_end_at_their_limits() -> None:
    power = power_of({1: 1.0, 2: 1e-6})
    where = harmonics(BINS, SPACING, PITCH)
    found = with_gains(power, where, amounts_for(power, where, np.array([9.0, 0.0, 0.0]), ways=[BRIGHTNESS]))
    at = round(PITCH / SPACING)
    assert 10 * np.log10(found[2 * at] / found[at] / (power[2 * at] / power[at])) == pytest.approx(12, abs=0.5)
    assert np.isfinite(amounts_for(np.zeros(BINS), where, np.ones(3), ways=range(3))).all()


def test_gains_between_harmonics_make_a_tone_noisier_or_purer() -> None:
    power, where = power_of({number: 1 / number for number in range(1, 20)}, noise=1e-5), harmonics(BINS, SPACING, PITCH)
    for octaves in (-0.5, 1.0):
        wanted = described(power) + np.array([0.0, octaves, 0.0])
        found = with_gains(power, where, amounts_for(power, where, wanted, ways=[NOISINESS]))
        assert described(found)[NOISINESS] == pytest.approx(wanted[NOISINESS], abs=0.05)


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Harmonics of 220 Hz, of which the first latent makes a brighter tone."""
    return instruments.held(tmp_path_factory.mktemp("held") / "tone.safetensors", spread=1.5)


def played(engine: Engine) -> np.ndarray:
    """A quarter of a second of what sounds, settled."""
    engine.render(RATE // 10)
    return engine.render(RATE // 4)[:, 0].astype(np.float64)


def centroid(audio: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    return float(power @ np.fft.rfftfreq(len(audio), 1 / RATE) / power.sum())


@pytest.mark.parametrize("held", ["bank", "spectrum"])
def test_a_held_note_gets_brighter_as_asked_at_the_same_level_and_pitch(held: str, tone: Path) -> None:
    with Engine(tone, held=held) as engine:
        engine.note_on(57, 100)
        plain = played(engine)
        source = engine.sounds.sources[0]
        low, high = source.controls["brightness"]
        assert low <= -1
        assert high >= 1
        for amount in (-1.0, -0.5, 0.5, 1.0):
            engine.set_control("brightness", amount)
            moved = played(engine)
            spread = source.tones.spreads[BRIGHTNESS]  # type: ignore[attr-defined]
            assert np.log2(centroid(moved) / centroid(plain)) / spread == pytest.approx(amount, abs=0.15)
            assert 20 * np.log10(np.std(moved) / np.std(plain)) == pytest.approx(0, abs=0.5)
            levels, hertz = np.abs(np.fft.rfft(moved * np.hanning(len(moved)))), np.fft.rfftfreq(len(moved), 1 / RATE)
            assert hertz[levels > levels.max() / 4].min() == pytest.approx(220, abs=10)
        engine.set_control("brightness", 0.0)
        assert np.log2(centroid(played(engine)) / centroid(plain)) == pytest.approx(0, abs=0.01)
        with pytest.raises(ConfigError, match="allowed is one of brightness"):
            engine.set_control("length", 1.0)


@pytest.mark.parametrize("held", ["bank", "spectrum"])
def test_a_sweep_has_no_clicks_and_the_same_samples_for_every_length_of_blocks(held: str, tone: Path) -> None:
    def render(block: int) -> np.ndarray:
        with Engine(tone, held=held, seed=2) as engine:
            engine.note_on(57, 100)
            pieces = []
            for step in range(20):
                engine.set_control("brightness", (step - 10) / 6)
                pieces += in_blocks(engine, 1_200, block)
            return np.concatenate(pieces)

    one = render(1_200)
    np.testing.assert_array_equal(one, render(65))
    ends = one[-2_400:, 0]  # the brightest part, steady
    assert np.abs(np.diff(one[2_400:, 0])).max() < 1.5 * np.abs(np.diff(ends)).max()


def brightness_of(engine: Engine) -> float:
    return float(np.log2(centroid(played(engine))))


def test_channels_and_notes_with_ids_have_their_own_brightness(tone: Path) -> None:
    with Engine(tone, held="bank") as engine:
        spread = engine.sounds.sources[0].tones.spreads[BRIGHTNESS]  # type: ignore[attr-defined]
        engine.note_on(57, 100, channel=1)
        plain = brightness_of(engine)
        engine.timbre(0.75, channel=2)
        assert brightness_of(engine) == pytest.approx(plain, abs=0.01)
        engine.timbre(0.75, channel=1)
        assert (brightness_of(engine) - plain) / spread == pytest.approx(1, abs=0.15)
        engine.note_off(57, channel=1)
        engine.render(RATE // 2)
        engine.note_on(57, 100, id=7)
        assert brightness_of(engine) == pytest.approx(plain, abs=0.01)
        engine.timbre(0.25, id=8)
        assert brightness_of(engine) == pytest.approx(plain, abs=0.01)
        engine.timbre(0.25, id=7)
        assert (brightness_of(engine) - plain) / spread == pytest.approx(-1, abs=0.15)
        engine.note_on(57, 100, id=7)  # a new note
        engine.render(RATE // 2)
        assert brightness_of(engine) == pytest.approx(plain, abs=0.01)


def test_velocity_chooses_the_brightness_of_a_held_note(tone: Path) -> None:
    with pytest.raises(ConfigError, match="'noisiness', allowed is one of brightness"):
        Engine(tone, velocity_control="noisiness")  # oscillators have no noise
    with Engine(tone, velocity_control="brightness") as engine:
        spread = engine.sounds.sources[0].tones.spreads[BRIGHTNESS]  # type: ignore[attr-defined]
        found = []
        for velocity in (8, 120):
            engine.note_on(57, velocity)
            found.append(brightness_of(engine))
            engine.note_off(57)
            engine.render(RATE // 2)
        assert (found[1] - found[0]) / spread == pytest.approx(112 / 64, abs=0.25)  # layers of 16 velocities


def test_more_groups_of_voices_than_timbres_share_them(tone: Path) -> None:
    with Engine(tone) as engine:
        for number in range(80):
            engine.note_on(40 + number % 40, 60, channel=number % 16, id=number)
            engine.render(480)
        assert np.isfinite(engine.render(4_800)).all()
        engine.all_notes_off()
        engine.render(RATE // 2)
        assert engine.state().voices == 0
        engine.note_on(57, 100)
        assert played(engine).any()
        assert not any("error" in line or "full" in line for line in engine.state().last)


def test_an_instrument_keeps_a_timbre_while_another_one_takes_all_others(tone: Path, tmp_path: Path) -> None:
    other = instruments.held(tmp_path / "other.safetensors", partials=1)
    with Engine(other, tone) as engine:
        engine.program(1, channel=1)
        engine.note_on(57, 100, channel=1)
        alone = brightness_of(engine)
        engine.note_off(57, channel=1)
        engine.render(RATE // 2)
        notes = [(40 + number, 2 + number % 14, number if number < 28 else None) for number in range(42)]  # 28 ids, then 14 channels
        for note, channel, own in notes:
            engine.note_on(note, 1, channel=channel, id=own)
        for note, channel, own in notes:
            engine.note_off(note, channel=channel, id=own)
        engine.note_on(57, 127, channel=1)  # while they fade, their groups are still taken
        engine.render(RATE // 2)
        assert brightness_of(engine) == pytest.approx(alone, abs=0.01)


def test_groups_that_are_left_are_for_instruments_that_have_none() -> None:
    groups = Groups(range(GROUPS), fade=100, programs=(0, 1, 5))
    for number in range(40):
        groups.join(Group(0, None, number, None), number, 0)
    assert len(groups.active(0)) == GROUPS - 2
    assert groups.join(Group(5, 8, 3, 7), 50, 0) == Group(5, 8, 3, 7)
    assert groups.join(Group(5, 8, 4, None), 51, 0) == Group(5, 8, 3, 7)
    assert groups.join(Group(1, None, 0, None), 52, 0) == Group(1, None, 0, None)
    assert groups.join(Group(0, None, 99, None), 53, 0).program == 0
    assert len({groups.slot(one) for one in groups.active(0)}) == GROUPS
    groups.leave_all(0)
    assert groups.active(100) == []
