#!/usr/bin/env python3
"""A variational autoencoder of raw samples against principal components of the same samples, at the same latent size (source B).

    python benchmarks/waveforms.py SOUNDS [--what notes] [--dims 8,32] [--minutes 3] [--set KEY=VALUE] [--out FILE]

SOUNDS is the folder that benchmarks/real_audio.py makes. The model is the preset `raw` with dense layers to a latent of so many numbers,
one learned variance (sigma-VAE) and the KL at its full weight. Errors are 100 ‖x - x̂‖ / ‖x‖ of what the model is given (padded), means
over sounds; silence has 100. Everything is seeded.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from common import say, stamp, table, update
from one_shots_tables import KEPT_AWAY
from path import WORK, Bench, folder_in

VAE = ("model.bottleneck=gaussian", "model.likelihood=sigma", "model.activation=relu", "training.weights.kl=1")


def main(arguments: list[str] | None = None) -> None:
    """Trains, measures, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", type=Path, metavar="SOUNDS", help="folder made by real_audio.py")
    parser.add_argument("--what", choices=tuple(KEPT_AWAY), default="notes")
    parser.add_argument("--dims", default="8,32", help="latent sizes (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=3.0, help="of training, each (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="change the preset; repeatable")
    parser.add_argument("--work", type=Path, default=WORK / "waveforms", help="folder for corpora and instruments")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the section into this Markdown file (docs/benchmarks.md)")
    given = parser.parse_args(arguments)
    try:
        sizes = [int(text) for text in given.dims.split(",")]
    except ValueError:
        parser.error(f"--dims: {given.dims!r} is no list of whole numbers; write them with commas, 8,32")
    rows = measured(given, sizes)
    options = "".join(f" --set {change}" for change in given.changes)
    command = f"python benchmarks/waveforms.py SOUNDS --what {given.what} --dims {given.dims} --minutes {given.minutes:g}{options}"
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


def measured(given: argparse.Namespace, sizes: list[int]) -> list[list[str]]:
    """A row for silence, for PCA and for the model of each size."""
    from timbrespace.training.codec import principal_components
    from timbrespace.training.encoded import encode_clips, image_shape
    from timbrespace.training.train import train

    given.work.mkdir(parents=True, exist_ok=True)
    away = KEPT_AWAY[given.what]
    folder = folder_in(given.sounds, given.what, away)
    bench = Bench(folder, given.work, given.minutes, 1, False, kept_away=away, what=given.what)
    corpus, unseen = bench.corpus, bench.unseen
    rows: list[list[str]] = [["silence", "100", "100", "100", *["–"] * 5]]
    for dims in sizes:
        say(f"{dims} latents")
        changes = (*VAE, f"model.dims={dims}", *given.changes)
        out = given.work / f"{given.what} {dims}.safetensors"
        instrument = train(corpus, out, preset="raw", minutes=given.minutes, changes=changes, seed=given.seed, force=True)
        model, contents = instrument.model, instrument.contents
        view, samples = instrument.representation, contents.samples
        shape = image_shape(model, view, samples)

        def values(
            some: Any, clips: list[int], *, model: Any = model, view: Any = view, samples: int = samples, shape: Any = shape
        ) -> Tensor:
            sounds = encode_clips(model, some, [i for i in clips if some.audio(i).any()], view, samples=samples, shape=shape)
            return sounds.values.flatten(1)

        held = corpus.indices("validation") + corpus.indices("test")
        sets = [values(corpus, corpus.indices("train")), values(corpus, held), values(unseen, list(range(len(unseen))))]
        mean, basis, _ = principal_components(lambda: iter(sets[0].split(64)), rows=len(sets[0]), count=dims, passes=6)  # noqa: B023
        plain = [relative((some - mean) @ basis.T @ basis + mean, some) for some in sets]
        found = [relative(_copies(model, some, shape), some) for some in sets]
        rows.append([f"PCA-{dims}", *(f"{error:.1f}" for error in plain), "0", "0", *["–"] * 3])
        card = instrument.card["training"]
        under = [20 * torch.log10(torch.tensor(a / b)).item() for a, b in zip(plain[1:], found[1:], strict=True)]
        rows.append([
            f"`raw`, {dims} latents", *(f"{error:.1f}" for error in found), *(f"{level:.2f}" for level in under), f"{card['kl_nats']:.1f}",
            f"{card['active_units']} of {dims}", str(card["steps"]),
        ])  # fmt: skip
        say("  ".join(rows[-2]))
        say("  ".join(rows[-1]))
    return rows


def relative(found: Tensor, wanted: Tensor) -> float:
    """100 ‖x - x̂‖ / ‖x‖, mean over sounds `(n, samples)`."""
    return float((100 * (found - wanted).norm(dim=1) / wanted.norm(dim=1).clamp_min(1e-9)).mean())


@torch.no_grad()
def _copies(model: Any, sounds: Tensor, shape: tuple[int, ...]) -> Tensor:
    from timbrespace.model.base import Batch

    def copy(some: Tensor) -> Tensor:
        batch = Batch(some.unflatten(1, shape), torch.full((len(some),), some.shape[1]))
        return model.likelihood.mean(model.output(model.posterior(batch).mean)).flatten(1)

    return torch.cat([copy(some) for some in sounds.split(16)])


if __name__ == "__main__":
    main()
