"""Address patterns of OSC 1.0 against regular expressions, and what they do to an engine."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.live.fake_engine import FakeEngine

from timbrespace.live.conductor import Conductor
from timbrespace.live.osc.carrying import Carrier
from timbrespace.live.osc.packets import OscError
from timbrespace.live.osc.patterns import addresses_of, matching

SOURCE = SimpleNamespace(dims=12, axes=3, pads=[None] * 16, controls={"brightness": (-2, 2), "low end": (-2, 2), "decay": (-2, 2)})
ADDRESSES = addresses_of([SOURCE])

PIECES = st.sampled_from(["*", "?", "[ab]", "[!ab]", "[a-c]", "{ab,c}", "{a,ab}", "a", "b", "c"])


def reference(pieces: list[str]) -> re.Pattern[str]:
    """The regular expression of a pattern, which may take for ever for longer ones."""

    def one(piece: str) -> str:
        if piece.startswith("["):
            return piece.replace("[!", "[^")
        if piece.startswith("{"):
            return f"(?:{piece[1:-1].replace(',', '|')})"
        return {"*": ".*", "?": "."}.get(piece, piece)

    return re.compile("".join(map(one, pieces)))


@given(st.lists(PIECES, min_size=1, max_size=6), st.text("abcd", min_size=1, max_size=7))
def test_patterns_are_those_of_regular_expressions(pieces: list[str], word: str) -> None:
    assert bool(matching(f"/x/{''.join(pieces)}", [f"/x/{word}"])) == bool(reference(pieces).fullmatch(word))


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("/latent/*", 12), ("/latent/[1-4]", 4), ("/latent/1?", 3), ("/{latent,axis}/*", 15), ("/*/1", 3), ("/pad/[!1]", 8),
        ("/control/*", 3), ("/Control/BRIGHT*", 1), ("/control/*e*", 3), ("/walk/{speed,tempo}", 2), ("/lat*", 0), ("/latent/0?", 0),
    ],
)  # fmt: skip
def test_how_many_addresses_a_pattern_names(pattern: str, count: int) -> None:
    assert len(matching(pattern, ADDRESSES)) == count


def test_of_several_instruments_the_most_is_named() -> None:
    other = SimpleNamespace(dims=20, axes=1, pads=[None], controls={"noisiness": (-2, 2)})
    found = addresses_of([SOURCE, other])
    assert len(matching("/latent/*", found)) == 20
    assert len(matching("/pad/*", found)) == 16
    assert len(matching("/control/*", found)) == 4


@pytest.mark.parametrize("pattern", ["/latent/[1", "/latent/{1,2", "/" + "*" * 300])
def test_patterns_that_cannot_be_read(pattern: str) -> None:
    with pytest.raises(OscError, match=r"does not close|at most 256"):
        matching(pattern, ADDRESSES)


def test_a_pattern_of_stars_takes_no_time_that_grows_with_its_ways() -> None:
    assert matching("/pad/" + "*a" * 60 + "b", ["/pad/" + "a" * 200]) == []


def engine() -> tuple[FakeEngine, Conductor]:
    found = FakeEngine()
    found.sounds = SimpleNamespace(sources=[SOURCE])  # type: ignore[attr-defined]
    return found, Conductor(found, say=lambda line: None)


def test_a_message_is_carried_out_at_each_address() -> None:
    found, conductor = engine()
    Carrier(conductor).put("/latent/{2,3}", [0.5], lambda problem: None)
    conductor.step()
    assert found.calls == [("set_latent", 1, 0.5), ("set_latent", 2, 0.5)]


def test_a_pattern_that_names_nothing_is_answered() -> None:
    _, conductor = engine()
    with pytest.raises(OscError, match=r"/latent/99\* names no latent"):
        Carrier(conductor).put("/latent/99*", [0.5], lambda problem: None)
