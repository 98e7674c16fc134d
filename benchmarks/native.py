#!/usr/bin/env python3
"""How fast is the native core beside PyTorch, and where does its time go?

    python benchmarks/native.py [INSTRUMENT …] [--sounds 32] [--rounds 5] [--part speed,processes,stages,bits] [--out FILE]

Tables (docs/benchmarks/native.md), for each instrument file; without one, an instrument is trained for a minute on `synthetic:drums`.
speed: the same new sounds, rendered and finished by every engine on one and on two threads, as multiples of real time, and the time of one
sound of 0.5 s; engines take turns within a round. processes: wall time of whole commands with each engine, and of a Python process that
imports, loads and makes one sound. stages: the time of each stage of a sound in the core, alone on one thread. Medians over rounds; stages
the least of five. bits: the log-mel difference that weights of fewer bits make, over the same new sounds. Sizes of the library and of the
WebAssembly file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and Torch are loaded; threads are those of the sounds

import numpy as np

from lib.native.engines import PYTORCH, engines, milliseconds, speed
from lib.native.stages import Stages, native_script
from lib.options import add_out, make_parser, publish
from lib.page import stamp, table
from lib.process import ROOT, run, say

PARTS = ("speed", "processes", "stages", "bits")
THREADS = (1, 2)
SHORT_SECONDS = 0.5
# RAVE v2 and BRAVE, decoding on a machine of the same kind, on other days: × real time by threads.
OTHERS = {"RAVE v2": (43, 84), "BRAVE": (34, 63)}
_ONE = (
    "import time; start = time.perf_counter(); import timbrespace; timbrespace.load({path!r}, engine={engine!r}).generate(1); "
    "print(time.perf_counter() - start)"
)


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints the tables."""
    parser = make_parser(__doc__)
    parser.add_argument("instruments", nargs="*", type=Path, metavar="INSTRUMENT", help="instrument files (default: one is trained)")
    parser.add_argument("--sounds", type=int, default=32, help="new sounds that are rendered (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(default %(default)s)")
    parser.add_argument("--part", default=",".join(PARTS), help="of %(default)s")
    add_out(parser, "native.md")
    given = parser.parse_args(arguments)
    if given.sounds < 2 or given.rounds < 1:
        parser.error("--sounds must be 2 or more, --rounds 1 or more")
    if odd := sorted(set(given.part.split(",")) - {*PARTS}):
        parser.error(f"--part {odd[0]} is unknown, allowed are: {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as folder:
        publish(_measured(given, Path(folder)), given.out, "native")


def _measured(given: argparse.Namespace, folder: Path) -> str:
    paths = given.instruments or [_trained(folder)]
    options = f"--sounds {given.sounds} --rounds {given.rounds} --part {given.part}"
    blocks = [stamp(f"python benchmarks/native.py {' '.join(path.name for path in paths)} {options}"), _sizes()]
    for path in paths:
        blocks.append(f"## {path.stem}")
        if "speed" in given.part:
            blocks.append(_speed(path, given.sounds, given.rounds))
        if "processes" in given.part:
            blocks.append(_processes(path, folder, given.rounds))
        if "stages" in given.part:
            blocks.append(_stages(path, folder, given.sounds))
        if "bits" in given.part:
            blocks.append(_bits(path, folder, given.sounds))
    return "\n\n".join(blocks)


def _trained(folder: Path) -> Path:
    out = folder / "drums.safetensors"
    say("training for a minute")
    run(["train", "synthetic:drums", "--out", out, "--minutes", "1"])
    return out


def _sizes() -> str:
    from timbrespace.native.library import WASM, library_path

    library = library_path(WASM)
    parts = [f"WebAssembly file {WASM.stat().st_size / 1000:.0f} kB"]
    if library is not None and library.exists():
        parts.append(f"native library {library.stat().st_size / 1000:.0f} kB")
    return ", ".join(parts) + "."


def _speed(path: Path, sounds: int, rounds: int) -> str:
    from timbrespace.instrument import Instrument
    from timbrespace.synthesis.encoding import decode
    from timbrespace.synthesis.request import DrawOptions, draw

    contents = Instrument.load(path, engine="pytorch").contents
    requests = draw(contents, sounds, DrawOptions(), seed=0)
    lengths = [decode(contents, one.z, length=None, seed=0, texture=False).shape[1] for one in requests]
    seconds, short = sum(lengths) / contents.sample_rate, round(SHORT_SECONDS * contents.sample_rate)
    found = engines(path)
    times: dict[tuple[str, int], list[float]] = {}
    for turn in range(rounds):
        say(f"{path.stem}: speed, round {turn + 1} of {rounds}")
        for engine in found:
            for threads in THREADS:
                times.setdefault((engine.name, threads), []).append(speed(engine, requests, seconds, threads=threads))
            times.setdefault((engine.name, 0), []).append(milliseconds(engine, requests, short))
    middle = {key: median(values) for key, values in times.items()}
    rows = [
        [engine.name, *(f"{middle[engine.name, threads]:.0f}" for threads in THREADS), f"{middle[engine.name, 0]:.1f}"] for engine in found
    ]
    rows += [[f"{name} (another day)", *(f"{value}" for value in values), ""] for name, values in OTHERS.items()]
    head = ["engine", *(f"× real time, {threads} thread{'s' * (threads > 1)}" for threads in THREADS), f"a sound of {SHORT_SECONDS} s (ms)"]
    return f"{table(head, rows)}\n\n{sounds} new sounds, {seconds:.1f} s before they are finished."


def _processes(path: Path, folder: Path, rounds: int) -> str:
    commands: dict[int, list[str | Path]] = {count: ["generate", path, "-n", str(count), "--seed", "0", "--force"] for count in (1, 64)}
    times: dict[tuple[str, object], list[float]] = {}
    for turn in range(rounds):
        say(f"{path.stem}: processes, round {turn + 1} of {rounds}")
        for engine in ("native", "pytorch"):
            for count, words in commands.items():
                done = run([*words, "--out", folder / f"{engine}{count}", "--engine", engine])
                times.setdefault((engine, count), []).append(done.seconds)
            times.setdefault((engine, "python"), []).append(_python(_ONE.format(path=str(path), engine=engine)))
    names: dict[object, str] = {1: "`generate -n 1`", 64: "`generate -n 64`", "python": "`import timbrespace`, `load`, `generate(1)`"}
    rows = []
    for key, name in names.items():
        core, torch = (median(times[engine, key]) for engine in ("native", "pytorch"))
        rows.append([name, f"{core:.2f}", f"{torch:.2f}", f"{core / torch:.2f}"])
    head = ["process", "native core (s)", f"{PYTORCH} (s)", "ratio"]
    return f"{table(head, rows)}\n\nThe last row is measured within the process, the others from outside."


def _python(code: str) -> float:
    """The number that a Python process prints."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))}
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"python -c {code!r} ended with {done.returncode}:\n{done.stderr}")
    return float(done.stdout)


def _stages(path: Path, folder: Path, sounds: int) -> str:
    script = native_script()
    if script.compiler() is None:
        return "Stages are not measured: they need the compiler (`python3 scripts/run.py native`)."
    say(f"{path.stem}: stages")
    library = folder / "visible.so"
    if not library.exists():
        script.build(library, script.here(), visible=True)
    stages = Stages(library, path.read_bytes())
    drawn, seconds = stages.draw(sounds, 0)
    found = [stages.times(one, steps=stages.steps) for one in drawn]
    whole, total = sum(length for _, length in found), {name: sum(times[name] for times, _ in found) for name in found[0][0]}
    everything = sum(total.values())
    rows = [
        [name, f"{1000 * value / sounds:.2f}", f"{1000 * value / whole:.2f}", f"{100 * value / everything:.0f}"]
        for name, value in total.items()
    ]
    rows.append(["all stages", f"{1000 * everything / sounds:.2f}", f"{1000 * everything / whole:.2f}", "100"])
    rows.append(["drawing the latent, before", f"{1000 * seconds:.2f}", "", ""])
    return table(["stage", "ms a sound", "ms a second of sound", "share (%)"], rows)


def _bits(path: Path, folder: Path, sounds: int) -> str:
    from timbrespace.instrument import Instrument

    say(f"{path.stem}: weights of fewer bits")
    whole, rows = Instrument.load(path, engine="pytorch"), []
    wanted = Instrument.load(path).generate(sounds, seed=0)
    for bits in (None, 16, 8):
        small = folder / f"{path.stem}{bits}.safetensors"
        whole.save(small, bits=bits, force=True)
        apart = [
            _apart(one.samples, other.samples) for one, other in zip(wanted, Instrument.load(small).generate(sounds, seed=0), strict=True)
        ]
        rows.append(
            [
                str(bits or 32),
                f"{small.stat().st_size / 1e6:.1f}",
                *(f"{value:.3f}" for value in (np.mean(apart), np.median(apart), max(apart))),
            ]
        )
    return table(["bits", "file (MB)", "mean (dB)", "median (dB)", "largest (dB)"], rows)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """Log-mel difference of two finished sounds in dB, over the length of the shorter."""
    import torch

    from timbrespace.audio.distance import log_mel_error

    length = min(one.shape[1], other.shape[1])
    return float(log_mel_error(*(torch.from_numpy(samples[:, :length].copy())[None] for samples in (one, other))))


if __name__ == "__main__":
    main()
