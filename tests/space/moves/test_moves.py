"""Moves of an instrument: closed forms of their points, given sounds that stay themselves, refusals in words."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from timbrespace.audio.describe import NAMES, describe
from timbrespace.contracts import ConfigError
from timbrespace.instrument import Instrument
from timbrespace.space.moves.axes import find_axis, principal_directions
from timbrespace.space.moves.move import Move
from timbrespace.space.moves.points import centre_of, distance
from timbrespace.space.moves.sounds import Way, mix_point
from timbrespace.space.moves.values import PROPERTIES, values_between, walk
from timbrespace.synthesis.detail.given import given_sound
from timbrespace.synthesis.detail.source import Source, analyse
from tiny import drum

SOUNDS = [1, 2, 6]


@pytest.fixture(scope="module")
def sources(instrument: Instrument) -> list[Source]:
    return [analyse(instrument.contents, given_sound(instrument.contents, drum(k))) for k in SOUNDS]


def given() -> list[torch.Tensor]:
    return [drum(k) for k in SOUNDS]


def zs(move: Move) -> torch.Tensor:
    return torch.stack([point.z for point in move.points])


# --- between given sounds ----------------------------------------------------------------------------------------------


def test_a_line_is_the_morph(instrument: Instrument) -> None:
    moved = instrument.moves.line(given()[:2], 5, seed=2).render()
    morphed = instrument.morph(given()[:2], 5, seed=2)
    assert all(torch.equal(a.audio, b.audio) for a, b in zip(moved, morphed, strict=True))


@pytest.mark.parametrize("kind", ["line", "slerp", "spline"])
def test_every_way_passes_the_sounds_themselves(kind: str, instrument: Instrument, sources: list[Source]) -> None:
    move = getattr(instrument.moves, kind)(given(), 5)
    sounds = move.render()
    for index, sound in ((0, 0), (2, 1), (4, 2)):
        if kind == "line" and index == 2:
            continue  # steps of a line are spread by how far the sounds are apart
        assert sounds[index].is_own
        assert torch.equal(sounds[index].audio, given()[sound])
    way = Way(instrument.contents, sources, kind)
    assert torch.equal(way.at(1.0).z, sources[1].encoded.z)
    beyond = way.at(-0.3)
    assert beyond.mix is not None
    assert beyond.mix.sources == (sources[0],)
    assert 0 < beyond.mix.kept < 1


def test_a_curve_goes_where_its_values_say_and_beyond(instrument: Instrument, sources: list[Source]) -> None:
    a, b = (source.encoded.z for source in sources[:2])
    move = instrument.moves.curve(given()[:2], [0, 1.3, -0.3, 1], 4)
    for point, value in zip(move.points, [0, 1.3, -0.3, 1], strict=True):
        assert torch.allclose(point.z, a + value * (b - a), atol=1e-5)
    sounds = move.render()
    assert [sound.is_own for sound in sounds] == [True, False, False, True]
    with pytest.raises(ConfigError, match=r"allowed is -1.3 to 2.3"):
        instrument.moves.curve(given()[:2], [0, 2.4])
    with pytest.raises(ConfigError, match="two values or more"):
        instrument.moves.curve(given()[:2], [0])


def test_weights_that_sum_to_one_do_not_depend_on_the_centre(instrument: Instrument, sources: list[Source]) -> None:
    contents, centre = instrument.contents, centre_of(instrument.contents)
    elsewhere = centre._replace(z=centre.z + 3)
    for weights in ([0.5, 0.8, -0.3], [2.0, -1.0, 0.0], [0.2, 0.3, 0.5]):
        here, there = (mix_point(contents, sources, weights, around=around).z for around in (centre, elsewhere))
        expected = sum((w * s.encoded.z for w, s in zip(weights, sources, strict=True)), torch.zeros_like(here))
        assert torch.allclose(here, there, atol=1e-5)
        assert torch.allclose(here, expected, atol=1e-5)
    here, there = (mix_point(contents, sources, [1.0, 1.0, 0.0], around=around).z for around in (centre, elsewhere))
    assert torch.allclose(here - there, centre.z - elsewhere.z + 2 * (elsewhere.z - centre.z), atol=1e-5)


def test_mixes_of_two_are_morphs_and_of_one_the_sound(instrument: Instrument, sources: list[Source]) -> None:
    point = mix_point(instrument.contents, sources, [0.25, 0.75, 0.0])
    assert point.mix is not None
    assert point.mix.sources == (sources[0], sources[1])
    assert point.mix.share == pytest.approx(0.75)
    own = instrument.moves.mix(given(), [0, 1, 0]).render()[0]
    assert own.is_own
    assert torch.equal(own.audio, given()[1])
    far = mix_point(instrument.contents, sources, [2.0, -1.0, 0.0])
    assert far.mix is not None
    assert len(far.mix.sources) == 1
    assert far.mix.kept < 1
    for weights, message in (([1.0], "a weight for each"), ([0, 0, 0], "all weights"), ([9, 0, 0], "weight is 9")):
        with pytest.raises(ConfigError, match=message):
            instrument.moves.mix(given(), weights)


def test_more_and_less_go_along_the_difference_of_the_means(instrument: Instrument, sources: list[Source]) -> None:
    z = [source.encoded.z for source in sources]
    move = instrument.moves.more_less(given()[:2], given()[2:], 3, amount=0.5)
    direction = (z[0] + z[1]) / 2 - z[2]
    assert torch.allclose(zs(move), z[0] + torch.tensor([[0.0], [0.25], [0.5]]) * direction, atol=1e-4)
    assert move.render()[0].is_own
    away = instrument.moves.more_less(less=given()[:1], steps=2)
    centre = centre_of(instrument.contents).z
    assert torch.allclose(away.points[1].z, centre + (centre - z[0]), atol=1e-4)
    with pytest.raises(ConfigError, match="name no sound"):
        instrument.moves.more_less()


def test_attack_and_tail(instrument: Instrument) -> None:
    a, b = 0.5 * drum(1), 0.5 * drum(9)
    one = instrument.moves.attack_tail(a, b).as_one()
    start = round(0.01 * 44_100)
    assert torch.equal(one.audio[:, :start], a[:, :start])
    assert one.audio.shape[1] == pytest.approx(b.shape[1], abs=300)
    half = one.audio.shape[1] // 2  # the switch is over: B's features, so B's sound
    rest, own = one.audio[:, half:], b[:, half : one.audio.shape[1]]
    assert float((rest - own).norm() / own.norm()) < 0.5
    with pytest.raises(ConfigError, match="give an earlier time"):
        instrument.moves.attack_tail(a, b, at=3.0)


# --- axes and meshes ---------------------------------------------------------------------------------------------------


def test_one_dimension_moves_and_the_others_stay_zero(instrument: Instrument) -> None:
    move = instrument.moves.axis("z3", 5)
    expected = torch.zeros(5, instrument.dims)
    expected[:, 2] = torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0])
    assert torch.allclose(zs(move), expected)
    assert torch.equal(zs(instrument.moves.axis(3, 5)), zs(move))
    both = instrument.moves.axis(["z1", "z2"], 3)
    assert both.grid == (2, 3)
    assert [point.label for point in both.points[:2]] == ["z1 -4", "z1 +0"]


def test_the_middle_of_a_mesh_is_the_sound_and_its_cross_are_the_axes(instrument: Instrument, sources: list[Source]) -> None:
    moves = instrument.moves
    mesh = moves.mesh("z1", "pc2", (5, 3), low=-2, high=2, start=drum(1))
    assert mesh.grid == (3, 5)
    points = zs(mesh).unflatten(0, (3, 5))
    across, up = (zs(moves.axis(name, steps, low=-2, high=2, start=drum(1))) for name, steps in (("z1", 5), ("pc2", 3)))
    assert torch.allclose(points[1], across)
    assert torch.allclose(points[:, 2], up.flip(0))
    origin = sources[0].encoded.z
    for row in range(3):
        for column in range(5):
            assert torch.allclose(points[row, column], across[column] + up[2 - row] - origin, atol=1e-5)
    middle = mesh.render()[7]
    assert middle.is_own
    assert torch.equal(middle.audio, drum(1))


def test_principal_axes_are_those_of_the_density(instrument: Instrument) -> None:
    space = instrument.contents.space
    directions = principal_directions(instrument.contents).double()
    lengths = directions.norm(dim=1)
    assert (lengths.diff() <= 1e-6).all()
    cosines = (directions / lengths[:, None]) @ (directions / lengths[:, None]).T
    assert torch.allclose(cosines, torch.eye(len(lengths), dtype=torch.float64), atol=1e-4)
    generator = np.random.default_rng(0)
    rows = generator.choice(len(space.weights), 20_000, p=(space.weights.double() / space.weights.double().sum()).numpy())
    noise = torch.from_numpy(generator.normal(size=(20_000, len(lengths)))).float()
    drawn = space.means[rows] + (space.factors[rows] @ noise[:, :, None])[:, :, 0]
    along = (drawn - drawn.mean(0)).double() @ (directions[0] / lengths[0])
    assert float(along.std()) == pytest.approx(float(lengths[0]), rel=0.05)


def test_unknown_axes_are_refused_with_those_there_are(instrument: Instrument) -> None:
    for name in ("z0", "z7", "pc99", "brighter than white", "", "-1"):
        with pytest.raises(ConfigError, match="z1 to z6"):
            find_axis(instrument.contents, name)
    assert find_axis(instrument.contents, "PC1").name == "pc1"
    assert {"z1", "z6", "pc1"} <= set(instrument.moves.axes)
    for wrong in ({"low": -99.0}, {"high": float("nan")}, {"category": "violin"}, {"start": drum(1), "category": "kick"}):
        with pytest.raises(ConfigError):
            instrument.moves.axis("z1", 3, **wrong)
    with pytest.raises(ConfigError, match="two different ones"):
        instrument.moves.mesh("z1", 1)
    with pytest.raises(ConfigError, match="allowed are 1 to 1024"):
        instrument.moves.mesh("z1", "z2", 50)
    assert values_between(-4, 4, 1) == [0.0]


def test_a_control_is_an_axis_and_steps_from_a_sound_are_those_of_steer(instrument: Instrument) -> None:
    sound = drum(1)
    move = instrument.moves.axis("brightness", 3, low=-0.3, high=0.3, start=sound, seed=4)
    dark, own, bright = move.render()
    assert own.is_own
    for step, amount in ((dark, -0.3), (bright, 0.3)):
        (steered,) = instrument.steer(sound, brightness=amount, seed=4)
        assert torch.equal(step.audio, steered.audio)
        assert step.recipe["asked"]["reached"] == steered.recipe["asked"]["reached"]
    control = next(one for one in instrument.controls if one.name == "brightness")
    whole = instrument.moves.axis("Brightness", 2)  # of what sounds reach, from the middle of the space
    assert [point.asked["values"]["brightness"] for point in whole.points] == pytest.approx([control.low, control.high])
    values = [describe(sound.audio, sound.sample_rate)[0] for sound in whole.render()]
    assert values[0] < values[1]


def test_meshes_of_controls(instrument: Instrument) -> None:
    assert PROPERTIES == NAMES
    names = [control.name for control in instrument.controls][:2]
    mesh = instrument.moves.mesh(*names, 3, low=-0.2, high=0.2, category="kick")
    middle = mesh.points[4]
    assert torch.equal(middle.z, instrument.moves.axis("z1", 1, low=0, high=0, category="kick").points[0].z)
    assert set(mesh.points[0].asked["reached"]) == set(names)
    both = instrument.moves.mesh("z1", names[0], 2, low=-0.2, high=0.2, start=drum(1))  # a latent dimension and a control
    assert len(both.render()) == 4
    assert mesh.as_one(1.0).audio.isfinite().all()
    assert set(names) <= set(instrument.moves.axes)
    with pytest.raises(ConfigError, match="up to 3 spreads"):
        instrument.moves.axis(names[0], 3, low=-4, high=4)
    with pytest.raises(ConfigError, match="no control inharmonicity"):
        instrument.moves.axis("inharmonicity", 3)


def test_a_category_is_a_start(instrument: Instrument) -> None:
    kick = instrument.moves.axis("z1", 1, category="kick")
    space = instrument.contents.space
    own = [k for k, label in enumerate(space.labels) if label == "kick"]
    assert any(torch.allclose(kick.points[0].z, space.means[k]) for k in own)
    assert kick.render()[0].category == "kick"


# --- drawn moves -------------------------------------------------------------------------------------------------------


def test_noise_around_a_sound_grows_evenly(instrument: Instrument, sources: list[Source]) -> None:
    move = instrument.moves.around(drum(1), 9, amount=2.0, seed=1)
    distances = [distance(instrument.contents, sources[0].encoded.z, point.z) for point in move.points]
    assert distances[0] == 0
    ratios = [measured / (2 * k / 8) for k, measured in enumerate(distances) if k]
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.25)
    assert move.render()[0].is_own
    kept = [point.mix.kept for point in move.points if point.mix is not None]
    assert kept[0] == 1
    assert kept[-1] < 0.2


def test_draws_have_the_spread_of_the_posterior(instrument: Instrument, sources: list[Source]) -> None:
    contents, source = instrument.contents, sources[0]
    move = instrument.moves.draws(drum(1), 400, seed=1)
    features = contents.representation.encode(contents.model.prepare_audio(drum(1))[None])
    posterior = contents.model.encode(features, torch.tensor([source.encoded.length]))
    points = zs(move)
    assert torch.allclose(points.mean(0), source.encoded.z, atol=0.2)
    assert torch.allclose(points.std(0), (posterior.log_variance[0] / 2).exp(), rtol=0.15)
    still = instrument.moves.draws(drum(1), 3, temperature=0)
    assert all(sound.is_own for sound in still.render())


@pytest.mark.parametrize("kind", ["uniform", "perlin", "fractal"])
def test_walks_begin_at_their_start_and_stay_within_their_amount(kind: str, instrument: Instrument) -> None:
    move = instrument.moves.walk(kind, 40, start=drum(1), amount=0.5, speed=0.5, seed=3)
    assert move.points[0].mix is not None
    assert move.points[0].mix.own is not None
    standard = walk(kind, 3, 6, np.arange(200.0), speed=0.5)
    assert np.abs(standard).max() <= (1 if kind == "uniform" else 2)
    assert (standard[:, 0] == 0).all()
    longer = instrument.moves.walk(kind, 60, start=drum(1), amount=0.5, speed=0.5, seed=3)
    assert torch.equal(zs(longer)[:40], zs(move))
    assert not torch.equal(zs(instrument.moves.walk(kind, 40, start=drum(1), amount=0.5, speed=0.5, seed=4)), zs(move))
    steps = zs(move).diff(dim=0).norm(dim=1)
    assert float(steps.max()) < 5 * float(steps.mean())
    halfway = move.at(10.5 / 39).z
    ends = zs(move)[10:12]
    assert float((halfway - ends.mean(0)).norm()) < float(ends.diff(dim=0).norm())


def test_walks_of_noise_do_not_return_to_their_start_together() -> None:
    standard = walk("perlin", 0, 16, np.arange(1, 30, dtype=float), speed=1.0)
    assert np.abs(standard[:, 1:]).max(0).min() > 0.2


def test_random_sounds_are_those_of_generate(instrument: Instrument) -> None:
    ours, theirs = instrument.moves.random(4, seed=5).render(), instrument.generate(4, seed=5)
    assert all(torch.equal(a.audio, b.audio) for a, b in zip(ours, theirs, strict=True))


def test_every_move_repeats_with_its_seed_and_from_its_recipes(instrument: Instrument) -> None:
    moves, sounds = instrument.moves, given()
    for move in (
        moves.around(sounds[0], 3, seed=7), moves.draws(sounds[0], 3, seed=7), moves.walk("fractal", 3, start=sounds[0], seed=7),
        moves.axis("pc1", 3, start=sounds[0], seed=7), moves.mesh("z1", "z2", 2, start=sounds[0], seed=7), moves.spline(sounds, 4, seed=7),
        moves.curve(sounds, [0, 2.5, 1], 3, seed=7), moves.mix(sounds, [1, 0.5, -0.5], 2, seed=7), moves.random(2, seed=7),
        moves.more_less(sounds[:1], sounds[1:], 3, seed=7), moves.walk("uniform", 3, category="kick", seed=7),
    ):  # fmt: skip
        rendered = move.render()
        assert [sound.recipe["asked"]["index"] for sound in rendered] == list(range(len(rendered)))
        for sound in rendered:
            assert torch.equal(instrument.replay(sound.recipe, sources=sounds).audio, sound.audio)
        one, *others = rendered
        assert all(not torch.equal(one.audio, other.audio) for other in others), move.asked


def test_points_between_two_are_between_them(instrument: Instrument) -> None:
    move = instrument.moves.around(drum(1), 4, amount=1.0)
    for a, b in pairwise(range(4)):
        middle = move.at((a + b) / 2 / 3)
        assert torch.allclose(middle.z, (move.points[a].z + move.points[b].z) / 2, atol=1e-6)


@pytest.mark.parametrize("count", [0, -1, 2.5, True, 10**9])
def test_impossible_counts_and_seeds_are_refused(count: object, instrument: Instrument) -> None:
    with pytest.raises(ConfigError, match="number of sounds"):
        instrument.moves.random(count)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="seed"):
        instrument.moves.random(2, seed=-1)
