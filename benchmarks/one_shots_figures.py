"""What benchmarks/one_shots.py measures of one trained instrument."""

from __future__ import annotations

import shutil
from typing import Any

from torch import Tensor

from common import run, say
from path import Bench, Trained
from path_quality import plain_pca, searching
from timbrespace.audio.distance import embedding
from timbrespace.evaluation.artefacts import faults
from timbrespace.evaluation.card import copies, true_features
from timbrespace.evaluation.distribution import compare
from timbrespace.evaluation.features import feature_errors, feature_unit
from timbrespace.evaluation.reconstruction import reconstruction_table
from timbrespace.model.codec.oneshot import OneShot
from timbrespace.synthesis.instrument import Instrument
from timbrespace.synthesis.sound import Sound

NEW = 300  # sounds against held-out ones
STUTTER_HOP = 1024  # samples, of views that have no frames of their own


def figures(bench: Bench, trained: Trained, *, seed: int) -> dict[str, Any]:
    """latent, copies, new, faults, cost: nested figures, all numbers or None. Plain PCA stands beside models of its own kind alone."""
    instrument = Instrument.load(trained.path)
    samples = instrument.contents.samples
    unseen = [bench.unseen.audio(i)[:, :samples] for i in range(len(bench.unseen))]
    ours = float(feature_errors(instrument, unseen).mean())
    latent: dict[str, Any] = {"instrument": ours, "unit": feature_unit(instrument), "dims": instrument.dims}
    rows = {"instrument": copies(instrument, unseen)}
    if isinstance(instrument.model, OneShot):
        plain = plain_pca(instrument, bench.corpus)
        theirs = float(feature_errors(plain, unseen).mean())
        latent |= {"plain PCA": theirs, "under_pca_percent": 100 * (1 - ours / theirs)}
        rows |= {
            "encoder's guess alone": copies(searching(instrument, 0), unseen),
            "plain PCA": copies(plain, unseen),
            "plain PCA, searched": copies(searching(plain, instrument.model.searching), unseen),
        }
    rows["true features"] = true_features(instrument, unseen)
    found = reconstruction_table(rows, unseen, sample_rate=instrument.sample_rate)
    say(f"{NEW} new sounds")
    made = instrument.generate(NEW, seed=seed)
    return {
        "latent": latent,
        "copies": {name: {key: float(figure["mean"]) for key, figure in row.items()} for name, row in found.items()},
        "attack_median_ms": {name: float(row["attack_ms"]["median"]) for name, row in found.items()},
        "unseen_sounds": len(unseen),
        "new": crowd(bench, instrument, made),
        "faults": fault_figures(bench, instrument, made),
        "cost": _cost(bench, trained, instrument),
    }


def crowd(bench: Bench, instrument: Instrument, made: list[Sound]) -> dict[str, float]:
    """New sounds against the held-out files of the trained kits."""
    corpus, samples = bench.corpus, instrument.contents.samples

    def points(clips: list[int]) -> Tensor:
        return embedding([corpus.audio(i)[:, :samples] for i in clips], sample_rate=corpus.sample_rate)

    held = points(corpus.indices("test") + corpus.indices("validation"))
    result = compare(
        embedding([sound.audio for sound in made], sample_rate=instrument.sample_rate), held, training=points(corpus.indices("train"))
    )
    return {key: float(value) for key, value in result.items() if isinstance(value, (int, float))} | {"held_out": float(len(held))}


def fault_figures(bench: Bench, instrument: Instrument, made: list[Sound]) -> dict[str, dict[str, float]]:
    """The faults heard in earlier systems, on new sounds and on the held-out files, both as they are heard: see `evaluation.faults`."""
    corpus, samples = bench.corpus, instrument.contents.samples
    real = [corpus.audio(i)[:, :samples] for i in corpus.indices("test") + corpus.indices("validation")]
    view: Any = getattr(instrument.representation, "view", instrument.representation)
    hop = int(getattr(view, "hop", STUTTER_HOP))
    return faults([sound.audio for sound in made], real, sample_rate=corpus.sample_rate, hop=hop if hop >= 64 else STUTTER_HOP)


def _cost(bench: Bench, trained: Trained, instrument: Instrument) -> dict[str, float]:
    out = bench.work / "new"
    made = run(["generate", trained.path, "-n", "64", "--out", out, "--force", "--json"])
    shutil.rmtree(out, ignore_errors=True)
    return {
        "train_seconds": trained.run.seconds,
        "steps": trained.card["training"]["steps"],
        "parameters": float(sum(parameter.numel() for parameter in instrument.model.parameters())),
        "peak_mb": trained.run.peak_mb,
        "file_mb": trained.path.stat().st_size / 1e6,
        "generate_64_seconds": made.seconds,
    }
