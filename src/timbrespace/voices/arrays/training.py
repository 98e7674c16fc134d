"""Training of a design: steps, or as many as fit into minutes, on the CPU or a GPU."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.voices.arrays.data import Pieces, Spectrogram
from timbrespace.voices.arrays.design import Design, Schedule
from timbrespace.voices.arrays.designs import make_design, split_settings
from timbrespace.voices.arrays.file import ArrayVoices
from timbrespace.voices.kinds.opening import open_voices
from timbrespace.voices.training import Progress

_DEVICES = ("auto", "cpu", "cuda")
_LAST = 0.05  # of the learning rate, at the end of a stage
_CLIP = 1.0  # largest norm of a gradient
_BETAS = (0.9, 0.99)
_CRITIC_BETAS = (0.5, 0.9)


@dataclass(frozen=True)
class ArrayOptions:
    """How to train a design. preset: its name. minutes: of learning, else the steps of the schedule. seed: of everything drawn.

    settings: of the design and of its `Schedule`. device: auto, cpu or cuda.
    """

    preset: str
    minutes: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        """Raises ConfigError for values out of range."""
        if self.minutes is not None and not 0.01 <= self.minutes <= 10_000:
            raise ConfigError(f"minutes is {self.minutes:g}, allowed is 0.01 to 10,000")


def check_options(options: ArrayOptions, names: tuple[str, ...]) -> None:
    """Raises ConfigError for settings or a device that cannot be. names: of the instruments."""
    settings, _ = split_settings(options.preset, options.settings)
    with torch.device("meta"):
        design = make_design(options.preset, names, settings)
    _take_given(design)
    chosen_device(options.device)


def chosen_device(name: str) -> torch.device:
    """Returns the device of a name; auto: a GPU of NVIDIA's if there is one. Raises ConfigError."""
    if name not in _DEVICES:
        raise ConfigError(f"the device is {name!r:.40}, allowed for this preset are {', '.join(_DEVICES)}")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigError("the device is cuda, and PyTorch finds no GPU here; give --device cpu, or auto")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def fit_design(
    recordings: Mapping[str, Sequence[Spectrogram]], options: ArrayOptions, *, progress: Progress | None = None
) -> tuple[Design, dict[str, Any]]:
    """Returns a trained design on the CPU, and how it was trained: steps, seconds, device, the mean losses of the last tenth.

    Every instrument has the same share of each batch. The same options without minutes give the same tensors on the same machine.
    """
    settings, schedule = split_settings(options.preset, options.settings)
    device = chosen_device(options.device)
    design = make_design(options.preset, tuple(recordings), settings, seed=options.seed).to(device)
    _take_given(design)
    pieces = {name: Pieces(several, device) for name, several in recordings.items()}
    generator = torch.Generator().manual_seed(options.seed)
    losses: dict[str, float] = {}
    start, steps = time.perf_counter(), 0
    with torch.no_grad():
        design.prepare({name: one.batches(schedule.batch) for name, one in pieces.items()})
    design.train()
    done = 0.0
    for stage, share in design.stages.items():
        design.begin(stage)
        run = _Stage(design, pieces, schedule, generator)
        count = max(1, round(share * schedule.steps))
        seconds = None if options.minutes is None else 60 * share * options.minutes
        losses |= run(count, seconds, lambda part, first=done, share=share: progress and progress("training", first + share * part))
        steps, done = steps + run.steps, done + share
    design.eval()
    with torch.no_grad():
        design.measure({name: one.batches(schedule.batch) for name, one in pieces.items()})
    facts = {"preset": options.preset, "steps": steps, "seed": options.seed, "device": device.type, "losses": losses}
    return design.cpu(), facts | {"seconds": round(time.perf_counter() - start, 1), "schedule": schedule.model_dump()}


def _take_given(design: Design) -> None:
    """Opens the files of trained designs that the settings name; the settings keep their names alone. Raises ConfigError."""
    for setting, path in design.given.items():
        found = open_voices(Path(path))
        if not isinstance(found, ArrayVoices):
            raise ConfigError(f"{setting} is {path}, a file of the preset voices; give one of source D's designs")
        design.take(setting, found.design)
        design.settings = {**design.settings, setting: Path(path).name}


class _Stage:
    """The optimisers of one stage, and its steps."""

    def __init__(self, design: Design, pieces: Mapping[str, Pieces], schedule: Schedule, generator: torch.Generator):
        self.design, self.pieces, self.schedule, self.generator, self.steps = design, pieces, schedule, generator, 0
        critic = design.critic_parameters()
        betas = _CRITIC_BETAS if critic else _BETAS
        self.optimizers = [torch.optim.Adam(design.trained_parameters(), lr=schedule.learning_rate, betas=betas)]
        if critic:
            self.optimizers.append(torch.optim.Adam(critic, lr=schedule.learning_rate, betas=betas))

    def __call__(self, steps: int, seconds: float | None, progress: Any) -> dict[str, float]:
        """Runs the steps, or for so many seconds. Returns the mean losses of the last tenth."""
        totals: dict[str, float] = {}
        start, share, counted = time.perf_counter(), 0.0, 0
        while share < 1:
            losses = self._step(share)
            self.steps += 1
            share = self.steps / steps if seconds is None else (time.perf_counter() - start) / seconds
            if share > 0.9:
                counted += 1
                totals = {name: totals.get(name, 0.0) + float(loss) for name, loss in losses.items()}
            if self.steps % 10 == 0:
                progress(min(share, 1.0))
        return {f"{self.design.stage}/{name}": round(total / counted, 5) for name, total in totals.items()}

    def _step(self, share: float) -> dict[str, Tensor]:
        batch = {name: one.draw(self.schedule.batch, self.generator) for name, one in self.pieces.items()}
        found: dict[str, Tensor] = {}
        parts = [(self.design.losses, self.design.loss_weights), (self.design.critic_losses, self.design.critic_weights)]
        for optimizer, (losses_of, weights) in zip(self.optimizers, parts, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = self.schedule.learning_rate * max(_LAST, 1 - share)
            losses = losses_of(batch, generator=self.generator)
            optimizer.zero_grad(set_to_none=True)
            torch.stack([weights[name] * loss for name, loss in losses.items()]).sum().backward()
            torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], _CLIP)
            optimizer.step()
            found |= {name: loss.detach() for name, loss in losses.items()}
        return found
