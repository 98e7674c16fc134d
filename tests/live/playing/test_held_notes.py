"""Instruments of notes, held as long as a key."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from tests.live import instruments
from tests.live.measured import RATE, strongest
from tests.native.instrument.untrained import untrained_notes

from timbrespace.contracts import ConfigError
from timbrespace.live import Engine
from timbrespace.live.held.course import Course, frames_of
from timbrespace.live.held.motion import Motion, Slots
from timbrespace.live.state import Wanted
from timbrespace.native.calls import CoreError
from timbrespace.native.interface import NoteParts
from timbrespace.native.live import Live
from timbrespace.native.opening import open_player


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Notes 45 to 75."""
    return instruments.notes(tmp_path_factory.mktemp("notes") / "notes.safetensors")


def mono(engine: Engine, samples: int) -> np.ndarray:
    return engine.render(samples)[:, 0].astype(np.float64)


@pytest.mark.parametrize(("held", "within"), [("bank", 1.0), ("spectrum", 5.0)])
def test_a_note_lasts_as_long_as_its_key_and_has_its_pitch_also_outside_the_range(held: str, within: float, path: Path) -> None:
    with Engine(path, held=held, hold_notes=True) as engine:
        assert engine.sounds.sources[0].held
        for note in (31.0, 60.37, 88.0):
            engine.note_on(note, 127)
            engine.render(3 * RATE)  # far over the length of its one-shot
            steady = mono(engine, RATE)
            hertz = 440 * 2 ** ((note - 69) / 12)
            number = max(1, round(strongest(steady) / hertz))
            assert abs(1200 * np.log2(strongest(steady) / (number * hertz))) < within
            assert engine.state().voices == 1
            engine.note_off(note)
            engine.render(RATE // 5)
            assert not engine.render(1000).any()
            assert engine.state().voices == 0


@pytest.mark.parametrize("held", ["bank", "spectrum"])
def test_the_same_samples_for_every_length_of_blocks(held: str, path: Path) -> None:
    def play(block: int) -> np.ndarray:
        with Engine(path, held=held, hold_notes=True, humanise=0.5, seed=4) as engine:
            pieces = []
            for step in range(6):
                if step == 0:
                    engine.note_on(60, 100)
                    engine.note_on(67, 90, at=700)
                    engine.note_on(50, 90, at=5_000)  # far ahead
                    engine.note_off(67, at=4_100)
                engine.set_latent(0, 0.3 * step)
                engine.set_axis(0, -0.2 * step)
                engine.pad(step % 2)
                if step == 3:
                    engine.bend(1.5)
                for start in range(0, 1_111, block):
                    pieces.append(engine.render(min(block, 1_111 - start)))
            return np.concatenate(pieces)

    whole = play(4_096)
    assert whole.any()
    for block in (1, 64, 65, 512):
        assert np.array_equal(play(block), whole)


def test_what_is_asked_of_the_sound_moves_it_while_it_sounds(path: Path) -> None:
    def apart(one: np.ndarray, other: np.ndarray) -> float:
        """The mean difference of bands of 500 Hz up to 8 kHz, dB."""
        powers = [np.square(np.abs(np.fft.rfft(audio * np.hanning(len(audio)))))[:4_000].reshape(16, 250).sum(1) for audio in (one, other)]
        return float(np.abs(10 * np.log10(powers[0] / powers[1])).mean())

    changes = {
        "latent": lambda engine: engine.set_latents([4.0] * 4), "axis": lambda engine: engine.set_axis(0, 3.0),
        "pad": lambda engine: engine.pad(3), "morph": lambda engine: engine.set_morph(0, 5, 0.8),
    }  # fmt: skip
    for change in changes.values():
        with Engine(path, hold_notes=True) as engine:
            engine.note_on(57, 100)
            engine.render(2 * RATE)
            before, again = mono(engine, RATE // 2), mono(engine, RATE // 2)
            change(engine)
            engine.render(RATE // 10)
            after = mono(engine, RATE // 2)
            assert apart(before, after) > 1.4 * apart(before, again)
            assert abs(10 * np.log10(np.square(after).mean() / np.square(before).mean())) < 6


def test_the_end_of_a_voice_frees_its_timbre(path: Path) -> None:
    with Engine(path, hold_notes=True, voices=8) as engine:
        for round_ in range(15):
            for note in range(50, 60):  # more than there are voices
                engine.note_on(note, 100)
            engine.render(500)
            if round_ % 3 == 0:
                engine.all_sound_off()
            engine.all_notes_off()
            engine.render(700)
        engine.render(RATE)
        assert engine.state().voices == 0
        engine.note_on(60, 100)
        engine.render(RATE)
        assert engine.render(100).any()
        assert not engine.state().last


def test_a_note_that_is_let_go_when_it_starts_never_sounds(path: Path) -> None:
    with Engine(path, hold_notes=True) as engine:
        engine.note_on(60, 100, at=RATE)
        engine.note_off(60, at=RATE)
        assert not engine.render(3 * RATE).any()


def test_drums_beside_held_notes_play_as_before_and_alone_are_refused(path: Path, tmp_path: Path) -> None:
    drums = instruments.drums(tmp_path / "kit.safetensors")
    with Engine(drums, hold_notes=False) as plain, Engine(drums, path, hold_notes=True) as both:
        for engine in (plain, both):
            engine.note_on(36, 100)
        assert np.array_equal(plain.render(4_800), both.render(4_800))
        both.program(1, channel=1)
        both.note_on(60, 100, channel=1)
        both.render(4 * RATE)
        assert both.render(1000).any()
    with pytest.raises(ConfigError, match=r"no instrument here can be held: kit has sounds without a pitch"):
        Engine(drums, hold_notes=True)


def parts_of(seconds: np.ndarray, level: np.ndarray, *, tones: int = 8, bins: int = 65) -> NoteParts:
    """A note of 440 Hz whose tones fall by 1 / n, at a level in dB by time."""
    ratios = np.zeros(184, np.float32)
    ratios[:tones] = np.arange(1, tones + 1)
    amplitudes = np.zeros((len(seconds), 184), np.float32)
    amplitudes[:, :tones] = 10 ** (level[:, None] / 20) / ratios[:tones]
    noise = np.repeat(10 ** ((level - 60) / 10), bins).reshape(-1, bins).astype(np.float32)
    return NoteParts(seconds, ratios, amplitudes, noise, 350.0, 440.0, 0.5, 3.0, 4.0)


def test_a_steady_note_is_held_as_it_is_and_one_that_decays_6_db_under_its_loudest() -> None:
    seconds = frames_of(0.0058, 690) * 0.0058
    for rate in (0.0, 5.0, 40.0, 400.0):  # dB a second
        course = Course(parts_of(seconds, -rate * seconds))
        first, last = (np.log10(course.at(time)[0][0]) * 20 for time in (0.0, 100.0))
        assert -6.1 < last - first <= 0.01
        assert np.array_equal(course.at(course.steady_from)[0], course.at(50.0)[0])
    quiet, loud = (Course(parts_of(seconds, level + 0 * seconds)).at(9.0)[0] for level in (-40.0, 0.0))
    assert quiet == pytest.approx(loud, rel=1e-4)  # every note is held at the same level


def test_flutter_and_wander_have_their_strength_and_no_drift() -> None:
    motion = Motion(1, 2, flutter=2.0, wander=10.0, rate=5.0)
    times = np.arange(4_000) / 100
    cents = np.array([motion.cents(time) for time in times])
    assert cents.std() == pytest.approx(10, rel=0.2)
    assert abs(cents.reshape(-1, 200).mean(1)).max() < 2
    levels = 20 * np.log10(np.array([motion.flutter(time) for time in times[:1_000]]))
    assert levels.std() == pytest.approx(0.7 * 2, rel=0.1)
    assert np.abs(np.diff(levels, axis=0)).max() < 3
    again = Motion(1, 2, flutter=2.0, wander=10.0, rate=5.0)
    assert np.array_equal(again.flutter(7.77), Motion(1, 2, flutter=2.0, wander=1.0, rate=1.0).flutter(7.77))
    assert not Motion(1, 2, flutter=2.0, wander=0.0, rate=5.0).wanders


def test_a_line_keeps_its_slot_while_it_moves_by_little() -> None:
    slots, ratios, factors = Slots(), np.zeros(184, np.float32), np.ones(256, np.float32)
    tones = np.arange(184, dtype=np.float32)

    def places(*lines: float) -> list[int]:
        ratios[160:] = 0
        ratios[160 : 160 + len(lines)] = lines
        slots.take(ratios)
        found = slots.amplitudes(tones, factors)
        return [int(np.flatnonzero(found[160:] == 160 + line)[0]) for line in range(len(lines))]

    first = places(2.51, 4.4)
    assert places(4.41, 2.515) == first[::-1]  # in another order
    other = places(6.5)
    assert other[0] not in first  # its own slot, so that it fades in while they fade out
    assert np.array_equal(slots.ratios[:160], np.arange(1, 161))


@pytest.mark.parametrize("kind", ["noise bank", "noise spectrum"])
def test_tones_and_noise_have_their_power(kind: str) -> None:
    hertz, amplitudes = np.array([440.0, 1_320.0, 5_000.0]), np.array([0.2, 0.1, 0.05], np.float32)
    noise = np.full(513, 1e-9, np.float32)  # a Hz
    noise[200:] = 1e-8
    mixer = Live(sample_rate=RATE)
    mixer.partials(0, hertz / 440, amplitudes)
    mixer.spectrum(0, np.sqrt(2 * 1.5 * 43.0 * noise), spacing=43.0, hertz=440.0, bandwidth=1.5)
    mixer.hold(1, 69.0, kind=kind, seed=3)
    mixer.render(RATE // 2)
    audio = mixer.render(4 * RATE)[:, 0].astype(np.float64)
    spectrum = np.square(np.abs(np.fft.rfft(audio * np.hanning(len(audio))))) / (len(audio) ** 2 * 3 / 8) * 2
    bins = np.fft.rfftfreq(len(audio), 1 / RATE)
    sums = [spectrum[np.abs(bins - one) < 8].sum() for one in hertz]
    assert 10 * np.log10(sums) == pytest.approx(20 * np.log10(amplitudes) - 3.01, abs=0.1)
    bands = [spectrum[(bins > low) & (bins < low + 1_500)].sum() / 1_500 for low in (2_000, 6_000, 12_000, 16_000)]
    assert 10 * np.log10(bands) == pytest.approx([-90, -90, -80, -80], abs=0.5)


def test_a_frame_in_no_time_replaces_what_the_slot_had() -> None:
    def render(frames: int) -> np.ndarray:
        mixer = Live(sample_rate=RATE)
        for frame in range(frames):
            mixer.partials(0, [1.0, 2.0 + frame], [0.1 * (frames - frame), 0.2], seconds=0.0)
            mixer.spectrum(0, np.full(100, 0.01 * (frames - frame)), spacing=100.0, hertz=440.0, seconds=0.0)
        mixer.partials(0, [1.0, 3.0], [0.1, 0.3], seconds=0.0)
        mixer.spectrum(0, np.full(64, 0.01), spacing=100.0, hertz=440.0, seconds=0.0)
        mixer.hold(1, 69.0, kind="noise bank", seed=3)
        return mixer.render(1_000)

    assert np.array_equal(render(0), render(3))


def test_the_parts_of_a_note_add_up_to_its_one_shot(path: Path) -> None:
    """Levels in wide bands of the one-shot, against the powers of tones and noise."""
    core = open_player(path).core
    z = core.with_pitch(core.draw(0, 0, np.zeros((0, core.info.dims), np.float32)).z, 57.0)
    parts = core.note_parts(z, np.arange(0, core.info.frames, dtype=np.int32))
    rate, edges = core.info.sample_rate, [0.0, 1_000.0, 4_000.0, 0.49 * core.info.sample_rate]
    assert parts.hertz == pytest.approx(220.0, rel=1e-5)
    assert np.isfinite(parts.tones).all()
    assert np.isfinite(parts.noise).all()
    middle = slice(len(parts.seconds) // 4, len(parts.seconds) // 2)
    first, last = (int(second * rate) for second in parts.seconds[middle][[0, -1]])
    hertz, noise = parts.ratios * parts.hertz, np.arange(parts.noise.shape[1]) * parts.spacing
    tones, powers = 0.5 * np.square(parts.tones[middle]).mean(0), parts.noise[middle].mean(0) * parts.spacing
    bands = list(itertools.pairwise(edges))
    ours = [tones[(hertz >= low) & (hertz < high)].sum() + powers[(noise >= low) & (noise < high)].sum() for low, high in bands]
    theirs = np.zeros(len(bands))
    for seed in range(4):
        one = core.render(z, seed, category=-1, finish=False)[0, first:last].astype(np.float64)
        spectrum, bins = np.square(np.abs(np.fft.rfft(one * np.hanning(len(one))))), np.fft.rfftfreq(len(one), 1 / rate)
        theirs += [spectrum[(bins >= low) & (bins < high)].sum() / np.square(one).sum() for low, high in bands]
    apart = 10 * np.log10(np.array(ours) / theirs)
    assert apart - apart[0] == pytest.approx(np.zeros(3), abs=1.5)  # renderings have a peak of 1: their level is their own


def test_parts_are_those_of_the_middle_of_a_stereo_note_and_bad_frames_are_refused(tmp_path: Path) -> None:
    untrained_notes(channels=2).save(tmp_path / "stereo.safetensors")
    core = open_player(tmp_path / "stereo.safetensors").core
    z = core.draw(0, 0, np.zeros((0, core.info.dims), np.float32)).z
    some, every = core.note_parts(z, np.array([0, 3, 9, 9, 10_000])), core.note_parts(z, np.arange(core.info.frames))
    assert np.array_equal(some.tones[:3, :160], every.tones[[0, 3, 9], :160])
    assert np.array_equal(some.tones[2], some.tones[3])
    assert some.seconds[-1] == every.seconds[-1]
    with Engine(tmp_path / "stereo.safetensors", hold_notes=True) as engine:
        engine.note_on(60, 100)
        audio = engine.render(9_600)
        assert audio.any()
        assert np.array_equal(audio[:, 0], audio[:, 1])
    for frames, category in (([], -1), ([3, 2], -1), ([-1], -1), ([0] * (core.info.frames + 1), -1), ([0], 99), ([0], -2)):
        with pytest.raises(CoreError):
            core.note_parts(z, np.array(frames, np.int32), category=category)
    with pytest.raises(CoreError):
        core.note_parts(z * np.nan, np.zeros(1, np.int32))
    drums = open_player(instruments.drums(tmp_path / "kit.safetensors")).core
    assert drums.note_bins() == 0
    with pytest.raises(CoreError):
        drums.note_parts(np.zeros(drums.info.dims, np.float32), np.zeros(1, np.int32))


def test_a_timbre_of_one_note_with_an_id_moves_that_note_alone(path: Path) -> None:
    with Engine(path, hold_notes=True) as engine:
        source = engine.sounds.sources[0]
        asked: list[tuple[float | None, tuple[tuple[int, float], ...]]] = []
        own = source.course
        source.controls["brightness"] = (-2.0, 2.0)  # the untrained instrument has none
        source.course = lambda key, held=None: asked.append((key.pitch, key.wanted.controls)) or own(key._replace(wanted=Wanted()), held)
        for note, id_ in ((55, 7), (60, 8)):
            engine.note_on(note, 100, id=id_)
        engine.render(4_800)
        asked.clear()
        engine.timbre(1.0, id=7)
        engine.render(4_800)
        assert {pitch for pitch, _ in asked} == {55.0}
        assert asked[-1][1] == ((list(source.controls).index("brightness"), 2.0),)
