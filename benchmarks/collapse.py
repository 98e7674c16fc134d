"""Posterior collapse in staged training, test-size: source B's VAE inside an autoencoder of raw samples, and what cures it.

    python benchmarks/collapse.py [--out docs/benchmarks.md]

The outer model (three Conv1d layers of 37 channels) learns synthesised notes once; every row is an inner VAE of 7 latents on the same
frozen codes. A few minutes on one thread.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from common import say, stamp, table, update  # puts this clone's code on the path
from timbrespace.audio.trim import pad_and_normalise, shorten
from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.config.schema import Training
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.model.wrappers.staged import Staged
from timbrespace.training.collapse import activity
from timbrespace.training.data.sounds import InMemory, Sounds
from timbrespace.training.loop import NullCheckpoints, evaluate, run
from timbrespace.training.stages import code_statistics

DIMS, BATCH, CPU = 7, 32, torch.device("cpu")
SQUARED, MEAN, SIGMA = {"likelihood": "squared"}, {"likelihood": "mean squared"}, {"likelihood": "sigma"}
# Name, whether codes are brought to one size, keys of the inner model, training.kl.
ROWS: list[tuple[str, bool, dict[str, Any], dict[str, Any]]] = [
    ("autoencoder, no noise", True, {**MEAN, "bottleneck": "plain"}, {}),
    ("VAE, mean of squares", True, MEAN, {}),
    ("the same, warm-up over half", True, MEAN, {"warm_up": 0.5}),
    ("the same, 4 cycles", True, MEAN, {"warm_up": 0.5, "cycles": 4}),
    ("the same, free_bits 2", True, MEAN, {"free_bits": 2.0}),
    ("the same, capacity 14", True, MEAN, {"capacity": 14.0, "warm_up": 0.5}),
    ("VAE, sum of squares, codes as they are", False, SQUARED, {}),
    ("the same, warm-up over half", False, SQUARED, {"warm_up": 0.5}),
    ("VAE, sum of squares, codes brought to one size", True, SQUARED, {}),
    ("sigma-VAE, codes brought to one size", True, SIGMA, {}),
]


def sounds_of(corpus: Corpus, split: str, samples: int) -> InMemory:
    """The clips of a split as images of samples `(n, 1, 1, samples)`."""
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


def learn(model: Any, sounds: Sounds, held: Sounds, steps: int, *, rate: float, kl: dict[str, Any]) -> None:
    settings = Training(start="random", batch=BATCH, learning_rate=rate, weight_decay=0.0, patience=1_000, weights={"kl": 1.0}, kl=kl)  # type: ignore[arg-type]
    fabric = Fabric(accelerator="cpu", devices=1)
    run(
        model, sounds, own=len(sounds), validation=held, settings=settings, steps=steps, check_every=max(10, steps // 20), seed=0,
        fabric=fabric, checkpoints=NullCheckpoints(),
    )  # fmt: skip


def coded(model: Staged, sounds: InMemory) -> InMemory:
    with torch.no_grad():
        parts = [model.codes(sounds[rows]).values for rows in torch.arange(len(sounds)).split(32)]
    return InMemory(torch.cat(parts), sounds.lengths)


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=300, help="synthesised notes (default 300)")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each (default 0.5)")
    parser.add_argument("--outer-steps", type=int, default=500)
    parser.add_argument("--steps", type=int, default=600, help="of every inner model (default 600)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the section into this Markdown file")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        corpus = prepare("synthetic:notes", Path(folder) / "notes", count=given.clips)
        samples, rate = round(given.seconds * corpus.sample_rate), corpus.sample_rate
        train, held, test = (sounds_of(corpus, split, samples) for split in ("train", "validation", "test"))
    first = staged({}, samples, rate)
    say(f"outer model: {sum(p.numel() for p in first.outer.parameters()):,} parameters, {first.outer.dims} code values")
    learn(first.outer, train, held, given.outer_steps, rate=2e-3, kl={})
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
        learn(model.inner, codes, few, given.steps, rate=1e-3, kl=kl)
        model.eval()
        with torch.no_grad():
            found, seen = evaluate(model, test, len(test), CPU), evaluate(model, train, len(train), CPU)
        used = activity(model, train, own=len(train))
        plain = inner.get("bottleneck") == "plain"
        units, nats = ("–", "–") if plain else (f"{used.active} of {DIMS}", f"{sum(used.kl):.1f}")
        rows.append([name, units, nats, f"{seen[0]:.2f}", f"{found[0]:.2f}", "yes" if used.collapsed else "no"])
        say("  ".join(rows[-1]))
    head = ["inner model", "active units", "KL, nats", "error on training, %", "error on test, %", "told as collapsed"]
    note = (
        f"{given.clips} synthesised notes of {given.seconds:g} s, {given.outer_steps} steps of the outer model and {given.steps} of every "
        f"inner one, KL at weight 1. Errors from samples to samples, % of full scale (source B's stdev); the outer model alone {alone:.2f} "
        f"on test, silence {silence:.2f}."
    )
    options = f"--clips {given.clips} --seconds {given.seconds:g} --outer-steps {given.outer_steps} --steps {given.steps}"
    body = f"{stamp(f'python benchmarks/collapse.py {options}')}\n\n{note}\n\n{table(head, rows)}"
    print(body)
    if given.out is not None:
        update(given.out, "collapse", body)


if __name__ == "__main__":
    main()
