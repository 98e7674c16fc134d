"""Reconstruction of sounds, and instruments and sounds that are saved and shared without names."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import timbrespace
from timbrespace.contracts import ConfigError, OutputExistsError, ShapeError
from timbrespace.corpus.corpus import Corpus
from timbrespace.instrument import Instrument
from timbrespace.synthesis.file.header import read_header
from timbrespace.synthesis.sound import Sound
from tiny import RATE, Tiny, drum


def same(one: list[Sound], other: list[Sound]) -> bool:
    return len(one) == len(other) and all(torch.equal(a.audio, b.audio) and a.name == b.name for a, b in zip(one, other, strict=True))


# --- reconstruct ----------------------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(length=st.integers(1, 9000), peak=st.floats(1e-3, 1.0))
def test_reconstructions_keep_length_and_peak(length: int, peak: float, instrument: Instrument) -> None:
    sound = drum(1)[:, :length]
    sound = sound / sound.abs().max().clamp_min(1e-6) * peak
    if not sound.abs().max() > 0:
        return
    copy = instrument.reconstruct(sound)
    assert copy.shape == sound.shape
    assert torch.isfinite(copy).all()
    assert float(copy.abs().max()) == pytest.approx(float(sound.abs().max()), rel=1e-3)


@pytest.mark.parametrize("kind", ["clean", "hiss"])
def test_leading_silence_is_kept(kind: str, instrument: Instrument) -> None:
    sound = drum(1, seconds=0.2)
    lead = torch.zeros(1, 4321)
    if kind == "hiss":
        lead = 0.004 * torch.randn(lead.shape, generator=torch.Generator().manual_seed(0))
    whole = torch.cat([lead, sound, torch.zeros(1, 777)], 1)
    copy = instrument.reconstruct(whole)
    assert copy.shape == whole.shape
    assert copy[0, :4200].abs().max() == 0
    assert copy[0, 4321 + 8820 + 100 :].abs().max() < 1e-3
    first_loud = [int((sound.abs()[0] > 0.1 * sound.abs().max()).int().argmax()) for sound in (copy, whole)]
    assert abs(first_loud[0] - first_loud[1]) < 0.02 * RATE
    if kind == "clean":
        assert torch.equal(copy[:, 4321 : 4321 + 8000], instrument.reconstruct(sound)[:, :8000])


def test_longer_than_the_model(instrument: Instrument) -> None:
    samples = instrument.contents.samples
    time = torch.arange(samples + 9000) / RATE
    long = (0.5 * torch.sin(2 * math.pi * 220 * time))[None]
    copy = instrument.reconstruct(long)
    assert copy.shape == long.shape
    assert copy[0, samples + 300 : -4_000].abs().max() > 0.1


def test_another_rate_is_reconstructed_at_the_rate_of_the_instrument(instrument: Instrument) -> None:
    sound = drum(1)
    low = sound[:, ::2]
    copy = instrument.reconstruct(low, sample_rate=RATE // 2)
    assert abs(copy.shape[-1] - sound.shape[-1]) <= 1
    assert copy.abs().max() > 0.1


def test_other_number_types(instrument: Instrument) -> None:
    sound = drum(1)
    expected = instrument.encode(sound).z
    torch.testing.assert_close(instrument.encode(sound.double()).z, expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(instrument.encode(sound.clone().requires_grad_()).z, expected)


@pytest.mark.parametrize(
    "audio",
    [
        torch.zeros(1, 1000),
        torch.zeros(1, 0),
        torch.ones(1000),
        torch.ones(2, 1000),
        torch.full((1, 100), math.nan),
        torch.ones(1, 100, dtype=torch.int16),
        [0.0, 1.0],
    ],
)
def test_invalid_sounds_are_refused(audio: Any, instrument: Instrument) -> None:
    for call in (instrument.reconstruct, instrument.encode, lambda a: instrument.vary(a, 1), lambda a: instrument.generate(1, near=a)):
        with pytest.raises(ShapeError):
            call(audio)


def test_invalid_latents_are_refused(instrument: Instrument) -> None:
    for z in (torch.zeros(5), torch.zeros(1, 6), torch.full((6,), math.inf)):
        with pytest.raises(ShapeError):
            instrument.decode(z)
    assert instrument.decode(torch.zeros(6), length=1234).shape == (1, 1234)
    assert instrument.decode(torch.zeros(6)).abs().max() == pytest.approx(1.0)


# --- sharing ----------------------------------------------------------------------------------------------------------------------------


def test_a_stripped_instrument_has_no_names(instrument: Instrument, tmp_path: Path) -> None:
    instrument.save(tmp_path / "bare.safetensors", strip=True)
    data, clips = (tmp_path / "bare.safetensors").read_bytes(), instrument.contents.clips
    assert clips is not None
    whole = tmp_path / "whole.safetensors"
    instrument.save(whole)
    for name in clips.names:
        stem = name.rsplit("/", 1)[-1].encode()
        assert stem in whole.read_bytes()
        assert stem not in data, name
    assert b"clips." not in data
    assert clips.latents.numpy().tobytes() not in data
    assert clips.embeddings.half().numpy().tobytes() not in data
    assert read_header(tmp_path / "bare.safetensors")["clips"] is None
    bare = timbrespace.load(tmp_path / "bare.safetensors")
    sounds = bare.generate(2, seed=2)
    assert all(torch.isfinite(sound.audio).all() and sound.audio.any() for sound in sounds)
    mine, bares = instrument.space, bare.space
    assert bares.labels == mine.anonymous(len(clips.names)).labels
    assert torch.equal(bare.decode(clips.latents[0]), instrument.decode(clips.latents[0]))
    assert [(s.nearest, s.novelty, s.is_copy) for s in sounds] == [(None, None, False)] * 2
    with pytest.raises(ConfigError, match="no map"):
        bare.map_positions(sounds)


def test_the_file_is_small_and_holds_no_audio(tiny: Tiny) -> None:
    data = tiny.file.read_bytes()
    assert len(data) < 2_000_000
    audio = Corpus.open(tiny.corpus).audio(0).numpy().astype("<f4").tobytes()
    assert audio[4000:4400] not in data
    assert str(tiny.folder).encode() not in data


# --- files --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_sounds_are_saved_with_their_recipe(subtype: str, instrument: Instrument, tmp_path: Path) -> None:
    sound = instrument.generate(1)[0]
    path = sound.save(tmp_path, subtype=subtype)
    assert soundfile.info(path).subtype == subtype
    assert soundfile.info(path).frames == sound.audio.shape[-1]
    recipe = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert recipe["file"] == path.name
    assert torch.equal(instrument.replay(recipe).audio, sound.audio)
    with pytest.raises(OutputExistsError):
        sound.save(tmp_path)
    path.unlink()
    with pytest.raises(OutputExistsError):  # the recipe alone is kept too
        sound.save(tmp_path)
    assert not path.exists()


def test_names_that_are_not_valid_text(instrument: Instrument, tmp_path: Path) -> None:
    sound = instrument.vary(drum(1), 1, name="snar\udce9")[0]
    path = sound.save(tmp_path)
    assert json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["asked"]["of"] == "snar\udce9"
