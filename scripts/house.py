"""Measures the source code: file and folder sizes, import circles, docstrings, annotations, words to avoid. Standard library and git.

    python3 scripts/house.py            all tables
    python3 scripts/house.py --words    also each place of a word to avoid

`tests/project/test_architecture.py` asserts the limits that must hold.
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
LONGEST_FILE, LARGEST_FOLDER, LONGEST_MEDIAN = 400, 15, 130  # lines, Python files, lines
MOST_BENCHMARKS = 24  # scripts in benchmarks/, one for each question, side by side
SHAPED = re.compile(r"_?(encode|decode)(_raw)?|_?forward")  # functions whose docstring gives shapes
# `(batch, dims)`, `values (batch,)`, `()`, or without backticks (batch, channels, time); not the call `f(a, b)`
SHAPE = re.compile(
    r"`(?:[^`]*[^\w`])?\((?:[^()`]*,[^()`]*|\w*)\)[^`]*`|(?<!\w)\((?:batch|channels|time|parts|bands|frames|dims|values)\b[^()]*\)"
)
# Words that readers whose first language is not English find hard to parse; each has a plainer one.
AVOIDED = ["told", "heard", "unheard", "lies", "stands", "crowd", "nobody", "no one's", "taken up", "whereof", "thereof", "therein"]
AVOIDED += ["the way back", "as they have it", "of which", "nothing is", "what is"]
_AVOIDED = re.compile(r"\b(" + "|".join(AVOIDED) + r")\b", re.IGNORECASE)
# Phrases with such a word that say it plainly, and names: of a key in older instrument files, of a synthetic playing style.
ALLOWED = ["what is allowed", "what is wrong", "what is it", "nothing is written", "prior.told.", '"crowd"']
_ALLOWED = re.compile("|".join(map(re.escape, ALLOWED)), re.IGNORECASE)


@dataclass(frozen=True)
class Module:
    """A Python file: its dotted name, its path, its text and its syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module


@dataclass(frozen=True)
class Import:
    """An import of one module of the project by another. late: inside a function; typing: only for annotations."""

    importer: str
    imported: str
    late: bool
    typing: bool


@dataclass(frozen=True)
class Function:
    """A function or method. owner: the class, or ""; public: no part of its name starts with an underscore."""

    module: str
    owner: str
    node: ast.FunctionDef | ast.AsyncFunctionDef
    public: bool

    @property
    def name(self) -> str:
        """Returns module, class and name."""
        return ".".join(part for part in (self.module, self.owner, self.node.name) if part)


def python_files() -> list[Path]:
    """Returns the Python files that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def source_modules() -> list[Module]:
    """Returns the modules of the package."""
    modules = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        text = path.read_text(encoding="utf-8")
        modules.append(Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path, text, ast.parse(text)))
    return modules


def line_counts(paths: Sequence[Path]) -> dict[Path, int]:
    """Returns the number of lines of each file, empty files left out."""
    return {path: count for path in paths if (count := len(path.read_text(encoding="utf-8").splitlines()))}


def folder_sizes(paths: Sequence[Path]) -> Counter[Path]:
    """Returns the number of Python files that each folder holds itself, `__init__.py` not counted."""
    return Counter(path.parent for path in paths if path.name != "__init__.py")


def most_files(folder: Path) -> int:
    """Returns the number of Python files that a folder may hold."""
    return MOST_BENCHMARKS if folder == ROOT / "benchmarks" else LARGEST_FOLDER


# --- imports -----------------------------------------------------------------------------------------------------


def imports_of(module: Module, names: set[str]) -> Iterator[Import]:
    """Yields the imports of a module. names: of all modules of the project."""

    def visit(node: ast.AST, late: bool, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            candidates = [found if (found := f"{node.module}.{alias.name}") in names else node.module for alias in node.names]
        else:
            candidates = []
        for name in candidates:
            if name in names and name != module.name:
                yield Import(module.name, name, late, typing)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            typing = True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            late = True
        for child in ast.iter_child_nodes(node):
            yield from visit(child, late, typing)

    yield from visit(module.tree, False, False)


def circles(imports: Sequence[Import]) -> list[list[str]]:
    """Returns the import circles: groups of modules that each import the others, directly or not (Tarjan's algorithm)."""
    graph: dict[str, set[str]] = defaultdict(set)
    for one in imports:
        graph[one.importer].add(one.imported)
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            group = [stack.pop()]
            while group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                groups.append(sorted(group))

    for name in sorted(graph):
        if name not in order:
            visit(name)
    return groups


def import_circles(modules: Sequence[Module], *, late: bool, typing: bool = False) -> list[list[str]]:
    """Returns the import circles of the package. late: count imports inside functions; typing: those for annotations only."""
    names = {module.name for module in modules}
    imports = [one for module in modules for one in imports_of(module, names)]
    return circles([one for one in imports if (late or not one.late) and (typing or not one.typing)])


# --- docstrings --------------------------------------------------------------------------------------------------


def functions_of(module: Module) -> Iterator[Function]:
    """Yields the functions and methods of a module, those inside functions left out."""

    def visit(node: ast.AST, owner: str, public: bool) -> Iterator[Function]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                yield from visit(child, f"{owner}.{child.name}" if owner else child.name, public and not child.name.startswith("_"))
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield Function(module.name, owner, child, public and not child.name.startswith("_"))

    yield from visit(module.tree, "", True)


def is_shaped(function: Function) -> bool:
    """Returns whether the docstring of a function must give shapes: an `encode`, `decode` or `forward` of tensors."""
    given = function.node.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    types = " ".join(ast.unparse(one) for one in [*(argument.annotation for argument in arguments), function.node.returns] if one)
    return bool(SHAPED.fullmatch(function.node.name)) and bool(re.search(r"Tensor|NDArray|Batch|Audio|Posterior|Decoded", types))


def gives_shapes(function: Function) -> bool:
    """Returns whether the docstring of a function gives a shape such as `(batch, channels, time)`."""
    return bool(SHAPE.search(ast.get_docstring(function.node) or ""))


def undocumented(modules: Sequence[Module]) -> list[str]:
    """Returns the modules with code, and the public classes, functions and methods, that lack a docstring; not magic methods."""
    missing = []
    for module in modules:
        if module.tree.body and ast.get_docstring(module.tree) is None:
            missing.append(module.name)
        for function in functions_of(module):
            overload = any("overload" in ast.unparse(decorator) for decorator in function.node.decorator_list)
            if function.public and not overload and ast.get_docstring(function.node) is None:
                missing.append(function.name)
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and ast.get_docstring(node) is None:
                missing.append(f"{module.name}.{node.name}")
    return missing


def annotations(functions: Sequence[Function]) -> tuple[int, int]:
    """Returns (annotated, all) arguments, `self` and `cls` not counted."""
    annotated = total = 0
    for function in functions:
        given = function.node.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
        arguments = [one for one in arguments if one.arg not in ("self", "cls")]
        total += len(arguments)
        annotated += sum(one.annotation is not None for one in arguments)
    return annotated, total


# --- words -------------------------------------------------------------------------------------------------------


def words_to_avoid(module: Module) -> Iterator[tuple[int, str, str]]:
    """Yields (line, word, text of the line) of the words to avoid in comments and strings, docstrings included."""
    with module.path.open("rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    for token in tokens:
        if token.type in kinds:
            for offset, line in enumerate(token.string.splitlines()):
                for found in _AVOIDED.finditer(_ALLOWED.sub("", line)):
                    yield token.start[0] + offset, found[0].lower(), line.strip()


# --- the report --------------------------------------------------------------------------------------------------


def room_of(module: Module) -> str:
    """Returns the folder of the package that a module is in."""
    parts = module.name.split(".")
    return parts[1] if len(parts) > 1 and (module.path.parent != SOURCE / parts[0]) else "(top)"


def main(arguments: Sequence[str]) -> int:
    """Prints the tables."""
    files, modules = python_files(), source_modules()
    print("Lines per file                 files  median   p90   max  over 400")
    for name in ("src", "tests", "benchmarks", "scripts"):
        counts = sorted(line_counts([path for path in files if path.is_relative_to(ROOT / name)]).values())
        p90 = counts[int(0.9 * (len(counts) - 1))]
        over = sum(count > LONGEST_FILE for count in counts)
        print(f"  {name:<27}{len(counts):>7}{statistics.median(counts):>8.0f}{p90:>6}{counts[-1]:>6}{over:>10}")
    sizes = folder_sizes(files)
    print(f"\nPython files per folder: at most {max(sizes.values())}; too many:")
    for folder, size in sizes.most_common():
        if size > most_files(folder):
            print(f"  {size:>3}  {folder.relative_to(ROOT)}")
    for title, late in (("Import circles, eager imports", False), ("Import circles, late imports too", True)):
        groups = import_circles(modules, late=late)
        print(f"\n{title}: {len(groups)}")
        for group in groups:
            print(f"  {' '.join(name.removeprefix('timbrespace.') for name in group)}")
    functions = [function for module in modules for function in functions_of(module)]
    print("\nDocstrings of encode, decode, forward and their kind that give shapes:")
    for name, public in (("public", True), ("private", False)):
        shaped = [function for function in functions if is_shaped(function) and function.public is public]
        without = [function.name for function in shaped if not gives_shapes(function)]
        print(f"  {name:<8}{len(shaped) - len(without)} of {len(shaped)}")
        for one in without:
            print(f"    without: {one}")
    missing = undocumented(modules)
    print(f"\nPublic names without a docstring: {len(missing)}")
    for one in missing:
        print(f"  {one}")
    annotated, total = annotations(functions)
    print(f"\nAnnotated arguments: {annotated} of {total} ({100 * annotated / total:.1f} %)")
    found = [(module, *place) for module in modules for place in words_to_avoid(module)]
    rooms = Counter(room_of(module) for module, *_ in found)
    words = Counter(word for _, _, word, _ in found)
    print(f"\nWords to avoid in docstrings, comments and strings of src: {len(found)}")
    print("  by folder: " + ", ".join(f"{room} {count}" for room, count in rooms.most_common()))
    print("  by word:   " + ", ".join(f"{word} {count}" for word, count in words.most_common()))
    if "--words" in arguments:
        for module, line, word, text in found:
            print(f"  {module.path.relative_to(ROOT)}:{line}: {word}: {text[:120]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
