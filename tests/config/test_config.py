"""Presets and settings: complete, limited, and read from YAML that may be hostile."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

import timbrespace
from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.config.presets import load_preset, presets
from timbrespace.config.schema import Training
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.training.losses import total
from timbrespace.training.options import TrainOptions
from tiny import SMALL, Tiny, fix_plan

BOMB = "description: x\na0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 12)
)


def yaml(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_goes_the_whole_way(name: str, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fix_plan(monkeypatch, variations=1)
    out = tmp_path / "it.safetensors"
    few = ("training.batch=8", "training.synthesised=1")  # three steps of the model as the preset has it
    trained = timbrespace.train(Corpus.open(tiny.corpus), out, preset=name, epochs=0.5, changes=few, device="cpu")
    loaded = timbrespace.load(out)
    sound, again = trained.generate(1, seed=4)[0], loaded.generate(1, seed=4)[0]
    assert torch.equal(sound.audio, again.audio)
    assert 0.8 < float(sound.audio.abs().max()) <= 1.0
    found = loaded.contents.settings["model"]
    preset = load_preset(name)
    model = preset.model
    decided = {key: None for key in ("notes", "velocity") if model.get(key) == "auto"}  # these drums have neither
    decided |= {name: found[name] for name in ("unit", "level") if name in model}
    decided |= {"conditions": found["conditions"]} if isinstance(model.get("conditions"), list) else {}
    assert found == model | decided
    assert preset.description  # it says what it is for


def test_a_preset_is_filled_in() -> None:
    config = load_preset()
    wanted: dict[str, object] = {"name": "bands", "n_fft": 1024, "hop": 256, "bands": 161, "floor": 80.0}
    wanted |= {"method": "pghi+raar", "iterations": 48, "refine": 0, "normalisation": "none"}
    assert config.representation == wanted
    assert config.model["name"] == "oneshot"
    assert config.model["dims"] == 32
    assert make_config(config.model_dump()) == config


def test_losses_and_weights_have_the_same_keys() -> None:
    weights = Training().weights.model_dump()
    assert total({key: torch.tensor(1.0) for key in ("reconstruction", "kl", "length")}, weights) > 0


def test_changes_are_set() -> None:
    config = load_preset(changes=["model.dims=16", "training.weights.kl=0.5", " training.batch = 8"], minutes=0.5)
    assert config.model["dims"] == 16
    assert config.training.weights.kl == 0.5
    assert config.training.weights.reconstruction == 1.0
    assert config.training.batch == 8
    assert config.training.minutes == 0.5
    assert load_preset(minutes=None).training.minutes == Training().minutes


def test_minutes_given_count_over_a_presets_epochs(tmp_path: Path) -> None:
    preset = yaml(tmp_path, "representation: {name: mel}\nmodel: {name: dense}\ntraining: {epochs: 250, minutes: 9}\n")
    assert load_preset(preset).training.epochs == 250
    asked = load_preset(preset, minutes=0.5).training
    assert (asked.minutes, asked.epochs) == (0.5, None)
    assert load_preset(preset, epochs=3).training.epochs == 3
    by_hand = TrainOptions(preset=load_preset(preset), minutes=0.5).config().training
    assert (by_hand.minutes, by_hand.epochs) == (0.5, None)
    assert TrainOptions(preset=load_preset(preset)).config().training.epochs == 250


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("model.dimz=16", ("model.dimz is not a setting", "dims", "coefficients")),
        ("representation.nfft=16", ("representation.nfft is not a setting", "n_fft", "hop")),
        ("training.minits=1", ("training.minits is not a setting", "minutes", "patience")),
        ("training.weights.kll=1", ("training.weights.kll is not a setting", "reconstruction, kl, length")),
        ("speed=1", ("speed is not a setting", "representation, model, training")),
        ("model.frames=9", ("model.frames is not a setting",)),
        ("representation.sample_rate=9", ("representation.sample_rate is not a setting",)),
        ("model.name=gan", ("model.name is 'gan', allowed are oneshot",)),
        ("model.name=[oneshot]", ("model.name is ['oneshot'], allowed are",)),
        ("representation.name=os.system", ("allowed are bands",)),
        ("model.dims=0", ("model.dims is 0", "whole numbers from 1 to 512")),
        ("model.dims=many", ("model.dims is 'many'", "whole numbers")),
        ("model.dims=1.5", ("model.dims is 1.5",)),
        ("model.dims=", ("model.dims is None",)),
        ("model.dims={a: 1}", ("model.dims is",)),
        ("training.minutes=.inf", ("training.minutes is inf",)),
        ("training.minutes=.nan", ("training.minutes is nan",)),
        ("training.minutes=-1", ("training.minutes is -1",)),
        ("training.weights.kl=-1", ("training.weights.kl is -1",)),
        ("training=3", ("training is 3",)),
        ("training.minutes.deep=3", ("training.minutes",)),
        ("description.deep=3", ("description holds a value, not a group",)),
        ("model.dims", ("is not key=value",)),
        ("=3", ("is not key=value",)),
        ("", ("is not key=value",)),
        ("model.dims=[", ("is not valid YAML",)),
        ("model.dims=2024-99-99", ("is not valid YAML",)),
        ("model.dims=!!python/object/apply:os.system ['true']", ("is not valid YAML",)),
        ("model.dims=" + "[" * 4000, ("is not valid YAML",)),
        ("model.dims=" + "9" * 5000, ("model.dims",)),
    ],
)
def test_wrong_changes_are_explained(change: str, words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_preset(changes=[change])
    for word in words:
        assert word in str(caught.value)
    assert len(str(caught.value)) < 6000


def test_unknown_presets_list_the_known() -> None:
    for name in ("oneshots", "../oneshot", "presets/oneshot", "", "/etc/passwd"):
        with pytest.raises(ConfigError, match=r"there are .*oneshot"):
            load_preset(name)
    with pytest.raises(ConfigError, match="does not exist"):
        load_preset("missing.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just text",
        "- a\n- b",
        "3",
        "a: [",
        "model: {name: oneshot}",
        "representation: {name: bands}\nmodel: 3",
        "representation: null\nmodel: null",
        "1: 2",
        "? {a: b}\n: c",
        "model: !!python/object/apply:os.system ['touch hacked']",
        "model: !!python/name:os.system",
        "model: !!python/object/new:pathlib.Path [x]",
        "a: 2024-99-99",
        "a: " + "9" * 5000,
        "a: &a [*a]",
        "model: &m {name: oneshot, more: *m}\nrepresentation: {name: bands}",
        "a: *missing",
        "<<: 3",
        b"\xff\xfe\x00a",
        b"\x00",
        "[" * 5000,
        "{a: " * 3000,
        "model: {name: bands}\nrepresentation: {name: oneshot}",
        "representation: {name: bands, __class__: 3}\nmodel: {name: oneshot}",
    ],
)
def test_hostile_yaml_is_refused(text: str | bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_preset(yaml(tmp_path, text))
    assert not (tmp_path / "hacked").exists()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "more",
    [
        "model: {name: oneshot}\nrepresentation: {name: bands}",
        "model: {name: *a11}\nrepresentation: {name: bands}",
        "model: {name: oneshot, dims: *a11}\nrepresentation: {name: bands}",
        "model: *a11\nrepresentation: {name: bands}",
    ],
)
def test_yaml_that_grows_is_refused_at_once(more: str, tmp_path: Path) -> None:
    started = time.process_time()
    with pytest.raises(ConfigError):
        load_preset(yaml(tmp_path, BOMB + more))
    assert time.process_time() - started < 2


def test_a_file_in_place_of_a_name(tmp_path: Path) -> None:
    path = yaml(tmp_path, "representation: {name: bands, bands: 40}\nmodel: {name: oneshot, dims: 3}\n")
    assert load_preset(path).representation["bands"] == 40
    assert load_preset(str(path)).model["dims"] == 3
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_preset(tmp_path / "folder.yaml")


def test_configs_are_frozen() -> None:
    config = load_preset()
    with pytest.raises(ValueError, match="frozen"):
        config.training.batch = 3  # type: ignore[misc]


def test_building_takes_the_settings() -> None:
    config = load_preset(changes=SMALL)
    representation = build_representation(config.representation, sample_rate=44_100, channels=2)
    model = build_model(config.model, representation=representation, samples=10_000)
    assert model.dims == 6
    assert representation.parts == 2
    with pytest.raises(ConfigError, match="hop is 300"):
        build_representation({**config.representation, "hop": 300}, sample_rate=44_100, channels=1)
    with pytest.raises(ConfigError, match="coefficients is 40"):
        small = build_representation({"name": "bands", "bands": 8, "n_fft": 64, "hop": 32}, sample_rate=44_100, channels=1)
        build_model({**config.model, "steps": 2, "attack": 1}, representation=small, samples=40)


@pytest.mark.parametrize("change", ["training.learning_rate=0,3", "model.dims=1,5", "training.kl=-0,3e-4"])
def test_a_decimal_comma_is_refused_with_the_number_as_it_is_written(change: str) -> None:
    with pytest.raises(ConfigError, match="decimal comma"):
        load_preset("oneshot", changes=[change])


@pytest.mark.parametrize(
    ("change", "preset", "words"),
    [
        ("attack=2", "oneshot", "attack is not a setting (did you mean model.attack?); known here are description"),
        ("dims=3", "oneshot", "did you mean model.dims?"),
        ("modle.dims=3", "oneshot", "modle.dims is not a setting (did you mean model.dims?)"),
        ("model.dimz=3", "oneshot", "did you mean model.dims?"),
        ("model.learning_rate=0.1", "oneshot", "did you mean training.learning_rate?"),
        ("training.kl_weight=0.1", "oneshot", "training.kl_weight is not a setting"),
        ("codes=3", "vq", "did you mean model.codebook_size?"),
        ("free_bits=1", "oneshot", "did you mean training.kl.free_bits?"),
        ("model.codebook_size=3", "oneshot", "is not a setting of this preset (model.codebook_size is one of the model vq)"),
    ],
)
def test_an_unknown_key_suggests_the_one_meant(change: str, preset: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_preset(preset, changes=[change])
    assert words in str(raised.value)
