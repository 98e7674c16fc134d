"""The reel: sounds one after another."""

from __future__ import annotations

import numpy as np
import pytest

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.synthesis.reel import reel


def test_reel() -> None:
    one, two = np.ones((1, 100), np.float32), np.full((2, 50), 0.5, np.float32)
    row = reel([one, two, one], 1000, gap_seconds=0.01)
    assert row.shape == (2, 100 + 10 + 50 + 10 + 100)
    assert (row[:, :100] == 1).all()
    assert (row[:, 100:110] == 0).all()
    assert (row[:, 110:160] == 0.5).all()
    assert reel([one], 1000).shape == (1, 100)
    with pytest.raises(ConfigError):
        reel([], 44_100)
    with pytest.raises(ShapeError):
        reel([np.zeros((2, 5)), np.zeros((3, 5))], 44_100)
