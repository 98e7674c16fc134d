"""Builds the native core of `native/` with the C compiler of the package ziglang, which pip installs on every system.

    python3 scripts/native.py                 the library of this machine, into src/timbrespace/native/ (not under version control)
    python3 scripts/native.py --wasm          the WebAssembly file there (under version control: rebuild it when native/ has changed)
    python3 scripts/native.py --all FOLDER    the libraries of Linux, macOS and Windows, each in a folder of its own

The same compiler makes the same bytes on every machine. `python3 scripts/run.py native` installs it first.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NATIVE = ROOT / "native"
OUT = ROOT / "src" / "timbrespace" / "native"
WASM = OUT / "timbrespace.wasm"
# No contraction to multiply-adds and no reordering: every machine computes the same bits.
FLAGS = ["-std=c11", "-O3", "-g0", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-Wall", "-Wextra", "-Werror"]
FLAGS += ["-Inative/include", "-Inative/src"]  # relative: no path of a machine gets into the file
ANY_PROCESSOR = "supported.c"  # is compiled for the oldest processor: it finds out whether the others may run


@dataclass(frozen=True)
class Target:
    """What is built for: `zig` names the system, `processor` the instructions; `flags` are of the linker."""

    zig: str
    processor: str = ""
    flags: Sequence[str] = field(default=())


_V3 = "-mcpu=x86_64_v3"  # AVX2
TARGETS = {
    # Linux: without a C library, so that one file serves glibc and musl; memcpy is the process's own
    "linux-x86_64": Target("x86_64-linux-gnu", _V3, ("-nostdlib", "-Inative/freestanding")),
    "linux-aarch64": Target("aarch64-linux-gnu", "", ("-nostdlib", "-Inative/freestanding")),
    "macos-x86_64": Target("x86_64-macos.11.0", _V3),
    "macos-arm64": Target("aarch64-macos.11.0"),
    "windows-x86_64": Target("x86_64-windows-gnu", _V3),
    "windows-arm64": Target("aarch64-windows-gnu"),
}
_WASM = ["-Inative/freestanding", "-Wl,--no-entry", "-Wl,-z,stack-size=1048576", "-Wl,--export=__heap_base"]


def compiler() -> list[str] | None:
    """Returns the command of the compiler, None where the package ziglang is not installed."""
    return [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else None


def here() -> Target:
    """Returns this machine as a target. Raises RuntimeError for one that the core was not built for so far."""
    system = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}.get(platform.system(), platform.system())
    machine = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}.get(platform.machine().lower(), "")
    name = f"{system}-{machine}".replace("linux-arm64", "linux-aarch64")
    if name not in TARGETS:
        raise RuntimeError(f"the native core is built for {', '.join(TARGETS)}; this is {platform.system()} {platform.machine()}")
    return TARGETS[name]


def library_name() -> str:
    """Returns the name of a library: with the hash of the WebAssembly file, so that Python never loads one of other sources.

    The ending is the same on every system, and none that Python takes for a module.
    """
    return f"core-{hashlib.sha256(WASM.read_bytes()).hexdigest()[:12]}.library"


def sources() -> list[str]:
    """Returns the C files, relative to the project."""
    return [path.relative_to(ROOT).as_posix() for path in sorted((NATIVE / "src").glob("*.c"))]


def public_functions() -> list[str]:
    """Returns the names of the functions in timbrespace.h."""
    header = (NATIVE / "include" / "timbrespace.h").read_text(encoding="utf-8")
    return re.findall(r"^TS_API [^;(]*?\b(ts_\w+)\(", header, re.MULTILINE)


def build(out: Path, target: Target, *, visible: bool = False, flags: Sequence[str] = ()) -> None:
    """Builds the shared library of a target. visible: internal functions can be called too, for tests. Raises RuntimeError."""
    common = ["-target", target.zig, "-fPIC", *FLAGS, *target.flags, *flags, *([] if visible else ["-fvisibility=hidden"])]
    any_processor = [name for name in sources() if name.endswith(f"/{ANY_PROCESSOR}")]
    others = [name for name in sources() if name not in any_processor]
    processor = [target.processor] if target.processor else []
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / out.name
        separate = Path(folder) / "any_processor.o"
        _run([*common, "-c", *any_processor, "-o", str(separate)])
        _run([*common, *processor, "-shared", "-s", *others, str(separate), "-o", str(made)])
        _put(made, out)


def build_wasm(out: Path = WASM, *, more: Sequence[str] = ()) -> None:
    """Builds the WebAssembly file, which imports nothing and exports timbrespace.h. more: internal functions, for tests.

    Raises RuntimeError.
    """
    exports = [f"-Wl,--export={name}" for name in (*public_functions(), *more)]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / out.name
        machine = ["-target", "wasm32-freestanding", "-mcpu=generic+simd128+bulk_memory"]
        _run([*machine, *FLAGS, "-fvisibility=hidden", *_WASM, "-s", *exports, *sources(), "-o", str(made)])
        _put(made, out)


def _run(arguments: Sequence[str]) -> None:
    command = compiler()
    if command is None:
        raise RuntimeError("the compiler is missing: python -m pip install ziglang")
    result = subprocess.run([*command, *arguments], check=False, cwd=ROOT, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"the native core does not compile:\n{result.stdout}{result.stderr}".rstrip())


def _put(made: Path, out: Path) -> None:
    """Puts a file in its place in one step."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.new")
    beside.write_bytes(made.read_bytes())
    beside.replace(out)


def main(words: Sequence[str]) -> int:
    """Builds what is asked for and returns the exit code."""
    try:
        if not (WASM.exists() or words == ["--wasm"]):
            build_wasm()
        if not words:
            for old in OUT.glob("*.library"):
                old.unlink()
            made = [OUT / library_name()]
            build(made[0], here())
        elif words == ["--wasm"]:
            made = [WASM]
            build_wasm()
        elif len(words) == 2 and words[0] == "--all":
            made = [Path(words[1]).resolve() / name / library_name() for name in TARGETS]
            for path, target in zip(made, TARGETS.values(), strict=True):
                build(path, target)
        else:
            print(__doc__)
            return 0 if words in (["-h"], ["--help"]) else 2
    except RuntimeError as error:
        print(f"[native] error: {error}", file=sys.stderr)
        return 1
    for path in made:
        print(f"[native] {path} ({path.stat().st_size / 1000:.0f} kB)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
