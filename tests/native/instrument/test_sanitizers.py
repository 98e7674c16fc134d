"""The core under sanitizers: no file, damaged in whatever way, makes it read or write where it may not, or overflow."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from native_damage import damaged
from untrained import untrained_notes

from timbrespace.instrument import Instrument
from timbrespace.synthesis.file.writing import encoded
from tiny import Tiny


@pytest.fixture(scope="session")
def program(sanitized: Callable[..., Path]) -> Path:
    """tests/native/play.c with sanitizers."""
    return sanitized("play", "tests/native/play.c")


def played(program: Path, files: list[Path]) -> Counter[str]:
    """How many files ended with which step and status. Fails with what the sanitizer says."""
    run = subprocess.run([str(program), *map(str, files)], check=False, capture_output=True, text=True)
    lines = run.stdout.splitlines()
    assert run.returncode == 0, f"{files[len(lines)].name} after {lines[-3:]}:\n{run.stderr[-3000:]}"
    assert len(lines) == len(files)
    return Counter(lines)


@pytest.fixture(scope="module")
def originals(tiny: Tiny) -> list[bytes]:
    contents = Instrument.load(tiny.file).contents
    notes = encoded(untrained_notes().contents, bits=16)
    return [tiny.file.read_bytes(), encoded(contents, bits=8), encoded(contents, bits=16), notes]


def test_whole_files_play(program: Path, originals: list[bytes], tmp_path: Path) -> None:
    files = [tmp_path / f"{i}" for i in range(len(originals))]
    for path, data in zip(files, originals, strict=True):
        path.write_bytes(data)
    assert set(played(program, files)) <= {"render 0", "steer 0", "parts 0"}


@pytest.mark.parametrize("block", range(4))
def test_damaged_files_do_no_harm(program: Path, originals: list[bytes], tmp_path: Path, block: int) -> None:
    files = []
    for seed in range(1000 + 60 * block, 1060 + 60 * block):
        files.append(tmp_path / f"seed-{seed}")
        files[-1].write_bytes(damaged(originals[seed % len(originals)], seed))
    found = played(program, files)
    assert sum(count for line, count in found.items() if line.startswith("open ") and line != "open 0") > 15  # most damage is found
