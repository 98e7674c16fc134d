"""The benchmark scripts start, name no host, store their rows, and replace one section of a page without changing the others."""

from __future__ import annotations

import ast
import importlib
import platform
import re
from pathlib import Path
from types import ModuleType

import pytest

from shell import run_script

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "benchmarks"


@pytest.fixture
def markdown(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/lib/page.py as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("lib.page")


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/lib/process.py as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("lib.process")


def test_every_script_says_its_question_its_command_and_its_page() -> None:
    for script in SCRIPTS.glob("*.py"):
        text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
        if script.name == "real_audio.py":
            continue
        assert "?" in text.partition("\n\n")[0], script.name
        assert f"python benchmarks/{script.name}" in text, script.name
        pages = re.findall(r"docs/benchmarks/[a-z-]+\.md", text)
        assert pages, script.name
        assert all((ROOT / page).exists() for page in pages), script.name


def test_help() -> None:
    done = run_script("end_to_end.py", "--help")
    assert done.returncode == 0
    assert all(option in done.stdout for option in ("--minutes", "--seeds", "--out", "--only", "--work"))


@pytest.mark.parametrize(
    ("words", "what"),
    [(["--only", "taste"], "speed, reconstruction, distribution"), (["--seeds", "0"], "1 or more"), (["--minutes", "0"], "above 0")],
)
def test_wrong_arguments_are_refused(words: list[str], what: str) -> None:
    done = run_script("end_to_end.py", *words)
    assert done.returncode == 2
    assert what in done.stderr


def test_a_folder_without_the_kits_is_refused(tmp_path: Path) -> None:
    done = run_script("end_to_end.py", str(tmp_path), "--work", str(tmp_path / "work"))
    assert done.returncode == 1
    assert "Audiophob" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_section_is_replaced_and_the_others_are_kept(markdown: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "docs" / "page.md"
    markdown.update(page, "one", "first")
    page.write_text(page.read_text(encoding="utf-8") + "\nWritten by hand.\n", encoding="utf-8")
    markdown.update(page, "two", "second")
    before = page.read_text(encoding="utf-8")
    markdown.update(page, "one", "third | with `code`")
    after = page.read_text(encoding="utf-8")
    assert after == before.replace("first", "third | with `code`")
    assert after.startswith("# Benchmarks\n")
    assert after.index("third") < after.index("Written by hand.") < after.index("second")
    assert [path.name for path in page.parent.iterdir()] == ["page.md"]


def test_a_section_inside_a_section(markdown: ModuleType) -> None:
    text = "# Title\n\n<!-- all:begin -->\n<!-- all:end -->\n\nAfter.\n"
    for name, body in (("all-speed", "fast"), ("all-quality", "good"), ("all-speed", "faster")):
        text = markdown.with_section(text, name, body, inside="all")
    order = [text.index(word) for word in ("all:begin", "faster", "good", "all:end", "After.")]
    assert order == sorted(order)
    assert "fast\n" not in text


@pytest.mark.parametrize("text", ["<!-- one:begin -->\n", "<!-- one:end -->\n<!-- one:begin -->\n", "<!-- one:begin -->\n" * 2])
def test_markers_without_a_partner_are_refused(markdown: ModuleType, tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="markers"):
        markdown.update(page, "one", "body")
    assert page.read_text(encoding="utf-8") == text


def test_a_table_keeps_its_cells_apart(markdown: ModuleType) -> None:
    assert markdown.table(["a", "b"], [["1", "x|y"]]) == "| a | b |\n|---|---|\n| 1 | x/y |"


def test_the_stamp_names_versions_but_no_host(markdown: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psutil")
    monkeypatch.setattr(markdown, "SUMMARY", tmp_path / "README.md")
    line = markdown.stamp("python benchmarks/end_to_end.py")
    assert "torch" in line
    assert "python benchmarks/end_to_end.py" in line
    assert platform.node() == "" or platform.node() not in line


def test_the_stamp_names_the_machine_only_if_the_summary_names_another(
    markdown: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psutil")
    monkeypatch.setattr(markdown, "SUMMARY", tmp_path / "README.md")
    markdown.SUMMARY.write_text("measured on another machine\n", encoding="utf-8")
    assert "torch" in markdown.stamp("python benchmarks/models.py")
    markdown.SUMMARY.write_text(f"measured on {markdown.machine()}.\n", encoding="utf-8")
    line = markdown.stamp("python benchmarks/models.py")
    assert "torch" not in line
    assert "by `python benchmarks/models.py`" in line


def test_a_command_has_its_time_and_memory_measured(process: ModuleType) -> None:
    pytest.importorskip("psutil")
    done = process.run(["doctor", "--help"])
    assert "doctor" in done.output
    assert done.seconds > 0
    assert done.peak_mb > 1


def test_a_failing_command_ends_the_benchmark_with_its_message(process: ModuleType) -> None:
    pytest.importorskip("psutil")
    with pytest.raises(SystemExit, match="there is no verb 'dance'"):
        process.run(["dance"])
