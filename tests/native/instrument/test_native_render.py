"""Whole sounds of the core against those of Python, and what a call may be asked for."""

from __future__ import annotations

import copy
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from untrained import COVERED, untrained, untrained_notes

from native_core import ARGUMENT, MEMORY, Core
from native_player import Floats, Memory, Player, PlayerError
from timbrespace.audio.distance import log_mel_error
from timbrespace.instrument import Instrument
from timbrespace.noise import Noise, Purpose
from timbrespace.synthesis.encoding import decode
from timbrespace.synthesis.file.writing import encoded
from timbrespace.synthesis.finish import finish
from tiny import Tiny

LEVELS = {"peak": 0, "loudness": 1, "keep": 2}
Pair = tuple[Player, Instrument]


def made(core: Core, instrument: Instrument) -> Pair:
    return Player(core, encoded(instrument.contents)), instrument


@pytest.fixture(scope="module")
def drums(core: Core, tiny: Tiny) -> Pair:
    return made(core, Instrument.load(tiny.file))


@pytest.fixture(scope="module", params=["mono", "stereo"])
def notes(core: Core, request: pytest.FixtureRequest) -> Pair:
    return made(core, untrained_notes(channels=1 + (request.param == "stereo")))


def in_python(
    instrument: Instrument, z: Floats, category: str | None, seed: int, *, length: int | None = None, texture: bool = True
) -> torch.Tensor:
    return torch.as_tensor(
        decode(instrument.contents, torch.from_numpy(z), length=length, seed=seed, texture=True, category=category)
    )  # fmt: skip


def distance(wanted: torch.Tensor, found: Floats) -> float:
    """Log-mel error in dB over the samples that both have, which may differ by one."""
    assert abs(wanted.shape[1] - found.shape[1]) <= 1
    size = min(wanted.shape[1], found.shape[1])
    return float(log_mel_error([wanted[:, :size].float()], [torch.from_numpy(found[:, :size])], match_level=False)[0])


def latents(player: Player, instrument: Instrument, count: int) -> list[tuple[Floats, int]]:
    found = [instrument.space.draw(Noise(1, Purpose.LATENT, index)) for index in range(count)]
    return [(z.numpy(), player.categories.index(label) if label else -1) for z, label in found]


def name_of(player: Player, category: int) -> str | None:
    return None if category < 0 else player.categories[category]


def test_notes_are_those_of_python(notes: Pair) -> None:
    player, instrument = notes
    for seed, (z, category) in enumerate(latents(player, instrument, 6)):
        wanted = in_python(instrument, z, name_of(player, category), seed)
        assert distance(wanted, player.render(z, seed=seed, category=category, finish=0)) < 0.1


def test_drums_are_those_of_python(drums: Pair) -> None:
    """A phase search amplifies the last places of levels, so single sounds may be a little farther apart than the mean."""
    player, instrument = drums
    errors = []
    for seed, (z, category) in enumerate(latents(player, instrument, 16)):
        wanted = in_python(instrument, z, name_of(player, category), seed)
        errors.append(distance(wanted, player.render(z, seed=seed, category=category, finish=0)))
    assert np.mean(errors) < 0.05
    assert max(errors) < 0.3


@pytest.mark.parametrize("name", COVERED)
def test_sounds_of_all_covered_settings_are_those_of_python(core: Core, name: str) -> None:
    changes, channels, rate = COVERED[name]
    instrument = untrained(changes=changes, channels=channels, sample_rate=rate)
    player = Player(core, encoded(instrument.contents))
    errors = []
    for seed, (z, category) in enumerate(latents(player, instrument, 3)):
        wanted = in_python(instrument, z, name_of(player, category), seed, length=9_000)
        errors.append(distance(wanted, player.render(z, seed=seed, category=category, samples=9_000, finish=0)))
        assert player.work.used <= player.work.size
    assert np.mean(errors) < 0.1


@pytest.mark.parametrize("steps", [1, 12])
def test_decoded_levels_alone_are_those_of_python(drums: Pair, steps: int) -> None:
    """With the 48 steps of reconstructions, levels that differ by 1e-4 dB are 0.4 dB apart in Python too."""
    player, instrument = drums
    view = copy.copy(instrument.representation)
    view.iterations = steps  # type: ignore[attr-defined]
    plain = Instrument(replace(instrument.contents, representation=view))
    errors = []
    for seed, (z, category) in enumerate(latents(player, instrument, 8)):
        wanted = torch.as_tensor(plain.decode(torch.from_numpy(z), seed=seed))
        errors.append(distance(wanted, player.render(z, seed=seed, category=category, texture=0, finish=0, steps=steps)))
    assert np.mean(errors) < 0.05


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("target", [None, -30.0])
def test_finished_notes_are_those_of_python(notes: Pair, level: str, target: float | None) -> None:
    player, instrument = notes
    z, category = latents(player, instrument, 3)[2]
    raw = in_python(instrument, z, name_of(player, category), 7, length=9_000)
    for options in ({}, {"trim": False}, {"subsonics": True}):
        wanted = torch.as_tensor(finish(raw, 44_100, level=level, target_db=target, **options))  # type: ignore[arg-type]
        asked = {"level": LEVELS[level], "target_db": math.nan if target is None else target}
        found = player.render(z, seed=7, category=category, samples=9_000, **asked, **options)
        assert found.shape[1] == wanted.shape[1]
        assert distance(wanted, found) < 0.1
        assert np.abs(found).max() == pytest.approx(float(wanted.abs().max()), rel=1e-3)


def test_sounds_depend_on_seed_and_length_alone(notes: Pair) -> None:
    player, instrument = notes
    z, category = latents(player, instrument, 1)[0]
    one = player.render(z, seed=1, category=category)
    assert np.array_equal(one, player.render(z, seed=1, category=category))
    assert not np.array_equal(one, player.render(z, seed=2, category=category))
    assert player.render(z, seed=1, category=category, samples=2_000, finish=0).shape == (player.info.channels, 2_000)


def test_threads_share_an_instrument(core: Core, notes: Pair) -> None:
    player, instrument = notes
    z, category = latents(player, instrument, 1)[0]
    alone = [player.render(z, seed=seed, category=category) for seed in range(6)]

    def other(seed: int) -> Floats:
        own = object.__new__(Player)
        vars(own).update(vars(player), work=Memory(player.work.size))
        return own.render(z, seed=seed, category=category)

    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(other, range(6)))
    assert all(np.array_equal(one, two) for one, two in zip(alone, together, strict=True))


@pytest.mark.parametrize(
    "asked",
    [
        {"category": 99}, {"category": -2}, {"samples": -1}, {"samples": 2**31 - 1}, {"steps": -2}, {"steps": 1001}, {"level": 3},
        {"level": -1}, {"target_db": 0.1}, {"target_db": -100.5}, {"target_db": math.inf},
    ],
)  # fmt: skip
def test_bad_requests_say_what_is_allowed(drums: Pair, asked: dict[str, float]) -> None:
    z = drums[0].draw(seed=1)[0]
    with pytest.raises(PlayerError, match=f"{next(iter(asked))} is .*allowed") as fault:
        drums[0].render(z, **asked)
    assert fault.value.status == ARGUMENT


def test_a_capacity_that_is_too_small_is_said(notes: Pair) -> None:
    player, instrument = notes
    z, _ = latents(player, instrument, 1)[0]
    own = object.__new__(Player)
    vars(own).update(vars(player), info=type(player.info).from_buffer_copy(player.info))
    own.info.capacity = 100
    with pytest.raises(PlayerError, match="capacity is 100, and the sound has") as fault:
        own.render(z, samples=5_000)
    assert fault.value.status == ARGUMENT


@pytest.mark.parametrize("call", ["draw", "levels", "around", "steer", "render"])
def test_work_memory_of_any_size_is_enough_or_refused(drums: Pair, notes: Pair, call: str) -> None:
    player = (notes if call == "render" else drums)[0]
    z = player.draw(seed=1)[0]
    calls = {
        "draw": lambda p: p.draw(seed=1)[0], "levels": lambda p: p.levels(z)[0], "around": lambda p: p.around(z, 1.0, 1, 1),
        "steer": lambda p: p.steer(z, brightness=1.0)[0], "render": lambda p: p.render(z, seed=3),
    }  # fmt: skip
    wanted = calls[call](player)
    needed = player.work.used
    assert needed <= player.work.size
    for size in [0, 1, 63, 64, 100, *np.linspace(128, needed, 40).astype(int).tolist(), needed + 64]:
        own = object.__new__(Player)
        vars(own).update(vars(player), work=Memory(size))
        try:
            assert np.array_equal(calls[call](own), wanted)
        except PlayerError as fault:
            assert (fault.status, "too small" in fault.message) == (MEMORY, True)  # noqa: PT017
            assert size < needed
