"""Any text is read: no crash, the order of clauses and spelling change nothing."""

from __future__ import annotations

import math
import random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from timbrespace.audio.describe import DESCRIPTORS
from timbrespace.prompt.reading import DEGREES, Reading
from timbrespace.prompt.tokens import MOST_CHARACTERS
from timbrespace.prompt.understand import read_prompt
from timbrespace.prompt.vocabulary import vocabulary_of

DRUMS = vocabulary_of(
    ["cymbal", "hat", "kick", "rim", "snare", "tom"],
    names=["Kit One/rim01", "Kit One/kick01", "Kit Two/kick01", "Kit Two/EE_Snare_1", "Kit Two/Big Room", "snare"],
    learned=frozenset({"paiste", "ride", "crash"}),
)
NOTES = vocabulary_of(["cello", "flute", "organ", "piano", "violin"], names=["cello/cello_048_050"], velocity=True)


def read(prompt: str) -> Reading:
    return read_prompt(prompt, DRUMS)


WORDS = ["short", "bright", "snare", "not", "very", "like", "rim01", "but", "darker", "twice", "as", "0.4 s", "kick", "and", "or",
",", "without", "hiss",
         "decay", "of", "C4", "120 Hz", "30 %", "wie", "sehr", "más", "plus", "que", "a bit", "-", "than", "half", "no", "the",
         "purple"]  # fmt: skip


def check(reading: Reading) -> None:
    """What is true of every reading."""
    for wish in reading.wishes:
        assert wish.descriptor in DESCRIPTORS
        given = [wish.amount is not None, wish.factor is not None, wish.target is not None, wish.equal and wish.amount is None]
        assert sum(given) == 1
        assert all(value is None or math.isfinite(value) for value in (wish.amount, wish.factor, wish.target))
        assert wish.describe()
        assert wish.words
    pairs = [(wish.descriptor, wish.against) for wish in reading.wishes]
    assert len(pairs) == len(set(pairs))
    assert not set(reading.categories) & set(reading.excluded)
    assert all(line.strip() for line in reading.lines())
    assert reading.as_dict()["prompt"] == reading.prompt


@given(st.text(max_size=200))
@example("²³½ⅷ٣" * 3)
@example("-" * 50 + "9" * 400 + " s")
@example("A#b♭♯-1 C-1 c#9 0 s 0 Hz -3 s 1e9 %")
@example("\ud800".encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read(text: str) -> None:
    for vocabulary in (DRUMS, NOTES):
        if text.strip():
            check(read_prompt(text, vocabulary))


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14))
@settings(max_examples=500, deadline=None)
def test_any_order_of_known_words_is_read(words: list[str]) -> None:
    check(read(" ".join(words)))


@given(st.permutations(["short", "very bright", "a bit noisy", "snare", "not fat", "0.2 s decay"]))
@settings(max_examples=100, deadline=None)
def test_the_order_of_clauses_changes_nothing(clauses: list[str]) -> None:
    reading = read(", ".join(clauses))
    assert reading.categories == ("snare",)
    found = {wish.descriptor: (wish.amount, wish.target) for wish in reading.wishes}
    assert found == {
        "length": (-DEGREES["plain"], None), "brightness": (DEGREES["very"], None), "noisiness": (DEGREES["bit"], None),
        "low_end": (-DEGREES["plain"], None), "decay": (None, 0.2),
    }  # fmt: skip


def test_case_and_spaces_change_nothing() -> None:
    plain = read("short bright snare, like rim01 but darker")
    for prompt in ("SHORT BRIGHT SNARE, LIKE RIM01 BUT DARKER", "  short   bright\nsnare ,like rim01 but darker "):
        other = read(prompt)
        assert (other.categories, other.compared) == (plain.categories, plain.compared)
        assert [(w.descriptor, w.amount, w.against) for w in other.wishes] == [(w.descriptor, w.amount, w.against) for w in plain.wishes]


def test_a_long_prompt_is_read_in_time() -> None:
    rng = random.Random(1)
    prompt = " ".join(rng.choice(WORDS) for _ in range(400))[:MOST_CHARACTERS]
    check(read(prompt))
