"""A model by itself, no audio made: how near its features come to a sound's own, and where it puts sounds in its latent space."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from timbrespace.audio.distance import MATCH_DB
from timbrespace.parallel import Pool
from timbrespace.representation.normalisation import Normalised
from timbrespace.synthesis.instrument import Instrument
from timbrespace.synthesis.notes import locate
from timbrespace.synthesis.texture import DEEPEST_DB

Back = Callable[[Tensor, Tensor], Tensor]


def feature_unit(instrument: Instrument) -> str:
    """Of `feature_errors`: "dB" where features are levels, else "%"."""
    view = instrument.representation
    return "dB" if view.decibels and not isinstance(view, Normalised) else "%"


def feature_errors(instrument: Instrument, sounds: Sequence[Tensor], *, back: Back | None = None) -> Tensor:
    """Root mean square difference between the features of sounds `(channels, time)`, there and back through the latent, `(count,)`.

    Sounds begin at their onset. The latent is the one that a copy is made from: the posterior's mean, or what the model's search finds.
    dB: over the frames within each sound's true length, levels relative to the loudest cell down to the floor, the copy's level
    matched by one gain, the median difference over the original's cells within 40 dB of the loudest. %: of a value of 1, which is full
    scale of samples and companded magnitudes, over the whole padded clip as the model sees it (source B's standard deviation).
    Figures of different views do not compare.
    back: what gives the features back instead of the model, from features and length in samples.
    """
    view, levels = instrument.representation, feature_unit(instrument) == "dB"
    floor = floor_of(instrument)
    model = instrument.model

    def one(audio: Tensor) -> Tensor:
        with torch.no_grad():
            features, lengths = features_of(instrument, audio)
            if back is None:
                z = locate(model, features, lengths, audio, instrument.sample_rate)
                found = model.decode(z, lengths=lengths).features[..., : features.shape[3]]
            else:
                found = back(features, lengths)[..., : features.shape[3]]
            if not levels:
                return 100 * (found - features[..., : found.shape[3]]).square().mean().sqrt()
            frames = min(view.frames(int(lengths)), found.shape[3])
            found, wanted = found[..., :frames], (features - features.amax()).clamp_min(-floor)[..., :frames]
            found = (found + (wanted - found)[wanted > -MATCH_DB].median()).clamp_min(-floor)
            return (found - wanted).square().mean().sqrt()

    with Pool() as pool:
        return torch.stack(list(pool.map(one, sounds)))


def floor_of(instrument: Instrument) -> float:
    """How far under the loudest cell, in dB, the model's levels reach."""
    return float(getattr(instrument.model, "floor", None) or getattr(instrument.representation, "floor", None) or DEEPEST_DB)


def latents(instrument: Instrument, sounds: Sequence[Tensor]) -> Tensor:
    """Where sounds `(channels, time)` lie, `(count, dims)`: the posterior's means, before any search; of latents that move, over steps.

    Of a model with notes it is what the search finds, which is how the pitch is heard.
    """
    model = instrument.model

    def one(audio: Tensor) -> Tensor:
        with torch.no_grad():
            features, lengths = features_of(instrument, audio)
            if model.pitched:
                return locate(model, features, lengths, audio, instrument.sample_rate)
            found = model.encode(features, lengths).mean
        return found if found.ndim == 2 else found.flatten(2).mean(2)

    with Pool() as pool:
        return torch.cat(list(pool.map(one, sounds)))


def features_of(instrument: Instrument, audio: Tensor) -> tuple[Tensor, Tensor]:
    """A sound `(channels, time)` -> features `(1, parts, bands, frames)` as the model wants them and the true length `(1,)` in samples."""
    audio = audio[:, : instrument.contents.samples]
    length = torch.tensor([audio.shape[-1]])
    return instrument.representation.encode(instrument.model.prepare_audio(audio, instrument.contents.samples)[None]), length
