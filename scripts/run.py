"""Sets up `.venv` beside this file's folder and runs something in it. Standard library only; Linux, macOS, Windows.

    python3 scripts/run.py demo [ARGUMENTS]     timbrespace demo
    python3 scripts/run.py test [ARGUMENTS]     the tests (arguments go to pytest)
    python3 scripts/run.py setup                only the set-up
    python3 scripts/run.py native               builds the native core for this machine: sounds are made in half the time
    python3 scripts/run.py lock                 remakes the two lock files from pyproject.toml (for maintainers)

The environment is kept; packages are installed again only if a lock file or pyproject.toml has changed.
Your own pip configuration (mirrors, proxies, wheel folders) is respected. Only packages are downloaded.

Variables: TIMBRESPACE_VENV is the path of the environment; TIMBRESPACE_TORCH_INDEX is the package index for PyTorch, by default
that of its CPU builds, for example https://download.pytorch.org/whl/cu130; if it is empty, only the registry is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("TIMBRESPACE_VENV") or ROOT / ".venv")
LOCKS = {"demo": ["requirements.lock"], "test": ["requirements.lock", "requirements-dev.lock"]}
TORCH_INDEX = os.environ.get("TIMBRESPACE_TORCH_INDEX", "https://download.pytorch.org/whl/cpu")
TORCH_PIN = "torch==2.13.0"  # what `lock` writes; raised on purpose only: measured results depend on it
STATE = "timbrespace-installed.json"
# More processes do not help: a training uses several threads itself. Worksteal keeps the tests of a file, which share fixtures, together.
ALL_TESTS = ["-q", "--numprocesses", "auto", "--maxprocesses", "4", "--dist", "worksteal"]
OLDEST, NEWEST = (3, 11), (3, 13)
GPU_PACKAGES = re.compile(r"(nvidia-|cuda-|triton\b|pytorch-triton)", re.IGNORECASE)


def main(words: Sequence[str]) -> int:
    """Runs one task and returns its exit code."""
    task = words[0] if words else "--help"
    if task in ("-h", "--help"):
        print(__doc__)
        return 0
    if task == "demo":
        set_up("demo")
        return run([timbrespace(), "demo", *words[1:]])
    if task == "test":
        set_up("test")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every process that a test starts compiles the sources again
        return run([str(python()), "-m", "pytest", *(words[1:] or ALL_TESTS)])
    if task == "setup":
        set_up("test" if "--dev" in words[1:] else "demo")
        return 0
    if task == "native":
        set_up("demo")
        install_compiler()
        return run([str(python()), str(ROOT / "scripts" / "native.py"), *words[1:]])
    if task == "lock":
        set_up("demo")
        return lock()
    fail(f"there is no task '{task}'; the tasks are demo, test, setup, native, lock")


# --- the environment ---------------------------------------------------------------------------------------------


def set_up(level: str) -> None:
    """Creates or repairs the environment so that it has the packages of `level`, "demo" or "test"; quick if it has them."""
    if sys.version_info[:2] < OLDEST:
        fail(f"Python {dotted(OLDEST)} or newer is needed, this is {sys.version.split()[0]} ({sys.executable})")
    wanted = fingerprints(level)
    if python().exists() and read_state().items() >= wanted.items() and works():
        return
    started = time.monotonic()
    if sys.version_info[:2] > NEWEST:
        say(
            f"note: tested with Python {dotted(OLDEST)} to {dotted(NEWEST)}; this is {sys.version.split()[0]}, some packages may be missing"
        )
    if not (python().exists() and works()):
        make_venv()
    (VENV / STATE).unlink(missing_ok=True)  # so that an interrupted installation is not mistaken for a complete one
    install_torch()
    for name in LOCKS[level]:
        say(f"installing what {name} pins")
        pip("install", "-r", str(ROOT / name))
    say("installing timbrespace itself")
    pip("install", "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    (VENV / STATE).write_text(json.dumps(wanted, indent=1), encoding="utf-8")
    say(f"ready in {time.monotonic() - started:.0f} s ({shown(VENV)})")
    say(f"for the commands: {activation()}")


def activation() -> str:
    """Returns the command that puts `timbrespace` on the path of a shell."""
    return rf"{shown(VENV)}\Scripts\activate" if os.name == "nt" else f"source {shown(VENV)}/bin/activate"


def make_venv() -> None:
    """Creates the environment; if a part of Python is missing, the error says how to install it."""
    say(f"making a Python {dotted(sys.version_info[:2])} environment in {shown(VENV)}")
    remedy = f"On Debian or Ubuntu: sudo apt install python{dotted(sys.version_info[:2])}-venv (or python3-venv python3-pip)."
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        fail(f"this Python ({sys.executable}) lacks venv or pip. {remedy}")
    if VENV.exists() and not (VENV / "pyvenv.cfg").exists() and any(VENV.iterdir()):
        fail(f"{VENV} exists and is not a Python environment; move it away, or name another place in TIMBRESPACE_VENV")
    result = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=False, capture_output=True, text=True)
    if result.returncode != 0:
        fail(f"the environment could not be made. {remedy}\n{result.stdout}{result.stderr}".rstrip())


def install_torch() -> None:
    """Installs PyTorch alone and first: the CPU build if its index or a local folder has one, else that of the registry.

    The request to the extra index has a short timeout, so that a network without it costs only seconds.
    """
    pin = locked_torch()
    if installed_torch().partition("+")[0] == pin.partition("==")[2]:
        return
    say(f"installing {pin} (about 200 MB; the CPU build where there is one)")
    hasty = ["--retries", "1", "--timeout", "10", "--extra-index-url", TORCH_INDEX] if TORCH_INDEX else []
    if not (hasty and pip("install", "--no-deps", *hasty, pin, required=False)):
        pip("install", "--no-deps", pin)
    version = installed_torch()
    if sys.platform == "linux" and "+cpu" not in version and needs_gpu_packages():
        say(f"note: only the CUDA build of PyTorch ({version}) is available; it runs without a GPU, but needs GBs of CUDA packages")


def install_compiler() -> None:
    """Installs the compiler that requirements-dev.lock pins, where it is missing; another version makes other bytes."""
    pins = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()
    pin = next(line for line in pins if line.startswith("ziglang=="))
    if metadata("print(version('ziglang'))") != pin.partition("==")[2]:
        say(f"installing {pin} (about 90 MB)")
        pip("install", "--no-deps", pin)


def pip(*arguments: str, required: bool = True) -> bool:
    """Runs pip in the environment with the user's configuration and returns whether it succeeded; its output is shown only if it fails."""
    command = [str(python()), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        code = subprocess.run(command, check=False, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT).returncode
        if code == 0 or not required:
            return code == 0
        log.seek(0)
        tail = "".join(log.readlines()[-30:]).rstrip()
    fail(
        f"pip {' '.join(arguments)} failed; its last lines:\n{tail}\n\n"
        "Check the network and the free disk space. The same command continues after that."
    )


# --- looking -----------------------------------------------------------------------------------------------------


def python() -> Path:
    """Returns the path of the environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def timbrespace() -> str:
    """Returns the path of the environment's `timbrespace` command."""
    return str(VENV / ("Scripts/timbrespace.exe" if os.name == "nt" else "bin/timbrespace"))


def works() -> bool:
    """Returns whether the interpreter of the environment starts, and has the version and the path it was created with."""
    code = "import sys, pip; print(*sys.version_info[:2], sys.prefix)"
    result = subprocess.run([str(python()), "-c", code], check=False, capture_output=True, text=True)
    major, minor, *prefix = result.stdout.strip().split(" ", 2) if result.returncode == 0 else ("0", "0")
    return (int(major), int(minor)) == sys.version_info[:2] and bool(prefix) and Path(prefix[0]).resolve() == VENV.resolve()


def fingerprints(level: str) -> dict[str, str]:
    """Returns what the installation depends on: hashes of the lock files of the level and of pyproject.toml, and the project's path."""
    names = [*LOCKS[level], "pyproject.toml"]
    hashes = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in names}
    return {**hashes, "root": str(ROOT), "torch index": TORCH_INDEX}


def read_state() -> dict[str, str]:
    """Returns the fingerprints that the environment was last set up with, or an empty dictionary."""
    try:
        state = json.loads((VENV / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def locked_torch() -> str:
    """Returns the `torch==…` line of the lock file."""
    found = re.search(r"^torch==[^\s;]+", (ROOT / LOCKS["demo"][0]).read_text(encoding="utf-8"), re.MULTILINE)
    return found.group() if found else fail(f"{LOCKS['demo'][0]} pins no torch; remake it with: python3 scripts/run.py lock")


def installed_torch() -> str:
    """Returns the version of torch in the environment with its local part, or an empty string."""
    return metadata("print(version('torch'))")


def needs_gpu_packages() -> bool:
    """Returns whether the installed torch requires CUDA packages."""
    return bool(GPU_PACKAGES.search(metadata("print(*requires('torch') or [])")))


def metadata(statement: str) -> str:
    """Returns what a statement about installed packages prints in the environment, or an empty string if it fails."""
    code = f"from importlib.metadata import requires, version; {statement}"
    result = subprocess.run([str(python()), "-c", code], check=False, capture_output=True, text=True)
    return result.stdout.strip() if result.returncode == 0 else ""


# --- the lock ----------------------------------------------------------------------------------------------------


def lock() -> int:
    """Remakes requirements.lock and requirements-dev.lock for every system and Python 3.11 up, by `uv pip compile`.

    GPU packages are left out: which of them a machine needs depends on its build of torch, and pip adds them there.
    """
    uv = shutil.which("uv") or str(VENV / ("Scripts/uv.exe" if os.name == "nt" else "bin/uv"))
    if not Path(uv).exists():
        pip("install", "uv")
    compile_ = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", dotted(OLDEST)]
    compile_ += ["--fork-strategy", "fewest", "--no-annotate", "--no-header"]
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "build.in"
        build.write_text("\n".join([TORCH_PIN, *build_requirements()]) + "\n", encoding="utf-8")
        same_versions = ["-c", str(ROOT / "requirements.lock")]
        for name, extra in (("requirements.lock", []), ("requirements-dev.lock", ["--extra", "dev", *same_versions])):
            made = Path(folder) / name
            code = run([*compile_, str(ROOT / "pyproject.toml"), str(build), *extra, "--output-file", str(made)])
            if code != 0:
                return code
            lines = [line for line in made.read_text(encoding="utf-8").splitlines() if line.strip() and not GPU_PACKAGES.match(line)]
            header = ["# Made by `python3 scripts/run.py lock` from pyproject.toml; do not edit.", ""]
            (ROOT / name).write_text("\n".join([*header, *lines]) + "\n", encoding="utf-8")
            say(f"{name}: {len(lines)} packages")
    return 0


def build_requirements() -> list[str]:
    """Returns the build requirements in pyproject.toml, so that the lock pins them too."""
    import tomllib

    return list(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"])


# --- small things ------------------------------------------------------------------------------------------------


def run(command: Sequence[str]) -> int:
    """Runs a command in the project's folder with this terminal and returns its exit code. Ctrl-C reaches the command too."""
    process = subprocess.Popen(command, cwd=ROOT)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the command receives it too and ends by itself


def say(line: str) -> None:
    """Prints a line of progress."""
    print(f"[run] {line}", flush=True)


def fail(message: str) -> NoReturn:
    """Ends with a message and exit code 1."""
    print(f"[run] error: {message}", file=sys.stderr, flush=True)
    raise SystemExit(1)


def dotted(version: tuple[int, ...]) -> str:
    """(3, 11) -> "3.11"."""
    return ".".join(map(str, version))


def shown(path: Path) -> str:
    """Returns a path as text, relative to the project if it is inside."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("[run] interrupted; the same command continues the work", file=sys.stderr)
        sys.exit(130)
