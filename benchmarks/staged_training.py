#!/usr/bin/env python3
"""Is staged training of a convolutional autoencoder with a VAE inside (source B) faster or better than joint training?

    python benchmarks/staged_training.py SOUNDS [--minutes 3] [--share 0.2] [--set model.inner.dims=8] [--out FILE]

Tables (docs/benchmarks/staged-training.md): time of a step and an epoch; validation error over time. SOUNDS is the folder that
benchmarks/real_audio.py makes; its notes are used. Times: medians of steps taken in turn. Errors: both ways train for the same minutes,
with the preset's batch and weights, a learning rate that falls to 0 in each stage, and averaged parameters, as in `timbrespace train`.
Both start from PCA initialisation (`training.initialisation`), which counts; evaluation stops the clock. Everything except the clock is
seeded.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lib.bench import WORK, bench_for
from lib.options import add_changes, add_out, as_options, make_parser, publish
from lib.page import stamp, table


def main(arguments: list[str] | None = None) -> None:
    """Trains both ways and prints the tables."""
    parser = make_parser(__doc__, sounds=True)
    parser.add_argument("--minutes", type=float, default=3.0, help="of training, each way (default %(default)s)")
    parser.add_argument("--share", type=float, help="share of the minutes for the outer model (default: the preset's)")
    add_changes(parser)
    parser.add_argument("--work", type=Path, default=WORK / "staged", help="folder for the corpus")
    add_out(parser, "staged-training.md")
    given = parser.parse_args(arguments)
    if given.minutes <= 0 or (given.share is not None and not 0 < given.share < 1):
        parser.error("--minutes must be above 0, --share between 0 and 1")

    from lib.staged_measure import EVALUATIONS, Comparison, Curve  # late: importing PyTorch takes seconds
    from timbrespace.config.presets import load_preset
    from timbrespace.parallel import keep_freed_memory

    keep_freed_memory()  # as `timbrespace train` does
    corpus = bench_for(given.sounds, "notes", work=given.work, minutes=given.minutes).corpus
    config = load_preset("staged", changes=given.changes)
    share = config.model["outer_share"] if given.share is None else given.share
    comparison = Comparison(config, corpus)
    seconds = comparison.step_seconds()
    whole = 60 * given.minutes
    staged, coding = comparison.train_staged(whole, share)
    joint = comparison.train_jointly(whole)
    if not staged or not joint:
        sys.exit(f"--minutes {given.minutes:g} is too short: initialisation and encoding took all of it; give more")

    def over_time(staged: Curve, joint: Curve) -> list[list[str]]:
        """Rows of the errors at about the same times."""
        interval = whole / EVALUATIONS
        by_index = [{round(at / interval): error for at, error in curve} for curve in (staged, joint)]
        rows = []
        for index in sorted(by_index[0].keys() | by_index[1].keys()):
            cells = [f"{errors[index]:.3f}" if index in errors else "–" for errors in by_index]
            if index not in by_index[0] and index < EVALUATIONS * share:
                cells[0] = "outer model"
            rows.append([f"{index * interval:.0f}", *cells])
        return rows

    least = min(error for _, error in joint)
    reached = min((at for at, error in staged if error <= least), default=None)
    verdict = (
        f"Staged training reaches the least error of joint training after {reached:.0f} of {whole:.0f} s."
        if reached is not None
        else f"Staged training does not reach the least error of joint training in {whole:.0f} s."
    )
    batch, count = comparison.settings.batch, len(comparison.sounds)
    about = (
        f"{count} notes of up to {comparison.samples / corpus.sample_rate:.1f} s, batches of {batch}; loading and encoding them takes "
        f"{comparison.encoding:.1f} s and their codes {coding:.1f} s, once, counted apart from epochs (codes count in the second table)."
    )
    speeds = [[name, f"{1000 * s:.0f}", f"{s * count / batch:.1f}", f"{seconds['joint'] / s:.1f}"] for name, s in seconds.items()]
    command = f"python benchmarks/staged_training.py SOUNDS --minutes {given.minutes:g} --share {share:g}{as_options(given.changes)}"
    body = "\n\n".join([
        stamp(command),
        about,
        table(["trains", "ms a step", "s an epoch", "joint, times that"], speeds),
        "Error of validation clips, features to features, in % of full scale (source B's stdev), after so many seconds of training:",
        table(["seconds", "staged", "joint"], over_time(staged, joint)),
        verdict,
    ])  # fmt: skip
    publish(body, given.out, "staged-training")


if __name__ == "__main__":
    main()
