"""Staged training: an outer model first, an inner one on its frozen codes; one run, one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from specs import feature_spec
from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.config.presets import load_preset
from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from timbrespace.model.base import Batch
from timbrespace.model.clip.dense import Dense
from timbrespace.model.parts.layers import interpolated
from timbrespace.model.parts.pca import principal
from timbrespace.model.parts.pca_init import room
from timbrespace.model.wrappers.staged import Staged
from timbrespace.representation.spec import FeatureSpec
from timbrespace.training import stages
from timbrespace.training import train as training
from timbrespace.training.callbacks import Progress, TrainingCallbacks
from timbrespace.training.data.codes import code_statistics
from timbrespace.training.data.sounds import InMemory
from timbrespace.training.workspace import Plan, Workspace
from tiny import assert_same_tensors, interrupt_at, quick_finish, tensors_of, write_drums

OUTER = {"name": "dense", "dims": 12, "encoder": [24], "decoder": [24], "sigmoid": False}
INNER = {"name": "dense", "dims": 3, "layers": {"depth": 1, "ratio": 0.5}, "likelihood": "squared"}


def settings(model: Mapping[str, Any] | None = None, **more: Any) -> Config:
    """Samples in blocks: a view that takes no time, here and back."""
    learning = {"epochs": 16, "batch": 8, "variations": 1, "examples": 64, "weights": {"kl": 0.01}}
    return make_config({
        "representation": {"name": "waveform", "block": 256},
        "model": {"name": "staged", "outer": OUTER, "inner": INNER, **(model or {})},
        "training": learning | more,
    })  # fmt: skip


def staged(model: Mapping[str, Any] | None = None, *, samples: int = 4_096) -> Staged:
    representation = build_representation({"name": "waveform", "block": 256}, sample_rate=44_100, channels=1)
    built = build_model(settings(model).model, representation=representation, samples=samples)
    assert isinstance(built, Staged)
    return built


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("staged")
    prepare(write_drums(folder / "sounds", 12, seconds=0.1), folder / "corpus")
    return Corpus.open(folder / "corpus")


def learn(corpus: Corpus, out: Path, *, config: Config | None = None, **more: Any) -> Instrument:
    with pytest.MonkeyPatch.context() as patch:
        quick_finish(patch)
        patch.setattr("timbrespace.training.loop._SAVE_SECONDS", -1.0)
        return training.train(corpus, out, preset=config or settings(), device="cpu", **more)


@pytest.fixture(scope="module")
def whole(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "x.safetensors"
    learn(corpus, out)
    return out


# --- sizes ------------------------------------------------------------------------------------------------------------------------


def test_source_b_layers_are_depth_3_ratio_a_quarter() -> None:
    assert interpolated(6300, 7, 3, 0.25) == (1850, 1008, 443)
    assert interpolated(100, 20, 3, 1.0) == (80, 60, 40)
    assert interpolated(20, 100, 3, 1.0) == (40, 60, 80)
    assert interpolated(100, 1, 2, 2.0) == (89, 56)
    assert interpolated(100, 1, 0, 0.5) == ()
    assert interpolated(1, 1, 2, 0.5) == (1, 1)


def test_source_b_in_numbers() -> None:
    config = load_preset("staged")
    representation = build_representation(config.representation, sample_rate=44_100, channels=1)
    with torch.device("meta"):
        model = build_model(config.model, representation=representation, samples=82 * 1024)
    assert isinstance(model, Staged)
    outer, inner = (sum(p.numel() for p in part.parameters()) for part in (model.outer, model.inner))
    assert outer == 13_621
    assert model.outer.dims == 6_300
    assert model.dims == 7
    widths = (6_300, 1_850, 1_008, 443)
    there = sum(a * b + b for a, b in zip(widths, (*widths[1:], 14), strict=True))
    back = sum(a * b + b for a, b in zip((7, *widths[:0:-1]), widths[::-1], strict=True))
    assert inner == there + back
    assert outer + inner == 27_968_528  # the source prints 27.9 M


def test_too_many_parameters_are_refused_before_anything_is_made() -> None:
    small = staged()
    count = sum(p.numel() for p in small.parameters())
    assert staged({"max_parameters": count}).dims == 3
    with pytest.raises(ConfigError, match=rf"the two models have {count:,} parameters \(outer .*model.max_parameters is {count - 1:,}"):
        staged({"max_parameters": count - 1})
    huge = {"name": "dense", "dims": 2_048, "encoder": [65_536] * 16}  # more than any memory holds
    with pytest.raises(ConfigError, match=r"model\.max_parameters is 1,000"):
        staged({"outer": huge, "max_parameters": 1_000})


# --- settings -----------------------------------------------------------------------------------------------------------------------


def test_nested_settings_are_filled_in() -> None:
    model = settings().model
    assert model["outer"]["bottleneck"] == "plain"  # an autoencoder, unless asked for
    assert model["inner"]["bottleneck"] == "gaussian"
    assert model["inner"]["sigmoid"] is False
    assert settings({"inner": {"name": "dense", "sigmoid": True}}).model["inner"]["sigmoid"] is True
    again = settings().model_dump()
    assert make_config(again) == settings()
    assert make_config(json.loads(json.dumps(again))) == settings()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            {"outer": {"name": "dense", "dimz": 3}},
            "model.outer.dimz is not a setting (did you mean model.outer.dims?); known here are dims, encoder",
        ),
        ({"outer": {"name": "dense", "dims": 0}}, "model.outer.dims is 0"),
        ({"outer": {"name": "staged", "outer": OUTER, "inner": INNER}}, "model.outer.name is 'staged', allowed are dense"),
        ({"inner": {"name": "oneshot"}}, "model.inner.name is 'oneshot', allowed are dense"),
        ({"inner": {"name": "os.system"}}, "model.inner.name is 'os.system'"),
        ({"inner": {"name": ["dense"]}}, "model.inner.name is ['dense']"),
        ({"inner": {"name": None}}, "model.inner.name is None"),
        ({"inner": {}}, "model.inner.name is None"),
        ({"inner": {3: 4}}, "model.inner"),
        ({"inner": 3}, "model.inner is 3"),
        ({"inner": None}, "model.inner is None"),
        ({"inner": [INNER]}, "model.inner is"),
        ({"inner": {"name": "dense", "frames": 9}}, "model.inner.frames is not a setting"),
        ({"inner": {"name": "dense", "build": 9}}, "model.inner.build is not a setting"),
        (
            {"inner": {"name": "dense", "layers": {"depht": 3}}},
            "model.inner.layers.depht is not a setting (did you mean model.inner.layers.depth?); known here are depth, ratio",
        ),
        ({"inner": {"name": "dense", "layers": {"depth": 99}}}, "model.inner.layers.depth is 99"),
        ({"inner": {"name": "dense", "layers": {"ratio": 0}}}, "model.inner.layers.ratio is 0"),
        ({"inner": {"name": "dense", "layers": 3}}, "model.inner.layers is 3"),
        ({"outer_share": 1}, "model.outer_share is 1"),
        ({"max_parameters": 0}, "model.max_parameters is 0"),
        ({"max_parameters": "many"}, "model.max_parameters is 'many'"),
        ({"build": 3}, "model.build is not a setting"),
        ({"joint": "perhaps"}, "model.joint is 'perhaps'"),
    ],
)
def test_hostile_nested_settings_are_explained(model: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(model)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_both_models_must_be_given(tmp_path: Path) -> None:
    endless = tmp_path / "endless.yaml"
    endless.write_text("representation: {name: mel}\nmodel: &m {name: staged, outer: *m, inner: *m}\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        load_preset(endless)
    with pytest.raises(ConfigError, match=r"model\.outer is not given"):
        make_config({"representation": {"name": "mel"}, "model": {"name": "staged", "inner": INNER}})
    changed = load_preset("staged", changes=["model.outer.pad=short", "model.inner.dims=5"])
    assert changed.model["outer"]["pad"] == "short"
    assert changed.model["inner"]["dims"] == 5
    with pytest.raises(ConfigError, match=r"model\.outer\.kernels"):  # what only shows when it is built is named as well
        staged({"outer": {"name": "conv", "pad": "none"}}, samples=1_024)


# --- the model ----------------------------------------------------------------------------------------------------------------------


def test_stages_have_the_names_that_the_model_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    model, plan = staged(), Plan("", {}, 0, 4_096, 0, steps=3, check_every=1, inner_steps=5, inner_check_every=2)
    outer, inner = model.stages()
    monkeypatch.setattr(model, "stages", lambda: [outer._replace(name="grains"), inner._replace(name="order")])
    runs = stages.stages_of(model, settings().training, plan)
    assert [(run.name, run.checkpoint, run.steps) for run in runs] == [("grains", "grains.pt", 3), ("train", "order.pt", 5)]
    for refused in ([], [outer, inner, inner], [outer, outer], [inner], [outer, inner._replace(name="outer")]):
        monkeypatch.setattr(model, "stages", lambda refused=refused: refused)
        with pytest.raises(ConfigError, match="stages"):
            stages.stages_of(model, settings().training, plan)


def test_codes_are_brought_to_one_size_and_back() -> None:
    model = staged().eval()
    sounds = InMemory(torch.randn(300, 1, 256, 16), torch.full((300,), 4_096))
    with torch.no_grad():
        model.outer.encoder[-1].bias += 3.0
        model.outer.encoder[-1].weight[0] *= 50
        model.outer.encoder[-1].weight[1] *= 0  # a code that never moves
    model.set_codes(*code_statistics(model, sounds, device=torch.device("cpu")))
    batch = sounds[torch.arange(300)]
    with torch.no_grad():
        raw = model.outer.posterior(batch).mean
        codes = model.codes(batch).values[:, 0, :, 0]
        back = model.outer_latent(model.codes(batch).values)
    assert codes.mean(0).abs().max() < 1e-3
    assert float(codes.square().mean()) == pytest.approx(1.0, rel=1e-3)
    assert torch.allclose(codes.std(0) / codes.std(0)[0], raw.std(0) / raw.std(0)[0], atol=1e-4)  # weak ones stay weak
    assert float(codes.std(0)[1]) < 1e-3
    assert torch.allclose(back, raw, atol=1e-3)


def test_the_inner_model_begins_as_principal_components_of_the_codes() -> None:
    model = staged().eval()
    sounds = InMemory(torch.rand(300, 1, 256, 16), torch.full((300,), 4_096))
    batch = sounds[torch.arange(300)]
    model.initialise(batch)
    model.set_codes(*code_statistics(model, sounds, device=torch.device("cpu")))
    with torch.no_grad():
        codes = model.codes(batch)
    drawn = model.inner.evaluate(codes).errors.mean().item()
    model.inner.initialise(codes)
    begun = model.inner.evaluate(codes).errors.mean().item()
    values = codes.values[:, 0, :, 0]
    linear = principal(values, min(model.inner.dims, room(model.inner.encoder)))  # type: ignore[arg-type]
    best = 100 * float(((values - linear.mean) - (values - linear.mean) @ linear.basis.T @ linear.basis).square().mean(1).sqrt().mean())
    assert begun < drawn
    assert begun == pytest.approx(best, rel=0.02)


def test_there_and_back_goes_through_both() -> None:
    model = staged().eval()
    model.set_codes(torch.randn(1, 12, 1), torch.rand(1, 12, 1) + 0.5)
    batch = Batch(torch.randn(5, 1, 256, 16), torch.full((5,), 4_096))
    with torch.no_grad():
        found = model.encode(batch.values, batch.lengths)
        raw = model.outer.posterior(batch).mean
        inside = model.inner.posterior(Batch((raw - model.mean[0, :, 0])[:, None, :, None] / model.scale, batch.lengths))
        assert torch.allclose(found.mean, inside.mean, atol=1e-5)
        codes = model.inner.decode(found.mean).features * model.scale + model.mean
        decoded = model.decode(found.mean)
        assert torch.allclose(decoded.features, model.outer.decode(codes[:, 0, :, 0]).features, atol=1e-5)
        assert decoded.features.shape == batch.values.shape
        assert decoded.lengths.tolist() == [4_096] * 5
        error = 100 * (decoded.features - batch.values).flatten(1).square().mean(1).sqrt()
        assert torch.allclose(model.evaluate(batch).errors, error, rtol=1e-4)


def test_codes_may_move() -> None:
    class Moving(Dense):
        """A code a frame."""

        time_varying = True

        def __init__(self, spec: FeatureSpec, **rest: Any):
            super().__init__(replace(spec, frames=1), **rest)
            self.spec = spec

        def encode_raw(self, images: torch.Tensor) -> torch.Tensor:
            return self.encoder(images[:, 0].transpose(1, 2)).transpose(1, 2)

    def build(settings: Mapping[str, Any], spec: FeatureSpec) -> Any:
        return (Moving if settings["moving"] else Dense)(spec, dims=settings["dims"], encoder=(), decoder=(), bottleneck="plain")

    model = Staged(feature_spec(1, 8, 6, samples=60), outer={"moving": True, "dims": 5}, inner={"moving": False, "dims": 2}, build=build)
    batch = Batch(torch.randn(3, 1, 8, 6), torch.full((3,), 60))
    assert model.mean.shape == (1, 5, 6)
    assert not model.time_varying
    assert torch.equal(model.outer_latent(model.codes(batch).values), model.outer.posterior(batch).mean)
    assert model.posterior(batch).mean.shape == (3, 2)


def test_together_both_learn() -> None:
    model = staged({"joint": True})
    batch = Batch(torch.randn(4, 1, 256, 16), torch.full((4,), 4_096))
    losses = model(batch)
    assert losses["kl"].shape == (3,)
    (losses["reconstruction"] + losses["kl"].sum()).backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in model.parameters() if p.ndim > 1)


# --- training -----------------------------------------------------------------------------------------------------------------------


def test_every_verb_works_on_the_file(corpus: Corpus, whole: Path) -> None:
    instrument = Instrument.load(whole)
    assert instrument.dims == 3
    made = instrument.generate(2, seed=1)
    assert all(bool(sound.audio.isfinite().all()) for sound in made)
    sound = corpus.audio(0)
    assert instrument.reconstruct(sound).shape == sound.shape
    assert len(instrument.vary(sound, 2, seed=0)) == 2
    assert len(instrument.morph([sound, corpus.audio(1)], steps=3)) == 3
    facts = instrument.card["training"]
    assert facts["steps"] == facts["stages"]["outer"]["steps"] + facts["stages"]["inner"]["steps"]
    assert facts["unit"] == "%"
    assert len(facts["kl_per_dimension"]) == 3
    assert facts["curve"]["stage"][0] == 1
    assert facts["curve"]["stage"][-1] == 2
    assert facts["curve"]["step"] == sorted(facts["curve"]["step"])


def test_the_share_divides_the_epochs(corpus: Corpus, tmp_path: Path) -> None:
    seen: dict[str, int] = {}

    def watch(report: Progress) -> None:
        if report.total:
            seen[report.stage] = report.total
        if report.stage == "train":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(corpus, tmp_path / "x.safetensors", config=settings({"outer_share": 0.25}), callbacks=TrainingCallbacks(on_progress=watch))
    steps = 16 * seen["encode"] / 8
    assert seen["outer"] == round(0.25 * steps)
    assert seen["train"] == round(0.75 * steps)
    assert seen["codes"] == seen["encode"]


@pytest.mark.parametrize(("stage", "done"), [("outer", 10), ("codes", 1), ("train", 10)])
def test_resumed_equals_unbroken(stage: str, done: int, corpus: Corpus, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    with pytest.raises(KeyboardInterrupt):
        learn(corpus, out, callbacks=interrupt_at(stage, done))
    torch.rand(3)
    learn(corpus, out, resume=True)
    assert_same_tensors(out, whole)
    assert not (tmp_path / "x.training").exists()


def test_the_outer_model_stays_as_it_was(corpus: Corpus, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    with pytest.raises(KeyboardInterrupt):
        learn(corpus, out, callbacks=interrupt_at("train", 10))
    stored = Workspace(out).load("outer.pt")
    assert stored is not None
    after = {name.removeprefix("model.outer."): tensor for name, tensor in tensors_of(whole).items() if name.startswith("model.outer.")}
    assert after.keys() == stored["best_state"].keys()
    for name, tensor in after.items():
        assert torch.equal(tensor, stored["best_state"][name]), name
    fresh = staged(samples=4_410).inner.state_dict()
    assert not all(torch.equal(tensors_of(whole)[f"model.inner.{name}"], tensor) for name, tensor in fresh.items())


def test_together_is_one_stage_in_the_same_file(corpus: Corpus, tmp_path: Path) -> None:
    seen: list[str] = []
    out = tmp_path / "x.safetensors"
    instrument = learn(
        corpus,
        out,
        config=settings({"joint": True}, epochs=4),
        callbacks=TrainingCallbacks(on_progress=lambda report: seen.append(report.stage)),
    )
    assert "outer" not in seen
    assert "stages" not in instrument.card["training"]
    assert Instrument.load(out).generate(1)[0].audio.isfinite().all()
