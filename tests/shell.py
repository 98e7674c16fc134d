"""Runs command lines and benchmark scripts inside the process of a test: PyTorch is imported once, not once a command."""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

from timbrespace.cli.main import main

SCRIPTS = Path(__file__).resolve().parents[1] / "benchmarks"


class Shell:
    """Runs a command line, `shell("generate", file, "--out", folder)`, and fails if a traceback is printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]):
        self.capsys = capsys

    def __call__(self, *words: object, code: int = 0) -> str:
        """Returns the output: stdout if the expected exit code is 0, else stderr."""
        exit_code = main([str(word) for word in words])
        captured = self.capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        assert exit_code == code, captured.err + captured.out
        if code:
            assert captured.err.strip().splitlines()[-1].startswith(("error: ", "interrupted")), captured.err
        return captured.err if code else captured.out

    def json(self, *words: object) -> Any:
        """Returns the JSON that a verb prints; fails if it prints anything else."""
        return json.loads(self(*words, "--json"))


def run_script(*words: str) -> subprocess.CompletedProcess[str]:
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
