#!/usr/bin/env python3
"""How steady and in tune are new notes: by a phase search, and by oscillators with noise between the partials?

    python benchmarks/new_notes.py SOUNDS [--minutes 3] [--count 300] [--work FOLDER] [--out FILE]

Table (docs/benchmarks/new-notes.md): the same latents of one instrument, rendered both ways, beside recorded notes. SOUNDS is the folder
that benchmarks/real_audio.py makes. `harmonic.render` says how the oscillators work. Everything is seeded.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from lib.bench import WORK, bench_for, collect_sounds
from lib.new_sounds import intervals
from lib.new_sounds.details import Details
from lib.options import add_out, make_parser, publish
from lib.page import stamp, table
from lib.process import say
from timbrespace.audio.embedding import embedding
from timbrespace.audio.pitch import midi_to_hz
from timbrespace.audio.pitch_estimation import estimate_hz
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.artefacts import metrics_per_sound
from timbrespace.evaluation.distribution import compare
from timbrespace.evaluation.new_sounds import HELD_OUT
from timbrespace.instrument import Instrument
from timbrespace.synthesis.encoding import decode
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.finish import finish
from timbrespace.synthesis.request import DrawOptions, RenderRequest, draw

HOP = 256  # of the default view, for the flutter at the frame rate
TIMED = 24  # notes rendered both ways in turn, for the CPU time
IN_TUNE = 50.0  # cents
SEED = 5
ABOUT = """The same latents in both rows of new notes. *Wavering*: deviation of the fundamental, vibrato included; *flutter*: of levels
above 1 kHz at the rate of the frames; *partials*: distance of partials 4 to 10 from multiples of the fundamental; *in tune*: within 50
cents of the pitch asked for, or labelled; *told apart* (chance is 0.5), *Fréchet ratio*, *precision* and *recall*: against the held-out
notes. *Detail*: as for [drums](new-sounds.md). *±*: half of a 90 % interval over the notes, one instrument (halves drawn without
replacement). *CPU time*: decoding and finishing, median ratio over 24 notes rendered both ways in turn."""
COLUMNS = (
    "notes", "count", "wavering, median (cents)", "mean", "flutter (dB)", "partials (cents)", "partials found (%)", "in tune (%)",
    "highs (dB)", "told apart", "Fréchet ratio", "precision", "recall", "detail novelty", "detail nearest", "CPU time",
)  # fmt: skip


def wavering(wave: Tensor, rate: int, hertz: float) -> float:
    """Standard deviation of the fundamental of a note `(channels, time)` in cents, weighted by its level; NaN under 0.2 s.

    The fundamental is moved to 0 Hz and low-pass filtered; its frequency is the phase advance over 10 ms.
    """
    from scipy import signal

    mono = wave.double().mean(0).numpy()
    base = mono * np.exp(-2j * np.pi * hertz * np.arange(len(mono)) / rate)
    low = signal.butter(4, min(0.4 * hertz, 60.0), fs=rate, output="sos")
    base = signal.sosfiltfilt(low, base.real) + 1j * signal.sosfiltfilt(low, base.imag)
    base = base[round(0.06 * rate) : len(base) - round(0.05 * rate)]
    if len(base) < 0.1 * rate:
        return math.nan
    level, phase, step = np.abs(base), np.unwrap(np.angle(base)), round(0.01 * rate)
    advance = (phase[step:] - phase[:-step]) * rate / (2 * math.pi * step)
    cents = 1200 * np.log2(np.maximum(hertz + advance, hertz / 2) / hertz)
    weight = (level * (level > 0.05 * level.max()))[step:]
    mean = np.average(cents, weights=weight)
    return float(np.sqrt(np.average(np.square(cents - mean), weights=weight)))


def in_tune(wave: Tensor, rate: int, hertz: float) -> bool:
    """Whether the estimated pitch of a note is within 50 cents of the one asked for."""
    found, _ = estimate_hz(wave.mean(0).numpy(), rate, high=min(4_000.0, rate / 4))
    return found is not None and abs(1200 * math.log2(found / hertz)) < IN_TUNE


def row(
    name: str, sounds: Sequence[Tensor], hertz: Sequence[float], reference: tuple[Tensor, Tensor] | None, rate: int, cpu: str,
    *, details: dict[str, float] | None = None,
) -> list[str]:  # fmt: skip
    """One row of the table. reference: embeddings of held-out and of training notes, None for real notes. details: see `Details`."""
    pairs = list(zip(sounds, hertz, strict=True))
    columns = {key: np.asarray(values) for key, values in metrics_per_sound(sounds, sample_rate=rate, hop=HOP).items()}
    columns |= {"waver": np.array([wavering(sound, rate, hz) for sound, hz in pairs])}
    columns |= {"tune": 100.0 * np.array([in_tune(sound, rate, hz) for sound, hz in pairs])}

    def figures(rows: np.ndarray) -> dict[str, float]:
        found = {key: float(np.nanmean(values[rows])) for key, values in columns.items()}
        return found | {"waver, median": float(np.nanmedian(columns["waver"][rows]))}

    means, widths = figures(np.arange(len(sounds))), intervals.of_sounds(len(sounds), figures)
    keys = ("waver, median", "waver", "stutter_db", "partial_cents", "partials_percent", "tune", "highs_db")
    cells = [name, str(len(sounds)), *(intervals.with_width(f"{means[key]:.1f}", widths[key]) for key in keys)]
    if reference is None:
        return [*cells, *["–"] * 6, cpu]
    points = embedding(list(sounds), sample_rate=rate)
    result, spread = compare(points, reference[0], training=reference[1]), intervals.of_distances(points, *reference)
    spread["frechet_ratio"] = spread["frechet"] / float(result["frechet_floor"] or 1)
    distances = [intervals.with_width(f"{result[key]:.2f}", spread[key]) for key in ("accuracy", "frechet_ratio", "precision", "recall")]
    of_detail = ["–", "–"] if details is None else [f"{details[key]:.2f}" for key in ("detail_novelty", "detail_nearest")]
    return [*cells, *distances, *of_detail, cpu]


def rendered(contents: InstrumentContents, requests: Sequence[RenderRequest]) -> list[Tensor]:
    """The finished notes `(channels, time)` of requests."""

    def wave(one: RenderRequest) -> Tensor:
        return decode(contents, one.z, length=one.length, seed=one.seed, texture=True, category=one.category)

    return [finish(wave(one), contents.sample_rate) for one in requests]


def cpu_ratio(contents: InstrumentContents, before: InstrumentContents, requests: Sequence[RenderRequest]) -> float:
    """CPU time of rendering with `contents` over that with `before`, in turn on the same notes: the median of the ratios."""
    ratios = []
    for request in requests:
        times = []
        for each in (contents, before):
            start = time.process_time()
            rendered(each, [request])
            times.append(time.process_time() - start)
        ratios.append(times[0] / times[1])
    return float(np.median(ratios))


def fundamentals(contents: InstrumentContents, corpus: Corpus, clips: Sequence[int]) -> list[float]:
    """Fundamentals in Hz of clips of a corpus, as training knows them; NaN where unknown."""
    pitches = contents.model.conditioning.of_clips(corpus, clips)
    assert pitches is not None
    return [midi_to_hz(float(pitch)) for pitch in pitches[:, -1]]


def main(arguments: list[str] | None = None) -> None:
    """Trains one instrument of notes, renders new notes both ways, prints the table."""
    parser = make_parser(__doc__, sounds=True)
    parser.add_argument("--minutes", type=float, default=3.0, help="of training (default %(default)s)")
    parser.add_argument("--instrument", type=Path, metavar="FILE", help="measure this one, of the same split (default: one is trained)")
    parser.add_argument("--count", type=int, default=300, help="new notes (default %(default)s)")
    parser.add_argument("--work", default=WORK / "new-notes", type=Path, help="folder for corpus and instrument (default %(default)s)")
    add_out(parser, "new-notes.md")
    options = parser.parse_args(arguments)

    bench = bench_for(collect_sounds(options.sounds), "notes", work=options.work, minutes=options.minutes)
    contents, corpus = Instrument.load(options.instrument or bench.train(0).path).contents, bench.corpus
    before, rate = replace(contents, notes=None), contents.sample_rate
    held_out, trained = [i for split in HELD_OUT for i in corpus.indices(split)], corpus.indices("train")
    real, known = ([corpus.audio(i)[:, : contents.samples] for i in clips] for clips in (held_out, trained))
    reference = embedding(real, sample_rate=rate), embedding(known, sample_rate=rate)

    say("rendering")
    requests = draw(contents, options.count, DrawOptions(), seed=SEED)
    hertz = [midi_to_hz(contents.model.conditioning.pitch_of(one.z) or math.nan) for one in requests]
    rendered(contents, requests[:1])  # compiles
    ratio = cpu_ratio(contents, before, requests[:TIMED])
    details = Details(contents, corpus, trained, held_out)
    rows = [
        row("recorded, held out", real, fundamentals(contents, corpus, held_out), None, rate, "–"),
        row("recorded, trained on", known, fundamentals(contents, corpus, trained), reference, rate, "–"),
    ]
    for name, each, cpu in (("new, phase search", before, "1"), ("new, oscillators and noise", contents, f"{ratio:.2f}")):
        made = rendered(each, requests)
        of_detail = details.measures([(sound, one.z) for sound, one in zip(made, requests, strict=True)])
        rows.append(row(name, made, hertz, reference, rate, cpu, details=of_detail))
    how = f"--minutes {options.minutes:g}" if options.instrument is None else f"--instrument {options.instrument.name}"
    command = f"python benchmarks/new_notes.py SOUNDS {how} --count {options.count}"
    publish(f"{stamp(command)}\n\n{ABOUT}\n\n{table(COLUMNS, rows)}", options.out, "new-notes")


if __name__ == "__main__":
    main()
