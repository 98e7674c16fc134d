"""An outer model that was trained before: it never changes, only the inner one learns, and what does not fit it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from shell import Shell
from timbrespace.config.build import make_config
from timbrespace.config.presets import load_preset
from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError, InstrumentFileError, OutputExistsError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from timbrespace.model.wrappers.staged import Staged
from timbrespace.training import train as training
from timbrespace.training.callbacks import Progress, TrainingCallbacks
from timbrespace.training.data.outer import load_outer
from timbrespace.training.options import TrainOptions
from tiny import assert_same_tensors, interrupt_at, quick_finish, tensors_of, write_drums

VIEW = {"name": "waveform", "block": 256, "normalisation": "standard"}
OUTER = {"name": "dense", "dims": 12, "encoder": [24], "decoder": [24], "sigmoid": False, "bottleneck": "plain"}
INNER = {"name": "dense", "dims": 3, "layers": {"depth": 1, "ratio": 0.5}, "likelihood": "squared"}
LEARNING = {"batch": 8, "variations": 1, "examples": 64, "weights": {"kl": 0.01}}


def staged(*, epochs: float = 8, outer: Mapping[str, Any] = OUTER, **model: Any) -> Config:
    layers = {"name": "staged", "outer": outer, "inner": INNER, **model}
    return make_config({"representation": VIEW, "model": layers, "training": LEARNING | {"epochs": epochs}})


def learn(corpus: Corpus, out: Path, config: Config | str | Path, **more: Any) -> Instrument:
    with pytest.MonkeyPatch.context() as patch:
        quick_finish(patch)
        patch.setattr("timbrespace.training.loop._SAVE_SECONDS", -1.0)
        return training.train(corpus, out, preset=config, device="cpu", **more)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("outer")
    prepare(write_drums(folder / "sounds", 12, seconds=0.1), folder / "corpus")
    return Corpus.open(folder / "corpus")


@pytest.fixture(scope="module")
def outer(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instrument of the outer model alone, source B's step 2."""
    out = tmp_path_factory.mktemp("outer") / "outer.safetensors"
    learn(corpus, out, make_config({"representation": VIEW, "model": OUTER, "training": LEARNING | {"epochs": 8}}))
    return out


@pytest.fixture(scope="module")
def second(corpus: Corpus, outer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The instrument with an inner model on the codes, source B's step 4."""
    out = tmp_path_factory.mktemp("second") / "x.safetensors"
    learn(corpus, out, staged(), outer=outer)
    return out


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A preset of the user's that names the inner model only."""
    path = tmp_path_factory.mktemp("preset") / "inner.yaml"
    inner = "{name: dense, dims: 3, encoder: [8], decoder: [8], likelihood: squared}"
    path.write_text(f"model: {{name: staged, inner: {inner}}}\ntraining: {{batch: 8, variations: 1, examples: 64, epochs: 1}}\n")
    return path


# --- the result -------------------------------------------------------------------------------------------------------------------


def test_two_trainings_give_the_instrument_of_one_staged_training(corpus: Corpus, second: Path, tmp_path: Path) -> None:
    """The same seed and steps: outer model, codes, inner model, density and map are equal to the bit."""
    learn(corpus, tmp_path / "one.safetensors", staged(epochs=16))
    assert_same_tensors(tmp_path / "one.safetensors", second)


def test_the_outer_model_does_not_change(corpus: Corpus, outer: Path, preset: Path, tmp_path: Path) -> None:
    """Neither its weights nor the normalisation, also on other sounds than it was trained on."""
    before = tensors_of(outer)
    prepare(write_drums(tmp_path / "sounds", 9, seconds=0.1, seed=5), tmp_path / "other")
    made = learn(Corpus.open(tmp_path / "other"), tmp_path / "x.safetensors", preset, outer=outer)
    after = tensors_of(tmp_path / "x.safetensors")
    kept = {f"model.outer.{name.removeprefix('model.')}" if name.startswith("model.") else name: before[name] for name in before}
    fixed = [name for name in kept if name.startswith(("model.outer.", "normalisation."))]
    assert len(fixed) > 6
    for name in fixed:
        assert torch.equal(after[name], kept[name]), name
    assert tensors_of(outer).keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in tensors_of(outer).items())
    assert made.contents.settings["representation"] == Instrument.load(outer).contents.settings["representation"]


def test_the_file_opens_as_any_staged_one(corpus: Corpus, second: Path) -> None:
    instrument = Instrument.load(second)
    assert isinstance(instrument.model, Staged)
    assert all(bool(sound.audio.isfinite().all()) for sound in instrument.generate(2, seed=1))
    facts = instrument.card["training"]
    first, then = facts["stages"]["outer"], facts["stages"]["inner"]
    assert first["trained_before"]
    assert first["file"] == "outer.safetensors"
    assert first["validation_error"] <= facts["validation_error"]  # the inner model cannot be nearer to the sounds than the outer one
    assert facts["steps"] == then["steps"] == facts["steps_planned"]
    assert "stage" not in facts["curve"]


def test_a_staged_instrument_gives_its_outer_model(corpus: Corpus, outer: Path, second: Path, tmp_path: Path) -> None:
    assert load_outer(second).checksum == load_outer(outer).checksum
    learn(corpus, tmp_path / "x.safetensors", staged(), outer=second)
    assert_same_tensors(tmp_path / "x.safetensors", second)


def test_only_the_inner_model_is_trained(corpus: Corpus, outer: Path, preset: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    def note(progress: Progress) -> None:
        seen.append(progress.stage)
        assert progress.unit != "dB" or progress.stage not in ("train", "finish")

    learn(corpus, tmp_path / "x.safetensors", preset, outer=outer, callbacks=TrainingCallbacks(on_progress=note))
    assert list(dict.fromkeys(seen)) == ["encode", "weights", "codes", "train", "finish"]  # no "outer"


@pytest.mark.parametrize(("stage", "done"), [("codes", 1), ("train", 10)])
def test_resumed_equals_unbroken(stage: str, done: int, corpus: Corpus, outer: Path, second: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    with pytest.raises(KeyboardInterrupt):
        learn(corpus, out, staged(), outer=outer, callbacks=interrupt_at(stage, done))
    with pytest.raises(ConfigError, match=r"the outer model \(checksum\) of the run .* is .*, not None; resume with the same"):
        learn(corpus, out, staged(), resume=True)
    torch.rand(3)
    learn(corpus, out, staged(), outer=outer, resume=True)
    assert_same_tensors(out, second)
    assert not (tmp_path / "x.training").exists()


def test_minutes_are_for_the_inner_model(corpus: Corpus, outer: Path, preset: Path, tmp_path: Path) -> None:
    made = learn(corpus, tmp_path / "x.safetensors", preset, outer=outer, minutes=0.02)
    assert made.card["training"]["stages"]["inner"]["steps_planned"] >= 20
    assert made.card["training"]["minutes_asked"] == 0.02


# --- settings ---------------------------------------------------------------------------------------------------------------------


def test_a_shipped_preset_takes_representation_and_outer_model_of_the_file(outer: Path) -> None:
    config = TrainOptions(preset="staged", outer=outer, changes=("model.inner.dims=5",)).config()
    file = Instrument.load(outer)
    assert config.representation == file.contents.settings["representation"]
    assert config.model["outer"] == file.contents.settings["model"]
    assert config.model["inner"]["dims"] == 5
    assert config.training.seconds == file.contents.samples / file.sample_rate
    assert config.training.learning_rate == load_preset("staged").training.learning_rate
    again = TrainOptions(preset=config, outer=outer).config()
    assert again == config
    same = TrainOptions(preset="staged", outer=outer, changes=("representation.block=256", "model.outer.dims=12"))  # what it is anyway
    assert same.config().model["outer"] == config.model["outer"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"changes": ["representation.block=512"]}, r"representation\.block is 256, not 512; leave these settings out"),
        ({"changes": ["representation.name=mel"]}, r"representation\.name is 'waveform', not 'mel'"),
        ({"changes": ["representation.normalisation=none"]}, r"representation\.normalisation is 'standard', not 'none'"),
        ({"changes": ["model.outer.dims=13"]}, r"model\.outer\.dims is 12, not 13"),
        ({"changes": ["model.outer.name=conv"]}, r"model\.outer\.name is 'dense', not 'conv'"),
        ({"changes": ["model.outer.dimz=13"]}, r"model\.outer\.dimz is not a setting \(did you mean model\.outer\.dims"),
        ({"changes": ["model.outer_share=0.3"]}, r"'model.outer_share=0.3' has no effect: the outer model outer.safetensors is trained"),
        ({"changes": ["model.joint=true"]}, r"model\.joint is true"),
        ({"changes": ["training.seconds=0.05"]}, r"training\.seconds is 0\.05, and the outer model .* is for clips of up to 0\.1 s"),
        ({"preset": "dense"}, r"for a model in two stages, and model\.name is 'dense'; allowed is staged"),
        ({"preset": "oneshot"}, r"for a model in two stages"),
        ({"preset": staged(outer=OUTER | {"dims": 9})}, r"model\.outer\.dims is 12, not 9"),
    ],
)
def test_what_contradicts_the_file_is_refused(options: dict[str, Any], words: str, corpus: Corpus, outer: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        learn(corpus, tmp_path / "x.safetensors", **({"config": options.pop("preset", "staged")} | options), outer=outer, epochs=1)
    assert not list(tmp_path.iterdir())


def test_a_preset_of_ones_own_must_agree(corpus: Corpus, outer: Path, preset: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("representation: {name: mel}\n" + preset.read_text())
    with pytest.raises(ConfigError, match=r"representation\.name is 'waveform', not 'mel'"):
        learn(corpus, tmp_path / "x.safetensors", wrong, outer=outer)


def test_sounds_that_do_not_fit_are_refused(outer: Path, preset: Path, tmp_path: Path) -> None:
    sounds = write_drums(tmp_path / "sounds", 6, seconds=0.1)
    prepare(sounds, tmp_path / "slow", sample_rate=22_050)
    for source, more, words in (
        (tmp_path / "slow", {}, r"is for 44100 Hz, and these sounds have 22050 Hz; prepare them with --rate 44100"),
        (sounds, {"channels": 2}, r"is for 1 channel\(s\), and these sounds have 2; for a folder of sounds give --channels 1"),
    ):
        with pytest.raises(ConfigError, match=words):
            training.train(source, tmp_path / "x.safetensors", preset=preset, outer=outer, device="cpu", **more)  # type: ignore[arg-type]
    prepare(write_drums(tmp_path / "long", 6, seconds=0.25), tmp_path / "longer")
    with pytest.raises(
        ConfigError, match=r"training\.seconds is 0\.2, and the outer model outer\.safetensors is for clips of up to 0\.1 s"
    ):
        learn(Corpus.open(tmp_path / "longer"), tmp_path / "x.safetensors", preset, outer=outer, changes=["training.seconds=0.2"])
    assert not (tmp_path / "x.training").exists()


def test_files_that_are_no_outer_model_are_refused(corpus: Corpus, outer: Path, tmp_path: Path, tiny: Any) -> None:
    with pytest.raises(ConfigError, match=r"tiny\.safetensors has the model 'oneshot', which cannot be an outer one; allowed are dense"):
        learn(corpus, tmp_path / "x.safetensors", "staged", outer=tiny.file)
    with pytest.raises(InstrumentFileError, match=r"does not exist"):
        learn(corpus, tmp_path / "x.safetensors", "staged", outer=tmp_path / "none.safetensors")
    data = bytearray(outer.read_bytes())
    data[-5] ^= 1
    (tmp_path / "damaged.safetensors").write_bytes(data)
    with pytest.raises(InstrumentFileError, match=r"checksum does not fit"):
        learn(corpus, tmp_path / "x.safetensors", "staged", outer=tmp_path / "damaged.safetensors")
    with pytest.raises(OutputExistsError, match=r"is itself the outer model and is never replaced"):
        learn(corpus, outer, "staged", outer=outer, force=True)
    (tmp_path / "text.safetensors").write_text("no instrument")
    with pytest.raises(InstrumentFileError):
        learn(corpus, tmp_path / "x.safetensors", "staged", outer=tmp_path / "text.safetensors")
    assert not (tmp_path / "x.training").exists()


# --- a search ---------------------------------------------------------------------------------------------------------------------


def test_a_search_encodes_each_sound_once(corpus: Corpus, outer: Path, second: Path, preset: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    from timbrespace.tuning.tune import tune

    encode, counts = Staged.raw_codes, []
    for trials in (1, 3):
        rows: list[int] = []

        def counted(self: Staged, batch: Any, rows: list[int] = rows) -> torch.Tensor:
            rows.append(len(batch.lengths))
            return encode(self, batch)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Staged, "raw_codes", counted)
            found = tune(
                corpus, tmp_path / str(trials), preset=preset, outer=outer, trials=trials, ranges=("model.inner.dims=2,3,4",),
                sampler="grid", prune="none", epochs=1, device="cpu",
            )  # fmt: skip
        assert [row["state"] for row in found.table] == ["complete"] * trials
        counts.append(sum(rows))
    examples, validation = Instrument.load(second).card["training"]["images"], len(corpus.indices("validation"))
    assert counts == [2 * examples + validation] * 2  # once for their mean and deviation, once to be stored
    assert found.best is not None
    best = load_preset(found.best)
    assert best.model["outer"] == Instrument.load(outer).contents.settings["model"]


def test_the_objective_is_the_error_from_sound_to_sound(corpus: Corpus, outer: Path, preset: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    from timbrespace.tuning.tune import tune

    found = tune(corpus, tmp_path / "s", preset=preset, outer=outer, trials=1, ranges=("model.inner.dims=3",), epochs=4, device="cpu")
    made = learn(corpus, tmp_path / "x.safetensors", preset, outer=outer, epochs=4)
    assert found.table[0]["error"] == pytest.approx(made.card["training"]["validation_error"], rel=0.05)  # codes in half precision


def test_a_search_refuses_ranges_of_the_outer_model(corpus: Corpus, outer: Path, preset: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    from timbrespace.tuning.tune import tune

    for text in ("model.outer.dims=8..16", "representation.block=128,512", "model.outer_share=0.1..0.5"):
        with pytest.raises(ConfigError, match="is impossible"):
            tune(corpus, tmp_path / "s", preset=preset, outer=outer, trials=1, ranges=(text,), epochs=1)
    prepare(write_drums(tmp_path / "sounds", 6, seconds=0.1), tmp_path / "slow", sample_rate=22_050)
    with pytest.raises(ConfigError, match="is for 44100 Hz"):
        tune(tmp_path / "slow", tmp_path / "s", preset=preset, outer=outer, trials=1, ranges=("model.inner.dims=2,3",), epochs=1)
    assert not (tmp_path / "s").exists()


def test_the_steps_from_the_command_line(shell: Shell, corpus: Corpus, outer: Path, preset: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    words = ["--preset", preset, "--outer", outer, "--epochs", 1, "--device", "cpu"]
    text = shell("tune", corpus.path, *words, "--range", "model.inner.dims=2,3", "--trials", 2, "--out", tmp_path / "search")
    following = text.splitlines()[-1]
    assert following.startswith("Next: timbrespace train")
    assert f"--preset {tmp_path / 'search' / 'best.yaml'} --outer {outer} --device cpu" in following
    words = following.removeprefix("Next: timbrespace ").replace("X.safetensors", str(tmp_path / "x.safetensors")).split()
    assert "Next: timbrespace generate" in shell(*words, "--page", tmp_path / "x.html")
    assert "data:audio" in (tmp_path / "x.html").read_text()
    other = ["tune", corpus.path, "--preset", preset, "--outer", tmp_path / "x.safetensors", "--epochs", 1, "--device", "cpu"]
    assert "2 trials" in shell(
        *other, "--range", "model.inner.dims=2,3", "--trials", 2, "--out", tmp_path / "search"
    )  # the same outer model
    text = shell("train", corpus.path, *other[2:], "--find-lr")
    if "Next:" in text:
        assert f"--outer {tmp_path / 'x.safetensors'} --device cpu" in text.splitlines()[-1]
