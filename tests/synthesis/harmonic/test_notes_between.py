"""Between two given notes: the pitch glides from one to the other, both keep their vibrato, and nothing doubles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from timbrespace.audio.pitch import midi_to_hz, refine_pitch
from timbrespace.contracts import ConfigError
from timbrespace.instrument import Instrument
from timbrespace.synthesis.detail import features
from timbrespace.synthesis.detail.blend import level_course, limit_course
from timbrespace.synthesis.detail.given import given_sound
from timbrespace.synthesis.detail.mix import Mix
from timbrespace.synthesis.detail.source import analyse
from timbrespace.synthesis.harmonic.measure import measure_note, pitch_course
from timbrespace.synthesis.harmonic.traits import RATE as SWINGS
from timbrespace.synthesis.harmonic.traits import TRAITS, ZONES, NoteTraits, traits_of
from tiny import RATE


def played(pitch: float, *, vibrato: float = 0.0, seconds: float = 1.0, partials: int = 12, decay: float = 1.0) -> torch.Tensor:
    """A note of equal decay of all partials, `(1, time)`. vibrato: cents, at 5 Hz. decay: 1/s."""
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    cents = vibrato * torch.sin(2 * math.pi * 5 * time)
    turns = torch.cumsum(midi_to_hz(pitch) * 2 ** (cents / 1200) / RATE, 0)
    wave = sum(torch.sin(2 * math.pi * k * turns + k) / k for k in range(1, partials + 1))
    assert isinstance(wave, torch.Tensor)
    fade = torch.minimum((time / 0.01).clamp_max(1), ((seconds - time) / 0.02).clamp_max(1))
    return (0.3 * wave * fade * torch.exp(-decay * time)).float()[None]


def level_at(audio: torch.Tensor, hertz: float) -> float:
    part = audio[0, round(0.1 * RATE) : round(0.6 * RATE)].double()
    power = torch.fft.rfft(part * torch.hann_window(len(part), dtype=torch.float64)).abs().square()
    bins = torch.arange(len(power)) * (RATE / len(part))
    return float(10 * torch.log10(power[(bins - hertz).abs() < 5].sum() + 1e-12))


def test_the_course_of_a_pitch_is_followed() -> None:
    at = np.arange(150) * (256 / RATE)
    found = pitch_course(played(60, vibrato=20)[0].numpy(), RATE, midi_to_hz(60), at)
    assert found is not None
    inside = (at > 0.1) & (at < 0.8)
    assert np.abs(found - 20 * np.sin(2 * np.pi * 5 * at))[inside].max() < 4
    assert pitch_course(played(60, seconds=0.1)[0].numpy(), RATE, midi_to_hz(60), at) is None
    assert pitch_course(np.zeros(RATE), RATE, midi_to_hz(60), at) is None


def test_traits_that_could_not_be_measured_are_those_of_the_latent() -> None:
    unknown = NoteTraits(np.full((len(ZONES) - 1), 0.5), np.full((len(ZONES) - 1), 0.4), flutter=1.0, wander=2.0, rate=3.0)
    row = np.full(TRAITS, math.nan)
    same = traits_of(row, unknown=unknown)
    assert (same.flutter, same.wander, same.rate) == (1.0, 2.0, 3.0)
    assert same.noise.tolist() == [0.5] * (len(ZONES) - 1)
    assert same.attack.tolist() == [0.4] * (len(ZONES) - 1)
    row[0], row[SWINGS] = math.log(0.01), math.log(5)
    known = traits_of(row, unknown=unknown)
    assert known.noise[0] == pytest.approx(0.01)
    assert known.rate == pytest.approx(5)
    steady = traits_of(measure_note(played(60)[0].numpy(), RATE, midi_to_hz(60)), unknown=unknown)
    assert steady.wander < 1
    assert steady.noise[1] < 1e-3


def test_a_morph_glides_from_pitch_to_pitch(notes: Instrument) -> None:
    steps = notes.morph([played(57), played(64, vibrato=15)], 5)
    for step in steps[1:-1]:
        pitch = 57 + 7 * step.recipe["share"] if "share" in step.recipe else None
        assert pitch is not None
        hertz = midi_to_hz(pitch)
        found = refine_pitch(step.audio.mean(0), RATE, near=hertz)
        assert abs(1200 * math.log2(found / hertz)) < 8
        for other in (57, 64):  # neither note sounds beside it
            assert level_at(step.audio, midi_to_hz(other)) < level_at(step.audio, hertz) - 30


def test_vibrato_fades_in_on_the_way(notes: Instrument) -> None:
    depth = []
    for step in notes.morph([played(60), played(60, vibrato=20)], 5):
        course = pitch_course(step.audio.mean(0).numpy(), RATE, midi_to_hz(60), np.arange(0.1, 0.7, 0.005))
        assert course is not None
        depth.append(float(course.std()))
    assert depth == sorted(depth)
    assert depth[0] < 1.5
    assert depth[-1] == pytest.approx(20 / math.sqrt(2), rel=0.15)


def test_another_pitch_keeps_the_vibrato(notes: Instrument) -> None:
    sound = notes.generate(1, near=played(60, vibrato=20), temperature=0, pitch=65)[0]
    course = pitch_course(sound.audio.mean(0).numpy(), RATE, midi_to_hz(65), np.arange(0.1, 0.7, 0.005))
    assert course is not None
    assert abs(float(np.median(course))) < 5
    assert float(course.std()) == pytest.approx(20 / math.sqrt(2), rel=0.2)


def test_only_a_clear_pitch_makes_a_note(notes: Instrument) -> None:
    hiss = 0.2 * torch.randn(1, RATE // 2, generator=torch.Generator().manual_seed(0))
    for audio, is_note in ((played(60), True), (hiss, False)):
        detail = analyse(notes.contents, given_sound(notes.contents, audio)).detail
        assert detail is not None
        assert (detail.note is not None) == is_note
    steps = notes.morph([hiss, played(60)], 4)
    assert all(torch.isfinite(step.audio).all() for step in steps)
    assert all(step.audio.abs().max() > 0.01 for step in steps)


def test_a_variation_of_a_note_is_as_steady_as_it(notes: Instrument) -> None:
    at = np.arange(0.1, 0.7, 0.005)
    for amount in (0.3, 1.0):
        for sound in notes.vary(played(60), 2, amount=amount):
            course = pitch_course(sound.audio.mean(0).numpy(), RATE, midi_to_hz(60), at)
            assert course is not None
            assert float(course.std()) < 2
            assert sound.audio.shape[1] == pytest.approx(RATE, abs=RATE // 50)


def test_levels_are_limited_by_the_louder_of_both() -> None:
    """At every frame, also where both are silent; what is nowhere too loud keeps its bits."""
    noise = torch.randn(1, 20, 60, generator=torch.Generator().manual_seed(0))
    lasting, dying = noise.clone(), noise - torch.arange(60.0)
    lasting[..., 40:] -= 70
    limited = limit_course(noise - 10, lasting, dying)
    assert torch.equal(limited[..., :30], noise[..., :30] - 10)
    louder = torch.maximum(level_course(lasting), level_course(dying))
    assert float((level_course(limited) - louder)[50:].max()) == pytest.approx(6, abs=1.5)
    assert torch.equal(limit_course(noise, noise, dying), noise)


def test_steps_between_notes_do_not_end_in_full_swing(notes: Instrument, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the decoder gives, also where one note has an offset; recipes of before keep their sound."""
    contents = notes.contents
    given = [played(57, decay=4) + 0.004, played(60, decay=7)]
    decoded = features.decoded

    def lasting(*args: Any) -> torch.Tensor:
        """Levels that do not fall."""
        base = decoded(*args)
        return base + torch.linspace(0, 45, base.shape[-1])

    step, sources = notes.morph(given, 3)[1], [analyse(contents, given_sound(contents, one)) for one in given]
    monkeypatch.setattr(features, "decoded", lasting)
    z = (sources[0].encoded.z + sources[1].encoded.z) / 2

    def course(limited: bool) -> torch.Tensor:
        mixed = features.mixed_features(contents, Mix(tuple(sources), 0.5, limited=limited), z, RATE, seed=0)
        return level_course(mixed.features) + mixed.level

    audible = [level_course(one.detail.features[:, 4:]) + one.detail.level for one in sources if one.detail is not None]
    frames = min(len(one) for one in (*audible, course(True)))
    louder = torch.maximum(audible[0][:frames], audible[1][:frames])
    inside = slice(frames // 2, frames - 8)
    assert float((course(True)[:frames] - louder)[inside].max()) < 8
    assert float((course(False)[:frames] - louder)[inside].max()) > 20
    monkeypatch.undo()
    assert step.recipe["limited"]
    before = {key: value for key, value in step.recipe.items() if key != "limited"}
    same = notes.replay({**before, "limited": False}, sources=given).audio
    assert torch.equal(notes.replay(before, sources=given).audio, same)
    with pytest.raises(ConfigError, match="limited is 1"):
        notes.replay({**before, "limited": 1}, sources=given)
