"""Parts of the adversarial designs: a network that changes images, a critic of their patches, and losses between the two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

Widths = Annotated[tuple[Annotated[int, Field(ge=1, le=1_024)], ...], Field(min_length=2, max_length=4)]
Norm = Annotated[Literal["none", "spectral"], Field()]
_SLOPE = 0.2  # of the leaky rectifiers


class Changer(nn.Module):
    """x + a U-Net of x (Ronneberger et al. 2015): it starts as the identity, and the fine structure of x need not pass through the net.

        x ─ down ─ down ─ down ─ block ─ up ─ up ─ up ─ + x
              └──────┴─────────────────────┴────┘

    parts: planes of an image. widths: channels of the levels. strides: of each level, down and across. conditions: numbers given beside
    each image. The net also sees at which frequency a row is, see `places`.
    """

    def __init__(self, parts: int, widths: tuple[int, ...], strides: tuple[tuple[int, int], ...], *, conditions: int = 0):
        super().__init__()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        inputs = parts + 2 + conditions
        for width, stride in zip(widths, strides, strict=True):
            self.down.append(_conv(inputs, width, stride))
            inputs = width
        self.block = nn.Sequential(nn.Conv2d(inputs, inputs, 3, padding=1), nn.LeakyReLU(_SLOPE), nn.Conv2d(inputs, inputs, 3, padding=1))
        for level in range(len(widths) - 1, -1, -1):
            outputs = widths[level - 1] if level else parts
            self.up.append(_up(widths[level] * (1 if level == len(widths) - 1 else 2), outputs, strides[level]))
        for parameter in self.up[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, images: Tensor, conditions: Tensor | None = None) -> Tensor:
        """`(batch, parts, rows, columns) -> (batch, parts, rows, columns)`; conditions: `(batch, conditions)`."""
        x, levels = _with_places(images, conditions), []
        for layer in self.down:
            x = functional.leaky_relu(layer(x), _SLOPE)
            levels.append(x)
        x = functional.leaky_relu(x + self.block(x), _SLOPE)
        for number, layer in enumerate(self.up):
            x = layer(x if not number else torch.cat([x, levels[-1 - number]], 1))
            if number < len(self.up) - 1:
                x = functional.leaky_relu(x, _SLOPE)
        return images + x


class Critic(nn.Module):
    """Scores of overlapping patches (PatchGAN, Isola et al. 2017): near 1 for those that it takes for real ones, else near 0.

    parts, widths, strides, conditions: see `Changer`. norm: spectral divides the weights of each layer by their largest singular value
    (Miyato et al. 2018).
    """

    def __init__(
        self, parts: int, widths: tuple[int, ...], strides: tuple[tuple[int, int], ...], *, norm: str = "none", conditions: int = 0
    ):  # fmt: skip
        super().__init__()
        layers: list[nn.Module] = []
        inputs = parts + 2 + conditions
        for width, stride in zip(widths, strides, strict=True):
            layers += [_normed(_conv(inputs, width, stride), norm), nn.LeakyReLU(_SLOPE)]
            inputs = width
        self.layers = nn.Sequential(*layers, _normed(nn.Conv2d(inputs, 1, 3, padding=1), norm))

    def forward(self, images: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Returns the scores `(batch, 1, …)` of images `(batch, parts, rows, columns)`; conditions: `(batch, conditions)`."""
        return self.layers(_with_places(images, conditions))


def least_squares(scores: Tensor, target: float) -> Tensor:
    """Returns the mean squared difference of scores from a target, `()` (Mao et al. 2017)."""
    return (scores - target).square().mean()


@contextmanager
def frozen(critic: nn.Module) -> Iterator[None]:
    """Keeps a critic's weights without gradients inside the context, where only what it is given learns."""
    for parameter in critic.parameters():
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in critic.parameters():
            parameter.requires_grad_(True)


class History:
    """Generated images of earlier steps (Shrivastava et al. 2017): of those a critic is given, half are replaced by earlier ones.

    size: images that are kept; 0: none, every image is that of the step.
    """

    def __init__(self, size: int):
        self.size = size
        self._kept: list[Tensor] = []

    def swap(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Returns images `(batch, …)`: these or earlier ones; the new ones replace them in the store."""
        chosen = []
        for image in images:
            if len(self._kept) < self.size:
                self._kept.append(image)
            elif self.size and float(torch.rand((), generator=generator)) < 0.5:
                place = int(torch.randint(len(self._kept), (), generator=generator))
                image, self._kept[place] = self._kept[place], image
            chosen.append(image)
        return torch.stack(chosen)


def places(rows: int, columns: int, like: Tensor) -> Tensor:
    """Returns two planes `(2, rows, columns)`: the frequency of each row, linear and logarithmic, from -1 to 1, the lowest first."""
    row = torch.arange(rows, device=like.device, dtype=like.dtype)
    planes = torch.stack([row / (rows - 1), (row + 1).log2() / torch.tensor(float(rows)).log2().item()]) * 2 - 1
    return planes[:, :, None].expand(-1, -1, columns)


def _with_places(images: Tensor, conditions: Tensor | None) -> Tensor:
    batch, _, rows, columns = images.shape
    planes = [images, places(rows, columns, images).expand(batch, -1, -1, -1)]
    if conditions is not None:
        planes.append(conditions[:, :, None, None].expand(-1, -1, rows, columns))
    return torch.cat(planes, 1).contiguous(memory_format=torch.channels_last)


def _conv(inputs: int, outputs: int, stride: tuple[int, int]) -> nn.Conv2d:
    down, across = stride
    return nn.Conv2d(inputs, outputs, (2 * down, 2 * across), stride, (down // 2, across // 2))


def _up(inputs: int, outputs: int, stride: tuple[int, int]) -> nn.ConvTranspose2d:
    down, across = stride
    return nn.ConvTranspose2d(inputs, outputs, (2 * down, 2 * across), stride, (down // 2, across // 2))


def _normed(layer: nn.Conv2d, norm: str) -> nn.Module:
    return spectral_norm(layer) if norm == "spectral" else layer
