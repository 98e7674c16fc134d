"""Settings of `frame-vae` that training decides by the levels of a corpus: the level of sounds, and the unit of the networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from timbrespace.audio.trim import pad_and_normalise
from timbrespace.config.build import build_representation
from timbrespace.config.schema import Config
from timbrespace.corpus.corpus import Corpus
from timbrespace.model.parts.pca import evenly

_SAMPLED = 256  # training clips, spread evenly
_SAME_LEVEL_DB = 1.0  # clips whose peaks differ by less have the same level


def with_levels(config: Config, corpus: Corpus, clips: Sequence[int]) -> Config:
    """Returns the settings with `model.level: auto` and `model.unit: null` resolved from up to 256 of the training clips `clips`.

    level: "kept" if the peaks of the clips differ, as in the toy corpora, whose energy is constant; else "peak".
    unit: the root mean square of the features, so that a step of the optimiser is as large for magnitudes up to 1,000 as for values about
    1; 1 for levels in dB, normalised features and probabilities, which have a unit already.
    """
    model = dict(config.model)
    if model["name"] != "frame-vae" or (model["level"] != "auto" and model["unit"] is not None):
        return config
    sounds = [corpus.audio(clips[place]) for place in evenly(torch.arange(len(clips)), _SAMPLED).tolist()]
    if model["level"] == "auto":
        peaks = torch.stack([sound.abs().max() for sound in sounds])
        peaks = peaks[peaks > 0]
        same = not len(peaks) or float(20 * torch.log10(peaks.max() / peaks.min())) < _SAME_LEVEL_DB
        model["level"] = "peak" if same else "kept"
    if model["unit"] is None:
        model["unit"] = 1.0
        plain = config.representation["normalisation"] == "none" and model["likelihood"] != "bernoulli"
        view = build_representation(config.representation, sample_rate=corpus.sample_rate, channels=corpus.channels)
        if plain and not view.decibels and config.representation.get("scale") != "decibels":
            squares, count = 0.0, 0
            for sound in sounds:
                prepared = sound if model["level"] == "kept" else torch.from_numpy(pad_and_normalise(sound.numpy(), sound.shape[-1]))
                features = view.encode(prepared[None])
                squares, count = squares + float(features.double().square().sum()), count + features.numel()
            model["unit"] = float(f"{(squares / max(1, count)) ** 0.5:.4g}") or 1.0
    return config.model_copy(update={"model": model})
