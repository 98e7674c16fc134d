#!/usr/bin/env python3
"""Does an instrument that continues on added sounds (`train --from`) beat one from scratch after the same number of steps?

    python benchmarks/adding.py [--old 96] [--new 32] [--epochs 100] [--more 25] [--set KEY=VALUE] [--out FILE]

Table (docs/benchmarks/adding.md): log-mel errors of held-out sounds, old kinds and added ones. The old sounds are synthetic drums without
two kinds (hats and cymbals); the added ones are drums of other seeds, of all kinds. Everything is computed and seeded.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from lib.options import add_changes, add_out, as_options, make_parser, publish
from lib.page import stamp, table
from lib.process import say

RATE = 44_100
ADDED_KINDS = ("hat", "cymbal")  # words in the kinds that only added sounds have
EXAMPLES = 1_024  # clips and variations of each training, so that all have the same number of steps for an epoch

NOTE = """All rows but the first have the same number of steps. *Old kinds*: held-out drums like those that the first instrument learned.
*Added kinds*: held-out hats and cymbals, of which it had none. *Files*: the old sounds were found where they were. *Decoded*:
they were gone, and the training rehearsed what the first instrument made of them. Lower is better."""


def main(arguments: list[str] | None = None) -> None:
    """Makes the sounds, trains four instruments, prints the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--old", type=int, default=96, help="old sounds (default %(default)s)")
    parser.add_argument("--new", type=int, default=32, help="added sounds (default %(default)s)")
    parser.add_argument("--held-out", type=int, default=24, help="sounds measured of either kind (default %(default)s)")
    parser.add_argument("--epochs", type=float, default=100.0, help="of the first instrument (default %(default)s)")
    parser.add_argument("--more", type=float, default=25.0, help="of the other trainings (default %(default)s)")
    add_changes(parser)
    add_out(parser, "adding.md")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="timbrespace-adding-") as folder:
        rows = measure(Path(folder), given)
    command = f"python benchmarks/adding.py --old {given.old} --new {given.new} --held-out {given.held_out} --epochs {given.epochs:g}"
    command += f" --more {given.more:g}{as_options(given.changes)}"
    head = ("instrument", "steps", "old kinds (dB)", "added kinds (dB)")
    publish("\n\n".join([stamp(command), NOTE, table(head, rows)]), given.out, "adding")


def measure(work: Path, given: argparse.Namespace) -> list[list[str]]:
    """The rows of the table."""
    from timbrespace.training.train import train

    old, new, both = work / "old", work / "new", work / "both"
    write_sounds(old, count=given.old, seed=0, added=False)
    write_sounds(new, count=given.new, seed=1, added=None)
    shutil.copytree(old, both)
    shutil.copytree(new, both / "new")
    tests = [sounds(given.held_out, seed=2, added=False), sounds(given.held_out, seed=2, added=True)]
    changes = (f"training.examples={EXAMPLES}", *given.changes)

    def row(name: str, source: Path, out: str, **options: Any) -> list[str]:
        say(name)
        instrument = train(source, work / out, device="cpu", **options)
        values = [f"{error(instrument, some):.2f}" for some in tests]
        return [name, str(instrument.card["training"]["steps"]), *values]

    first = work / "first.safetensors"
    rows = [row("the first one, without the added sounds", old, "first.safetensors", epochs=given.epochs, changes=changes)]
    more = {"epochs": given.more, "changes": changes}
    rows.append(row("from scratch, on all sounds", both, "nothing.safetensors", **more))
    rows.append(row("`--from`, files", new, "files.safetensors", continue_from=first, **more))
    old.rename(work / "gone")
    rows.append(row("`--from`, decoded", new, "decoded.safetensors", continue_from=first, **more))
    return rows


def is_added(name: str) -> bool:
    """Whether a drum of this name is of a kind that the first instrument does not have."""
    return any(word in name for word in ADDED_KINDS)


def sounds(count: int, *, seed: int, added: bool | None) -> list[Any]:
    """The first `count` synthetic drums of a seed: of added kinds alone, of old kinds alone, or (None) of all."""
    from timbrespace.corpus.synthetic.drum_kit import synthetic_drum

    found: list[Any] = []
    index = 0
    while len(found) < count:
        clip = synthetic_drum(index, seed=seed)
        if added is None or is_added(clip.name) == added:
            found.append(clip)
        index += 1
    return found


def write_sounds(folder: Path, *, count: int, seed: int, added: bool | None) -> None:
    """Writes synthetic drums as WAV files, a folder a kind."""
    from timbrespace.audio.files import write

    for clip in sounds(count, seed=seed, added=added):
        path = folder / f"{clip.name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, clip.audio, RATE)


def error(instrument: Any, clips: list[Any]) -> float:
    """Mean log-mel error of reconstructions in dB."""
    from timbrespace.audio.distance import log_mel_error

    originals = [clip.audio[:, : instrument.contents.samples] for clip in clips]
    return float(log_mel_error(originals, [instrument.reconstruct(audio) for audio in originals], sample_rate=RATE).mean())


if __name__ == "__main__":
    main()
