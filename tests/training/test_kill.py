"""Ctrl-C and kill -9 in the long verbs: nothing half-written under a final name, inputs untouched, training taken up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile

import timbrespace
from timbrespace.corpus.corpus import Corpus, is_corpus
from tiny import SMALL, Tiny, hashes, write_drums

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

SET = [word for change in SMALL for word in ("--set", change)]
# Says when the heavy libraries are there, so that a signal comes in the middle of the work and not of an import.
START = """
import importlib, sys
from timbrespace.cli.main import main
heavy = {"train": "training.train", "doctor": "corpus.doctor", "prepare": "corpus.prepare"}
importlib.import_module("timbrespace." + heavy.get(sys.argv[1], "instrument"))
if sys.argv[1] == "train":  # a card of few sounds
    importlib.import_module("timbrespace.evaluation.card")._SOUNDS = 3
print("ready", file=sys.stderr, flush=True)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough sounds that no verb is through with them in a moment."""
    return write_drums(tmp_path_factory.mktemp("many"), 80, seconds=2.0)


class Job:
    """A command line in a process of its own."""

    def __init__(self, *words: object):
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        self.first = self.process.stderr.readline()

    def when(self, ready: Callable[[], bool], number: int) -> tuple[int, str]:
        """Sends the signal once `ready` says so; returns exit code and what was said on stderr."""
        deadline = time.monotonic() + 120
        while not ready() and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=120)
        return self.process.returncode, errors

    def close(self) -> None:
        """Ends it whatever happened."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def start() -> Iterator[Callable[..., Job]]:
    jobs: list[Job] = []

    def make(*words: object) -> Job:
        jobs.append(Job(*words))
        return jobs[-1]

    yield make
    for job in jobs:
        job.close()


def after(seconds: float, ready: Callable[[], bool] = lambda: True) -> Callable[[], bool]:
    """So long after `ready` first said so."""
    since: list[float] = []

    def look() -> bool:
        if not since and ready():
            since.append(time.monotonic())
        return bool(since) and time.monotonic() - since[0] >= seconds

    return look


def files(folder: Path, count: int) -> Callable[[], bool]:
    return lambda: folder.is_dir() and sum(1 for p in folder.rglob("*.wav") if not p.name.startswith(".")) >= count


def assert_whole(folder: Path) -> int:
    """Every file under a final name can be read whole; returns how many sounds there are."""
    found = [path for path in folder.rglob("*.wav") if not path.name.startswith(".")]
    for path in found:
        audio, _ = soundfile.read(path)
        assert len(audio) == soundfile.info(path).frames > 0
    return len(found)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (signal.SIGINT, 5),
        (signal.SIGKILL, 5),
        pytest.param(signal.SIGTERM, 5, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 0, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, 0, marks=pytest.mark.slow),
    ],
)
def test_generate(number: int, written: int, start: Callable[..., Job], tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job = start("generate", tiny.file, "-n", 100, "--out", out)
    before = tiny.file.read_bytes()
    code, errors = job.when(files(out, written) if written else after(0.3), number)
    if code != 0:  # a fast machine may be through
        assert code == (-9 if number == signal.SIGKILL else 130), errors
    assert "Traceback" not in errors
    assert number == signal.SIGKILL or code == 0 or errors.strip().endswith("interrupted")
    assert_whole(out)
    if number != signal.SIGKILL and out.exists():
        assert not [p for p in out.iterdir() if p.name.startswith(".")]
    assert tiny.file.read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_reconstruct(number: int, start: Callable[..., Job], many: Path, tiny: Tiny, tmp_path: Path) -> None:
    before = hashes(many)
    job = start("reconstruct", tiny.file, many, "--out", tmp_path / "out")
    code, errors = job.when(files(tmp_path / "out", 3), number)
    assert code == (-9 if number == signal.SIGKILL else 130), errors
    assert "Traceback" not in errors
    assert 3 <= assert_whole(tmp_path / "out") < 80
    assert hashes(many) == before
    again = start("reconstruct", tiny.file, many, "--out", tmp_path / "out")  # what is there is kept
    _, errors = again.process.communicate(timeout=120)
    assert again.process.returncode == 2
    assert "exists already" in errors


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, 0.02),
        (signal.SIGKILL, 0.05),
        pytest.param(signal.SIGINT, 0.0, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 0.15, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, 0.15, marks=pytest.mark.slow),
    ],
)
def test_prepare(number: int, moment: float, start: Callable[..., Job], many: Path, tmp_path: Path) -> None:
    before, out = hashes(many), tmp_path / "corpus"
    job = start("prepare", many, "--out", out)
    code, errors = job.when(after(moment, (tmp_path / ".corpus.partial").exists), number)
    assert code in (0, -9 if number == signal.SIGKILL else 130), errors
    assert "Traceback" not in errors
    assert hashes(many) == before
    if code:
        assert not is_corpus(out)
        if number == signal.SIGINT:
            assert not list(tmp_path.iterdir())
        again = start("prepare", many, "--out", out)
        again.process.communicate(timeout=120)
        assert again.process.returncode == 0
    assert len(Corpus.open(out)) == 80
    assert [p.name for p in tmp_path.iterdir()] == ["corpus"]


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_doctor(number: int, start: Callable[..., Job], many: Path) -> None:
    before = hashes(many)
    code, errors = start("doctor", many).when(after(0.15), number)
    assert code in (0, -9 if number == signal.SIGKILL else 130), errors
    assert "Traceback" not in errors
    assert hashes(many) == before


STAGES: dict[str, Callable[[Path], Callable[[], bool]]] = {
    "start": lambda work: work.exists,
    "prepared": lambda work: (work / "corpus" / "corpus.json").exists,
    "plan": lambda work: (work / "plan.json").exists,
    "encoded": lambda work: (work / "images.json").exists,
    "codec": lambda work: (work / "codec.pt").exists,
    "training": lambda work: after(0.6, (work / "codec.pt").exists),
    "trained": lambda work: (work / "checkpoint.pt").exists,
}


@pytest.mark.parametrize(
    ("number", "stages"),
    [
        (signal.SIGKILL, ["plan", "training"]),
        pytest.param(signal.SIGINT, ["encoded"], marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, list(STAGES), marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, list(STAGES), marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, list(STAGES), marks=pytest.mark.slow),
    ],
)
def test_train_is_resumed(number: int, stages: list[str], start: Callable[..., Job], tiny: Tiny, tmp_path: Path) -> None:
    """Ended at one stage after the other, at last it is there."""
    out, work = tmp_path / "x.safetensors", tmp_path / "x.training"
    before = hashes(tiny.folder)
    words = ["train", tiny.folder, "--out", out, "--minutes", 0.04, "--device", "cpu", *SET]
    for turn, stage in enumerate(stages):
        job = start(*words, *(["--resume"] if turn else []))
        code, errors = job.when(STAGES[stage](work), number)
        assert code == (-9 if number == signal.SIGKILL else 130), errors
        assert "Traceback" not in errors
        assert not out.exists()
        assert work.is_dir()
    job = start(*words, "--resume")
    _, errors = job.process.communicate(timeout=150)
    assert job.process.returncode == 0, errors
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.log.jsonl", "x.safetensors"]
    assert len(timbrespace.load(out).generate(2)) == 2
    assert hashes(tiny.folder) == before


@pytest.mark.slow
def test_interrupted_while_it_starts(tiny: Tiny, tmp_path: Path) -> None:
    """The real command, interrupted at any moment after Python itself is up: a word, never a traceback."""
    code = (
        "import sys\nfrom timbrespace.cli.main import main\nprint('up', file=sys.stderr, flush=True)\n"
        "sys.exit(main(['generate', sys.argv[1], '--out', sys.argv[2], '-n', '200']))"
    )
    for delay in (0.05, 0.3, 0.8, 1.5):
        words = [sys.executable, "-c", code, str(tiny.file), str(tmp_path / f"{delay}")]
        process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert process.stderr is not None
        assert process.stderr.readline() == "up\n"
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        assert process.returncode in (0, 130), errors
        assert "Traceback" not in errors, errors
        assert_whole(tmp_path / f"{delay}")
