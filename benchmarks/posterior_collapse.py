"""What cures posterior collapse of a VAE inside an autoencoder of raw samples (source B), trained in stages?

    python benchmarks/posterior_collapse.py [--clips 300] [--seconds 0.5] [--outer-steps 500] [--steps 600] [--out FILE]

Table (docs/benchmarks/posterior-collapse.md): active units, KL and errors for likelihoods and settings of the KL. The outer model (three
Conv1d layers of 37 channels) is trained once on synthesised notes; every row is an inner VAE of 7 latents on the same frozen codes. Small
on purpose: a few minutes on one thread. Everything is seeded.
"""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from lib.options import add_out, make_parser, publish
from lib.page import stamp, table
from lib.process import say
from timbrespace.audio.trim import pad_and_normalise, shorten
from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.config.schema import Kl, Training, Weights
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.model.wrappers.staged import Staged
from timbrespace.training.collapse import activity
from timbrespace.training.data.codes import code_statistics
from timbrespace.training.data.sounds import InMemory, Sounds
from timbrespace.training.loop import NullCheckpoints, evaluate, fit_model

DIMS, BATCH, CPU = 7, 32, torch.device("cpu")
SQUARED, MEAN, SIGMA = {"likelihood": "squared"}, {"likelihood": "mean squared"}, {"likelihood": "sigma"}
# Name, whether codes are scaled to unit variance, config keys of the inner model, training.kl.
ROWS: list[tuple[str, bool, dict[str, Any], dict[str, Any]]] = [
    ("autoencoder, no noise", True, {**MEAN, "bottleneck": "plain"}, {}),
    ("VAE, mean of squares", True, MEAN, {}),
    ("the same, warm-up over half", True, MEAN, {"warm_up": 0.5}),
    ("the same, 4 cycles", True, MEAN, {"warm_up": 0.5, "cycles": 4}),
    ("the same, free_bits 2", True, MEAN, {"free_bits": 2.0}),
    ("the same, capacity 14", True, MEAN, {"capacity": 14.0, "warm_up": 0.5}),
    ("VAE, sum of squares, raw codes", False, SQUARED, {}),
    ("the same, warm-up over half", False, SQUARED, {"warm_up": 0.5}),
    ("VAE, sum of squares, scaled codes", True, SQUARED, {}),
    ("sigma-VAE, scaled codes", True, SIGMA, {}),
]


def sounds_of(corpus: Corpus, split: str, samples: int) -> InMemory:
    """The clips of a split as features `(n, 1, 1, samples)`."""
    clips = [pad_and_normalise(shorten(corpus.audio(i).numpy(), samples, corpus.sample_rate), samples) for i in corpus.indices(split)]
    return InMemory(torch.stack([torch.from_numpy(clip) for clip in clips])[:, :1, None], torch.full((len(clips),), samples))


def staged(inner: dict[str, Any], samples: int, rate: int) -> Staged:
    settings = {"name": "dense", "dims": DIMS, "layers": {"depth": 2, "ratio": 0.25}, **inner}
    config = make_config({"representation": {"name": "waveform"}, "model": {"name": "staged", "outer": {"name": "raw"}, "inner": settings}})
    view = build_representation(config.representation, sample_rate=rate, channels=1)
    torch.manual_seed(0)
    model = build_model(config.model, representation=view, samples=samples)
    assert isinstance(model, Staged)
    return model


def fit(model: Any, sounds: Sounds, held: Sounds, steps: int, *, rate: float, kl: dict[str, Any]) -> None:
    settings = Training(
        initialisation="random", batch=BATCH, learning_rate=rate, weight_decay=0.0, patience=1_000, weights=Weights(kl=1.0), kl=Kl(**kl)
    )
    fabric = Fabric(accelerator="cpu", devices=1)
    fit_model(
        model, sounds, checked=torch.arange(len(sounds)), validation=held, settings=settings, steps=steps,
        check_every=max(10, steps // 20), seed=0,
        fabric=fabric, checkpoints=NullCheckpoints(),
    )  # fmt: skip


def coded(model: Staged, sounds: InMemory) -> InMemory:
    with torch.no_grad():
        parts = [model.codes(sounds[rows]).values for rows in torch.arange(len(sounds)).split(32)]
    return InMemory(torch.cat(parts), sounds.lengths)


def main(arguments: list[str] | None = None) -> None:
    """Trains all rows, prints the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--clips", type=int, default=300, help="number of synthesised notes (default 300)")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of each (default 0.5)")
    parser.add_argument("--outer-steps", type=int, default=500)
    parser.add_argument("--steps", type=int, default=600, help="of each inner model (default 600)")
    add_out(parser, "posterior-collapse.md")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        corpus = prepare("synthetic:notes", Path(folder) / "notes", count=given.clips)
        samples, rate = round(given.seconds * corpus.sample_rate), corpus.sample_rate
        train, held, test = (sounds_of(corpus, split, samples) for split in ("train", "validation", "test"))
    first = staged({}, samples, rate)
    say(f"outer model: {sum(p.numel() for p in first.outer.parameters()):,} parameters, {first.outer.dims} code values")
    fit(first.outer, train, held, given.outer_steps, rate=2e-3, kl={})
    outer = first.outer.eval().requires_grad_(False)
    with torch.no_grad():
        alone = evaluate(outer, test, len(test), CPU)[0]
        silence = 100 * float(test.values.flatten(1).square().mean(1).sqrt().mean())
    rows = []
    for name, standardised, inner, kl in ROWS:
        say(name)
        model = staged(inner, samples, rate)
        model.outer = copy.deepcopy(outer)
        if standardised:
            model.set_codes(*code_statistics(model, train, device=CPU))
        codes, few = coded(model, train), coded(model, held)
        fit(model.inner, codes, few, given.steps, rate=1e-3, kl=kl)
        model.eval()
        with torch.no_grad():
            found, seen = evaluate(model, test, len(test), CPU), evaluate(model, train, len(train), CPU)
        used = activity(model, train, checked=torch.arange(len(train)))
        plain = inner.get("bottleneck") == "plain"
        units, nats = ("–", "–") if plain else (f"{used.active} of {DIMS}", f"{sum(used.kl):.1f}")
        rows.append([name, units, nats, f"{seen[0]:.2f}", f"{found[0]:.2f}", "yes" if used.collapsed else "no"])
        say("  ".join(rows[-1]))
    head = ["inner model", "active units", "KL, nats", "training error, %", "test error, %", "reported as collapsed"]
    note = (
        f"{given.clips} synthesised notes of {given.seconds:g} s, {given.outer_steps} steps of the outer model and {given.steps} of each "
        f"inner one, KL at weight 1. Errors from samples to samples, % of full scale (source B's stdev); the outer model alone {alone:.2f} "
        f"on test, silence {silence:.2f}."
    )
    options = f"--clips {given.clips} --seconds {given.seconds:g} --outer-steps {given.outer_steps} --steps {given.steps}"
    body = f"{stamp(f'python benchmarks/posterior_collapse.py {options}')}\n\n{note}\n\n{table(head, rows)}"
    publish(body, given.out, "posterior-collapse")


if __name__ == "__main__":
    main()
