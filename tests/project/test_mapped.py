"""timbrespace.mapped: many tensors are kept without filling the memory."""

from __future__ import annotations

import pytest
import torch

from timbrespace import mapped
from timbrespace.mapped import Shelf


def test_a_shelf_returns_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    files = []
    whole = mapped.mapped
    monkeypatch.setattr(mapped, "mapped", lambda shape: files.append(shape) or whole(shape))  # type: ignore[func-returns-value]
    generator = torch.Generator().manual_seed(0)
    given = [torch.randn(2, length, generator=generator) for length in (10, 30, 5, 1, 40, 0, 3)]
    shelf = Shelf(held=80, block=50)
    kept = [shelf.keep(one) for one in given]
    assert all(torch.equal(a, b) and a.shape == b.shape for a, b in zip(kept, given, strict=True))
    assert [a is b for a, b in zip(kept, given, strict=True)] == [True, True, False, False, False, True, False]
    assert files == [(50,), (80,), (50,)]
    kept[2][:] = 7.0  # each has its own place
    assert torch.equal(kept[3], given[3])
