#!/usr/bin/env python3
"""Variational autoencoders of raw samples against principal components of the same samples, at the same latent size.

    python benchmarks/waveforms.py SOUNDS [--what notes] [--dims 8,32] [--minutes 3] [--models raw,cycles] [--set KEY=VALUE] [--out FILE]

SOUNDS is the folder that benchmarks/real_audio.py makes. `raw` is source B's model, with dense layers to a latent of so many numbers and
one learned variance (sigma-VAE); `cycles` lays notes out by the cycles of their fundamental, and its pitch is one of the numbers. Both have
the KL at its full weight. Errors are 100 ‖x - x̂‖ / ‖x‖ of what the model is given (padded), means over sounds; silence has 100. Everything
is seeded.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor

from common import say, stamp, table, update
from one_shots_tables import KEPT_AWAY
from path import WORK, Bench, folder_in
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.card import linear_path
from timbrespace.evaluation.features import features_of
from timbrespace.parallel import Pool, keep_freed_memory
from timbrespace.synthesis.instrument import Instrument
from timbrespace.synthesis.notes import locate

RAW = ("model.bottleneck=gaussian", "model.likelihood=sigma", "model.activation=relu", "training.weights.kl=1")


def main(arguments: list[str] | None = None) -> None:
    """Trains, measures, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", type=Path, metavar="SOUNDS", help="folder made by real_audio.py")
    parser.add_argument("--what", choices=tuple(KEPT_AWAY), default="notes")
    parser.add_argument("--dims", default="8,32", help="latent sizes (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=3.0, help="of training, each (default %(default)s)")
    parser.add_argument("--models", default="raw,cycles", help="which of the two (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="change the preset; repeatable")
    parser.add_argument("--work", type=Path, default=WORK / "waveforms", help="folder for corpora and instruments")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the section into this Markdown file (docs/benchmarks.md)")
    given = parser.parse_args(arguments)
    try:
        sizes = [int(text) for text in given.dims.split(",")]
    except ValueError:
        parser.error(f"--dims: {given.dims!r} is no list of whole numbers; write them with commas, 8,32")
    models = given.models.split(",")
    if not set(models) <= {"raw", "cycles"}:
        parser.error(f"--models: {given.models!r}, allowed are raw, cycles, or both with a comma")
    keep_freed_memory()  # as `timbrespace train` does
    rows = measured(given, sizes, models)
    options = "".join(f" --set {change}" for change in given.changes)
    command = f"python benchmarks/waveforms.py SOUNDS --what {given.what} --dims {given.dims} --minutes {given.minutes:g}"
    command += f" --models {given.models} --seed {given.seed}{options}"
    head = [
        "model",
        "learned, %",
        "held out, %",
        "unseen, %",
        "dB under PCA, held out",
        "dB under PCA, unseen",
        "KL (nats)",
        "active",
        "steps",
    ]
    body = "\n\n".join([stamp(command), table(head, rows)])
    print(body)
    if given.out is not None:
        update(given.out, "waveforms", body)


def measured(given: argparse.Namespace, sizes: list[int], models: list[str]) -> list[list[str]]:
    """A row for silence; of each size for PCA, and for every model and its linear path."""
    from timbrespace.training.data.codec import principal_components
    from timbrespace.training.train import train

    given.work.mkdir(parents=True, exist_ok=True)
    away = KEPT_AWAY[given.what]
    folder = folder_in(given.sounds, given.what, away)
    bench = Bench(folder, given.work, given.minutes, 1, False, kept_away=away, what=given.what)
    corpus, unseen = bench.corpus, bench.unseen
    held = corpus.indices("validation") + corpus.indices("test")
    parts = ((corpus, corpus.indices("train")), (corpus, held), (unseen, list(range(len(unseen)))))
    rows: list[list[str]] = [["silence", "100", "100", "100", *["–"] * 5]]
    for dims in sizes:
        plain: list[float] = []
        for preset in models:
            say(f"{preset}, {dims} latents")
            changes = (*(RAW if preset == "raw" else ()), f"model.dims={dims}", *given.changes)
            out = given.work / f"{given.what} {preset} {dims}.safetensors"
            instrument = train(corpus, out, preset=preset, minutes=given.minutes, changes=changes, seed=given.seed, force=True)
            sets = [_placed(instrument, *part) for part in parts]
            if not plain:
                learned = sets[0][0]
                mean, basis, _ = principal_components(lambda: iter(learned.split(64)), rows=len(learned), count=dims, passes=6)  # noqa: B023
                plain = [relative((some - mean) @ basis.T @ basis + mean, some) for some, _ in sets]
                rows.append([f"PCA-{dims}", *(f"{error:.1f}" for error in plain), "0", "0", *["–"] * 3])
                say("  ".join(rows[-1]))
            card = instrument.card["training"]
            counts = [f"{card['kl_nats']:.1f}", f"{card['active_units']} of {dims}", str(card["steps"])]
            row = [f"`{preset}`, {dims} latents", *_errors(instrument, sets, plain), *counts]
            if preset == "cycles":
                rows.append([f"`cycles`, {dims} latents, linear path alone", *_errors(linear_path(instrument), sets, plain), *["–"] * 3])
                say("  ".join(rows[-1]))
            rows.append(row)
            say("  ".join(row))
    return rows


def _placed(instrument: Instrument, corpus: Corpus, clips: list[int]) -> tuple[Tensor, list[Tensor]]:
    """Sounds as the model is given them, flat `(n, values)`, and themselves; silent ones left out."""
    sounds = [audio for i in clips if (audio := corpus.audio(i)[:, : instrument.contents.samples]).any()]
    return torch.cat([features_of(instrument, audio)[0].flatten(1) for audio in sounds]), sounds


def _errors(instrument: Instrument, sets: list[tuple[Tensor, list[Tensor]]], plain: list[float]) -> list[str]:
    """Of training, held-out and unseen sounds, in %; then how many dB under PCA those of the latter two are."""
    found = [relative(_copies(instrument, sounds), given) for given, sounds in sets]
    under = [20 * math.log10(a / b) for a, b in zip(plain[1:], found[1:], strict=True)]
    return [*(f"{error:.1f}" for error in found), *(f"{level:.2f}" for level in under)]


def relative(found: Tensor, wanted: Tensor) -> float:
    """100 ‖x - x̂‖ / ‖x‖, mean over sounds `(n, samples)`."""
    return float((100 * (found - wanted).norm(dim=1) / wanted.norm(dim=1).clamp_min(1e-9)).mean())


@torch.no_grad()
def _copies(instrument: Instrument, sounds: list[Tensor]) -> Tensor:
    """What the model makes of sounds, found as for any given sound (of `cycles`, searched): `(n, values)`, before levels are given back."""

    def copy(audio: Tensor) -> Tensor:
        features, lengths = features_of(instrument, audio)
        z = locate(instrument.model, features, lengths, audio, instrument.sample_rate)
        return instrument.model.decode(z, lengths=lengths).features.flatten(1)

    with Pool() as pool:
        return torch.cat(list(pool.map(copy, sounds)))


if __name__ == "__main__":
    main()
