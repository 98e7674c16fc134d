"""Detail of new sounds in the core: the levels and the judgement of timbrespace/synthesis/detail_model, within 1e-3 dB."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from detail_files import Levels, decoded_levels, detail_tensors, instrument_bytes, model_of
from native_core import DAMAGED, MEMORY, OK, UNCOVERED, Arena, Core
from timbrespace.representation.views.bands import Bands
from timbrespace.synthesis.detail_model.draw import add_detail
from timbrespace.synthesis.detail_model.model import DetailModel
from timbrespace.synthesis.detail_model.outliers import excess_of

DIMS, DETAILED = 4, ("b", "z", "a")  # "z" is no category of the density


@dataclass
class Opened:
    """A detail model in the core and in Python."""

    core: Core
    memory: Arena
    handle: ctypes.c_void_p
    model: DetailModel
    view: Bands
    work: Arena

    def add(self, levels: np.ndarray, z: np.ndarray, category: int, seed: int) -> np.ndarray:
        changed = Levels(levels)
        self.work.used = self.work.peak = 0
        status = self.core("detail_add", self.handle, z, ctypes.c_int(category), seed, ctypes.byref(changed), self.work)
        assert status == OK
        assert self.work.used == 0
        parts, _, frames = levels.shape
        assert self.work.peak <= self.core("detail_work_size", self.handle, parts, frames, result=ctypes.c_size_t)
        return changed.result


def open_file(core: Core, data: bytes) -> tuple[int, ctypes.c_void_p, Arena]:
    """Returns the status of detail_open, the detail, and the memory that holds it."""
    memory, file, detail = Arena(4_000_000 + 8 * len(data)), ctypes.c_void_p(), ctypes.c_void_p()
    kept = np.frombuffer(data, np.uint8).copy()
    memory.file = kept  # type: ignore[attr-defined]
    assert core("file_open", ctypes.byref(file), kept, len(data), memory) == OK
    return core("detail_open", ctypes.byref(detail), file, memory), detail, memory


def opened(core: Core, rng: np.random.Generator, *, bands: int = 40, floor: float = 80.0, channels: int = 1, **more: Any) -> Opened:
    tensors = detail_tensors(rng, dims=DIMS, categories=len(DETAILED))
    options = {"bands": bands, "floor": floor, "channels": channels, **more}
    status, handle, memory = open_file(core, instrument_bytes(tensors, dims=DIMS, detailed=DETAILED, **options))
    assert status == OK
    model = model_of(tensors, dims=DIMS, categories=DETAILED)
    return Opened(core, memory, handle, model, Bands(bands=bands, floor=floor, channels=channels), Arena(16_000_000))


SHAPES = [(1, 161, 225, 80.0), (2, 40, 37, 60.0), (1, 8, 1, 80.0), (1, 100, 3, 100.0), (1, 40, 12, 80.0), (1, 161, 700, 80.0)]


@pytest.mark.parametrize(("parts", "bands", "frames", "floor"), SHAPES)
def test_levels_are_those_of_python(core: Core, rng: np.random.Generator, parts: int, bands: int, frames: int, floor: float) -> None:
    one = opened(core, rng, bands=bands, floor=floor, channels=parts)
    beyond = cells = 0
    for seed, (index, category) in enumerate([(-1, None), (0, "a"), (1, "b"), (-1, None)]):
        levels = decoded_levels(rng, parts=parts, bands=one.view.bands, frames=frames, floor=floor)
        z = rng.standard_normal(DIMS).astype(np.float32) * 3
        model = one.model
        features = torch.from_numpy(levels)[None]
        wanted = add_detail(features, model, torch.from_numpy(z), floor=floor, seed=seed, category=category)[0].numpy()
        found = one.add(levels, z, index, seed)
        difference = np.abs(found - wanted)
        # Roots of nearly 0 and cells next to a threshold show the last bit of float: a cell in ten thousand may differ by more.
        beyond, cells = beyond + int((difference > 1e-3).sum()), cells + difference.size
        assert np.median(difference) < 1e-4
        assert found.max() == 0
        assert found.min() >= -floor
        assert (wanted > 3 - floor).mean() > 0.1
    assert beyond <= cells / 10_000


def test_detail_differs_by_seed_latent_and_category(core: Core, rng: np.random.Generator) -> None:
    one = opened(core, rng)
    levels = decoded_levels(rng, parts=1, bands=one.view.bands, frames=50, floor=80.0)
    z = np.zeros(DIMS, np.float32)
    first = one.add(levels, z, 0, 1)
    np.testing.assert_array_equal(first, one.add(levels, z, 0, 1))
    for other in (one.add(levels, z, 0, 2), one.add(levels, z + 1, 0, 1), one.add(levels, z, 1, 1)):
        assert np.abs(first - other).max() > 0.5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_no_input_breaks_it(core: Core, rng: np.random.Generator, value: float) -> None:
    one = opened(core, rng)
    levels = decoded_levels(rng, parts=1, bands=one.view.bands, frames=20, floor=80.0)
    levels[0, 3:6, 2:9] = value
    one.add(levels, np.full(DIMS, value, np.float32), 10_000, 2**64 - 1)
    judged = ctypes.c_double()
    changed = Levels(levels)
    assert (
        core(
            "detail_excess", one.handle, np.zeros(DIMS, np.float32), ctypes.c_int(-5), ctypes.byref(changed), ctypes.byref(judged), one.work
        )
        == 0
    )


@pytest.mark.parametrize(("parts", "bands", "frames", "floor"), SHAPES)
def test_excess_is_that_of_python(core: Core, rng: np.random.Generator, parts: int, bands: int, frames: int, floor: float) -> None:
    one = opened(core, rng, bands=bands, floor=floor, channels=parts)
    spec, sizes = one.view.spec(frames * one.view.hop), []
    for index, category in [(-1, None), (0, "a"), (1, "b")]:
        levels = decoded_levels(rng, parts=parts, bands=one.view.bands, frames=frames, floor=floor)
        z = rng.standard_normal(DIMS).astype(np.float32)
        samples = (frames - 1) * one.view.hop
        decoded = SimpleNamespace(features=torch.from_numpy(levels)[None], lengths=torch.tensor([samples]))
        model = SimpleNamespace(spec=spec, decode=lambda _, decoded=decoded: decoded)
        contents = SimpleNamespace(detail=one.model, representation=one.view, model=model, samples=samples, sample_rate=44_100)
        wanted = excess_of(cast(Any, contents), torch.from_numpy(z), category)
        found, given = ctypes.c_double(), Levels(levels)
        assert core("detail_excess", one.handle, z, ctypes.c_int(index), ctypes.byref(given), ctypes.byref(found), one.work) == OK
        assert found.value == pytest.approx(wanted, abs=1e-4)
        np.testing.assert_array_equal(given.result, levels)
        sizes.append(wanted)
    assert max(sizes) > 0


def test_little_memory_is_an_error(core: Core, rng: np.random.Generator) -> None:
    one = opened(core, rng)
    levels = decoded_levels(rng, parts=1, bands=one.view.bands, frames=30, floor=80.0)
    one.add(levels, np.zeros(DIMS, np.float32), 0, 1)
    needed = one.work.peak
    for size in [0, 64, *range(200, needed, needed // 50), needed - 64]:
        work, given = Arena(size), Levels(levels)
        assert core("detail_add", one.handle, np.zeros(DIMS, np.float32), ctypes.c_int(0), 1, ctypes.byref(given), work) == MEMORY


def test_a_file_without_detail_has_none(core: Core) -> None:
    status, handle, _ = open_file(core, instrument_bytes({}))
    assert (status, handle.value) == (OK, None)


def test_rises_of_earlier_versions_are_one_map(core: Core, rng: np.random.Generator) -> None:
    tensors = detail_tensors(rng, dims=DIMS, categories=len(DETAILED))
    tensors["rises"] = tensors["rises"][0]
    status, _, _ = open_file(core, instrument_bytes(tensors, detailed=DETAILED))
    assert status == OK


@pytest.mark.parametrize("name", ["centre", "gain_range", "fast", "shares", "points", "attack", "limits", "rises", "tonal"])
def test_damaged_tensors_are_refused(core: Core, rng: np.random.Generator, name: str) -> None:
    tensors = detail_tensors(rng, dims=DIMS, categories=len(DETAILED))
    missing = {key: value for key, value in tensors.items() if key != name}
    odd = tensors | {name: torch.cat([tensors[name].reshape(-1), torch.zeros(1)])}
    broken = tensors | {name: torch.full_like(tensors[name], torch.nan)}
    beyond = tensors | {name: torch.full_like(tensors[name], 1e37)}
    ranged = (beyond,) if name not in ("centre", "fast", "limits") else ()  # without limits, as in Python
    for bad in (missing, odd, broken, *ranged):
        assert open_file(core, instrument_bytes(bad, detailed=DETAILED))[0] == DAMAGED


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "mel"}, UNCOVERED), ({"normalisation": "scale"}, UNCOVERED), ({"n_fft": 1000, "hop": 250}, UNCOVERED),
        ({"hop": 300}, DAMAGED), ({"hop": 1024}, DAMAGED), ({"n_fft": 1 << 30}, DAMAGED), ({"bands": 7}, DAMAGED),
        ({"floor": 1.0}, DAMAGED), ({"floor": 1e9}, DAMAGED), ({"bands": 2.5}, DAMAGED), ({"hop": "256"}, DAMAGED),
        ({"bands": 600}, DAMAGED),
    ],
)  # fmt: skip
def test_views_that_are_not_played_are_refused(core: Core, rng: np.random.Generator, change: dict[str, Any], status: int) -> None:
    tensors = detail_tensors(rng, dims=DIMS, categories=len(DETAILED))
    assert open_file(core, instrument_bytes(tensors, detailed=DETAILED, **change))[0] == status
