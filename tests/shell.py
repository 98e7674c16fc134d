"""Typing commands in tests: what is printed comes back, and no traceback is ever accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from timbrespace.cli.main import main


class Shell:
    """Types commands; no traceback is ever accepted."""

    def __init__(self, capsys: pytest.CaptureFixture[str]):
        self.capsys = capsys

    def __call__(self, *words: object, code: int = 0) -> str:
        """Returns what was printed: on stdout for code 0, else on stderr."""
        found = main([str(word) for word in words])
        captured = self.capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        assert found == code, captured.err + captured.out
        if code:
            assert captured.err.strip().splitlines()[-1].startswith(("error: ", "interrupted")), captured.err
        return captured.err if code else captured.out

    def json(self, *words: object) -> Any:
        """The JSON that a verb prints, and that nothing else is printed."""
        return json.loads(self(*words, "--json"))
