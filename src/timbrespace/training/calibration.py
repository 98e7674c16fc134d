"""How much work fits into the minutes that were asked for: measured once, then fixed in the plan."""

from __future__ import annotations

import copy
import math
import time
from typing import Any

import torch
from lightning_fabric import Fabric

from timbrespace.config import Config
from timbrespace.model.base import Model
from timbrespace.parallel import Pool
from timbrespace.training.images import Encoder, seconds_per_row
from timbrespace.training.loop import CHECKED, Sounds, run
from timbrespace.training.synthesised import COPIES

_ENCODING_SHARE = 0.25  # of the time given, for variations and the closed-form codec
_SYNTHESIS_SHARE = 0.15  # for synthesised sounds
_FEWEST_IMAGES = 4_096  # of the corpus: as many as there are of synthesised sounds
_TRIED = 8  # synthesised sounds, for their price
_CALIBRATIONS, _CALIBRATION_STEPS = 3, 20
_CALIBRATION_SHARE = 0.1  # of the time asked for, from which no further run is timed


def affordable_variations(encoder: Encoder, config: Config) -> int:
    """Augmented copies a clip: all that are there, cut to what fits into the image store and, unless epochs count, the time."""
    clips = len(encoder.clips)
    settings = config.training
    # Few clips need more variations each to fill the space around them.
    wanted = max(settings.variations, min(256, math.ceil(_FEWEST_IMAGES / clips))) if settings.variations else 0
    room = max(0, settings.images // clips - 1)
    if settings.epochs is not None:
        return min(wanted, room)
    seconds = settings.minutes * 60 * _ENCODING_SHARE
    affordable = int(seconds / seconds_per_row(encoder, workers=torch.get_num_threads()) / clips) - 1
    return max(0, min(wanted, room, max(1, affordable)))


def affordable_synthesised(encoder: Encoder, config: Config) -> int:
    """Synthesised sounds to learn from: all that are there, cut to what fits into the time, unless epochs count.

    encoder: of synthesised sounds.
    """
    settings = config.training
    wanted = len(encoder.clips)
    if settings.epochs is not None or not wanted:
        return wanted
    tried = Encoder(encoder.corpus, list(range(_TRIED)), encoder.representation, encoder.model, samples=encoder.samples, seed=0)
    with Pool(torch.get_num_threads()) as pool:
        tried.images([0, 1], pool)  # the first calls pay for set-up
        start = time.perf_counter()
        tried.images(list(range(2, _TRIED)), pool)
        rendered = time.perf_counter()
        tried.images(list(range(_TRIED, 2 * _TRIED)), pool)
        each = (rendered - start) / (_TRIED - 2) + (COPIES - 1) * (time.perf_counter() - rendered) / _TRIED
    return min(wanted, int(settings.minutes * 60 * _SYNTHESIS_SHARE / each))


class _Nowhere:
    """Checkpoints of a calibration: kept nowhere."""

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Nothing."""

    def load(self, name: str) -> None:
        """Nothing stored."""


def seconds_a_step(model: Model, sounds: Sounds, validation: Sounds, config: Config, fabric: Fabric, *, seed: int) -> float:
    """Measured seconds a step, checks included, on copies of the model: the median of a few short runs after a first one.

    Fewer runs where they take long, the first one alone if need be.
    """
    times = []
    for _ in range(1 + _CALIBRATIONS):
        start = time.perf_counter()
        run(
            copy.deepcopy(model),
            sounds,
            own=min(CHECKED, len(sounds)),
            validation=validation,
            settings=config.training,
            steps=_CALIBRATION_STEPS,
            check_every=_CALIBRATION_STEPS,
            seed=seed,
            fabric=fabric,
            checkpoints=_Nowhere(),
        )
        times.append((time.perf_counter() - start) / _CALIBRATION_STEPS)
        if sum(times) * _CALIBRATION_STEPS > config.training.minutes * 60 * _CALIBRATION_SHARE:
            break  # slow models: a rough figure costs less than a better one
    later = sorted(times[1:]) or times
    return later[len(later) // 2]
