"""`conditional`: a decoder that is told labels and figures beside the latent, and instruments that play what they are asked for."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from torch import Tensor

from shell import Shell
from specs import feature_spec
from timbrespace.cli.sounds.generate import _conditions
from timbrespace.config.build import build_representation, make_config, make_model
from timbrespace.config.presets import load_preset
from timbrespace.contracts import ConfigError, InstrumentFileError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.labels.descriptors import DESCRIPTORS, measure_descriptor
from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from timbrespace.model.base import Batch
from timbrespace.model.clip.base import ImageModel
from timbrespace.model.clip.dense import Dense
from timbrespace.model.conditioning.conditions import Conditions
from timbrespace.model.conditioning.labels import LabelConditioning, clip_values
from timbrespace.model.registry import MODELS
from timbrespace.model.wrappers.conditional import Conditional, Values
from timbrespace.representation.spec import FeatureSpec
from timbrespace.training.data import clip_dataset
from timbrespace.training.data.clip_dataset import ClipDataset
from timbrespace.training.data.conditions import with_conditions
from timbrespace.training.train import train
from tiny import RATE, Tiny, drum, quick_finish, write_drums

KINDS = ["hat", "kick", "snare"]
BOTH = {"category": KINDS, "brightness": [100.0, 10_000.0], "velocity": [0.0, 127.0]}


# --- conditions as numbers --------------------------------------------------------------------------------------------------


def test_labels_and_figures_as_numbers() -> None:
    numbers = Conditions(BOTH).entries(torch.tensor([[1.0, 1000.0, 127.0], [math.nan, math.nan, 0.0]]))
    wanted = [[0, 1, 0, 0.0, 1, 1.0, 1], [0, 0, 0, 0, 0, -1.0, 1]]  # 1000 Hz: half way in proportion
    assert numbers == pytest.approx(torch.tensor(wanted), abs=1e-6)


def test_what_is_asked_is_what_the_facts_of_such_a_sound_give() -> None:
    conditions = Conditions(BOTH)
    asked = conditions.asked({"category": "snare", "brightness": "3000", "velocity": 64})
    facts = torch.tensor([[2.0, 3000.0, 64.0]])
    assert [asked[place] for place in range(conditions.size)] == pytest.approx(conditions.entries(facts)[0].tolist())
    assert set(conditions.asked({"velocity": 5})) == {5, 6}


@given(st.lists(st.floats(-3, 3), min_size=7, max_size=7))
def test_settled_numbers_are_those_of_a_sound(drawn: list[float]) -> None:
    settled = Conditions(BOTH).settled(torch.tensor(drawn))
    label, figures = settled[:3], settled[3:].view(2, 2)
    assert sorted(label.tolist()) in ([0, 0, 1], [0, 0, 0])
    for place, known in figures.tolist():
        assert known in (0.0, 1.0)
        assert -1 <= place <= 1
        assert known or place == 0
    assert torch.equal(Conditions(BOTH).settled(settled), settled)


def test_a_share_is_forgotten_of_each_and_of_all() -> None:
    conditions = Conditions(BOTH)
    numbers = conditions.entries(torch.tensor([[0.0, 500.0, 100.0]])).expand(20_000, -1)
    torch.manual_seed(0)
    kept = conditions.dropped(numbers, share=0.2)
    known = torch.stack([kept[:, :3].sum(1), kept[:, 4], kept[:, 6]], 1) > 0
    assert known.float().mean(0) == pytest.approx(torch.full((3,), 0.64), abs=0.02)
    assert float((~known).all(1).float().mean()) == pytest.approx(0.2 + 0.8 * 0.2**3, abs=0.02)
    assert torch.equal(conditions.dropped(numbers, share=0.0), numbers)


def test_a_model_without_conditions_learns() -> None:
    conditions = Conditions({})
    assert conditions.dropped(torch.zeros(5, 0), share=0.5).shape == (5, 0)
    batch = Batch(torch.rand(4, 1, 24, 1), torch.full((4,), 4_096))
    model = small({})
    model.initialise(batch)
    assert all(torch.isfinite(loss).all() for loss in model(batch).values())
    assert model.evaluate(batch).kl.shape == (model.dims,) == (3,)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"category": ["kick"]}, "two or more"),
        ({"category": ["kick", "kick"]}, "none twice"),
        ({"velocity": [3.0, 3.0]}, "two rising numbers"),
        ({"velocity": [1.0, 2.0, 3.0]}, "lowest and highest"),
        ({"brightness": [0.0, 3.0]}, "above 0"),
        ({"velocity": [-1e308, 1e308]}, "two rising numbers"),
    ],
)
def test_impossible_conditions_are_refused(settings: dict[str, list[str] | list[float]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Conditions(settings)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"colour": "red"}, "no condition 'colour'; this instrument has category: hat, kick, snare; brightness: 100 to 1e\\+04"),
        ({"category": "tuba"}, "'tuba', allowed is one of hat, kick, snare"),
        ({"category": 1.0}, "allowed is one of"),
        ({"velocity": "loud"}, "'loud', allowed are numbers from 0 to 127"),
        ({"velocity": math.nan}, "allowed are numbers"),
        ({"velocity": 1e9}, "allowed are numbers"),
        ({"brightness": -5.0}, "allowed are numbers"),
    ],
)
def test_what_cannot_be_played_is_refused(wanted: dict[str, str | float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Conditions(BOTH).asked(wanted)


# --- the model --------------------------------------------------------------------------------------------------------------


def small(conditions: dict[str, list[str] | list[float]], **inside: object) -> Conditional:
    """One part, one frame, 24 bands of a view that is no levels."""
    settings = inside or {"name": "dense", "dims": 3, "encoder": (48,), "decoder": (48,), "sigmoid": False, "likelihood": "sigma"}
    given = {"name": "conditional", "inner": settings, "conditions": conditions, "width": 48}
    return make_model(given, feature_spec(1, 24, 1, samples=4_096))


def learn(model: Conditional, batch: Batch, *, steps: int = 500) -> None:
    torch.manual_seed(0)
    rate = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):
        losses = model(batch)
        (losses["reconstruction"] + losses["kl"].sum()).backward()
        rate.step()
        rate.zero_grad()
    model.eval()


def bump(places: Tensor, width: float = 1.5) -> Tensor:
    """Images `(n, 1, 24, 1)` with one hump each, at a band."""
    return torch.exp(-0.5 * ((torch.arange(24) - places[:, None]) / width) ** 2)[:, None, :, None]


def test_the_class_that_is_told_is_played_whatever_the_latent() -> None:
    torch.manual_seed(1)
    kinds = torch.arange(600) % 3
    loud = 1 + 0.3 * torch.randn(600)
    images = bump(torch.tensor([4.0, 12.0, 20.0])[kinds]) * loud[:, None, None, None]
    batch = Batch(images, torch.full((600,), 4_096), conditions=kinds[:, None].float())
    model = small({"category": KINDS})
    learn(model, batch)
    with torch.no_grad():
        told = torch.eye(3).repeat(50, 1)
        z = torch.cat([torch.randn(150, 3), told], 1)
        peaks = model.decode(z).features[:, 0, :, 0].argmax(1)
        right = (peaks - torch.tensor([4, 12, 20]).repeat(50)).abs() <= 1
        untold = model.decode(torch.cat([torch.randn(150, 3), torch.zeros(150, 3)], 1)).features[:, 0, :, 0].argmax(1)
        found = model.evaluate(batch)
        guessed = model.with_likely_labels(images, batch.lengths, model.conditions.unknown(600))
    assert float(right.float().mean()) > 0.85
    assert len({int(peak) for peak in untold if peak in (4, 12, 20)}) >= 2, "told nothing, it still plays more than one class"
    assert float((guessed[:, 0] == kinds).float().mean()) > 0.95
    assert found.kl.shape == (6,)
    assert found.kl[3:].tolist() == [0, 0, 0]


def test_a_figure_between_those_learned_is_met() -> None:
    torch.manual_seed(1)
    places = torch.cat([torch.linspace(3, 10.4, 300), torch.linspace(11.6, 20, 300)])  # nothing about 11
    batch = Batch(bump(places, 2.5), torch.full((600,), 4_096), conditions=places[:, None])
    model = small({"place": [3.0, 20.0]})
    learn(model, batch, steps=600)
    wanted = torch.tensor([5.0, 11.0, 17.0])
    with torch.no_grad():
        z = torch.cat([torch.zeros(3, 3), model.conditions.entries(wanted[:, None])], 1)
        images = model.decode(z).features[:, 0, :, 0].clamp_min(0)
    found = (images * torch.arange(24)).sum(1) / images.sum(1)
    assert found == pytest.approx(wanted, abs=0.8)


def test_latents_hold_what_is_known_for_certain() -> None:
    model = small({"category": KINDS, "velocity": [0.0, 127.0]})
    batch = Batch(torch.rand(2, 1, 24, 1), torch.full((2,), 4_096), conditions=torch.tensor([[2.0, 127.0], [math.nan, math.nan]]))
    mean, log_variance = model.posterior(batch)
    assert (model.dims, model.inferred_dims, model.conditioning.size) == (8, 3, 5)
    assert mean[:, 3:].tolist() == [[0, 0, 1, 1, 1], [0, 0, 0, 0, 0]]
    assert torch.isneginf(log_variance[:, 3:]).all()
    assert torch.equal(mean[:, 3:], model.project(mean)[:, 3:])
    assert model.encode(torch.rand(2, 1, 24, 1), batch.lengths).mean[:, 3:].eq(0).all()


def test_a_model_that_learns_in_its_own_way_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.inner\.name is 'vq', which has losses of its own"):
        small({"category": KINDS}, name="vq", patch=1, prior=4, width=4)
    plain = [name for name, family in MODELS.items() if issubclass(family, ImageModel) and family.forward is ImageModel.forward]
    assert "dense" in plain
    for name in ("vq", "oneshot"):
        with pytest.raises(ConfigError, match=f"model.inner.name is '{name}', allowed are {', '.join(plain)}$"):
            make_config({"representation": {"name": "bands"}, "model": {"name": "conditional", "conditions": [], "inner": {"name": name}}})


class Labelled(Dense):
    """A family with conditions of its own."""

    def __init__(self, spec: FeatureSpec, *, dims: int = 3, conditions: Annotated[list[str] | dict[str, Values], Field()] = {}):  # noqa: B006
        super().__init__(spec, dims=dims, encoder=(4,), decoder=(4,))
        self.conditioning = LabelConditioning(Conditions(conditions if isinstance(conditions, dict) else {"velocity": [0.0, 127.0]}))


def test_a_model_with_conditions_of_its_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "labelled", Labelled)

    def labelled(own: object) -> None:
        inner = {"name": "labelled", "conditions": own}
        make_model({"name": "conditional", "inner": inner, "conditions": {"category": KINDS}}, feature_spec(1, 24, 1, samples=4_096))

    for own in (["category"], {"category": KINDS}):
        with pytest.raises(ConfigError, match=r"model\.inner\.conditions are given to 'labelled'"):
            labelled(own)
    with pytest.raises(ConfigError, match=r"model\.inner\.name is 'labelled', which has conditions of its own \(velocity\)"):
        labelled([])


# --- from sounds to sounds --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Forty synthetic drums of a quarter second, in folders of their kind."""
    folder = tmp_path_factory.mktemp("conditional")
    prepare(write_drums(folder / "sounds", 40), folder / "corpus")
    return Corpus.open(folder / "corpus")


SMALL = (
    "representation.bands=32", "model.inner.encoder=[16]", "model.inner.decoder=[16]", "model.inner.dims=4", "training.batch=8",
    "training.variations=1", "training.fewest_variations=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def instrument(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Instrument:
    with pytest.MonkeyPatch.context() as patch:
        quick_finish(patch, sounds=2)
        path = tmp_path_factory.mktemp("told") / "x.safetensors"
        train(corpus, path, preset="conditional", epochs=4, device="cpu", changes=SMALL)
        return Instrument.load(path)


def test_labels_and_ranges_are_looked_up_in_the_training_clips(corpus: Corpus) -> None:
    clips = corpus.indices("train")
    config = with_conditions(load_preset("conditional"), corpus, clips)
    found = config.model["conditions"]
    kinds = [corpus.clips[i].category for i in clips]
    assert found["category"] == sorted({kind for kind in kinds if kind is not None and kinds.count(kind) >= 3})
    low, high = found["brightness"]
    assert 20 < low < high < RATE / 2
    assert "instrument" not in found, "nothing is known of it here"
    assert with_conditions(config, corpus, clips) == config
    model = small(found)
    facts = model.conditioning.of_clips(corpus, clips)
    assert facts is not None
    names = list(found)
    assert facts.shape == (len(clips), len(names))
    column = facts[:, names.index("brightness")]
    assert float(column[3]) == pytest.approx(measure_descriptor("brightness", corpus.audio(clips[3]), RATE))
    for kind, fact in zip(kinds, facts[:, names.index("category")].tolist(), strict=True):
        assert math.isnan(fact) if kind not in found["category"] else found["category"][int(fact)] == kind


def test_variations_are_told_what_they_sound_like(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = corpus.indices("train")
    config = load_preset("conditional", changes=["training.augmentation.tilt={chance: 1}"])
    config = with_conditions(config, corpus, clips)
    model = small(config.model["conditions"])
    names = list(config.model["conditions"])
    bright, rows = names.index("brightness"), 3 * len(clips)
    view = build_representation(config.representation, sample_rate=RATE, channels=1)

    def encoder() -> ClipDataset:
        known = model.conditioning.of_clips(corpus, clips)
        return ClipDataset(corpus, clips, view, model, samples=200_000, seed=0, augmentation=config.training.augmentation, conditions=known)

    one = encoder()
    one.keep_measured(tmp_path, rows)
    facts = one.row_conditions(rows)
    assert facts is not None
    for row in (0, len(clips) - 1, len(clips), len(clips) + 5, rows - 1):
        assert float(facts[row, bright]) == pytest.approx(measure_descriptor("brightness", one.audio(row), RATE), rel=1e-3)
    again = facts[:, bright].reshape(3, -1)
    assert float((again[1] / again[0]).log().abs().mean()) > 0.05, "variations are brighter or darker than their clips"
    kinds = facts[:, names.index("category")].nan_to_num(-1).reshape(3, -1)
    assert torch.equal(kinds[1], kinds[0])

    monkeypatch.setattr(clip_dataset, "measure_descriptor", lambda *_: pytest.fail("what is stored is not measured again"))
    other = encoder()
    other.keep_measured(tmp_path, rows)
    torch.testing.assert_close(other.row_conditions(rows), facts, equal_nan=True)


def test_figures_are_measured_as_they_are_told() -> None:
    tone = torch.sin(2 * math.pi * 1000 * torch.arange(RATE) / RATE)[None]
    assert measure_descriptor("brightness", tone, RATE) == pytest.approx(1000, rel=0.01)
    assert measure_descriptor("seconds", tone, RATE) == 1.0
    assert all(measure_descriptor(name, tone, RATE) is not None for name in DESCRIPTORS)


def test_conditions_that_nobody_knows_are_refused(corpus: Corpus) -> None:
    config = load_preset("conditional", changes=("model.conditions=[instrument, planet]",))
    with pytest.raises(ConfigError, match=r"instrument, planet, and these sounds differ in none .* known here are category.*brightness"):
        with_conditions(config, corpus, corpus.indices("train"))
    assert clip_values(corpus, [0, 1], ["planet"]) == {"planet": [None, None]}


def test_what_is_asked_for_is_in_the_latent_and_in_the_recipe(instrument: Instrument) -> None:
    free = instrument.model.conditioning.size
    assert any(line.startswith("category: ") for line in instrument.conditions)
    sounds = instrument.generate(3, seed=2, conditions={"category": "snare", "brightness": 2000})
    model = instrument.model
    assert isinstance(model, Conditional)
    wanted = {
        model.inferred_dims + place: value for place, value in model.conditions.asked({"category": "snare", "brightness": 2000}).items()
    }
    for sound in sounds:
        assert sound.latent is not None
        assert {place: float(sound.latent[place]) for place in wanted} == pytest.approx(wanted)
        assert sound.category == "snare"
        assert sound.recipe["asked"]["conditions"] == {"category": "snare", "brightness": 2000}
        assert torch.equal(instrument.replay(sound.recipe).audio, sound.audio)
    asked = instrument.generate(3, seed=2, category="snare")
    assert all(model.conditions.settled(one.latent[-free:]).equal(one.latent[-free:]) for one in asked if one.latent is not None)
    near = instrument.generate(2, seed=1, near=drum(0), conditions={"category": "kick"})
    assert all(one.latent is not None and one.latent[model.inferred_dims + _place(model, "kick")] == 1 for one in near)


def _place(model: Conditional, kind: str) -> int:
    condition = model.conditions.all[0]
    return condition.labels.index(kind)


def test_neighbours_keep_what_is_heard_and_copies_have_their_length(instrument: Instrument) -> None:
    sound = drum(3)
    encoded = instrument.encode(sound)
    for varied in instrument.vary(sound, 3, amount=0.5):
        assert varied.latent is not None
        assert torch.equal(varied.latent[-instrument.model.conditioning.size :], encoded.z[-instrument.model.conditioning.size :])
    assert instrument.reconstruct(sound).shape == sound.shape


def test_conditions_in_the_latent_do_not_count_as_active_units(instrument: Instrument) -> None:
    assert len(instrument.card["training"]["kl_per_dimension"]) == instrument.dims - instrument.model.conditioning.size == 4


def test_conditions_on_the_command_line(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    assert _conditions(["category=kick", " brightness = 3000 "]) == {"category": "kick", "brightness": "3000"}
    words = ["generate", tiny.file, "-n", 1, "--out", tmp_path / "new"]
    assert "is not NAME=VALUE; for instance category=kick" in shell(*words, "--condition", "category", code=2)
    assert "is given twice" in shell(*words, "--condition", "a=1", "--condition", "a=2", code=2)
    assert "takes none; train one with --preset conditional" in shell(*words, "--condition", "category=kick", code=2)
    assert not (tmp_path / "new").exists()


def test_instruments_without_conditions_say_so(tiny: Tiny) -> None:
    plain = Instrument.load(tiny.file)
    assert plain.conditions == []
    with pytest.raises(ConfigError, match="takes none; train one with --preset conditional"):
        plain.generate(1, conditions={"category": "kick"})


def test_a_changed_file_is_refused(instrument: Instrument, tmp_path: Path) -> None:
    contents = instrument.contents
    model = contents.settings["model"] | {"conditions": {"category": ["a", "b"]}}
    Instrument(replace(contents, settings=contents.settings | {"model": model})).save(tmp_path / "y.safetensors")
    with pytest.raises(InstrumentFileError, match="do not fit its settings"):
        Instrument.load(tmp_path / "y.safetensors")
