"""The engine without a device: what notes, pads and controls play."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import decimate

from timbrespace.audio.pitch import midi_to_hz
from timbrespace.contracts import ConfigError
from timbrespace.live import Engine
from tiny import Tiny

RATE = 48_000
SECOND = RATE
Audio = np.ndarray


def played(path: Path, do: Callable[[Engine], Any], *, frames: int = SECOND, **options: Any) -> Audio:
    """What an engine plays after something was done."""
    with Engine(path, **options) as engine:
        do(engine)
        return engine.render(frames)


def events(engine: Engine) -> Iterator[int]:
    """Notes, pads, controls and pedals of all kinds; yields the samples until the next ones."""
    rng = np.random.default_rng(5)
    for step in range(30):
        engine.note_on(int(rng.choice([36, 38, 42, 46, 50, 60])), int(rng.integers(1, 128)), channel=step % 2)
        if step % 3 == 0:
            engine.set_axis(step % 3, float(rng.uniform(-2, 2)))
            engine.set_latent(step % 5, float(rng.uniform(-2, 2)))
        if step % 4 == 1:
            engine.sustain(step % 8 == 1)
            engine.set_morph(0, 1, float(rng.uniform()))
        if step % 5 == 2:
            engine.bend(float(rng.uniform(-2, 2)))
            engine.set_gain(float(rng.uniform(0.5, 1.5)))
        if step % 7 == 3:
            engine.program(step % 2, channel=1)
            engine.pad(int(rng.integers(4)), 90)
        if step % 6 == 5:
            engine.note_off(60)
            engine.all_notes_off()
        yield int(rng.integers(1, 3_000))


@pytest.mark.parametrize("blocks", [1, 64, 65, 512, 4096])
def test_the_same_samples_for_every_length_of_blocks(blocks: int, drums_file: Path, notes_file: Path) -> None:
    def render(length: int) -> Audio:
        pieces = []
        with Engine(drums_file, notes_file, humanise=0.2, seed=3, voices=6) as engine:
            for gap in events(engine):
                while gap:
                    count = min(gap, length)
                    pieces.append(engine.render(count))
                    gap -= count
        return np.concatenate(pieces)

    whole = render(100_000)
    assert np.abs(whole).max() > 0.1
    np.testing.assert_array_equal(render(blocks), whole)


def test_events_at_a_time_are_exact_to_the_sample(drums_file: Path) -> None:
    at_once = played(drums_file, lambda engine: engine.note_on(36, 100))
    later = played(drums_file, lambda engine: engine.note_on(36, 100, at=777))
    assert not later[:777].any()
    np.testing.assert_array_equal(later[777:], at_once[:-777])


def test_general_midi_keys_play_the_categories(drums_file: Path) -> None:
    with Engine(drums_file) as engine:
        pads = {pad.note: pad for pad in engine.sounds.sources[0].pads}
        assert (pads[36].category, pads[38].category, pads[60].category) == ("kick", "snare", "gong")
        assert {pads[note].category for note in (42, 44, 46)} == {"hat"}
        assert len({pads[note].choke for note in (42, 44, 46)}) == 1
        assert pads[36].choke == 0
    sounds = [played(drums_file, lambda engine, note=note: engine.note_on(note, 100)) for note in (36, 35, 38, 42)]  # type: ignore[misc]
    for index, one in enumerate(sounds):
        assert one.any()
        assert not any(np.array_equal(one, other) for other in sounds[:index])


def test_a_note_without_a_pad_of_its_own_plays_one_of_its_family_or_nothing(drums_file: Path) -> None:
    snare = played(drums_file, lambda engine: engine.note_on(38, 100))
    np.testing.assert_array_equal(played(drums_file, lambda engine: engine.note_on(37, 100)), snare)  # no rim: the snare
    with Engine(drums_file) as engine:
        engine.note_on(100, 100)
        assert not engine.render(SECOND).any()
        assert "no pad at note 100" in engine.state().last


def test_a_closed_hat_ends_the_open_one(drums_file: Path) -> None:
    with Engine(drums_file) as engine:
        engine.note_on(46, 127)
        engine.render(480)
        assert engine.state().voices == 1
        engine.note_on(42, 127)
        engine.render(960)
        assert engine.state().voices == 1
        engine.note_on(36, 127)
        engine.render(96)
        assert engine.state().voices == 2


def test_velocity_is_level(drums_file: Path) -> None:
    loud, soft = (played(drums_file, lambda engine, v=v: engine.note_on(36, v)) for v in (127, 40))  # type: ignore[misc]
    np.testing.assert_allclose(soft, loud * (40 / 127) ** 1.5, atol=1e-6)
    assert not played(drums_file, lambda engine: engine.note_on(36, 0)).any()


def test_humanise_makes_every_hit_a_little_different(drums_file: Path) -> None:
    def hits(amount: float) -> list[Audio]:
        with Engine(drums_file, humanise=amount) as engine:
            found = []
            for _ in range(10):
                engine.note_on(38, 100)
                found.append(engine.render(SECOND // 2))
            return found

    machine, human = hits(0.0), hits(0.3)
    assert all(np.array_equal(machine[0], one) for one in machine)
    assert not any(np.array_equal(human[0], one) for one in human[1:8])
    np.testing.assert_array_equal(human[0], human[8])  # in turn


def test_a_note_is_played_at_its_pitch_in_the_octave_that_the_instrument_has(notes_file: Path) -> None:
    for note in (50, 57.5, 69):
        audio = played(notes_file, lambda engine, note=note: engine.note_on(note, 100))[960:10_000, 0].astype(np.float64)  # type: ignore[misc]
        spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 2**18))
        harmonic = int(spectrum.argmax()) * RATE / 2**18 / midi_to_hz(note)  # the strongest partial is a multiple of the note
        assert harmonic == pytest.approx(round(harmonic), rel=0.005)
        assert round(harmonic) >= 1
    np.testing.assert_array_equal(
        played(notes_file, lambda engine: engine.note_on(100, 100)), played(notes_file, lambda engine: engine.note_on(76, 100))
    )


def test_notes_end_with_their_keys_and_the_pedal_holds_them(notes_file: Path) -> None:
    def voices(do: Callable[[Engine], Any]) -> int:
        with Engine(notes_file) as engine:
            engine.note_on(60, 100)
            engine.render(1_200)
            do(engine)
            engine.render(7_200)
            return engine.state().voices

    assert voices(lambda _: None) == 1
    assert voices(lambda engine: engine.note_off(60)) == 0
    assert voices(lambda engine: engine.note_off(61)) == 1
    assert voices(lambda engine: engine.note_off(60, channel=1)) == 1
    assert voices(lambda engine: (engine.sustain(True), engine.note_off(60))) == 1
    assert voices(lambda engine: (engine.sustain(True), engine.note_off(60), engine.sustain(False))) == 0
    assert voices(lambda engine: engine.all_notes_off()) == 0
    assert voices(lambda engine: engine.all_sound_off()) == 0
    assert voices(lambda engine: (engine.note_on(60, 90, id=7), engine.note_off(60))) == 1


def test_a_bend_moves_a_note_that_sounds(notes_file: Path) -> None:
    def render(do: Callable[[Engine], Any]) -> Audio:
        with Engine(notes_file) as engine:
            engine.note_on(60, 100)
            engine.render(1_000)
            do(engine)
            return engine.render(6_000)

    plain = render(lambda _: None)
    np.testing.assert_array_equal(render(lambda engine: engine.pressure(1.0)), plain)
    up = render(lambda engine: engine.bend(12.0))  # twice as fast from the same place on
    assert np.corrcoef(up[20:2_000, 0], decimate(plain[:, 0], 2, ftype="fir")[20:2_000])[0, 1] > 0.95
    assert abs(np.corrcoef(up[20:2_000, 0], plain[20:2_000, 0])[0, 1]) < 0.5
    np.testing.assert_array_equal(render(lambda engine: engine.bend(12.0, channel=1)), plain)
    np.testing.assert_array_equal(render(lambda engine: (engine.bend(12.0), engine.bend(0.0))), plain)


def test_a_pad_of_an_instrument_of_notes_chooses_its_sound(notes_file: Path) -> None:
    first = played(notes_file, lambda engine: engine.note_on(60, 100), frames=9_600)
    with Engine(notes_file) as engine:
        engine.pad(1)
        engine.all_sound_off()
        engine.render(SECOND)
        engine.note_on(60, 100)
        assert not np.array_equal(engine.render(9_600), first)


def test_controls_change_the_next_hits_and_none_before(tiny: Tiny) -> None:
    def render(change: Callable[[Engine], Any]) -> tuple[Audio, Audio]:
        with Engine(tiny.file) as engine:
            engine.note_on(36, 100)
            first = engine.render(100)
            change(engine)
            before = engine.render(SECOND)
            engine.note_on(36, 100)
            return np.concatenate([first, before]), engine.render(SECOND)

    with Engine(tiny.file) as engine:
        control = next(iter(engine.sounds.sources[0].controls))
    plain = render(lambda _: None)
    changes: list[Callable[[Engine], Any]] = [
        lambda engine: engine.set_control(control, 2.0),
        lambda engine: engine.set_latent(0, 1.5),
        lambda engine: engine.set_latents([0.5, -0.5]),
        lambda engine: engine.set_axis(0, 1.5),
        lambda engine: engine.set_map(0.9, 0.1),
        lambda engine: engine.set_morph(0, 1, 0.5),
    ]
    for change in changes:
        before, after = render(change)
        np.testing.assert_array_equal(before, plain[0])
        assert not np.array_equal(after, plain[1])
    back = render(lambda engine: (engine.set_control(control, 2.0), engine.set_control(control, 0.0)))
    np.testing.assert_array_equal(back[1], plain[1])


def test_a_morph_ends_at_the_other_pad(drums_file: Path) -> None:
    with Engine(drums_file) as engine:
        source = engine.sounds.sources[0]
        engine.set_morph(0, 1, 1.0)
        key = engine.sounds.key(0, 0, 100, 0)
        other = engine.sounds.key(0, 1, 100, 0)
        np.testing.assert_allclose(source.latent(key), source.latent(other))  # type: ignore[attr-defined]


def test_velocity_moves_a_control(tiny: Tiny) -> None:
    with Engine(tiny.file) as engine:
        control = next(iter(engine.sounds.sources[0].controls))

    def shape(velocity: int) -> Audio:
        audio = played(tiny.file, lambda engine: engine.note_on(36, velocity), velocity_control=control)
        return np.asarray(audio / np.abs(audio).max())

    assert not np.allclose(shape(20), shape(120), atol=1e-3)
    with pytest.raises(ConfigError, match="the velocity control is 'nonsense', allowed is one of"):
        Engine(tiny.file, velocity_control="nonsense")


def test_programs_are_instruments(drums_file: Path, notes_file: Path) -> None:
    note = played(notes_file, lambda engine: engine.note_on(60, 100))
    with Engine(drums_file, notes_file) as engine:
        engine.program(1, channel=3)
        engine.note_on(60, 100, channel=3)
        np.testing.assert_array_equal(engine.render(SECOND), note)
        assert engine.state().program == 0
        with pytest.raises(ConfigError, match="program is 2, allowed is a whole number from 0 to 1"):
            engine.program(2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda engine: engine.note_on(math.nan, 100), "note is nan, allowed is a number from 0 to 127"),
        (lambda engine: engine.note_on(60, 128), "velocity is 128"),
        (lambda engine: engine.note_on("60", 1), "note is '60'"),
        (lambda engine: engine.note_on(60, 100, channel=16), "channel is 16"),
        (lambda engine: engine.set_control("loudness", 1), "control is 'loudness'"),
        (lambda engine: engine.set_latent(6, 1), "latent is 6, allowed is a whole number from 0 to 5"),
        (lambda engine: engine.set_latent(0, math.inf), "latent 0 is inf"),
        (lambda engine: engine.set_latents([0.0] * 7), "7 values for the latents"),
        (lambda engine: engine.set_axis(99, 0), "axis is 99"),
        (lambda engine: engine.set_map(0.5, 0.5), "no instrument here has a map"),
        (lambda engine: engine.set_map(2, 0.5), "x is 2"),
        (lambda engine: engine.set_morph(0, 99, 0.5), "pad is 99"),
        (lambda engine: engine.set_gain(-1), "gain is -1"),
        (lambda engine: engine.pad(-1), "pad is -1"),
        (lambda engine: engine.bend(None), "bend is None"),
        (lambda engine: engine.render(-1), "frames is -1"),
    ],
)
def test_what_is_refused(call: Callable[[Engine], Any], message: str, drums_file: Path) -> None:
    with Engine(drums_file) as engine:
        with pytest.raises(ConfigError, match=message):
            call(engine)
        engine.note_on(36, 100)
        assert engine.render(480).any()


def test_live_notes_play_late_until_their_sounds_are_there(drums_file: Path) -> None:
    expected = played(drums_file, lambda engine: engine.note_on(36, 100), frames=4_800)
    with Engine(drums_file) as engine:
        engine.go_live(workers=1)
        assert engine.settle()
        engine.note_on(36, 100)
        np.testing.assert_array_equal(engine.render(4_800), expected)
        assert engine.state().late == 0
        engine.set_latent(0, 2.0)
        for _ in range(4):
            engine.note_on(36, 100)
        assert engine.settle()
        assert engine.render(4_800).any()
        assert engine.state().late <= 4
        assert engine.state().dropped == 0


def test_memory_of_sounds_that_are_replaced_is_given_back(drums_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from timbrespace.live.sound import bank

    monkeypatch.setattr(bank, "_MOST_BYTES", 500_000)
    with Engine(drums_file) as engine:
        for step in range(60):
            engine.set_latent(0, step / 10)
            engine.note_on(36, 100)
            assert engine.render(30_000).any()
        engine.render(10)
        assert engine._bank._bytes <= 500_000 + 100_000
        assert engine.mixer.collect() < 200_000
        assert engine.state().dropped == 0


def test_a_voice_too_many_fades_and_floods_are_played_in_order(drums_file: Path) -> None:
    with Engine(drums_file, voices=4) as engine:
        for _ in range(20_000):
            engine.note_on(36, 100)
            engine.set_gain(1.0)
        engine.render(64)
        engine.render(9_600)
        assert engine.state().voices <= 8
        assert engine.state().dropped == 0


def test_a_note_does_not_take_the_bend_of_an_earlier_one_and_ids_take_no_memory(notes_file: Path) -> None:
    with Engine(notes_file) as engine:
        engine.note_on(60, 100, id=7)
        engine.bend(5.0, id=7)
        engine.note_off(60, id=7)
        engine.all_sound_off()
        engine.render(9_600)
        engine.note_on(60, 100, id=7)
        again = engine.render(4_800)
        for number in range(5_000):
            engine.bend(1.0, id=number)
        assert len(engine._bends) <= 1024
    with Engine(notes_file) as engine:
        engine.note_on(60, 100)
        np.testing.assert_allclose(again, engine.render(4_800), atol=1e-6)
