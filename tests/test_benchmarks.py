"""The benchmark scripts: they start, they name no machine, and writing one section leaves the others alone."""

from __future__ import annotations

import importlib
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "benchmarks"


@pytest.fixture
def common(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/common.py as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("common")


def start(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPTS / words[0]), *words[1:]], capture_output=True, text=True, check=False)


def test_help() -> None:
    told = start("path.py", "--help")
    assert told.returncode == 0
    assert all(option in told.stdout for option in ("--minutes", "--seeds", "--out", "--only", "--work"))


@pytest.mark.parametrize(
    ("words", "what"),
    [(["--only", "taste"], "speed, quality, crowd"), (["--seeds", "0"], "1 or more"), (["--minutes", "0"], "above 0")],
)
def test_wrong_arguments_are_told(words: list[str], what: str) -> None:
    told = start("path.py", *words)
    assert told.returncode == 2
    assert what in told.stderr


def test_a_folder_without_the_kits_is_refused(tmp_path: Path) -> None:
    told = start("path.py", str(tmp_path), "--work", str(tmp_path / "work"))
    assert told.returncode == 1
    assert "Audiophob" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_section_is_replaced_and_the_others_stay(common: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "docs" / "benchmarks.md"
    common.update(page, "one", "first")
    page.write_text(page.read_text(encoding="utf-8") + "\nWritten by hand.\n", encoding="utf-8")
    common.update(page, "two", "second")
    before = page.read_text(encoding="utf-8")
    common.update(page, "one", "third | with `code`")
    after = page.read_text(encoding="utf-8")
    assert after == before.replace("first", "third | with `code`")
    assert after.startswith("# Benchmarks\n")
    assert after.index("third") < after.index("Written by hand.") < after.index("second")
    assert [path.name for path in page.parent.iterdir()] == ["benchmarks.md"]


def test_a_section_inside_a_section(common: ModuleType) -> None:
    text = "# Title\n\n<!-- path:begin -->\n<!-- path:end -->\n\nAfter.\n"
    for name, body in (("path-speed", "fast"), ("path-quality", "good"), ("path-speed", "faster")):
        text = common.with_section(text, name, body, inside="path")
    order = [text.index(word) for word in ("path:begin", "faster", "good", "path:end", "After.")]
    assert order == sorted(order)
    assert "fast\n" not in text


@pytest.mark.parametrize("text", ["<!-- one:begin -->\n", "<!-- one:end -->\n<!-- one:begin -->\n", "<!-- one:begin -->\n" * 2])
def test_torn_markers_are_refused(common: ModuleType, tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="markers"):
        common.update(page, "one", "body")
    assert page.read_text(encoding="utf-8") == text


def test_a_table_holds_its_cells(common: ModuleType) -> None:
    assert common.table(["a", "b"], [["1", "x|y"]]) == "| a | b |\n|---|---|\n| 1 | x/y |"


def test_the_stamp_names_versions_and_no_machine(common: ModuleType) -> None:
    pytest.importorskip("psutil")
    line = common.stamp("python benchmarks/path.py")
    assert "torch" in line
    assert "python benchmarks/path.py" in line
    assert platform.node() == "" or platform.node() not in line


def test_a_command_is_timed_and_weighed(common: ModuleType) -> None:
    pytest.importorskip("psutil")
    found = common.run(["doctor", "--help"])
    assert "doctor" in found.output
    assert found.seconds > 0
    assert found.peak_mb > 1


def test_a_failing_command_ends_the_benchmark_with_its_words(common: ModuleType) -> None:
    pytest.importorskip("psutil")
    with pytest.raises(SystemExit, match="there is no verb 'dance'"):
        common.run(["dance"])
