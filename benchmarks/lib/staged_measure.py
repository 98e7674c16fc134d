"""Staged and joint training of one model on the same sounds, for benchmarks/staged_training.py: time of a step, error over time."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor

from lib.process import say
from timbrespace.config.build import build_model, build_representation
from timbrespace.config.schema import Config
from timbrespace.corpus.corpus import Corpus
from timbrespace.training.data.codes import code_statistics
from timbrespace.training.data.encode import encode_clips
from timbrespace.training.data.sounds import InMemory, batches_of, initial_batch
from timbrespace.training.data.source import clip_samples
from timbrespace.training.loop import make_optimizer, update_average

ROUNDS, STEPS = 9, 4  # steps of each way in each round
EVALUATIONS = 12  # of the validation clips, each way
CPU = torch.device("cpu")

Curve = list[tuple[float, float]]  # (seconds, error) of each evaluation
GetBatch = Callable[[Tensor], Any]  # row numbers -> batch


@dataclass(frozen=True)
class _Rows:
    """Batches of sounds from a function of row numbers."""

    count: int
    of: GetBatch

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, rows: Tensor) -> Any:
        return self.of(rows)


class Comparison:
    """The encoded sounds of a corpus, and what is measured on them. `encoding`: seconds to load and encode the training sounds."""

    def __init__(self, config: Config, corpus: Corpus):
        self.config, self.settings = config, config.training
        self.samples = clip_samples(corpus, self.settings.seconds)
        self.view = build_representation(config.representation, sample_rate=corpus.sample_rate, channels=corpus.channels)
        model = self.new_model()
        clock = time.perf_counter()
        self.sounds = encode_clips(model, corpus, corpus.indices("train"), self.view, samples=self.samples)
        self.encoding = time.perf_counter() - clock
        self.held = encode_clips(model, corpus, corpus.indices("validation"), self.view, samples=self.samples)

    def new_model(self) -> Any:
        """The staged model of the preset with the weights of seed 0."""
        torch.manual_seed(0)
        return build_model(self.config.model, representation=self.view, samples=self.samples)

    def step_seconds(self) -> dict[str, float]:
        """Median seconds of a step of joint training, of the outer model alone and of the inner model alone; steps are made in turn."""
        staged, joint = self.new_model(), self.new_model()
        for model in (joint.outer, staged.outer):
            self._initialise(model, self.sounds.__getitem__)
        codes, _ = self._encode_codes(staged)
        ways = {
            "joint": self._stepper(joint, self.sounds.__getitem__, joint, kl=True),
            "outer alone": self._stepper(staged.outer, self.sounds.__getitem__, staged.outer, kl=False),
            "inner alone": self._stepper(staged.inner, codes, staged.inner, kl=True),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, step in ways.items():
                clock = time.perf_counter()
                for _ in range(STEPS):
                    step(0.0)
                times[name].append((time.perf_counter() - clock) / STEPS)
        return {name: median(each[1:]) for name, each in times.items()}

    def train_staged(self, seconds: float, share: float) -> tuple[Curve, float]:
        """Validation errors of staged training over so many seconds, `share` of them for the outer model; and seconds to encode codes."""
        say("staged")
        model = self.new_model()
        torch.manual_seed(1)
        start = self._initialise(model.outer, self.sounds.__getitem__)
        step = self._stepper(model.outer, self.sounds.__getitem__, model.outer, kl=False)
        interval = seconds / EVALUATIONS
        self._train(step, model.outer, start, share * seconds, evaluate=lambda outer: math.nan, interval=interval)
        model.outer.requires_grad_(False)
        codes, coding = self._encode_codes(model)
        start = share * seconds + coding + self._initialise(model.inner, codes)

        def evaluate(inner: Any) -> float:
            trained, model.inner = model.inner, inner
            try:
                return self._error(model)
            finally:
                model.inner = trained

        step = self._stepper(model.inner, codes, model.inner, kl=True)
        return self._train(step, model.inner, start, seconds, evaluate=evaluate, interval=interval), coding

    def train_jointly(self, seconds: float) -> Curve:
        """Validation errors of joint training over so many seconds."""
        say("joint")
        model = self.new_model()
        torch.manual_seed(1)
        model.joint = True  # both parts are initialised and trained at once
        step = self._stepper(model, self.sounds.__getitem__, model, kl=True)
        start = self._initialise(model, self.sounds.__getitem__)
        return self._train(step, model, start, seconds, evaluate=self._error, interval=seconds / EVALUATIONS)

    def _error(self, model: Any) -> float:
        """Mean error of the validation clips."""
        with torch.no_grad():
            return float(torch.cat([model.evaluate(batch).errors for batch in batches_of(self.held, len(self.held))]).mean())

    def _stepper(self, model: Any, get_batch: GetBatch, trained: Any, *, kl: bool) -> Callable[[float], None]:
        """A function that makes one step; its argument is the share of the stage that is done, which sets the learning rate."""
        settings = self.settings
        optimizer = make_optimizer(trained, settings, device=CPU)

        def step(done: float) -> None:
            optimizer.param_groups[0]["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
            losses = model(get_batch(torch.randint(len(self.sounds), (settings.batch,))))
            (losses["reconstruction"] + (settings.weights.kl * losses["kl"].sum() if kl else 0.0)).backward()
            torch.nn.utils.clip_grad_norm_(trained.parameters(), 5.0)
            optimizer.step()
            optimizer.zero_grad()

        return step

    def _initialise(self, model: Any, get_batch: GetBatch) -> float:
        """Initialises a model from evenly spread sounds if the preset says so; returns the seconds it took."""
        clock = time.perf_counter()
        if self.settings.initialisation == "pca":
            model.initialise(initial_batch(_Rows(len(self.sounds), get_batch)))
        return time.perf_counter() - clock

    def _encode_codes(self, model: Any) -> tuple[GetBatch, float]:
        """The codes of all training sounds, and the seconds that encoding took."""
        clock = time.perf_counter()
        model.set_codes(*code_statistics(model, self.sounds, device=CPU))
        with torch.no_grad():
            batches = [model.codes(batch) for batch in batches_of(self.sounds, len(self.sounds))]
        codes = InMemory(torch.cat([batch.values for batch in batches]), torch.cat([batch.lengths for batch in batches]))
        return codes.__getitem__, time.perf_counter() - clock

    def _train(
        self, step: Callable[[float], None], model: Any, start: float, until: float, *, evaluate: Callable[[Any], float], interval: float
    ) -> Curve:
        """Trains from `start` to `until` seconds of the clock, evaluates the averaged model every `interval`; it is left averaged."""
        averaged = copy.deepcopy(model).eval()
        curve: Curve = []
        spent, due, steps = start, start, 0
        while spent < until:
            clock = time.perf_counter()
            step((spent - start) / (until - start))
            steps += 1
            update_average(averaged, model, step=steps)
            spent += time.perf_counter() - clock
            if spent >= min(due, until):
                due += interval
                curve.append((spent, evaluate(averaged)))
        model.load_state_dict(averaged.state_dict())
        return curve
