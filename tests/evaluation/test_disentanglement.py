"""Disentanglement: constructed latents with known scores, and an instrument trained on a toy corpus."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.evaluation import disentanglement as scores
from timbrespace.evaluation.factor_scores import dci, sap_scores
from tiny import Tiny, fix_plan, quick_train

GRID = np.array(list(product(range(8), range(5), range(4))) * 5, dtype=np.int64)
FACTORS = {"a": GRID[:, 0], "b": GRID[:, 1], "c": GRID[:, 2]}


def entropy_share(of: int, whole: int) -> float:
    return float(np.log(of) / np.log(whole))


def test_one_dimension_for_each_factor_is_perfect() -> None:
    latents = np.stack([-3.0 * GRID[:, 2], GRID[:, 0], 0.1 * GRID[:, 1] + 5], axis=1)
    assert scores.mutual_information_gap(latents, FACTORS) == pytest.approx(1)
    assert scores.beta_vae_score(latents, FACTORS) == 1
    spare = np.concatenate([latents, np.random.default_rng(0).standard_normal((len(GRID), 2))], axis=1)
    assert scores.mutual_information_gap(spare, FACTORS) > 0.75  # less what rng seem to tell of 800 sounds
    assert scores.beta_vae_score(spare, FACTORS) > 0.99


def test_random_latents_score_like_chance() -> None:
    latents = np.random.default_rng(1).standard_normal((len(GRID), 6))
    assert scores.mutual_information_gap(latents, FACTORS) < 0.05
    assert scores.beta_vae_score(latents, FACTORS) == pytest.approx(1 / 3, abs=0.07)
    assert scores.beta_vae_score(np.ones((len(GRID), 2)), FACTORS) == pytest.approx(1 / 3, abs=0.07)


def test_sap_and_dci_of_one_dimension_for_each_factor() -> None:
    latents = np.stack([-3.0 * GRID[:, 2], GRID[:, 0], 0.1 * GRID[:, 1] + 5], axis=1)
    assert sap_scores(latents, FACTORS) == pytest.approx({"a": 1, "b": 1, "c": 1}, abs=1e-9)
    found = dci(latents, FACTORS)
    assert min(found) > 0.97
    # A spare dimension of noise changes little: it has no weight.
    spare = np.concatenate([latents, np.random.default_rng(0).standard_normal((len(GRID), 2))], axis=1)
    assert min(dci(spare, FACTORS)) > 0.95


def test_sap_and_dci_of_random_and_of_mixed_latents() -> None:
    rng = np.random.default_rng(1)
    latents = rng.standard_normal((len(GRID), 4))
    assert max(sap_scores(latents, FACTORS).values()) < 0.02
    noise = dci(latents, FACTORS)
    assert noise.disentanglement < 0.1
    assert noise.informativeness < 0.05
    whole = np.stack([GRID[:, 0], GRID[:, 1], GRID[:, 2]], axis=1) - GRID.mean(0)
    mixed = (whole / whole.std(0)) @ np.array([[1, 1, 1], [1, -1, 0.5], [1, 0.3, -1]])
    parts = dci(mixed, FACTORS)
    assert parts.disentanglement < 0.5 < parts.informativeness  # all is there, nothing is separate
    twice = np.stack([GRID[:, 0], -GRID[:, 0], GRID[:, 1]], axis=1)
    assert sap_scores(twice, FACTORS)["a"] == pytest.approx(0, abs=1e-9)
    assert dci(twice, FACTORS).disentanglement == pytest.approx(1, abs=0.1)  # each dimension has one factor
    assert dci(twice, FACTORS).completeness < 0.9  # but a has two dimensions
    assert dci(twice, FACTORS).informativeness == pytest.approx(2 / 3, abs=0.03)  # and c has none


def test_sap_of_one_dimension_is_its_squared_correlation() -> None:
    noisy = GRID[:, 0] + np.random.default_rng(2).standard_normal(len(GRID)) * 3
    expected = np.corrcoef(noisy, GRID[:, 0])[0, 1] ** 2
    assert sap_scores(noisy[:, None], FACTORS)["a"] == pytest.approx(expected)


def test_known_entropies() -> None:
    coarse = np.stack([GRID[:, 0] // 2, GRID[:, 1], GRID[:, 2]], axis=1)
    gaps = scores.mutual_information_gaps(coarse, FACTORS)
    assert gaps["a"] == pytest.approx(entropy_share(4, 8))
    assert (gaps["b"], gaps["c"]) == pytest.approx((1, 1))
    twice = scores.mutual_information_gaps(np.stack([GRID[:, 0], -GRID[:, 0], GRID[:, 1] // 2], axis=1), FACTORS)
    assert twice["a"] == pytest.approx(0)  # two dimensions hold the same
    assert twice["c"] == pytest.approx(0)  # none holds it
    mean_of_b = -(0.4 * np.log(0.4) * 2 + 0.2 * np.log(0.2)) / np.log(5)
    assert twice["b"] == pytest.approx(mean_of_b)
    joined = scores.mutual_information_gaps(np.stack([GRID[:, 0] + 8 * GRID[:, 1]], axis=1), FACTORS, bins=40)
    assert (joined["a"], joined["b"]) == pytest.approx((1, 1))  # one dimension, which holds both: MIG looks at the factors alone


def test_rotated_latents_lose_the_gap() -> None:
    pair = {"a": GRID[:, 0], "b": GRID[:, 1]}
    straight = np.stack([GRID[:, 0] / 2.3, GRID[:, 1] / 1.4], axis=1)
    turned = straight @ np.array([[1, 1], [-1, 1]]) / 2**0.5
    assert scores.mutual_information_gap(turned, pair) < 0.2 < scores.mutual_information_gap(straight, pair)


def test_many_values_are_grouped() -> None:
    fine = np.arange(200).repeat(3)
    other = np.tile(np.arange(3), 200)
    gaps = scores.mutual_information_gaps(np.stack([fine, other], axis=1), {"fine": fine, "other": other})
    assert gaps["fine"] == pytest.approx(1)


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match="two factors"):
        scores.beta_vae_score(GRID, {"a": GRID[:, 0]})
    with pytest.raises(ShapeError, match="12 sounds"):
        dci(GRID[:10], {name: values[:10] for name, values in FACTORS.items()})
    with pytest.raises(ShapeError, match="3 values"):
        scores.mutual_information_gap(GRID, {"a": GRID[:, 0], "b": np.arange(3)})


def test_an_instrument_trained_on_a_toy_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Tiny) -> None:
    corpus = prepare("synthetic:fm", tmp_path / "fm", count=60, force=True)
    fix_plan(monkeypatch, variations=0)
    small = ("model.encoder=[8]", "model.decoder=[8]", "model.dims=3", "training.batch=8")
    instrument = quick_train(corpus, tmp_path / "x.safetensors", preset="dense", changes=small, steps_minutes=0.002)
    found = scores.disentanglement(instrument, corpus, split=None)
    assert set(found["factors"]) == set(found["gaps"]) == {"detune", "ratio", "index", "frequency", "q"}
    assert found["chance"] == 0.2
    assert 0 <= found["mig"] <= 1
    assert 0 <= found["beta_vae"] <= 1
    for key in ("sap", "dci_disentanglement", "dci_completeness", "dci_informativeness"):
        assert 0 <= found[key] <= 1
    assert found == scores.disentanglement(instrument, corpus, split=None)
    with pytest.raises(ConfigError, match="synthetic:additive"):
        scores.disentanglement(instrument, Corpus.open(tiny.corpus), split=None)
