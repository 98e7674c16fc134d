"""Training that continues from an instrument: which sounds it takes, what it keeps, and what it refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from timbrespace.cli.main import main
from timbrespace.contracts import ConfigError, CorpusError, InstrumentFileError, TimbrespaceError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from timbrespace.synthesis.file.header import read_header
from timbrespace.training.callbacks import Progress, TrainingCallbacks
from timbrespace.training.continuation.start import Start
from timbrespace.training.continuation.union import Taken, open_union
from timbrespace.training.options import TrainOptions
from timbrespace.training.train import train
from tiny import SMALL, Tiny, assert_same_tensors, interrupt_at, quick_train, write_drums

NEW = 5


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sounds that the tiny instrument does not know."""
    return write_drums(tmp_path_factory.mktemp("more") / "more", NEW, seed=7)


@pytest.fixture
def alone(tiny: Tiny, tmp_path: Path) -> Path:
    """The tiny instrument where no path leads to its sounds."""
    (tmp_path / "elsewhere").mkdir()
    return Path(shutil.copy(tiny.file, tmp_path / "elsewhere" / "x.safetensors"))


def union(source: Path | Corpus, instrument: Path, folder: Path) -> tuple[Corpus, Taken]:
    start = Start.load(instrument, out=folder / "y.safetensors", channels=1)
    return open_union(source, folder / "corpus", start, TrainOptions(continue_from=instrument), progress=lambda done, total: None)


def by_split(corpus: Corpus) -> dict[str, set[str]]:
    return {split: {corpus.clips[i].name for i in corpus.indices(split)} for split in ("train", "validation", "test")}


# --- which sounds ---------------------------------------------------------------------------------------------------------


def test_old_sounds_are_found_by_the_note_in_the_file(tiny: Tiny, more: Path, tmp_path: Path) -> None:
    old = Corpus.open(tiny.corpus)
    corpus, taken = union(more, tiny.file, tmp_path)
    assert (taken.new, taken.found, taken.decoded, taken.here) == (NEW, len(old), 0, 0)
    for split, names in by_split(old).items():
        assert {f"{name}" for name in names} <= {name.removesuffix(" (2)") for name in by_split(corpus)[split]}
    one, other = old.indices("train")[3], next(i for i in range(len(corpus)) if corpus.clips[i].split == "train" and i >= NEW)
    assert any(torch.equal(corpus.audio(other), old.audio(i)) for i in old.indices("train"))
    assert old.clips[one].category in corpus.categories


def test_old_sounds_are_decoded_where_they_are_gone(alone: Path, more: Path, tmp_path: Path) -> None:
    corpus, taken = union(more, alone, tmp_path)
    instrument = Instrument.load(alone)
    clips = instrument.contents.clips
    assert clips is not None
    assert (taken.new, taken.found, taken.decoded) == (NEW, 0, len(clips.names))
    assert "decoded from x.safetensors, as their files were not found" in taken.text(Start.load(alone, out=tmp_path / "y", channels=1))
    row = len(clips.names) - 1
    index = next(i for i, clip in enumerate(corpus.clips) if clip.name.removesuffix(" (2)") == clips.names[row] and "decoded" in clip.file)
    assert corpus.clips[index].split == "train"
    assert corpus.clips[index].category == clips.categories[row]
    z = instrument.encode(corpus.audio(index)).z
    own = float((z - clips.latents[row]).norm())
    others = (clips.latents - clips.latents[row]).norm(dim=1)
    assert own < float(others[others > 0].min())  # it is that sound, to what a decoder and an encoder leave


def test_a_folder_with_old_and_new_sounds(alone: Path, tiny: Tiny, more: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny.folder, tmp_path / "all")
    for number, path in enumerate(sorted(more.rglob("*.wav"))):
        shutil.copy(path, tmp_path / "all" / f"added {'abcdef'[number]}.wav")
    for number, path in enumerate(sorted((tmp_path / "all" / "kick").glob("*.wav"))):
        path.rename(path.with_name(f"renamed {'abcdefgh'[number]}.wav"))  # old sounds are known by their sound
    corpus, taken = union(tmp_path / "all", alone, tmp_path)
    old = Corpus.open(tiny.corpus)
    assert (taken.new, taken.here, taken.decoded, taken.found) == (NEW, len(old), 0, 0)
    assert len(corpus) == len(old) + NEW
    for split in ("validation", "test"):  # what was held out stays held out, what was learned stays training
        held_out = [old.audio(i) for i in old.indices(split)]
        again = [corpus.audio(i) for i in corpus.indices(split) if not corpus.clips[i].name.startswith("added")]
        assert len(again) == len(held_out)
        assert all(any(torch.equal(one, other) for other in again) for one in held_out)


def test_sounds_removed_from_its_own_folder_are_left_out(tiny: Tiny, more: Path, tmp_path: Path) -> None:
    sounds = Path(shutil.copytree(tiny.folder, tmp_path / "sounds"))
    instrument = Instrument.load(tiny.file)
    origin = {**(instrument.contents.origin or {}), "paths": ["sounds"]}
    Instrument(replace(instrument.contents, origin=origin)).save(tmp_path / "x.safetensors")
    assert instrument.contents.clips is not None
    gone = instrument.contents.clips.names[0]
    (sounds / f"{gone}.wav").unlink()
    shutil.copytree(more, sounds / "more")
    _, taken = union(sounds, tmp_path / "x.safetensors", tmp_path)
    assert (taken.new, taken.left_out, taken.decoded) == (NEW, 1, 0)


def test_nothing_new(tiny: Tiny, alone: Path, tmp_path: Path) -> None:
    for source in (tiny.folder, Corpus.open(tiny.corpus)):
        with pytest.raises(ConfigError, match=r"there is nothing new in .*; add sounds"):
            union(source, alone, tmp_path)


# --- the training ---------------------------------------------------------------------------------------------------------


def test_it_starts_where_the_instrument_ended_and_knows_all_sounds(alone: Path, more: Path, tmp_path: Path, fixed: None) -> None:
    notes: list[str] = []
    callbacks = TrainingCallbacks(on_progress=lambda progress: notes.append(progress.note) if progress.note else None)
    old = Instrument.load(alone)
    trained = train(more, tmp_path / "y.safetensors", continue_from=alone, epochs=1, device="cpu", callbacks=callbacks)
    assert torch.equal(trained.model.state_dict()["basis"], old.model.state_dict()["basis"])  # the codec stays, as the networks need it
    assert not torch.equal(trained.model.state_dict()["mean"], torch.zeros(1))
    names = trained.contents.clips and {name.removesuffix(" (2)") for name in trained.contents.clips.names}
    assert old.contents.clips is not None
    assert names is not None
    assert set(old.contents.clips.names) <= names
    assert len(notes) == 1
    assert notes[0].startswith(f"continues x.safetensors: {NEW} new sounds; old sounds: ")
    assert trained.card["corpus"]["continued"]["new"] == NEW
    assert "places" not in trained.card["corpus"]["continued"]
    assert trained.contents.settings["model"] == old.contents.settings["model"]
    assert not (tmp_path / "y.training").exists()
    assert trained.card["training"]["curve"]["validation"][0] < 1.5 * old.card["training"]["validation_error"] + 3


def test_a_resumed_run_equals_an_unbroken_one(alone: Path, more: Path, tmp_path: Path, fixed: None) -> None:
    options = TrainOptions(continue_from=alone, epochs=1, device="cpu")
    train(more, tmp_path / "whole.safetensors", options)
    with pytest.raises(KeyboardInterrupt):
        train(more, tmp_path / "y.safetensors", options, callbacks=interrupt_at("train", 1))
    with pytest.raises(ConfigError, match="continues from an instrument; add --from with the same file"):
        train(more, tmp_path / "y.safetensors", epochs=1, device="cpu", resume=True)
    train(more, tmp_path / "y.safetensors", options, resume=True)
    assert_same_tensors(tmp_path / "whole.safetensors", tmp_path / "y.safetensors")


def test_resume_says_which_files_are_not_used(tmp_path: Path, fixed: None) -> None:
    folder, out, warnings = write_drums(tmp_path / "in", 12), tmp_path / "x.safetensors", []

    def keep(progress: Progress) -> None:
        if progress.advice and progress.stage == "prepare":
            warnings.append(progress.advice)

    with pytest.raises(KeyboardInterrupt):
        quick_train(folder, out, callbacks=interrupt_at("train", 20))
    write_drums(folder / "new", 2, seed=5)
    quick_train(folder, out, resume=True, callbacks=TrainingCallbacks(on_progress=keep))
    assert len(warnings) == 1
    assert warnings[0].startswith("2 new files in ")
    assert "not used" in warnings[0]
    assert "--from" in warnings[0]


# --- settings and refusals ------------------------------------------------------------------------------------------------


def test_settings_are_those_of_the_instrument(alone: Path, tmp_path: Path) -> None:
    start = Start.load(alone, out=tmp_path / "y.safetensors", channels=1)
    config = start.config(TrainOptions(continue_from=alone))
    own = start.instrument.contents.settings
    assert config.model == own["model"]
    assert config.training.batch == 32  # of the instrument, not of the preset
    assert config.training.minutes == pytest.approx(own["training"]["minutes"] / 3)
    assert start.config(TrainOptions(continue_from=alone, minutes=2)).training.minutes == 2
    assert start.config(TrainOptions(continue_from=alone, changes=("model.dims=6", "training.learning_rate=1e-4"))).model == own["model"]
    assert start.config(TrainOptions(continue_from=alone, preset="oneshot", changes=SMALL)).model == own["model"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"preset": "conv-vae"}, "--preset conv-vae contradicts .*; leave --preset out, or train from scratch"),
        ({"preset": "oneshot"}, "model.dims is 32 in the preset and 6 in the instrument"),
        ({"changes": ("model.dims=16",)}, "--set model.dims=16 contradicts .*, whose model.dims is 6"),
        ({"changes": ("representation.hop=128",)}, "--set representation.hop=128 contradicts"),
        ({"channels": 2}, "--channels is 2, and .* is mono"),
    ],
)
def test_contradictions_are_refused(options: dict[str, object], words: str, alone: Path, more: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        train(more, tmp_path / "y.safetensors", continue_from=alone, device="cpu", **options)
    assert not (tmp_path / "y.training").exists()


def test_bad_files_are_refused(alone: Path, more: Path, tmp_path: Path) -> None:
    out = tmp_path / "y.safetensors"
    Instrument.load(alone).save(tmp_path / "stripped.safetensors", strip=True)
    (tmp_path / "cut.safetensors").write_bytes(alone.read_bytes()[:9_000])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"was stripped for sharing: .* give the unstripped file"):
        train(more, out, continue_from=tmp_path / "stripped.safetensors")
    with pytest.raises(InstrumentFileError, match="damaged"):
        train(more, out, continue_from=tmp_path / "cut.safetensors")
    with pytest.raises(ConfigError, match="is never replaced; give another --out"):
        train(more, alone, continue_from=alone, force=True)
    with pytest.raises(CorpusError, match="there are no sound files in"):
        train(tmp_path / "empty", out, continue_from=alone)
    prepare(more, tmp_path / "slow", sample_rate=22_050)
    with pytest.raises(TimbrespaceError, match=r"has 22050 Hz .* prepare the sounds again with --rate 44100 --channels 1"):
        train(tmp_path / "slow", out, continue_from=alone)
    with pytest.raises(TimbrespaceError, match="there is no run to resume"):
        train(more, out, continue_from=alone, resume=True)
    assert not out.exists()
    assert not (tmp_path / "y.training").exists()


def test_no_path_is_absolute_and_a_stripped_file_has_none(tiny: Tiny, tmp_path: Path) -> None:
    origin = read_header(tiny.file)["origin"]
    assert origin["paths"] == ["corpus"]
    Instrument.load(tiny.file).save(tmp_path / "s.safetensors", strip=True)
    assert "origin" not in read_header(tmp_path / "s.safetensors")
    assert str(tiny.corpus.parent).encode() not in tiny.file.read_bytes()
    assert Instrument.load(tiny.file).anonymous().contents.origin is None


def test_new_labels_of_a_condition_are_refused(alone: Path, tmp_path: Path) -> None:
    instrument = Instrument.load(alone)
    model = instrument.contents.settings["model"] | {"conditions": {"category": ["hat", "kick"]}}
    conditional = Instrument(replace(instrument.contents, settings={**instrument.contents.settings, "model": model}))
    for number, path in enumerate(sorted(write_drums(tmp_path / "w", 5, seed=8).rglob("*.wav"))):
        (tmp_path / "in" / "cowbell").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "in" / "cowbell" / f"{'abcde'[number]}.wav")
    start = Start(alone, conditional, "")
    with pytest.raises(
        ConfigError, match=r"has no condition for: cowbell \(5 sounds\); it knows hat, kick. Give them one of these with --rule"
    ):
        open_union(tmp_path / "in", tmp_path / "c", start, TrainOptions(continue_from=alone), progress=lambda done, total: None)


def test_find_lr_with_from_is_refused(alone: Path, more: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(more), "--from", str(alone), "--find-lr"]) == 2
    assert "leave out --find-lr or --from" in capsys.readouterr().err


def test_the_command_line(alone: Path, more: Path, tmp_path: Path, fixed: None, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", str(more), "--from", str(alone), "--out", str(tmp_path / "y.safetensors"), "--epochs", "1", "--device", "cpu"]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"]["corpus"]["continued"]["new"] == NEW
