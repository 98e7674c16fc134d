"""timbrespace.native.moves: the moves that need no PyTorch are those of `space.moves`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stand_in import StandIn

from timbrespace.contracts import ConfigError
from timbrespace.instrument import Instrument
from timbrespace.native.engine import Player
from timbrespace.native.moves import PlayedMove
from timbrespace.synthesis.file.facts import InstrumentFile
from tiny import Tiny

Make = Callable[[Any], Any]
MOVES: dict[str, Make] = {
    "axis": lambda moves: moves.axis(["z2", "pc1", 3], 3, low=-1.5, high=2.0, seed=4),
    "axis of a category": lambda moves: moves.axis("pc2", 4, category="snare", name="mine"),
    "mesh": lambda moves: moves.mesh("pc1", "z1", (3, 2), seed=2),
    "one cell": lambda moves: moves.mesh(1, 2, 1, low=0.0, high=0.0),
    "walk": lambda moves: moves.walk("perlin", 5, amount=0.7, seed=1),
    "uniform walk": lambda moves: moves.walk("uniform", 4, category="kick", speed=2.0),
    "fractal walk": lambda moves: moves.walk("fractal", 3, seed=9, name="way"),
}


@pytest.fixture(scope="module")
def both(tiny: Tiny) -> tuple[Instrument, Instrument]:
    """The tiny instrument by a core, and by PyTorch."""
    file = InstrumentFile.read(tiny.file)
    return Instrument(player=Player(file, StandIn(file))), Instrument.load(tiny.file, engine="pytorch")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MOVES)
def test_points_names_and_recipes_are_those_of_pytorch(name: str, both: tuple[Instrument, Instrument]) -> None:
    move, wanted = (MOVES[name](instrument.moves) for instrument in both)
    assert isinstance(move, PlayedMove)
    assert (move.name, move.grid, move.only_as_one, move.labels) == (wanted.name, wanted.grid, wanted.only_as_one, wanted.labels)
    for found, one in zip(move.requests(), wanted.requests(), strict=True):
        assert np.allclose(found.z, one.z.numpy(), atol=1e-5)
        assert found._replace(z=one.z) == one


def test_its_sounds_are_rendered_by_the_core_and_moving_ones_by_pytorch(both: tuple[Instrument, Instrument]) -> None:
    move = both[0].moves.axis("pc1", 2)
    sounds = move.render()
    assert [sound.recipe["engine"] for sound in sounds] == ["native"] * 2
    assert both[0].replay(sounds[1].recipe).samples.tobytes() == sounds[1].samples.tobytes()
    assert move.as_one(0.2).recipe["engine"] == "pytorch"
    assert len(move.points) == 2


def test_new_sounds_are_drawn_by_the_core(both: tuple[Instrument, Instrument]) -> None:
    move = both[0].moves.random(3, seed=2)
    assert [sound.recipe["asked"]["move"] for sound in move.render()] == ["random"] * 3
    assert move.labels == ("1", "2", "3")


@pytest.mark.parametrize(
    "make",
    [
        lambda moves: moves.axis("pc99"),
        lambda moves: moves.axis([]),
        lambda moves: moves.axis("z1", 3, low=-99.0),
        lambda moves: moves.axis("z1", 3, category="oboe"),
        lambda moves: moves.axis("z1", 0),
        lambda moves: moves.axis("z1", 5000),
        lambda moves: moves.mesh("z1", "z1"),
        lambda moves: moves.mesh("z1", "q"),
        lambda moves: moves.walk("drunk"),
        lambda moves: moves.walk("perlin", 3, amount=9.0),
        lambda moves: moves.walk("perlin", 3, seed=-1),
        lambda moves: moves.random(3, category="oboe"),
        lambda moves: moves.random(3, temperature=-1.0),
    ],
)
def test_what_is_refused_is_refused_alike(make: Make, both: tuple[Instrument, Instrument]) -> None:
    messages = []
    for instrument in both:
        with pytest.raises(ConfigError) as refused:
            make(instrument.moves)
        messages.append(str(refused.value))
    assert messages[0] == messages[1]
