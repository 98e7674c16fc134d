"""The schedule of the KL, its place in the loop, and the figures of posterior collapse."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning_fabric import Fabric

from specs import feature_spec
from timbrespace.cli.report.info import figure_lines
from timbrespace.config.presets import load_preset
from timbrespace.config.schema import Kl, Training
from timbrespace.contracts import ConfigError
from timbrespace.model.clip.dense import Dense
from timbrespace.report.card import card_view
from timbrespace.training.collapse import Activity, activity
from timbrespace.training.data.sounds import InMemory
from timbrespace.training.history import History, best_check
from timbrespace.training.loop import fit_model
from timbrespace.training.losses import kl_ramp, scheduled, settled_step


def kl_of(losses: dict[str, torch.Tensor], kl: Kl, step: int = 0, steps: int = 100) -> torch.Tensor:
    return scheduled(losses, kl, step=step, steps=steps)["kl"]


def test_without_a_schedule_the_losses_do_not_change() -> None:
    losses = {"reconstruction": torch.tensor(2.0), "kl": torch.rand(3)}
    assert scheduled(losses, Kl(), step=0, steps=10) is losses
    assert Training().kl == Kl()
    plain = {"reconstruction": torch.tensor(2.0)}
    assert scheduled(plain, Kl(warm_up=0.5, capacity=3), step=0, steps=10) is plain
    assert settled_step(Kl(), steps=1_000) == 0


def test_warm_up_rises_linearly() -> None:
    kl = Kl(warm_up=0.5)
    assert [kl_ramp(kl, step=step, steps=100) for step in (0, 10, 25, 50, 99)] == [0, 0.2, 0.5, 1, 1]
    losses = {"kl": torch.tensor([1.0, 3.0])}
    assert kl_of(losses, kl, step=25).tolist() == [0.5, 1.5]
    assert settled_step(kl, steps=100) == 50


def test_every_cycle_starts_at_zero() -> None:
    kl = Kl(warm_up=0.5, cycles=4)
    assert [kl_ramp(kl, step=step, steps=80) for step in (0, 5, 10, 19, 20, 25, 60, 65, 70, 79)] == [0, 0.5, 1, 1, 0, 0.5, 0, 0.5, 1, 1]
    assert settled_step(kl, steps=80) == 70
    assert kl_ramp(Kl(cycles=3), step=1, steps=9) == 1
    assert settled_step(Kl(cycles=3), steps=9) == 0


def test_free_bits_have_no_gradient() -> None:
    nats = torch.tensor([0.1, 2.0], requires_grad=True)
    found = kl_of({"kl": nats}, Kl(free_bits=0.5))
    assert found.tolist() == pytest.approx([0.5, 2.0])
    found.sum().backward()
    assert nats.grad is not None
    assert nats.grad.tolist() == [0, 1]
    half = kl_of({"kl": nats}, Kl(free_bits=0.5, warm_up=1.0), step=50)
    assert half.tolist() == pytest.approx([0.25, 1.0])


def test_capacity_rises_and_is_approached_from_both_sides() -> None:
    nats = torch.tensor([1.0, 3.0], requires_grad=True)
    losses = {"kl": nats}
    kl = Kl(capacity=10)
    assert [kl_of(losses, kl, step=step).item() for step in (0, 20, 40, 80)] == pytest.approx([4, 2, 0, 4])
    assert [kl_of(losses, Kl(capacity=10, warm_up=0.4), step=step).item() for step in (20, 40, 99)] == pytest.approx([1, 6, 6])
    kl_of(losses, kl, step=80).backward()
    assert nats.grad is not None
    assert nats.grad.tolist() == [-1, -1]  # more is wanted
    assert settled_step(kl, steps=100) == 100
    assert settled_step(Kl(capacity=10, warm_up=0.4), steps=100) == 40


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("training.kl.warm_up=2", "training.kl.warm_up is 2, allowed are numbers from 0 to 1; the default is 0.0"),
        ("training.kl.cycles=0", "training.kl.cycles is 0"),
        ("training.kl.free_bits=-1", "training.kl.free_bits is -1"),
        ("training.kl.capacity=.inf", "training.kl.capacity is inf"),
        ("training.kl.beta=1", "training.kl.beta is not a setting; known here are warm_up, cycles, free_bits, capacity"),
        ("training.kl={free_bits: 1, capacity: 3}", "free_bits and capacity are both given; give one of them"),
        ("training.kl=3", "training.kl is 3"),
    ],
)
def test_impossible_settings_are_refused(change: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_preset(changes=[change])
    assert words in str(caught.value)


# --- in the loop ------------------------------------------------------------------------------------------------------------------


class NullCheckpoints:
    def save(self, name: str, state: dict[str, Any]) -> None:
        pass

    def load(self, name: str) -> None:
        return None


def lesson(**model: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    options: dict[str, Any] = {"dims": 6, "encoder": (16,), "decoder": (16,), "sigmoid": False, "likelihood": "squared"}
    built = Dense(feature_spec(1, 8, 3, samples=100), **options | model)
    values = 0.5 * (torch.randn(80, 3) @ torch.randn(3, 24)).unflatten(1, (1, 8, 3))
    sounds = InMemory(values, torch.full((80,), 100))
    return {
        "model": built, "sounds": sounds, "checked": torch.arange(80), "validation": sounds, "seed": 0,
        "fabric": Fabric(accelerator="cpu", devices=1), "checkpoints": NullCheckpoints(),
    }  # fmt: skip


def learned(settings: Training, *, steps: int = 200, **model: Any) -> tuple[Dense, History, Activity]:
    given = lesson(**model)
    history = fit_model(**given, settings=settings, steps=steps, check_every=20)
    return given["model"].eval(), history, activity(given["model"].eval(), given["sounds"], checked=torch.arange(80))


def settings(**kl: Any) -> Training:
    return Training(batch=32, learning_rate=1e-2, patience=1_000, weights={"kl": kl.pop("weight", 1.0)}, kl=Kl(**kl))  # type: ignore[arg-type]


def test_the_best_state_is_chosen_after_the_schedule_has_settled() -> None:
    history = History(step=[10, 20, 30, 40], train=[1, 2, 3, 4], validation=[1.0, 5.0, 4.0, 6.0])
    assert [best_check(history, first=first) for first in (0, 15, 35, 99)] == [0, 2, 3, 3]
    found = learned(settings(weight=5.0, warm_up=1.0), steps=300)
    # Errors grow with the weight; a best state of the first steps would be an autoencoder without a KL.
    assert found[1].validation[-1] > 1.2 * min(found[1].validation)
    errors = found[0].evaluate(lesson()["sounds"][torch.arange(80)]).errors
    assert errors.mean().item() == pytest.approx(found[1].validation[-1], rel=1e-4)


def test_patience_waits_for_the_schedule() -> None:
    impatient = settings(weight=5.0, warm_up=0.9).model_copy(update={"patience": 1})
    history = learned(impatient, steps=300)[1]
    assert history.step[-1] >= 270
    assert history.validation[-1] > 1.1 * min(history.validation)  # it rose long before, with the weight


# --- collapse -----------------------------------------------------------------------------------------------------------------------


def test_a_heavy_kl_collapses_and_free_bits_or_a_capacity_help() -> None:
    *_, dead = learned(settings(weight=300.0))
    assert dead.active == 0
    assert dead.collapsed
    assert dead.advice() is not None
    assert "6 of 6 dimensions are not used" in str(dead.advice())
    *_, free = learned(settings(weight=300.0, free_bits=1.0))
    *_, wanted = learned(settings(weight=300.0, capacity=6.0, warm_up=0.2))
    assert free.active >= 3
    assert sum(wanted.kl) == pytest.approx(6.0, abs=1.5)
    assert wanted.active >= 1
    assert all(value > 0.5 for value in free.kl)


def test_active_units_are_counted() -> None:
    given = lesson()
    model, sounds = given["model"].eval(), given["sounds"]
    with torch.no_grad():
        last = model.encoder[-1]
        last.weight[:6] = 0
        last.weight[:2, 0] = 1
        last.bias[:6] = 5.0  # far from 0, but the same for every sound
    found = activity(model, sounds, checked=torch.arange(80))
    means = model.posterior(sounds[torch.arange(80)]).mean
    assert found.variance == pytest.approx(means.var(0, correction=0).tolist(), abs=1e-5)
    assert found.active == 2
    assert found.collapsed
    card = found.card()
    assert card["active_units"] == 2
    assert card["kl_per_dimension"] == pytest.approx(model.evaluate(sounds[torch.arange(80)]).kl.tolist(), abs=1e-3)
    assert any("2 of 6 dimensions active" in line for line in figure_lines(card_view({"training": card})))


def test_an_autoencoder_without_noise_never_collapses() -> None:
    model = Dense(feature_spec(1, 2, 2, samples=9), dims=4, bottleneck="plain", encoder=(), decoder=())
    silence = InMemory(torch.zeros(3, 1, 2, 2), torch.full((3,), 9))
    found = activity(model, silence, checked=torch.arange(3))
    assert found.active == 0
    assert found.advice() is None
