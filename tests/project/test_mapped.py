"""timbrespace.mapped: many arrays are kept without filling the memory."""

from __future__ import annotations

import numpy as np
import pytest

from timbrespace import mapped
from timbrespace.mapped import Shelf


def test_a_shelf_returns_what_it_was_given(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    files = []
    whole = mapped.mapped_array
    monkeypatch.setattr(mapped, "mapped_array", lambda shape: files.append(shape) or whole(shape))  # type: ignore[func-returns-value]
    given = [rng.standard_normal((2, length)).astype(np.float32) for length in (10, 30, 5, 1, 40, 0, 3)]
    shelf = Shelf(held=80, block=50)
    kept = [shelf.keep(one) for one in given]
    assert all(np.array_equal(a, b) and a.shape == b.shape for a, b in zip(kept, given, strict=True))
    assert [a is b for a, b in zip(kept, given, strict=True)] == [True, True, False, False, False, True, False]
    assert files == [(50,), (80,), (50,)]
    kept[2][:] = 7.0  # each has its own place
    assert np.array_equal(kept[3], given[3])
