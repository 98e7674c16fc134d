"""Levels, latents, variations and controls of the core against those of the instrument in Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from native_core import ARGUMENT, UNCOVERED, Core
from native_player import Player, PlayerError
from timbrespace.instrument import Instrument
from timbrespace.noise import Noise, Purpose, seed_of
from timbrespace.space.controls.steer import controls_of, steered
from timbrespace.synthesis import request
from timbrespace.synthesis.file.writing import encoded
from tiny import Tiny

Pair = tuple[Player, Instrument]
MakeNotes = Callable[..., Instrument]


@pytest.fixture(scope="module")
def drums(core: Core, tiny: Tiny) -> Pair:
    data = tiny.file.read_bytes()
    return Player(core, data), Instrument.load(tiny.file)


def levels_of(instrument: Instrument, z: torch.Tensor, samples: int = 0) -> tuple[np.ndarray, int]:
    with torch.no_grad():
        decoded = instrument.model.decode(z[None], lengths=torch.tensor([samples]) if samples else None)
    length = min(instrument.contents.samples, int(decoded.lengths[0]))
    return decoded.features[0, ..., : instrument.representation.frames(length)].transpose(1, 2).numpy(), length


def test_info_is_that_of_the_instrument(drums: Pair) -> None:
    player, instrument = drums
    info, contents = player.info, instrument.contents
    assert (info.dims, info.sample_rate, info.channels, info.samples) == (instrument.dims, 44_100, 1, contents.samples)
    assert player.categories == instrument.categories
    assert (info.notes, info.velocities, info.parts, info.bands) == (0, 0, 1, instrument.representation.bands)
    assert info.frames == contents.model.spec.frames


@pytest.mark.parametrize("samples", [0, 1, 255, 256, 5_000, 10_000_000])
def test_levels_are_those_of_python(drums: Pair, samples: int) -> None:
    player, instrument = drums
    for index in range(12):
        z, _ = instrument.space.draw(Noise(1, Purpose.LATENT, index), temperature=2.0)
        wanted, length = levels_of(instrument, z, samples)
        found, own = player.levels(z.numpy(), min(samples, player.info.samples))
        assert abs(own - length) <= (0 if samples else 1)
        frames = min(found.shape[1], wanted.shape[1])
        np.testing.assert_allclose(found[:, :frames], wanted[:, :frames], atol=1e-3)


@pytest.mark.parametrize(("bits", "most_db"), [(16, 1e-3), (8, 1e-3)])
def test_weights_of_fewer_bits_decode_as_in_python(core: Core, drums: Pair, tmp_path: Path, bits: int, most_db: float) -> None:
    data = encoded(drums[1].contents, bits=bits)
    (tmp_path / "fewer.safetensors").write_bytes(data)
    player, instrument = Player(core, data), Instrument.load(tmp_path / "fewer.safetensors")
    for index in range(12):
        z, _ = instrument.space.draw(Noise(1, Purpose.LATENT, index))
        wanted, length = levels_of(instrument, z, 8_000)
        np.testing.assert_allclose(player.levels(z.numpy(), length)[0], wanted, atol=most_db)


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 1.5])
def test_a_batch_of_draws_is_that_of_python(drums: Pair, temperature: float) -> None:
    player, instrument = drums
    for category in (None, *instrument.categories[:2]):
        wanted = request.draw(instrument.contents, 12, request.DrawOptions(category, temperature), seed=5)
        earlier = np.zeros((0, player.info.dims), np.float32)
        for index, one in enumerate(wanted):
            asked = -1 if category is None else player.categories.index(category)
            z, found, redrawn = player.draw(earlier, seed=5, index=index, category=asked, temperature=temperature)
            assert (player.categories[found], redrawn) == (one.category, one.recipe.get("redrawn", 0))
            np.testing.assert_allclose(z, one.z.numpy(), atol=1e-5)
            assert player.seed(5, index) == one.seed == seed_of(5, index)
            earlier = np.concatenate([earlier, z[None]])


def test_a_draft_is_the_first_draw(drums: Pair) -> None:
    player, instrument = drums
    wanted = request.draft(instrument.contents, request.DrawOptions(), seed=9)
    np.testing.assert_allclose(player.draw(seed=9, drafted=1)[0], wanted.z.numpy(), atol=1e-5)


def test_variations_are_those_of_python(drums: Pair) -> None:
    player, instrument = drums
    z, _ = instrument.space.draw(Noise(1, Purpose.LATENT, 0))
    for index, amount in enumerate((0.0, 0.3, 4.0)):
        wanted = instrument.space.around(z, Noise(3, Purpose.VARIATION, index), amount=amount)
        np.testing.assert_allclose(player.around(z.numpy(), amount, 3, index), wanted.numpy(), atol=1e-5)


def test_controls_are_those_of_python(drums: Pair) -> None:
    player, instrument = drums
    offered = controls_of(instrument.contents)
    assert [one.name.decode() for one in player.controls()] == [one.name for one in offered]
    for one, other in zip(player.controls(), offered, strict=True):
        assert (one.unit.decode(), one.more.decode(), one.less.decode()) == (other.unit, other.more, other.less)
        assert bool(one.logarithmic) == other.descriptor.logarithmic
        numbers = [(one.low, other.low), (one.high, other.high), (one.lowest, other.lowest), (one.highest, other.highest)]
        for found, wanted in [*numbers, (one.spread, other.spread)]:
            assert found == pytest.approx(wanted, rel=1e-5, abs=1e-5)
    names = [one.name for one in offered]
    for index, wishes in enumerate(({names[0]: 0.7}, {names[-1]: -1.2, names[0]: 0.3}, dict.fromkeys(names, 0.5), {names[0]: 0.0})):
        z, _ = instrument.space.draw(Noise(2, Purpose.LATENT, index))
        found, _ = player.steer(z.numpy(), **wishes)
        np.testing.assert_allclose(found, steered(instrument.contents, z, wishes, corrections=0).numpy(), atol=1e-4)


def test_without_stored_controls_only_they_are_missing(core: Core, drums: Pair) -> None:
    player = Player(core, encoded(replace(drums[1].contents, controls=None)))
    assert player.info.controls == 0
    z = player.draw(seed=1)[0]
    with pytest.raises(PlayerError, match="no controls") as found:
        player.steer(z)
    assert found.value.status == UNCOVERED


@pytest.mark.parametrize(
    "asked",
    [
        {"category": 1000}, {"category": -2}, {"temperature": -0.1}, {"temperature": 4.1}, {"temperature": math.nan}, {"index": -1},
        {"pitch": 60.0}, {"velocity": 90.0}, {"pitch": math.inf},
    ],
)  # fmt: skip
def test_bad_requests_say_what_is_allowed(drums: Pair, asked: dict[str, float]) -> None:
    with pytest.raises(PlayerError, match=f"{next(iter(asked))} is ") as found:
        drums[0].draw(**asked)
    assert found.value.status == ARGUMENT


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30])
def test_latents_that_are_not_finite_are_refused(drums: Pair, bad: float) -> None:
    player = drums[0]
    z = player.draw(seed=1)[0]
    z[1] = bad
    for call in (lambda: player.levels(z), lambda: player.around(z, 0.5, 1, 1), lambda: player.steer(z), lambda: player.render(z)):
        with pytest.raises(PlayerError) as found:
            call()
        assert found.value.status == ARGUMENT
