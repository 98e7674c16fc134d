"""Commands in processes of their own, with their time and memory, and the memory of this process."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))  # the measured code is that of this clone, installed or not
_POLL_SECONDS = 0.02  # between two measurements of a command's memory


def say(text: str) -> None:
    """Prints progress on the error stream, with the time."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Run:
    """One finished command: wall seconds, peak memory in MB (with its children), standard output."""

    seconds: float
    peak_mb: float
    output: str


def run(arguments: Sequence[str | Path]) -> Run:
    """Runs `timbrespace ARGUMENTS` of this clone as a process of its own. Ends the program with the command's error message if it fails."""
    psutil = psutil_module()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-m", "timbrespace", *map(str, arguments)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment) as process:
        watched, peak = psutil.Process(process.pid), 0
        while True:
            try:
                output, errors = process.communicate(timeout=_POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, _memory(watched))
        seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"timbrespace {' '.join(map(str, arguments))} ended with {process.returncode}:\n{errors or output}")
    return Run(seconds, peak / 1e6, output)


def _memory(process: Any) -> int:
    """Resident bytes of a process and its children; 0 if the process has ended."""
    try:
        return sum(int(one.memory_info().rss) for one in [process, *process.children(recursive=True)])
    except psutil_module().Error:
        return 0


def psutil_module() -> Any:
    """The psutil module, which has no type hints."""
    try:
        return importlib.import_module("psutil")
    except ModuleNotFoundError:
        sys.exit("the package psutil, which measures memory, is not installed: pip install '.[benchmarks]' in the clone")


class Memory:
    """Peak memory of this process from now on. Linux resets the peak; on other systems growth below an earlier peak is not seen."""

    def __init__(self) -> None:
        if sys.platform.startswith("linux"):
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).malloc_trim(0)  # return freed memory first: new work would reuse it without raising the peak
            with contextlib.suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self.before = resident_mb()

    def peak_mb(self) -> float:
        """Peak resident memory since, MB."""
        return peak_mb()

    def grown_mb(self) -> float:
        """Peak resident memory above that at the start, MB."""
        return max(0.0, peak_mb() - self.before)


def resident_mb() -> float:
    """Resident memory of this process, MB."""
    return (status_bytes("VmRSS") or int(psutil_module().Process().memory_info().rss)) / 1e6


def anonymous_mb() -> float:
    """Resident memory that is not backed by a file, MB (all resident memory on systems that do not say). The system may drop the rest."""
    return (status_bytes("RssAnon") or int(psutil_module().Process().memory_info().rss)) / 1e6


def peak_mb() -> float:
    """Peak resident memory of this process, MB."""
    # Not getrusage: on Linux it counts the memory of the parent process, too.
    if found := status_bytes("VmHWM"):
        return found / 1e6
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return int(psutil_module().Process().memory_info().peak_wset) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def status_bytes(name: str) -> int:
    """Bytes of an entry of /proc/self/status; 0 if there is no such file or entry."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(f"{name}:")), 0)
