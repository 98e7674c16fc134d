"""What wishes are measured against: the sounds of a category without wishes, and the compared sound."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio.describe import DESCRIPTORS, NAMES, describe
from timbrespace.audio.embedding import embedding
from timbrespace.audio.pitch import midi_to_hz
from timbrespace.contracts import ConfigError
from timbrespace.model.base import Model
from timbrespace.noise import seed_of
from timbrespace.parallel import Pool
from timbrespace.space.controls.coordinates import Point
from timbrespace.space.controls.meter import Meter
from timbrespace.space.neighbours.classify import Classifier
from timbrespace.space.neighbours.sounds import comparable, training_sounds
from timbrespace.synthesis.detail.near import core_of
from timbrespace.synthesis.file.contents import InstrumentContents, TrainingClips
from timbrespace.synthesis.rendering import finished
from timbrespace.synthesis.request import DrawOptions, RenderRequest, draft, draw

SOUNDS, DECODED = 24, 192  # drawn without wishes, of each category: finished, and only decoded
_FEWEST = 4  # of these that must have a descriptor
_SEED = 20  # of these draws: the same for every prompt
_NEIGHBOURS = 7  # training sounds that say what a sound is; a category of fewer is not asked for
_LEAST_SPREAD = {"loudness": 0.5, "low_end": 0.5}  # dB; of the others 0.05 octaves


class Reference(NamedTuple):
    """Medians and spreads of the descriptors in a category, `(len(NAMES),)` on their scales; NaN where too few sounds have one.

    Of 24 finished sounds and of many that are only decoded: the median length of 24 cymbals is uncertain by a factor of 1.5.
    lowest, highest: the range of these sounds. offset: what finished sounds measure above their decoded latents (`Meter`), the median.
    """

    medians: Tensor
    spreads: Tensor
    lowest: Tensor
    highest: Tensor
    offset: Tensor


def reference_of(contents: InstrumentContents, options: DrawOptions, only: Collection[str], meter: Meter) -> Reference:
    """Returns the reference of new sounds with `options` and no wishes. only: names of the descriptors that are needed."""
    requests = draw(contents, SOUNDS, options, seed=_SEED)
    rows = measure_all(contents, requests, only)
    offset = (rows - meter.measure([Point(request.z, request.length) for request in requests])).nanmedian(0).values
    if not contents.model.time_varying:
        drafts = [draft(contents, options, seed=seed_of(_SEED, index)) for index in range(DECODED)]
        rows = torch.cat([rows, meter.measure([Point(one.z, one.length) for one in drafts]) + offset])
    defined = ~rows.isnan()
    few = defined.sum(0) < _FEWEST
    nan = torch.full((len(NAMES),), math.nan)
    medians = torch.where(few, nan, rows.nanmedian(0).values)
    # Half the distance between the 16th and the 84th of a hundred: the deviation, without the far sounds.
    low, high = (torch.where(few, nan, rows.nanquantile(share, 0)) for share in (0.16, 0.84))
    floor = torch.tensor([_LEAST_SPREAD.get(name, 0.05) for name in NAMES])
    lowest = torch.where(few, nan, torch.where(defined, rows, math.inf).amin(0))
    highest = torch.where(few, nan, torch.where(defined, rows, -math.inf).amax(0))
    return Reference(medians, ((high - low) / 2).maximum(floor), lowest, highest, offset)


def measure_all(contents: InstrumentContents, requests: Sequence[RenderRequest], only: Collection[str]) -> Tensor:
    """Returns the descriptors of the sounds of requests, as they will be rendered, `(requests, len(NAMES))` on their scales."""
    with Pool() as pool:
        rows = list(pool.map(lambda request: measure(contents, request, only), requests))
    return torch.stack(rows)


def measure(contents: InstrumentContents, request: RenderRequest, only: Collection[str]) -> Tensor:
    """Returns the descriptors `only` of the sound of a request, `(len(NAMES),)` on their scales, NaN for the others."""
    return _described(contents, request, None, only)


def heard(
    contents: InstrumentContents, requests: Sequence[RenderRequest], only: Collection[str], category: str | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the descriptors of finished sounds `(requests, len(NAMES))`, how foreign they are to a category, and how likely they have it.

    Both `(requests,)`, 0 to 1. Foreign: the share of the training sounds nearest to it, weighted by rank, that have another category.
    Likely: the probability of the category by linear discriminant analysis of embedding and latent, as `find --classify`. 0 and 1 for
    a stripped instrument, and where the category has too few sounds.
    """
    clips = contents.clips
    judged = clips is not None and category is not None and clips.categories.count(category) >= _NEIGHBOURS
    classifier = classifier_of(contents) if judged else None

    def one(request: RenderRequest) -> tuple[Tensor, float, float]:
        audio = _audio(contents, request)
        values = _described(contents, request, audio, only)
        if not judged or not audio.any():
            return values, 0.0, 1.0
        point = embedding([audio], sample_rate=contents.sample_rate).half().float()  # as an instrument stores them
        return values, _foreign(contents, point, str(category)), _likely(contents, classifier, point, request.z, str(category))

    with Pool() as pool:
        rows = list(pool.map(one, requests))
    return torch.stack([row[0] for row in rows]), torch.tensor([row[1] for row in rows]), torch.tensor([row[2] for row in rows])


_CLASSIFIERS: WeakKeyDictionary[Model, tuple[TrainingClips | None, Classifier | None]] = WeakKeyDictionary()


def classifier_of(contents: InstrumentContents) -> Classifier | None:
    """Returns the classifier of the training sounds by embedding and latent, fitted once; None where there is nothing to tell apart."""
    known = _CLASSIFIERS.get(contents.model)
    if known is None or known[0] is not contents.clips:
        try:
            known = contents.clips, Classifier.fit(training_sounds(contents), uses="latent")
        except ConfigError:
            known = contents.clips, None
        _CLASSIFIERS[contents.model] = known
    return known[1]


def _likely(contents: InstrumentContents, classifier: Classifier | None, point: Tensor, z: Tensor, category: str) -> float:
    if classifier is None or category not in classifier.categories:
        return 1.0
    latent = comparable(contents, (z.mean(1) if z.ndim > 1 else z)[None])
    probabilities = classifier.log_probabilities(torch.cat([point, latent], 1).double())[0]
    return float(np.exp(probabilities[classifier.categories.index(category)]))


def _foreign(contents: InstrumentContents, point: Tensor, category: str) -> float:
    clips = contents.clips
    assert clips is not None
    order = torch.cdist(point, clips.embeddings.float())[0].topk(min(2 * _NEIGHBOURS, len(clips.names)), largest=False).indices.tolist()
    labelled = [kind for kind in (clips.categories[clip] for clip in order) if kind is not None][:_NEIGHBOURS]
    weights = [1 / (rank + 2) for rank in range(len(labelled))]
    own = sum(weight for weight, kind in zip(weights, labelled, strict=True) if kind == category)
    return 1 - own / sum(weights) if weights else 0.0


def _audio(contents: InstrumentContents, request: RenderRequest) -> Tensor:
    """The finished sound of a request `(channels, time)`, as far as the model makes it."""
    return finished(contents, request, level=None, out_rate=contents.sample_rate, core=core_of(contents)).measured


def _described(contents: InstrumentContents, request: RenderRequest, audio: Tensor | None, only: Collection[str]) -> Tensor:
    """Descriptors of a request's sound `(channels, time)`, which is rendered if it is None and needed."""
    pitch = contents.model.conditioning.pitch_of(request.z)
    names = [name for name in only if name != "pitch" or pitch is None]
    values = torch.full((len(NAMES),), math.nan)
    if names:
        values = describe(_audio(contents, request) if audio is None else audio, contents.sample_rate, only=names)
    if pitch is not None and "pitch" in only:
        values[NAMES.index("pitch")] = DESCRIPTORS["pitch"].to_scale(float(midi_to_hz(pitch)))
    return values


def of_clip(contents: InstrumentContents, clip: int, only: Collection[str]) -> Tensor:
    """Returns the descriptors of a training sound, `(len(NAMES),)`: those measured in training, in older files of its reconstruction."""
    clips = contents.clips
    assert clips is not None
    stored = getattr(clips, "descriptors", None)
    if stored is not None:
        return stored[clip].clone()
    if contents.model.time_varying:
        return torch.full((len(NAMES),), math.nan)
    return measure(contents, RenderRequest(clips.latents[clip], "sound", clips.categories[clip], {}, seed_of(_SEED, clip)), only)
