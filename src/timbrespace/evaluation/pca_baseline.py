"""Plain principal components as an instrument: the control row that every learned model must beat."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor

from timbrespace.config.build import build_model, build_representation
from timbrespace.config.presets import load_preset
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.feature_error import features_of, latents
from timbrespace.instrument import Instrument
from timbrespace.latent.space import LatentSpace
from timbrespace.model.codec.oneshot import OneShot
from timbrespace.parallel import Pool
from timbrespace.synthesis.file.contents import InstrumentContents


def plain_pca(instrument: Instrument, corpus: Corpus) -> Instrument:
    """Returns the instrument with plain principal components of the training clips as its codec, and its networks at zero.

    Only for a OneShot model. Its latents are projections; `with_refinement` refines them.
    """
    from sklearn.decomposition import PCA

    clips = corpus.indices("train")
    settings = instrument.contents.settings["model"] | {"notes": None, "velocity": None}  # plain: bands in Hz
    model = build_model(settings, representation=instrument.representation, samples=instrument.contents.samples).eval()
    assert isinstance(model, OneShot)
    model.length_statistics.copy_(one_shot(instrument).length_statistics)
    linear = Instrument(replace(instrument.contents, model=model))  # a new model's networks give zero
    fitted = PCA(min(model.dims, len(clips) - 1), svd_solver="full").fit(prepared_features(linear, corpus, clips).double().numpy())
    basis, scale = torch.zeros_like(model.basis), torch.ones_like(model.scale)
    count = fitted.n_components_
    basis[:count] = torch.from_numpy(fitted.components_)
    scale[:count] = torch.from_numpy(fitted.explained_variance_).sqrt().clamp_min(1e-3)
    model.set_codec(torch.from_numpy(fitted.mean_), basis, scale, model.length_statistics)
    model.refinement_steps = 0
    return linear


def prepared_features(instrument: Instrument, corpus: Corpus, clips: list[int]) -> Tensor:
    """Returns what the model is fitted to, `(clips, cells)`: features of clips without variations, as the model prepares them."""

    def one(clip: int) -> Tensor:
        with torch.no_grad():
            return instrument.model.prepare_features(features_of(instrument, corpus.audio(clip))[0])[0]

    with Pool() as pool:
        return torch.stack(list(pool.map(one, clips)))


def with_refinement(instrument: Instrument, steps: int) -> Instrument:
    """Returns the instrument with `steps` refinement steps of the latent of a given sound."""
    model = copy.deepcopy(one_shot(instrument))
    model.refinement_steps = steps
    return Instrument(replace(instrument.contents, model=model))


def pca_instrument(corpus: Corpus, dims: int) -> Instrument:
    """Returns an instrument without training: `dims` plain principal components of the training clips, with a density over them.

    In the representation of the preset `oneshot`. The length of a new sound is a linear function of its components.
    """
    config = load_preset("oneshot", changes=[f"model.dims={dims}", "model.notes=null", "model.velocity=null"])
    view = build_representation(config.representation, sample_rate=corpus.sample_rate, channels=corpus.channels)
    clips = corpus.indices("train")
    longest = max(corpus.samples(i) for i in range(len(corpus)))
    samples = max(4_096, min(longest, round(corpus.clip_seconds * corpus.sample_rate)))  # as training does
    model = build_model(config.model, representation=view, samples=samples).eval().requires_grad_(False)
    assert isinstance(model, OneShot)
    contents = InstrumentContents(
        representation=view, model=model, space=LatentSpace.fit(torch.randn(8, dims), [None] * 8, seed=0), sample_rate=corpus.sample_rate,
        settings={"representation": config.representation, "model": config.model}, channels=corpus.channels, samples=samples,
        clips=None, novelty_unit=None,
    )  # fmt: skip
    lengths = torch.log2(torch.tensor([float(min(corpus.samples(i), samples)) for i in clips]))
    model.length_statistics.copy_(torch.stack([lengths.mean(), lengths.std(correction=0).clamp_min(0.05)]))
    fitted = plain_pca(Instrument(contents), corpus)
    fitted_model = fitted.model
    assert isinstance(fitted_model, OneShot)
    points = latents(fitted, [corpus.audio(i) for i in clips])
    standard_lengths = (lengths - lengths.mean()) / fitted_model.length_statistics[1]
    line = torch.linalg.lstsq(torch.cat([points, torch.ones(len(points), 1)], 1), standard_lengths[:, None]).solution[:, 0]
    with torch.no_grad():
        fitted_model.length_path.weight.copy_(line[None, :-1])
        fitted_model.length_path.bias.copy_(line[-1:])
    space = LatentSpace.fit(points, [corpus.clips[i].category for i in clips], seed=0)
    return Instrument(replace(fitted.contents, space=space))


def one_shot(instrument: Instrument) -> OneShot:
    """Returns the model of an instrument whose model is a OneShot."""
    assert isinstance(instrument.model, OneShot)
    return instrument.model
