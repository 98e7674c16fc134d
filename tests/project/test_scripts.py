"""The set-up script: what it would install, when it would install again, and its messages if something is missing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import timbrespace
from script_modules import load_script

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock"]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """scripts/run.py as a module, with its environment in an empty folder; no package is installed."""
    module = load_script("run")
    monkeypatch.setattr(module, "VENV", tmp_path / "venv")
    return module


def pins(name: str) -> dict[str, str]:
    found = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            match = re.match(r"([A-Za-z0-9_.-]+)==([^\s;]+)(\s*;.*)?$", line)
            assert match, f"{name}: not a pin: {line}"
            found[match[1].lower().replace("_", "-")] = match[2]
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_pins_everything_and_no_gpu_package(name: str) -> None:
    packages = pins(name)
    assert len(packages) > 30
    assert not [package for package in packages if package.startswith(("nvidia", "cuda", "triton"))]


def test_the_locks_agree_and_cover_pyproject() -> None:
    plain, full = pins(LOCKS[0]), pins(LOCKS[1])
    assert plain.items() <= full.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[<>=\[ ]", item)[0].lower() for item in project["dependencies"]}
    assert wanted <= set(plain)
    extras = project["optional-dependencies"]
    wanted = {re.split(r"[<>=\[ ]", item)[0].lower() for item in extras["dev"] + extras["benchmarks"]} - {"timbrespace"}
    assert wanted <= set(full)


def test_a_changed_lock_causes_an_installation(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*LOCKS, "pyproject.toml"]:
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "works", lambda: True)
    done: list[tuple[str, ...]] = []
    monkeypatch.setattr(script, "pip", lambda *words, **_: done.append(words) or True)
    monkeypatch.setattr(script, "install_torch", lambda: done.append(("torch",)))
    script.python().parent.mkdir(parents=True)
    script.python().touch()

    script.set_up("test")
    assert done[0] == ("torch",), "torch is installed first, alone"
    assert done[-1][:1] == ("install",)
    assert "--no-deps" in done[-1]
    done.clear()
    script.set_up("test")
    script.set_up("demo")
    assert not done, "without a change no installation"
    (tmp_path / "requirements.lock").write_text("torch==2.13.0\n", encoding="utf-8")
    script.set_up("demo")
    assert done


def test_an_interrupted_installation_is_repeated(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "works", lambda: True)
    monkeypatch.setattr(script, "install_torch", lambda: None)
    script.python().parent.mkdir(parents=True)
    script.python().touch()
    state = script.VENV / script.STATE
    state.write_text(json.dumps({"root": "elsewhere"}), encoding="utf-8")

    def stop(*words: str, **_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(script, "pip", stop)
    with pytest.raises(KeyboardInterrupt):
        script.set_up("demo")
    assert not state.exists()


def test_torch_is_requested_from_the_cpu_index_and_then_from_the_registry(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def pip(*words: str, required: bool = True) -> bool:
        asked.append(words)
        return required  # the first, optional request fails

    monkeypatch.setattr(script, "pip", pip)
    monkeypatch.setattr(script, "metadata", lambda statement: "")
    script.install_torch()
    assert "https://download.pytorch.org/whl/cpu" in asked[0]
    assert asked[1] == ("install", "--no-deps", "torch==2.13.0")
    asked.clear()
    monkeypatch.setattr(script, "metadata", lambda statement: "2.13.0+cpu")
    script.install_torch()
    assert not asked, "it is installed already"


def test_a_missing_venv_module_is_an_error_with_its_remedy(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit) as left:
        script.make_venv()
    assert left.value.code == 1
    assert "apt install python3" in capsys.readouterr().err


def test_an_unknown_task_lists_the_tasks() -> None:
    result = subprocess.run([sys.executable, str(ROOT / "scripts" / "run.py"), "fly"], check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert "the tasks are demo, test, setup, native, lock" in result.stderr


def test_the_version_is_written_in_one_place() -> None:
    assert "version" in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dynamic"]
    assert f"[{timbrespace.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_continuous_integration_runs_the_test_command() -> None:
    assert "python3 scripts/run.py test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
