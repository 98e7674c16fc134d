"""The distribution of new sounds against that of held-out real ones, with control rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from lib.page import table
from lib.process import say
from timbrespace.audio.embedding import embedding
from timbrespace.evaluation.distribution import COUNT, compare, near_duplicates
from timbrespace.evaluation.new_sounds import midpoint_latents, prior_latents, real_sounds, reference_points, render_latents
from timbrespace.evaluation.rows import reconstructions
from timbrespace.instrument import Instrument

if TYPE_CHECKING:
    from lib.bench import Bench

NOTE = """Reference: the {reference} held-out clips of the trained kits (test and validation splits; training reads the second only to
stop early), so n = {n} a side, means over {splits} draws. *Fréchet ratio*: distance over that of real against real at the same n
({floor:.1f}), 1 is best. *Precision, recall*: higher is better. *Two-sample accuracy*: share of sounds that a
classifier assigns to the right side, 50 % is best. *Novelty*: 0 for copies of training sounds, 1 as new as held-out real sounds.
*Copies*: nearer than 1 dB to a training sound. *Duplicates*: nearer than 1 dB to another sound of the same row.
[Definitions](../measures.md).
Every row has {count} sounds. *Real against real* splits held-out and training clips at random, so that velocity layers and
near-duplicates fall on both sides; its values are therefore too good."""

HEAD = ["sounds", "Fréchet ratio", "precision", "recall", "two-sample accuracy", "novelty", "copies", "duplicates"]


def measure(bench: Bench) -> str:
    """The table as Markdown."""
    instruments = [Instrument.load(trained.path) for trained in bench.instruments]
    first, corpus = instruments[0], bench.corpus
    training = real_sounds(first, corpus, ["train"])
    reference, known = reference_points(first, corpus)
    rng = np.random.default_rng(0)
    sampled = [training[i] for i in rng.permutation(len(training))[:COUNT]]

    def points(sounds: list[Tensor]) -> Tensor:
        return embedding(sounds, sample_rate=first.sample_rate)

    made: dict[str, Callable[[], list[Tensor]]] = {}
    for seed, instrument in enumerate(instruments):
        name = "generated, temperature 1" + (f", seed {seed}" if seed else "")
        made[name] = lambda instrument=instrument, seed=seed: [s.audio for s in instrument.generate(COUNT, seed=seed)]  # type: ignore[misc]
    made |= {
        "latents from the unit Gaussian": lambda: render_latents(first, prior_latents(first, COUNT)),
        "midpoints of random pairs of training latents": lambda: render_latents(first, midpoint_latents(first, COUNT)),
        "training sounds through the instrument": lambda: reconstructions(first, sampled),
        "training sounds themselves (a copier)": lambda: sampled,
    }
    rows, result = [], None
    for name, make in made.items():
        say(name)
        made_points = points(make())
        result = compare(made_points, reference, training=known)
        rows.append(_row(name, result))
    assert result is not None
    duplicates = len(near_duplicates(reference)) / len(reference)
    real = {name: result[f"real_{name}"] for name in ("precision", "recall", "accuracy", "copies")}
    rows.append(_row("real against real", real | {"frechet_ratio": 1.0, "novelty": 1.0, "duplicates": duplicates}))
    note = NOTE.format(reference=len(reference), n=result["n"], splits=result["splits"], floor=result["frechet_floor"], count=len(sampled))
    return f"{note}\n\n{table(HEAD, rows)}"


def _row(name: str, values: dict[str, Any]) -> list[str]:
    return [
        name,
        f"{values['frechet_ratio']:.2f}",
        f"{values['precision']:.2f}",
        f"{values['recall']:.2f}",
        *(f"{100 * values['accuracy']:.0f} %", f"{values['novelty']:.2f}"),
        *(f"{100 * values[key]:.0f} %" for key in ("copies", "duplicates")),
    ]
