#!/usr/bin/env python3
"""Do new sounds have the class or the pitch that was asked for? An independent classifier and the pitch estimator decide.

    python benchmarks/conditioning.py SOUNDS [--parts classes,pitches,between] [--presets oneshot,conditional] [--minutes 3] [--each 40]
                                      [--notes 240] [--out FILE]

Tables (docs/benchmarks/conditioning.md): accuracy of classes of drums, of pitches, and of pitches that no training sound has (between).
SOUNDS is the folder that benchmarks/real_audio.py makes. Two ways are compared: `oneshot` draws latents from the density of the class and
has the pitch as one of its latents; the decoder of `conditional` gets both as conditions. Everything is seeded. A trained instrument is
used again by later runs while the code in src/, the sounds and the settings are the same (--fresh: train again).
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lib.bench import WORK, Bench, bench_for
from lib.options import add_out, make_parser, publish
from lib.page import stamp, table
from lib.process import say

PRESETS = ("oneshot", "conditional")
PARTS = ("classes", "pitches", "between")
FEWEST_TRAINING, FEWEST_UNSEEN = 30, 5  # real sounds that a measured class has at least
LEFT_OUT = (1, 6)  # pitch classes left out of training: C sharp, F sharp
NEAR = 0.5  # semitones

NOTE = """*Classes*: a support vector machine (RBF, C 3, classes weighted alike) on the [embedding](../measures.md) of the real training
sounds; no instrument uses it. Accuracy is the mean over classes. *Condition only*: latents drawn from the whole corpus, the class given
to the decoder; this shows the effect of the condition alone. *Pitches*: share of new notes, spread over the range, whose estimated pitch
is within 50 cents of the one asked for. *Of pitched*: the same share of those notes for which the estimator finds a pitch at all.
*Between*: C sharp and F sharp, by instruments trained without any; the real notes there are the training sounds."""


def main(arguments: list[str] | None = None) -> None:
    """Trains missing instruments, measures, prints the tables."""
    parser = make_parser(__doc__, sounds=True)
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure (default %(default)s)")
    parser.add_argument("--presets", default=",".join(PRESETS), help="presets to measure (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=3.0, help="of training (default %(default)s)")
    parser.add_argument("--each", type=int, default=40, help="new sounds for each class (default %(default)s)")
    parser.add_argument("--notes", type=int, default=240, help="new notes (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=WORK / "conditioning", help="folder for corpora and instruments")
    parser.add_argument("--fresh", action="store_true", help="train again what an earlier run trained")
    add_out(parser, "conditioning.md")
    given = parser.parse_args(arguments)
    if given.each < 1 or given.notes < 1 or given.minutes <= 0:
        parser.error("--each and --notes must be 1 or more, --minutes above 0")
    wanted = [part.strip() for part in given.parts.split(",")]
    if unknown := [part for part in wanted if part not in PARTS]:
        parser.error(f"--parts: {unknown[0]!r} does not exist; the parts are {', '.join(PARTS)}")
    measures: dict[str, Callable[[argparse.Namespace], str]] = {
        "classes": classes,
        "pitches": pitches,
        "between": partial(pitches, without=LEFT_OUT),
    }
    tables = [f"## {part.capitalize()}\n\n{measures[part](given)}" for part in PARTS if part in wanted]
    command = f"python benchmarks/conditioning.py SOUNDS --parts {','.join(wanted)} --presets {given.presets} --minutes {given.minutes:g}"
    command += f" --each {given.each} --notes {given.notes} --seed {given.seed}"
    body = "\n\n".join([stamp(command), NOTE, *tables])
    publish(body, given.out, "conditioning")


def classes(given: argparse.Namespace) -> str:
    """Table: how often the classifier finds the class that was asked for."""
    from timbrespace.evaluation.parts.kinds import category_judge

    benches = {preset: _bench(given, "drums", preset) for preset in given.presets.split(",")}
    bench = next(iter(benches.values()))
    corpus, unseen = bench.corpus, bench.unseen
    train, held = corpus.indices("train"), corpus.indices("validation") + corpus.indices("test")

    def common(corpus: Any, clips: Sequence[int], least: int) -> set[str]:
        kinds = [corpus.clips[i].category for i in clips]
        return {kind for kind in kinds if kind is not None and kinds.count(kind) >= least}

    names = sorted(common(corpus, train, FEWEST_TRAINING) & common(unseen, range(len(unseen)), FEWEST_UNSEEN))
    points, kinds = _real(corpus, train, names)
    judge = category_judge().fit(points, kinds)

    def row(name: str, points: np.ndarray, kinds: np.ndarray) -> list[str]:
        right = judge.predict(points) == kinds
        each = {kind: float(right[kinds == kind].mean()) if (kinds == kind).any() else np.nan for kind in names}
        return [name, str(len(kinds)), f"{100 * np.nanmean(list(each.values())):.1f} %", *(f"{100 * each[kind]:.0f}" for kind in names)]

    rows = [
        row("real, unseen kits", *_real(unseen, range(len(unseen)), names)),
        row("real, held out", *_real(corpus, held, names)),
    ]
    for preset, own in benches.items():
        instrument = _instrument(own, given.seed)
        made = {kind: instrument.generate(given.each, seed=given.seed + 1, category=kind) for kind in names}
        rows.append(row(f"`{preset}`, asked", *_new(made)))
        if instrument.conditions:
            conditioned = {kind: _condition_only(instrument, kind, given.each, seed=given.seed + 2) for kind in names}
            rows.append(row(f"`{preset}`, condition only", *_new(conditioned)))
    return table(["sounds", "n", "right", *names], rows)


def pitches(given: argparse.Namespace, without: tuple[int, ...] = ()) -> str:
    """Table: how often the estimated pitch is the one asked for. without: pitch classes that are removed from the training sounds."""
    rows, rng = list[list[str]](), np.random.default_rng(given.seed)
    for preset in given.presets.split(","):
        bench = _bench(given, "notes", preset)
        if without:
            bench.__dict__["trained_kits"] = _left_out(bench, without)  # replaces the property of the same name
            bench.__dict__.pop("corpus", None)
        instrument = _instrument(bench, given.seed)
        known = [bench.corpus.clips[i].pitch for i in bench.corpus.indices("train")]
        low, high = np.quantile([pitch for pitch in known if pitch is not None], [0.02, 0.98]).round().astype(int)
        notes = [note for note in range(low, high + 1) if not without or note % 12 in without]
        asked = [float(note) for note in rng.choice(notes, given.notes)]
        if not rows:
            held = bench.corpus.indices("validation") + bench.corpus.indices("test") if not without else bench.corpus.indices("train")
            real = [(clip, bench.corpus.audio(clip)) for clip in held if bench.corpus.clips[clip].pitch is not None]
            wanted = [float(bench.corpus.clips[clip].pitch or 0) for clip, _ in real]
            rows.append(_pitch_row("real notes, " + ("training" if without else "held out"), [a for _, a in real], wanted, instrument))
        made = [instrument.generate(1, seed=index, pitch=note)[0].audio for index, note in enumerate(asked)]
        rows.append(_pitch_row(f"`{preset}`", made, asked, instrument))
    return table(["notes", "n", "within 50 cents", "of pitched", "median error (cents)"], rows)


def _pitch_row(name: str, sounds: Sequence[Any], asked: Sequence[float], instrument: Any) -> list[str]:
    from timbrespace.audio.pitch_estimation import estimate_midi

    found = [estimate_midi(audio.numpy(), instrument.sample_rate)[0] for audio in sounds]
    errors = np.array([abs(pitch - note) for pitch, note in zip(found, asked, strict=True) if pitch is not None])
    near = int((errors <= NEAR).sum())
    share = f"{100 * near / len(asked):.1f} %"
    return [
        name,
        str(len(asked)),
        share,
        f"{100 * near / max(1, len(errors)):.1f} %",
        f"{100 * np.median(errors):.1f}" if len(errors) else "–",
    ]


def _bench(given: argparse.Namespace, what: str, preset: str) -> Bench:
    return bench_for(given.sounds, what, work=given.work / what, minutes=given.minutes, fresh=given.fresh, preset=preset)


def _left_out(bench: Bench, without: tuple[int, ...]) -> Path:
    """A copy of the training folder without the sounds of these pitch classes and without those of unknown pitch."""
    from timbrespace.corpus.corpus import Corpus

    whole, folder = bench.trained_kits, bench.work / "between"
    corpus: Corpus = bench.corpus
    shutil.rmtree(folder, ignore_errors=True)
    for clip in corpus.clips:
        if clip.pitch is not None and round(clip.pitch) % 12 not in without:
            place = folder / clip.file
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(whole / clip.file, place)
    return folder


def _instrument(bench: Bench, seed: int) -> Any:
    from timbrespace.instrument import Instrument

    return Instrument.load(bench.train(seed).path)


def _real(corpus: Any, clips: Sequence[int], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings `(n, dims)` and categories `(n,)` of the clips of these classes."""
    from timbrespace.audio.embedding import embedding

    chosen = [i for i in clips if corpus.clips[i].category in names]
    longest = round(1.5 * corpus.sample_rate)
    points = embedding([corpus.audio(i)[:, :longest] for i in chosen], sample_rate=corpus.sample_rate)
    return points.numpy(), np.array([corpus.clips[i].category for i in chosen])


def _new(made: dict[str, list[Any]]) -> tuple[np.ndarray, np.ndarray]:
    from timbrespace.audio.embedding import embedding

    sounds = [sound for each in made.values() for sound in each]
    points = embedding([sound.audio for sound in sounds], sample_rate=sounds[0].sample_rate)
    return points.numpy(), np.array([kind for kind, each in made.items() for _ in each])


def _condition_only(instrument: Any, kind: str, count: int, *, seed: int) -> list[Any]:
    """Sounds with latents drawn from the whole corpus and the condition of one class."""
    say(f"{kind}, condition only")
    drawn = instrument.generate(count, seed=seed)
    sounds = []
    for sound in drawn:
        z = sound.latent.clone()
        for position, value in _positions(instrument, kind).items():
            z[position] = value
        sounds.append(instrument.replay(sound.recipe | {"latent": [float(value) for value in z]}))
    return sounds


def _positions(instrument: Any, kind: str) -> dict[int, float]:
    return dict(instrument.model.conditioning.request({"category": kind}, category=None, pitch=None).entries)


if __name__ == "__main__":
    main()
