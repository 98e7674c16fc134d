"""Plain principal components as an instrument: the control row that every learned model must beat."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from timbrespace.config.build import build_model, build_representation
from timbrespace.config.presets import load_preset
from timbrespace.contracts import ShapeError
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.feature_error import RoundTrip, feature_unit, features_of, floor_of, latents
from timbrespace.instrument import Instrument
from timbrespace.latent.space import LatentSpace
from timbrespace.model.codec.oneshot import OneShot
from timbrespace.model.parts.streamed_pca import principal_components
from timbrespace.parallel import Pool
from timbrespace.synthesis.file.contents import InstrumentContents

_MOST_CELLS = 50_000_000  # of features held at a time: 200 MB


def plain_pca(instrument: Instrument, corpus: Corpus) -> Instrument:
    """Returns the instrument with plain principal components of the training clips as its codec, and its networks at zero.

    Only for a OneShot model. Its latents are projections; `with_refinement` refines them.
    """
    return plain_pca_of(instrument, _Clips(corpus, corpus.indices("train")))


def plain_pca_of(instrument: Instrument, sounds: Sequence[Tensor]) -> Instrument:
    """As `plain_pca`, of any training sounds `(channels, time)`."""
    from sklearn.decomposition import PCA

    settings = instrument.contents.settings["model"] | {"notes": None, "velocity": None}  # plain: bands in Hz
    model = build_model(settings, representation=instrument.representation, samples=instrument.contents.samples).eval()
    assert isinstance(model, OneShot)
    model.length_statistics.copy_(one_shot(instrument).length_statistics)
    linear = Instrument(replace(instrument.contents, model=model))  # a new model's networks give zero
    fitted = PCA(min(model.dims, len(sounds) - 1), svd_solver="full").fit(_prepared(linear, sounds).double().numpy())
    basis, scale = torch.zeros_like(model.basis), torch.ones_like(model.scale)
    count = fitted.n_components_
    basis[:count] = torch.from_numpy(fitted.components_)
    scale[:count] = torch.from_numpy(fitted.explained_variance_).sqrt().clamp_min(1e-3)
    model.set_codec(torch.from_numpy(fitted.mean_), basis, scale, model.length_statistics)
    model.refinement_steps = 0
    return linear


def feature_components(instrument: Instrument, sounds: Iterable[Tensor], *, count: int | None = None) -> RoundTrip | None:
    """Returns a round trip of features through plain principal components of training sounds `(channels, time)`, for any model.

    As many components as the model infers latents, of the features that it sees over the whole padded clip (levels down to its floor).
    The function takes features `(1, parts, bands, frames)` and lengths `(1,)` and returns features. None for a model whose latents vary in
    time. count: of the sounds, at most; None: all. Raises ShapeError without sounds.
    """
    model = instrument.model
    if model.time_varying:
        return None
    floor = floor_of(instrument) if feature_unit(instrument) == "dB" else None

    frames, empty = model.spec.frames, 0.0 if floor is None else -floor

    def image(features: Tensor) -> Tensor:
        levels = features if floor is None else (features - features.amax()).clamp_min(-floor)
        return torch.nn.functional.pad(levels[..., :frames], (0, max(0, frames - levels.shape[3])), value=empty).flatten()[None]

    with torch.no_grad():
        images = torch.cat([image(features_of(instrument, audio)[0]) for audio in islice(sounds, count)] or [torch.zeros(0, 1)])
    if len(images) < 2:
        raise ShapeError(f"principal components need 2 sounds or more, not {len(images)}")
    mean, basis, _ = principal_components(lambda: iter([images]), rows=len(images), count=min(model.dims, len(images) - 1))

    def back(features: Tensor, lengths: Tensor) -> Tensor:
        return ((image(features) - mean) @ basis.T @ basis + mean).reshape(*features.shape[:3], frames)

    return back


def component_imitation(instrument: Instrument, sounds: Sequence[Tensor]) -> Callable[[Tensor], Tensor] | None:
    """Returns a function that imitates a sound `(channels, time)` by as many plain principal components as the instrument has latents.

    Of a OneShot model those of `plain_pca`, of others those of `feature_components`, decoded as the instrument decodes, with the original's
    length and peak. None where there are none, and for fewer than two sounds. The features of all sounds are held at once: of long clips
    fewer sounds are used.
    """
    if len(sounds) < 2:
        return None
    if instrument.contents.settings.get("model", {}).get("name") == "oneshot":  # its codec is the same components, so their row is its own
        return plain_pca_of(instrument, sounds).reconstruct
    cells = instrument.model.spec.parts * instrument.model.spec.bands * instrument.model.spec.frames
    back = feature_components(instrument, sounds, count=max(2, _MOST_CELLS // max(1, cells)))
    if back is None:
        return None

    def one(audio: Tensor) -> Tensor:
        with torch.no_grad():
            features, lengths = features_of(instrument, audio)
            length = int(lengths[0])
            view = instrument.representation
            made = view.decode(back(features, lengths)[..., : view.frames(length)], length=length)[0]
        made = made / made.abs().max().clamp_min(1e-9) * audio.abs().max()
        return torch.nn.functional.pad(made, (0, max(0, audio.shape[-1] - made.shape[-1])))

    return one


def prepared_features(instrument: Instrument, corpus: Corpus, clips: list[int]) -> Tensor:
    """Returns what the model is fitted to, `(clips, cells)`: features of clips without variations, as the model prepares them."""
    return _prepared(instrument, _Clips(corpus, clips))


def _prepared(instrument: Instrument, sounds: Sequence[Tensor]) -> Tensor:
    def one(index: int) -> Tensor:
        with torch.no_grad():
            return instrument.model.prepare_features(features_of(instrument, sounds[index])[0])[0]

    with Pool() as pool:
        return torch.stack(list(pool.map(one, range(len(sounds)))))


class _Clips(Sequence[Tensor]):
    """Clips of a corpus as a sequence; each is read when it is asked for."""

    def __init__(self, corpus: Corpus, clips: list[int]):
        self._corpus, self._clips = corpus, clips

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: Any) -> Any:
        return self._corpus.audio(self._clips[index])


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
