"""Held notes that are let go before their time, slots that change hands, and faults of one voice: nothing sounds on for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.live import instruments

from timbrespace.contracts import TimbrespaceError
from timbrespace.live import Engine
from timbrespace.live.keys import HeldKeys
from timbrespace.live.sound.choice import _COUNTED, Sounds
from timbrespace.live.state import SoundKey
from timbrespace.native.live import QueueFullError

RATE = 48_000
SOON = 2_000  # samples ahead, as a walk hands over its notes


@pytest.fixture(scope="module", params=["notes", "spectra"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("held")
    return instruments.notes(folder / "notes.safetensors") if request.param == "notes" else instruments.held(folder / "tone.safetensors")


@pytest.mark.parametrize("ahead", [SOON, 2 * SOON])  # begun at once, and later
@pytest.mark.parametrize("end", ["all_notes_off", "all_sound_off", "note_off", "note_on"])
def test_a_note_that_is_let_go_before_it_starts_ends(end: str, ahead: int, path: Path) -> None:
    engine = Engine(path, hold_notes=True)
    engine._live = True  # events take effect at once; no thread: the test carries out its turns
    engine.render(480)
    engine.note_on(60, 100, at=480 + ahead)
    getattr(engine, end)(*{"note_off": (60,), "note_on": (60, 100)}.get(end, ()))
    if end == "note_on":  # of a user, while a walk has the same note yet to come
        engine.note_off(60)
    loudest = 0.0
    for _ in range(100):
        engine._timbres._advance(engine.state().time, 0)
        engine.housekeep()
        loudest = max(loudest, float(np.abs(engine.render(480)).max()))
    assert engine.state().voices == 0
    assert not engine.render(480).any()
    assert not engine._keys._starts
    assert not engine._timbres._notes._voices
    if end == "all_sound_off":
        assert loudest < 0.05


def test_a_note_that_is_over_before_it_was_begun_gives_back_its_slot(tmp_path: Path) -> None:
    with Engine(instruments.notes(tmp_path / "notes.safetensors"), hold_notes=True) as engine:
        voices = engine._timbres._notes
        engine.note_on(60, 100, at=9_600)
        engine.note_off(60, at=9_700)
        engine.note_on(64, 100, at=9_600)
        engine.mixer.render(9_720)  # a machine that is too slow: the turn comes late
        voices.advance(9_720, at=0)
        for _ in range(40):
            engine.mixer.render(480)
            voices.advance(engine.state().time, at=0)
        assert engine.state().voices == 1
        begin = voices._begin

        def slow(voice: Any, *rest: Any) -> None:
            begin(voice, *rest)
            engine._timbres.silence(engine.state().time)  # meanwhile

        voices._begin = slow  # type: ignore[method-assign]
        start = engine.state().time + 4_800
        engine.note_on(67, 100, at=start)
        for _ in range(40):
            voices.advance(engine.state().time, at=0)
            engine.mixer.render(480)
        assert not voices._voices
        assert len(voices._free) == 128


def test_groups_that_change_slots_take_their_sound_along(tmp_path: Path) -> None:
    def brightness(*, other: bool) -> float:
        with Engine(path) as engine:
            engine.timbre(1.0, channel=2)
            for channel in (1, 2) if other else (1,):
                engine.note_on(57, 100, channel=channel, at=0)
                engine.note_off(57, channel=channel, at=4_800)
            engine.note_on(57, 100, channel=1, at=RATE)  # struck before the slots of both are free, for a time when they are
            engine.render(RATE)
            audio = engine.render(RATE // 2)[-16_384:, 0]
            power = np.square(np.abs(np.fft.rfft(audio * np.hanning(len(audio)))))
            return float((power * np.arange(len(power))).sum() / power.sum())

    path = instruments.held(tmp_path / "tone.safetensors", spread=1.0)
    assert brightness(other=True) == pytest.approx(brightness(other=False), rel=0.01)


def test_a_voice_that_cannot_be_decoded_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(instruments.notes(tmp_path / "notes.safetensors"), hold_notes=True) as engine:
        source: Any = engine.sounds.sources[0]
        for note in (50, 55, 60, 64):
            engine.note_on(note, 100)
        engine.render(4_800)
        course = source.course

        def failing(key: SoundKey, *rest: Any) -> Any:
            if key.pitch in (50.0, 55.0):
                raise TimbrespaceError("cannot be decoded")
            return course(key, *rest)

        monkeypatch.setattr(source, "course", failing)
        engine.set_latent(0, 1.0)
        engine.render(9_600)
        voices = {voice.note: voice for voice in engine._timbres._notes._voices.values()}
        assert [voices[note].key.wanted.latents for note in (60, 64)] == [((0, 1.0),)] * 2  # type: ignore[union-attr]
        assert all(voice.due >= engine.state().time for voice in voices.values())
        assert "held notes: cannot be decoded" in engine.state().last


def test_a_start_that_fails_is_said_once_and_one_without_room_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(instruments.notes(tmp_path / "notes.safetensors"), hold_notes=True) as engine:
        source: Any = engine.sounds.sources[0]
        voices, course, spectrum, asked = engine._timbres._notes, source.course, engine.mixer.spectrum, [0, 0]

        def failing(key: SoundKey, *rest: Any) -> Any:
            asked[0] += key.pitch == 50.0
            if key.pitch == 50.0:
                raise TimbrespaceError("cannot be decoded")
            return course(key, *rest)

        def narrow(*values: Any, **more: Any) -> None:
            asked[1] += 1
            if asked[1] == 2:
                raise QueueFullError("no room")
            spectrum(*values, **more)

        monkeypatch.setattr(source, "course", failing)
        monkeypatch.setattr(engine.mixer, "spectrum", narrow)
        for note in (50, 60):
            engine.note_on(note, 100, at=4_800)
        engine.render(9_600)
        assert asked[0] == 1
        assert [voice.note for voice in voices._voices.values()] == [60]
        assert not voices._later
        assert engine.render(4_800).any()
        assert len(voices._free) == 127
        assert "held notes: cannot be decoded" in engine.state().last


def test_the_brightness_of_a_channel_outlives_those_of_many_notes(tmp_path: Path) -> None:
    with Engine(instruments.notes(tmp_path / "notes.safetensors"), hold_notes=True) as engine:
        sounds: Sounds = engine.sounds
        sounds.set_timbre(3, 1.0)
        sounds.set_timbre(3, 0.0, 0)
        for number in range(1, _COUNTED + 10):
            sounds.set_timbre(3, 0.0, 0)  # moves all the time
            sounds.set_timbre(3, 0.25, number)
        assert len(sounds._timbres) == _COUNTED
        assert sounds._timbres[3, None] == 2.0
        assert sounds._timbres[3, 0] == -2.0


def test_starts_that_are_past_are_forgotten() -> None:
    keys = HeldKeys()
    for number in range(3):
        keys.starts(number, 100 * number)
    keys.forget(100)
    assert [keys.not_before(number, 150) for number in range(3)] == [150, 150, 200]
    assert keys._starts == {2: 200}
