#!/usr/bin/env python3
"""Do the latents of a VAE find the known factors of synthetic spectra (source E): at which weight of the KL, with warm-up or without?

    python benchmarks/factors.py [--corpora additive,fm] [--clips 10000] [--epochs 100] [--betas 1,2,3,4] [--set KEY=VALUE] [--out FILE]

Tables (docs/benchmarks/factors.md): errors, active units and disentanglement for each weight; errors for each value of a factor. One
spectrum is one point; the model is the preset `spectra`. All rows train on the same spectra from the same weights and are measured on the
test split without silent spectra. Everything is seeded. A row of 10,000 spectra and 40 epochs takes about a minute.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from lib.bench import WORK, toy_corpus
from lib.options import add_changes, add_out, as_options, make_parser, numbers, publish
from lib.page import stamp, table
from lib.process import say
from timbrespace.config.build import build_model, build_representation
from timbrespace.config.presets import load_preset
from timbrespace.config.schema import Config
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.disentanglement import beta_vae_score, factors_of, mutual_information_gap
from timbrespace.evaluation.factor_scores import Factors
from timbrespace.model.base import Model
from timbrespace.training.collapse import activity
from timbrespace.training.data.encode import encode_clips
from timbrespace.training.data.normalise import fit_normalisation
from timbrespace.training.data.sounds import InMemory, batches_of, initial_batch
from timbrespace.training.data.source import clip_samples
from timbrespace.training.distributed import make_fabric
from timbrespace.training.loop import NullCheckpoints, fit_model

WARM_UPS = (0.0, 0.5)  # share of the steps in which the weight rises from 0
SHOWN = 5  # values of a factor in the table of its errors, evenly spread

NOTE = """Error: of held-out spectra, root mean square in % of a spectrum's own (silence: 100), mean over spectra. Active: dimensions
whose posterior mean varies by more than 0.01. β-VAE score: accuracy of a linear classifier that finds the factor which two groups of
spectra share (chance: 1 / number of factors). MIG: information of the best dimension on a factor minus that of the second
([measures](../measures.md)). Both use the posterior means."""


class Spectra(NamedTuple):
    """Training, validation and test spectra of a corpus, and the factors of the test spectra."""

    train: InMemory
    held: InMemory
    test: InMemory
    factors: Factors


def main(arguments: list[str] | None = None) -> None:
    """Trains, measures, prints the tables."""
    parser = make_parser(__doc__)
    parser.add_argument("--corpora", default="additive,fm", help="toy corpora (default %(default)s)")
    parser.add_argument("--clips", type=int, default=10_000, help="of each (default %(default)s)")
    parser.add_argument("--epochs", type=float, default=100.0, help="default %(default)s")
    parser.add_argument("--betas", default="1,2,3,4", help="weights of the KL (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    add_changes(parser)
    parser.add_argument("--work", type=Path, default=WORK / "factors", help="folder for the corpora")
    add_out(parser, "factors.md")
    given = parser.parse_args(arguments)
    betas = numbers(parser, "--betas", given.betas)
    parts = [corpus_table(name, betas, given) for name in given.corpora.split(",")]
    options = f"--clips {given.clips} --epochs {given.epochs:g} --betas {given.betas}" + as_options(given.changes)
    command = f"python benchmarks/factors.py --corpora {given.corpora} {options}"
    body = "\n\n".join([stamp(command), NOTE, *parts])
    publish(body, given.out, "factors")


def corpus_table(name: str, betas: list[float], given: argparse.Namespace) -> str:
    """The tables of one corpus: a row for each weight and warm-up, then the errors by factor of the first row."""
    corpus = toy_corpus(name, given.clips, work=given.work)
    config = load_preset("spectra", changes=["training.initialisation=random", *given.changes])  # as in the source
    plain = build_representation(config.representation, sample_rate=corpus.sample_rate, channels=corpus.channels)
    view = fit_normalisation(plain, corpus)
    samples = clip_samples(corpus, config.training.seconds)

    def fresh() -> Model:
        torch.manual_seed(given.seed)
        return build_model(config.model, representation=view, samples=samples)

    spectra = _spectra(fresh(), corpus, view, samples)
    rows, by_factor = [], ""
    for warm_up in WARM_UPS:
        for beta in betas:
            say(f"{name}, beta {beta:g}, warm-up {warm_up:g}")
            model = fresh()
            if config.training.initialisation == "pca":
                model.initialise(initial_batch(spectra.train))
            model = trained(model, spectra, config, beta=beta, warm_up=warm_up, epochs=given.epochs, seed=given.seed)
            cells, errors = measured(model, spectra, seed=given.seed)
            rows.append([f"{beta:g}", "over half" if warm_up else "none", *cells])
            say("  ".join(rows[-1]))
            by_factor = by_factor or factor_table(errors, spectra.factors)
    names = ", ".join(spectra.factors)
    head = ["β", "warm-up", "error %", "median", "KL (nats)", "active", "β-VAE score", "MIG"]
    return (
        f"### {name}\n\n{len(spectra.train)} training spectra, {len(spectra.test)} test spectra; factors {names}\n\n{table(head, rows)}\n\n"
        f"Errors by factor at β {betas[0]:g} without warm-up, median (quartiles) in %, from its lowest value to its highest:\n\n{by_factor}"
    )


def _spectra(model: Model, corpus: Corpus, view: Any, samples: int) -> Spectra:
    def of(split: str) -> tuple[InMemory, list[int]]:
        clips = [i for i in corpus.indices(split) if corpus.audio(i).any()]
        return encode_clips(model, corpus, clips, view, samples=samples), clips

    (train, _), (held, _), (test, clips) = of("train"), of("validation"), of("test")
    return Spectra(train, held, test, factors_of(corpus, clips))


def trained(model: Model, spectra: Spectra, config: Config, *, beta: float, warm_up: float, epochs: float, seed: int) -> Model:
    """The model after `epochs` epochs, with the parameters of the least validation error."""
    settings = config.training.model_copy(
        update={
            "weights": config.training.weights.model_copy(update={"kl": beta}),
            "kl": config.training.kl.model_copy(update={"warm_up": warm_up}),
            "patience": 1_000,
        }
    )
    steps = max(1, round(epochs * len(spectra.train) / settings.batch))
    fit_model(
        model, spectra.train, checked=torch.arange(len(spectra.train)), validation=spectra.held, settings=settings, steps=steps,
        check_every=max(10, steps // 20), seed=seed, fabric=make_fabric("cpu"), checkpoints=NullCheckpoints(),
    )  # fmt: skip
    return model.eval()


@torch.no_grad()
def measured(model: Model, spectra: Spectra, *, seed: int) -> tuple[list[str], np.ndarray]:
    """The cells of a row, and the error `(count,)` of each test spectrum in %."""
    found = [(model.posterior(batch).mean.mean(2), model.evaluate(batch).errors) for batch in batches_of(spectra.test, len(spectra.test))]
    z = torch.cat([mean for mean, _ in found])
    errors = torch.cat([each for _, each in found]).numpy()
    used = activity(model, spectra.test, checked=torch.arange(len(spectra.test)))
    scores = beta_vae_score(z, spectra.factors, seed=seed), mutual_information_gap(z, spectra.factors)
    units = f"{sum(used.kl):.1f}", f"{used.active} of {model.dims}"
    return [f"{errors.mean():.1f}", f"{np.median(errors):.1f}", *units, *(f"{score:.2f}" for score in scores)], errors


def factor_table(errors: np.ndarray, factors: Factors) -> str:
    """Median and quartiles of the errors at evenly spread values of each factor."""
    rows = []
    for name, column in factors.items():
        values = np.unique(column)
        shown = values[np.linspace(0, len(values) - 1, min(SHOWN, len(values))).round().astype(int)]
        boxes = [np.percentile(errors[column == value], (50, 25, 75)) for value in shown]
        rows.append([name, *(f"{middle:.0f} ({low:.0f}–{high:.0f})" for middle, low, high in boxes), *[""] * (SHOWN - len(shown))])
    return table(["factor", "lowest", "", "middle", "", "highest"], rows)


if __name__ == "__main__":
    main()
