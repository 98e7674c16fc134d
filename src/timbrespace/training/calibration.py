"""How much work fits into the minutes that were asked for: measured once, then fixed in the plan."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor

from timbrespace.config.schema import Config
from timbrespace.model.base import Batch, Model
from timbrespace.parallel import Pool
from timbrespace.training.data.clip_dataset import ClipDataset, encode_rows
from timbrespace.training.data.sounds import Sounds
from timbrespace.training.data.synthesised import COPIES
from timbrespace.training.distributed import decided
from timbrespace.training.loop import NullCheckpoints, evaluate, run

_ENCODING_SHARE = 0.25  # of the time given, for variations and the closed-form codec
_SYNTHESIS_SHARE = 0.15  # for synthesised sounds
_FEWEST_IMAGES = 4_096  # of the corpus: as many as there are of synthesised sounds
_TRIED = 8  # synthesised sounds, for their price
_FIRST_STEPS, _CALIBRATIONS, _CALIBRATION_STEPS = 2, 3, 20
_CALIBRATION_SHARE, _CALIBRATION_SECONDS = 0.1, 3.0  # of the time asked for; or more: within them a further run is timed
_FEWEST_STEPS = 20
CHECKS, FEWEST_BETWEEN = 60, 10  # looks at the validation clips in a whole run; steps from one to the next, at least
_CHECKING, _FEWEST_CHECKS = 0.25, 6  # of the time of the steps between, that a check may take; checks, all the same


def affordable_variations(encoder: ClipDataset, config: Config) -> int:
    """Augmented copies a clip: all that are there, cut to what fits into the image store and, unless epochs count, the time."""
    clips = len(encoder.clips)
    settings = config.training
    # Few clips need more variations each to fill the space around them.
    wanted = max(settings.variations, min(256, math.ceil(_FEWEST_IMAGES / clips))) if settings.variations else 0
    room = max(0, settings.images // clips - 1)
    if settings.epochs is not None:
        return min(wanted, room)
    seconds = settings.minutes * 60 * _ENCODING_SHARE
    affordable = int(seconds / _seconds_per_row(encoder) / clips) - 1
    return max(0, min(wanted, room, max(1, affordable)))


def affordable_synthesised(encoder: ClipDataset, config: Config) -> int:
    """Synthesised sounds to learn from: all that are there, cut to what fits into the time, unless epochs count.

    encoder: of synthesised sounds.
    """
    settings = config.training
    wanted = len(encoder.clips)
    if settings.epochs is not None or not wanted:
        return wanted
    tried = ClipDataset(encoder.corpus, list(range(_TRIED)), encoder.representation, encoder.model, samples=encoder.samples, seed=0)
    with Pool(torch.get_num_threads()) as pool:
        encode_rows(tried, [0, 1], pool)  # the first calls include set-up
        start = time.perf_counter()
        encode_rows(tried, list(range(2, _TRIED)), pool)
        rendered = time.perf_counter()
        encode_rows(tried, list(range(_TRIED, 2 * _TRIED)), pool)
        each = (rendered - start) / (_TRIED - 2) + (COPIES - 1) * (time.perf_counter() - rendered) / _TRIED
    return min(wanted, int(settings.minutes * 60 * _SYNTHESIS_SHARE / each))


def _seconds_per_row(clips: ClipDataset, *, tries: int = 48) -> float:
    """Measured seconds to encode one row with one worker a thread, over variations spread over the corpus."""
    rows = len(clips.clips)
    chosen = [rows + int(k * rows / tries) for k in range(tries)]
    with Pool(torch.get_num_threads()) as pool:
        encode_rows(clips, chosen[:4], pool)  # the first calls include set-up
        start = time.perf_counter()
        encode_rows(clips, chosen, pool)
        return (time.perf_counter() - start) / tries


@dataclass(frozen=True)
class Cost:
    """Seconds: of an optimiser step, and of one sound that is looked at without learning from it."""

    step: float
    look: float


def price(model: Model, sounds: Sounds, validation: Sounds, config: Config, fabric: Fabric, *, seed: int) -> Cost:
    """What learning costs here: measured on copies of the model, the median of a few short runs after a very short one.

    Fewer runs where they take long, the very short one alone if need be.
    """
    few, times = _Subset(validation, 1), list[float]()
    begun, limit = time.perf_counter(), max(_CALIBRATION_SECONDS, config.training.minutes * 60 * _CALIBRATION_SHARE)
    for steps in (_FIRST_STEPS, *[_CALIBRATION_STEPS] * _CALIBRATIONS):
        start = time.perf_counter()
        run(
            copy.deepcopy(model),
            sounds,
            own=1,
            validation=few,
            settings=config.training,
            steps=steps,
            check_every=steps,
            seed=seed,
            fabric=fabric,
            checkpoints=NullCheckpoints(),
        )
        times.append((time.perf_counter() - start) / steps)
        (due,), _ = decided(fabric, lambda: ([time.perf_counter() - begun + _CALIBRATION_STEPS * times[-1]], {}))
        if due > limit:
            break  # slow models: a rough figure costs less than a better one
    later = sorted(times[1:]) or times
    count, start = min(len(validation), config.training.batch), time.perf_counter()
    with torch.no_grad():
        evaluate(copy.deepcopy(model).to(fabric.device).eval(), validation, count, fabric.device)
    return Cost(later[len(later) // 2], (time.perf_counter() - start) / count)


def affordable_steps(cost: Cost, seconds: float, *, looked: int) -> tuple[int, int]:
    """Steps that fit into `seconds`, and how many of them lie between checks that look at `looked` sounds each.

    Checks are rarer where they would take more than a fifth of the time, but a run has a few of them.
    """
    check = cost.look * looked
    every = max(FEWEST_BETWEEN, math.ceil(check / (_CHECKING * cost.step)))
    steps = int(seconds / (cost.step + check / every))
    every = max(FEWEST_BETWEEN, min(max(every, steps // CHECKS), steps // _FEWEST_CHECKS))
    return max(_FEWEST_STEPS, int(seconds / (cost.step + check / every))), every


@dataclass(frozen=True)
class _Subset:
    """The first `count` of other sounds."""

    sounds: Sounds
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, rows: Tensor) -> Batch:
        return self.sounds[rows]
