#!/usr/bin/env python3
"""Is staged training of a convolutional autoencoder with a VAE inside (source B) faster or better than joint training?

    python benchmarks/staged_training.py SOUNDS [--minutes 3] [--share 0.2] [--set model.inner.dims=8] [--out FILE]

Tables (docs/benchmarks/staged-training.md): time of a step and an epoch; validation error over time. SOUNDS is the folder that
benchmarks/real_audio.py makes; its notes are used. Times: medians of steps taken in turn. Errors: both ways train for the same minutes,
with the preset's batch and weights, a learning rate that falls to 0 in each stage, and averaged parameters, as in `timbrespace train`.
Both start from PCA initialisation (`training.start`), which counts; evaluation stops the clock. Everything except the clock is seeded.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from lib.bench import WORK, bench_for
from lib.options import add_changes, add_out, as_options, make_parser, publish
from lib.page import stamp, table
from lib.process import say

ROUNDS, STEPS = 9, 4  # steps of each way in each round
EVALUATIONS = 12  # of the validation clips, each way


@dataclass(frozen=True)
class _Rows:
    """Batches of sounds from a function of row numbers."""

    count: int
    of: Callable[[torch.Tensor], Any]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, rows: torch.Tensor) -> Any:
        return self.of(rows)


def main(arguments: list[str] | None = None) -> None:
    """Trains both ways and prints the tables."""
    from timbrespace.config.build import build_model, build_representation
    from timbrespace.config.presets import load_preset
    from timbrespace.parallel import keep_freed_memory
    from timbrespace.training.data.encode import encode_clips, image_shape
    from timbrespace.training.data.sounds import InMemory, batches_of, initial_batch
    from timbrespace.training.data.source import clip_samples
    from timbrespace.training.loop import make_optimizer, update_average
    from timbrespace.training.stages import code_statistics

    parser = make_parser(__doc__, sounds=True)
    parser.add_argument("--minutes", type=float, default=3.0, help="of training, each way (default %(default)s)")
    parser.add_argument("--share", type=float, help="share of the minutes for the outer model (default: the preset's)")
    add_changes(parser)
    parser.add_argument("--work", type=Path, default=WORK / "staged", help="folder for the corpus")
    add_out(parser, "staged-training.md")
    given = parser.parse_args(arguments)
    if given.minutes <= 0 or (given.share is not None and not 0 < given.share < 1):
        parser.error("--minutes must be above 0, --share between 0 and 1")
    keep_freed_memory()  # as `timbrespace train` does
    bench = bench_for(given.sounds, "notes", work=given.work, minutes=given.minutes)
    config, corpus = load_preset("staged", changes=given.changes), bench.corpus
    settings = config.training
    share = config.model["share"] if given.share is None else given.share
    samples = clip_samples(corpus, config.training.seconds)
    view = build_representation(config.representation, sample_rate=corpus.sample_rate, channels=corpus.channels)

    def fresh() -> Any:
        torch.manual_seed(0)
        return build_model(config.model, representation=view, samples=samples)

    staged, joint = fresh(), fresh()
    shape = image_shape(staged, view, samples)
    clock = time.perf_counter()
    sounds = encode_clips(staged, corpus, corpus.indices("train"), view, samples=samples, shape=shape)
    encoding = time.perf_counter() - clock
    held = encode_clips(staged, corpus, corpus.indices("validation"), view, samples=samples, shape=shape)

    def error(model: Any) -> float:
        with torch.no_grad():
            return float(torch.cat([model.evaluate(batch).errors for batch in batches_of(held, len(held))]).mean())

    def stepper(model: Any, batch_of: Callable[[torch.Tensor], Any], whole: Any, *, kl: bool) -> Callable[[float], None]:
        optimizer = make_optimizer(whole, settings, device=torch.device("cpu"))

        def step(done: float = 0.0) -> None:
            optimizer.param_groups[0]["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
            losses = model(batch_of(torch.randint(len(sounds), (settings.batch,))))
            (losses["reconstruction"] + (settings.weights.kl * losses["kl"].sum() if kl else 0.0)).backward()
            torch.nn.utils.clip_grad_norm_(whole.parameters(), 5.0)
            optimizer.step()
            optimizer.zero_grad()

        return step

    def initialised(model: Any, batch_of: Callable[[torch.Tensor], Any]) -> float:
        """Initialises a model from evenly spread sounds if the preset says so; returns the seconds it took."""
        clock = time.perf_counter()
        if settings.start == "corpus":
            model.initialise(initial_batch(_Rows(len(sounds), batch_of)))
        return time.perf_counter() - clock

    def coded() -> tuple[Callable[[torch.Tensor], Any], float]:
        """The codes of all sounds, and the seconds that encoding took."""
        clock = time.perf_counter()
        staged.set_codes(*code_statistics(staged, sounds, device=torch.device("cpu")))
        with torch.no_grad():
            batches = [staged.codes(batch) for batch in batches_of(sounds, len(sounds))]
        codes = InMemory(torch.cat([batch.values for batch in batches]), torch.cat([batch.lengths for batch in batches]))
        return codes.__getitem__, time.perf_counter() - clock

    for model in (joint.outer, staged.outer):
        initialised(model, sounds.__getitem__)
    joint_step = stepper(joint, sounds.__getitem__, joint, kl=True)
    codes, _ = coded()
    ways = {
        "joint": joint_step,
        "outer alone": stepper(staged.outer, sounds.__getitem__, staged.outer, kl=False),
        "inner alone": stepper(staged.inner, codes, staged.inner, kl=True),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, step in ways.items():
            clock = time.perf_counter()
            for _ in range(STEPS):
                step()
            times[name].append((time.perf_counter() - clock) / STEPS)
    seconds = {name: median(each[1:]) for name, each in times.items()}
    an_epoch = len(sounds) / settings.batch

    staged, joint = fresh(), fresh()

    def follow(
        step: Callable[[float], None], learner: Any, start: float, until: float, *, evaluate: Callable[[Any], float]
    ) -> list[tuple[float, float]]:
        """Trains from `start` to `until` seconds of the clock; returns (seconds, error) of each evaluation. Leaves averaged parameters."""
        averaged = copy.deepcopy(learner).eval()
        found, spent, due, steps = [], start, start, 0
        while spent < until:
            clock = time.perf_counter()
            step((spent - start) / (until - start))
            steps += 1
            update_average(averaged, learner, step=steps)
            spent += time.perf_counter() - clock
            if spent >= min(due, until):
                due += (60 * given.minutes) / EVALUATIONS
                found.append((spent, evaluate(averaged)))
        learner.load_state_dict(averaged.state_dict())
        return found

    def with_inner(inner: Any) -> float:
        """Error of the staged model with another inner model."""
        kept, staged.inner = staged.inner, inner
        try:
            return error(staged)
        finally:
            staged.inner = kept

    whole = 60 * given.minutes
    say("staged")
    torch.manual_seed(1)
    start = initialised(staged.outer, sounds.__getitem__)
    outer_step = stepper(staged.outer, sounds.__getitem__, staged.outer, kl=False)
    follow(outer_step, staged.outer, start, share * whole, evaluate=lambda outer: math.nan)
    staged.outer.requires_grad_(False)
    codes, coding = coded()
    start = share * whole + coding + initialised(staged.inner, codes)
    curve = follow(stepper(staged.inner, codes, staged.inner, kl=True), staged.inner, start, whole, evaluate=with_inner)
    say("joint")
    torch.manual_seed(1)
    joint.together = True  # both parts are initialised and trained at once
    joint_step = stepper(joint, sounds.__getitem__, joint, kl=True)
    other = follow(joint_step, joint, initialised(joint, sounds.__getitem__), whole, evaluate=error)
    reached = min((at for at, found in curve if found <= min(found for _, found in other)), default=None)
    speeds = [[name, f"{1000 * s:.0f}", f"{s * an_epoch:.1f}", f"{seconds['joint'] / s:.1f}"] for name, s in seconds.items()]
    steps = sorted({round(at / (whole / EVALUATIONS)) for at, _ in curve + other})
    at_step = [{round(at / (whole / EVALUATIONS)): found for at, found in some} for some in (curve, other)]
    over_time = [
        [
            f"{k * whole / EVALUATIONS:.0f}",
            *(
                f"{found[k]:.3f}" if k in found else "outer model" if way == 0 and k < EVALUATIONS * share else "–"
                for way, found in enumerate(at_step)
            ),
        ]
        for k in steps
    ]
    verdict = (
        f"Staged training reaches the least error of joint training after {reached:.0f} of {whole:.0f} s."
        if reached is not None
        else f"Staged training does not reach the least error of joint training in {whole:.0f} s."
    )
    about = (
        f"{len(sounds)} notes of up to {samples / corpus.sample_rate:.1f} s, batches of {settings.batch}; loading and encoding them takes "
        f"{encoding:.1f} s and their codes {coding:.1f} s, once, counted apart from epochs (codes count in the second table)."
    )
    command = f"python benchmarks/staged_training.py SOUNDS --minutes {given.minutes:g} --share {share:g}"
    command += as_options(given.changes)
    body = "\n\n".join([
        stamp(command),
        about,
        table(["trains", "ms a step", "s an epoch", "joint, times that"], speeds),
        "Error of validation clips, features to features, in % of full scale (source B's stdev), after so many seconds of training:",
        table(["seconds", "staged", "joint"], over_time),
        verdict,
    ])  # fmt: skip
    publish(body, given.out, "staged-training")


if __name__ == "__main__":
    main()
