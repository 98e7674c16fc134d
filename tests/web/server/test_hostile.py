"""What a hostile client may not learn or reach."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from timbrespace.atomic import disk_error
from timbrespace.contracts import TimbrespaceError

pytest.importorskip("fastapi")

from starlette.exceptions import HTTPException

from timbrespace.web.server.batches import write_batch
from timbrespace.web.server.bodies import GenerateBody
from timbrespace.web.server.jobs import Job, Turns
from timbrespace.web.server.office import Office


class Stub:
    """An instrument whose one sound cannot be saved."""

    title, categories = "drums", ("kick",)
    refusal = ""

    def __init__(self, error: Exception | None = None) -> None:
        self.instrument, self.error = self, error

    def generate(self, count: int, **_: Any) -> list[Stub]:
        return [self] * count

    def save(self, folder: Path) -> Path:
        if self.error is not None:
            raise self.error
        (folder / "a.wav").write_bytes(b"")
        return folder / "a.wav"


def batch(served: Any, folder: Path) -> dict[str, Any]:
    return write_batch(served, GenerateBody(id=uuid4(), count=1), folder, Job("1", lambda job: None, quick=False, turns=Turns()))


def test_errors_do_not_say_where_the_folder_is(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    for error in (full, disk_error(full, tmp_path / "private" / "a.wav")):
        (tmp_path / "private").mkdir(exist_ok=True)
        with pytest.raises(TimbrespaceError, match="no room left") as found:
            batch(Stub(error), tmp_path / "private")
        assert str(tmp_path) not in str(found.value)
        assert list((tmp_path / "private").iterdir()) == []
    with pytest.raises(TimbrespaceError) as found:
        batch(Stub(), tmp_path / "nowhere")
    assert str(tmp_path) not in str(found.value)
    assert list(batch(Stub(), tmp_path / "private")) == ["folder", "files"]


@pytest.mark.parametrize("number", [-1, -2, 2, 10**30])
def test_only_the_numbers_of_instruments_are_known(number: int) -> None:
    office: Any = Office([Stub(), Stub()])  # type: ignore[list-item]
    for ask in (office.instrument, office.playable):
        with pytest.raises(HTTPException) as found:
            ask(number)
        assert found.value.status_code == 404
