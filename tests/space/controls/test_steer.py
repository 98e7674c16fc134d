"""Steering: a tiny instrument's sounds change as asked, keep their detail, and are made again from their recipes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from timbrespace.audio.describe import NAMES, describe
from timbrespace.contracts import ConfigError
from timbrespace.instrument import Instrument
from timbrespace.space.controls.coordinates import Point
from timbrespace.space.controls.requests import steer_source
from timbrespace.space.controls.solving import Followed, Wish
from timbrespace.space.controls.steer import _on_line, _progress, steered, steering_of
from timbrespace.synthesis.detail.features import NearFeatures, mixed_features
from timbrespace.synthesis.detail.mix import Mix, length_of
from timbrespace.synthesis.detail.source import analyse
from timbrespace.synthesis.encoding import from_onset, trim_to_onset
from timbrespace.synthesis.rendering import render
from tiny import Tiny


@pytest.fixture(scope="module")
def opened(tiny: Tiny) -> Instrument:
    return Instrument.load(tiny.file)


@pytest.mark.parametrize("name", ["brightness", "noisiness"])
def test_the_decoded_sound_changes_as_asked(opened: Instrument, name: str) -> None:
    contents = opened.contents
    assert contents.clips is not None
    steering, place = steering_of(contents), NAMES.index(name)
    asked, done = [], []
    for z in contents.clips.latents[:6]:
        before = steering.meter.measure([Point(z)])[0]
        for amount in (-0.15, 0.15):
            after = steering.meter.measure([Point(steered(contents, z, {name: amount}))])[0]
            asked.append(amount)
            done.append(float((after - before)[place] / steering.controls.unit[place]))
    assert np.corrcoef(asked, done)[0, 1] > 0.9
    assert np.median(np.abs(np.array(asked) - done)) < 0.05


def test_corrected_by_measuring_is_nearer_than_the_stored_control(opened: Instrument) -> None:
    contents = opened.contents
    assert contents.clips is not None
    steering, place = steering_of(contents), NAMES.index("brightness")
    errors: dict[int, list[float]] = {0: [], 5: []}
    for z in contents.clips.latents[:6]:
        before = steering.meter.measure([Point(z)])[0]
        for corrections, found in errors.items():
            after = steering.meter.measure([Point(steered(contents, z, {"brightness": -0.15}, corrections=corrections))])[0]
            found.append(abs(float((after - before)[place] / steering.controls.unit[place]) + 0.15))
    assert np.median(errors[5]) < 0.8 * np.median(errors[0])


def test_a_given_sound_is_steered_with_its_detail(opened: Instrument, tiny: Tiny) -> None:
    (sound,) = opened.steer(tiny.other, brightness=-0.3)
    asked = sound.recipe["asked"]
    assert asked["verb"] == "steer"
    assert asked["controls"] == {"brightness": "-0.3"}
    assert sound.name.startswith("snare 001 steered")
    original = trim_to_onset(opened.contents, opened.read(tiny.other), None)[0]
    change = (describe(sound.audio, opened.sample_rate) - describe(original, opened.sample_rate))[NAMES.index("brightness")]
    control = next(one for one in opened.controls if one.name == "brightness")
    assert float(change) / control.spread == pytest.approx(asked["reached"]["brightness"], abs=0.15)
    assert float(change) < 0


def test_nothing_asked_is_the_sound_itself(opened: Instrument, tiny: Tiny) -> None:
    (sound,) = opened.steer(tiny.sound, {"brightness": 0, "length": "+0"})
    assert sound.is_own
    assert torch.equal(sound.audio, opened.given(tiny.sound).audio)


def test_a_target_in_its_unit_is_reached(opened: Instrument, tiny: Tiny) -> None:
    original = trim_to_onset(opened.contents, opened.read(tiny.other), None)[0]
    place = NAMES.index("brightness")
    now = 2 ** float(describe(original, opened.sample_rate)[place])
    (sound,) = opened.steer(tiny.other, brightness=f"{0.7 * now:.0f}Hz")
    reached = 2 ** float(describe(sound.audio, opened.sample_rate)[place])
    assert reached == pytest.approx(0.7 * now, rel=0.12)


@pytest.mark.parametrize("name", ["brightness", "noisiness", "loudness", "length"])
def test_what_was_reached_is_what_the_finished_sound_measures(opened: Instrument, tiny: Tiny, name: str) -> None:
    original = from_onset(opened.contents, opened.read(tiny.other))[0]
    control, place = next(one for one in opened.controls if one.name == name), NAMES.index(name)
    for amount in (-0.3, 0.3):
        (sound,) = opened.steer(tiny.other, {name: amount})
        after, before = (describe(audio, opened.sample_rate)[place] for audio in (sound.audio, original))
        assert float(after - before) / control.spread == pytest.approx(sound.recipe["asked"]["reached"][name], abs=0.05)


def test_a_shorter_sound_ends_where_it_is_asked_to_and_is_made_again(opened: Instrument, tiny: Tiny) -> None:
    place = NAMES.index("length")
    for given in (tiny.other, long_sound(opened)):  # the second goes on after the part that the model sees
        now = 2 ** float(describe(opened.read(given) if isinstance(given, Path) else given, opened.sample_rate)[place])
        target = min(0.6 * now, 0.9 * opened.contents.samples / opened.sample_rate)
        (sound,) = opened.steer(given, length=f"{target:.4f}s")
        assert 2 ** float(describe(sound.audio, opened.sample_rate)[place]) == pytest.approx(target, rel=0.08)
        assert float(sound.audio[:, -1].abs().max()) == 0
        if isinstance(given, Path):
            assert torch.equal(opened.replay(sound.recipe, sources=given.parent).audio, sound.audio)


def test_new_sounds_have_the_value_that_is_asked_for(opened: Instrument) -> None:
    place = NAMES.index("length")
    lengths = [2 ** float(describe(sound.audio, sound.sample_rate)[place]) for sound in opened.generate(5, seed=1)]
    target = sorted(lengths)[1]
    asked = opened.generate(5, seed=1, controls={"length": f"{target:.4f}s"})
    found = [2 ** float(describe(sound.audio, sound.sample_rate)[place]) for sound in asked]
    assert sorted(abs(one / target - 1) for one in found)[3] < 0.1  # four of five
    assert torch.equal(opened.replay(asked[0].recipe).audio, asked[0].audio)


def long_sound(opened: Instrument) -> torch.Tensor:
    """A decaying tone with noise, twice as long as the longest that the model encodes."""
    count = 2 * opened.contents.samples
    t = torch.arange(count) / opened.sample_rate
    noise = 0.02 * torch.randn(opened.contents.channels, count, generator=torch.Generator().manual_seed(0))
    return (torch.sin(2 * torch.pi * 300 * t) + noise) * 10 ** (-1.5 * t / t[-1])


def test_the_next_step_is_on_the_line_of_those_before() -> None:
    under, over = (Followed(torch.full((1, 3), size), torch.full((1, 2), size)) for size in (1.0, 2.0))
    wish = Wish(torch.tensor([[0.5, 0.0]]), torch.tensor([True, False]), torch.tensor([False, True]))
    assert _progress(torch.tensor([[0.25, 9.0]]), wish) == pytest.approx(0.5)
    found = _on_line([(0.0, Followed(0 * under.steps, 0 * under.changes)), (0.5, under), (1.5, over)])
    assert found is not None
    assert torch.allclose(found.steps, torch.full((1, 3), 1.5))
    assert torch.allclose(found.changes, torch.full((1, 2), 1.5))
    beyond = _on_line([(0.0, under), (0.8, over)])  # 1.25 of the way from the first
    assert beyond is not None
    assert torch.allclose(beyond.steps, torch.full((1, 3), 2.25))
    assert _on_line([(0.0, under), (0.05, over)]) is None  # hardly any progress


def test_a_measured_sound_is_not_rendered_again(opened: Instrument, tiny: Tiny) -> None:
    (source,) = [analyse(opened.contents, opened.given(tiny.other))]
    request = steer_source(opened.contents, source, {"brightness": -0.3}, seed=4, name="sound")
    assert request.rendered is not None
    (kept,) = render(opened.contents, [request], level=None, out_rate=None)
    (again,) = render(opened.contents, [request._replace(rendered=None)], level=None, out_rate=None)
    assert torch.equal(kept.audio, again.audio)


def test_levels_near_a_sound_are_nearly_those_of_its_mix(opened: Instrument, tiny: Tiny) -> None:
    contents = opened.contents
    source = analyse(contents, opened.given(tiny.other))
    z, kept = source.encoded.z + 0.1, 0.9
    mix = Mix((source,), kept=kept)
    length = length_of(contents, mix, z)
    quick = NearFeatures(contents, source, seed=0)(z, length, kept=kept)
    whole = mixed_features(contents, mix, z, length, seed=0).features
    assert quick.shape == whole.shape
    loud = whole > -40
    assert float((quick - whole)[loud].abs().median()) < 1.0


def test_recipes_make_the_same_sound_again(opened: Instrument, tiny: Tiny) -> None:
    (sound,) = opened.steer(tiny.other, {"brightness": -0.3, "length": -0.3}, seed=4)
    again = opened.replay(sound.recipe, sources=tiny.other.parent)
    assert torch.equal(again.audio, sound.audio)
    (same,) = opened.steer(tiny.other, {"brightness": -0.3, "length": -0.3}, seed=4)
    assert torch.equal(same.audio, sound.audio)


def test_new_sounds_are_steered(opened: Instrument) -> None:
    plain = opened.generate(4, seed=3)
    asked = opened.generate(4, seed=3, controls={"brightness": -0.4})
    place = NAMES.index("brightness")
    for one, other in zip(plain, asked, strict=True):
        about = other.recipe["asked"]
        assert about == one.recipe["asked"] | {name: about[name] for name in ("controls", "wished", "reached")}
        assert about["controls"] == {"brightness": "-0.4"}
        before, after = (describe(sound.audio, sound.sample_rate)[place] for sound in (one, other))
        assert float(after) < float(before)
        assert torch.equal(opened.replay(other.recipe).audio, other.audio)


def test_several_sounds_in_one_call(opened: Instrument, tiny: Tiny) -> None:
    sounds = opened.steer([tiny.sound, tiny.other], darker=0.2)
    assert len({sound.name for sound in sounds}) == 2


def test_what_an_instrument_lacks_is_said_with_what_it_has(opened: Instrument, tiny: Tiny) -> None:
    with pytest.raises(ConfigError, match=r"no control pitch: .* it has brightness"):
        opened.steer(tiny.sound, pitch="C4")
    with pytest.raises(ConfigError, match="no control is given; this instrument has brightness"):
        opened.steer(tiny.sound)


def test_a_stripped_file_of_an_earlier_version_is_steered_too(opened: Instrument, tiny: Tiny) -> None:
    older = Instrument(replace(opened.contents, controls=None, clips=None))
    (sound,) = older.steer(tiny.other, brightness=-0.2)
    assert sound.recipe["asked"]["reached"]["brightness"] < 0


def test_positions_on_axes_and_back(opened: Instrument) -> None:
    axes = opened.axes
    positions = torch.tensor([[0.0, 0.0], [1.5, -2.0]])
    latents = axes.latents(positions)
    assert torch.allclose(latents[0], axes.centre)
    assert torch.allclose(axes.positions(latents)[:, :2], positions, atol=1e-4)
    assert opened.contents.clips is not None
    z = opened.contents.clips.latents[0]
    there = axes.latents(torch.tensor([0.5]), around=z)
    assert float(axes.positions(there)[0]) == pytest.approx(0.5, abs=1e-4)
    assert torch.allclose(axes.positions(there)[1:], axes.positions(z)[1:], atol=1e-4)
    assert axes.parameters[0].low == -4


def test_descriptors_of_given_sounds_do_not_change_by_a_file(opened: Instrument, tiny: Tiny, tmp_path: Path) -> None:
    """A steered sound that was saved is steered again from the latent of its recipe."""
    (sound,) = opened.steer(tiny.other, darker=0.3)
    path = sound.save(tmp_path)
    (back,) = opened.steer(path, brighter=0.3)
    assert back.recipe["asked"]["reached"]["brightness"] == pytest.approx(0.3, abs=0.15)
