"""The word files: valid, complete, and refused where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from timbrespace.audio.describe import DESCRIPTORS
from timbrespace.contracts import ConfigError
from timbrespace.prompt.lexicon import LANGUAGES, WORDS, load_lexicon
from timbrespace.prompt.tokens import words_of


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_words_for_more_and_less_of_the_usual_descriptors(language: str) -> None:
    lexicon = load_lexicon(WORDS / f"{language}.yaml")
    said = {(role.name, role.sign) for roles in lexicon.phrases.values() for role in roles if role.kind == "wish"}
    for name in ("brightness", "decay", "attack", "noisiness", "pitch", "loudness", "length", "low_end"):
        assert {(name, 1), (name, -1)} <= said, name
    assert {name for name, _ in said} <= set(DESCRIPTORS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_of_a_language_means_more_and_less_of_one_descriptor(language: str) -> None:
    for phrase, roles in load_lexicon(WORDS / f"{language}.yaml").phrases.items():
        for kind in ("wish", "size", "velocity", "qualifier"):
            signs = {role.sign for role in roles if role.kind == kind}
            assert len(signs) <= 1, phrase
            assert len({role.name for role in roles if role.kind == kind}) <= 1, phrase


def test_every_yaml_file_of_the_package_is_a_language() -> None:
    assert sorted(path.stem for path in WORDS.glob("*.yaml")) == sorted(LANGUAGES)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("brightness:", "brigthness:"), "brigthness"),
        (("sizes:", "sizess:"), "sizes"),
        (("presence: less", "presence: perhaps"), "presence"),
        (("twice: 2", "twice: two"), "twice"),
        (("plain: [quite", "odd: [quite"), "odd"),
        (("language: English", "language: [English"), "cannot be read"),
    ],
)
def test_a_damaged_word_file_is_refused_by_the_name_of_the_fault(tmp_path: Path, change: tuple[str, str], named: str) -> None:
    text = (WORDS / "en.yaml").read_text(encoding="utf-8")
    assert change[0] in text
    (tmp_path / "en.yaml").write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(ConfigError, match=named):
        load_lexicon(tmp_path / "en.yaml")


def test_words_are_compared_without_case_accents_and_separators() -> None:
    assert words_of("Grosse Caisse,  TRÈS-brève") == words_of("große caisse tres breve")
