"""Encoded sounds on disk, and the loop that learns from them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric

from specs import feature_spec
from timbrespace.config.build import build_model, build_representation
from timbrespace.config.presets import load_preset
from timbrespace.config.schema import Training
from timbrespace.contracts import TimbrespaceError
from timbrespace.corpus.corpus import Corpus
from timbrespace.model.codec.oneshot import OneShot
from timbrespace.parallel import Pool
from timbrespace.training import history as history_module
from timbrespace.training.data import image_store
from timbrespace.training.data.clip_dataset import ClipDataset, encode_rows
from timbrespace.training.data.image_store import ImageStore
from timbrespace.training.data.sounds import InMemory
from timbrespace.training.history import History, best_check, learned_errors
from timbrespace.training.loop import evaluate, fit_model
from tiny import SMALL, Tiny

# --- images ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def encoder(tiny: Tiny) -> ClipDataset:
    config, corpus = load_preset(changes=SMALL), Corpus.open(tiny.corpus)
    representation = build_representation(config.representation, sample_rate=44_100, channels=1)
    model = build_model(config.model, representation=representation, samples=5000)
    assert isinstance(model, OneShot)
    return ClipDataset(corpus, corpus.indices("train"), representation, model, samples=5000, seed=3)


def test_rows_are_clips_then_variations(encoder: ClipDataset) -> None:
    clips = len(encoder.clips)
    first = encoder.corpus.audio(encoder.clips[2])
    assert torch.equal(encoder.audio(2)[:, :4500], first[:, :4500])
    assert encoder.audio(2).shape[-1] == min(5000, first.shape[-1])
    assert encoder.audio(2)[0, -1] == 0  # what is cut is faded
    assert not torch.equal(encoder[2 + clips][0], encoder[2][0])
    assert torch.equal(encoder[2 + clips][0], encoder[2 + clips][0])
    assert not torch.equal(encoder[2 + clips][0], encoder[2 + 2 * clips][0])


def test_store_keeps_what_it_was_given(encoder: ClipDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, cells = 70, encoder.model.mean.numel()
    monkeypatch.setattr(image_store, "_MOST_VALUES", 33 * cells)
    store = ImageStore(tmp_path, rows=rows, cells=cells)
    seen: list[tuple[int, int]] = []
    with Pool(1) as pool:
        store.fill(lambda some: encode_rows(encoder, some, pool), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(64, 70), (70, 70)]
    images = torch.cat(list(store.batches()))
    assert images.shape == (rows, cells)
    for row in (0, 40, 69):
        image, length = encoder[row]
        assert torch.equal(images[row], image.half().float())
        assert store.lengths[row] == length
    again = ImageStore(tmp_path, rows=rows, cells=cells)
    assert again.done == rows
    assert torch.equal(again.lengths, store.lengths)
    assert torch.equal(torch.cat(list(again.batches())), images)


# --- the loop ---------------------------------------------------------------------------------------------------------------------


class NullCheckpoints:
    def save(self, name: str, state: dict[str, Any]) -> None:
        pass

    def load(self, name: str) -> None:
        return None


@pytest.fixture
def lesson() -> dict[str, Any]:
    torch.manual_seed(0)
    spec = feature_spec(1, 8, 30, floor=80.0, hop=256)
    model = OneShot(spec, dims=3, coefficients=10, attack=4, steps=10, width=16, depth=1)
    basis = torch.linalg.qr(torch.randn(model.mean.numel(), 10))[0].T.contiguous()
    model.set_codec(torch.zeros_like(model.mean), basis, torch.linspace(10, 1, 10), torch.tensor([13.0, 1.0]))
    curve = torch.randn(80, 3)
    coefficients = torch.cat([curve, curve.square() - 1, torch.sin(3 * curve), 0.1 * torch.randn(80, 1)], 1) * model.scale
    lengths = torch.randint(256, 30 * 256, (80,))
    return {
        "model": model, "sounds": InMemory(coefficients[:60], lengths[:60]), "checked": torch.arange(60),
        "validation": InMemory(coefficients[60:], lengths[60:]), "seed": 0,
        "fabric": Fabric(accelerator="cpu", devices=1), "checkpoints": NullCheckpoints(),
    }  # fmt: skip


def test_training_learns_what_pca_cannot(lesson: dict[str, Any]) -> None:
    history = fit_model(**lesson, settings=Training(batch=32, learning_rate=3e-3, patience=1000), steps=600, check_every=50)
    assert history.train[-1] < 0.75 * history.train[0]
    assert history.step == list(range(0, 601, 50))  # from where it begins on
    assert len(history.train) == len(history.validation) == len(history.kl) == 13


def test_the_initial_model_is_kept_if_training_spoils_it(lesson: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "_SPOILT", 1.1)
    begun = {name: tensor.clone() for name, tensor in lesson["model"].state_dict().items()}
    history = fit_model(**lesson, settings=Training(batch=16, learning_rate=1.0), steps=40, check_every=40)
    assert 1.1 * history.validation[0] < history.validation[1]
    assert all(torch.equal(tensor, begun[name]) for name, tensor in lesson["model"].state_dict().items())
    history = fit_model(**lesson, settings=Training(batch=16, learning_rate=0.5, initialisation="random"), steps=20, check_every=10)
    assert history.step == [10, 20]


def test_the_check_before_the_first_step_counts_fully_only_without_a_kl() -> None:
    seen = History([0, 10, 20], [3.0, 3.0, 3.0], [4.0, 6.0, 5.0], [30.0, 20.0, 25.0])
    assert best_check(seen) == 2  # a KL costs some error
    assert best_check(replace(seen, kl=[0.0] * 3)) == 0
    assert best_check(replace(seen, validation=[2.0, 6.0, 5.0])) == 0  # learning has spoilt it
    assert best_check(replace(seen, validation=[2.0, 6.0, 5.0]), first=5) == 2  # where the KL's schedule had not settled
    assert best_check(History([0], [3.0], [4.0], [30.0])) == 0


@pytest.mark.parametrize(
    ("steps", "validation", "first", "error"),
    [
        ([0, 10, 20, 30, 40], [4.0, 3.0, 3.5, 3.2, 3.4], 0, 3.0),  # better than before the first step: the best check
        ([0, 10, 20, 30, 40], [4.0, 4.1, 5.0, 6.0, 7.0], 0, 6.0),  # not better: the last three checks
        ([0, 10], [4.0, 9.0], 0, 9.0),
        ([0, 10, 20], [4.0, 4.0, 8.0], 0, 6.0),
        ([10, 20, 30], [5.0, 6.0, 7.0], 0, 5.0),  # nothing before the first step
        ([0, 10, 20, 30], [4.0, 1.0, 3.0, 2.0], 15, 2.0),  # the KL's schedule settles at step 15
        ([0, 10], [4.0, 3.0], 99, 3.0),
        ([0], [4.0], 0, 4.0),
    ],
)
def test_learned_errors_leave_out_the_start(steps: list[int], validation: list[float], first: float, error: float) -> None:
    history = History(steps, [value / 2 for value in validation], validation, [1.0] * len(steps))
    assert learned_errors(history, first=first) == (error / 2, error)


def test_patience_counts_from_the_first_step(lesson: dict[str, Any]) -> None:
    """A linear model is best without noise: what it began with does not end a training that is slow to reach it."""
    settings = Training(batch=16, learning_rate=1e-2, patience=2, weights={"kl": 5.0})  # type: ignore[arg-type]
    history = fit_model(**lesson, settings=settings, steps=80, check_every=10)
    assert history.validation[0] < min(history.validation[1:])
    assert history.step[-1] > 20


def test_stops_early_and_keeps_the_best(lesson: dict[str, Any]) -> None:
    lesson["sounds"] = InMemory(lesson["sounds"].values[:6], lesson["sounds"].lengths[:6])  # so few are learned by heart
    history = fit_model(
        **lesson | {"checked": torch.arange(6)},
        settings=Training(batch=8, learning_rate=1e-2, patience=4, weight_decay=0),
        steps=5000,
        check_every=10,
    )
    assert history.step[-1] < 5000
    model = lesson["model"].eval()
    kept, *_ = evaluate(model, lesson["validation"], len(lesson["validation"]), torch.device("cpu"))
    assert kept == pytest.approx(min(history.validation), rel=1e-4)


def test_a_diverging_loss_is_an_error_with_advice(lesson: dict[str, Any]) -> None:
    lesson["sounds"].values[3, 2] = math.nan
    with pytest.raises(TimbrespaceError, match=r"no longer finite at step 10; lower training.learning_rate"):
        fit_model(**lesson, settings=Training(batch=64, initialisation="random"), steps=100, check_every=10)
    with pytest.raises(TimbrespaceError, match=r"not finite before the first step; .*training.initialisation=random"):
        fit_model(**lesson, settings=Training(batch=64), steps=100, check_every=10)


def test_the_same_seed_gives_the_same_parameters(lesson: dict[str, Any]) -> None:
    start = {name: tensor.clone() for name, tensor in lesson["model"].state_dict().items()}
    results = []
    for seed in (0, 0, 1):
        lesson["model"].load_state_dict(start)
        torch.rand(5)
        fit_model(**lesson | {"seed": seed}, settings=Training(batch=16, initialisation="random"), steps=40, check_every=40)
        results.append(lesson["model"].decoder.last.weight.detach().clone())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
