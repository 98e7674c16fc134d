"""The shape of the code: imports point one way, importing is light, files stay short, nothing unsafe, everything documented."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import timbrespace
from script_modules import load_script

PACKAGE = Path(timbrespace.__file__).parent
ROOT = PACKAGE.parent.parent
STAGES = ["audio", "corpus", "representation", "model", "latent", "synthesis"]
AROUND = {
    "training",
    "tuning",
    "evaluation",
    "features",
    "report",
    "space",
    "prompt",
    "voices",
    "modulation",
    "live",
    "web",
    "export",
    "cli",
}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@pytest.fixture(scope="module")
def house() -> ModuleType:
    """scripts/house.py as a module: it measures what the rules below limit."""
    return load_script("house")


@pytest.fixture(scope="module")
def modules(house: ModuleType) -> list[Any]:
    """The modules of the package."""
    return house.source_modules()


def stage_of(path: Path) -> str:
    """The folder of the package that holds a source file, "" at the top."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


# --- imports -----------------------------------------------------------------------------------------------------


def imported_stages(tree: ast.Module) -> set[str]:
    """The folders of the package that a file imports from, also inside functions and for types."""
    stages = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        stages |= {words[1] for module in modules if len(words := module.split(".")) > 1 and words[0] == "timbrespace"}
    return stages


def test_a_stage_imports_only_earlier_stages() -> None:
    for path in SOURCES:
        if stage_of(path) in STAGES:
            later = set(STAGES[STAGES.index(stage_of(path)) + 1 :])
            assert not imported_stages(tree_of(path)) & (later | AROUND), name_of(path)


def test_the_rule_would_catch_a_wrong_import() -> None:
    assert "synthesis" in imported_stages(ast.parse("def f():\n    from timbrespace.synthesis import instrument\n"))
    assert "training" in imported_stages(ast.parse("from timbrespace import training"))


def test_contracts_import_nothing_of_the_project() -> None:
    assert not imported_stages(tree_of(PACKAGE / "contracts.py"))


def test_evaluation_does_not_import_training() -> None:
    for path in SOURCES:
        if stage_of(path) == "evaluation":
            assert "training" not in imported_stages(tree_of(path)), name_of(path)


def test_no_modules_import_each_other(house: ModuleType, modules: list[Any]) -> None:
    assert house.import_circles(modules, late=True) == []


def test_the_rule_would_catch_a_circle(house: ModuleType) -> None:
    texts = {
        "a": "from b import f",
        "b": "def f():\n    import c",
        "c": "from a import x\nif TYPE_CHECKING:\n    from d import y",
        "d": "import c",
    }
    toys = [house.Module(name, Path(f"{name}.py"), text, ast.parse(text)) for name, text in texts.items()]
    assert house.import_circles(toys, late=False) == []
    assert house.import_circles(toys, late=True) == [["a", "b", "c"]]
    assert house.import_circles(toys, late=True, typing=True) == [["a", "b", "c", "d"]]


def family_checks(tree: ast.Module, families: set[str]) -> Iterator[str]:
    """The families that `isinstance` asks for: what differs between them is a method or an attribute of `Model`.

    An `assert` may: it tells the type checker what is known, and no code depends on it.
    """
    asserted = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Assert) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance" and id(node) not in asserted:
            names = [ast.unparse(part) for part in ast.walk(node.args[1]) if isinstance(part, ast.Name | ast.Attribute)]
            yield from (name for name in names if name.split(".")[-1] in families)


def test_no_code_outside_model_asks_for_a_family() -> None:
    from timbrespace.model.base import Model
    from timbrespace.model.registry import MODELS

    bases = {base for family in MODELS.values() for base in family.__mro__ if issubclass(base, Model) and base is not Model}
    for path in SOURCES:
        if stage_of(path) != "model":
            assert not list(family_checks(tree_of(path), {base.__name__ for base in bases})), name_of(path)


def test_the_rule_would_catch_a_question_for_the_family() -> None:
    tree = ast.parse("assert isinstance(m, A)\nif isinstance(m, int | linear.A): pass")
    assert list(family_checks(tree, {"A"})) == ["linear.A"]


# --- safety ------------------------------------------------------------------------------------------------------


def unsafe(tree: ast.Module) -> Iterator[str]:
    """Ways of running code that a file holds."""
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


def test_no_code_is_unsafe() -> None:
    for path in SOURCES:
        assert not list(unsafe(tree_of(path))), name_of(path)


@pytest.mark.parametrize(
    "code", ["import pickle", "from pickle import loads", "eval('1')", "torch.load('x')", "np.load('x', allow_pickle=True)", "yaml.load(x)"]
)
def test_the_rule_would_catch_unsafe_code(code: str) -> None:
    assert list(unsafe(ast.parse(code)))


# --- sizes and docstrings ----------------------------------------------------------------------------------------


def test_files_are_short(house: ModuleType) -> None:
    counts = house.line_counts(house.python_files())
    assert {name_of(path): lines for path, lines in counts.items() if lines > house.LONGEST_FILE} == {}
    assert statistics.median(lines for path, lines in counts.items() if path.is_relative_to(PACKAGE)) <= house.LONGEST_MEDIAN


def test_files_of_tests_have_different_names() -> None:
    """Folders of tests are no packages: pytest cannot collect two files of one name in one run."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_folders_are_small(house: ModuleType) -> None:
    sizes = house.folder_sizes(house.python_files())
    assert {name_of(folder): size for folder, size in sizes.items() if size > house.most_files(folder)} == {}


def test_public_names_have_docstrings(house: ModuleType, modules: list[Any]) -> None:
    assert house.undocumented(modules) == []


def test_tensor_functions_give_their_shapes(house: ModuleType, modules: list[Any]) -> None:
    functions = [function for module in modules for function in house.functions_of(module)]
    assert [one.name for one in functions if house.is_shaped(one) and not house.gives_shapes(one)] == []


def test_the_rules_would_catch_a_missing_docstring_or_shape(house: ModuleType) -> None:
    text = (
        'class A:\n    """a"""\n    def encode(self, x: Tensor):\n        """The call `f(x, y)`."""\n'
        '    def decode(self, z: Tensor):\n        """`(batch, dims)`."""\n    def b(self): ...\n'
    )
    module = house.Module("m", Path("m.py"), text, ast.parse(text))
    assert house.undocumented([module]) == ["m", "m.A.b"]
    assert [house.gives_shapes(function) for function in house.functions_of(module)] == [False, True, False]


# --- importing ---------------------------------------------------------------------------------------------------


def test_every_file_beside_the_code_is_in_the_wheel() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]["timbrespace"]
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts}
    assert files
    assert files == {path for pattern in patterns for path in PACKAGE.glob(pattern) if path.is_file()}


def test_import_is_light_and_complete() -> None:
    code = (
        "import sys, timbrespace; "
        "heavy = {'torch', 'numpy', 'scipy', 'sklearn', 'soundfile', 'numba', 'typer', 'rich', 'jinja2', 'matplotlib'} & set(sys.modules); "
        "assert not heavy, heavy; assert set(timbrespace.__all__) <= set(dir(timbrespace))"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", [name for name in timbrespace.__all__ if not name.startswith("_")])
def test_public_names_exist(name: str) -> None:
    assert callable(getattr(timbrespace, name))
    assert getattr(timbrespace, name).__doc__


def test_an_unknown_name_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="it offers Corpus"):
        _ = timbrespace.Orchestra  # type: ignore[attr-defined]


def test_importing_does_no_work() -> None:
    """Top-level statements define things; they do not print, set threads, or change gradients or logging for the whole process."""
    forbidden = {"print", "torch.set_grad_enabled", "torch.set_num_threads", "torch.manual_seed", "logging.basicConfig"}
    for path in SOURCES:
        for node in tree_of(path).body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                assert ast.unparse(node.value.func) not in forbidden, f"{name_of(path)}, line {node.lineno}"
