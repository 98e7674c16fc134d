"""Old names of presets, models, views and settings, wherever they may still be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from timbrespace.config.aliases import KEYS, MODELS, PRESETS, REPRESENTATIONS, modern_key, modern_tensor, modernised
from timbrespace.config.build import make_config
from timbrespace.config.presets import load_preset, presets
from timbrespace.config.schema import Training
from timbrespace.config.settings import settings_of
from timbrespace.model.registry import MODELS as FAMILIES
from timbrespace.representation.registry import REPRESENTATIONS as VIEWS
from timbrespace.tuning.ranges import parse_range


def test_every_alias_leads_to_a_name_of_today() -> None:
    assert set(PRESETS.values()) <= set(presets())
    assert set(MODELS.values()) <= set(FAMILIES)
    assert set(REPRESENTATIONS.values()) <= set(VIEWS)
    assert set(KEYS["training"].values()) <= set(Training.model_fields)
    keys = {key for family in FAMILIES.values() for key in settings_of(family).model_fields}
    assert set(KEYS["model"].values()) <= keys
    assert not set(KEYS["model"]) & keys, "an old key is in use again"


@pytest.mark.parametrize(("old", "new"), PRESETS.items())
def test_old_presets_load(old: str, new: str) -> None:
    assert load_preset(old) == load_preset(new)


@pytest.mark.parametrize(
    ("preset", "old", "new"),
    [
        ("oneshot", "model.searching=3", "model.refinement_steps=3"),
        ("conditional", "model.inside.dims=5", "model.inner.dims=5"),
        ("conditional", "model.inside.squash=true", "model.inner.sigmoid=true"),
        ("conditional", "model.dropped=0.3", "model.condition_dropout=0.3"),
        ("staged", "model.share=0.3", "model.outer_share=0.3"),
        ("staged", "model.limit=90000000", "model.max_parameters=90000000"),
        ("vq", "model.books=2", "model.codebooks=2"),
        ("dense", "training.start=random", "training.initialisation=random"),
        ("dense", "training.start=corpus", "training.initialisation=pca"),
        ("dense", "training.images=400", "training.examples=400"),
        ("spectra", "model.name=frames", "model.name=frame-vae"),
        ("spectra", "representation={name: log}", "representation={name: log-stft}"),
    ],
)
def test_old_keys_and_values_mean_the_new_ones(preset: str, old: str, new: str) -> None:
    assert load_preset(preset, changes=[old]) == load_preset(preset, changes=[new])


def test_a_file_of_an_old_version_loads(tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    old.write_text(
        "representation: {name: waveform}\nmodel: {name: cycles, per_cycle: 24, searching: 5}\ntraining: {start: random, images: 99}\n",
        encoding="utf-8",
    )
    config = load_preset(old, changes=["model.points_per_cycle=32"])
    assert (config.model["name"], config.model["points_per_cycle"], config.model["refinement_steps"]) == ("pitch-synchronous", 32, 5)
    assert (config.training.initialisation, config.training.examples) == ("random", 99)


def test_a_new_key_counts_over_its_old_one() -> None:
    content = {"representation": {"name": "mel"}, "model": {"name": "oneshot", "searching": 1, "refinement_steps": 2}}
    assert make_config(content).model["refinement_steps"] == 2


def test_names_that_a_user_gave_stay() -> None:
    conditions = {"share": ["a", "b"], "limit": [1.0, 2.0]}
    content = {"model": {"name": "conditional", "conditions": conditions, "inside": {"name": "dense", "squash": True}}}
    found = modernised(content)["model"]
    assert found["conditions"] == conditions
    assert found["inner"] == {"name": "dense", "sigmoid": True}
    assert modern_key(["model", "conditions", "share"]) == ["model", "conditions", "share"]


def test_ranges_of_a_search_and_tensors_take_old_names() -> None:
    assert parse_range("training.start=corpus,random") == parse_range("training.initialisation=pca,random")
    assert parse_range("model.searching=0..9").key == "model.refinement_steps"
    assert modern_tensor("conditional", "inside.encoder.0.weight") == "inner.encoder.0.weight"
    assert modern_tensor("dense", "inside.encoder.0.weight") == "inside.encoder.0.weight"
