"""The noise texture of new sounds in the core: the levels of timbrespace/synthesis/texture.py within 1e-3 dB."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch

from detail_files import Levels, decoded_levels, instrument_bytes
from native_core import ARGUMENT, MEMORY, OK, Arena, Core
from timbrespace.representation.views.bands import Bands
from timbrespace.synthesis.texture import add_noise_texture


def open_texture(core: Core, data: bytes) -> tuple[int, ctypes.c_void_p, Arena]:
    memory, file, texture = Arena(8_000_000), ctypes.c_void_p(), ctypes.c_void_p()
    kept = np.frombuffer(data, np.uint8).copy()
    assert core("file_open", ctypes.byref(file), kept, len(data), memory) == OK
    return core("texture_open", ctypes.byref(texture), file, memory), texture, memory


@pytest.mark.parametrize(
    ("channels", "bands", "n_fft", "hop", "samples", "floor"),
    [(1, 161, 1024, 256, 57_330, 80.0), (2, 40, 1024, 256, 9000, 60.0), (1, 8, 64, 16, 1, 20.0), (2, 100, 512, 256, 255, 120.0)],
)
def test_levels_are_those_of_python(
    core: Core, rng: np.random.Generator, channels: int, bands: int, n_fft: int, hop: int, samples: int, floor: float
) -> None:
    view = Bands(n_fft=n_fft, hop=hop, bands=bands, floor=floor, channels=channels)
    options = {"n_fft": n_fft, "hop": hop, "bands": bands, "floor": floor, "channels": channels}
    status, texture, _kept = open_texture(core, instrument_bytes({}, **options))
    assert status == OK
    work = Arena(core("texture_work_size", texture, samples, result=ctypes.c_size_t))
    for seed in (0, 1, 2**64 - 1):
        levels = decoded_levels(rng, parts=channels, bands=view.bands, frames=view.frames(samples), floor=floor)
        wanted = add_noise_texture(torch.from_numpy(levels)[None], view, length=samples, seed=seed)[0].numpy()
        found = Levels(levels)
        assert core("texture_add", texture, seed, samples, ctypes.byref(found), work) == OK
        assert np.abs(found.result - wanted).max() < 1e-3
    assert work.used == 0


def test_levels_must_fit_the_length_and_the_memory(core: Core, rng: np.random.Generator) -> None:
    _, texture, _kept = open_texture(core, instrument_bytes({}, bands=40))
    levels = decoded_levels(rng, parts=1, bands=Bands(bands=40).bands, frames=9, floor=80.0)
    for samples in (0, 2047, 2304, -1, 2**62):
        assert core("texture_add", texture, 0, samples, ctypes.byref(Levels(levels)), Arena(4_000_000)) == ARGUMENT
    for size in (0, 5000, 20_000, 60_000):
        assert core("texture_add", texture, 0, 2048, ctypes.byref(Levels(levels)), Arena(size)) == MEMORY
    assert core("texture_add", texture, 0, 2048, ctypes.byref(Levels(levels)), Arena(4_000_000)) == OK
