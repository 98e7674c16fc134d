"""Shared by all tests: few threads, no network, fixed seeds, and sounds that are computed, not downloaded."""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before NumPy and PyTorch are imported; also for the processes that tests start

import gc

gc.disable()  # until all tests are collected: a third of that time would go into looking through what is there to stay

import math
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from torch import Tensor

    from shell import Shell
    from timbrespace.instrument import Instrument
    from tiny import Tiny

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background work with Ctrl-C ignored, and so would be every process that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

Shared = Callable[[str, Callable[[Path], object]], Path]
_LOCAL = ("127.0.0.1", "::1", "localhost")


def pytest_collection_finish() -> None:
    """Garbage collection no longer looks through thousands of tests and all imported modules, which it did hundreds of times."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """A test that reaches for another machine fails instead of being slow, flaky or impolite."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in _LOCAL:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(autouse=True)
def _same_seed() -> None:
    """Every test starts from the same random state; torch only where a test has imported it."""
    import random

    random.seed(0)
    np.random.seed(0)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.manual_seed(0)
    elif torch is not None:
        torch.default_generator.manual_seed(0)  # the same without a search for devices, which takes longer than many a test


@pytest.fixture
def rng() -> np.random.Generator:
    """A NumPy generator with a fixed seed."""
    return np.random.default_rng(0)


@pytest.fixture
def generator() -> object:
    """A torch generator with a fixed seed."""
    import torch

    return torch.Generator().manual_seed(0)


@pytest.fixture
def tone() -> Callable[..., Tensor]:
    """tone(hz, seconds, sample_rate=44100, channels=1) -> a decaying sine (channels, time) float32, peak below 1."""
    import torch

    def make(hz: float = 440.0, seconds: float = 0.5, sample_rate: int = 44_100, channels: int = 1) -> Tensor:
        time = torch.arange(max(int(seconds * sample_rate), 1)) / sample_rate
        wave = 0.8 * torch.sin(2 * math.pi * hz * time) * torch.exp(-3.0 * time / max(seconds, 1e-3))
        return wave.expand(channels, -1).clone()

    return make


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """shared(name, make): a folder that make(folder) has filled, once for all processes of a run. Tests must not change its files."""
    base = tmp_path_factory.getbasetemp()
    place = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def get(name: str, make: Callable[[Path], object]) -> Path:
        folder, made = place / f"shared-{name}", place / f"shared-{name}.made"
        with FileLock(f"{folder}.lock"):
            if not made.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
                folder.mkdir()
                make(folder)
                made.touch()
        return folder

    return get


@pytest.fixture(scope="session")
def tiny(shared: Shared) -> Tiny:
    """Twenty-four synthetic drums, their corpus, and a small instrument trained on it."""
    from tiny import make_tiny, tiny_in

    return tiny_in(shared("tiny", make_tiny))


@pytest.fixture(scope="session")
def notes(shared: Shared) -> Instrument:
    """An instrument of forty synthetic notes."""
    from timbrespace.instrument import Instrument
    from tiny import make_notes

    return Instrument.load(shared("notes", make_notes) / "notes.safetensors")


@pytest.fixture(scope="session")
def instrument(tiny: Tiny) -> Instrument:
    """The tiny instrument, loaded."""
    from timbrespace.instrument import Instrument

    return Instrument.load(tiny.file)


@pytest.fixture(scope="session")
def quick_file(tiny: Tiny, shared: Shared) -> Path:
    """The tiny instrument as `fixed` trains it, with a quick finish: what other trainings are compared with."""
    from timbrespace.corpus.corpus import Corpus
    from tiny import fix_plan, quick_train

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            fix_plan(patch)
            quick_train(Corpus.open(tiny.corpus), folder / "quick.safetensors")

    return shared("quick", make) / "quick.safetensors"


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training by steps instead of by the clock, like that of the tiny instrument, with a checkpoint after every step."""
    from timbrespace.training import loop
    from tiny import fix_plan

    fix_plan(monkeypatch)
    monkeypatch.setattr(loop, "_SAVE_SECONDS", -1.0)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs command lines: `shell("generate", file, "--out", folder)`."""
    from shell import Shell

    return Shell(capsys)
