"""The engines that render new sounds, each as a function of one sound: the native core as a library and as WebAssembly, and PyTorch."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from timbrespace.native.library import Core
    from timbrespace.synthesis.output.requested import RenderRequest

LIBRARY, WASM, PYTORCH = "native library", "WebAssembly", "PyTorch"
Render = Callable[[Any, int | None], Any]  # of a RenderRequest and a length


class Engine(NamedTuple):
    """name: of those above. render: of a request and a length in samples, None for the sound's own; finished to a peak of -1 dB."""

    name: str
    render: Render


class _Render(ctypes.Structure):
    """`ts_render_request` of timbrespace.h."""

    _fields_ = (
        ("seed", ctypes.c_uint64), *((name, ctypes.c_int32) for name in ("category", "samples", "steps", "texture", "finish", "level")),
        ("target_db", ctypes.c_float), *((name, ctypes.c_int32) for name in ("trim", "subsonics", "reserved")),
    )  # fmt: skip


def engines(path: Path) -> list[Engine]:
    """Returns the engines that play an instrument file here: the library of this machine where it was built, WebAssembly, PyTorch."""
    from timbrespace.native.library import WASM as FILE
    from timbrespace.native.library import NativeCore, library_path
    from timbrespace.native.wasm import WasmCore

    library = library_path(FILE)
    found = [_core(LIBRARY, NativeCore(library), path)] if library is not None and library.exists() else []
    return [*found, _core(WASM, WasmCore(FILE), path), _pytorch(path)]


def _core(name: str, core: Core, path: Path) -> Engine:
    from timbrespace.native.interface import Opened

    data = path.read_bytes()
    opened, loaded = Opened(core, data), core.open(data)
    shape = (opened.info.channels, opened.info.capacity)

    def render(request: RenderRequest, samples: int | None) -> np.ndarray:
        category = opened.categories.index(request.category) if request.category in opened.categories else -1
        asked = _Render(request.seed, category, samples or 0, -1, 1, 1, 0, float("nan"), 1, 0, 0)
        audio, length = np.empty(shape, np.float32), ctypes.c_int32()
        loaded.call("ts_render", np.ascontiguousarray(request.z, np.float32), asked, audio, shape[1], length)
        return audio[:, : length.value].copy()

    return Engine(name, render)


def speed(engine: Engine, requests: Sequence[RenderRequest], seconds: float, *, threads: int) -> float:
    """Returns how many times faster than real time the requests are rendered, `seconds` of sound in all."""

    def one(request: RenderRequest) -> None:
        engine.render(request, None)

    with ThreadPoolExecutor(threads, initializer=_one_thread if engine.name == PYTORCH else None) as pool:
        list(pool.map(one, requests[:threads]))  # memory of the threads
        start = time.perf_counter()
        list(pool.map(one, requests))
        return seconds / (time.perf_counter() - start)


def milliseconds(engine: Engine, requests: Sequence[RenderRequest], samples: int) -> float:
    """Returns the median time in ms of one sound of `samples` samples."""
    found = []
    for request in requests:
        start = time.perf_counter()
        engine.render(request, samples)
        found.append(1000 * (time.perf_counter() - start))
    return median(found)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _pytorch(path: Path) -> Engine:
    import torch

    from timbrespace.synthesis.encoding import decode
    from timbrespace.synthesis.file.reading import read_instrument
    from timbrespace.synthesis.finish import finish

    contents = read_instrument(path)

    def render(request: RenderRequest, samples: int | None) -> None:
        z = torch.as_tensor(np.asarray(request.z))
        raw = decode(contents, z, length=samples, seed=request.seed, texture=True, category=request.category)
        finish(raw, contents.sample_rate)

    return Engine(PYTORCH, render)
