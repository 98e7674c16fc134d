"""The learning-rate range test."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

from shell import Shell
from timbrespace.contracts import ConfigError
from timbrespace.model.base import Batch
from timbrespace.training.callbacks import TrainingContext
from timbrespace.training.distributed import make_fabric
from timbrespace.tuning.learning_rate import Curve, find_lr, range_test
from tiny import Tiny, hashes

SMALL = ("model.encoder=[8]", "model.decoder=[8]", "training.batch=16")
SETS = [word for change in SMALL for word in ("--set", change)]

# --- the range test ---------------------------------------------------------------------------------------------------------------


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


def context(model: Any) -> TrainingContext:
    from timbrespace.config.presets import load_preset

    return TrainingContext(model, Ones(), Ones(), load_preset("dense"), make_fabric("cpu"))


def test_the_steepest_rate_is_found_and_the_model_does_not_change() -> None:
    model = Slope(1.0)
    curve = range_test(context(model), steps=200, seed=0, high=1000.0)
    assert curve.rates[0] == 1e-6
    assert curve.steepest is not None
    # AdamW moves by about the rate a step: the sum of rates up to there is about the way of 3.
    assert 1e-2 < curve.steepest < 1.0
    assert curve.diverged is not None
    assert curve.tenth == curve.diverged / 10
    assert float(model.x.detach()) == 0
    again = range_test(context(model), steps=200, seed=0, high=1000.0)
    assert again == curve


def test_no_suggestion_where_nothing_is_learned() -> None:
    curve = range_test(context(Slope(1.0, moves=False)), steps=50, seed=0)
    assert (curve.steepest, curve.diverged, curve.tenth) == (None, None, None)
    assert "no suggestion" in curve.lines()[-1]
    rising = Curve([1e-3, 1e-2, 1e-1], [1.0, 1.0, 0.5], 0.01, None)
    assert "did not diverge up to 0.1" in rising.lines()[-1]


def test_a_loss_that_never_falls_gets_an_explanation() -> None:
    flat = Curve([1e-4, 1e-3, 1e-2], [1.0, 1.0, 5.0], None, 1e-2).lines()
    assert "training.initialisation=random" in flat[-2]
    assert flat[-1] == "a tenth of the rate at which the loss diverged (0.01): 0.001"
    assert "never fell" in Curve([1e-4, 1e-3], [1.0, 1.0], None, None).lines()[-1]


def test_at_the_command_line(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    words = ["train", tiny.corpus, "--preset", "dense", "--find-lr", "--device", "cpu", *SETS, "--set", "training.initialisation=random"]
    before = hashes(tiny.corpus)
    text = shell(*words, "--out", tmp_path / "x.safetensors")
    assert "steepest descent: " in text
    assert len([line for line in text.splitlines() if line.startswith(" ") and "e-" in line]) >= 10
    assert (tmp_path / "x.lr.png").read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in tmp_path.iterdir()] == ["x.lr.png"]  # nothing is trained
    assert "exists already" in shell(*words, "--out", tmp_path / "x.safetensors", code=2)
    following = shlex.split(text.splitlines()[-1])
    assert following[:6] == ["Next:", "timbrespace", "train", str(tiny.corpus), "--preset", "dense"]
    rate = float(text.split("steepest descent: ")[1].split()[0])
    assert [f"training.learning_rate={rate:.2g}" == word for word in following].count(True) == 1
    assert [word for word in following if "=" in word][:-1] == [*SMALL, "training.initialisation=random"]
    assert following[-4:] == ["--device", "cpu", "--out", str(tmp_path / "x.safetensors")]
    report = shell.json(*words)
    assert report["skipped"] == []
    assert len(report["rates"]) == len(report["losses"]) > 20
    assert report["rates"] == sorted(report["rates"])
    assert hashes(tiny.corpus) == before
    assert "--out is missing" in shell("train", tiny.corpus, code=2)
    with pytest.raises(ConfigError, match="at least 20"):
        find_lr(tiny.corpus, steps=3)


def test_the_next_command_keeps_what_was_given(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is one that trains: the only difference is the rate."""
    from timbrespace.tuning import learning_rate

    found = Curve([1e-3, 1e-2], [1.0, 0.5], 2e-3, None, [{"file": "a\x1b.wav", "reason": "empty"}])
    monkeypatch.setattr(learning_rate, "find_lr", lambda *_, **__: found)
    words = [
        "train",
        "my sounds",
        "--preset",
        "mine.yaml",
        "--epochs",
        20,
        "--set",
        "training.learning_rate=1",
        "--set",
        "model.encoder=[8]",
    ]
    words += ["--channels", 2, "--rule", "gong=*qq*", "--pitch-names", "off", "--device", "cpu", "--seed", 7, "--precision", "bf16-mixed"]
    lines = shell(*words, "--find-lr").splitlines()
    assert lines[-1] == (
        "Next: timbrespace train 'my sounds' --preset mine.yaml --epochs 20 --set 'model.encoder=[8]' --set training.learning_rate=0.002 "
        "--channels 2 --rule 'gong=*qq*' --pitch-names off --device cpu --seed 7 --precision bf16-mixed --out X.safetensors"
    )
    assert "skipped a\\x1b.wav: empty" in lines
    plain = shell("train", "s", "--minutes", 0.5, "--find-lr").splitlines()[-1]
    assert plain == "Next: timbrespace train s --minutes 0.5 --set training.learning_rate=0.002 --out X.safetensors"
