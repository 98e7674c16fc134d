"""Instruments whose latent varies in time, held as long as a key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.live import instruments
from tests.live.measured import RATE, in_blocks, strongest

from timbrespace.contracts import ConfigError
from timbrespace.live import Engine
from timbrespace.live.held.pitch import Spectrum, find_pitch, refined
from timbrespace.native.live import Live

HAMMING = 1.36


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Harmonics of 220 Hz."""
    return instruments.held(tmp_path_factory.mktemp("held") / "tone.safetensors")


def cents(one: float, other: float) -> float:
    return float(1200 * np.log2(one / other))


@pytest.mark.parametrize(("held", "within"), [("bank", 1.0), ("spectrum", 5.0)])
def test_a_held_note_has_its_pitch_and_lasts_as_long_as_its_key(held: str, within: float, tone: Path) -> None:
    for note in (45.0, 57.0, 64.5, 76.0):
        with Engine(tone, held=held) as engine:
            engine.note_on(note, 127)
            engine.render(RATE)
            steady = engine.render(2 * RATE)[:, 0].astype(np.float64)
            hertz = 440 * 2 ** ((note - 69) / 12)
            assert abs(cents(strongest(steady), hertz)) < within
            assert np.sqrt(np.square(steady).mean()) > 0.02
            engine.note_off(note)
            engine.render(RATE // 5)
            assert not engine.render(4_800).any()
            assert engine.state().voices == 0


def test_pedal_bend_and_a_second_press(tone: Path) -> None:
    with Engine(tone) as engine:
        engine.sustain(True)
        engine.note_on(57, 100)
        engine.note_off(57)
        engine.render(9_600)
        assert engine.state().voices == 1
        engine.bend(2.0)
        engine.render(4_800)
        assert abs(cents(strongest(engine.render(RATE)[:, 0].astype(np.float64)), 220 * 2 ** (2 / 12))) < 1
        engine.note_on(57, 100)
        engine.render(12_000)
        assert engine.state().voices == 1
        engine.note_off(57)
        engine.sustain(False)
        engine.render(12_000)
        assert engine.state().voices == 0


@pytest.mark.parametrize("held", ["bank", "spectrum"])
def test_the_same_samples_for_every_length_of_blocks(held: str, tone: Path) -> None:
    def render(block: int) -> np.ndarray:
        with Engine(tone, held=held, seed=2) as engine:
            pieces = []
            for step in range(6):
                if step % 2 == 0:
                    engine.note_on(50 + step, 100)
                engine.set_latent(0, step / 2)
                engine.bend(step / 7)
                pieces += in_blocks(engine, 777, block)
            return np.concatenate(pieces)

    whole = render(4_096)
    assert np.abs(whole).max() > 0.02
    for block in (1, 64, 65, 512):
        np.testing.assert_array_equal(render(block), whole)


@pytest.mark.parametrize("held", ["bank", "spectrum"])
def test_latents_move_while_it_sounds_without_clicks(held: str, tone: Path) -> None:
    def brightness(audio: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
        return float((power * np.fft.rfftfreq(len(audio), 1 / RATE)).sum() / power.sum())

    with Engine(tone, held=held) as engine:
        engine.note_on(57, 127)
        engine.render(RATE)
        before = engine.render(RATE // 2)[:, 0].astype(np.float64)
        moving = []
        for step in range(100):
            engine.set_latent(0, 3 * step / 100)
            moving.append(engine.render(480))
        engine.render(4_800)
        after = engine.render(RATE // 2)[:, 0].astype(np.float64)
    assert brightness(after) > 1.2 * brightness(before)
    jumps = np.abs(np.diff(np.concatenate(moving)[:, 0], 2)).max()
    assert jumps < 1.2 * max(np.abs(np.diff(before, 2)).max(), np.abs(np.diff(after, 2)).max())


def test_a_live_engine_follows_in_a_thread(tone: Path) -> None:
    with Engine(tone) as engine:
        engine.go_live(workers=1)
        engine.note_on(57, 127)
        first = engine.render(9_600)[-4_800:]
        engine.set_latent(0, 4.0)
        for _ in range(200):
            last = engine.render(4_800)
            if np.abs(last).max() > 1.1 * np.abs(first).max():
                break
            engine._timbres._closed.wait(0.02)
        assert np.abs(last).max() > 1.1 * np.abs(first).max()


def test_the_mdct_is_held_at_its_pitch(tmp_path: Path) -> None:
    with Engine(instruments.held(tmp_path / "mdct.safetensors", view="mdct")) as engine:
        engine.note_on(57, 127)
        engine.render(RATE)
        assert abs(cents(strongest(engine.render(RATE)[:, 0].astype(np.float64)), 220)) < 30  # a bin is 21 Hz


def test_pads_choose_the_sound_and_what_is_refused(tone: Path) -> None:
    with Engine(tone) as engine:
        engine.pad(3)
        engine.render(64)
        assert engine.state().voices == 0
        assert engine.state().last == ("sound 3: tone 4",)
        with pytest.raises(ConfigError, match="no instrument here has principal axes"):  # it holds no training sounds
            engine.set_axis(0, 1.0)
        with pytest.raises(ConfigError, match="no instrument here has controls"):
            engine.set_control("brightness", 1)
    with pytest.raises(ConfigError, match="held is 'drone', allowed are bank and spectrum"):
        Engine(tone, held="drone")


@pytest.mark.parametrize("hertz", [55.0, 110.0, 196.5, 220.0, 333.3, 523.25, 1046.5])
@pytest.mark.parametrize("shape", ["falling", "odd", "formant"])
def test_the_pitch_of_a_spectrum(hertz: float, shape: str) -> None:
    window, rate, size = np.hamming(4096), 44_100, 4096
    numbers = np.arange(1, int(10_000 / hertz) + 1)
    amplitudes = {
        "falling": 1 / numbers,
        "odd": np.where(numbers % 2, 1 / numbers, 0.02 / numbers),
        "formant": np.exp(-np.square((numbers * hertz - 1_500) / 600)) + 0.1 / numbers,
    }[shape]
    time = np.arange(size) / rate
    audio = (amplitudes[:, None] * np.sin(2 * np.pi * hertz * numbers[:, None] * time + numbers[:, None] ** 2)).sum(0)
    magnitudes = (np.abs(np.fft.rfft(audio * window))[:1025] / (window.sum() / 2)).astype(np.float32)
    spectrum = Spectrum(magnitudes, rate / size, HAMMING)
    found = find_pitch(spectrum)
    assert abs(cents(found, hertz)) < 40
    ratios, heights = Live().partials_of(magnitudes, spacing=spectrum.spacing, hertz=found, bandwidth=HAMMING, count=64)
    assert abs(cents(refined(found, ratios, heights), hertz)) < (8 if hertz < 100 else 3)
    assert abs(cents(find_pitch(spectrum, hertz * 1.01), hertz)) < 40


def test_the_pitch_of_silence_stays() -> None:
    silence = Spectrum(np.zeros(100, np.float32), 10.0, HAMMING)
    assert find_pitch(silence, 100.0) == 100.0
    assert find_pitch(silence) > 0
