#!/usr/bin/env python3
"""How like real sounds are the new sounds of one instrument, with its detail model and with the noise texture in its place?

    python benchmarks/new_sounds.py SOUNDS [--what drums] [--instrument FILE] [--count 300] [--out FILE]

Tables (docs/benchmarks/new-sounds.md): new sounds of one instrument with either kind of detail, beside the training sounds themselves and
their true features through the same decoding; attacks, artefacts, cost. SOUNDS is the folder that benchmarks/real_audio.py makes.
Without --instrument one is trained (--minutes). An instrument that is given must have been trained on the same split (seed of `prepare`).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lib.bench import WORK, bench_for
from lib.options import add_out, make_parser, publish
from lib.page import stamp, table
from lib.process import ROOT, say

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus
    from timbrespace.instrument import Instrument

NOTE = """{count} sounds a row, seed {seed}; {held_out} held-out and {training} training sounds of {what}.

- *Held out*: against the held-out files of the trained kits, as in [end to end](end-to-end.md). The training sounds themselves are told
  apart from these, because kinds and kits are not held out in equal numbers: their row is the bar.
- *All*: against all real sounds. Real against real is told apart in {real:.2f}; the training sounds are among them.
- *Fréchet*: distance to held-out sounds over that of the row of true features; to all real sounds over that of real against real.
- *Rise*: median 10–90 % time of a kind over that of its training sounds.
- *Hiss*: share of a kind with more over 3 kHz later than 120 ms after the peak than any real one.
- *Detail*: what a latent does not decode to, alone. *Novelty*: median distance to the nearest training detail over that of held-out
  sounds; *nearest*: the least distance over the 1st percentile of real sounds of different groups (1 or more: no detail is borrowed).
- *±*: half of a 90 % interval over the sounds, one instrument (halves drawn without replacement): another training may differ by more.
- *Cost*: processor time of 64 new sounds in a warm process. Other columns: [artefacts](one-shots.md#artefacts)."""

HEAD = [
    "sounds", "held out: Fréchet", "told apart", "precision", "recall", "all: Fréchet", "told apart", "precision", "recall", "novelty",
    "copies", "detail novelty", "detail nearest", "rise snare", "rise kick", "hiss kick", "tail (dB)", "lingering (%)",
    "partials found (%)", "highs (dB)", "cost (s)",
]  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Measures one instrument and prints the table."""
    parser = make_parser(__doc__, sounds=True)
    parser.add_argument("--what", default="drums", choices=("drums", "notes"), help="which sounds (default %(default)s)")
    parser.add_argument("--instrument", type=Path, metavar="FILE", help="measure this one (default: one is trained)")
    parser.add_argument("--minutes", type=float, default=3.0, help="of training, without --instrument (default %(default)s)")
    parser.add_argument("--count", type=int, default=300, help="sounds a row (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the new sounds (default %(default)s)")
    parser.add_argument("--few", action="store_true", help="also learn 12 kicks alone and count new ones with more hiss than any of them")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for corpora and instruments (default %(default)s)")
    add_out(parser, "new-sounds.md")
    given = parser.parse_args(arguments)

    from timbrespace.instrument import Instrument

    bench = bench_for(given.sounds, given.what, work=given.work / f"{given.what} all", minutes=given.minutes)
    path = given.instrument or bench.train(0).path
    body = measure(Instrument.load(path), bench.corpus, what=given.what, count=given.count, seed=given.seed)
    if given.few:
        from lib.new_sounds.few import hiss_of_few

        body += f"\n\n{hiss_of_few(bench.corpus, bench.trained_kits, work=bench.work)}"
    publish(f"{stamp('python benchmarks/new_sounds.py SOUNDS')}\n\n{body}", given.out, f"new-sounds-{given.what}")


def measure(instrument: Instrument, corpus: Corpus, *, what: str, count: int, seed: int) -> str:
    """The table as Markdown."""
    import numpy as np

    from lib.new_sounds.measure import Real, processor_seconds
    from timbrespace.evaluation.rows import true_features
    from timbrespace.instrument import Instrument
    from timbrespace.synthesis.finish import finish
    from timbrespace.training.data.detail import fit_detail

    real = Real(instrument, corpus)
    chosen = [real.training[k] for k in np.random.default_rng(0).permutation(len(real.training))[:count]]
    audio, labels = [sound for sound, _ in chosen], [label for _, label in chosen]
    contents = instrument.contents
    detail = contents.detail or fit_detail(contents, corpus, corpus.indices("train"), seed=0)
    kinds = {"noise texture": Instrument(replace(contents, detail=None)), "detail model": Instrument(replace(contents, detail=detail))}
    say("control rows")
    found = {"training sounds themselves": real.measures([(finish(sound, real.rate), label) for sound, label in chosen])}
    rendered = [finish(sound, real.rate) for sound in true_features(instrument, audio)]
    found["their true features, decoded"] = real.measures(list(zip(rendered, labels, strict=True)))
    for name, one in kinds.items():
        say(f"new sounds with {name}")
        made = one.generate(count, seed=seed)
        latents = [sound.latent for sound in made if sound.latent is not None]
        found[f"new, {name}"] = real.measures([(sound.audio, sound.category) for sound in made], latents)
        found[f"new, {name}"]["cost"] = processor_seconds(one, 64)
    base, first = found["their true features, decoded"], next(iter(found.values()))
    note = NOTE.format(
        count=count, seed=seed, held_out=len(real.held_out), training=len(real.training), what=what, real=first["all_real_accuracy"],
    )  # fmt: skip
    return f"{note}\n\n{table(HEAD, [_row(name, values, base) for name, values in found.items()])}"


def _row(name: str, values: dict[str, float], base: dict[str, float]) -> list[str]:
    from lib.new_sounds.intervals import with_width

    def number(key: str, digits: int = 2, *, over: float = 1.0) -> str:
        value, width = values.get(key, float("nan")) / over, values.get(f"± {key}", float("nan")) / over
        return "–" if value != value else with_width(f"{value:.{digits}f}", width)

    return [
        name, number("frechet", over=base["frechet"]), number("accuracy"), number("precision"), number("recall"),
        number("all_frechet", over=values["all_frechet_floor"]), number("all_accuracy"), number("all_precision"), number("all_recall"),
        number("novelty"), number("copies"), number("detail_novelty"), number("detail_nearest"), number("rise_snare"), number("rise_kick"),
        number("hiss_kick"), number("tail_db", 1), number("linger_percent", 1), number("partials_percent", 0), number("highs_db", 1),
        number("cost"),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    main()
