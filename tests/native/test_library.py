"""Loading the core from Python: as a library and as WebAssembly, by several threads, with damaged files, and where one is missing."""

from __future__ import annotations

import ctypes
import re
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from timbrespace.native import library
from timbrespace.native.calls import ABI, SIGNATURES, Core, CoreError, Loaded
from timbrespace.native.library import library_path
from timbrespace.native.wasm import WasmCore
from tiny import Tiny

HEADER = Path(__file__).resolve().parents[2] / "native" / "include" / "timbrespace.h"
WAYS = ["native", "wasm"]
INFO = ctypes.c_int32 * 20  # of ts_info: dims, sample_rate, channels, samples, capacity …


@pytest.fixture(params=WAYS)
def loaded_core(request: pytest.FixtureRequest, cores: dict[str, Core]) -> Core:
    return cores[request.param]


def info(loaded: Loaded) -> list[int]:
    numbers = (ctypes.c_int32 * 20)()
    loaded.ask("ts_info_of", np.frombuffer(numbers, np.int32))
    return list(numbers)


def drawn(loaded: Loaded, seed: int, count: int) -> np.ndarray:
    """Latents of new sounds, drafted."""
    dims = info(loaded)[0]
    z, request, about = np.zeros((count, dims), np.float32), np.zeros(32, np.uint8), np.zeros(2, np.int32)
    for index in range(count):
        request[:8] = np.frombuffer(np.uint64(seed).tobytes(), np.uint8)
        request[8:28] = np.frombuffer(
            np.array([index, -1], np.int32).tobytes() + np.array([1, np.nan, np.nan], np.float32).tobytes(), np.uint8
        )
        loaded.call("ts_draw", request, z[:0], 0, z[index], about)
    return z


def test_signatures_are_those_of_the_header() -> None:
    letters = {"int32_t": "i", "int64_t": "l", "double": "d", "uint64_t": "u", "size_t": "z", "float": "f", "ts_status": "i", "void": "v"}
    letters |= {"int": "i", "unsigned": "z"}  # unsigned long of PortAudio: its size differs, small numbers pass all the same
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.DOTALL)
    declared = {}
    for result, name, arguments in re.findall(r"TS_API ([\w ]+?)\b(ts_\w+)\(([^)]*)\);", text):
        parts = [] if arguments == "void" else arguments.split(",")
        kinds = ["p" if "*" in part else letters[part.split()[0]] for part in parts]
        declared[name] = f"{letters[result.strip()]}:{''.join(kinds)}"
    assert len(declared) == text.count("TS_API ") - text.count("define TS_API ")
    assert {name: declared[name] for name in SIGNATURES} == SIGNATURES
    assert f"#define TS_ABI {ABI} " in HEADER.read_text(encoding="utf-8")


def test_an_instrument_is_opened_and_asked(loaded_core: Core, tiny: Tiny) -> None:
    loaded = loaded_core.open(tiny.file.read_bytes())
    dims, rate, channels, *_ = info(loaded)
    assert (dims, rate, channels) == (6, 44_100, 1)
    name = np.zeros(64, np.uint8)
    assert loaded.ask("ts_category", 0, name, 64) > 0
    assert bytes(name).startswith(b"clap") or name[0] > 0
    z = np.zeros(6, np.float32)
    assert np.isnan(loaded.ask("ts_pitch", z))


def test_both_ways_give_the_same_bits(cores: dict[str, Core], tiny: Tiny) -> None:
    data = tiny.file.read_bytes()
    native, wasm = (drawn(cores[way].open(data), seed=2**63 + 5, count=8) for way in WAYS)
    assert np.isfinite(native).all()
    assert len(np.unique(native, axis=0)) == 8
    np.testing.assert_array_equal(native, wasm)


def test_threads_share_an_instrument(loaded_core: Core, tiny: Tiny) -> None:
    loaded = loaded_core.open(tiny.file.read_bytes())
    alone = [drawn(loaded, seed, 4) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: drawn(loaded, seed, 4), range(8)))
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("data", [b"", b"x", b"RIFF" * 100, b"\xff" * 8 + b"{}", (2).to_bytes(8, "little") + b"{}"])
def test_foreign_files_are_refused_with_a_reason(loaded_core: Core, data: bytes) -> None:
    with pytest.raises(CoreError) as error:
        loaded_core.open(data)
    assert error.value.status > 0
    assert len(str(error.value)) > 10


def test_bad_arguments_are_refused(loaded_core: Core, tiny: Tiny) -> None:
    loaded = loaded_core.open(tiny.file.read_bytes())
    with pytest.raises(CoreError, match="amount"):
        loaded.call("ts_around", np.zeros(6, np.float32), 99.0, 0, 0, np.zeros(6, np.float32))
    with pytest.raises(ValueError, match="contiguous"):
        loaded.ask("ts_pitch", np.zeros((6, 2), np.float32)[:, 0])


def test_arrays_that_are_only_read_may_be_read_only(loaded_core: Core, tiny: Tiny) -> None:
    loaded = loaded_core.open(tiny.file.read_bytes())
    z, out = np.ones(6, np.float32), np.zeros(6, np.float32)
    z.flags.writeable = False
    loaded.call("ts_around", z, 0.5, 1, 0, out)
    assert (out != 1).any()


def test_a_library_is_used_only_with_its_webassembly_file(
    native_script: ModuleType,
    cores: dict[str, Core],
    wasm: Path,
    built: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = native_script.here()
    public = built("public.library", lambda path: native_script.build(path, target))
    folder = tmp_path / "native"
    folder.mkdir()
    shutil.copy(wasm, folder / "timbrespace.wasm")
    monkeypatch.setattr(library, "WASM", folder / "timbrespace.wasm")

    def way() -> str:
        library.load_core.cache_clear()
        return library.load_core().way

    try:
        assert way() == "wasm"
        place = library_path(folder / "timbrespace.wasm")
        assert place is not None
        place.write_bytes(b"not a library")
        assert way() == "wasm"
        place.unlink()
        shutil.copy(public, place)
        assert way() == "native"
        place.unlink()
        shutil.copy(public, folder / "core-0123456789ab.library")  # of other sources
        assert way() == "wasm"
        (folder / "timbrespace.wasm").write_bytes(b"\0asm damaged")
        with pytest.raises(CoreError, match="does not run here"):
            way()
        (folder / "timbrespace.wasm").unlink()
        with pytest.raises(CoreError, match="does not run here"):
            way()
        shutil.copy(wasm, folder / "timbrespace.wasm")
        monkeypatch.setitem(sys.modules, "wasmtime", None)
        with pytest.raises(CoreError, match="wasmtime"):
            way()
    finally:
        library.load_core.cache_clear()


def test_a_home_that_cannot_be_written_costs_only_time(wasm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder")
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA", "USERPROFILE"):
        monkeypatch.setenv(name, str(place / "cache"))
    assert WasmCore(wasm).way == "wasm"


def test_a_fault_inside_the_core_is_an_error(cores: dict[str, Core], tiny: Tiny) -> None:
    loaded: Any = cores["wasm"].open(tiny.file.read_bytes())
    good = drawn(loaded, 1, 1)
    with pytest.raises(CoreError, match="stopped"):
        loaded.call("ts_around", 2**31, 0.5, 1, 0, np.zeros(6, np.float32))  # an address that is not there
    np.testing.assert_array_equal(drawn(loaded, 1, 1), good)
