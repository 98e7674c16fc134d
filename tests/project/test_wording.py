"""Numbers and nouns agree."""

from __future__ import annotations

import pytest

from timbrespace.corpus.doctor.findings import _CHECKS
from timbrespace.wording import counted, predicate, pronouns


@pytest.mark.parametrize(("count", "text"), [(0, "0 sounds"), (1, "1 sound"), (2, "2 sounds"), (12_345, "12,345 sounds")])
def test_a_noun_agrees(count: int, text: str) -> None:
    assert counted(count, "sound") == text


@pytest.mark.parametrize("check", _CHECKS, ids=lambda check: check.kind)
def test_findings_about_one_file_have_no_plural(check: object) -> None:
    one = predicate(1, check.what)  # type: ignore[attr-defined]
    do = pronouns(1, check.do)  # type: ignore[attr-defined]
    assert one.split()[0] in {"is", "has", "contains", "cancels", "starts", "peaks", "may"}
    assert not {"they", "them", "their"} & set(f"{one} {do}".replace(",", " ").replace(";", " ").split())
    assert predicate(2, check.what) == check.what  # type: ignore[attr-defined]
    assert pronouns(2, check.do) == check.do  # type: ignore[attr-defined]


def test_it_and_its() -> None:
    assert predicate(1, "have no category in their folder") == "has no category in its folder"
    assert predicate(1, "may hold sounds but are not opened") == "may hold sounds but is not opened"
    assert pronouns(1, "they are skipped; remove them") == "it is skipped; remove it"
    assert predicate(1, "may lack a part of their sound") == "may lack a part of its sound"
