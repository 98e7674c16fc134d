"""`voices-cyclegan-image`: a CycleGAN that sees spectrograms as square pictures of 8 bits, as source D's images."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from timbrespace.voices.arrays.adversarial.cyclegan import CycleGAN, Kept, Weight
from timbrespace.voices.arrays.adversarial.networks import Changer, Critic, Norm, Widths
from timbrespace.voices.arrays.design import BINS, FRAMES

_STRIDES = ((2, 2),) * 4
_STEPS = 255  # of a pixel
_AT_ONCE = 1 << 16  # pixels that are compared with the colours


class PictureCycleGAN(CycleGAN):
    """A CycleGAN on pictures: spectrograms as they are commonly saved, resized to a square, 8 bits, grey or in the colours of `magma`.

    What the networks make is rounded to 8 bits and read back: each colour is the level of the nearest one of the colour map. So a voice is
    never finer than a picture, also that of the piece's own instrument.

    size: of a picture, in pixels. colours: magma or grey. The rest: see `CycleGAN`.
    """

    colour_map: Tensor

    def __init__(
        self, names: tuple[str, ...], *, widths: Widths = (16, 32, 48), critic: Widths = (16, 32, 48), norm: Norm = "none",
        cycle: Weight = 50.0, identity: Weight = 25.0, history: Kept = 0, size: Annotated[Literal[128, 256, 512], Field()] = 256,
        colours: Annotated[Literal["magma", "grey"], Field()] = "magma",
    ):  # fmt: skip
        self.size, self.parts = size, 3 if colours == "magma" else 1
        super().__init__(names, widths=widths, critic=critic, norm=norm, cycle=cycle, identity=identity, history=history)
        self.register_buffer("colour_map", _colour_map(colours), persistent=False)

    def make_changer(self, widths: tuple[int, ...]) -> Changer:
        """Returns a network that changes pictures."""
        return Changer(self.parts, widths, _STRIDES[: len(widths)])

    def make_critic(self, widths: tuple[int, ...], norm: str) -> Critic:
        """Returns a critic of pictures."""
        return Critic(self.parts, widths, _STRIDES[: len(widths)], norm=norm)

    def images(self, values: Tensor) -> Tensor:
        """Returns pictures `(batch, parts, size, size)` of 8 bits, as 0 to 1, of arrays `(batch, BINS, FRAMES)`, low frequencies first."""
        levels = functional.interpolate(values[:, None], (self.size, self.size), mode="bilinear", antialias=True)[:, 0]
        return self.colour_map[(levels * _STEPS).round().clamp(0, _STEPS).long()].movedim(-1, 1)

    def arrays(self, images: Tensor) -> Tensor:
        """Returns arrays `(batch, BINS, FRAMES)` of pictures `(batch, parts, size, size)`."""
        pixels = (images * _STEPS).round().clamp(0, _STEPS).movedim(1, -1) / _STEPS
        levels = [torch.cdist(some, self.colour_map).argmin(1) for some in pixels.flatten(0, 2).split(_AT_ONCE)]
        found = torch.cat(levels).view(len(images), 1, self.size, self.size) / _STEPS
        return functional.interpolate(found, (BINS, FRAMES), mode="bilinear", antialias=True)[:, 0]


def _colour_map(colours: str) -> Tensor:
    """The pixels of the levels 0 to 255, `(256, parts)`, each 0 to 1 in steps of 1/255."""
    if colours == "grey":
        return torch.linspace(0, 1, _STEPS + 1, device="cpu")[:, None]
    from matplotlib import colormaps

    table = np.asarray(colormaps[colours](np.arange(_STEPS + 1), bytes=True))[:, :3]
    return torch.from_numpy(table.astype(np.float32) / _STEPS)
