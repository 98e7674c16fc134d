#!/usr/bin/env python3
"""Where a step of training goes, and one process against two that share every batch (DDP): the same curve, what it costs or saves.

    python benchmarks/scale.py [--corpus synthetic:drums] [--preset conv-vae] [--epochs 4] [--rounds 2] [--profile raw] [--out FILE]

Steps: medians of each part, of the models as `train` has them before their first step. Processes: both train on the CPU by the command
line, in turn; seconds are those of the training stage alone, medians over rounds. The curves are of the validation error at every check.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from common import run, say, stamp, table, update
from timbrespace.parallel import keep_freed_memory

PROCESSES = (1, 2)
STEPS = 12  # timed, after two
PARTS = ("loading", "forward", "backward", "optimiser")


def main(arguments: list[str] | None = None) -> None:
    """Trains, compares, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="synthetic:drums", help="what to learn from (default %(default)s)")
    parser.add_argument("--preset", default="conv-vae")
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the section into this Markdown file (docs/benchmarks.md)")
    parser.add_argument("--profile", default="oneshot,conv-vae,dense,raw,gru", help="presets to take steps of (default %(default)s)")
    given = parser.parse_args(arguments)
    if given.rounds < 1:
        parser.error("--rounds must be 1 or more")
    keep_freed_memory()  # as `timbrespace train` does
    with tempfile.TemporaryDirectory() as folder:
        body = _measured(given, Path(folder))
    print(body)
    if given.out is not None:
        update(given.out, "scale", body)


def _measured(given: argparse.Namespace, folder: Path) -> str:
    from timbrespace.synthesis.instrument import Instrument

    corpus = folder / "corpus"
    run(["prepare", given.corpus, "--out", corpus])
    seconds: dict[int, list[float]] = {count: [] for count in PROCESSES}
    curves: dict[int, list[float]] = {}
    for _ in range(given.rounds):
        for count in PROCESSES:
            say(f"{count} process(es)")
            out = folder / f"{count}.safetensors"
            words = ["--preset", given.preset, "--epochs", f"{given.epochs:g}", "--device", "cpu", "--devices", str(count)]
            run(["train", corpus, "--out", out, *words, "--force", "--json"])
            seconds[count].append(float(Instrument.load(out).card["training"]["seconds"]["train"]))
            log = out.with_name(f"{count}.log.jsonl").read_text(encoding="utf-8")
            curves[count] = [json.loads(line)["validation"] for line in log.splitlines()]
    profiles = [[f"`{preset}`", *_profile(preset, corpus, folder)] for preset in given.profile.split(",")]
    apart = max(abs(a - b) / a for a, b in zip(curves[1], curves[2], strict=True))
    rows = [
        [str(count), f"{median(seconds[count]):.1f}", f"{median(seconds[1]) / median(seconds[count]):.2f}", f"{curves[count][-1]:.4f}"]
        for count in PROCESSES
    ]
    note = f"{len(curves[1])} checks; the two curves are {100 * apart:.3f} % apart at most. {os.cpu_count()} cores."
    options = f"--preset {given.preset} --epochs {given.epochs:g} --rounds {given.rounds} --profile {given.profile}"
    command = f"python benchmarks/scale.py --corpus {given.corpus} {options}"
    steps = table(["preset", "batch", *(f"{part} (ms)" for part in PARTS), "loading, share"], profiles)
    return "\n\n".join([stamp(command), steps, table(["processes", "training (s)", "speed", "last validation error"], rows), note])


def _profile(preset: str, corpus: Path, folder: Path) -> list[str]:
    """Batch size, ms of each part of a step, and the share of the first: what reading encoded sounds takes."""
    from timbrespace.training.loop import make_optimizer
    from timbrespace.training.losses import total
    from timbrespace.training.train import StopTraining, TrainingContext, train

    say(f"steps of {preset}")
    times: dict[str, list[float]] = {part: [] for part in PARTS}
    batches = []

    def ready(lesson: TrainingContext) -> None:
        model, settings = lesson.model.train(), lesson.config.training
        optimizer = make_optimizer(model, settings, device=torch.device("cpu"))
        weights = settings.weights.model_dump()
        batches.append(settings.batch)
        for _ in range(STEPS + 2):
            moments = [time.perf_counter()]
            batch = lesson.sounds[torch.randint(len(lesson.sounds), (settings.batch,))]
            moments.append(time.perf_counter())
            losses = model(batch)
            moments.append(time.perf_counter())
            total(losses, weights).backward()
            moments.append(time.perf_counter())
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            optimizer.zero_grad()
            moments.append(time.perf_counter())
            for part, start, end in zip(PARTS, moments[:-1], moments[1:], strict=True):
                times[part].append(1000 * (end - start))
        raise StopTraining

    with contextlib.suppress(StopTraining):
        train(corpus, folder / "profile.safetensors", preset=preset, device="cpu", ready=ready)
    found = [median(times[part][2:]) for part in PARTS]
    return [str(batches[0]), *(f"{ms:.1f}" for ms in found), f"{100 * found[0] / sum(found):.1f} %"]


if __name__ == "__main__":
    main()
