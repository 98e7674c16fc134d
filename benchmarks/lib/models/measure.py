"""All values of one row of benchmarks/models.py."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from lib.bench import KEPT_AWAY, bench_for, toy_corpus
from lib.models.rows import CONTROLS, PCA, Row, dims_key
from lib.process import run, say
from timbrespace.audio.embedding import embedding
from timbrespace.config.presets import load_preset
from timbrespace.corpus.corpus import Corpus, is_corpus
from timbrespace.evaluation.disentanglement import disentanglement
from timbrespace.evaluation.distribution import compare
from timbrespace.evaluation.feature_error import feature_errors, feature_unit
from timbrespace.evaluation.new_sounds import evenly_spaced, latent_values_per_second, reference_points
from timbrespace.evaluation.pca_baseline import feature_components, pca_instrument, plain_pca
from timbrespace.evaluation.reconstruction import reconstruction_table
from timbrespace.evaluation.rows import control_rows, reconstructions, true_features
from timbrespace.evaluation.spectral_errors import source_b_squares
from timbrespace.instrument import Instrument
from timbrespace.model.codec.oneshot import OneShot

_TRAINING = 1_000  # at most so many training sounds are compared with new ones


@dataclass
class Settings:
    """The script's options. sounds: folder of real_audio.py; work: for corpora and instruments; unseen, new, toys: counts."""

    sounds: Path | None
    work: Path
    minutes: float = 1.0
    unseen: int = 60
    new: int = 150
    toys: int = 2_000
    seed: int = 0
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Material:
    """A corpus, and sounds that no model is trained on: whole kits or instruments; for a toy corpus its test split."""

    corpus: Corpus
    unseen: list[Tensor]
    toy: bool = False

    def clips(self, *splits: str, most: int | None = None) -> list[Tensor]:
        """Sounds of splits without silent ones, at most `most` at even distances."""
        indices = [i for split in splits for i in self.corpus.indices(split)]
        return evenly_spaced([audio for i in indices if (audio := self.corpus.audio(i)).any()], most)


def material(name: str, given: Settings) -> Material:
    """The corpus of that name and its unseen sounds; prepared once."""
    folder = given.work / name
    if name not in KEPT_AWAY:
        found = Material(toy_corpus(name, given.toys, work=given.work), [], toy=True)
        return replace(found, unseen=found.clips("test", most=given.unseen))
    if given.sounds is None:
        raise SystemExit(f"rows of {name} need the folder that benchmarks/real_audio.py makes: give it as SOUNDS")
    bench = bench_for(given.sounds, name, work=folder, minutes=given.minutes)
    ready = [Corpus.open(path) if is_corpus(path) else None for path in (folder / "trained.corpus", folder / "unseen.corpus")]
    corpus, unseen = ready[0] or bench.corpus, ready[1] or bench.unseen
    return Material(corpus, evenly_spaced([audio for i in range(len(unseen)) if (audio := unseen.audio(i)).any()], given.unseen))


def measure(row: Row, given: Settings) -> dict[str, Any]:
    """All values of a row; only `refused`, a sentence, if the preset cannot be trained on this corpus."""
    found = material(row.corpus, given)
    if row.preset in CONTROLS:
        return _control(row, found)
    if row.preset == PCA:
        assert row.dims is not None
        instrument = pca_instrument(found.corpus, row.dims)
        return {"dims": instrument.dims, **_instrument(instrument, found, given)}
    try:
        path, result = _train(row, found.corpus, given)
    except SystemExit as error:
        return {"refused": str(error).splitlines()[-1].removeprefix("error: ")}
    instrument = Instrument.load(path)
    training = result["card"]["training"]
    config = load_preset(row.preset)
    epochs = training["steps"] * config.training.batch / training["images"]
    return {
        "seconds": result["seconds"],
        "steps": training["steps"],
        "stopped_early": training["stopped_early"],
        "seconds_an_epoch": training["seconds"]["train"] / epochs,
        "train_error": training["train_error"],
        "validation_error": training["validation_error"],
        "begun_error": _initial_error(training),
        "unit": training["unit"],
        "kl_nats": training["kl_nats"],
        "active_units": training.get("active_units"),
        "peak_mb": result["peak_mb"],
        "file_mb": path.stat().st_size / 1e6,
        "dims": instrument.dims,
        **_instrument(instrument, found, given),
    }


def _initial_error(training: dict[str, Any]) -> float | None:
    """Error of validation clips before the first step; None if that was not measured or belongs to the first of two stages."""
    curve = training["curve"]
    return curve["validation"][0] if curve["step"][0] == 0 and "stages" not in training else None


def _train(row: Row, corpus: Corpus, given: Settings) -> tuple[Path, dict[str, Any]]:
    """The instrument file and what `train --json` printed. Raises SystemExit with the command's message if it refuses."""
    path = given.work / f"{row.file.removesuffix('.json')}.safetensors"
    words: list[str | Path] = ["train", corpus.path, "--out", path, "--preset", row.preset, "--minutes", f"{given.minutes:g}"]
    if row.dims is not None:
        key = dims_key(load_preset(row.preset).model)
        if key is None:
            raise SystemExit(f"the latent size of {row.preset} follows from its layers")
        words += ["--set", f"{key}={row.dims}"]
    for change in given.changes:
        words += ["--set", change]
    say(f"{row.name}: training, {given.minutes:g} minutes")
    found = run([*words, "--seed", str(given.seed), "--force", "--json"])
    return path, {**json.loads(found.output), "seconds": found.seconds, "peak_mb": found.peak_mb}


def _instrument(instrument: Instrument, found: Material, given: Settings) -> dict[str, Any]:
    """Values of any instrument: size, errors of unseen sounds, new sounds, disentanglement (toy corpora only)."""
    samples, rate = instrument.contents.samples, instrument.sample_rate
    unseen = [audio[:, :samples] for audio in found.unseen]
    say(f"reconstructions of {len(unseen)} sounds")
    reconstructed = reconstructions(instrument, unseen)
    result: dict[str, Any] = {
        "parameters": sum(parameter.numel() for parameter in instrument.model.parameters()),
        "values_per_second": latent_values_per_second(instrument, found.corpus),
        "moving": instrument.model.time_varying,
        "unseen_error": float(feature_errors(instrument, unseen).mean()),
        "unseen_unit": feature_unit(instrument),
        "unseen_pca_error": _pca_error(instrument, found.corpus, unseen),
        "copies": _wav_errors(reconstructed, unseen, rate),
        "no_model": _wav_errors(true_features(instrument, unseen), unseen, rate),
    }
    say(f"{given.new} new sounds")
    made = embedding([sound.audio for sound in instrument.generate(given.new, seed=given.seed)], sample_rate=rate)
    held_out, training = reference_points(instrument, found.corpus, most=_TRAINING)
    comparison = compare(made, held_out, training=training, count=given.new)
    result["new"] = {key: value for key, value in comparison.items() if value is not None}
    if found.toy:
        result["disentanglement"] = disentanglement(instrument, found.corpus, split=None, seed=given.seed)
    return result


def _control(row: Row, found: Material) -> dict[str, Any]:
    """Values of a row without a model: errors of reconstructions only."""
    training = found.clips("train", most=_TRAINING)
    rows = control_rows(found.unseen, training, sample_rate=found.corpus.sample_rate)
    return {"copies": _wav_errors(rows[row.preset], found.unseen, found.corpus.sample_rate)}


def _wav_errors(reconstructed: list[Tensor], originals: list[Tensor], rate: int) -> dict[str, float]:
    """Means of all measures WAV to WAV, the interval of the log-mel error, and source B's standard deviation in % in its own view."""
    table = reconstruction_table({"row": reconstructed}, originals, sample_rate=rate)["row"]
    squares = source_b_squares(originals, reconstructed, sample_rate=rate).double()
    means = {key: statistics["mean"] for key, statistics in table.items()}
    low, high = (table["log_mel_db"][key] for key in ("low", "high"))
    return means | {"low": low, "high": high, "stdev_percent": 100 * float(squares.mean()) ** 0.5}


def _pca_error(instrument: Instrument, corpus: Corpus, sounds: list[Tensor]) -> float | None:
    """Error of as many plain principal components of the model's own features; None for time-varying latents."""
    if isinstance(instrument.model, OneShot):
        return float(feature_errors(plain_pca(instrument, corpus), sounds).mean())
    back = feature_components(instrument, (corpus.audio(i) for i in corpus.indices("train")))
    return None if back is None else float(feature_errors(instrument, sounds, round_trip=back).mean())
