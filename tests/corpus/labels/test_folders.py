"""Folder names as categories: in several languages, with qualifiers, and short names beside drums."""

from __future__ import annotations

import pytest

from timbrespace.corpus.labels.categories import categorise


def kinds(*folders: str) -> list[str | None]:
    """The category of each folder of three files whose names say nothing."""
    files = [f"{folder}/a {k}.wav" for folder in folders for k in range(3)]
    found = categorise(files)
    assert found[::3] == found[1::3] == found[2::3]
    return found[::3]


@pytest.mark.parametrize(
    ("category", "folders"),
    {
        "kick": ["Bassdrum", "Große Trommel", "Grosse Caisse", "Gran Cassa", "Bombo", "Bumbo", "01_Kicks"],
        "snare": ["Kleine Trommel", "Caisse claire", "Rullante", "Caja", "Caixa", "Snare Rolls", "Snares (Long)"],
        "cymbal": ["Becken", "Cymbales", "Piatti", "Platillos", "Pratos", "Crash"],
        "hat": ["Hi-Hats Closed", "HiHats open", "hat - offen", "Closed Hats"],
        "tom": ["Toms low", "Low Toms", "TOMS High"],
        "guitar": ["Gitarren", "Guitares", "Guitarras", "Chitarra"],
        "strings": ["Streicher", "Cordes", "Cuerdas", "Archi"],
        "vocal": ["Stimmen", "Voix", "Voces", "Vocals"],
        "brass": ["Bläser", "Cuivres", "Brass short"],
    }.items(),
)
def test_words_of_several_languages_and_qualifiers_are_known(category: str, folders: list[str]) -> None:
    assert kinds(*folders, "Other Things") == [category] * len(folders) + ["other things"]


def test_a_name_that_only_begins_with_a_word_is_a_category_of_its_own() -> None:
    names = ["Ride of the Valkyries", "Tom Waits", "Kick the Habit", "Open Air"]
    assert kinds(*names) == [name.casefold() for name in names]


def test_short_names_beside_folders_of_drums_are_drums() -> None:
    assert kinds("909/BD", "909/SD", "909/CH", "909/OH", "909/CP", "909/LT") == ["kick", "snare", "hat", "hat", "clap", "tom"]
    assert kinds("towns/CH", "towns/BE", "towns/Kicks") == ["ch", "be", "kick"]
