#!/usr/bin/env python3
"""Does an instrument play what it is asked for? Classes of drums told by an independent classifier, pitches by the estimator.

    python benchmarks/conditioning.py SOUNDS [--parts classes,pitches,between] [--presets oneshot,conditional] [--minutes 3] [--out FILE]

SOUNDS is the folder that benchmarks/real_audio.py makes. Two ways of asking are compared: `oneshot` draws from where the class lies in its
latent space, and has the pitch as one of its latents; the decoder of `conditional` is told. Between: pitches that were left out of the
training sounds. Everything is seeded; instruments of an earlier run with the same code, sounds and settings are used again.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from common import say, stamp, table, update
from one_shots_tables import KEPT_AWAY
from path import WORK, Bench, folder_in

PRESETS = ("oneshot", "conditional")
PARTS = ("classes", "pitches", "between")
FEWEST_TRAINING, FEWEST_UNSEEN = 30, 5  # sounds of a class that is asked for
EACH, PITCHES = 40, 240  # new sounds a class; notes
AWAY = (1, 6)  # pitch classes left out of training: C sharp, F sharp
NEAR = 0.5  # semitones

NOTE = """*Classes*: a support vector machine (RBF, C 3, classes weighted alike) on the [embedding](measures.md) of the real training
sounds, which has no part in any instrument; accuracy is the mean over classes. *Told against its latent*: latents drawn from the whole
corpus, the class told to the decoder, which shows what telling alone can do. *Pitches*: new notes, drawn alike over the range, that the
estimator hears within 50 cents of the one asked for; *heard*: share of those that it hears a pitch in at all. *Between*: the same
of C sharp and F sharp, by instruments trained without any; real notes there are the training sounds themselves."""


def main(arguments: list[str] | None = None) -> None:
    """Trains what is missing, measures, prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", type=Path, metavar="SOUNDS", help="folder made by real_audio.py")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure (default %(default)s)")
    parser.add_argument("--presets", default=",".join(PRESETS), help="presets to measure (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=3.0, help="of training (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=WORK / "conditioning", help="folder for corpora and instruments")
    parser.add_argument("--fresh", action="store_true", help="train anew what an earlier run trained")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the section into this Markdown file (docs/benchmarks.md)")
    given = parser.parse_args(arguments)
    wanted = [part.strip() for part in given.parts.split(",")]
    if unknown := [part for part in wanted if part not in PARTS]:
        parser.error(f"--parts: there is no {unknown[0]!r}; there are {', '.join(PARTS)}")
    measures: dict[str, Callable[[argparse.Namespace], str]] = {
        "classes": classes,
        "pitches": pitches,
        "between": partial(pitches, without=AWAY),
    }
    tables = [f"**{part.capitalize()}**\n\n{measures[part](given)}" for part in PARTS if part in wanted]
    command = f"python benchmarks/conditioning.py SOUNDS --parts {','.join(wanted)} --presets {given.presets} --minutes {given.minutes:g}"
    body = "\n\n".join([stamp(f"{command} --seed {given.seed}"), NOTE, *tables])
    print(body)
    if given.out is not None:
        update(given.out, "conditioning", body)


def classes(given: argparse.Namespace) -> str:
    """How often the classifier hears the class that was asked for, as a table."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    benches = {preset: _bench(given, "drums", preset) for preset in given.presets.split(",")}
    bench = next(iter(benches.values()))
    corpus, unseen = bench.corpus, bench.unseen
    train, held = corpus.indices("train"), corpus.indices("validation") + corpus.indices("test")

    def often(some: Any, clips: Sequence[int], least: int) -> set[str]:
        kinds = [some.clips[i].category for i in clips]
        return {kind for kind in kinds if kind is not None and kinds.count(kind) >= least}

    names = sorted(often(corpus, train, FEWEST_TRAINING) & often(unseen, range(len(unseen)), FEWEST_UNSEEN))
    points, kinds = _real(corpus, train, names)
    judge = make_pipeline(StandardScaler(), SVC(C=3.0, class_weight="balanced")).fit(points, kinds)

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
        made = {kind: instrument.generate(EACH, seed=given.seed + 1, category=kind) for kind in names}
        rows.append(row(f"`{preset}`, asked", *_new(made)))
        if instrument.conditions:
            told = {kind: _told(instrument, kind, seed=given.seed + 2) for kind in names}
            rows.append(row(f"`{preset}`, told against its latent", *_new(told)))
    return table(["sounds", "n", "right", *names], rows)


def pitches(given: argparse.Namespace, without: tuple[int, ...] = ()) -> str:
    """How often the estimator hears the note that was asked for, as a table. without: pitch classes that no training sound has."""
    rows, rng = [], np.random.default_rng(given.seed)
    for preset in given.presets.split(","):
        bench = _bench(given, "notes", preset)
        if without:
            bench.__dict__["trained_kits"] = _left_out(bench, without)  # in place of the property of the same name
            bench.__dict__.pop("corpus", None)
        instrument = _instrument(bench, given.seed)
        known = [bench.corpus.clips[i].pitch for i in bench.corpus.indices("train")]
        low, high = np.quantile([pitch for pitch in known if pitch is not None], [0.02, 0.98]).round().astype(int)
        notes = [note for note in range(low, high + 1) if not without or note % 12 in without]
        asked = [float(note) for note in rng.choice(notes, PITCHES)]
        if not rows:
            held = bench.corpus.indices("validation") + bench.corpus.indices("test") if not without else bench.corpus.indices("train")
            real = [(clip, bench.corpus.audio(clip)) for clip in held if bench.corpus.clips[clip].pitch is not None]
            wanted = [float(bench.corpus.clips[clip].pitch or 0) for clip, _ in real]
            rows.append(_pitch_row("real notes, " + ("training" if without else "held out"), [a for _, a in real], wanted, instrument))
        made = [instrument.generate(1, seed=index, pitch=note)[0].audio for index, note in enumerate(asked)]
        rows.append(_pitch_row(f"`{preset}`", made, asked, instrument))
    return table(["notes", "n", "within 50 cents", "heard", "median error (cents)"], rows)


def _pitch_row(name: str, sounds: Sequence[Any], asked: Sequence[float], instrument: Any) -> list[str]:
    from timbrespace.audio.pitch import estimate_midi

    found = [estimate_midi(audio.numpy(), instrument.sample_rate)[0] for audio in sounds]
    errors = np.array([abs(heard - note) for heard, note in zip(found, asked, strict=True) if heard is not None])
    near = int((errors <= NEAR).sum())
    share = f"{100 * near / len(asked):.1f} %"
    return [name, str(len(asked)), share, f"{100 * near / max(1, len(errors)):.1f} %", f"{100 * np.median(errors):.1f}"]


def _bench(given: argparse.Namespace, what: str, preset: str) -> Bench:
    away = KEPT_AWAY[what]
    work = given.work / what
    work.mkdir(parents=True, exist_ok=True)
    folder = folder_in(given.sounds, what, away)
    return Bench(folder, work, given.minutes, 1, given.fresh, kept_away=away, what=what, preset=preset)


def _left_out(bench: Bench, without: tuple[int, ...]) -> Path:
    """The training folder without the sounds of these pitch classes, or of no pitch."""
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
    from timbrespace.synthesis.instrument import Instrument

    return Instrument.load(bench.train(seed).path)


def _real(corpus: Any, clips: Sequence[int], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and categories of the clips of these classes."""
    from timbrespace.audio.distance import embedding

    chosen = [i for i in clips if corpus.clips[i].category in names]
    longest = round(1.5 * corpus.sample_rate)
    points = embedding([corpus.audio(i)[:, :longest] for i in chosen], sample_rate=corpus.sample_rate)
    return points.numpy(), np.array([corpus.clips[i].category for i in chosen])


def _new(made: dict[str, list[Any]]) -> tuple[np.ndarray, np.ndarray]:
    from timbrespace.audio.distance import embedding

    sounds = [sound for some in made.values() for sound in some]
    points = embedding([sound.audio for sound in sounds], sample_rate=sounds[0].sample_rate)
    return points.numpy(), np.array([kind for kind, some in made.items() for _ in some])


def _told(instrument: Any, kind: str, *, seed: int) -> list[Any]:
    """Sounds whose latents are drawn from the whole corpus and whose class is told; everything else as drawn."""
    say(f"{kind}, told against its latent")
    drawn = instrument.generate(EACH, seed=seed)
    sounds = []
    for sound in drawn:
        z = sound.latent.clone()
        for place, value in _places(instrument, kind).items():
            z[place] = value
        sounds.append(instrument.replay(sound.recipe | {"latent": [float(value) for value in z]}))
    return sounds


def _places(instrument: Any, kind: str) -> dict[int, float]:
    from timbrespace.synthesis.conditions import asked_conditions

    return asked_conditions(instrument.model, {"category": kind}, category=None, pitch=None)


if __name__ == "__main__":
    main()
