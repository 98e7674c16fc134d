"""Steps of wide layers in blocks are the steps of AdamW."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from timbrespace.config import Training, build_model, build_representation, load_preset
from timbrespace.model.base import Batch
from timbrespace.training import optimizer as optimizers
from timbrespace.training.encoded import image_shape
from timbrespace.training.optimizer import Optimizer, make_optimizer, wide_layers

OPTIONS: dict[str, Any] = {"lr": 0.01, "weight_decay": 0.1, "fused": True}


class Net(nn.Module):
    """Wide layers beside a narrow one; the last wide one is called twice, on values that have a further axis."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.narrow, self.last = nn.Linear(30, 40), nn.Linear(40, 3), nn.Linear(3, 30)

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.narrow(torch.relu(self.first(x)))
        return self.last(z).square().sum() + self.last(torch.stack([z, 2 * z], 1)).sin().sum()


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizers, "_BLOCK", 200)


def net() -> Net:
    torch.manual_seed(1)
    return Net().double()


def learn(model: nn.Module, optimizer: Optimizer, *, steps: int, most: float, first: int = 0) -> list[float]:
    """Takes steps; norms of the gradients."""
    norms = []
    for step in range(first, first + steps):
        with optimizer.in_blocks():
            model(torch.randn(4, 30, generator=torch.Generator().manual_seed(step), dtype=torch.float64)).backward()
        norms.append(float(optimizer.clip(most)))
        optimizer.step()
        optimizer.zero_grad()
    return norms


def same(one: nn.Module, other: nn.Module, **tolerance: float) -> bool:
    return all(torch.allclose(a, b, **tolerance) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("most", [1e-2, 3.0, 1e6])
def test_blocks_take_the_steps_of_adamw(most: float) -> None:
    plain, blocked = net(), net()
    reference = torch.optim.AdamW(plain.parameters(), **OPTIONS)
    norms = []
    for step in range(6):
        plain(torch.randn(4, 30, generator=torch.Generator().manual_seed(step), dtype=torch.float64)).backward()
        norms.append(float(nn.utils.clip_grad_norm_(plain.parameters(), most)))
        reference.step()
        reference.zero_grad()
    found = learn(blocked, Optimizer(blocked, [blocked.first, blocked.last], **OPTIONS), steps=6, most=most)
    assert found == pytest.approx(norms, rel=1e-9)
    assert same(plain, blocked, rtol=1e-9, atol=1e-12)
    assert not same(net(), blocked, rtol=1e-3)


@pytest.mark.parametrize("wide_first", [False, True])
def test_what_was_stored_one_way_goes_on_the_other_way(wide_first: bool) -> None:
    whole, parts = net(), net()
    learn(whole, Optimizer(whole, [], **OPTIONS), steps=6, most=1.0)
    layers = [[parts.first, parts.last], []]
    one, other = (Optimizer(parts, some, **OPTIONS) for some in (layers if wide_first else layers[::-1]))
    learn(parts, one, steps=3, most=1.0)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    learn(parts, other, steps=3, most=1.0, first=3)
    assert same(whole, parts, rtol=1e-9, atol=1e-12)


def test_a_model_is_left_as_it_was_even_after_an_error() -> None:
    model = net()
    optimizer = Optimizer(model, [model.first], **OPTIONS)
    with pytest.raises(ZeroDivisionError), optimizer.in_blocks():
        assert not model.first.weight.requires_grad
        raise ZeroDivisionError
    assert model.first.weight.requires_grad
    assert not model.first._forward_hooks
    model(torch.ones(2, 30, dtype=torch.float64)).backward()
    assert model.first.weight.grad is not None


def test_forgotten_gradients_teach_nothing() -> None:
    model = net()
    optimizer = Optimizer(model, [model.first], **OPTIONS)
    with optimizer.in_blocks():
        model(torch.ones(2, 30, dtype=torch.float64)).backward()
    optimizer.zero_grad()
    optimizer.step()
    assert same(model, net())


def test_looking_inside_teaches_nothing() -> None:
    model = net()
    optimizer = Optimizer(model, [model.first], **OPTIONS)
    with optimizer.in_blocks(), torch.no_grad():
        model(torch.ones(2, 30, dtype=torch.float64))
    optimizer.step()
    assert same(model, net())


def test_a_gradient_that_is_not_finite_stays_so() -> None:
    model = net()
    optimizer = Optimizer(model, [model.first], **OPTIONS)
    with optimizer.in_blocks():
        model(torch.full((2, 30), torch.inf, dtype=torch.float64)).backward()
    assert not optimizer.clip(1.0).isfinite()
    optimizer.step()
    assert not model.first.weight.isfinite().all()


# --- which layers ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "batch", "wide"),
    [
        ((2048, 2048), 16, True),
        ((2048, 2048), 256, False),
        ((1000, 1000), 1, False),
        ((100_000, 64), 16, False),
        ((100_000, 256), 16, True),
    ],
)
def test_a_layer_is_wide_where_its_norm_is_cheap(shape: tuple[int, int], batch: int, wide: bool) -> None:
    with torch.device("meta"):
        layer = nn.Linear(*shape)
    assert wide_layers(nn.Sequential(layer), batch) == ([layer] if wide else [])


def _frozen(layer: nn.Linear) -> None:
    layer.weight.requires_grad_(False)


def _without_bias(layer: nn.Linear) -> None:
    layer.bias = None  # type: ignore[assignment]


def _frozen_bias(layer: nn.Linear) -> None:
    layer.bias.requires_grad_(False)


@pytest.mark.parametrize("change", [_frozen, _without_bias, _frozen_bias])
def test_layers_that_do_not_learn_or_have_no_bias_are_left(change: Callable[[nn.Linear], None]) -> None:
    layer = nn.Linear(2048, 1024)
    assert wide_layers(layer, 4) == [layer]
    change(layer)
    assert wide_layers(layer, 4) == []


def test_half_precision_and_compiled_models_learn_as_before() -> None:
    layer, settings = nn.Linear(2048, 1024), Training(batch=4)
    cpu, half = Fabric(accelerator="cpu", devices=1), Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    assert make_optimizer(layer, settings, fabric=cpu).layers == [layer]
    assert make_optimizer(layer, settings, fabric=half).layers == []
    assert make_optimizer(layer, settings.model_copy(update={"compiled": True}), fabric=cpu).layers == []


# --- families --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dense", "conv-vae", "raw", "sequence", "mlp-steps", "gru", "vq", "spectra", "staged", "bounded"])
def test_every_family_gives_its_linear_layers_the_same_gradients(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing uses such a weight past its layer, where no block would hear of it."""
    monkeypatch.setattr(optimizers, "_BLOCK", 50_000)
    changes = ["model.together=true", "model.inner.layers.depth=2"] if name == "staged" else []
    config = load_preset(name, changes=changes)
    view = build_representation(config.representation, sample_rate=44_100, channels=1)
    models = []
    for blocked in (False, True):
        torch.manual_seed(0)
        model = build_model(config.model, representation=view, samples=22_050)
        batch = Batch(torch.rand(2, *image_shape(model, view, 22_050)), torch.full((2,), 22_050))
        layers = [layer for layer in model.modules() if type(layer) is nn.Linear and layer.bias is not None] if blocked else []
        optimizer = Optimizer(model, layers, lr=1.0, eps=1.0, weight_decay=0.0)  # by g / (|g| + 1): nearly as large as the gradient
        torch.manual_seed(1)
        with optimizer.in_blocks():
            sum(loss.sum() for loss in model(batch).values()).backward()  # type: ignore[union-attr]
        optimizer.clip(1e9)
        optimizer.step()
        models.append(model)
    for (key, one), other in zip(models[0].named_parameters(), models[1].parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4), key
