"""Notes on the command line: names and MIDI numbers."""

from __future__ import annotations

import pytest
import typer

from timbrespace.cli.common.pairs import read_note


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("C4", 60), ("c4", 60), ("B#3", 60), ("Cb4", 59), ("H3", 59), ("F#3", 54), ("Gb3", 54), ("Fis3", 54), ("Es4", 63), ("C♯4", 61),
        ("C-1", 0), ("c#-1", 1), ("A0", 21), ("G9", 127), ("60", 60), ("60.5", 60.5), ("-5", -5),
    ],
)  # fmt: skip
def test_a_note_is_a_name_or_a_midi_number(text: str, note: float) -> None:
    assert read_note(text) == note


@pytest.mark.parametrize("text", ["", " ", "c 4", "C", "C10", "C-2", "I4", "C##4", "4C", "nonsense", "C4 C5"])
def test_other_texts_are_refused_in_words(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no note; allowed are"):
        read_note(text)
