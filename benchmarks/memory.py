#!/usr/bin/env python3
"""How much memory does `train` take, stage by stage, and does it grow with the number of clips?

    python benchmarks/memory.py [--clips 600,2500,10000] [--seconds 1.44] [--preset oneshot] [--epochs 0.2] [--limit 3000] [--folder DIR]
                                [--set KEY=VALUE]... [--out FILE]
    python benchmarks/memory.py --recordings INSTRUMENT SOUNDS [--minutes 1,30]

Table (docs/benchmarks/memory.md). Each row is one `timbrespace train FOLDER` over that many WAV files, in a process of its own: the peak
of its anonymous memory (RssAnon, children included) in each stage, read every 20 ms. Anonymous memory is what the system cannot take back;
pages of the corpus and of encoded sounds, which are mapped from files, are not in it. The process may not take more than --limit MB of
data (RLIMIT_DATA), else the run fails. The files are variations of synthetic drums and notes, all of one length. Linux only.

With --recordings: what joins leave in a steady tone, and memory and speed of `vary` for files of so many minutes, SOUNDS repeated.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import numpy as np
import torch

from lib.options import add_changes, add_out, as_options, make_parser, numbers, publish
from lib.page import stamp, table
from lib.process import ROOT, say
from lib.recordings import long_files, seams
from timbrespace.audio.files import write
from timbrespace.contracts import SAMPLE_RATE
from timbrespace.corpus.synthetic.registry import synthetic_clips

# Stage -> (file, function) that it is; the innermost one on the main thread's stack counts.
STAGES = {
    "prepare": ("run.py", "prepare"),
    "encode": ("run.py", "encode"),
    "codec": ("run.py", "initialise"),
    "learn": ("run.py", "fit"),
    "map": ("assemble.py", "make_instrument"),
    "card": ("card.py", "make_card"),
    "save": ("instrument.py", "save"),
}
_POLL_SECONDS = 0.02
_SOURCES = 40  # synthetic sounds of each kind that the files are variations of
_MEASURE = "--measure"  # first word of the process that trains


def main(arguments: list[str] | None = None) -> None:
    """Makes the files, trains on more and more of them, prints the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--clips", default="600,2500,10000", help="numbers of files (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.44, help="length of a file (default %(default)s)")
    parser.add_argument("--preset", default="oneshot")
    parser.add_argument("--epochs", type=float, default=0.2)
    parser.add_argument("--limit", type=int, default=3000, help="MB of data that a run may take (default %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the files are made; emptied at the end (default: a temporary folder)")
    parser.add_argument("--recordings", nargs=2, type=Path, metavar=("INSTRUMENT", "SOUNDS"), help="measure recordings instead")
    parser.add_argument("--minutes", default="1,30", help="with --recordings: lengths of the files (default %(default)s)")
    add_changes(parser)
    add_out(parser, "memory.md")
    given = parser.parse_args(arguments)
    if given.recordings:
        with tempfile.TemporaryDirectory(dir=given.folder) as place:
            long = long_files(given.recordings[0], given.recordings[1], numbers(parser, "--minutes", given.minutes), Path(place))
            words = f"{given.recordings[0].name} {given.recordings[1].name} --minutes {given.minutes}"
            body = [stamp(f"python benchmarks/memory.py --recordings {words}"), seams(), long]
        publish("\n\n".join(body), given.out, "recordings")
        return
    counts = sorted(int(number) for number in numbers(parser, "--clips", given.clips))
    if counts[0] < 20 or not 0.1 <= given.seconds <= 60:
        parser.error("--clips must be 20 or more, --seconds 0.1 to 60")
    if not Path("/proc/self/status").exists():
        parser.error("this system does not tell the anonymous memory of a process; Linux does")
    rows = []
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        files = sound_files(Path(place) / "sounds", seconds=given.seconds)
        made = 0
        for count in counts:
            for _ in range(count - made):
                next(files)
            made = count
            say(f"training on {count} files")
            rows.append([str(count), f"{count * given.seconds / 3600:.1f}", *row(measure(given, Path(place)))])
    command = f"python benchmarks/memory.py --clips {given.clips} --seconds {given.seconds:g} --preset {given.preset}"
    head = ["clips", "hours", *(f"{stage} (MB)" for stage in STAGES), "whole run (MB)", "data limited to (MB)"]
    limited = [[*cells, str(given.limit)] for cells in rows]
    publish(
        "\n\n".join([stamp(f"{command} --epochs {given.epochs:g} --limit {given.limit}{as_options(given.changes)}"), table(head, limited)]),
        given.out,
        "memory",
    )


def sound_files(folder: Path, *, seconds: float) -> Iterator[Path]:
    """Yields WAV files as they are written below `folder`: synthetic sounds at other speeds, `seconds` long, by category."""
    sources = [clip for name in ("drums", "notes") for clip in synthetic_clips(name, count=_SOURCES, seed=3)]
    rng, samples, number = np.random.default_rng(0), round(seconds * SAMPLE_RATE), 0
    while True:
        clip = sources[number % len(sources)]
        audio = clip.audio[0].numpy()
        times = np.arange(samples) * 2 ** rng.uniform(-0.5, 0.5)
        # A little noise: no file is a duplicate of another, and none is trimmed.
        changed = np.interp(times, np.arange(len(audio)), audio, right=0.0) + 1e-3 * rng.standard_normal(samples)
        path = folder / f"{clip.category}" / f"sound {number:06d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, torch.from_numpy(changed / np.abs(changed).max() * 0.8).float()[None], SAMPLE_RATE, subtype="PCM_16")
        number += 1
        yield path


def row(peaks: dict[str, float]) -> list[str]:
    """The cells of the stages and of the whole run."""
    return [*(f"{peaks[stage]:.0f}" if stage in peaks else "–" for stage in STAGES), f"{max(peaks.values()):.0f}"]


def measure(given: argparse.Namespace, place: Path) -> dict[str, float]:
    """Peaks in MB of each stage of one training on `place`/sounds, "" for what is before the first stage."""
    words = [place / "sounds", "--out", place / "x.safetensors", "--preset", given.preset, "--epochs", f"{given.epochs:g}", "--force"]
    words += [word for change in given.changes for word in ("--set", change)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, __file__, _MEASURE, str(given.limit), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"the training ended with {done.returncode} (limited to {given.limit} MB of data): {done.stderr.strip()[-1500:]}")
    peaks: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return peaks


def train_watched(limit: int, words: list[str]) -> None:
    """Runs `timbrespace train WORDS` in this process within `limit` MB of data, and prints the peaks of its stages as JSON."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (limit * 1_000_000, limit * 1_000_000))
    peaks: dict[str, float] = {}
    ended, main_thread = threading.Event(), threading.main_thread().ident

    def look() -> None:
        while not ended.wait(_POLL_SECONDS):
            stage = stage_of(sys._current_frames().get(main_thread or 0))
            peaks[stage] = max(peaks.get(stage, 0.0), anonymous(os.getpid()) / 1e6)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    from timbrespace.cli.main import main as command_line

    sys.argv = ["timbrespace", "train", *words, "--json"]
    with contextlib.redirect_stdout(sys.stderr):
        code = command_line()
    ended.set()
    watcher.join()
    if code:
        sys.exit(code)
    print(json.dumps(peaks))


def stage_of(frame: FrameType | None) -> str:
    """The stage that the main thread is in, "" before the first and between them."""
    while frame is not None:
        code = frame.f_code
        for stage, (file, function) in STAGES.items():
            if code.co_name == function and Path(code.co_filename).name == file:
                return stage
        frame = frame.f_back
    return ""


def anonymous(process: int) -> int:
    """Bytes of anonymous memory of a process and its children; 0 for one that has ended.

    A child with the command line of its parent has only just been forked: its memory is still that of the parent.
    """
    folder, total = Path(f"/proc/{process}"), 0
    try:
        lines = (folder / "status").read_text(encoding="ascii", errors="replace").splitlines()
        total = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)
        children = [int(word) for file in folder.glob("task/*/children") for word in file.read_text(encoding="ascii").split()]
    except OSError:
        return total
    return total + sum(anonymous(child) for child in children if command_of(child) != command_of(process))


def command_of(process: int) -> bytes:
    """The command line of a process; empty for one that has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    if sys.argv[1:2] == [_MEASURE]:
        train_watched(int(sys.argv[2]), sys.argv[3:])
    else:
        main()
