"""Sounds near a given one by the native core, which makes them several times faster than PyTorch, and the same but for rounding."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from timbrespace.model.base import Model
from timbrespace.synthesis.detail.features import shift_of
from timbrespace.synthesis.detail.mix import Mix
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.output.requested import GivenArrays

if TYPE_CHECKING:
    from timbrespace.synthesis.detail.source import Source
    from timbrespace.synthesis.output.requested import RenderRequest


class Core(Protocol):
    """What plays an instrument's file, see `native.engine.Player`."""

    def near(self, z: np.ndarray, sound: GivenArrays, *, samples: int, kept: float, seed: int) -> tuple[np.ndarray, float]:
        """Returns audio `(channels, samples)` and the mean level of its end, dB."""

    def near_descriptors(self, z: np.ndarray, sound: GivenArrays, *, samples: int, kept: float, seed: int) -> np.ndarray:
        """Returns descriptors `(9,)` of the levels of that sound."""

    def measure(self, z: np.ndarray) -> np.ndarray:
        """Returns descriptors `(9,)` of the decoded levels of a latent."""

    def length(self, z: np.ndarray) -> int:
        """Returns the samples that a latent decodes to."""

    def plays(self, request: RenderRequest) -> bool:
        """Returns whether it renders a request of a new sound."""

    def new(self, request: RenderRequest) -> np.ndarray:
        """Returns the finished sound `(channels, time)` of such a request, with a peak of -1 dBFS."""


_CORES: WeakKeyDictionary[Model, Core] = WeakKeyDictionary()


def use_core(contents: InstrumentContents, core: Core) -> None:
    """Lets a core make the measurements of an instrument that it has opened."""
    _CORES[contents.model] = core


def core_of(contents: InstrumentContents) -> Core | None:
    """Returns the core that has opened an instrument; None where PyTorch alone plays it."""
    return _CORES.get(contents.model)


def core_makes(contents: InstrumentContents, mix: Mix, z: Tensor) -> bool:
    """Returns whether the core can make a mix at a latent: of one given sound with detail, as long as the model's clips, at its pitch."""
    if len(mix.sources) != 1 or mix.own is not None or z.ndim != 1:
        return False
    detail = mix.sources[0].detail
    return detail is not None and not shift_of(detail, contents.model.conditioning.pitch_of(z))


def given_arrays(contents: InstrumentContents, source: Source) -> GivenArrays:
    """Returns a given sound with detail as the core reads it, made once."""
    if source.measured.arrays is None:
        source.measured.arrays = _arrays(contents, source)
    return source.measured.arrays


def _arrays(contents: InstrumentContents, source: Source) -> GivenArrays:
    detail, view = source.detail, contents.representation
    assert detail is not None
    hop: int = view.hop
    pairs = torch.view_as_real(detail.spectra)
    real, imaginary = pairs[..., 0].contiguous(), pairs[..., 1].contiguous()
    turns = torch.atan2(imaginary, real) * (0.5 / math.pi)
    levels = [part.transpose(1, 2).flatten() for part in (detail.features, detail.slow, detail.fast, detail.steady)]
    data = torch.cat([*levels, torch.hypot(real, imaginary).flatten(), turns.flatten()]).numpy()
    data.flags.writeable = False
    timing = detail.timing
    return GivenArrays(data, timing.frames, timing.attack, timing.held, detail.spectra.shape[-1], hop, detail.level)


def near_descriptors(contents: InstrumentContents, core: Core, source: Source, z: Tensor, length: int, *, kept: float, seed: int) -> Tensor:
    """Returns descriptors `(len(DESCRIPTORS),)` of the levels of a sound near a given one, as `space.controls.meter` measures them."""
    return torch.from_numpy(core.near_descriptors(z.numpy(), given_arrays(contents, source), samples=length, kept=kept, seed=seed))


def near_audio(
    contents: InstrumentContents, core: Core, source: Source, z: Tensor, length: int, *, kept: float, seed: int
) -> tuple[Tensor, float]:
    """Returns audio `(channels, length)` from the onset, and the mean level of its end, dB."""
    audio, end = core.near(z.numpy(), given_arrays(contents, source), samples=length, kept=kept, seed=seed)
    return torch.from_numpy(audio), end
