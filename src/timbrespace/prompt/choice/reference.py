"""What wishes are measured against: the sounds of a category without wishes, and the compared sound."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.audio.describe import DESCRIPTORS, NAMES, describe
from timbrespace.audio.pitch import midi_to_hz
from timbrespace.noise import seed_of
from timbrespace.parallel import Pool
from timbrespace.synthesis.detail.rendering import render_mix
from timbrespace.synthesis.encoding import decode
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.request import DrawOptions, RenderRequest, draw

SOUNDS = 24  # drawn without wishes, of each category
_FEWEST = 4  # of these that must have a descriptor
_SEED = 20  # of these draws: the same for every prompt
_LEAST_SPREAD = {"loudness": 0.5, "low_end": 0.5}  # dB; of the others 0.05 octaves


class Reference(NamedTuple):
    """Medians and spreads of the descriptors in a category, `(len(NAMES),)` on their scales; NaN where too few sounds have one.

    lowest, highest: the range of these sounds. pitched: whether the pitch of a latent is known, not estimated.
    """

    medians: Tensor
    spreads: Tensor
    lowest: Tensor
    highest: Tensor


def reference_of(contents: InstrumentContents, options: DrawOptions, only: Collection[str]) -> Reference:
    """Returns the reference of new sounds with `options` and no wishes. only: names of the descriptors that are needed."""
    rows = measure_all(contents, draw(contents, SOUNDS, options, seed=_SEED), only)
    defined = ~rows.isnan()
    few = defined.sum(0) < _FEWEST
    nan = torch.full((len(NAMES),), math.nan)
    medians = torch.where(few, nan, rows.nanmedian(0).values)
    # Half the distance between the 16th and the 84th of a hundred: the deviation, without the far sounds.
    low, high = (torch.where(few, nan, rows.nanquantile(share, 0)) for share in (0.16, 0.84))
    floor = torch.tensor([_LEAST_SPREAD.get(name, 0.05) for name in NAMES])
    lowest = torch.where(few, nan, torch.where(defined, rows, math.inf).amin(0))
    highest = torch.where(few, nan, torch.where(defined, rows, -math.inf).amax(0))
    return Reference(medians, ((high - low) / 2).maximum(floor), lowest, highest)


def measure_all(contents: InstrumentContents, requests: Sequence[RenderRequest], only: Collection[str]) -> Tensor:
    """Returns the descriptors of the sounds of requests, as they will be rendered, `(requests, len(NAMES))` on their scales."""
    with Pool() as pool:
        rows = list(pool.map(lambda request: measure(contents, request, only), requests))
    return torch.stack(rows)


def measure(contents: InstrumentContents, request: RenderRequest, only: Collection[str]) -> Tensor:
    """Returns the descriptors `only` of the sound of a request, `(len(NAMES),)` on their scales, NaN for the others."""
    pitch = contents.model.conditioning.pitch_of(request.z)
    names = [name for name in only if name != "pitch" or pitch is None]
    values = torch.full((len(NAMES),), math.nan)
    if names:
        if request.mix is None:
            audio = decode(contents, request.z, length=request.length, seed=request.seed, texture=True, category=request.category)
        else:
            audio = render_mix(
                contents, request.mix, request.z, length=request.length, seed=request.seed, level=None, out_rate=contents.sample_rate
            ).measured
        values = describe(audio, contents.sample_rate, only=names)
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
