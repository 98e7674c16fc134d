"""timbrespace.parallel: freed memory is kept."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from timbrespace import parallel
from timbrespace.parallel import keep_freed_memory

_FAULTS = """
import resource, sys
import torch
from timbrespace.parallel import keep_freed_memory

if sys.argv[1] == "kept" and not keep_freed_memory():
    raise SystemExit("not glibc")
torch.set_num_threads(1)
for step in range(16):
    if step == 8:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    first, second = torch.ones(12_000_000), torch.ones(12_000_000)  # above 32 MB glibc does not adapt by itself
    del first, second
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is of glibc")
def test_large_blocks_are_handed_out_again_without_new_pages() -> None:
    def faults(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, timeout=120, check=False)
        if "not glibc" in done.stderr:
            pytest.skip("another C library")
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    assert faults("kept") < 0.1 * faults("as it is")


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert not keep_freed_memory()


def test_an_older_c_library_gets_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    def library(most: int) -> SimpleNamespace:
        return SimpleNamespace(mallopt=lambda which, value: asked.append((which, value)) or int(which == -1 or value <= most))  # type: ignore[func-returns-value]

    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(parallel.ctypes, "CDLL", lambda name: library(2**25))
    assert keep_freed_memory()
    assert asked == [(-3, 2**30), (-3, 2**25), (-1, 2**30)]
    asked.clear()
    monkeypatch.setattr(parallel.ctypes, "CDLL", lambda name: library(0))
    assert not keep_freed_memory()
    assert all(which == -3 for which, _ in asked)  # the other alone would do harm
