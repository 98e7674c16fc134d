"""Tables of sounds that are too large for memory are mapped from unnamed files; a training stays within its memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from timbrespace.contracts import TimbrespaceError
from timbrespace.training.data import sounds
from timbrespace.training.data.sounds import InMemory, table

LINUX = sys.platform.startswith("linux")


def test_a_large_table_is_a_file_that_nobody_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = table((5, 3), tmp_path)
    monkeypatch.setattr(sounds, "_LARGEST_HELD", 16)
    mapped = table((5, 3), tmp_path)
    values = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    for one in (held, mapped):
        assert not one.any()
        one[:] = values
    rows = torch.tensor([4, 0])
    lengths = torch.arange(5)
    assert torch.equal(InMemory(mapped, lengths)[rows].values, InMemory(held, lengths)[rows].values)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not LINUX, reason="limits of this kind are Linux' own")
def test_a_large_table_takes_no_memory_of_the_process(tmp_path: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
from timbrespace.training.data.sounds import table
lines = open("/proc/self/status").read().splitlines()
data = next(int(line.split()[1]) for line in lines if line.startswith("VmData")) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (data + (64 << 20), data + (64 << 20)))
one = table((1_000, 50_000), Path(sys.argv[1]))
for start in range(0, 1_000, 100):
    one[start : start + 100] = start
assert float(one[950, 7]) == 900
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.skipif(not LINUX, reason="limits of this kind are Linux' own")
def test_a_full_disk_is_an_error_not_a_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr(sounds, "_LARGEST_HELD", 16)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a compiled module that was cut short would be kept
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(TimbrespaceError):
            table((1 << 20,), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


_TRAIN = """
import resource, sys
from timbrespace.cli.main import main
limit = int(sys.argv[1]) << 20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
sys.argv = ["timbrespace", "train", sys.argv[2], "--out", sys.argv[3], "--epochs", "0.1", "--set", "training.seconds=0.5"]
sys.argv += ["--set", "training.synthesised=0", "--set", "training.examples=3000"]
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(not LINUX, reason="limits of this kind are Linux' own")
def test_a_training_on_a_folder_within_its_memory(tmp_path: Path) -> None:
    """3,000 files within 1,700 MiB of writable memory, stacks included; the last stage alone added 1,500 before (0.5 MiB a clip)."""
    import soundfile

    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(3_000):
        time = np.arange(rng.integers(8_000, 22_050)) / 44_100
        sound = np.sin(2 * np.pi * rng.uniform(80, 2_000) * time) * np.exp(-time / rng.uniform(0.02, 0.2))
        noisy = sound + 0.05 * rng.standard_normal(len(time)) * np.exp(-time / 0.1)
        soundfile.write(tmp_path / "in" / f"{number:04d}.wav", 0.7 * noisy / np.abs(noisy).max(), 44_100)
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", _TRAIN, "1700", str(tmp_path / "in"), str(tmp_path / "x.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
