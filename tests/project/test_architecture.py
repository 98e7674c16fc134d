"""The shape of the code: imports point one way, importing is light, files stay short, nothing unsafe, everything documented."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import timbrespace

PACKAGE = Path(timbrespace.__file__).parent
ROOT = PACKAGE.parent.parent
STAGES = ["audio", "corpus", "representation", "model", "latent", "synthesis"]
AROUND = {"training", "tuning", "evaluation", "features", "report", "space", "prompt", "live", "web", "export", "cli"}
SOURCES = sorted(PACKAGE.rglob("*.py"))
EVERYWHERE = [path for folder in ("src", "tests", "scripts", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def part_of(path: Path) -> str:
    """The folder of the package that a source file lies in, "" at the top."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def imported_parts(tree: ast.Module) -> set[str]:
    """The folders of the package that a file imports from, also inside functions and for types."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        found |= {words[1] for module in modules if len(words := module.split(".")) > 1 and words[0] == "timbrespace"}
    return found


@pytest.mark.parametrize("path", [path for path in SOURCES if part_of(path) in STAGES], ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    imported = imported_parts(tree_of(path))
    later = set(STAGES[STAGES.index(part_of(path)) + 1 :])
    assert not imported & later, "an earlier stage imports a later one"
    assert not imported & AROUND, "a stage imports what stands around the stages"


def test_the_rule_would_catch_a_wrong_import() -> None:
    tree = ast.parse("def f():\n    from timbrespace.synthesis import instrument\n")
    assert imported_parts(tree) >= {"synthesis"}
    assert "training" in imported_parts(ast.parse("from timbrespace import training"))


def test_contracts_import_nothing_of_the_project() -> None:
    assert not imported_parts(tree_of(PACKAGE / "contracts.py"))


def test_evaluation_does_not_import_training() -> None:
    for path in SOURCES:
        if part_of(path) == "evaluation":
            assert "training" not in imported_parts(tree_of(path)), name_of(path)


def unsafe(tree: ast.Module) -> Iterator[str]:
    """Ways of running what a file holds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from (name for name in names if name.split(".")[0] in {"pickle", "dill", "cloudpickle", "shelve", "marshal"})
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if called in {"eval", "exec", "os.system", "yaml.load", "yaml.unsafe_load", "joblib.load"}:
            yield called
        if called == "torch.load" and keywords.get("weights_only") != "True":
            yield "torch.load without weights_only=True"
        if called.endswith(".load") and keywords.get("allow_pickle", "False") != "False":
            yield "allow_pickle"
        if keywords.get("shell") == "True":
            yield "shell=True"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_unsafe(path: Path) -> None:
    assert not list(unsafe(tree_of(path)))


@pytest.mark.parametrize(
    "code", ["import pickle", "from pickle import loads", "eval('1')", "torch.load('x')", "np.load('x', allow_pickle=True)", "yaml.load(x)"]
)
def test_the_rule_would_catch_unsafe_code(code: str) -> None:
    assert list(unsafe(ast.parse(code)))


@pytest.mark.parametrize("path", EVERYWHERE, ids=name_of)
def test_files_stay_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 400, f"{lines} lines; split it by what its parts do"


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Public classes, functions and methods without a docstring, and the module itself when it holds code."""
    if tree.body and ast.get_docstring(tree) is None:
        yield "module"
    todo: list[tuple[str, ast.AST]] = [("", tree)]
    while todo:
        prefix, parent = todo.pop()
        for node in ast.iter_child_nodes(parent):
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            overload = isinstance(node, ast.FunctionDef) and any("overload" in ast.unparse(d) for d in node.decorator_list)
            if ast.get_docstring(node) is None and not overload:
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                todo.append((f"{prefix}{node.name}.", node))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_public_names_have_docstrings(path: Path) -> None:
    assert not list(undocumented(tree_of(path)))


def test_the_rule_would_catch_a_missing_docstring() -> None:
    assert list(undocumented(ast.parse('"""m"""\nclass A:\n    """a"""\n    def b(self): ...\n'))) == ["A.b"]


def test_every_file_beside_the_code_is_in_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]["timbrespace"]
    files = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".py"}
    files = {path for path in files if "__pycache__" not in path.parts}
    shipped = {path.relative_to(PACKAGE) for pattern in settings for path in PACKAGE.glob(pattern) if path.is_file()}
    assert files
    assert files == shipped


def test_import_is_light_and_complete() -> None:
    code = (
        "import sys, timbrespace; "
        "heavy = {'torch', 'numpy', 'scipy', 'sklearn', 'soundfile', 'numba', 'typer', 'rich'} & set(sys.modules); "
        "assert not heavy, heavy; assert set(timbrespace.__all__) <= set(dir(timbrespace))"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", [name for name in timbrespace.__all__ if not name.startswith("_")])
def test_public_names_are_there(name: str) -> None:
    assert callable(getattr(timbrespace, name))
    assert getattr(timbrespace, name).__doc__


def test_an_unknown_name_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="it offers Corpus"):
        _ = timbrespace.Orchestra  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_importing_does_no_work(path: Path) -> None:
    """Top-level statements define things; nothing prints, sets threads, changes gradients or logging for the whole process."""
    shy = {"print", "torch.set_grad_enabled", "torch.set_num_threads", "torch.manual_seed", "logging.basicConfig"}
    for node in tree_of(path).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            assert ast.unparse(node.value.func) not in shy, f"line {node.lineno}"
