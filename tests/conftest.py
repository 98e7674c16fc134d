"""Shared by all tests: few threads, no network, fixed seeds, and sounds that are computed, not downloaded."""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before NumPy and PyTorch are imported; also for the processes that tests start

import gc

gc.disable()  # until all tests are collected: a third of that time would go into looking through what is there to stay

import math
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from torch import Tensor

    from shell import Shell
    from timbrespace.instrument import Instrument
    from tiny import Tiny

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background work with Ctrl-C ignored, and so would be every process that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_LOCAL = ("127.0.0.1", "::1", "localhost")


def pytest_collection_finish() -> None:
    """Garbage collection no longer looks through thousands of tests and all imported modules, which it did hundreds of times."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another machine fails instead of being slow, flaky or impolite."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in _LOCAL:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _same_seed() -> None:
    """Every test starts from the same random state; torch only where a test has imported it."""
    import random

    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


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
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Twenty-four synthetic drums, their corpus, and a small instrument trained on it. Made once; tests must not change its files."""
    from tiny import make_tiny

    return make_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Instrument:
    """An instrument of forty synthetic notes."""
    from timbrespace.audio.files import write
    from timbrespace.corpus.synthetic.registry import synthetic_clips
    from timbrespace.training.train import train
    from tiny import RATE, quick_finish

    folder = tmp_path_factory.mktemp("notes")
    for clip in synthetic_clips("synthetic:notes", count=40):
        write(folder / "sounds" / f"{clip.name}.wav", clip.audio, RATE)
    changes = ("synthesised=1", "examples=64", "variations=1", "batch=16")
    changes = (*(f"training.{change}" for change in changes), "model.dims=6", "model.coefficients=24")
    with pytest.MonkeyPatch.context() as patch:
        quick_finish(patch)
        return train(folder / "sounds", folder / "notes.safetensors", epochs=2, changes=changes, seed=1, device="cpu")


@pytest.fixture(scope="session")
def instrument(tiny: Tiny) -> Instrument:
    """The tiny instrument, loaded."""
    from timbrespace.instrument import Instrument

    return Instrument.load(tiny.file)


@pytest.fixture(scope="session")
def quick_file(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny instrument as `fixed` trains it, with a quick finish: what other trainings are compared with."""
    from timbrespace.corpus.corpus import Corpus
    from tiny import fix_plan, quick_train

    path = tmp_path_factory.mktemp("quick") / "quick.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        fix_plan(patch)
        quick_train(Corpus.open(tiny.corpus), path)
    return path


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
