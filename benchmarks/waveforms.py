#!/usr/bin/env python3
"""Does a VAE of raw samples reconstruct better than principal components of the same samples, at the same latent size?

    python benchmarks/waveforms.py SOUNDS [--what notes] [--dims 8,32] [--minutes 3] [--models raw,pitch-synchronous] [--set KEY=VALUE]
                                   [--out FILE]

Table (docs/benchmarks/waveforms.md): errors of training, held-out and unseen sounds, KL, active units. SOUNDS is the folder that
benchmarks/real_audio.py makes. `raw` is source B's model with dense layers to a latent of `--dims` values and one learned variance
(sigma-VAE). The pitch-synchronous model resamples notes to a fixed number of samples for each period; the pitch is one of its latents.
Both have the full weight of the KL. Errors are 100 ‖x - x̂‖ / ‖x‖ of the padded input, means over sounds; silence has 100.
Everything is seeded.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor

from lib.bench import KEPT_AWAY, WORK, bench_for
from lib.options import add_changes, add_out, as_options, make_parser, numbers, publish
from lib.page import stamp, table
from lib.process import say
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.feature_error import features_of
from timbrespace.evaluation.rows import linear_path
from timbrespace.instrument import Instrument
from timbrespace.parallel import Pool, keep_freed_memory

RAW = ("model.bottleneck=gaussian", "model.likelihood=sigma", "model.activation=relu", "training.weights.kl=1")


def main(arguments: list[str] | None = None) -> None:
    """Trains, measures, prints the table."""
    parser = make_parser(__doc__, sounds=True)
    parser.add_argument("--what", choices=tuple(KEPT_AWAY), default="notes")
    parser.add_argument("--dims", default="8,32", help="latent sizes (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=3.0, help="of training, each (default %(default)s)")
    parser.add_argument("--models", default="raw,pitch-synchronous", help="which of the two (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    add_changes(parser)
    parser.add_argument("--work", type=Path, default=WORK / "waveforms", help="folder for corpora and instruments")
    add_out(parser, "waveforms.md")
    given = parser.parse_args(arguments)
    sizes = [int(size) for size in numbers(parser, "--dims", given.dims)]
    models = given.models.split(",")
    if not set(models) <= {"raw", "pitch-synchronous"}:
        parser.error(f"--models: {given.models!r}, allowed are raw, pitch-synchronous, or both separated by a comma")
    keep_freed_memory()  # as `timbrespace train` does
    rows = measured(given, sizes, models)
    options = as_options(given.changes)
    command = f"python benchmarks/waveforms.py SOUNDS --what {given.what} --dims {given.dims} --minutes {given.minutes:g}"
    command += f" --models {given.models} --seed {given.seed}{options}"
    head = [
        "model",
        "training, %",
        "held out, %",
        "unseen, %",
        "dB under PCA, held out",
        "dB under PCA, unseen",
        "KL (nats)",
        "active",
        "steps",
    ]
    body = "\n\n".join([stamp(command), table(head, rows)])
    publish(body, given.out, "waveforms")


def measured(given: argparse.Namespace, sizes: list[int], models: list[str]) -> list[list[str]]:
    """The rows: silence; for each size PCA and every model; for the pitch-synchronous model its linear path, too."""
    from timbrespace.model.parts.streamed_pca import principal_components
    from timbrespace.training.train import train

    bench = bench_for(given.sounds, given.what, work=given.work, minutes=given.minutes)
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
            sets = [_inputs(instrument, *part) for part in parts]
            if not plain:
                training = sets[0][0]
                mean, basis, _ = principal_components(lambda: iter(training.split(64)), rows=len(training), count=dims, passes=6)  # noqa: B023
                plain = [relative((inputs - mean) @ basis.T @ basis + mean, inputs) for inputs, _ in sets]
                rows.append([f"PCA-{dims}", *(f"{error:.1f}" for error in plain), "0", "0", *["–"] * 3])
                say("  ".join(rows[-1]))
            card = instrument.card["training"]
            counts = [f"{card['kl_nats']:.1f}", f"{card['active_units']} of {dims}", str(card["steps"])]
            row = [f"`{preset}`, {dims} latents", *_errors(instrument, sets, plain), *counts]
            if preset == "pitch-synchronous":
                without_networks = linear_path(instrument)
                assert without_networks is not None
                linear = _errors(without_networks, sets, plain)
                rows.append([f"`pitch-synchronous`, {dims} latents, linear path alone", *linear, *["–"] * 3])
                say("  ".join(rows[-1]))
            rows.append(row)
            say("  ".join(row))
    return rows


def _inputs(instrument: Instrument, corpus: Corpus, clips: list[int]) -> tuple[Tensor, list[Tensor]]:
    """Model inputs `(n, values)` of sounds, and the sounds; silent ones are left out."""
    sounds = [audio for i in clips if (audio := corpus.audio(i)[:, : instrument.contents.samples]).any()]
    return torch.cat([features_of(instrument, audio)[0].flatten(1) for audio in sounds]), sounds


def _errors(instrument: Instrument, sets: list[tuple[Tensor, list[Tensor]]], plain: list[float]) -> list[str]:
    """Errors of training, held-out and unseen sounds in %; then the level below PCA, in dB, of the latter two."""
    found = [relative(_reconstructions(instrument, sounds), given) for given, sounds in sets]
    under = [20 * math.log10(a / b) for a, b in zip(plain[1:], found[1:], strict=True)]
    return [*(f"{error:.1f}" for error in found), *(f"{level:.2f}" for level in under)]


def relative(found: Tensor, wanted: Tensor) -> float:
    """100 ‖x - x̂‖ / ‖x‖, mean over sounds `(n, samples)`."""
    return float((100 * (found - wanted).norm(dim=1) / wanted.norm(dim=1).clamp_min(1e-9)).mean())


@torch.no_grad()
def _reconstructions(instrument: Instrument, sounds: list[Tensor]) -> Tensor:
    """Reconstructions `(n, values)` from refined latents, before the sounds' levels are restored."""

    def reconstruct(audio: Tensor) -> Tensor:
        features, lengths = features_of(instrument, audio)
        z = instrument.model.infer(features, lengths, audio, instrument.sample_rate)
        return instrument.model.decode(z, lengths=lengths).features.flatten(1)

    with Pool() as pool:
        return torch.cat(list(pool.map(reconstruct, sounds)))


if __name__ == "__main__":
    main()
