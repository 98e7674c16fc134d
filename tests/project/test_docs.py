"""The documentation is true: links and paths exist, commands parse, examples in Python run."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import runpy
import shlex
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from command_values import check_values
from timbrespace.cli.main import VERBS, split_verb

if TYPE_CHECKING:
    import click

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")  # pictures, too
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"<!-- runs: python -->\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(text: str) -> set[str]:
    """Anchors of a page's headings, as code hosts make them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(page: Path) -> list[str]:
    out = []
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        place, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        other = page.parent / place if place else page
        if not other.exists() or (anchor and anchor not in anchors(other.read_text(encoding="utf-8"))):
            out.append(target)
    return out


def commands(text: str) -> list[str]:
    """The lines of shell blocks that call timbrespace."""
    lines = (line for language, block in BLOCK.findall(text) if language in ("sh", "bash", "console") for line in block.splitlines())
    return [line for line in lines if line.startswith("timbrespace ")]


def parser_of(verb: str) -> click.Command:
    import typer
    from typer.main import get_command

    module, _, function = VERBS[verb][0].partition(":")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name=verb)(getattr(importlib.import_module(module), function))
    return get_command(app)  # type: ignore[return-value]


def complaint(command: str) -> str | None:
    """The error message for a documented command, or None: its options, presets, settings and ranges exist. The command is not run."""
    words = shlex.split(command, comments=True)[1:]
    if not words or words == ["--help"]:
        return None
    verb, rest = split_verb(words)
    if verb not in VERBS:
        return f"there is no verb {verb!r}"
    if "--help" in words:
        return None
    try:
        module = importlib.import_module(VERBS[verb][0].partition(":")[0])
        rest = getattr(module, "expand_words", list)(rest)  # short forms, as `cli.main` expands them
        check_values(verb, parser_of(verb).make_context(verb, rest).params)
    except Exception as error:  # Typer's own errors, and those of settings
        return str(getattr(error, "message", error)) or type(error).__name__
    return None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    assert not broken_links(page)


@pytest.mark.parametrize("folder", ["docs", "docs/benchmarks"])
def test_every_page_is_in_its_index(folder: str) -> None:
    linked = set(LINK.findall((ROOT / folder / "README.md").read_text(encoding="utf-8")))
    assert {page.name for page in (ROOT / folder).glob("*.md")} - {"README.md"} <= linked


def test_a_broken_link_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A title\n[a](nowhere.md) [b](page.md#a-title) [c](#no-title) [d](https://example.org)\n", encoding="utf-8")
    assert broken_links(page) == ["nowhere.md", "#no-title"]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_use_verbs_and_options_that_exist(page: Path) -> None:
    wrong = {command: problem for command in commands(page.read_text(encoding="utf-8")) if (problem := complaint(command))}
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_words_in_code_are_options_that_exist(page: Path) -> None:
    """Commands within a line, such as `timbrespace info X --strip Y`: verb and option names."""
    for command in re.findall(r"`timbrespace ([^`\n]+)`", page.read_text(encoding="utf-8")):
        verb, words = split_verb(command.split())
        if verb in ("VERB", "--help"):
            continue
        assert verb in VERBS, command
        known = {option for parameter in parser_of(verb).params for option in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("-")} <= known, command


def test_every_command_about_the_sources_is_complete() -> None:
    """The tables of docs/sources.md say what each source describes and which command does it."""
    text = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    inline = re.findall(r"`(timbrespace [^`\n]+)`", text)
    assert len(inline) > 80
    assert not {command: problem for command in inline if (problem := complaint(command))}
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| the source describes")]
    assert all(line.count("|") - line.count("\\|") == 4 for line in rows), "three columns, no bar within a cell"
    for title in ("A", "B", "C", "D", "E"):
        assert f"## Source {title}: " in text


def missing_names(text: str) -> list[str]:
    """Files, folders and modules of the project that inline code names and that do not exist. NAME and FOLDER are placeholders."""
    package, out = ROOT / "src" / "timbrespace", []
    for code in re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)):
        dotted = re.fullmatch(r"([a-z_]+)(?:\.\w+)+", code)
        if re.search(r"NAME|FOLDER|\.(md|json|npy|csv|wav|png|h|wasm)$", code):
            continue
        if re.fullmatch(r"(benchmarks|scripts|tests|docs|src)/[\w./-]*", code):
            exists = (ROOT / code).exists()
        elif re.fullmatch(r"[a-z_]+/([\w/-]+\.py)?", code) and (package / code.partition("/")[0]).is_dir():
            exists = (package / code).exists()
        elif dotted and dotted[1] == "timbrespace":
            exists = _imports(code)
        elif dotted and (package / dotted[1]).is_dir():
            exists = dotted[1] in SETTINGS or code in TENSORS or _imports(f"timbrespace.{code}")
        else:
            continue
        if not exists:
            out.append(code)
    return out


SETTINGS = {"representation", "model", "training"}  # sections of a config: `model.dims` is a setting, not a module
TENSORS = {"space.weights"}  # of an instrument file, whose names begin like a folder's


def _imports(dotted: str) -> bool:
    """Whether a dotted name is a module, or a name in one."""
    module, _, name = dotted.rpartition(".")
    try:
        importlib.import_module(dotted)
    except ImportError:
        try:
            return hasattr(importlib.import_module(module), name)
        except ImportError:
            return False
    return True


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in ("LOG.md", "CHANGELOG.md")], ids=name_of)
def test_files_and_modules_in_code_exist(page: Path) -> None:
    assert not missing_names(page.read_text(encoding="utf-8"))


def test_a_missing_file_would_be_found() -> None:
    assert missing_names("`audio/distance.py`, `model.dims`, `timbrespace.audio.distance.log_mel_error`") == []
    missing = ["audio/nothing.py", "benchmarks/nothing.py", "timbrespace.nothing.at_all", "evaluation.distribution.nothing"]
    assert missing_names(" ".join(f"`{name}`" for name in missing)) == missing


@pytest.mark.parametrize(
    "command",
    [
        "timbrespace compose a.wav",
        "timbrespace generate x.safetensors --out new --loud",
        "timbrespace generate x.safetensors",
        "timbrespace train drums --out x.safetensors --minutes three",
        "timbrespace train drums --out x.safetensors --preset denser",
        "timbrespace train drums --out x.safetensors --preset dense --set model.dimz=3",
        "timbrespace tune drums --out search --preset dense --range model.dimz=3..4",
        "timbrespace tune drums --out search --preset raw",
        "timbrespace tune drums --out search --preset dense --prune best",
        "timbrespace represent drums --as bands --set colour=3 --out x",
        "timbrespace prepare synthetic:whales --out x.corpus",
        "timbrespace prepare drums --diverse 3 --diverse-rule best --out x.corpus",
        "timbrespace prepare drums --rule kick --out x.corpus",
    ],
)
def test_a_wrong_command_would_be_found(command: str) -> None:
    assert complaint(command)


def test_most_verbs_are_documented() -> None:
    text = "\n".join(command for page in PAGES for command in commands(page.read_text(encoding="utf-8")))
    missing = {verb for verb in VERBS if f"timbrespace {verb}" not in text}
    assert missing <= {"demo"}, "the demo is run by scripts/run.py; every other verb has an example"


def test_benchmark_commands_use_options_that_exist() -> None:
    options: dict[str, set[str]] = {}
    for page in PAGES:
        for line in re.findall(r"python benchmarks/([^`\n]+)", page.read_text(encoding="utf-8")):
            script, *words = line.split()
            if script not in options:
                options[script] = options_of(ROOT / "benchmarks" / script)
            assert {word for word in words if word.startswith("--")} <= options[script], line


def options_of(script: Path) -> set[str]:
    """The options that a script's help names; none for a script that is called without any."""
    if script.name == "real_audio.py":
        return set()
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as left:
        patch.setattr(sys, "argv", [str(script), "--help"])
        patch.syspath_prepend(str(script.parent))
        runpy.run_path(str(script), run_name="__main__")  # in this process: PyTorch is imported once, not once a script
    assert left.value.code in (0, None)
    return set(re.findall(r"--[a-z-]+", printed.getvalue()))


LITTLE = {"imitated": 4, "trained": 2, "pairs": 1, "timed": 2, "draws": 4, "permutations": 20, "resamples": 50}  # of an evaluation


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which docs/python.md was run from top to bottom, with fewer synthetic drums, few steps and a quick card."""
    from timbrespace.corpus import synthetic_source
    from timbrespace.evaluation import evaluate
    from tiny import fix_plan

    folder = tmp_path_factory.mktemp("docs")
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        fix_plan(patch, variations=1, step_seconds=0.05)
        patch.setattr(synthetic_source, "synthetic_clips", partial(synthetic_source.synthetic_clips, count=60))
        patch.setattr(evaluate, "QUICK", replace(evaluate.QUICK, **LITTLE))
        run_examples(ROOT / "docs" / "python.md")
    shutil.copytree(folder / "drums.corpus", folder / "toy.corpus")
    return folder


def run_examples(page: Path) -> dict[str, object]:
    """Runs the marked blocks of a page in turn, as one program; returns its names."""
    names: dict[str, object] = {"__name__": page.stem}
    blocks = RUN.findall(page.read_text(encoding="utf-8"))
    assert blocks, f"{page.name} has no block marked to run"
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    return names


def test_python_examples_run(workshop: Path) -> None:
    assert (workshop / "drums.safetensors").exists()
    assert (workshop / "shared.safetensors").exists()
    assert list((workshop / "new").glob("snare *.wav"))


def test_the_corpus_is_read_without_the_project(workshop: Path) -> None:
    with contextlib.chdir(workshop):
        names = run_examples(ROOT / "docs" / "corpus.md")
    text = RUN.findall((ROOT / "docs" / "corpus.md").read_text(encoding="utf-8"))[0]
    assert "timbrespace" not in text
    snares = names["snares"]
    assert isinstance(snares, list)
    assert snares
    assert all(snare.ndim == 2 and len(snare) > 100 for snare in snares)


def test_the_instrument_is_read_as_plain_safetensors(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.chdir(workshop):
        names = run_examples(ROOT / "docs" / "tutorial-researcher.md")
    assert len(names["latents"]) == len(names["positions"]) > 0  # type: ignore[arg-type]
    assert capsys.readouterr().out
