"""Runs command lines inside the process of a test."""

from __future__ import annotations

import json
from typing import Any

import pytest

from timbrespace.cli.main import main


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
