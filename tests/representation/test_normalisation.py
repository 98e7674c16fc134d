"""Normalised features: statistics against plain formulas, inversion, padding, and hostile instrument files."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.config.presets import load_preset
from timbrespace.contracts import ConfigError, InstrumentFileError, ShapeError
from timbrespace.corpus.corpus import Corpus
from timbrespace.representation.normalisation import Normalised
from timbrespace.representation.normaliser import KINDS, Moments, Normaliser
from timbrespace.representation.registry import REPRESENTATIONS
from timbrespace.synthesis.file.reading import read_instrument
from timbrespace.synthesis.file.writing import write_instrument
from timbrespace.training.data.normalise import fit_normalisation
from tiny import Tiny, drum, tensors_of

FITTED = [kind for kind in KINDS if kind != "none"]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@cache
def corpus() -> list[torch.Tensor]:
    return [drum(k, seconds=0.05) for k in range(4)]


def make(name: str, kind: str, *, fit: bool = True, channels: int = 1, **keys: Any) -> Normalised:
    view = build_representation({"name": name, "normalisation": kind, **keys}, sample_rate=44_100, channels=channels)
    assert isinstance(view, Normalised)
    if fit:
        view.fit(sound.repeat(channels, 1) for sound in corpus())
    return view


def snr_db(wanted: torch.Tensor, found: torch.Tensor) -> float:
    error = (wanted.double() - found.double()).square().sum()
    return float(10 * torch.log10(wanted.double().square().sum() / error.clamp_min(1e-300)))


def test_running_moments_equal_those_of_all_values() -> None:
    pieces = [1000 + (1 + k) * noise(2, 2, 3, 40 + k, seed=k) for k in range(5)]
    moments = Moments(2, 3)
    for piece in pieces:
        moments.update(piece)
    whole = torch.cat([piece.double().permute(1, 2, 0, 3).flatten(2) for piece in pieces], -1)
    assert moments.count == whole.shape[-1]
    torch.testing.assert_close(moments.mean, whole.mean(-1), rtol=1e-12, atol=0)
    torch.testing.assert_close(moments.squares / moments.count, whole.var(-1, correction=0), rtol=1e-9, atol=0)
    band, standard, span = (moments.normaliser(kind) for kind in ("band", "standard", "range"))
    torch.testing.assert_close(band.scale[..., 0], whole.std(-1, correction=0).float())
    torch.testing.assert_close(standard.scale, whole.std(correction=0).float().expand(2, 1, 1))
    torch.testing.assert_close(span.shift, whole.min().float().expand(2, 1, 1))


def test_a_small_deviation_is_accurate_beside_a_large_mean() -> None:
    moments = Moments(1, 1)
    for seed in range(50):
        moments.update(1e6 + noise(1, 1, 1, 200, seed=seed).double() * 1e-3)
    assert float((moments.squares / moments.count).sqrt()) == pytest.approx(1e-3, rel=0.03)


def test_padding_does_not_count() -> None:
    features, counted, cut = noise(3, 1, 4, 20), Moments(1, 4), Moments(1, 4)
    frames = torch.tensor([5, 20, 0])
    counted.update(features, frames=frames)
    for sound, count in zip(features, frames.tolist(), strict=True):
        cut.update(sound[None, ..., :count])
    assert counted.count == cut.count == 25
    assert torch.equal(counted.mean, cut.mean)
    assert torch.equal(counted.maximum, cut.maximum)


@pytest.mark.parametrize("kind", FITTED)
@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_normalised_features_have_the_statistics_of_their_kind(name: str, kind: str) -> None:
    view = make(name, kind)
    seen = torch.cat([view.encode(sound[None]) for sound in corpus()], -1)[0].double()
    kinds = [part.kind for part in view.view.axes(1).parts]
    for one in set(kinds):
        part = seen[[k for k, other in enumerate(kinds) if other == one]]
        if kind == "range" and one in ("signed", "cyclic"):
            assert float(part.abs().max()) == pytest.approx(1, abs=1e-5)
        elif kind == "range":
            assert float(part.min()) == pytest.approx(0, abs=1e-5)
            assert float(part.max()) == pytest.approx(1, abs=1e-5)
        elif kind == "standard":
            assert float(part.mean()) == pytest.approx(0, abs=1e-3)
            assert float(part.std(correction=0)) == pytest.approx(1, abs=1e-3)
        else:
            spread = part.std(-1, correction=0)
            assert part.mean(-1).abs().max() < 1e-2
            assert (((spread - 1).abs() < 1e-3) | (spread < 1e-3)).all()  # a constant band stays constant
    assert [part.name for part in view.axes(4000).parts] == [part.name for part in view.view.axes(4000).parts]
    assert view.axes(4000).shape == (view.parts, view.bands, view.frames(4000))


@pytest.mark.parametrize("kind", FITTED)
@pytest.mark.parametrize("name", sorted(name for name, chosen in REPRESENTATIONS.items() if chosen.exact))
def test_exact_views_stay_exact(name: str, kind: str) -> None:
    view = make(name, kind, channels=2)
    assert view.exact
    for length in (1, 257, 4097):
        for gain in (1.0, 1e-3):  # quiet sounds keep their bits
            audio = gain * 0.3 * noise(2, 2, length, seed=length)
            if kind != "range" and gain < 1:
                continue  # a mean is taken from them: see the corpus's own sounds below
            assert snr_db(audio, view.decode(view.encode(audio), length=length)) >= 120
    sound = corpus()[3].repeat(2, 1)[None]
    assert snr_db(sound, view.decode(view.encode(sound), length=sound.shape[-1])) >= 120


def test_constant_bands_and_a_constant_corpus() -> None:
    moments = Moments(1, 3)
    values = noise(1, 1, 3, 50)
    values[:, :, 1] = 7.25
    moments.update(values)
    band = moments.normaliser("band")
    assert float(band.scale[0, 1]) == 1
    assert band.apply(values)[0, 0, 1].abs().max() == 0
    torch.testing.assert_close(band.undo(band.apply(values)), values, rtol=1e-6, atol=1e-6)
    flat = Moments(1, 2)
    flat.update(torch.full((1, 1, 2, 9), -120.0))
    for kind in FITTED:
        fitted = flat.normaliser(kind)
        assert fitted.apply(torch.full((1, 1, 2, 9), -120.0)).abs().max() == 0


def test_silence_is_silence_and_gradients_flow() -> None:
    for name in ("mdct", "log-stft"):
        view = make(name, "band", **({"iterations": 2} if name == "log-stft" else {}))
        assert view.decode(view.encode(torch.zeros(1, 1, 3000)), length=3000).abs().max() < 1e-6
    audio = noise(1, 1, 3000).requires_grad_(True)
    view.encode(audio).square().sum().backward()
    assert audio.grad is not None
    assert audio.grad.abs().max() > 0
    assert view.encode(audio.detach().double()).dtype == torch.float64


def test_errors_name_the_wrong_value() -> None:
    view = make("mdct", "band", fit=False)
    for use in (lambda: view.encode(torch.zeros(1, 1, 9)), view.state):
        with pytest.raises(ConfigError, match="'band' is not fitted; call fit"):
            use()
    with pytest.raises(ConfigError, match="there are no sounds"):
        view.fit([])
    with pytest.raises(ConfigError, match="already normalised"):
        Normalised(view, "range")
    with pytest.raises(ConfigError, match="needs no Normalised"):
        Normalised(view.view, "none")
    with pytest.raises(ConfigError, match=r"is 'whiten', allowed are none, range, standard, band"):
        Normalised(view.view, "whiten")
    with pytest.raises(ShapeError, match="NaN"):
        Moments(1, 2).update(torch.full((1, 1, 2, 3), torch.nan))
    with pytest.raises(ShapeError, match=r"features must be \(batch, 1, 2, frames\)"):
        Moments(1, 2).update(torch.zeros(1, 2, 2, 3))
    for frames in (torch.tensor([4]), torch.tensor([-1]), torch.tensor([1, 1])):
        with pytest.raises(ShapeError, match="frames must be 1 numbers from 0 to 3"):
            Moments(1, 2).update(torch.zeros(1, 1, 2, 3), frames=frames)


def test_normalisation_is_a_preset_key_that_the_one_shot_model_refuses() -> None:
    content: dict[str, Any] = {"representation": {"name": "bands"}, "model": {"name": "oneshot"}}
    assert make_config(content).representation["normalisation"] == "none"
    words = (
        "representation.normalisation is 'band', and model 'oneshot' learns levels in dB over a floor as they are; allowed with it is none"
    )
    with pytest.raises(ConfigError, match=words):
        load_preset(changes=["representation.normalisation=band"])
    with pytest.raises(ConfigError, match=r"representation\.normalisation is 'x'"):
        load_preset(changes=["representation.normalisation=x"])


def test_training_fits_normalisation_to_the_training_clips(tiny: Tiny) -> None:
    corpus = Corpus.open(tiny.corpus)
    view = make("mdct", "band", fit=False)
    assert fit_normalisation(view, corpus) is view
    again = make("mdct", "band", fit=False)
    again.fit(corpus.audio(index) for index in corpus.indices("train"))
    assert all(torch.equal(view.state()[name], again.state()[name]) for name in ("shift", "scale"))
    plain = build_representation({"name": "mdct"}, sample_rate=44_100, channels=1)
    assert fit_normalisation(plain, corpus) is plain
    with pytest.raises(ConfigError, match="the corpus has 44100 Hz and 1"):
        fit_normalisation(make("mdct", "band", fit=False, channels=2), corpus)


@pytest.fixture
def normalised_file(tiny: Tiny, tmp_path: Path) -> Path:
    """An instrument file with a normalised view and an untrained dense model."""
    contents = read_instrument(tiny.file)
    representation = {**contents.settings["representation"], "normalisation": "band"}
    model = {"name": "dense", "dims": contents.model.dims, "encoder": [4], "decoder": [4]}
    config = make_config({"representation": representation, "model": model})
    view = Normalised(contents.representation, "band")
    view.fit([drum(1)])
    dense = build_model(config.model, representation=view, samples=contents.samples)
    settings = {"representation": config.representation, "model": config.model}
    path = tmp_path / "normalised.safetensors"
    write_instrument(replace(contents, representation=view, model=dense, settings=settings), path)
    return path


def test_normalisation_is_saved_in_the_instrument_file(normalised_file: Path) -> None:
    found = read_instrument(normalised_file).representation
    assert isinstance(found, Normalised)
    wanted = Normalised(found.view, "band")
    wanted.fit([drum(1)])
    assert torch.equal(found.encode(drum(2)[None]), wanted.encode(drum(2)[None]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("normalisation.shift"), "shift and scale are needed"),
        (lambda t: t.update({"normalisation.more": torch.ones(1)}), "shift and scale are needed"),
        (lambda t: t.update({"normalisation.scale": 0 * t["normalisation.scale"]}), "must be over 0"),
        (lambda t: t.update({"normalisation.scale": -t["normalisation.scale"]}), "must be over 0"),
        (lambda t: t.update({"normalisation.shift": t["normalisation.shift"] * torch.nan}), "not finite"),
        (lambda t: t.update({"normalisation.shift": t["normalisation.shift"].int()}), "int32"),
        (lambda t: t.update({name: t[name][:, 1:].clone() for name in t if name.startswith("normalisation.")}), "is needed"),
        (lambda t: t.update({"normalisation.shift": torch.zeros(1, 1, 1)}), "same shape"),
        (lambda t: t.update({"normalisation.shift": torch.zeros(4)}), r"shape \(4,\)"),
    ],
)
def test_hostile_files_are_refused(normalised_file: Path, change: Any, words: str) -> None:
    tensors = tensors_of(normalised_file)
    with safe_open(normalised_file, "pt") as file:
        metadata = file.metadata()
    change(tensors)
    save_file(tensors, normalised_file, metadata=metadata)
    with pytest.raises(InstrumentFileError, match=words):
        read_instrument(normalised_file)


def test_statistics_without_a_setting_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    with safe_open(tiny.file, "pt") as file:
        metadata = file.metadata()
    path = tmp_path / "odd.safetensors"
    save_file(tensors_of(tiny.file) | {"normalisation.scale": torch.ones(1, 1, 1)}, path, metadata=metadata)
    with pytest.raises(InstrumentFileError, match="settings do not name"):
        read_instrument(path)


def test_a_normaliser_checks_shift_and_scale() -> None:
    one = torch.ones(1, 1, 1)
    for shift, scale in ((one, 0 * one), (one * torch.inf, one), (torch.ones(1, 2, 1), torch.ones(1, 2, 1)), (one.int(), one)):
        with pytest.raises(ConfigError, match="normalisation 'range'"):
            Normaliser("range", shift, scale)
    with pytest.raises(ConfigError, match="leave it out"):
        Normaliser("none", one, one)
