#!/usr/bin/env python3
"""Where does the time of a training step go, and are two processes that share each batch (DDP) faster than one? How fast is a GPU?

    python benchmarks/training_speed.py [--corpus synthetic:drums] [--preset conv-vae] [--epochs 4] [--rounds 2]
                                        [--profile raw] [--out FILE]
    python benchmarks/training_speed.py --devices cpu,cuda [--corpus FOLDER] [--epochs 2] [--profile oneshot,conv-vae]

Tables (docs/benchmarks/training-speed.md). Steps: median time of each part for models as `train` builds them, before their first step.
Processes: both train on the CPU by the command line, in turn; times are those of the training stage alone, medians over rounds; the two
curves of the validation error are compared at every evaluation. With `--devices` instead: the same presets, epochs and seed on each
device, and whether the file that the last device made gives new sounds on the CPU.
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

from lib.options import add_out, make_parser, publish
from lib.page import stamp, table
from lib.process import run, say
from timbrespace.instrument import Instrument
from timbrespace.parallel import keep_freed_memory

PROCESSES = (1, 2)
STEPS = 12  # timed steps, after two others
PARTS = ("loading", "forward", "backward", "optimiser")


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints the tables."""
    parser = make_parser(__doc__)
    parser.add_argument("--corpus", default="synthetic:drums", help="the training corpus (default %(default)s)")
    parser.add_argument("--preset", default="conv-vae")
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=2)
    add_out(parser, "training-speed.md")
    parser.add_argument("--profile", default="oneshot,conv-vae,dense,raw,gru", help="presets whose steps are timed (default %(default)s)")
    parser.add_argument("--devices", help="compare these instead, for instance cpu,cuda")
    given = parser.parse_args(arguments)
    if given.rounds < 1:
        parser.error("--rounds must be 1 or more")
    keep_freed_memory()  # as in `timbrespace train`
    with tempfile.TemporaryDirectory() as folder:
        if given.devices:
            publish(_devices(given, Path(folder)), given.out, "training-devices")
            return
        body = _measured(given, Path(folder))
    publish(body, given.out, "training-speed")


def _measured(given: argparse.Namespace, folder: Path) -> str:
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
    note = f"{len(curves[1])} evaluations; the two curves differ by {100 * apart:.3f} % at most. {os.cpu_count()} cores."
    options = f"--preset {given.preset} --epochs {given.epochs:g} --rounds {given.rounds} --profile {given.profile}"
    command = f"python benchmarks/training_speed.py --corpus {given.corpus} {options}"
    steps = table(["preset", "batch", *(f"{part} (ms)" for part in PARTS), "loading, share"], profiles)
    return "\n\n".join([stamp(command), steps, table(["processes", "training (s)", "speed", "last validation error"], rows), note])


def _devices(given: argparse.Namespace, folder: Path) -> str:
    """The table of devices: one row a preset, `failed` where a training ended with an error, which is printed."""
    corpus, devices = folder / "corpus", given.devices.split(",")
    run(["prepare", given.corpus, "--out", corpus])
    rows = []
    for preset in given.profile.split(","):
        cells, seconds = [f"`{preset}`"], []
        for device in devices:
            say(f"{preset} on {device}")
            out = folder / f"{preset}-{device}.safetensors"
            try:
                run(["train", corpus, "--out", out, "--preset", preset, "--epochs", f"{given.epochs:g}", "--device", device, "--json"])
                run(["generate", out, "-n", "4", "--out", folder / f"{preset}-{device}"])
            except SystemExit as error:
                say(str(error))
                cells += ["failed", ""]
                continue
            seconds.append(float(Instrument.load(out).card["training"]["seconds"]["train"]))
            log = out.with_name(f"{out.stem}.log.jsonl").read_text(encoding="utf-8").splitlines()
            cells += [f"{seconds[-1]:.1f}", f"{json.loads(log[-1])['validation']:.4f}"]
        cells.append(f"{seconds[0] / seconds[-1]:.1f}" if len(seconds) == len(devices) else "")
        rows.append(cells)
        print(cells, flush=True)
    options = f"--devices {given.devices} --epochs {given.epochs:g} --profile {given.profile}"
    command = f"python benchmarks/training_speed.py --corpus {Path(given.corpus).name} {options}"
    heads = [head for device in devices for head in (f"{device}: training (s)", "last validation error")]
    names = [torch.cuda.get_device_name()] * ("cuda" in devices and torch.cuda.is_available())
    note = f"{os.cpu_count()} cores{''.join(f', one {name}' for name in names)}. Seconds of the training stage alone."
    return "\n\n".join([stamp(command), table(["preset", *heads, "ratio"], rows), note])


def _profile(preset: str, corpus: Path, folder: Path) -> list[str]:
    """Cells of a row: batch size, ms of each part of a step, and the share of the first, which loads encoded sounds."""
    from timbrespace.training.callbacks import StopTraining, TrainingCallbacks, TrainingContext
    from timbrespace.training.loop import make_optimizer
    from timbrespace.training.losses import total
    from timbrespace.training.train import train

    say(f"steps of {preset}")
    times: dict[str, list[float]] = {part: [] for part in PARTS}
    batches = []

    def on_start(context: TrainingContext) -> None:
        model, settings = context.model.train(), context.config.training
        optimizer = make_optimizer(model, settings, device=torch.device("cpu"))
        weights = settings.weights.model_dump()
        batches.append(settings.batch)
        for _ in range(STEPS + 2):
            moments = [time.perf_counter()]
            batch = context.sounds[torch.randint(len(context.sounds), (settings.batch,))]
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
        train(corpus, folder / "profile.safetensors", preset=preset, device="cpu", callbacks=TrainingCallbacks(on_start=on_start))
    found = [median(times[part][2:]) for part in PARTS]
    return [str(batches[0]), *(f"{ms:.1f}" for ms in found), f"{100 * found[0] / sum(found):.1f} %"]


if __name__ == "__main__":
    main()
