"""How much work fits into the minutes of a training: measured once, then fixed in the plan."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric

from timbrespace.config.schema import Training
from timbrespace.model.base import Model
from timbrespace.parallel import Pool
from timbrespace.training.data.clip_dataset import ClipDataset, encode_rows
from timbrespace.training.data.sounds import InMemory, Sounds
from timbrespace.training.data.synthesised import COPIES
from timbrespace.training.distributed import broadcast
from timbrespace.training.loop import NullCheckpoints, evaluate, fit_model

CHECKS, FEWEST_BETWEEN = 60, 10  # checks in a whole run; fewest steps between two checks
_FEWEST_STEPS = 20
_CHECK_SHARE, _FEWEST_CHECKS = 0.25, 6  # a check takes at most this share of the time of the steps between, but there are this many

_ENCODING_SHARE = 0.25  # of the time, for variations and the linear codec
_SYNTHESIS_SHARE = 0.15  # of the time, for synthesised sounds
_CLOSING_SECONDS, _CLOSING_SHARE = 30.0, 0.2  # for latents, map and card of a thousand clips (measured: 27 to 33 s); at most this share
_LEARNING_SHARE = 0.1  # of the time, for steps, at least

_TIMED_SOUNDS = 8  # synthesised sounds, to measure their cost
_TIMED_ROWS = 48  # variations, to measure their cost
_FIRST_STEPS, _RUNS, _RUN_STEPS = 2, 3, 20  # steps of the first timed run; number of further runs, and their steps
_RUNS_SHARE, _RUNS_SECONDS = 0.1, 3.0  # of the time, or seconds, within which a further run is timed


def affordable_variations(clips: ClipDataset, settings: Training) -> int:
    """The number of variations of each clip, 0 if `settings.variations` is 0.

    `settings.variations` is raised to `settings.fewest_variations` / clips where that is more, at most 256. Then it is lowered until
    clips and variations together are at most `settings.examples` (clips are always kept; synthesised sounds do not count), and, unless
    epochs are given, by the time.
    """
    count = len(clips.clips)
    # Few clips need more variations each to fill the space around them.
    wanted = max(settings.variations, min(256, math.ceil(settings.fewest_variations / count))) if settings.variations else 0
    room = max(0, settings.examples // count - 1)
    if settings.epochs is not None:
        return min(wanted, room)
    affordable = int(settings.minutes * 60 * _ENCODING_SHARE / _seconds_per_row(clips) / count) - 1
    return max(0, min(wanted, room, max(1, affordable)))


def _seconds_per_row(clips: ClipDataset) -> float:
    """Measured seconds to encode one row on all threads, over variations spread over the corpus."""
    count = len(clips.clips)
    rows = [count + int(k * count / _TIMED_ROWS) for k in range(_TIMED_ROWS)]
    with Pool(torch.get_num_threads()) as pool:
        encode_rows(clips, rows[:4], pool)  # the first calls include set-up
        start = time.perf_counter()
        encode_rows(clips, rows, pool)
        return (time.perf_counter() - start) / _TIMED_ROWS


def affordable_synthesised(sounds: ClipDataset, settings: Training) -> int:
    """The number of synthesised sounds: all of `sounds`, unless epochs count limited by the time."""
    wanted = len(sounds.clips)
    if settings.epochs is not None or not wanted:
        return wanted
    timed = ClipDataset(
        sounds.corpus, list(range(_TIMED_SOUNDS)), sounds.representation, sounds.model, samples=sounds.samples, seed=0
    )  # fmt: skip
    with Pool(torch.get_num_threads()) as pool:
        encode_rows(timed, [0, 1], pool)  # the first calls include set-up
        start = time.perf_counter()
        encode_rows(timed, list(range(2, _TIMED_SOUNDS)), pool)
        rendered = time.perf_counter()
        encode_rows(timed, list(range(_TIMED_SOUNDS, 2 * _TIMED_SOUNDS)), pool)
        seconds = (rendered - start) / (_TIMED_SOUNDS - 2) + (COPIES - 1) * (time.perf_counter() - rendered) / _TIMED_SOUNDS
    return min(wanted, int(settings.minutes * 60 * _SYNTHESIS_SHARE / seconds))


@dataclass(frozen=True)
class Cost:
    """Seconds of one optimiser step, and of the evaluation of one sound."""

    step: float
    evaluation: float


def measure_cost(model: Model, sounds: Sounds, validation: Sounds, settings: Training, fabric: Fabric, *, seed: int) -> Cost:
    """The cost of training `model`, measured on copies of it: the median of a few short runs after a very short one.

    Slow models get fewer runs, down to the very short one alone.
    """
    one, times = validation[torch.arange(1)], list[float]()
    one_sound = InMemory(one.values, one.lengths, one.conditions)
    started, limit = time.perf_counter(), max(_RUNS_SECONDS, settings.minutes * 60 * _RUNS_SHARE)
    for steps in (_FIRST_STEPS, *[_RUN_STEPS] * _RUNS):
        start = time.perf_counter()
        fit_model(
            copy.deepcopy(model), sounds, checked=torch.arange(1), validation=one_sound, settings=settings, steps=steps,
            check_every=steps, seed=seed, fabric=fabric, checkpoints=NullCheckpoints(),
        )  # fmt: skip
        times.append((time.perf_counter() - start) / steps)
        (end_of_next,), _ = broadcast(fabric, lambda: ([time.perf_counter() - started + _RUN_STEPS * times[-1]], {}))
        if end_of_next > limit:
            break
    later = sorted(times[1:]) or times
    return Cost(later[len(later) // 2], measure_evaluation(model, validation, settings, fabric))


def measure_evaluation(model: Model, validation: Sounds, settings: Training, fabric: Fabric) -> float:
    """Measured seconds to evaluate one sound, on a copy of the model."""
    count, start = min(len(validation), settings.batch), time.perf_counter()
    evaluate(copy.deepcopy(model).to(fabric.device).eval(), validation, count, fabric.device)
    return (time.perf_counter() - start) / count


@dataclass(frozen=True)
class StepBudget:
    """The number of steps of a training.

    images: number of examples. checked: sounds evaluated in a check. elapsed: seconds since training began.
    """

    settings: Training
    images: int
    checked: int
    elapsed: float

    def steps(self, cost: Cost | None, *, share: float = 1.0, after: float = 0.0) -> tuple[int, int]:
        """Steps, and steps between checks, of a stage: by epochs if `cost` is None, else what fits into the minutes left.

        share: of all work, for this stage. after: seconds of work on all sounds when training is done.
        """
        if cost is None:
            assert self.settings.epochs is not None
            steps = max(1, round(share * self.settings.epochs * self.images / self.settings.batch))
            return steps, max(FEWEST_BETWEEN, steps // CHECKS)
        seconds = self.settings.minutes * 60
        closing = min(_CLOSING_SECONDS, seconds * _CLOSING_SHARE)
        left = max(seconds * _LEARNING_SHARE, seconds - self.elapsed - after - closing)
        return affordable_steps(cost, share * left, checked=self.checked)


def affordable_steps(cost: Cost, seconds: float, *, checked: int) -> tuple[int, int]:
    """Steps that fit into `seconds`, and steps between checks that evaluate `checked` sounds each.

    Checks are rarer if they would take more than a fifth of the time, but a run has a few of them.
    """
    check = cost.evaluation * checked
    every = max(FEWEST_BETWEEN, math.ceil(check / (_CHECK_SHARE * cost.step)))
    steps = int(seconds / (cost.step + check / every))
    every = max(FEWEST_BETWEEN, min(max(every, steps // CHECKS), steps // _FEWEST_CHECKS))
    return max(_FEWEST_STEPS, int(seconds / (cost.step + check / every))), every
