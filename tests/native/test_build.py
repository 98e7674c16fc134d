"""The WebAssembly file under version control is that of these sources, and what is built keeps its limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

from timbrespace.native.library import WASM
from timbrespace.native.wasm import WasmCore

ROOT = Path(__file__).resolve().parents[2]
LARGEST_WASM, LARGEST_LIBRARY = 300_000, 500_000  # bytes


def test_the_committed_file_is_made_of_these_sources(wasm: Path) -> None:
    pins = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()
    if f"ziglang=={version('ziglang')}" not in pins:
        pytest.skip(f"ziglang {version('ziglang')} is not the version that requirements-dev.lock pins, and makes other bytes")
    assert WASM.read_bytes() == wasm.read_bytes(), "native/ has changed: python3 scripts/native.py --wasm"


def test_sizes(wasm: Path, built: Callable[..., Path], native_script: ModuleType) -> None:
    assert wasm.stat().st_size <= LARGEST_WASM
    public = built("public.library", lambda path: native_script.build(path, native_script.here()))
    assert public.stat().st_size <= LARGEST_LIBRARY


def test_webassembly_needs_nothing_and_offers_the_header(wasm: Path, native_script: ModuleType) -> None:
    module = WasmCore(wasm).module
    assert list(module.imports) == []
    assert {export.name for export in module.exports} == {"memory", "__heap_base", *native_script.public_functions()}


def test_no_path_of_this_machine_is_in_a_file(wasm: Path, built: Callable[..., Path], native_script: ModuleType) -> None:
    public = built("public.library", lambda path: native_script.build(path, native_script.here()))
    for file in (wasm, public):
        text = file.read_bytes()
        assert not [word for word in (str(ROOT), str(Path.home()), sys.prefix) if word.encode() in text and len(word) > 5]


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_a_library_needs_no_other_library(built: Callable[..., Path], native_script: ModuleType) -> None:
    public = built("public.library", lambda path: native_script.build(path, native_script.here()))
    assert b"libc.so" not in public.read_bytes()
    assert b"GLIBC_" not in public.read_bytes()


def test_the_core_is_loaded_without_what_it_does_not_need(wasm: Path, tmp_path: Path) -> None:
    code = f"""
import json, sys
from pathlib import Path
from timbrespace.native.wasm import WasmCore
WasmCore(Path({str(wasm)!r}))
print(json.dumps(sorted({{name.split(".")[0] for name in sys.modules}} & {{"torch", "numba", "sklearn", "scipy", "wasmtime"}})))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert json.loads(found.stdout) == ["wasmtime"]


@pytest.mark.slow  # compiles everything six times: a minute
@pytest.mark.timeout(900)
def test_every_system_is_built(native_script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert native_script.main(["--all", str(tmp_path)]) == 0
    files = {path.parent.name: path for path in tmp_path.glob("*/*.library")}
    assert set(files) == set(native_script.TARGETS)
    starts = {"linux": b"\x7fELF", "macos": b"\xcf\xfa\xed\xfe", "windows": b"MZ"}
    for name, path in files.items():
        data = path.read_bytes()
        assert data.startswith(starts[name.partition("-")[0]])
        assert len(data) <= LARGEST_LIBRARY
        assert all(function.encode() in data for function in native_script.public_functions())
    capsys.readouterr()
