"""The native core for tests: all of native/src as one library with every function visible, built once for these sources."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
from filelock import FileLock

from native_core import Core
from script_modules import load_script

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def native_script() -> ModuleType:
    """scripts/native.py as a module."""
    return load_script("native")


@pytest.fixture(scope="session")
def built(native_script: ModuleType) -> Callable[[str, Callable[[Path], None]], Path]:
    """built(name, build): a file that build(path) makes of these sources; processes of one run build it once."""
    if native_script.compiler() is None:
        pytest.skip("the package ziglang is not installed: pip install 'timbrespace[dev]'")
    files = [*sorted((ROOT / "native").rglob("*.[ch]")), *sorted((ROOT / "tests" / "native").rglob("*.c")), ROOT / "scripts" / "native.py"]
    text = b"".join(path.name.encode() + b"\0" + path.read_bytes() for path in files)
    folder = ROOT / ".pytest_cache" / "native"

    def get(name: str, build: Callable[[Path], None]) -> Path:
        path = folder / f"{hashlib.sha256(text).hexdigest()[:16]}-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(str(folder / f"{name}.lock")):
            if not path.exists():
                for old in folder.glob(f"*-{name}"):
                    with suppress(OSError):  # Windows keeps a library that is loaded
                        old.unlink()
                build(path)
        return path

    return get


@pytest.fixture(scope="session")
def sanitized(built: Callable[[str, Callable[[Path], None]], Path], native_script: ModuleType) -> Callable[..., Path]:
    """sanitized(name, source, threads=False): a program of the core and a source file that sanitizers watch.

    They are of undefined behaviour, and of addresses or threads where this system has a compiler with them; without one, `threads` skips.
    """
    own = next((path for name in ("gcc", "clang") if (path := shutil.which(name)) is not None), None)
    flags = ["-std=c11", "-O1", "-ffp-contract=off", "-Wno-psabi", "-Inative/include", "-Inative/src"]

    def compiled(command: list[str], source: str, out: Path, *last: str) -> bool:
        files = [*native_script.sources(), source, "-o", str(out), *last]
        return subprocess.run([*command, *flags, *files], check=False, cwd=ROOT, capture_output=True).returncode == 0

    def get(name: str, source: str, *, threads: bool = False) -> Path:
        def build(out: Path) -> None:
            every = ["-fsanitize=thread"] if threads else ["-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"]
            if sys.platform == "linux" and own and compiled([own, *every], source, out, "-lm", "-lpthread"):
                return
            if threads:
                pytest.skip("this system has no compiler with a sanitizer of threads")
            assert compiled([*native_script.compiler(), "-fsanitize=undefined", "-fsanitize-trap=undefined"], source, out)

        return built(f"{name}{'.exe' if platform.system() == 'Windows' else ''}", build)

    return get


@pytest.fixture(scope="session")
def core(native_script: ModuleType, built: Callable[[str, Callable[[Path], None]], Path]) -> Core:
    """The core as a library of this machine, all functions visible."""
    target = native_script.here()
    return Core(built("core.library", lambda path: native_script.build(path, target, visible=True)))


@pytest.fixture(scope="session")
def wasm(native_script: ModuleType, built: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The WebAssembly file of these sources."""
    return built("timbrespace.wasm", native_script.build_wasm)


@pytest.fixture(scope="session")
def cores(native_script: ModuleType, built: Callable[[str, Callable[[Path], None]], Path], wasm: Path) -> dict[str, object]:
    """The core, loaded both ways."""
    from timbrespace.native.library import NativeCore
    from timbrespace.native.wasm import WasmCore

    target = native_script.here()
    public = built("public.library", lambda path: native_script.build(path, target))
    return {"native": NativeCore(public), "wasm": WasmCore(wasm)}
