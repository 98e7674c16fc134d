"""Runs the benchmark scripts inside the process of a test: PyTorch is imported once, not once a script."""

from __future__ import annotations

import contextlib
import io
import runpy
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "benchmarks"


def start(*words: str) -> subprocess.CompletedProcess[str]:
    """Returns what a script printed and its exit code, as a process of its own would: `start("end_to_end.py", "--help")`."""
    script, *arguments = words
    path, code = SCRIPTS / script, 0
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr("sys.argv", [str(path), *arguments])
        patch.syspath_prepend(str(SCRIPTS))
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            code = exit_code(end.code, err)
    return subprocess.CompletedProcess(list(words), code, out.getvalue(), err.getvalue())


def exit_code(given: int | str | None, err: io.StringIO) -> int:
    """The code of `sys.exit(given)`; a text is printed and means 1."""
    if isinstance(given, str):
        print(given, file=err)
        return 1
    return given or 0
