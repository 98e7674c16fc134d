"""Every preset learns: after a short training on a corpus of its kind the error is less than before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from timbrespace.config.presets import load_preset, presets
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.training.callbacks import Progress, StopTraining, TrainingCallbacks
from timbrespace.training.data.levels import with_levels
from timbrespace.training.train import train

CLIPS = {"drums": 60, "notes": 48, "additive": 400}
EPOCHS = {"spectra": 30.0, "spectra-bernoulli": 20.0, "spectra-mdct": 30.0}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Corpus]:
    folder = tmp_path_factory.mktemp("kinds")
    for kind, count in CLIPS.items():
        prepare(f"synthetic:{kind}", folder / kind, count=count)
    return {kind: Corpus.open(folder / kind) for kind in CLIPS}


def validation_errors(corpus: Corpus, folder: Path, preset: str, *, epochs: float, changes: Sequence[str]) -> dict[str, list[float]]:
    """The validation errors of all checks, by stage. The training ends after its last check, before map and card."""
    found: dict[str, list[float]] = {}

    def on_progress(progress: Progress) -> None:
        if progress.stage == "finish":
            raise StopTraining
        if progress.metrics:
            found.setdefault(progress.stage, []).append(progress.metrics["validation"])

    with pytest.raises(StopTraining):
        train(
            corpus, folder / "it.safetensors", preset=preset, epochs=epochs, changes=tuple(changes), device="cpu",
            callbacks=TrainingCallbacks(on_progress=on_progress),
        )  # fmt: skip
    return found


@pytest.mark.parametrize("preset", sorted(name for name in presets() if name.startswith("spectra")))
def test_models_of_spectra_learn_their_toy_corpus(preset: str, corpora: dict[str, Corpus], tmp_path: Path) -> None:
    small = ("model.encoder=[64]", "model.decoder=[64]", "model.dims=4", "training.batch=50", "training.learning_rate=1e-3")
    found = validation_errors(corpora["additive"], tmp_path, preset, epochs=EPOCHS[preset], changes=small)
    least = 0.05 if preset == "spectra-mdct" else 1.0  # %; 4 latents hold hardly anything of signed values with all their phases
    assert found["train"][-1] < found["train"][0] - least, found  # the last state, not the best one


FEW = ("training.variations=0", "training.seconds=0.4", "training.batch=16", "training.synthesised=0")
VARIED = ("training.examples=500", "training.seconds=0.4", "training.batch=32", "training.synthesised=0")
SMALL = ("model.encoder=[64]", "model.decoder=[64]", "model.dims=4")
FASTER = ("training.learning_rate=1e-3",)
# preset -> corpus, epochs, changes. Small latents, since as many principal components as clips are a start that nothing improves on.
OTHERS: dict[str, tuple[str, float, tuple[str, ...]]] = {
    "bounded": ("drums", 20, (*VARIED, *SMALL)),
    "conv": ("notes", 6, FEW),
    "conv-vae": ("drums", 40, (*FEW, "model.dims=4")),
    "dense": ("drums", 60, (*FEW, *SMALL, *FASTER)),
    "dense-harmonic": ("notes", 20, (*FEW, *SMALL)),
    "gru": ("notes", 6, (*FEW, *FASTER)),
    "lstm": ("notes", 6, (*FEW, *FASTER)),
    "mlp-steps": ("notes", 6, (*FEW, *FASTER)),
    "oneshot": ("drums", 60, (*FEW, "model.dims=4")),
    "pitch-synchronous": ("notes", 60, (*FEW, "model.dims=4")),
    "raw": ("notes", 10, FEW),
    "rnn": ("notes", 6, (*FEW, *FASTER)),
    "sequence": ("drums", 10, FEW),
    "transformer": ("notes", 6, FEW),
}
SLOW: dict[str, tuple[str, float, tuple[str, ...]]] = {
    "conditional": ("drums", 10, (*VARIED, "model.inner.dims=4")),
    "vq": ("drums", 20, VARIED),
    # From random weights, as in the sources: nothing learned from so few clips is better than their principal components.
    "conv-vae-a": ("drums", 20, (*FEW, "model.dims=4", "training.initialisation=random")),
    "conv-vae-d": ("notes", 20, (*FEW, "model.dims=8", "model.channels=[8,8,16,16,16]", "training.initialisation=random")),
    "staged": ("notes", 40, (*FEW, "model.outer_share=0.5", "training.initialisation=random")),
}


def check_that_it_learns(preset: str, case: tuple[str, float, tuple[str, ...]], corpora: dict[str, Corpus], folder: Path) -> None:
    kind, epochs, changes = case
    found = validation_errors(corpora[kind], folder, preset, epochs=epochs, changes=changes)
    assert found
    for stage, errors in found.items():
        assert len(errors) > 1, stage
        assert errors[-1] < errors[0], (stage, errors)  # the last state, not the best one


@pytest.mark.parametrize("preset", sorted(OTHERS))
def test_presets_learn(preset: str, corpora: dict[str, Corpus], tmp_path: Path) -> None:
    check_that_it_learns(preset, OTHERS[preset], corpora, tmp_path)


@pytest.mark.slow  # many steps until they are better than their start
@pytest.mark.parametrize("preset", sorted(SLOW))
def test_slow_presets_learn(preset: str, corpora: dict[str, Corpus], tmp_path: Path) -> None:
    check_that_it_learns(preset, SLOW[preset], corpora, tmp_path)


def test_every_preset_has_a_test() -> None:
    assert {*EPOCHS, *OTHERS, *SLOW} == set(presets())


def test_levels_of_a_corpus(corpora: dict[str, Corpus]) -> None:
    config = load_preset("spectra")
    toy = with_levels(config, corpora["additive"], corpora["additive"].indices("train")).model
    assert toy["level"] == "kept"  # its energy is constant, so its peaks are not
    window = torch.hamming_window(4_096, dtype=torch.float64)
    energy = (
        4_096 * 0.1**2 * float(window.square().sum())
    )  # of all bins, by Parseval; nearly all of it is in the first 1,025 and their mirror
    assert toy["unit"] == pytest.approx((energy / 2 / 1_025) ** 0.5, rel=0.02)
    drums = with_levels(config, corpora["drums"], corpora["drums"].indices("train")).model
    assert drums["level"] == "peak"
    for changes in (("representation.scale=decibels",), ("representation.normalisation=band",), ("model.likelihood=bernoulli",)):
        assert (
            with_levels(load_preset("spectra", changes=changes), corpora["drums"], corpora["drums"].indices("train")).model["unit"] == 1.0
        )
    given = load_preset("spectra", changes=("model.unit=3", "model.level=peak"))
    assert with_levels(given, corpora["additive"], corpora["additive"].indices("train")) is given
