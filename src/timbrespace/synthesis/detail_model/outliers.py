"""Notices drawn points whose sound would be unlike all real ones."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.synthesis.detail_model.draw import at_training_levels
from timbrespace.synthesis.detail_model.traits import excess, traits
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.texture import floor_of


def level_traits(contents: InstrumentContents, features: Tensor) -> Tensor:
    """Returns the traits `(TRAITS,)` of levels `(parts, bands, frames)` in dB under the loudest cell."""
    view = getattr(contents.representation, "view", contents.representation)
    rate = contents.sample_rate / float(getattr(view, "hop", 1) or 1)
    floor = floor_of(contents.representation)
    return traits(features, centres=contents.model.spec.centres, frames_per_second=rate, floor=floor)


@torch.no_grad()
def excess_of(contents: InstrumentContents, z: Tensor, category: str | None) -> float:
    """Returns how far the sound of a latent `(dims,)` is beyond what real sounds of its category are, see `traits.excess`.

    0 for most draws, and for an instrument without a detail model. Its levels are judged, before detail: no audio is rendered.
    """
    model = contents.detail
    if model is None:
        return 0.0
    floor = floor_of(contents.representation)
    decoded = contents.model.decode(z[None].float())
    length = min(contents.samples, int(decoded.lengths[0]))
    features, standard = decoded.features[0, ..., : contents.representation.frames(length)], model.standard(z)
    levels = torch.stack([at_training_levels(part, model, standard, floor=floor) for part in features]).clamp_min(-floor)
    return excess(level_traits(contents, levels - levels.amax()), model.limits_of(category))
