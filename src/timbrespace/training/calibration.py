"""How much work fits into the minutes that were asked for: measured once, then fixed in the plan."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from lightning_fabric import Fabric

from timbrespace.config import Config
from timbrespace.model.base import Model
from timbrespace.training.images import Encoder, seconds_per_row
from timbrespace.training.loop import Sounds, run

_ENCODING_SHARE = 0.35  # of the time given, for variations and the closed-form codec
_CALIBRATIONS, _CALIBRATION_STEPS = 3, 20


def affordable_variations(encoder: Encoder, config: Config) -> int:
    """Augmented copies a clip: what the preset allows, cut to what fits into the image store and, unless epochs count, the time."""
    clips = len(encoder.clips)
    settings = config.training
    # Few clips need more variations each to fill the space around them.
    wanted = max(settings.variations, min(256, math.ceil(1024 / clips))) if settings.variations else 0
    room = max(0, settings.images // clips - 1)
    if settings.epochs is not None:
        return min(wanted, room)
    seconds = settings.minutes * 60 * _ENCODING_SHARE
    affordable = int(seconds / seconds_per_row(encoder, workers=torch.get_num_threads()) / clips) - 1
    return max(0, min(wanted, room, max(1, affordable)))


class _Nowhere:
    """Checkpoints of a calibration: kept nowhere."""

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Nothing."""

    def load(self, name: str) -> None:
        """Nothing stored."""


def seconds_a_step(model: Model, sounds: Sounds, validation: Sounds, config: Config, fabric: Fabric, *, seed: int) -> float:
    """Measured seconds a step, checks included, on a model that is put back: the median of a few short runs after a first one."""
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    times = []
    for _ in range(1 + _CALIBRATIONS):
        start = time.perf_counter()
        run(
            model,
            sounds,
            own=64,
            validation=validation,
            settings=config.training,
            steps=_CALIBRATION_STEPS,
            check_every=_CALIBRATION_STEPS,
            seed=seed,
            fabric=fabric,
            checkpoints=_Nowhere(),
        )
        times.append((time.perf_counter() - start) / _CALIBRATION_STEPS)
        model.load_state_dict(kept)
    return sorted(times[1:])[_CALIBRATIONS // 2]
