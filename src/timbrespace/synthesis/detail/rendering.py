"""Renders sounds that are made from given ones: the given sound itself where no change is requested, else with its detail."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.synthesis.detail.audio import is_cut, mixed_audio
from timbrespace.synthesis.detail.mix import Mix, length_of
from timbrespace.synthesis.detail.near import Core, core_makes
from timbrespace.synthesis.encoding import decode
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.finish import Level, finish, set_level

_NEAR = 0.5  # detail kept, above which a sound starts and ends where the given one does


class Rendered(NamedTuple):
    """A rendered sound `(channels, time)`. part: the samples that the model makes, from the onset, which are measured; None: all.
    by_core: whether the native core made it.
    """

    audio: Tensor
    part: slice | None = None
    by_core: bool = False

    @property
    def measured(self) -> Tensor:
        """The part that the model makes, `(channels, time)`."""
        return self.audio if self.part is None else self.audio[:, self.part]


def render_mix(
    contents: InstrumentContents, mix: Mix, z: Tensor, *, length: int | None, seed: int, level: Level | None, out_rate: int,
    core: Core | None = None,
) -> Rendered:  # fmt: skip
    """Returns a sound at `out_rate` Hz that is made from given ones.

    z: `(dims,)` or `(dims, steps)`. length: in samples, for a latent that does not hold it. seed: of noise and phase. level: None keeps
    that of the given sounds; the given sound itself then is as it was read. core: see `audio.mixed_audio`.
    """
    rate, lead = contents.sample_rate, mix.lead
    core = core if core is not None and core_makes(contents, mix, z) else None
    if mix.own is not None:
        audio = set_level(mix.own.audio, rate, level=level, out_rate=out_rate)
    elif all(source.detail is not None for source in mix.sources):
        cut = length is not None and not contents.model.time_varying and is_cut(mix, length)
        length = length_of(contents, mix, z, core=core) if length is None else length
        audio = torch.cat([lead, mixed_audio(contents, mix, z, length, seed=seed, core=core)], 1)
        if any(source.join for source in mix.sources) and not cut:  # the rest is the user's own: neither cut nor faded
            audio = set_level(audio, rate, level=level or "keep", out_rate=out_rate)
        else:
            near = len(mix.sources) > 1 or (mix.kept > _NEAR and not cut)
            audio = finish(audio, rate, level=level or "keep", out_rate=out_rate, trim=not near, subsonics=True)
    else:
        audio = decode(contents, z, length=length, seed=seed, texture=True) * mix.peak
        audio = finish(torch.cat([lead, audio], 1), rate, level=level or "keep", out_rate=out_rate)
    start = round(lead.shape[1] * out_rate / rate)
    return Rendered(audio, slice(start, start + round(contents.samples * out_rate / rate)), core is not None)
