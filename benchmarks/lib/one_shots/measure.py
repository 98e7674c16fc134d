"""All values of one row of benchmarks/one_shots.py: errors, new sounds, artefacts and cost of one trained instrument."""

from __future__ import annotations

import shutil
from typing import Any

from torch import Tensor

from lib.bench import Bench, Trained
from lib.process import run, say
from timbrespace.audio.embedding import embedding
from timbrespace.evaluation.distribution import compare
from timbrespace.evaluation.feature_error import feature_errors, feature_unit
from timbrespace.evaluation.new_sounds import compare_artefacts, reference_points
from timbrespace.evaluation.pca_baseline import plain_pca, with_refinement
from timbrespace.evaluation.reconstruction import reconstruction_table
from timbrespace.evaluation.rows import reconstructions, true_features
from timbrespace.instrument import Instrument
from timbrespace.model.codec.oneshot import OneShot

NEW = 300  # sounds against held-out ones


def measure(bench: Bench, trained: Trained, *, seed: int) -> dict[str, Any]:
    """Nested values under latent, copies, attack_median_ms, new, faults and cost; all are numbers or None.

    Only models with a linear codec are compared with plain PCA of the same size.
    """
    instrument = Instrument.load(trained.path)
    samples = instrument.contents.samples
    unseen = [bench.unseen.audio(i)[:, :samples] for i in range(len(bench.unseen))]
    ours = float(feature_errors(instrument, unseen).mean())
    latent: dict[str, Any] = {"instrument": ours, "unit": feature_unit(instrument), "dims": instrument.dims}
    rows = {"instrument": reconstructions(instrument, unseen)}
    if isinstance(instrument.model, OneShot):
        plain = plain_pca(instrument, bench.corpus)
        theirs = float(feature_errors(plain, unseen).mean())
        latent |= {"plain PCA": theirs, "under_pca_percent": 100 * (1 - ours / theirs)}
        rows |= {
            "encoder alone": reconstructions(with_refinement(instrument, 0), unseen),
            "plain PCA": reconstructions(plain, unseen),
            "plain PCA, refined": reconstructions(with_refinement(plain, instrument.model.refinement_steps), unseen),
        }
    rows["true features"] = true_features(instrument, unseen)
    found = reconstruction_table(rows, unseen, sample_rate=instrument.sample_rate)
    say(f"{NEW} new sounds")
    made = [sound.audio for sound in instrument.generate(NEW, seed=seed)]
    return {
        "latent": latent,
        "copies": {name: {key: float(statistics["mean"]) for key, statistics in row.items()} for name, row in found.items()},
        "attack_median_ms": {name: float(row["attack_ms"]["median"]) for name, row in found.items()},
        "unseen_sounds": len(unseen),
        "new": distribution(bench, instrument, made),
        "faults": compare_artefacts(instrument, bench.corpus, made),
        "cost": _cost(bench, trained, instrument),
    }


def distribution(bench: Bench, instrument: Instrument, made: list[Tensor]) -> dict[str, float]:
    """Distance, precision, recall, two-sample accuracy and novelty of new sounds, against the held-out files of the trained kits."""
    held_out, training = reference_points(instrument, bench.corpus)
    result = compare(embedding(made, sample_rate=instrument.sample_rate), held_out, training=training)
    return {key: float(value) for key, value in result.items() if isinstance(value, (int, float))} | {"held_out": float(len(held_out))}


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
