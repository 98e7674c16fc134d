"""Sounds whose latent moves while they sound: their ends, their length, no clicks, recipes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from timbrespace.contracts import ConfigError
from timbrespace.instrument import Instrument
from timbrespace.synthesis.detail.given import given_sound
from timbrespace.synthesis.detail.source import analyse
from timbrespace.synthesis.moving import plan
from timbrespace.synthesis.moving.levels import course_of
from tiny import RATE, drum

LENGTHS = [None, 0.2, 1.5]


def pair() -> list[torch.Tensor]:
    return [torch.nn.functional.pad(0.3 * drum(1), (300, 200)), 0.6 * drum(2)]


@pytest.mark.parametrize("seconds", LENGTHS)
def test_the_ends_are_the_given_sounds(seconds: float | None, instrument: Instrument) -> None:
    a, b = pair()
    one = instrument.moves.line([a, b]).as_one(seconds)
    lead = 300
    same = (one.audio[:, : a.shape[1]] == a[:, : one.audio.shape[1]])[0]
    changed = int((~same).float().argmax())
    assert changed > lead + 0.012 * RATE  # the attack: before it silence, then samples as read
    source = analyse(instrument.contents, given_sound(instrument.contents, b))
    end = source.lead.shape[1] + source.total
    count = round(0.02 * RATE)
    assert torch.equal(one.audio[:, -count:], b[:, end - count : end])
    if seconds is not None:
        assert one.audio.shape[1] == pytest.approx(lead + seconds * RATE, abs=2)


@pytest.mark.parametrize("seconds", LENGTHS)
def test_there_is_no_click(seconds: float | None, instrument: Instrument) -> None:
    a, b = pair()
    one = instrument.moves.line([a, b]).as_one(seconds)
    largest = max(float(sound.diff().abs().max()) for sound in (a, b))
    assert float(one.audio.diff().abs().max()) <= 3 * largest


def test_a_way_from_a_sound_to_itself_is_that_sound(instrument: Instrument) -> None:
    a = drum(1)
    one = instrument.moves.line([a, a]).as_one()
    assert one.audio.shape[1] == pytest.approx(a.shape[1], abs=RATE // 50)
    count = min(one.audio.shape[1], a.shape[1])
    assert float((one.audio[:, :count] - a[:, :count]).norm() / a.norm()) < 0.05


def test_the_same_seed_gives_the_same_samples_and_a_recipe_repeats_them(instrument: Instrument) -> None:
    given = pair()
    for move in (instrument.moves.line(given, seed=3), instrument.moves.walk("perlin", 5, start=given[0], seed=3)):
        one, two = move.as_one(0.6), move.as_one(0.6)
        assert torch.equal(one.audio, two.audio)
        assert torch.equal(instrument.replay(one.recipe, sources=given).audio, one.audio)
        with pytest.raises(ConfigError, match="is not among the given sounds"):
            instrument.replay(one.recipe, sources=[drum(5)])
    new = instrument.moves.random(3, seed=4).as_one(0.7)
    assert torch.equal(instrument.replay(new.recipe).audio, new.audio)


def test_recipes_of_before_the_speed_was_measured_give_their_sounds(instrument: Instrument) -> None:
    given = pair()
    move = instrument.moves.line(given, seed=3)
    request = move.one_request(0.6)
    assert request.moving is not None
    assert request.moving.between_two
    before = plan.to_text(instrument.contents, request.moving._replace(measured=False))
    del before["measured"]
    recipe = {**move.as_one(0.6).recipe, "moving": before}
    old = torch.as_tensor(instrument.replay(recipe, sources=given).audio)
    assert not torch.equal(old, move.as_one(0.6).audio)
    assert old.shape == move.as_one(0.6).audio.shape


@pytest.mark.parametrize(
    "change",
    [
        {"keys": []}, {"length": 0}, {"length": 1 << 40}, {"keys": None}, {"keys": [{"latent": [1.0], "length": None}] * 3},
        {"hold": "no"}, {"even": 1}, {"measured": "false"}, {"by_partials": None},
        {"window": [5, 2]}, {"keys": [{"latent": [0.0] * 6, "length": None, "sources": [9], "share": 0, "kept": 1}] * 2},
        {"keys": [{"latent": [0.0] * 6, "length": None, "sources": [0], "share": 7, "kept": 1}] * 2},
        {"keys": [{"latent": [0.0] * 6, "length": None, "sources": [-1], "share": 0, "kept": 1}] * 2},
    ],
)  # fmt: skip
def test_damaged_recipes_are_refused(change: dict[str, Any], instrument: Instrument) -> None:
    given = pair()
    recipe = instrument.moves.line(given).as_one(0.3).recipe
    with pytest.raises(ConfigError):
        instrument.replay({**recipe, "moving": {**recipe["moving"], **change}}, sources=given)


def test_a_held_sound_keeps_its_level_and_one_that_is_not_decays(instrument: Instrument) -> None:
    a, b = 0.5 * drum(1), 0.5 * drum(2)

    def levels(sound: torch.Tensor, places: list[float]) -> list[float]:
        window = round(0.05 * RATE)
        starts = [round(place * (sound.shape[1] - window)) for place in places]
        return [float(20 * torch.log10(sound[:, s : s + window].square().mean().sqrt() + 1e-9)) for s in starts]

    held = levels(instrument.moves.line([a, b]).as_one(2.0).audio, [0.2, 0.4, 0.6, 0.8])
    assert max(held) - min(held) < 12
    once = levels(instrument.moves.line([a, b]).as_one(0.25, hold=False).audio, [0.0, 0.9])
    assert once[0] - once[1] > 20


def test_the_features_at_the_ends_are_those_of_the_sounds(instrument: Instrument) -> None:
    a, b = drum(1), drum(2)
    move = instrument.moves.line([a, b])
    moving = move.one_request().moving
    assert moving is not None
    course = course_of(instrument.contents, moving, seed=1)
    first, last = moving.sources
    assert first.detail is not None
    assert last.detail is not None
    count = 4
    assert torch.allclose(course.levels[..., :count], first.detail.features[..., :count] + first.detail.level, atol=0.05)
    assert float(course.places[0]) == 0
    assert float(course.places[-1]) == len(moving.keys) - 1


def test_weights_of_given_sounds(instrument: Instrument) -> None:
    moving = instrument.moves.line(pair()).one_request().moving
    assert moving is not None
    first, last = moving.sources
    weights = [(plan.weight_of(key, first), plan.weight_of(key, last)) for key in moving.keys]
    assert weights[0] == (1.0, 0.0)
    assert weights[-1] == (0.0, 1.0)
    assert all(abs(a + b - 1) < 1e-9 for a, b in weights)
    assert plan.own_source(moving.keys[len(moving.keys) // 2]) is None


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), 1e9, "long"])
def test_impossible_lengths_are_refused(seconds: Any, instrument: Instrument) -> None:
    with pytest.raises(ConfigError, match="seconds"):
        instrument.moves.line(pair()).as_one(seconds)


def test_once_is_at_most_as_long_as_a_clip(instrument: Instrument) -> None:
    longest = instrument.contents.samples / RATE
    with pytest.raises(ConfigError, match="let the sound be held"):
        instrument.moves.line(pair()).as_one(longest + 0.5, hold=False)


def test_a_stripped_instrument_moves_alike(instrument: Instrument) -> None:
    bare = Instrument(replace(instrument.contents, clips=None, origin=None))
    for name in ("pc1", "z2"):
        one = instrument.moves.axis(name, 3, start=drum(1)).as_one(0.3)
        assert torch.equal(bare.moves.axis(name, 3, start=drum(1)).as_one(0.3).audio, one.audio)
        assert bare.moves.axis(name, 3, start=drum(1)).as_one(0.3).nearest is None
