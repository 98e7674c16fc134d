"""Training: tiny corpora, nothing learned from held-out sounds, the same bits again, interrupted or not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from timbrespace.audio.embedding import embedding
from timbrespace.cli.main import main
from timbrespace.cli.report.info import card_lines, figure_lines
from timbrespace.config.presets import load_preset
from timbrespace.contracts import ConfigError, CorpusError
from timbrespace.corpus.corpus import Corpus
from timbrespace.instrument import Instrument
from timbrespace.report.card import card_rows, card_view
from timbrespace.training import train as training
from timbrespace.training.data.source import clip_samples
from tiny import SMALL, Tiny, assert_same_tensors, drum, quick_finish, quick_train, tensors_of, write_drums

# --- small corpora --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clips", [2, 3, 8])
def test_tiny_corpora_give_an_instrument(clips: int, tmp_path: Path, fixed: None) -> None:
    trained = quick_train(write_drums(tmp_path / "in", clips, seconds=0.1), tmp_path / "x.safetensors")
    sounds = trained.generate(3)
    assert all(torch.isfinite(sound.audio).all() and sound.audio.abs().max() > 0.5 for sound in sounds)
    assert f"{clips} sounds are very few" in trained.card["expect"]
    json.dumps(trained.card, allow_nan=False)
    assert not (tmp_path / "x.training").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "x.log.jsonl", "x.safetensors"]


def test_one_clip_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="1 clip is too few to train on, at least 2 are needed"):
        quick_train(write_drums(tmp_path / "in", 1), tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


def test_one_sound_many_times_is_too_few(tmp_path: Path) -> None:
    write_drums(tmp_path / "in", 1)
    for k in range(12):
        shutil.copy(tmp_path / "in" / "kick" / "kick 001.wav", tmp_path / "in" / "kick" / f"copy {k:02d}.wav")
    with pytest.raises(CorpusError, match="all 13 clips hold the same sound, at least 2 different sounds are needed"):
        quick_train(tmp_path / "in", tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize("variant", ["gain", "noise"])
def test_variants_of_one_sound_are_too_few(variant: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    hiss = torch.randn(6, 11_025, generator=torch.Generator().manual_seed(0))
    for k in range(6):
        audio = drum(0)[0] * (0.15 * (k + 1)) if variant == "gain" else drum(0)[0] + 1e-5 * hiss[k, : drum(0).shape[1]]
        soundfile.write(tmp_path / "in" / f"{'abcdef'[k]}.wav", audio.numpy(), 44_100)
    with pytest.raises(CorpusError, match="all 6 clips hold the same sound"):
        quick_train(tmp_path / "in", tmp_path / "x.safetensors")


def test_the_same_sounds_in_two_folders_are_held_out_together(tmp_path: Path, fixed: None) -> None:
    for folder in "ab":
        for k in range(4):  # names of layers of one hit: all are one group
            (tmp_path / "in" / folder).mkdir(parents=True, exist_ok=True)
            soundfile.write(tmp_path / "in" / folder / f"k{k}.wav", drum(k).numpy().T, 44_100)
    trained = quick_train(tmp_path / "in", tmp_path / "x.safetensors")
    clips, unit = trained.contents.clips, trained.contents.novelty_unit
    assert clips is not None
    assert len(clips.names) == 6
    held_out = embedding([drum(int(next(iter({"0", "1", "2", "3"} - {name[-1] for name in clips.names}))))])
    assert unit == pytest.approx(float(torch.cdist(held_out, clips.embeddings).min()), rel=0.2)
    assert "repeats" not in trained.card["reconstruction"]
    assert trained.card["expect"].startswith("4 different sounds among 8; 4 sounds are very few")
    assert max(sound.novelty or 0 for sound in trained.generate(8)) < 50


def test_two_sounds_that_repeat_give_no_novelty(tmp_path: Path, fixed: None, capsys: pytest.CaptureFixture[str]) -> None:
    write_drums(tmp_path / "in", 2)
    for path in sorted((tmp_path / "in").rglob("*.wav")):
        for k in range(3):
            shutil.copy(path, path.with_name(f"{path.stem} {'xyz'[k]}.wav"))
    trained = quick_train(tmp_path / "in", tmp_path / "x.safetensors")
    card = trained.card["new_sounds"]
    assert trained.contents.novelty_unit is None
    assert card["novelty_median"] is None
    assert "too few different sounds" in card["novelty_reason"]
    assert any("how new they are cannot be measured (too few different sounds" in line for line in card_lines(trained.card))
    assert ("Novelty", "cannot be measured", card["novelty_reason"]) in card_rows(trained.card)
    opened = Instrument.load(tmp_path / "x.safetensors").generate(1)[0]
    assert opened.novelty is None
    assert opened.nearest is not None
    assert main(["generate", str(tmp_path / "x.safetensors"), "-n", "1", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    assert "novelty –  nearest" in printed
    assert "novelty cannot be measured: too few different sounds" in printed


def test_held_out_sounds_that_repeat_training_sounds_are_counted(tmp_path: Path, fixed: None) -> None:
    folder = write_drums(tmp_path / "in", 6)
    rows = [f"{path.relative_to(folder)},train" for path in sorted(folder.rglob("*.wav"))]
    for k, path in enumerate(sorted(folder.rglob("*.wav"))[:2]):
        shutil.copy(path, folder / f"held {k}.wav")
        rows.append(f"held {k}.wav,validation")
    (folder / "timbrespace.csv").write_text("file,split\n" + "\n".join(rows) + "\n")
    trained = quick_train(folder, tmp_path / "x.safetensors")
    assert trained.card["reconstruction"]["repeats"] == trained.card["reconstruction"]["sounds"] == 2
    assert "; 2 of them repeat a training sound" in "\n".join(figure_lines(card_view(trained.card)))
    assert trained.card["new_sounds"]["novelty_median"] is None
    assert trained.card["expect"].startswith("6 different sounds among 8; ")


def test_stereo_is_learned(tmp_path: Path, fixed: None) -> None:
    trained = quick_train(write_drums(tmp_path / "in", 4, channels=2), tmp_path / "x.safetensors", channels=2)
    sound = trained.generate(1)[0].audio
    assert sound.shape[0] == 2
    assert not torch.equal(sound[0], sound[1])
    copy = trained.reconstruct(torch.cat([drum(0), 0.3 * drum(0)]))
    assert copy[0].square().sum() > copy[1].square().sum()


# --- splits -----------------------------------------------------------------------------------------------------------------------


def with_other_sounds(corpus: Path, to: Path, *, split: str) -> Corpus:
    """A copy of the corpus in which the clips of a split hold other sounds of the same lengths."""
    shutil.copytree(corpus, to)
    opened = Corpus.open(to)
    audio = np.load(to / "audio.npy")
    offsets = np.load(to / "offsets.npy")
    for index in opened.indices(split):
        span = slice(int(offsets[index]), int(offsets[index + 1]))
        audio[span, 0] = 0.5 * np.sin(np.arange(span.stop - span.start) * 0.3) * np.linspace(1, 0, span.stop - span.start)
    np.save(to / "audio.npy", audio)
    return Corpus.open(to)


def test_test_sounds_are_never_learned_from(tiny: Tiny, quick_file: Path, tmp_path: Path, fixed: None) -> None:
    other = quick_train(with_other_sounds(tiny.corpus, tmp_path / "other", split="test"), tmp_path / "x.safetensors")
    assert_same_tensors(tmp_path / "x.safetensors", quick_file)
    assert other.card["reconstruction"] != training.Instrument.load(quick_file).card["reconstruction"]


def test_validation_sounds_only_choose_the_step(tiny: Tiny, quick_file: Path, tmp_path: Path, fixed: None) -> None:
    other = quick_train(with_other_sounds(tiny.corpus, tmp_path / "other", split="validation"), tmp_path / "x.safetensors")
    one, two = tensors_of(tmp_path / "x.safetensors"), tensors_of(quick_file)
    for name in ("model.basis", "model.mean", "model.scale", "model.length_statistics"):
        assert torch.equal(one[name], two[name]), name
    a, b = other.card["training"]["curve"], training.Instrument.load(quick_file).card["training"]["curve"]
    assert a["train"] == b["train"]  # the weights went the same way
    assert a["validation"] != b["validation"]


def test_train_sounds_are_learned_from(tiny: Tiny, quick_file: Path, tmp_path: Path, fixed: None) -> None:
    quick_train(with_other_sounds(tiny.corpus, tmp_path / "other", split="train"), tmp_path / "x.safetensors")
    assert not torch.equal(tensors_of(tmp_path / "x.safetensors")["model.mean"], tensors_of(quick_file)["model.mean"])


def test_sounds_are_cut_at_the_seconds_asked_for(tiny: Tiny, tmp_path: Path, fixed: None) -> None:
    corpus = Corpus.open(tiny.corpus)
    assert max(corpus.samples(i) for i in range(len(corpus))) > 0.11 * corpus.sample_rate
    trained = quick_train(corpus, tmp_path / "x.safetensors", changes=(*SMALL, "training.seconds=0.11"))
    assert trained.contents.samples == round(0.11 * corpus.sample_rate)
    hop = trained.model.hop
    assert isinstance(hop, int)
    assert all(sound.audio.shape[1] < trained.contents.samples + hop for sound in trained.generate(4))  # ends with a frame
    longer = quick_train(corpus, tmp_path / "y.safetensors", changes=(*SMALL, "training.seconds=60"))
    assert longer.contents.samples == clip_samples(corpus)


def test_minutes_override_a_config(tiny: Tiny, tmp_path: Path) -> None:
    config = load_preset(changes=SMALL)
    with pytest.raises(ConfigError, match=r"training\.minutes"):
        training.train(Corpus.open(tiny.corpus), tmp_path / "x.safetensors", preset=config, minutes=-1)
    with pytest.raises(ConfigError, match="preset's name"):
        training.train(Corpus.open(tiny.corpus), tmp_path / "x.safetensors", preset=config, changes=("model.dims=3",))
    with pytest.raises(ConfigError, match="both given"):
        training.train(Corpus.open(tiny.corpus), tmp_path / "x.safetensors", minutes=1, epochs=1)


def test_epochs_repeat_to_the_bit(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_finish(monkeypatch)
    for name in "ab":
        training.train(Corpus.open(tiny.corpus), tmp_path / f"{name}.safetensors", epochs=3, changes=SMALL)
    assert_same_tensors(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
