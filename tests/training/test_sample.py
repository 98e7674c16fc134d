"""The training clips that a check evaluates, and the ratio of errors made from it."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import pytest
import torch

from timbrespace.report.training_charts import training_charts
from timbrespace.training import loop, stages
from timbrespace.training.history import OVERFIT_LIMIT, overfit_ratio
from timbrespace.training.sample import sample_clips
from tiny import Tiny, fix_plan, quick_train


def test_every_category_has_its_share_of_the_sample() -> None:
    categories = ["bass"] * 500 + ["kick"] * 300 + [None] * 200 + ["pad"] * 100  # type: ignore[list-item]
    rows = sample_clips(categories, 220, seed=0)
    assert rows.tolist() == sorted(set(rows.tolist()))
    counts = Counter(categories[row] for row in rows)
    assert {name: abs(counts[name] - share) <= 1 for name, share in (("bass", 100), ("kick", 60), (None, 40), ("pad", 20))} == {
        "bass": True, "kick": True, None: True, "pad": True
    }  # fmt: skip


def test_without_categories_the_sample_is_spread_evenly() -> None:
    rows = sample_clips([None] * 1_000, 100, seed=3)
    assert [row // 10 for row in rows.tolist()] == list(range(100))
    assert len({row % 10 for row in rows.tolist()}) > 3  # a period of the corpus does not decide


def test_the_sample_depends_on_the_seed_alone() -> None:
    state = torch.random.get_rng_state()
    first = sample_clips(["a", "b"] * 300, 64, seed=5)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(sample_clips(["a", "b"] * 300, 64, seed=5), first)
    assert not torch.equal(sample_clips(["a", "b"] * 300, 64, seed=6), first)
    assert torch.equal(sample_clips(["b", "a", None], 3, seed=1), torch.arange(3))


@pytest.mark.parametrize(
    ("train", "validation", "ratio"), [(2.0, 3.0, 1.5), (0.0, 1.0, None), (1.0, math.inf, None), (math.nan, 1.0, None)]
)  # fmt: skip
def test_the_overfit_ratio_divides_errors(train: float, validation: float, ratio: float | None) -> None:
    assert overfit_ratio(train, validation) == ratio


def test_the_alarm_is_that_of_source_b_in_root_mean_squares() -> None:
    assert pytest.approx(1.3, abs=0.01) == OVERFIT_LIMIT**2
    curve = {"step": [0, 10], "train": [1, 1], "validation": [1, 1.2], "kl": [0, 0]}
    assert f"{OVERFIT_LIMIT}: overfitting" in "".join(str(chart) for chart in training_charts({"curve": curve}, kl_unit="nats"))


def test_every_check_evaluates_the_sample(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tensors do not depend on the sample, the training error does; the card, the log and the ratio agree."""
    files, seen = [], list[list[int]]()
    evaluate = loop.evaluate

    def noted(model: object, sounds: object, rows: object, device: object) -> object:
        if isinstance(rows, torch.Tensor):
            seen.append(rows.tolist())
        return evaluate(model, sounds, rows, device)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "evaluate", noted)
    fix_plan(monkeypatch)
    for most in (4, 256):
        monkeypatch.setattr(stages, "CHECKED_CLIPS", most)
        files.append(quick_train(tiny.corpus, tmp_path / f"{most}.safetensors"))
    few = [rows for rows in seen if len(rows) == 4]
    assert len(few) > 1
    assert few == few[:1] * len(few)
    assert few[0] != [0, 1, 2, 3]
    small, large = files
    assert all(torch.equal(tensor, large.model.state_dict()[name]) for name, tensor in small.model.state_dict().items())
    for instrument, most in zip(files, (4, 256), strict=True):
        training = instrument.card["training"]
        log = [json.loads(line) for line in (tmp_path / f"{most}.log.jsonl").read_text().splitlines()]
        best = next(row for row in log if row["step"] == training["best_step"])
        assert training["overfit_ratio"] == overfit_ratio(best["train"], best["validation"])
    assert small.card["training"]["train_error"] != large.card["training"]["train_error"]
