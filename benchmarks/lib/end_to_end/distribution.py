"""The distribution of new sounds against that of held-out real ones, with control rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lib.page import table
from lib.process import say
from timbrespace.audio.embedding import embedding
from timbrespace.evaluation.distribution import COUNT, compare, near_duplicates
from timbrespace.evaluation.rows import reconstructions
from timbrespace.parallel import Pool
from timbrespace.synthesis.finish import finish
from timbrespace.synthesis.instrument import Instrument

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
    clips = corpus.indices("train")
    training = [corpus.audio(i)[:, : first.contents.samples] for i in clips]
    held = [corpus.audio(i)[:, : first.contents.samples] for i in corpus.indices("test") + corpus.indices("validation")]
    known, reference = embedding(training, sample_rate=corpus.sample_rate), embedding(held, sample_rate=corpus.sample_rate)
    rng = np.random.default_rng(0)
    sampled = [training[i] for i in rng.permutation(len(training))[:COUNT]]

    def points(sounds: list[Tensor]) -> Tensor:
        return embedding(sounds, sample_rate=first.sample_rate)

    made: dict[str, Callable[[], list[Tensor]]] = {}
    for seed, instrument in enumerate(instruments):
        name = "generated, temperature 1" + (f", seed {seed}" if seed else "")
        made[name] = lambda instrument=instrument, seed=seed: [s.audio for s in instrument.generate(COUNT, seed=seed)]  # type: ignore[misc]
    made |= {
        "latents from the unit Gaussian": lambda: render(first, gaussian(first, COUNT)),
        "midpoints of random pairs of training latents": lambda: render(first, midpoints(first, COUNT)),
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
    note = NOTE.format(reference=len(held), n=result["n"], splits=result["splits"], floor=result["frechet_floor"], count=len(sampled))
    return f"{note}\n\n{table(HEAD, rows)}"


def gaussian(instrument: Instrument, count: int) -> Tensor:
    """Latents `(count, dims)` from the unit Gaussian, the usual prior of a VAE."""
    return torch.from_numpy(np.random.default_rng(1).standard_normal((count, instrument.dims)).astype(np.float32))


def midpoints(instrument: Instrument, count: int) -> Tensor:
    """Latents `(count, dims)` half-way between random pairs of training sounds."""
    assert instrument.contents.clips is not None
    latents, rng = instrument.contents.clips.latents, np.random.default_rng(2)
    pairs = np.stack([rng.choice(len(latents), 2, replace=False) for _ in range(count)])
    return (latents[pairs[:, 0]] + latents[pairs[:, 1]]) / 2


def render(instrument: Instrument, latents: Iterable[Tensor]) -> list[Tensor]:
    """Sounds `(channels, time)` from latents `(dims,)`, decoded and finished as `generate` does it."""

    def one(item: tuple[int, Tensor]) -> Tensor:
        return finish(instrument.decode(item[1], seed=item[0]), instrument.sample_rate)

    with Pool() as pool:
        return list(pool.map(one, enumerate(latents)))


def _row(name: str, values: dict[str, Any]) -> list[str]:
    return [
        name,
        f"{values['frechet_ratio']:.2f}",
        f"{values['precision']:.2f}",
        f"{values['recall']:.2f}",
        *(f"{100 * values['accuracy']:.0f} %", f"{values['novelty']:.2f}"),
        *(f"{100 * values[key]:.0f} %" for key in ("copies", "duplicates")),
    ]
