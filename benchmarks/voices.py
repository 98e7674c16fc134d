#!/usr/bin/env python3
"""Do converted pieces keep their course and take on the timbre of the voice?

    python benchmarks/voices.py SOUNDS [--pairs violin+flute,cello+clarinet] [--steps 4000] [--seconds 60] [--work FOLDER] [--out FILE]
    python benchmarks/voices.py SOUNDS --part takes [--pairs violin+flute,clarinet+cello] [--seconds 24] [--out FILE]
    python benchmarks/voices.py SOUNDS --part modulation [--notes 5] [--seconds 8] [--out FILE]
    python benchmarks/voices.py SOUNDS --part designs [--designs voices-conv-vae,…] [--minutes 5] [--device cuda] [--json FILE]

Tables (docs/benchmarks/voices.md). SOUNDS is the folder that benchmarks/real_audio.py makes; voices are learned from the first piece of
each instrument, and its second piece is converted. "The target itself" is the target of the same sound font that plays the same notes:
what a perfect conversion could give (needs fluidsynth). course: pitch and loudness of the result against the piece, weight 1 of the other
instrument. beginnings: of notes, by three measures. timbre: the share of 1 s windows that a classifier of the instruments (trained on the
first pieces) gives to the second instrument, for weights 0 to 1. likeness: converted windows against the second piece of the target, beside
its first piece. same notes: against the target itself, by a classifier that knows both instruments at all pitches. artefacts: of converted
notes beside those of the target itself. own: the piece by its own instrument, and CPU time. Intervals by bootstrap over windows.
Everything is seeded. takes: the second piece of the first instrument of each pair, by the second one, dry and as people record: pitch
against the dry piece, loudness against the take, the share on the second path of true chords and of the rest.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from lib.options import add_out, make_parser, publish
from lib.page import stamp, table
from lib.process import say
from lib.voices.artefacts import artefact_cells, artefact_heads, artefacts
from lib.voices.beginnings import beginnings, curves
from lib.voices.designs import add_options as add_designs_options
from lib.voices.designs import designs_section
from lib.voices.measures import course, loud_windows, points, timbre
from lib.voices.modulation import tables as modulation_tables
from lib.voices.same_notes import available, notes_of, played_by
from lib.voices.takes import HEADS as TAKES
from lib.voices.takes import take_rows
from timbrespace.audio.distance import log_mel_error
from timbrespace.evaluation.distribution import frechet_distance, two_sample_accuracy
from timbrespace.voices import load
from timbrespace.voices.analysis import analyse
from timbrespace.voices.conversion import ConversionOptions, convert
from timbrespace.voices.file import Voices, write_voices
from timbrespace.voices.frames import RATE, Values
from timbrespace.voices.pitch import pitch_course
from timbrespace.voices.rendering import render
from timbrespace.voices.training import VoicesOptions, fit_voices, read_voices, read_wave
from timbrespace.voices.weights import Curve

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
FAR = 0.2  # share of a piece beyond the range of the voice that gets another row
ROUNDS = 500  # of the bootstrap
HEADS = {
    "course": [
        "piece",
        "voice",
        "pitch, median (cents)",
        "off by over 50 cents (%)",
        "RMS, correlation",
        "K-weighted, correlation",
        "A-weighted, correlation",
    ],
    "beginnings": ["piece", "played by", "detected onsets within 20 ms (%)", "attacks (%)", "attacks, by chance (%)", "notes (%)"],
    "timbre": ["piece", "second instrument", *(f"weight {weight:g} (%)" for weight in WEIGHTS), "real (%)"],
    "likeness": ["piece", "played by", "called the target's (%)", "Fréchet over floor", "told apart", "floor of told apart"],
    "same": [
        "piece",
        "voice",
        "called the voice's (%)",
        "the target itself (%)",
        "Fréchet to it, over floor",
        "of the piece",
        "told apart",
    ],
    "artefacts": ["piece", "voice", *artefact_heads()],
    "own": [
        "piece",
        "analysed and rendered (dB)",
        "by its own voice (dB)",
        "decoded by the model alone (dB)",
        "× real time, conversion",
        "× real time, without the pitch tracker",
    ],
}


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints the tables."""
    parser = make_parser(__doc__, sounds=True)
    parser.add_argument("--pairs", default="violin+flute,cello+clarinet", help="(default %(default)s)")
    parser.add_argument("--steps", type=int, default=4_000, help="of training (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each piece (default %(default)s)")
    parser.add_argument(
        "--part", choices=("voices", "designs", "takes", "modulation"), default="voices",
        help="designs: source D's; takes: rooms, noise, chords; modulation: vibrato and tremolo",
    )  # fmt: skip
    parser.add_argument("--notes", type=int, default=5, help="part modulation: of each instrument (default %(default)s)")
    add_designs_options(parser)
    parser.add_argument("--work", type=Path, help="folder that keeps the learned voices for the next run")
    add_out(parser, "voices.md")
    given = parser.parse_args(arguments)
    pairs = [tuple(pair.split("+")) for pair in given.pairs.split(",")]
    if given.part == "designs":
        publish(designs_section(given, pairs), given.out, "designs")
        return
    torch.set_num_threads(1)
    if given.part == "takes":
        publish(_takes(given.sounds / "pieces", pairs, given), given.out, "takes")
        return
    if given.part == "modulation":
        command = stamp(f"python benchmarks/voices.py SOUNDS --part modulation --notes {given.notes} --seconds {given.seconds:g}")
        publish(f"{command}\n\n{modulation_tables(given.sounds, notes=given.notes, seconds=given.seconds)}", given.out, "modulation")
        return
    rows: dict[str, list[list[str]]] = {name: [] for name in HEADS}
    for pair in pairs:
        for name, found in _pair(given.sounds / "pieces", pair, given.steps, given.seconds, given.work).items():
            rows[name] += found
    options = f"SOUNDS --pairs {given.pairs} --steps {given.steps} --seconds {given.seconds:g}"
    blocks = [stamp(f"python benchmarks/voices.py {options}"), *(table(HEADS[name], found) for name, found in rows.items() if found)]
    publish("\n\n".join(blocks), given.out, "voices")


def _takes(folder: Path, pairs: list[tuple[str, ...]], given: argparse.Namespace) -> str:
    """The table of takes."""
    rows = []
    for pair in pairs:
        voices = _learned(folder, pair, given.steps, given.work)
        classifier = _classifier([read_wave(folder / name / f"{name}_1.wav")[: round(60 * RATE)] for name in pair])
        rows += take_rows(folder, pair[0], pair[1], voices, classifier, 1, given.seconds)
    options = f"SOUNDS --part takes --pairs {given.pairs} --steps {given.steps} --seconds {given.seconds:g}"
    return "\n\n".join([stamp(f"python benchmarks/voices.py {options}"), table(TAKES, rows)])


def _pair(folder: Path, pair: tuple[str, ...], steps: int, seconds: float, work: Path | None) -> dict[str, list[list[str]]]:
    """The rows of all tables for two instruments."""
    voices = _learned(folder, pair, steps, work)
    pieces = {name: [read_wave(folder / name / f"{name}_{number}.wav")[: round(seconds * RATE)] for number in (1, 2)] for name in pair}
    classifier = _classifier([pieces[name][0] for name in pair])
    anywhere = None
    if available():
        anywhere = _classifier([np.concatenate([played_by(one, 1, name)[: round(seconds * RATE)] for one in pair]) for name in pair])
    rows: dict[str, list[list[str]]] = {name: [] for name in HEADS}
    for number, name in enumerate(pair):
        piece, other = pieces[name][1], pair[1 - number]
        shares = [[100 * float(share) for share in _bootstrap(classifier(piece) == 1)]]
        results = {}
        for weight in WEIGHTS:
            say(f"{name} at {weight:g} {pair[1]}")
            start = time.process_time()
            results[weight] = convert(voices, piece[None], Curve(((0.0, {pair[0]: 1 - weight, pair[1]: weight}),))).audio[0]
            spent = time.process_time() - start
            shares.append([100 * float(share) for share in _bootstrap(classifier(results[weight]) == 1)])
        cells = [f"{low:.0f} ({middle:.0f}–{high:.0f})" for low, middle, high in shares]
        rows["timbre"].append([name, pair[1], *cells[1:], cells[0]])
        start = time.process_time()
        pitch_course(piece.astype(np.float64))
        tracked = time.process_time() - start
        speeds = [f"{len(piece) / RATE / cost:.0f}" for cost in (spent, spent - tracked)]
        rows["own"].append([name, *_own(voices, piece, results[float(number)], number), *speeds])
        say(f"{name}: course, likeness, artefacts")
        result = results[1.0 - number]
        itself = played_by(name, 2, other)[: len(piece)] if available() else None
        notes = notes_of(name, 2, seconds)
        made = {"own voice": results[float(number)], other: result}
        if itself is not None:
            made[f"{other} itself"] = itself
        before, after = curves(piece), {player: curves(wave) for player, wave in made.items()}
        kept = course(piece, result, before, after[other])
        rows["course"].append([name, other, f"{kept.cents:.1f}", f"{100 * kept.off:.1f}", *(f"{value:.3f}" for value in kept[2:])])
        for player, found in after.items():
            detected, attacks, begun, chance = (f"{100 * share:.0f}" for share in beginnings(before, found, notes))
            rows["beginnings"].append([name, player, detected, attacks, chance, begun])
        for player, wave in list(made.items())[1:]:
            share = 100 * float((classifier(wave) == 1 - number).mean())
            rows["likeness"].append([name, player, f"{share:.0f}", *_likeness(wave, pieces[other])])
        far = convert(voices, piece[None, : RATE * 5], Curve(((0.0, {other: 1.0}),))).outside
        if far > FAR:
            rows["likeness"].append(_moved(voices, name, other, piece, pieces[other], classifier, 1 - number))
        if itself is not None and anywhere is not None:
            called = [f"{100 * float((anywhere(wave) == 1 - number).mean()):.0f}" for wave in (result, itself)]
            rows["same"].append([name, other, *called, *_same_notes(piece, result, itself, pieces[other])])
        real = artefacts(itself, notes) if itself is not None else artefacts(pieces[other][1], notes_of(other, 2, seconds))
        rows["artefacts"].append([name, other, *artefact_cells(artefacts(result, notes), real)])
    return rows


def _learned(folder: Path, pair: tuple[str, ...], steps: int, work: Path | None) -> Voices:
    """Voices of the first pieces, from `work` where it has them."""
    kept = work / f"{'_'.join(pair)}_{steps}.safetensors" if work else None
    if kept and kept.exists() and isinstance(opened := load(kept), Voices):
        return opened
    say(f"{' and '.join(pair)}: learning")
    voices = Voices(*fit_voices(read_voices({name: folder / name / f"{name}_1.wav" for name in pair}), VoicesOptions(steps=steps)))
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_voices(voices, kept)
    return voices


def _same_notes(piece: Values, result: Values, itself: Values, target: list[Values]) -> list[str]:
    """Fréchet distances of result and piece to the target that plays the same notes, over that of two pieces of it; told apart from it."""
    made, own, there, first, second = (points(loud_windows(one)) for one in (result, piece, itself, *target))
    count = min(map(len, (made, own, there, first, second)))
    floor = frechet_distance(first[:count], second[:count])
    distances = [f"{frechet_distance(one[:count], there[:count]) / floor:.2f}" for one in (made, own)]
    return [*distances, f"{two_sample_accuracy(made[:count], there[:count]):.2f}"]


def _classifier(recordings: list[Values]) -> Callable[[Values], Values]:
    """A function that gives the number of the instrument of each loud window of a recording."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = [timbre(loud_windows(one)) for one in recordings]
    labels = np.concatenate([np.full(len(one), number) for number, one in enumerate(features)])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1_000)).fit(np.concatenate(features), labels)
    return lambda wave: model.predict(timbre(loud_windows(wave)))


def _bootstrap(values: Values) -> tuple[float, float, float]:
    """Mean, and a 90 % interval of it."""
    rng = np.random.default_rng(0)
    means = [values[rng.integers(len(values), size=len(values))].mean() for _ in range(ROUNDS)]
    return float(values.mean()), float(np.quantile(means, 0.05)), float(np.quantile(means, 0.95))


def _likeness(result: Values, target: list[Values]) -> list[str]:
    """Fréchet distance to the target's second piece over that of its first piece, and two-sample accuracies."""
    made, first, second = (points(loud_windows(one)) for one in (result, *target))
    count = min(map(len, (made, first, second)))
    made, first, second = made[:count], first[:count], second[:count]
    ratio = frechet_distance(made, second) / frechet_distance(first, second)
    return [f"{ratio:.2f}", f"{two_sample_accuracy(made, second):.2f}", f"{two_sample_accuracy(first, second):.2f}"]


def _moved(
    voices: Voices, name: str, other: str, piece: Values, target: list[Values], classifier: Callable[[Values], Values], number: int
) -> list[str]:
    """The row of a piece beyond the range of the voice, moved to the middle of it."""
    frames = analyse(piece)
    heard = frames.pitched & (frames.loudness() > frames.loudness().max() - 40)
    middle = float(np.median(69 + 12 * np.log2(frames.pitch[heard] / 440)))
    shift = round((voices.facts[other].lowest + voices.facts[other].highest) / 2 - middle)
    result = convert(voices, piece[None], Curve(((0.0, {other: 1.0}),)), ConversionOptions(transpose=float(shift))).audio[0]
    share = 100 * float((classifier(result) == number).mean())
    return [f"{name}, {shift:+d} semitones", other, f"{share:.0f}", *_likeness(result, target)]


def _own(voices: Voices, piece: Values, result: Values, number: int) -> list[str]:
    """Log-mel errors in dB: analysed and rendered again, by its own voice, and decoded by the model alone."""
    from timbrespace.voices.levels import from_levels, to_levels

    def error(made: Values) -> float:
        one, other = (torch.from_numpy(np.asarray(x, np.float32))[None, None] for x in (piece, made))
        return float(log_mel_error(one, other, seconds=len(piece) / RATE))

    frames = analyse(piece)
    levels, there, conditions = to_levels(frames)
    with torch.no_grad():
        place = voices.model.places[number].expand(len(levels), -1)
        z, _ = voices.model.encode(levels, conditions, there, place)
        decoded = voices.model.decode(z, conditions, place)
    made = render(from_levels(frames, decoded), len(piece))
    return [f"{error(render(frames, len(piece))):.2f}", f"{error(result):.2f}", f"{error(made):.2f}"]


if __name__ == "__main__":
    main()
