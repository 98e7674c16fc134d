"""Synthesised sounds of many kinds, and learning from them beside a corpus."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from timbrespace.config.build import build_model, build_representation
from timbrespace.config.presets import load_preset
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.synthetic.base import SyntheticClip
from timbrespace.corpus.synthetic.registry import recipe_of, synthetic_clips
from timbrespace.corpus.synthetic.variety import FAMILIES, variety_clip
from timbrespace.instrument import Instrument
from timbrespace.model.codec.oneshot import OneShot
from timbrespace.parallel import Pool
from timbrespace.training.calibration import affordable_synthesised
from timbrespace.training.data.clip_dataset import ClipDataset, encode_rows
from timbrespace.training.data.synthesised import COPIES, concatenated, synthesised_dataset
from tiny import SMALL, Tiny, quick_train, tensors_of

RATE = 44_100


@pytest.fixture(scope="module")
def sounds() -> list[SyntheticClip]:
    return list(synthetic_clips("synthetic:variety", count=48, seed=4))


def test_families_in_turn_and_sound_i_whatever_the_count(sounds: list[SyntheticClip]) -> None:
    assert recipe_of("variety").count == 500
    assert len({clip.name for clip in sounds}) == len(sounds)
    for family, count in (("tone", 12), ("event", 12)):
        assert Counter(clip.category for clip in sounds)[family] == count
    for index in (1, 3, 30, 47):
        again = variety_clip(index, seed=4, sample_rate=RATE)
        assert torch.equal(again.audio, sounds[index].audio)
        assert again.labels == sounds[index].labels
        assert not torch.equal(variety_clip(index, seed=5, sample_rate=RATE).audio, again.audio)
    assert len({clip.labels["style"] for clip in sounds if clip.category == "event"}) >= 3


@pytest.mark.parametrize("rate", [8_000, 96_000])
def test_audio_is_clean_and_begins_at_once_at_any_rate(rate: int, sounds: list[SyntheticClip]) -> None:
    for clip in [*sounds, *(variety_clip(index, seed=4, sample_rate=rate) for index in range(12))]:
        assert clip.audio.dtype == torch.float32
        assert clip.audio.shape[0] == 1
        assert torch.isfinite(clip.audio).all()
        assert 0.3 < clip.audio.abs().max() < 0.9, clip.name
    for clip in sounds:
        if clip.category in FAMILIES:
            assert clip.audio.shape[1] < 2 * RATE
            loud = int((clip.audio[0].abs() > 0.028).int().argmax())  # -30 dB
            assert loud < 0.002 * RATE, clip.name


def test_events_have_their_loudest_moment_later_than_tones(sounds: list[SyntheticClip]) -> None:
    late = {
        family: torch.tensor([float(clip.audio[0].abs().argmax()) / RATE for clip in sounds if clip.category == family]).median()
        for family in ("tone", "event")
    }
    assert late["event"] > 10 * late["tone"]


# --- learning from them ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def encoder(tiny: Tiny) -> ClipDataset:
    config, corpus = load_preset(changes=SMALL), Corpus.open(tiny.corpus)
    representation = build_representation(config.representation, sample_rate=RATE, channels=1)
    model = build_model(config.model, representation=representation, samples=5000)
    assert isinstance(model, OneShot)
    return ClipDataset(corpus, corpus.indices("train")[:3], representation, model, samples=5000, seed=3)


def test_joined_rows_are_the_corpus_and_then_the_synthesised(encoder: ClipDataset) -> None:
    foreign = synthesised_dataset(encoder, count=2, channels=1)
    joined = concatenated(encoder, 5, foreign)
    with Pool(2) as pool:
        images, lengths = encode_rows(joined, [3, 4, 5, 6, 7], pool)
        assert torch.equal(images[:2], encode_rows(encoder, [3, 4], pool)[0])
        assert torch.equal(images[2:], encode_rows(foreign, [0, 1, 2], pool)[0])
        assert torch.equal(encode_rows(joined, [5, 6], pool)[1], lengths[2:4])
        assert torch.equal(encode_rows(joined, [0], pool)[0], encode_rows(encoder, [0], pool)[0])
    assert not torch.equal(images[2], images[4])  # row 2 is a variation of row 0
    assert synthesised_dataset(encoder, count=1, channels=2).corpus.audio(0).shape[0] == 2


def test_how_many_fit(encoder: ClipDataset) -> None:
    foreign = synthesised_dataset(encoder, count=500, channels=1)
    for training, fits in (({"minutes": 1e-6}, 0), ({"minutes": 4e4}, 500), ({"epochs": 1}, 500)):
        config = load_preset(changes=("training.synthesised=500",), **training)
        assert affordable_synthesised(foreign, config.training) == fits
    assert affordable_synthesised(synthesised_dataset(encoder, count=0, channels=1), load_preset(minutes=4e4).training) == 0


def test_codec_learns_from_them_and_the_latents_do_not(tiny: Tiny, tmp_path: Path, fixed: None) -> None:
    with_them = Instrument.load(tiny.file)
    without = quick_train(Corpus.open(tiny.corpus), tmp_path / "x.safetensors", changes=(*SMALL, "training.synthesised=0"))
    one, other = with_them.card["training"], without.card["training"]
    assert (one["synthesised"], other["synthesised"]) == (4, 0)
    assert one["images"] == other["images"] + 4 * COPIES
    assert not torch.equal(tensors_of(tiny.file)["model.mean"], tensors_of(tmp_path / "x.safetensors")["model.mean"])
    assert with_them.contents.clips is not None
    assert without.contents.clips is not None
    assert with_them.contents.clips.names == without.contents.clips.names
    assert with_them.categories == without.categories
