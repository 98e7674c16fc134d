"""Builds the native core of `native/` with the C compiler of the package ziglang, which every system's pip installs.

python3 scripts/native.py                 a library for this machine: src/timbrespace/native/ (not under version control)
"""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "native" / "src"
# No contraction to multiply-adds and no reordering: every machine computes the same bits.
FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-Wall", "-Wextra", "-Werror"]
FLAGS += [f"-I{ROOT / 'native' / 'include'}", f"-I{SOURCES}"]


def compiler() -> list[str] | None:
    """Returns the command of the compiler, None where the package ziglang is not installed."""
    return [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else None


def machine_flags() -> list[str]:
    """Returns the flags of this machine: on x86-64 the instructions of 2013 and later (AVX2)."""
    return ["-march=x86_64_v3"] if platform.machine().lower() in ("x86_64", "amd64") else []


def build(out: Path, *, sources: Sequence[Path] | None = None, flags: Sequence[str] = ()) -> None:
    """Compiles sources (those of `native/src` unless given) to a shared library `out`, replaced in one step. Raises RuntimeError."""
    command = compiler()
    if command is None:
        raise RuntimeError("the compiler is missing: python -m pip install ziglang")
    files = [str(path) for path in sources or sorted(SOURCES.glob("*.c"))]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        made = Path(folder) / out.name
        arguments = [*command, "-shared", "-fPIC", *FLAGS, *flags, *files, "-o", str(made)]
        result = subprocess.run(arguments, check=False, capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(f"the native core does not compile:\n{result.stdout}{result.stderr}".rstrip())
        made.replace(out)
