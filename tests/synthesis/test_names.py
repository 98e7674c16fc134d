"""Safe and unique file names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.synthesis.names import safe_name, unique_names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("kick 001", "kick 001"),
        ("a/b\\c:d", "a-b-c-d"),
        ("../../etc/passwd", "etc-passwd"),
        (".hidden", "hidden"),
        ("CON", "_CON"),
        ("lpt1.take", "_lpt1.take"),
        ("console", "console"),
        ("", "sound"),
        ("...", "sound"),
        ("ends. .", "ends"),
        ("C#3 pad", "Cs3 pad"),
        ("a=b $x", "a-b -x"),
        ("tab\tand\nline\x00", "tab and line"),
        ("cafe\u0301", "café"),
        ("太鼓", "太鼓"),
    ],
)
def test_safe_name(text: str, name: str) -> None:
    assert safe_name(text) == name


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=400))
def test_safe_names_are_safe_and_stable(text: str) -> None:
    name = safe_name(text)
    assert 1 <= len(name.encode()) <= 125
    assert not set(name) & set('<>:"/\\|?*=$#')
    assert name == name.strip(" ")
    assert not name.startswith(".")
    assert not name.endswith(".")
    assert name.isprintable()
    assert safe_name(name) == name


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["a", "A", "a 2", "é", "e\u0301", "", "x" * 300, "x" * 299, "CON", "ß", "SS"]), max_size=20))
def test_unique_names(stems: list[str]) -> None:
    names = unique_names(stems)
    assert len(names) == len(stems)
    assert len({name.casefold() for name in names}) == len(names)
    assert all(len(name.encode()) <= 125 for name in names)


def test_unique_names_keep_order_and_first_names() -> None:
    assert unique_names(["kick", "snare", "kick", "kick 2", "Kick"]) == ["kick", "snare", "kick 3", "kick 2", "Kick 4"]
