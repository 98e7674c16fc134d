"""Ending a training early, the log of a training, and TensorBoard."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from timbrespace.contracts import ConfigError, CorpusError, OutputExistsError, TimbrespaceError
from timbrespace.corpus.corpus import Corpus
from timbrespace.training.callbacks import Progress, StopTraining, TrainingCallbacks
from timbrespace.training.history import History
from timbrespace.training.log import TensorBoard, log_path, write_log
from timbrespace.training.train import train
from tiny import Tiny

SMALL = ("model.encoder=[8]", "model.decoder=[8]", "training.batch=16")

# --- ending a training early ------------------------------------------------------------------------------------------------------


def test_a_stopped_training_leaves_only_its_log(tiny: Tiny, tmp_path: Path) -> None:
    def watch(progress: Progress) -> None:
        if progress.stage == "train" and progress.done:
            assert progress.epoch > 0
            raise StopTraining

    callbacks = TrainingCallbacks(on_progress=watch)
    out, encoded = tmp_path / "x.safetensors", tmp_path / "kept"
    options: dict[str, Any] = {"preset": "dense", "changes": SMALL, "epochs": 20, "device": "cpu", "encoded": encoded}
    with pytest.raises(StopTraining):
        train(Corpus.open(tiny.corpus), out, **options, callbacks=callbacks)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept", "x.log.jsonl"]
    (kept,) = encoded.iterdir()
    made = (kept / "images.f16").stat().st_mtime_ns
    with pytest.raises(StopTraining):
        train(Corpus.open(tiny.corpus), out, **options, callbacks=callbacks, force=True)
    assert (kept / "images.f16").stat().st_mtime_ns == made  # encoded once
    with pytest.raises(StopTraining):
        train(
            Corpus.open(tiny.corpus),
            out,
            **options | {"changes": (*SMALL, "representation.bands=32")},
            callbacks=callbacks,
            force=True,
        )
    (other,) = encoded.iterdir()
    assert other != kept


# --- the log ----------------------------------------------------------------------------------------------------------------------


def test_the_log_has_a_row_for_every_check(tmp_path: Path) -> None:
    history = History([10, 20], [2.0, 1.0], [3.0, 2.5], [0.1, 0.2], metrics={"used": [4.0, float("nan")]})
    path = log_path(tmp_path / "my x.safetensors")
    assert path.name == "my x.log.jsonl"
    for _ in range(2):  # written anew, not appended
        write_log(path, history, epochs_per_step=0.1)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == [
        {"step": 10, "epoch": 1.0, "train": 2.0, "validation": 3.0, "kl": 0.1, "used": 4.0},
        {"step": 20, "epoch": 2.0, "train": 1.0, "validation": 2.5, "kl": 0.2, "used": None},
    ]
    assert list(History().rows(epochs_per_step=1.0)) == []


def test_an_existing_log_is_not_replaced(tiny: Tiny, tmp_path: Path) -> None:
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
        assert {f"{group}/0" for group in ("original", "reconstruction", "new")} <= {name for what, name, _ in seen if what == kind}
    seen.clear()
    (tmp_path / "empty").mkdir()
    options: dict[str, Any] = {"device": "cpu", "tensorboard": tmp_path / "new" / "board"}
    with pytest.raises(CorpusError, match="no sound files"):
        train(tmp_path / "empty", tmp_path / "y.safetensors", **options)
    assert seen == []  # a training that never began writes nothing
    (tmp_path / "file").write_text("mine")
    with pytest.raises(TimbrespaceError, match=r"file is a file; give another one to --tensorboard"):
        train(tiny.corpus, tmp_path / "y.safetensors", **options | {"tensorboard": tmp_path / "file" / "board"})
    assert not (tmp_path / "y.training").exists()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"timbrespace\[tensorboard\]"):
        TensorBoard(tmp_path)
