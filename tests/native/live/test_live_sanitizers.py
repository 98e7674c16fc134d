"""Random calls, many with numbers that must be refused: no call harms memory, no sample leaves full scale, no two threads race."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = "tests/native/live/live.c"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the program uses threads of POSIX")


def run(program: Path, seed: int, calls: int, *, threads: bool = False) -> int:
    """How many calls were taken. Fails with what the sanitizer says."""
    found = subprocess.run(
        [str(program), str(seed), str(calls), str(int(threads))], check=False, capture_output=True, text=True, timeout=600
    )
    assert found.returncode == 0, f"seed {seed}: {found.stdout[-500:]}{found.stderr[-3000:]}"
    return int(found.stdout)


@pytest.mark.parametrize("seed", range(8))
def test_hostile_calls_do_no_harm(sanitized: Callable[..., Path], seed: int) -> None:
    assert run(sanitized("live", SOURCE), seed, 3_000) > 2_000


@pytest.mark.slow  # half a minute
def test_many_more_hostile_calls_do_no_harm(sanitized: Callable[..., Path]) -> None:
    for seed in range(100, 140):
        run(sanitized("live", SOURCE), seed, 4_000)


def test_two_threads_do_not_race(sanitized: Callable[..., Path]) -> None:
    assert run(sanitized("live-threads", SOURCE, threads=True), 1, 40_000, threads=True) > 100
