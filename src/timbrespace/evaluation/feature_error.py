"""Error of a model by itself, without audio: its decoded features against those of a sound; and the latents of sounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from timbrespace.audio.distance import MATCH_DB
from timbrespace.instrument import Instrument
from timbrespace.parallel import Pool
from timbrespace.representation.normalisation import Normalised
from timbrespace.synthesis.texture import DEEPEST_DB

RoundTrip = Callable[[Tensor, Tensor], Tensor]


def feature_unit(instrument: Instrument) -> str:
    """Returns the unit of `feature_errors`: "dB" where features are levels, else "%"."""
    view = instrument.representation
    return "dB" if view.decibels and not isinstance(view, Normalised) else "%"


def feature_errors(instrument: Instrument, sounds: Sequence[Tensor], *, round_trip: RoundTrip | None = None) -> Tensor:
    """Returns root mean square differences `(count,)` between the features of sounds `(channels, time)` and their reconstructions.

    Sounds start at their onset. The latent is that of `Instrument.reconstruct`: the posterior's mean, refined where the model refines.
    dB: over the frames within each sound's length, levels relative to the loudest cell down to the floor. The reconstruction is first
    matched by one gain, the median difference over the original's cells within 40 dB of the loudest. %: of a value of 1, which is
    full scale of samples and companded magnitudes, over the whole padded clip as the model sees it (source B's standard deviation).
    Values of different representations do not compare.
    round_trip: (features, length in samples) -> features, in place of the model's encoding and decoding.
    """
    view, levels = instrument.representation, feature_unit(instrument) == "dB"
    floor = floor_of(instrument)
    model = instrument.model

    def one(audio: Tensor) -> Tensor:
        with torch.no_grad():
            features, lengths = features_of(instrument, audio)
            if round_trip is None:
                z = model.infer(features, lengths, audio, instrument.sample_rate)
                decoded = model.decode(z, lengths=lengths).features[..., : features.shape[3]]
            else:
                decoded = round_trip(features, lengths)[..., : features.shape[3]]
            if not levels:
                return 100 * (decoded - features[..., : decoded.shape[3]]).square().mean().sqrt()
            frames = min(view.frames(int(lengths)), decoded.shape[3])
            decoded, original = decoded[..., :frames], (features - features.amax()).clamp_min(-floor)[..., :frames]
            decoded = (decoded + (original - decoded)[original > -MATCH_DB].median()).clamp_min(-floor)
            return (decoded - original).square().mean().sqrt()

    with Pool() as pool:
        return torch.stack(list(pool.map(one, sounds)))


def floor_of(instrument: Instrument) -> float:
    """Returns the floor of the model's levels, in dB under the loudest cell."""
    return float(getattr(instrument.model, "floor", None) or instrument.representation.floor or DEEPEST_DB)


def latents(instrument: Instrument, sounds: Sequence[Tensor]) -> Tensor:
    """Returns latents `(count, dims)` of sounds `(channels, time)`: posterior means without refinement, averaged over the steps.

    For a pitched model: with refinement, which also finds the pitch.
    """
    model = instrument.model

    def one(audio: Tensor) -> Tensor:
        with torch.no_grad():
            features, lengths = features_of(instrument, audio)
            if model.conditioning.required:
                return model.infer(features, lengths, audio, instrument.sample_rate)
            mean = model.encode(features, lengths).mean
        return mean if mean.ndim == 2 else mean.flatten(2).mean(2)

    with Pool() as pool:
        return torch.cat(list(pool.map(one, sounds)))


def features_of(instrument: Instrument, audio: Tensor) -> tuple[Tensor, Tensor]:
    """Features `(1, parts, bands, frames)` of a sound `(channels, time)`, prepared for the model, and its length `(1,)` in samples."""
    audio = audio[:, : instrument.contents.samples]
    length = torch.tensor([audio.shape[-1]])
    return instrument.representation.encode(instrument.model.prepare_audio(audio)[None]), length
