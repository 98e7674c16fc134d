#!/usr/bin/env python3
"""How good and how fast is the default instrument on recorded drums, from the folder of files to new sounds?

    python benchmarks/end_to_end.py [SOUNDS] [--minutes 3] [--seeds 1] [--only speed,reconstruction,distribution]

Tables (docs/benchmarks/end-to-end.md): time, memory and size of every command; reconstructions of held-out and unseen drums beside PCA;
new sounds beside held-out real ones. The script prints them and writes them into that page between its markers.

SOUNDS is the folder that benchmarks/real_audio.py makes; without it the script makes one first (Debian, as root). Everything is seeded.
A trained instrument is used again by later runs while the code in src/, the sounds and the settings are the same (--fresh: train again).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lib.bench import WORK, Bench, collect_sounds, folder_in
from lib.options import make_parser, publish
from lib.page import stamp
from lib.process import ROOT, say

PARTS = {
    "speed": "Speed, memory, size",
    "reconstruction": "Reconstructions of unseen drums",
    "distribution": "New sounds against held-out real ones",
}


def measures() -> dict[str, Callable[[Bench], str]]:
    """The function that measures each part and returns Markdown; imported late, so that --help is quick."""
    from lib.end_to_end import distribution, reconstruction, speed

    return {
        "speed": speed.measure,
        "reconstruction": reconstruction.measure,
        "distribution": distribution.measure,
    }


def main(arguments: list[str] | None = None) -> None:
    """Measures the chosen parts, prints their tables and writes them into the page."""
    parser = make_parser(__doc__, sounds=False)
    page = ROOT / "docs" / "benchmarks" / "end-to-end.md"
    parser.add_argument("--minutes", type=float, default=3.0, help="of training (default 3)")
    parser.add_argument("--seeds", type=int, default=1, help="instruments to train and measure (default 1)")
    parser.add_argument("--out", type=Path, default=page, help="Markdown file (default docs/benchmarks/end-to-end.md)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts to measure, of {','.join(PARTS)} (default all)")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for corpora and instruments (default %(default)s)")
    parser.add_argument("--fresh", action="store_true", help="train again even if an earlier run's instrument can be used")
    given = parser.parse_args(arguments)
    wanted = [part.strip() for part in given.only.split(",") if part.strip()]
    if not wanted or set(wanted) - set(PARTS):
        parser.error(f"--only is {given.only!r}, allowed are {', '.join(PARTS)}")
    if given.seeds < 1 or given.minutes <= 0:
        parser.error("--seeds must be 1 or more and --minutes above 0")
    drums = folder_in(collect_sounds(given.work / "real") if given.sounds is None else given.sounds)
    given.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(drums, given.work, given.minutes, given.seeds, given.fresh)
    command = f"python benchmarks/end_to_end.py SOUNDS --minutes {given.minutes:g} --seeds {given.seeds}"  # private folders are not named
    for part, heading in PARTS.items():
        if part in wanted:
            say(f"measuring: {heading}")
            body = f"## {heading}\n{stamp(f'{command} --only {part}')}\n\n{measures()[part](bench)}"
            publish(f"{body}\n", given.out, f"end-to-end-{part}", inside="end-to-end")
    say(f"written to {given.out}")


if __name__ == "__main__":
    main()
