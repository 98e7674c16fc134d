"""Time, real-time factor, peak memory and sizes; every step is the real command in a process of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING, Any

from lib.page import table
from lib.process import Run, run, say

if TYPE_CHECKING:
    from lib.bench import Bench

NEW = 64  # sounds generated
_STAGES = {"prepare": "prepare", "encode": "variations", "codec": "linear codec", "train": "training", "finish": "map and card"}


def measure(bench: Bench) -> str:
    """The tables as Markdown."""
    say("--help, 11 times")
    front = [run(["--help"]) for _ in range(11)]
    verb = [run(["generate", "--help"]) for _ in range(5)]
    say("doctor and prepare of all files, 3 times each")
    doctor = _three(lambda: run(["doctor", bench.folder, "--json"]))
    report = json.loads(doctor[0].output)
    out = bench.work / "all.corpus"
    prepare = _three(lambda: run(["prepare", bench.folder, "--out", out, "--force", "--json"]))
    corpus = json.loads(prepare[0].output)
    shutil.rmtree(out, ignore_errors=True)
    trained = bench.instruments[0]
    say(f"generate, {NEW} sounds and 1, 3 times each")
    new = bench.work / "new"
    many = _three(lambda: run(["generate", trained.path, "-n", str(NEW), "--out", new, "--force", "--json"]))
    one = _three(lambda: run(["generate", trained.path, "-n", "1", "--out", new, "--force", "--json"]))
    shutil.rmtree(new, ignore_errors=True)
    lengths = [sound["seconds"] for sound in json.loads(many[0].output)["sounds"]]
    return "\n\n".join([_path(front, verb, doctor, prepare, report, corpus), _training(bench), _generation(many, one, lengths)])


def _path(front: list[Run], verb: list[Run], doctor: list[Run], prepare: list[Run], report: dict[str, Any], corpus: dict[str, Any]) -> str:
    audio = report["total_seconds"]
    rows = [
        ["`timbrespace --help`", f"{_middle(front):.2f}", "", _peak(front)],
        ["`timbrespace generate --help`", f"{_middle(verb):.2f}", "", _peak(verb)],
        [f"`doctor` of {report['files']} files", f"{_middle(doctor):.1f}", f"{audio / _middle(doctor):.0f}", _peak(doctor)],
        [f"`prepare` of the same: {corpus['clips']} clips", f"{_middle(prepare):.1f}", f"{audio / _middle(prepare):.0f}", _peak(prepare)],
    ]
    head = ["command, start-up of Python included", "seconds", "× real time", "peak memory (MB)"]
    return (
        f"{table(head, rows)}\n\nMedians of 11, 5, 3 and 3 runs with the files in the system's cache; {audio:.0f} s of sound, "
        f"{report['usable']} of {report['files']} files usable."
    )


def _training(bench: Bench) -> str:
    rows = []
    for seed, trained in enumerate(bench.instruments):
        training = trained.card["training"]
        stages = [f"{training['seconds'].get(stage, 0.0):.1f}" for stage in _STAGES]
        size = trained.path.stat().st_size / 1e6
        steps = f"{training['steps']} of {training['steps_planned']}"
        facts = [str(training["images"]), steps, f"{trained.run.peak_mb:.0f}", f"{size:.1f}"]
        rows.append([str(seed), f"{trained.run.seconds:.0f}", *stages, *facts])
    head = ["seed", "seconds in all", *_STAGES.values(), "sounds and variations", "steps", "peak memory (MB)", "file (MB)"]
    kits = f"the trained kits ({len(bench.corpus)} clips, {len(bench.corpus.indices('train'))} of them for training)"
    return f"`train --minutes {bench.minutes:g}` on {kits}, seconds by stage:\n\n{table(head, rows)}"


def _generation(many: list[Run], one: list[Run], lengths: list[float]) -> str:
    whole, start = _middle(many), _middle(one)
    after = max(whole - start, 1e-9)
    rows = [
        [f"`generate -n {NEW}`, in all", f"{whole:.2f}", f"{sum(lengths) / whole:.0f}", _peak(many)],
        ["`generate -n 1`, in all", f"{start:.2f}", "", _peak(one)],
        [f"difference: {NEW - 1} sounds after start-up", f"{after:.2f}", f"{sum(lengths[1:]) / after:.0f}", ""],
    ]
    head = ["command", "seconds", "× real time", "peak memory (MB)"]
    return (
        f"{table(head, rows)}\n\nMedians of 3 runs; {sum(lengths):.0f} s of new sound. Writing files and recipes, pitch, nearest training "
        "sound and novelty are part of it."
    )


def _three(action: Callable[[], Run]) -> list[Run]:
    return [action() for _ in range(3)]


def _middle(runs: list[Run]) -> float:
    return median(run.seconds for run in runs)


def _peak(runs: list[Run]) -> str:
    return f"{max(run.peak_mb for run in runs):.0f}"
