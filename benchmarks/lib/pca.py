"""Plain principal components as an instrument, the control row that every reconstruction is compared with."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from timbrespace.config.build import build_model, build_representation
from timbrespace.config.presets import load_preset
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.feature_error import latents
from timbrespace.latent.space import LatentSpace
from timbrespace.model.codec.oneshot import OneShot
from timbrespace.parallel import Pool
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.instrument import Instrument
from timbrespace.training.data.clip_dataset import ClipDataset, encode_rows


def plain_pca(instrument: Instrument, corpus: Corpus) -> Instrument:
    """The instrument with its codec replaced by plain principal components of the training clips and its networks at zero."""
    from sklearn.decomposition import PCA

    clips = corpus.indices("train")
    settings = instrument.contents.settings["model"] | {"notes": None}  # plain: bands in Hz, no pitch
    model = build_model(settings, representation=instrument.representation, samples=instrument.contents.samples).eval()
    assert isinstance(model, OneShot)
    model.length_statistics.copy_(one_shot(instrument).length_statistics)
    linear = Instrument(replace(instrument.contents, model=model))  # a new model's networks give zero
    encoder = ClipDataset(corpus, clips, instrument.representation, model, samples=instrument.contents.samples, seed=0)
    with Pool() as pool:
        images, _ = encode_rows(encoder, list(range(len(clips))), pool)
    fitted = PCA(min(model.dims, len(clips) - 1), svd_solver="full").fit(images.double().numpy())
    basis, scale = torch.zeros_like(model.basis), torch.ones_like(model.scale)
    count = fitted.n_components_
    basis[:count] = torch.from_numpy(fitted.components_)
    scale[:count] = torch.from_numpy(fitted.explained_variance_).sqrt().clamp_min(1e-3)
    model.set_codec(torch.from_numpy(fitted.mean_), basis, scale, model.length_statistics)
    model.searching = 0
    return linear


def with_refinement(instrument: Instrument, steps: int) -> Instrument:
    """The same instrument with `steps` refinement steps when it encodes a given sound."""
    model = copy.deepcopy(one_shot(instrument))
    model.searching = steps
    return Instrument(replace(instrument.contents, model=model))


def pca_instrument(corpus: Corpus, dims: int) -> Instrument:
    """An instrument without training: `dims` plain principal components of the training clips in the default view, with a density.

    The length of a new sound is a linear function of its components.
    """
    config = load_preset("oneshot", changes=[f"model.dims={dims}", "model.notes=null"])
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
    found = plain_pca(Instrument(contents), corpus)
    fitted = found.model
    assert isinstance(fitted, OneShot)
    points = latents(found, [corpus.audio(i) for i in clips])
    wanted = (lengths - lengths.mean()) / fitted.length_statistics[1]
    line = torch.linalg.lstsq(torch.cat([points, torch.ones(len(points), 1)], 1), wanted[:, None]).solution[:, 0]
    with torch.no_grad():
        fitted.length_path.weight.copy_(line[None, :-1])
        fitted.length_path.bias.copy_(line[-1:])
    space = LatentSpace.fit(points, [corpus.clips[i].category for i in clips], seed=0)
    return Instrument(replace(found.contents, space=space))


def one_shot(instrument: Instrument) -> OneShot:
    """The model of an instrument of the preset `oneshot`."""
    assert isinstance(instrument.model, OneShot)
    return instrument.model
