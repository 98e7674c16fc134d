"""The learning-rate range test, and the log of a training."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from shell import Shell
from timbrespace.contracts import ConfigError, OutputExistsError
from timbrespace.corpus.corpus import Corpus
from timbrespace.model.base import Batch
from timbrespace.training.distributed import make_fabric
from timbrespace.training.find_lr import Curve, find_lr, range_test
from timbrespace.training.log import Board, checks, log_path, write_log
from timbrespace.training.loop import History
from timbrespace.training.train import Report, StopTraining, TrainingContext, train
from tiny import Tiny, hashes

SMALL = ("model.encoder=[8]", "model.decoder=[8]", "training.batch=16")
SETS = [word for change in SMALL for word in ("--set", change)]

# --- looking for a rate -----------------------------------------------------------------------------------------------------------


class Slope(torch.nn.Module):
    """One number that is to become 3; the loss is its squared error times `steep`."""

    def __init__(self, steep: float, *, moves: bool = True):
        super().__init__()
        self.x = torch.nn.Parameter(torch.zeros(1))
        self.steep, self.moves = steep, moves

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        x = self.x if self.moves else self.x * 0 - 1 - 0 * self.x
        return {"reconstruction": self.steep * (x - 3).square().mean()}


class Ones:
    def __len__(self) -> int:
        return 4

    def __getitem__(self, rows: torch.Tensor) -> Batch:
        return Batch(torch.ones(len(rows), 1), torch.ones(len(rows)))


def lesson(model: Any) -> TrainingContext:
    from timbrespace.config.presets import load_preset

    return TrainingContext(model, Ones(), Ones(), load_preset("dense"), make_fabric("cpu"))


def test_the_steepest_rate_is_found_and_the_model_stays() -> None:
    model = Slope(1.0)
    curve = range_test(lesson(model), steps=200, seed=0, high=1000.0)
    assert curve.rates[0] == 1e-6
    assert curve.steepest is not None
    # AdamW moves by about the rate a step: the sum of rates up to there is about the way of 3.
    assert 1e-2 < curve.steepest < 1.0
    assert curve.blown is not None
    assert curve.tenth == curve.blown / 10
    assert float(model.x.detach()) == 0
    again = range_test(lesson(model), steps=200, seed=0, high=1000.0)
    assert again == curve


def test_no_suggestion_where_nothing_is_learned() -> None:
    curve = range_test(lesson(Slope(1.0, moves=False)), steps=50, seed=0)
    assert (curve.steepest, curve.blown, curve.tenth) == (None, None, None)
    assert "no suggestion" in curve.lines()[-1]
    rising = Curve([1e-3, 1e-2, 1e-1], [1.0, 1.0, 0.5], 0.01, None)
    assert "did not blow up under 0.1" in rising.lines()[-1]


def test_a_loss_that_never_falls_is_told_with_what_is_known() -> None:
    flat = Curve([1e-4, 1e-3, 1e-2], [1.0, 1.0, 5.0], None, 1e-2).lines()
    assert "training.start=random" in flat[-2]
    assert flat[-1] == "a tenth of where it blew up (0.01): 0.001"
    assert "never fell" in Curve([1e-4, 1e-3], [1.0, 1.0], None, None).lines()[-1]


def test_at_the_command_line(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    words = ["train", tiny.corpus, "--preset", "dense", "--find-lr", "--device", "cpu", *SETS, "--set", "training.start=random"]
    before = hashes(tiny.corpus)
    text = shell(*words, "--out", tmp_path / "x.safetensors")
    assert "steepest descent: " in text
    assert len([line for line in text.splitlines() if line.startswith(" ") and "e-" in line]) >= 10
    assert (tmp_path / "x.lr.png").read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in tmp_path.iterdir()] == ["x.lr.png"]  # nothing is trained
    assert "exists already" in shell(*words, "--out", tmp_path / "x.safetensors", code=2)
    report = shell.json(*words)
    assert len(report["rates"]) == len(report["losses"]) > 20
    assert report["rates"] == sorted(report["rates"])
    assert hashes(tiny.corpus) == before
    assert "--out is missing" in shell("train", tiny.corpus, code=2)
    with pytest.raises(ConfigError, match="at least 20"):
        find_lr(tiny.corpus, steps=3)


# --- ending a training early ------------------------------------------------------------------------------------------------------


def test_a_stopped_training_leaves_only_its_log(tiny: Tiny, tmp_path: Path) -> None:
    def watch(report: Report) -> None:
        if report.stage == "train" and report.done:
            assert report.epoch > 0
            raise StopTraining

    out, encoded = tmp_path / "x.safetensors", tmp_path / "kept"
    options: dict[str, Any] = {"preset": "dense", "changes": SMALL, "epochs": 20, "device": "cpu", "encoded": encoded}
    with pytest.raises(StopTraining):
        train(Corpus.open(tiny.corpus), out, **options, watch=watch)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept", "x.log.jsonl"]
    (kept,) = encoded.iterdir()
    made = (kept / "images.f16").stat().st_mtime_ns
    with pytest.raises(StopTraining):
        train(Corpus.open(tiny.corpus), out, **options, watch=watch, force=True)
    assert (kept / "images.f16").stat().st_mtime_ns == made  # encoded once
    with pytest.raises(StopTraining):
        train(Corpus.open(tiny.corpus), out, **options | {"changes": (*SMALL, "representation.bands=32")}, watch=watch, force=True)
    (other,) = encoded.iterdir()
    assert other != kept


# --- the log ----------------------------------------------------------------------------------------------------------------------


def test_log(tmp_path: Path) -> None:
    history = History([10, 20], [2.0, 1.0], [3.0, 2.5], [0.1, 0.2], figures={"used": [4.0, float("nan")]})
    path = log_path(tmp_path / "my x.safetensors")
    assert path.name == "my x.log.jsonl"
    for _ in range(2):  # written anew, not appended
        write_log(path, history, epochs_a_step=0.1)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == [
        {"step": 10, "epoch": 1.0, "train": 2.0, "validation": 3.0, "kl": 0.1, "used": 4.0},
        {"step": 20, "epoch": 2.0, "train": 1.0, "validation": 2.5, "kl": 0.2, "used": None},
    ]
    assert list(checks(History(), epochs_a_step=1.0)) == []


def test_a_log_is_kept_like_an_instrument(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "x.log.jsonl").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"x\.log\.jsonl exists already"):
        train(tiny.corpus, tmp_path / "x.safetensors", device="cpu")
    assert [p.name for p in tmp_path.iterdir()] == ["x.log.jsonl"]


def test_tensorboard(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str, int]] = []

    class Writer:
        def __init__(self, folder: str):
            seen.append(("folder", folder, 0))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            seen.append(("scalar", name, step))

        def add_audio(self, name: str, audio: torch.Tensor, step: int, *, sample_rate: int) -> None:
            assert audio.shape[0] == 1
            assert sample_rate == 44_100
            seen.append(("audio", name, step))

        def add_image(self, name: str, image: torch.Tensor, step: int, *, dataformats: str) -> None:
            assert image.shape[0] == 513
            assert 0 <= float(image.min()) <= float(image.max()) == 1
            seen.append(("image", name, step))

        def flush(self) -> None:
            pass

        def close(self) -> None:
            seen.append(("close", "", 0))

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    out = tmp_path / "x.safetensors"
    train(tiny.corpus, out, preset="dense", changes=SMALL, epochs=10, device="cpu", tensorboard=tmp_path / "board")
    assert seen[0] == ("folder", str(tmp_path / "board" / "x"), 0)
    assert seen[-1][0] == "close"
    steps = [json.loads(line)["step"] for line in log_path(out).read_text().splitlines()]
    assert steps
    assert [step for kind, name, step in seen if (kind, name) == ("scalar", "validation")] == steps
    for kind in ("audio", "image"):
        assert {f"{group}/0" for group in ("original", "copy", "new")} <= {name for what, name, _ in seen if what == kind}
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"timbrespace\[tensorboard\]"):
        Board(tmp_path)
