"""What learning costs is measured, and turned into steps that fit the time asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from timbrespace.config.presets import load_preset
from timbrespace.config.schema import Training
from timbrespace.model.base import Model
from timbrespace.training import calibration
from timbrespace.training.calibration import CHECKS, FEWEST_BETWEEN, Cost, affordable_steps, affordable_variations, measure_cost
from timbrespace.training.data.clip_dataset import ClipDataset
from timbrespace.training.data.sounds import InMemory, batches_of
from timbrespace.training.distributed import make_fabric


@given(
    step=st.floats(1e-4, 20.0), evaluation=st.floats(0.0, 1.0), seconds=st.floats(1.0, 1e5), checked=st.integers(1, 2_000)
)  # fmt: skip
def test_steps_and_checks_fit_into_the_time(step: float, evaluation: float, seconds: float, checked: int) -> None:
    steps, every = affordable_steps(Cost(step, evaluation), seconds, checked=checked)
    checks = steps / every
    fewest, _ = affordable_steps(Cost(step, evaluation), 0.0, checked=checked)
    assert steps == fewest or steps * step + checks * evaluation * checked <= seconds * (1 + 1e-9)
    assert every >= FEWEST_BETWEEN
    assert checks <= 1.4 * CHECKS  # rarer checks leave time for more steps


def test_cheap_checks_are_sixty_and_use_all_the_time() -> None:
    steps, every = affordable_steps(Cost(0.1, 1e-6), 600.0, checked=300)
    assert steps == pytest.approx(6_000, rel=0.001)
    assert steps // every == CHECKS


def test_expensive_checks_are_few() -> None:
    free, every = affordable_steps(Cost(1.0, 0.0), 1_000.0, checked=300)
    dear, rarer = affordable_steps(Cost(1.0, 0.1), 1_000.0, checked=300)  # 30 s a check
    assert rarer > every
    assert dear / rarer >= 6
    assert dear > 0.7 * free


class _Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.mark.parametrize(("step", "runs"), [(0.02, 4), (2.0, 1), (0.5, 2)])
def test_the_cost_is_measured_with_fewer_runs_for_slow_models(monkeypatch: pytest.MonkeyPatch, step: float, runs: int) -> None:
    clock, seen = _Clock(), list[int]()

    def run(model: Model, *some: object, steps: int, **more: object) -> None:
        seen.append(steps)
        clock.now += steps * step

    def measured(model: Model, sounds: object, count: int, device: object) -> None:
        clock.now += count * 0.03

    monkeypatch.setattr(calibration, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    monkeypatch.setattr(calibration, "fit_model", run)
    monkeypatch.setattr(calibration, "evaluate", measured)
    sounds = InMemory(torch.zeros(40, 3), torch.ones(40, dtype=torch.int64))
    found = measure_cost(
        cast("Model", nn.Linear(1, 1)), sounds, sounds, load_preset("oneshot", minutes=3).training, make_fabric("cpu"), seed=0
    )  # fmt: skip
    assert found.step == pytest.approx(step)
    assert found.evaluation == pytest.approx(0.03)
    assert len(seen) == runs


@pytest.mark.parametrize("cells", [1, 320, 133_250, 10_000_000])
def test_batches_hold_every_sound_once_and_never_too_many_values(cells: int) -> None:
    class Wide:
        """700 sounds of so many cells that take no memory."""

        def __len__(self) -> int:
            return 700

        def __getitem__(self, rows: torch.Tensor) -> Any:
            return InMemory(torch.zeros(1).expand(700, cells), torch.arange(700))[rows] if cells < 1_000 else _thin(rows, cells)

    rows, largest = [], 0
    for batch in batches_of(Wide(), 600):
        rows += batch.lengths.tolist()
        largest = max(largest, len(batch.lengths))
    assert rows == list(range(600))
    assert largest == (256 if cells <= 8_192 else max(1, 2**21 // cells))


def _thin(rows: torch.Tensor, cells: int) -> Any:
    from timbrespace.model.base import Batch

    return Batch(torch.zeros(1).expand(len(rows), cells), rows)


@pytest.mark.parametrize(
    ("clips", "changes", "expected"),
    [
        (40, {}, 103),  # 4096 / 40, rounded up
        (10, {}, 256),
        (1_000, {}, 11),  # 12,000 examples in all
        (40, {"variations": 1, "fewest_variations": 0}, 1),
        (40, {"variations": 1, "fewest_variations": 100}, 3),
        (40, {"variations": 0}, 0),
        (40, {"variations": 16, "fewest_variations": 0, "examples": 400}, 9),
    ],
)
def test_variations_of_each_clip(clips: int, changes: dict[str, int], expected: int) -> None:
    some = cast(ClipDataset, SimpleNamespace(clips=list(range(clips))))
    assert affordable_variations(some, Training(epochs=1, **changes)) == expected
