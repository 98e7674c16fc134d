"""Levels to samples in the core: magnitudes, integrated phases and the search as Python's, stage by stage and whole."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from detail_files import Levels, instrument_bytes
from native_core import ARGUMENT, MEMORY, OK, UNCOVERED, Arena, Core
from timbrespace.audio.distance import log_mel_error
from timbrespace.representation.phase.pghi import integrate_phase
from timbrespace.representation.views.bands import Bands

SETTINGS = [
    {"bands": 161},
    {"bands": 100, "n_fft": 512, "hop": 128, "channels": 2, "floor": 60.0},
    {"bands": 40, "n_fft": 256, "hop": 32},
    {"bands": 33, "n_fft": 64, "hop": 16, "floor": 40.0},
    {"bands": 161, "n_fft": 1024, "hop": 512},
]


class Target(ctypes.Structure):
    """`Target` of phase.h."""

    _fields_ = (
        ("frames", ctypes.c_int), ("groups", ctypes.c_int), ("magnitude", ctypes.c_void_p), ("least", ctypes.c_void_p),
        ("most", ctypes.c_void_p), ("loudest", ctypes.c_float),
    )  # fmt: skip


def hit(rng: np.random.Generator, samples: int, channels: int) -> Tensor:
    """A drum: a falling tone, two ringing ones, noise that decays faster, `(channels, samples)`."""
    time = np.arange(samples) / 44_100
    tone = np.sin(2 * np.pi * (180 * time + 3 * (1 - np.exp(-30 * time)))) * np.exp(-9 * time)
    rings = sum(a * np.sin(2 * np.pi * f * time) * np.exp(-d * time) for a, f, d in ((0.3, 1130, 12), (0.2, 3370, 20)))
    noise = rng.normal(size=(channels, samples)) * 0.3 * np.exp(-25 * time)
    return torch.from_numpy(np.stack([tone + rings] * channels) + noise).float()


def open_phase(core: Core, **settings: Any) -> tuple[int, ctypes.c_void_p, Arena]:
    memory, file, phase = Arena(8_000_000), ctypes.c_void_p(), ctypes.c_void_p()
    data = instrument_bytes({}, **settings)
    kept = np.frombuffer(data, np.uint8).copy()
    assert core("file_open", ctypes.byref(file), kept, len(data), memory) == OK
    return core("phase_open", ctypes.byref(phase), file, memory), phase, memory


def render(core: Core, phase: ctypes.c_void_p, levels: Tensor, *, length: int, seed: int, steps: int) -> NDArray[np.float32]:
    audio = np.zeros((len(levels), length), np.float32)
    work = Arena(core("phase_work_size", phase, length, result=ctypes.c_size_t))
    assert core("phase_render", phase, ctypes.byref(Levels(levels.numpy())), length, seed, steps, audio, work) == OK
    assert work.used == 0
    return audio


def signal_to_error(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    return 10 * math.log10(np.square(wanted).sum() / max(1e-30, np.square(wanted - found).sum()))


@pytest.mark.parametrize("settings", SETTINGS)
def test_magnitudes_and_phases_are_those_of_python(core: Core, rng: np.random.Generator, settings: dict[str, Any]) -> None:
    view = Bands(**settings)
    levels = view.encode(hit(rng, 9_000, view.channels)[None])[0, 0]
    status, phase, _kept = open_phase(core, **settings)
    assert status == OK
    loudest, frames = float(levels.max()), levels.shape[1]
    rows, target, work = levels.T.contiguous().numpy(), Target(), Arena(40_000_000)
    assert core("phase_target", phase, rows, frames, ctypes.c_float(loudest), ctypes.byref(target), work) == OK
    magnitude = core.take(target.magnitude, (frames, view.bins))
    wanted = view.magnitude(levels, loudest=levels.max()).T.numpy()
    assert np.abs(magnitude - wanted).max() < 1e-5 * wanted.max()
    turns = np.zeros((frames, view.bins), np.uint32)
    assert core("phase_integrate", phase, ctypes.byref(target), 7, turns, work) == OK
    angle = integrate_phase(torch.from_numpy(magnitude).T, n_fft=view.n_fft, hop=view.hop, seed=7).T.numpy()
    apart = np.abs((turns / 2.0**32 - angle / (2 * math.pi) + 0.5) % 1 - 0.5)[magnitude > 0]
    # A cell at the border of two lists may be visited in another order, which moves what is integrated from it.
    assert np.quantile(apart, 0.95) < 1e-4


@pytest.mark.parametrize("steps", [0, 1, 5, 12])
@pytest.mark.parametrize("settings", SETTINGS)
def test_samples_are_those_of_python(core: Core, rng: np.random.Generator, settings: dict[str, Any], steps: int) -> None:
    view = Bands(**settings)
    view.iterations = steps
    length = 9_000
    levels = view.encode(hit(rng, length, view.channels)[None])[0]
    _, phase, _kept = open_phase(core, **settings)
    found = torch.from_numpy(render(core, phase, levels, length=length, seed=3, steps=steps))
    wanted = view.decode(levels[None], length=length, seed=3)[0]
    assert signal_to_error(wanted.numpy(), found.numpy()) > 60
    assert float(log_mel_error(wanted[None], found[None]).max()) < 0.01


@pytest.mark.parametrize("length", [1, 255, 256, 1_000, 2_047, 2_048, 2_049, 5_000])
def test_every_length(core: Core, rng: np.random.Generator, length: int) -> None:
    view = Bands(bands=40)
    levels = view.encode(hit(rng, length, 1)[None])[0]
    _, phase, _kept = open_phase(core, bands=40)
    found = render(core, phase, levels, length=length, seed=1, steps=4)
    assert found.shape == (1, length)
    assert np.isfinite(found).all()
    view.iterations = 4
    wanted = view.decode(levels[None], length=length, seed=1)[0].numpy()
    assert signal_to_error(abs(wanted) if length == 1 else wanted, abs(found) if length == 1 else found) > 60  # one sample: either sign


def test_silence_stays_silence_and_bad_arguments_are_refused(core: Core) -> None:
    _, phase, _kept = open_phase(core, bands=40)
    bands = Bands(bands=40).bands
    silent = torch.full((1, bands, 5), -120.0)
    assert not render(core, phase, silent, length=1_100, seed=0, steps=4).any()
    levels, audio = Levels(np.zeros((1, bands, 5), np.float32)), np.zeros(2_000, np.float32)
    for length, steps in ((900, 4), (1_300, 4), (0, 4), (-1, 4)):
        assert core("phase_render", phase, ctypes.byref(levels), length, 0, steps, audio, Arena(8_000_000)) == ARGUMENT
    for size in (0, 1_000, 50_000, 100_000):
        assert core("phase_render", phase, ctypes.byref(levels), 1_100, 0, 4, audio, Arena(size)) == MEMORY


@pytest.mark.parametrize("settings", [{"method": "griffin-lim"}, {"refine": 5}, {"n_fft": 1024, "hop": 64}])
def test_other_methods_are_not_covered(core: Core, settings: dict[str, Any]) -> None:
    assert open_phase(core, bands=40, **settings)[0] == UNCOVERED
