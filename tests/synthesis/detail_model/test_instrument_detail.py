"""The detail model in an instrument: trained, stored, stripped, replayed; instruments without one sound as before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from timbrespace.cli.main import main
from timbrespace.corpus.corpus import Corpus
from timbrespace.instrument import Instrument
from timbrespace.synthesis.detail_model.outliers import excess_of
from timbrespace.synthesis.finish import finish
from timbrespace.synthesis.texture import add_noise_texture, with_fewer_iterations
from timbrespace.training.data.detail import fit_detail
from tiny import Tiny


@pytest.fixture(scope="module")
def textured(instrument: Instrument) -> Instrument:
    """As an earlier version wrote it: without a detail model."""
    return Instrument(replace(instrument.contents, detail=None))


def test_training_fits_a_detail_model_that_the_file_keeps(tiny: Tiny, instrument: Instrument, tmp_path: Path) -> None:
    detail = instrument.contents.detail
    assert detail is not None
    instrument.save(tmp_path / "a.safetensors")
    stored = Instrument.load(tmp_path / "a.safetensors").contents.detail
    assert stored is not None
    assert stored.categories == detail.categories
    assert all(torch.equal(tensor, stored.tensors()[name]) for name, tensor in detail.tensors().items())
    corpus = Corpus.open(tiny.corpus)
    again = fit_detail(replace(instrument.contents, detail=None), corpus, corpus.indices("train"), seed=0)
    assert again is not None
    assert all(torch.allclose(tensor, again.tensors()[name], atol=0.02) for name, tensor in detail.tensors().items())


def test_detail_adds_little_to_the_file(instrument: Instrument) -> None:
    detail = instrument.contents.detail
    assert detail is not None
    assert 4 * sum(tensor.numel() for tensor in detail.tensors().values()) < 200_000


def test_an_instrument_without_a_detail_model_keeps_the_noise_texture(textured: Instrument, instrument: Instrument, tmp_path: Path) -> None:
    textured.save(tmp_path / "old.safetensors")
    old = Instrument.load(tmp_path / "old.safetensors", engine="pytorch")
    assert old.contents.detail is None
    sound = old.generate(1, seed=3, level="keep")[0]
    view = textured.representation
    decoded = textured.model.decode(sound.latent[None])  # type: ignore[index]
    length, seed = min(textured.contents.samples, int(decoded.lengths[0])), sound.recipe["phase_seed"]
    features = add_noise_texture(decoded.features[..., : view.frames(length)], view, length=length, seed=seed)
    with torch.no_grad():
        audio = with_fewer_iterations(view).decode(features, length=length, seed=seed)[0]
    assert torch.equal(sound.audio, finish(audio / audio.abs().max(), old.sample_rate, level="keep"))
    assert not torch.equal(sound.audio, instrument.generate(1, seed=3, level="keep")[0].audio)


def test_stripping_keeps_the_sounds(instrument: Instrument, tmp_path: Path) -> None:
    instrument.save(tmp_path / "shared.safetensors", strip=True)
    shared = Instrument.load(tmp_path / "shared.safetensors")
    pairs = list(zip(instrument.generate(6, seed=5), shared.generate(6, seed=5), strict=True))
    kept = [(one, other) for one, other in pairs if one.category == other.category]  # small categories lose name and points
    assert len(kept) >= 3
    assert all(torch.equal(one.audio, other.audio) for one, other in kept)
    text = (tmp_path / "shared.safetensors").read_bytes()
    assert b"kick 001" not in text


def test_most_draws_are_accepted_and_others_are_counted(instrument: Instrument) -> None:
    sounds = instrument.generate(24, seed=1)
    counts = [sound.recipe["asked"].get("redrawn", 0) for sound in sounds]
    assert sum(count > 0 for count in counts) < 16
    assert all(0 <= count <= 6 for count in counts)
    for sound, count in zip(sounds, counts, strict=True):
        if count < 6:
            assert excess_of(instrument.contents, sound.latent, sound.category) == 0  # type: ignore[arg-type]
    again = instrument.replay(json.loads(json.dumps(sounds[0].recipe)))
    assert torch.equal(again.audio, sounds[0].audio)


def test_draws_beyond_the_limits_are_drawn_again(instrument: Instrument) -> None:
    detail = instrument.contents.detail
    assert detail is not None
    low, high = detail.limits.clone().unbind(1)
    tight = torch.stack([low, high - 1e3], 1)  # no sound is within them
    strict = Instrument(replace(instrument.contents, detail=replace(detail, limits=tight)))
    assert all(sound.recipe["asked"]["redrawn"] == 6 for sound in strict.generate(2, seed=1))
    assert "redrawn" not in strict.generate(1, seed=1, temperature=1.5)[0].recipe["asked"]  # unusual sounds are asked for


def test_info_says_how_detail_is_drawn(tiny: Tiny, textured: Instrument, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    textured.save(tmp_path / "old.safetensors")
    for file, text in ((tiny.file, "statistics of the corpus"), (tmp_path / "old.safetensors", "noise texture")):
        assert main(["info", str(file)]) == 0
        assert text in capsys.readouterr().out


def test_few_clips_get_no_detail_model(tiny: Tiny, instrument: Instrument) -> None:
    corpus = Corpus.open(tiny.corpus)
    assert fit_detail(replace(instrument.contents, detail=None), corpus, corpus.indices("train")[:7], seed=0) is None
