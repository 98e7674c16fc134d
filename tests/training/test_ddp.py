"""Several processes learn one model: what the devices may be, who takes which rows, and the same course as one process."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import timbrespace
from shell import Shell
from timbrespace.contracts import ConfigError
from timbrespace.training import distributed
from timbrespace.training import train as training
from timbrespace.training.distributed import (
    broadcast,
    check_compiler,
    is_first,
    make_fabric,
    rank_noise,
    rank_rows,
    rank_zero_first,
    rank_zero_only,
)
from tiny import Tiny, tensors_of

SMALL = ("model.encoder=[16]", "model.decoder=[16]", "model.dims=4", "training.batch=16", "training.learning_rate=1e-2")
SETS = [word for change in SMALL for word in ("--set", change)]


# --- options ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"precision": "8"}, "allowed are 32, 16-mixed, bf16-mixed"),
        ({"precision": "16-mixed"}, "16-mixed needs a GPU"),
        ({"devices": 0}, "devices is 0"),
        ({"nodes": -1}, "num-nodes is -1"),
    ],
)
def test_impossible_devices_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_fabric("cpu", **options)


def test_more_devices_than_the_machine_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="devices is 2, this machine has 1"):
        make_fabric("cuda", devices=2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ConfigError, match="mps is one device"):
        make_fabric("mps", devices=2)


def test_a_batch_must_be_shared_evenly(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    words = ["train", tiny.corpus, "--out", tmp_path / "x.safetensors", "--device", "cpu", "--devices", 3]
    assert "must be a multiple of 3" in shell(*words, "--set", "training.batch=16", code=2)
    assert not list(tmp_path.iterdir())


def test_compiling_is_refused_where_it_cannot_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(distributed.shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match=r"there is no C\+\+ compiler \(c\+\+, g\+\+"):
        check_compiler(make_fabric("cpu"))
    with pytest.raises(ConfigError, match="2 devices share a batch"):
        check_compiler(SimpleNamespace(world_size=2, device=torch.device("cpu")))  # type: ignore[arg-type]


@pytest.mark.parametrize("compiled", [True, False])
def test_models_are_compiled_when_asked(compiled: bool, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.nn.Module] = []
    monkeypatch.setattr(torch, "compile", lambda model: seen.append(model) or model)
    monkeypatch.setattr(training, "check_compiler", lambda fabric: None)
    changes = (*SMALL, f"training.compiled={str(compiled).lower()}")
    training.train(tiny.corpus, tmp_path / "x.safetensors", preset="dense", changes=changes, epochs=1, device="cpu")
    assert bool(seen) == compiled


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="no C++ compiler here")
def test_a_compiled_model_reaches_the_error_of_one_that_is_not(tiny: Tiny, shell: Shell, tmp_path: Path) -> None:
    errors = []
    for compiled in ("false", "true"):
        out = tmp_path / f"{compiled}.safetensors"
        options = ["--preset", "dense", *SETS, "--set", f"training.compiled={compiled}", "--epochs", "40", "--device", "cpu"]
        errors.append(shell.json("train", tiny.corpus, "--out", out, *options)["card"]["training"]["validation_error"])
    assert errors[1] == pytest.approx(errors[0], rel=0.1)  # draws of its own


# --- shares of the work -----------------------------------------------------------------------------------------------------------


def test_processes_share_all_rows_of_a_batch() -> None:
    rows = torch.arange(100, 112)
    for world in (1, 3):
        parts = [rank_rows(rows, SimpleNamespace(world_size=world, global_rank=rank)) for rank in range(world)]  # type: ignore[arg-type]
        assert torch.equal(torch.cat(parts), rows)


def test_several_processes_draw_the_noise_of_one() -> None:
    def drawn(world: int, rank: int) -> list[torch.Tensor]:
        torch.manual_seed(5)
        share = 12 // world
        fabric: Any = SimpleNamespace(world_size=world, global_rank=rank)
        with rank_noise(fabric, share):
            noise = [torch.randn(share, 7), torch.rand((share, 2, 3)), torch.randn(torch.Size([share]))]
            return [*noise, torch.nn.Dropout(0.3)(torch.full((share, 5), 2.0)), torch.nn.Dropout(0.3).eval()(noise[0])]

    one, three = drawn(1, 0), [drawn(3, rank) for rank in range(3)]
    for k, whole in enumerate(one):
        assert torch.equal(torch.cat([parts[k] for parts in three]), whole)
    fabric: Any = SimpleNamespace(world_size=3, global_rank=1)
    with rank_noise(fabric, 4):
        assert torch.randn(5, 2).shape == (5, 2)  # not for the sounds of a batch


def test_models_draw_noise_only_by_functions_that_processes_share() -> None:
    """Drawn otherwise, noise would be the same for the slices of all processes, and nothing else would show it."""
    others = re.compile(r"randn_like|rand_like|torch\.normal|bernoulli\(|multinomial|poisson|\.(normal|uniform|exponential|bernoulli)_\(")
    for path in sorted((Path(timbrespace.__file__).parent / "model").rglob("*.py")):
        assert not others.search(path.read_text(encoding="utf-8")), path


def test_a_single_process_runs_the_work_itself() -> None:
    fabric = make_fabric("cpu")
    assert broadcast(fabric, lambda: ((1.0, 2.0), {"a": 3.0})) == ((1.0, 2.0), {"a": 3.0})
    done: list[int] = []
    rank_zero_only(fabric, lambda: done.append(1))
    assert done == [1]
    assert rank_zero_first(fabric, lambda: 3) == 3
    with pytest.raises(ConfigError, match="as it was"):
        rank_zero_only(fabric, lambda: (_ for _ in ()).throw(ConfigError("as it was")))


def test_only_the_first_process_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    assert is_first()
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert is_first()
    monkeypatch.setenv("NODE_RANK", "1")
    assert not is_first()


def test_half_precision_lowers_the_error(tiny: Tiny, tmp_path: Path) -> None:
    import timbrespace

    out = tmp_path / "x.safetensors"
    drawn = (*SMALL, "training.initialisation=random")  # else there is little left to learn at such a rate
    made = timbrespace.train(tiny.corpus, out, preset="dense", changes=drawn, epochs=20, device="cpu", precision="bf16-mixed")
    assert made.card["training"]["device"] == "cpu, bf16-mixed"
    curve = made.card["training"]["curve"]["train"]
    assert curve[-1] < curve[0]
    assert all(tensor.dtype != torch.bfloat16 for tensor in tensors_of(out).values())


# --- two processes on one CPU -----------------------------------------------------------------------------------------------------


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "timbrespace", *map(str, words), "--device", "cpu"]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def curve_of(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in out.with_name(f"{out.stem}.log.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("bottleneck", "tolerance"), [("plain", 1e-3), ("gaussian", 1e-3)])
def test_two_processes_train_like_one(bottleneck: str, tolerance: float, tiny: Tiny, tmp_path: Path) -> None:
    words = ["train", tiny.corpus, "--preset", "dense", "--epochs", 150, "--set", f"model.bottleneck={bottleneck}", *SETS]
    words += ["--set", "training.learning_rate=1e-3"]  # at a higher one rounding grows to more than that
    runs = {}
    for devices in (1, 2):
        out = tmp_path / f"{devices}.safetensors"
        runs[devices] = subprocess.run(
            command(*words, "--out", out, "--devices", devices), capture_output=True, text=True, timeout=300, env=environment()
        )
        assert runs[devices].returncode == 0, runs[devices].stderr
    one, two = curve_of(tmp_path / "1.safetensors"), curve_of(tmp_path / "2.safetensors")
    assert [row["step"] for row in one] == [row["step"] for row in two]
    for name in ("train", "validation"):
        assert [row[name] for row in one] == pytest.approx([row[name] for row in two], rel=tolerance)
    assert one[-1]["train"] != pytest.approx(one[0]["train"], rel=0.02)  # the parameters have moved
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.log.jsonl", "1.safetensors", "2.log.jsonl", "2.safetensors"]
    card = json.loads(subprocess.run(command("info", tmp_path / "2.safetensors", "--json")[:-2], capture_output=True, text=True).stdout)
    assert "cpu × 2" in json.dumps(card, ensure_ascii=False)
    assert runs[2].stdout.count("Next: ") == 1  # one speaks for both
    assert "training …" in runs[2].stderr
    assert len(runs[2].stderr.splitlines()) == len(runs[1].stderr.splitlines())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_error_ends_both_processes_and_is_printed_once(tiny: Tiny, tmp_path: Path) -> None:
    one = tiny.corpus.parent / "none at all"
    told = subprocess.run(
        command("train", one, "--out", tmp_path / "x.safetensors", "--devices", 2, *SETS[6:]),
        capture_output=True, text=True, timeout=300, env=environment(),
    )  # fmt: skip
    assert told.returncode == 2, told.stderr
    assert told.stderr.count("error: ") == 1
    assert "Traceback" not in told.stderr


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_two_killed_processes_leave_a_run_to_resume(number: int, tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    words = ["train", tiny.corpus, "--preset", "dense", "--epochs", 3000, "--set", "training.patience=10000", *SETS, "--devices", 2]
    job = subprocess.Popen(command(*words, "--out", out), stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True)
    deadline = time.monotonic() + 100
    while not (tmp_path / "x.log.jsonl").exists() and time.monotonic() < deadline and job.poll() is None:
        time.sleep(0.05)
    job.send_signal(number)
    _, errors = job.communicate(timeout=60)  # ends only when both have left: they share the pipe
    assert job.returncode == (-9 if number == signal.SIGKILL else 130), errors
    assert "Traceback" not in errors
    assert (tmp_path / "x.training" / "plan.json").exists()
    assert not out.exists()
    wrong = subprocess.run(
        command(*words[:-1], 1, "--out", out, "--resume"), capture_output=True, text=True, timeout=300, env=environment()
    )
    assert wrong.returncode == 2
    assert "the devices of the run" in wrong.stderr
