"""Fits the detail model of an instrument at the end of training: true and decoded features of its training clips."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from timbrespace.corpus.corpus import Corpus
from timbrespace.noise import seed_of
from timbrespace.parallel import Pool
from timbrespace.synthesis.detail_model.draw import add_detail
from timbrespace.synthesis.detail_model.fit import FEWEST, Labelled, calibrated, fit_attack, fit_detail_model, fit_points
from timbrespace.synthesis.detail_model.grid import RISES
from timbrespace.synthesis.detail_model.model import DetailModel
from timbrespace.synthesis.detail_model.outliers import level_traits
from timbrespace.synthesis.detail_model.rise import rise_map
from timbrespace.synthesis.detail_model.traits import limits_of
from timbrespace.synthesis.encoding import decode
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.request import DrawOptions, RenderRequest, draw
from timbrespace.synthesis.texture import floor_of, with_fewer_iterations
from timbrespace.training.sample import sample_clips

CLIPS, NEW, RENDERED = 200, 300, 32  # clips compared, new points decoded, clips rendered, at most
ALL, EACH = 48, 12  # new sounds rendered for rise times: of all categories, and of each with a map of its own
_LOUD_DB = -40.0  # cells that show what rendering takes from the loudest one

Features = Tensor  # of one part, `(bands, frames)`


def fit_detail(contents: InstrumentContents, corpus: Corpus, clips: list[int], *, seed: int) -> DetailModel | None:
    """Returns the detail model of an instrument with `clips`; None for fewer than 8, and for models that draw no detail.

    Those are models without a noise texture, those whose latent varies in time, and those of notes: one deviation for partials and for
    the noise between them makes partials flutter (LOG.md).
    """
    model = contents.model
    if contents.clips is None or not model.noise_texture or model.time_varying or model.conditioning.required or len(clips) < FEWEST:
        return None
    floor = floor_of(contents.representation)
    chosen = sample_clips(list(contents.clips.categories), CLIPS, seed=seed)
    latents = contents.clips.latents[chosen]
    pairs = _pairs(contents, corpus, [clips[k] for k in chosen.tolist()], latents)
    middle = [(true[0], decoded[0]) for true, decoded, _ in pairs]
    detail = fit_detail_model(middle, latents, floor=floor)
    some = torch.linspace(0, len(pairs) - 1, min(RENDERED, len(pairs))).round().long().unique().tolist()
    rendered = _rendered(contents, detail, [pairs[k][1:] for k in some], latents[some], floor=floor, seed=seed)
    true = [middle[k] for k in some]
    found = [(levels, decoded) for (levels, _), (_, decoded) in zip(rendered, true, strict=True)]
    lift = torch.tensor([float((levels - drawn)[drawn > _LOUD_DB].median()) for levels, drawn in rendered]).median().clamp(0, 4)
    detail = replace(calibrated(detail, found, true, floor=floor), lift=lift)  # before the maps, which are for new points
    new = _new(contents, seed)
    labels = [contents.clips.categories[k] for k in chosen.tolist()]
    training = [(decoded, z, label) for (_, decoded), z, label in zip(middle, latents, labels, strict=True)]
    detail = replace(detail, points=fit_points(detail, [sound[:2] for sound in new], [sound[:2] for sound in training], floor=floor))
    attack, categories = fit_attack(detail, new, training, floor=floor)
    seen = torch.stack([_traits(contents, detail, decoded, z) for (_, decoded, _), z in zip(pairs, latents, strict=True)])
    groups = [seen, *(seen[[label == category for label in labels]] for category in categories)]
    detail = replace(detail, attack=attack, limits=torch.stack([limits_of(group) for group in groups]), categories=categories)
    audio = [corpus.audio(clips[k])[:, : contents.samples] for k in chosen.tolist()]
    return replace(detail, rises=_rises(contents, detail, audio, labels, seed=seed))


def _rises(contents: InstrumentContents, detail: DetailModel, audio: list[Tensor], labels: list[str | None], *, seed: int) -> Tensor:
    """The maps of rise times `(1 + categories, 2, RISES)`. audio, labels: of training sounds."""
    plain = replace(contents, detail=replace(detail, rises=torch.zeros(1 + len(detail.categories), 2, RISES)))  # leaves rises as they are
    requests = draw(plain, ALL, DrawOptions(), seed=seed + 1)
    for category in detail.categories:
        requests += draw(plain, EACH, DrawOptions(category), seed=seed + 2)

    def one(request: RenderRequest) -> Tensor:
        return decode(plain, request.z, length=None, seed=request.seed, texture=True, category=request.category)

    with Pool() as pool:
        new = list(pool.map(one, requests))
    maps = [rise_map(new[:ALL], audio, contents.sample_rate)]
    for k, category in enumerate(detail.categories):
        real = [sound for sound, label in zip(audio, labels, strict=True) if label == category]
        maps.append(rise_map(new[ALL + k * EACH :][:EACH], real, contents.sample_rate))
    return torch.stack(maps)


def _traits(contents: InstrumentContents, model: DetailModel, decoded: Tensor, z: Tensor) -> Tensor:
    """Traits of the decoded levels `(parts, bands, frames)` of a training sound."""
    levels = (decoded + model.gain_of(model.standard(z))).clamp_min(-floor_of(contents.representation))
    return level_traits(contents, levels - levels.amax())


@torch.no_grad()
def _pairs(contents: InstrumentContents, corpus: Corpus, clips: list[int], latents: Tensor) -> list[tuple[Tensor, Tensor, int]]:
    """True and decoded levels of clips, `(parts, bands, frames)`, loudest cell at 0 dB, and their lengths in samples."""

    def one(item: tuple[int, Tensor]) -> tuple[Tensor, Tensor, int]:
        audio = contents.model.prepare_audio(corpus.audio(item[0])[:, : contents.samples])
        length = min(corpus.samples(item[0]), contents.samples)
        with torch.no_grad():
            true = contents.representation.encode(audio[None])[0, ..., : contents.representation.frames(length)]
            decoded = contents.model.decode(item[1][None], lengths=torch.tensor([length])).features[0]
        return true - true.amax(), decoded[..., : true.shape[-1]], length

    with Pool() as pool:
        return list(pool.map(one, list(zip(clips, latents, strict=True))))


@torch.no_grad()
def _new(contents: InstrumentContents, seed: int) -> list[Labelled]:
    """Decoded levels, latents and categories of new sounds."""
    found: list[Labelled] = []
    for request in draw(contents, NEW, DrawOptions(), seed=seed):
        decoded = contents.model.decode(request.z[None])
        found.append((decoded.features[0, 0, :, : contents.representation.frames(int(decoded.lengths[0]))], request.z, request.category))
    return found


def _rendered(
    contents: InstrumentContents, model: DetailModel, decoded: list[tuple[Tensor, int]], latents: Tensor, *, floor: float, seed: int
) -> list[tuple[Features, Features]]:  # fmt: skip
    """Levels `(bands, frames)` of the middle of sounds that are rendered with the model's detail, and those that were drawn."""
    view = with_fewer_iterations(contents.representation)

    def one(item: tuple[int, tuple[tuple[Tensor, int], Tensor]]) -> tuple[Tensor, Tensor]:
        index, ((features, length), z) = item
        own = seed_of(seed, index)
        with torch.no_grad():
            detailed = add_detail(features[None], model, z, floor=floor, seed=own)
            levels = view.encode(view.decode(detailed, length=length, seed=own))[0]
        return (levels - levels.amax())[0, :, : features.shape[-1]].clamp_min(-floor), detailed[0, 0]

    with Pool() as pool:
        return list(pool.map(one, list(enumerate(zip(decoded, latents, strict=True)))))
