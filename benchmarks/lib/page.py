"""Markdown: tables, the line that says how values were measured, and sections of a page that a script replaces."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from lib.process import ROOT, psutil_module

SUMMARY = ROOT / "docs" / "benchmarks" / "README.md"  # names the machine once
_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "soundfile", "soxr")


def machine() -> str:
    """The processor, memory, system and package versions of this machine in one line; not its name."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    memory = f"{psutil_module().virtual_memory().total / 2**30:.0f} GiB memory"
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} × {_processor()}, {memory}; {system}, {versions}"


def thread_limit() -> str:
    """`, OMP_NUM_THREADS=n` where that variable is set, else nothing."""
    threads = os.environ.get("OMP_NUM_THREADS")
    return f", OMP_NUM_THREADS={threads}" if threads else ""


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine() or "processor of unknown make"


def stamp(command: str) -> str:
    """The line that says when and how values were measured. It names the machine unless the summary page names the same one."""
    here = machine()
    known = SUMMARY.exists() and here in SUMMARY.read_text(encoding="utf-8")
    return f"Measured {date.today().isoformat()} by `{command}`{thread_limit()}{'' if known else f' on {here}'}."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def with_section(text: str, name: str, body: str, *, inside: str | None = None) -> str:
    """`text` with the section `name` (between its markers) replaced by `body`; the rest is unchanged.

    A new section is added at the end, or at the end of the section `inside`.
    Raises ValueError if a marker has no partner.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if (text.count(begin), text.count(end)) not in ((0, 0), (1, 1)) or (begin in text and text.index(begin) > text.index(end)):
        raise ValueError(f"the markers of the section {name!r} must occur once each, the begin before the end; mend the file first")
    block = f"{begin}\n{body.strip()}\n{end}"
    if begin in text:
        return text[: text.index(begin)] + block + text[text.index(end) + len(end) :]
    outer = f"<!-- {inside}:end -->"
    if inside is not None and outer in text:
        before, after = text.split(outer, 1)
        return f"{before.rstrip()}\n\n{block}\n{outer}{after}"
    return f"{text.rstrip()}\n\n{block}\n".lstrip()


def update(path: Path, name: str, body: str, *, inside: str | None = None, title: str = "# Benchmarks") -> None:
    """Replaces one section of a Markdown file; creates the file if there is none."""
    text = path.read_text(encoding="utf-8") if path.exists() else f"{title}\n"
    if inside is not None and f"<!-- {inside}:begin -->" not in text:
        text = with_section(text, inside, "")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(with_section(text, name, body, inside=inside), encoding="utf-8")
    temporary.replace(path)


def keep(path: Path, name: str, made_by: str, measure: Callable[[], dict[str, Any]]) -> None:
    """Measures a row and writes a JSON file: its name, `made_by` (what it depends on), date, seconds, values (NaN becomes null)."""
    start = time.perf_counter()
    values = json.loads(json.dumps(measure()), parse_constant=lambda _: None)
    seconds = round(time.perf_counter() - start, 3)
    found = {"row": name, "made_by": made_by, "date": date.today().isoformat(), "seconds": seconds, "figures": values}
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(found, indent=1), encoding="utf-8")
    partial.replace(path)
