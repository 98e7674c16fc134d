#!/usr/bin/env python3
"""How true to a given sound are unchanged sounds, variations and morphs, with its detail and through the latent alone?

    python benchmarks/faithful.py SOUNDS [--what drums,notes] [--instrument drums=FILE] [--sounds 24] [--pairs 8] [--out FILE]

Two tables (docs/benchmarks/faithful.md), on recorded sounds that no instrument was trained on. SOUNDS is the folder that
benchmarks/real_audio.py makes. Instruments are trained for three minutes unless given. "Latent alone" decodes the same latents without
what was carried along of the given sounds: decoded length, noise texture, even positions of a morph.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lib.bench import KEPT_AWAY, WORK, bench_for, folder_in
from lib.options import add_out, make_parser, publish
from lib.page import stamp, table
from lib.process import say

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument

STEPS, AMOUNT, VARIATIONS = 8, 0.3, 2
AMOUNTS = (0.01, 0.1, 0.3, 0.6, 1.0)
RESAMPLED = 2_000
CLEAN = {"tail_db": -1, "linger_percent": -1, "stutter_db": -1, "partial_cents": -1, "partials_percent": 1, "click_percent": -1}  # its side
FAR_OFF = 0.25  # share by which a length differs
OUTSIDE = (2.5, 97.5)  # percentiles of real sounds: their range


@dataclass(frozen=True)
class Setting:
    """An instrument, files that it was not trained on, and pairs of hits of one layer or round robin."""

    what: str
    instrument: Instrument
    unseen: list[Path]
    layers: list[tuple[Path, Path]]


@dataclass(frozen=True)
class Found:
    """The figures of one way to make sounds from given ones, by sound or by morph, `(n,)` each.

    varied: distances in dB of variations at `AMOUNTS`, `(sounds, amounts)`. worst: the artefact metric that is outside most often.
    """

    end_db: np.ndarray
    far_off: np.ndarray
    varied: np.ndarray
    steps: np.ndarray
    outside: np.ndarray
    worst: str


def main() -> None:
    parser = make_parser(__doc__, sounds=True)
    parser.add_argument("--what", default="drums,notes")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--instrument", action="append", default=[], metavar="WHAT=FILE", help="use this instrument and do not train")
    parser.add_argument("--sounds", dest="count", type=int, default=24, help="unseen sounds (0: all)")
    parser.add_argument("--pairs", type=int, default=8, help="morphs, between sounds far apart")
    parser.add_argument("--work", type=Path, default=WORK)
    add_out(parser, "faithful.md")
    options = parser.parse_args()
    rows, by_amount = [], []
    for what in options.what.split(","):
        setting = prepare(what, options, parser)
        hits = between_hits(setting)
        trips = errors(setting, [(audio, round_trip(setting.instrument, audio)) for audio in given(setting, options.count)])
        apart = f"two hits of one layer {hits.mean():.2f} dB apart ({len(hits)} pairs)"
        say(f"{what}: {apart}; features to audio and back {trips.mean():.2f} dB")
        for name, detail in (("latent alone", False), ("with detail", True)):
            found = measure(setting, options.count, options.pairs, detail=detail)
            ratio = over(found.varied[:, AMOUNTS.index(AMOUNT)], hits)
            cells = [
                interval(found.end_db),
                f"{100 * found.far_off.mean():.0f} %",
                ratio,
                interval(found.steps),
                f"{found.steps.max():.2f}",
            ]
            rows.append((what, name, *cells, interval(100 * found.outside, digits=1), found.worst))
            by_amount.append((what, name, *(interval(column) for column in found.varied.T), interval(hits)))
    head = ["", "", "ends (dB)", "length more than 25 % off", f"variations at {AMOUNT}: distance over that of two hits"]
    head += ["morphs: largest step over mean", "worst morph", "outside the range of real sounds (%)", "worst artefact metric"]
    amounts = ["", "", *(f"variations at {amount:g} (dB)" for amount in AMOUNTS), "two hits (dB)"]
    command = f"python benchmarks/faithful.py SOUNDS --sounds {options.count} --pairs {options.pairs}"
    publish(f"{table(head, rows)}\n\n{table(amounts, by_amount)}\n\n{stamp(command)}", options.out, "faithful")


def interval(values: np.ndarray, *, digits: int = 2) -> str:
    """The mean and its 95 % bootstrap interval over sounds or morphs."""
    values = values[np.isfinite(values)]
    low, high = np.percentile(resampled(values), (2.5, 97.5))
    return f"{values.mean():.{digits}f} ({low:.{digits}f}…{high:.{digits}f})"


def over(values: np.ndarray, reference: np.ndarray) -> str:
    """The ratio of two means and its 95 % bootstrap interval, both resampled."""
    low, high = np.percentile(resampled(values) / resampled(reference, seed=1), (2.5, 97.5))
    return f"{values.mean() / reference.mean():.2f} ({low:.2f}…{high:.2f})"


def resampled(values: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Means of values drawn with replacement, `(RESAMPLED,)`."""
    return values[np.random.default_rng(seed).integers(len(values), size=(RESAMPLED, len(values)))].mean(1)


def prepare(what: str, options: argparse.Namespace, parser: argparse.ArgumentParser) -> Setting:
    """The instrument of `what`, given or trained, and the sounds for its tests."""
    import timbrespace
    from timbrespace.audio.files import find_audio
    from timbrespace.corpus.grouping import layer_pairs
    from timbrespace.corpus.labels.names import layer_key

    if what not in KEPT_AWAY:
        parser.error(f"--what: {what!r} is not drums or notes")
    given_files = dict(text.partition("=")[::2] for text in options.instrument)
    folder = folder_in(options.sounds, what, KEPT_AWAY[what])
    if what in given_files:
        instrument = timbrespace.load(given_files[what])
    else:
        instrument = timbrespace.load(
            bench_for(options.sounds, what, work=options.work / what, minutes=options.minutes).instruments[0].path
        )
    files = [file for kit in KEPT_AWAY[what] for file in find_audio(folder / kit)]
    all_files = [file for file in find_audio(folder) if file.suffix.lower() in (".wav", ".flac")]
    keys = [(str(file.parent), *layer_key(file.stem)) for file in all_files]
    layers = [(all_files[a], all_files[b]) for a, b in layer_pairs(keys).tolist()]
    rng = np.random.default_rng(0)
    order = rng.permutation(len(files))
    layers = [layers[k] for k in rng.permutation(len(layers))[:60]]
    return Setting(what, instrument, [files[k] for k in order], layers)


def readable(setting: Setting, files: Sequence[Path], most: int) -> list[tuple[Path, Tensor]]:
    """The first `most` files that hold a sound, with it."""
    from timbrespace.audio.trim import bounds
    from timbrespace.contracts import TimbrespaceError

    found: list[tuple[Path, Tensor]] = []
    for file in files:
        try:
            audio = setting.instrument.given(file).audio
        except TimbrespaceError:
            continue
        if bounds(audio.numpy(), setting.instrument.sample_rate)[1]:
            found.append((file, audio))
        if most and len(found) == most:
            break
    return found


def given(setting: Setting, most: int) -> list[Tensor]:
    """Unseen sounds."""
    return [audio for _, audio in readable(setting, setting.unseen, most)]


def errors(setting: Setting, pairs: Sequence[tuple[Tensor, Tensor]], *, match_level: bool = True) -> np.ndarray:
    """Log-mel errors of pairs in dB, `(pairs,)`."""
    from timbrespace.audio.distance import log_mel_error

    originals, others = [a for a, _ in pairs], [b for _, b in pairs]
    found = log_mel_error(originals, others, sample_rate=setting.instrument.sample_rate, match_level=match_level)
    return np.asarray(found.double().numpy())


def round_trip(instrument: Instrument, audio: Tensor) -> Tensor:
    """A sound through the view alone, without a model."""
    view = instrument.representation
    return view.decode(view.encode(audio[None]), length=audio.shape[-1])[0]


def from_onset(setting: Setting, audio: Tensor) -> Tensor:
    from timbrespace.synthesis.encoding import from_onset as trimmed

    return trimmed(setting.instrument.contents, audio)[0]


def between_hits(setting: Setting) -> np.ndarray:
    """Distances in dB between two hits of one layer or round robin, from their onsets, `(pairs,)`."""
    pairs = []
    for one, other in setting.layers:
        both = readable(setting, [one, other], 2)
        if len(both) == 2:
            pairs.append((from_onset(setting, both[0][1]), from_onset(setting, both[1][1])))
    return errors(setting, pairs)


def measure(setting: Setting, count: int, pairs: int, *, detail: bool) -> Found:
    """All figures, with detail or through the latent alone."""
    from timbrespace.evaluation.artefacts import metrics_per_sound

    sounds = given(setting, count)
    instrument, rate = setting.instrument, setting.instrument.sample_rate
    ends = [instrument.vary(audio, 1, amount=0)[0].audio if detail else alone(setting, instrument.encode(audio).z) for audio in sounds]
    starts = [audio if detail else from_onset(setting, audio) for audio in sounds]
    lengths = [abs(math.log(end.shape[1] / start.shape[1])) > math.log(1 + FAR_OFF) for start, end in zip(starts, ends, strict=True)]
    varied = np.array([[variation(setting, audio, amount, seed=k, detail=detail) for amount in AMOUNTS] for k, audio in enumerate(sounds)])
    rows = [morph(setting, a, b, detail=detail) for a, b in far_apart(setting, sounds, pairs)]
    sizes = [errors(setting, list(pairwise(row)), match_level=False) for row in rows]
    real = metrics_per_sound([from_onset(setting, audio) for audio in given(setting, 0)], sample_rate=rate, hop=256)
    made = [metrics_per_sound(row[1:-1], sample_rate=rate, hop=256) for row in rows]
    known = [key for key in real if np.isfinite(real[key]).any()]
    shares = np.array([[outside(row[key], real[key], clean=CLEAN.get(key, 0)) for key in known] for row in made])
    worst = int(shares.mean(0).argmax())
    uneven = np.array([size.max() / size.mean() for size in sizes])
    return Found(
        errors(setting, list(zip(starts, ends, strict=True))), np.array(lengths), varied, uneven, shares.mean(1),
        f"{known[worst]} {100 * shares[:, worst].mean():.0f} %",
    )  # fmt: skip


def variation(setting: Setting, audio: Tensor, amount: float, *, seed: int, detail: bool) -> float:
    """Mean distance in dB of variations to their sound, from their onsets."""
    made = setting.instrument.vary(audio, VARIATIONS, amount=amount, seed=seed)
    others = [sound.audio if detail else alone(setting, sound.latent) for sound in made]
    return float(errors(setting, [(from_onset(setting, audio), from_onset(setting, other)) for other in others]).mean())


def outside(made: np.ndarray, real: np.ndarray, *, clean: int) -> float:
    """Share of values outside the middle 95 % of real ones. clean: side on which a value is no fault, 1 above, -1 below, 0 neither."""
    made, (low, high) = made[np.isfinite(made)], np.percentile(real[np.isfinite(real)], OUTSIDE)
    below, above = (made < low - 1e-9) & (clean >= 0), (made > high + 1e-9) & (clean <= 0)
    return float((below | above).mean()) if len(made) else 0.0


def alone(setting: Setting, z: Tensor | None) -> Tensor:
    """A latent rendered as a new sound is."""
    from timbrespace.synthesis.finish import finish

    assert z is not None
    return finish(setting.instrument.decode(z, texture=True), setting.instrument.sample_rate)


def morph(setting: Setting, a: Tensor, b: Tensor, *, detail: bool) -> list[Tensor]:
    """The steps between two sounds."""
    if detail:
        return [step.audio for step in setting.instrument.morph([a, b], STEPS)]
    one, two = (setting.instrument.encode(audio).z for audio in (a, b))
    return [alone(setting, torch.lerp(one, two, float(share))) for share in np.linspace(0, 1, STEPS)]


def far_apart(setting: Setting, sounds: Sequence[Tensor], pairs: int) -> list[tuple[Tensor, Tensor]]:
    """Pairs of the sounds that are farthest apart, each sound once."""
    from timbrespace.audio.embedding import embedding

    points = embedding([from_onset(setting, audio) for audio in sounds], sample_rate=setting.instrument.sample_rate).float()
    distances = torch.cdist(points, points).triu(1)
    chosen: list[tuple[Tensor, Tensor]] = []
    while len(chosen) < min(pairs, len(sounds) // 2):
        a, b = divmod(int(distances.argmax()), len(points))
        chosen.append((sounds[a], sounds[b]))
        for k in (a, b):
            distances[k] = distances[:, k] = -1
    return chosen


if __name__ == "__main__":
    main()
