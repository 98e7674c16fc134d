"""`sequence`: a convolutional autoencoder along time, whose latent has a lower rate than the frames."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from timbrespace.model.base import Batch
from timbrespace.model.clip.base import Dims
from timbrespace.model.parts.bottleneck import Kind as BottleneckKind
from timbrespace.model.parts.likelihood import Kind as LikelihoodKind
from timbrespace.model.parts.pca import principal, regression
from timbrespace.model.parts.pca_init import as_latents, carries, initialise_blocks, initialise_deviations, initialise_rest
from timbrespace.model.sequence.base import SequenceModel
from timbrespace.representation.spec import FeatureSpec


class ConvSequence(SequenceModel):
    """Frames -> convolutions, each halving the rate -> points -> convolutions, each doubling it -> frames.

        frames ─ conv, half ─ block ─ conv, half ─ block ─ … ─ point a step
        point a step ─ block ─ conv, double ─ block ─ conv, double ─ … ─ frames

    Fully convolutional: bands are channels, and sounds have any number of frames. A training step uses one crop of each sound.

    dims: latent size a step. stride: frames a step, a power of two. width: channels of the layers. crop: frames of a crop; those beyond the
    end of a sound do not count. The rest: see `SequenceModel`.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        dims: Dims = 16,
        stride: Annotated[Literal[1, 2, 4, 8, 16, 32], Field()] = 8,
        width: Annotated[int, Field(ge=4, le=2_048)] = 128,
        crop: Annotated[int, Field(ge=8, le=4_096)] = 128,
        bottleneck: BottleneckKind = "gaussian",
        likelihood: LikelihoodKind = "sigma",
    ):
        super().__init__(spec, dims=dims, bottleneck=bottleneck, likelihood=likelihood)
        self.stride, self.crop = stride, crop
        cells, outputs, halvings = spec.cells, spec.cells * self.likelihood.outputs, stride.bit_length() - 1
        down: list[nn.Module] = [] if halvings else [nn.Conv1d(cells, width, 1)]
        up: list[nn.Module] = [nn.Conv1d(dims, width, 1), _Block(width)]
        for level in range(halvings):
            down += [nn.Conv1d(width if level else cells, width, 4, stride=2, padding=1), _Block(width)]
            last = level == halvings - 1
            up += [_Block(width), nn.ConvTranspose1d(width, outputs if last else width, 4, stride=2, padding=1)]
        self.encoder = nn.Sequential(*down, _Block(width), nn.Conv1d(width, self.bottleneck.width, 1))
        self.decoder = nn.Sequential(*up, *([] if halvings else [nn.Conv1d(width, outputs, 1)]))

    @torch.no_grad()
    def initialise(self, batch: Batch) -> None:
        """Sets the layers to principal components of blocks of frames, see `initialise_blocks`, and the latent to those of their top."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            images, counts = self.excerpt(batch, drawn=True)
        missing = -images.shape[3] % self.stride
        values, inside = functional.pad(images.flatten(1, 2), (0, missing)), functional.pad(counts, (0, missing)) > 0
        known = inside.unflatten(1, (-1, self.stride)).all(2)
        if not carries(self.likelihood) or not bool(known.any()):  # no sound lasts a whole step
            return
        *down, last = _convolutions(self.encoder)
        first, *up = _convolutions(self.decoder)
        top = initialise_blocks(down, up, values, inside=inside)
        vectors = top.mT[known]
        components = principal(vectors, self.dims)
        weights, constants = as_latents(components, self.bottleneck)
        last.weight[: len(weights)] = 0.0
        last.weight[: len(weights), : top.shape[1], 0], last.bias[: len(weights)] = weights, constants
        initialise_rest(last, self.encode_raw(images).mT[known], components, self.bottleneck)
        posterior = self.bottleneck.posterior(self.encode_raw(images))
        weights, constants, _ = regression(posterior.mean.mT[known][:, : len(weights)], vectors)
        first.weight.zero_()
        first.weight[: top.shape[1], : weights.shape[1], 0], first.bias[: top.shape[1]] = weights, constants
        decoded = self.likelihood.mean(self.decode_raw(posterior.mean))[..., : images.shape[3]]
        initialise_deviations(up[-1], self.likelihood, (decoded - images).movedim(3, 1)[counts > 0])

    def encode_raw(self, images: Tensor) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, bottleneck.width, ceil(frames / stride))`; silence fills the last step."""
        return self.encoder(functional.pad(images.flatten(1, 2), (0, -images.shape[3] % self.stride)))

    def decode_raw(self, z: Tensor) -> Tensor:
        """`(batch, dims, steps) -> (batch, likelihood.outputs * parts, bands, steps * stride)`."""
        return self.decoder(z).unflatten(1, (self.likelihood.outputs * self.spec.parts, self.spec.bands))

    def excerpt(self, batch: Batch, *, drawn: bool) -> tuple[Tensor, Tensor]:
        """Returns a random crop of each sound, or its first frames for `evaluate`, and 1 for the frames inside the sound."""
        inside = self.inside(batch.lengths)
        crop = min(self.crop, batch.values.shape[3])
        most = (inside - crop).clamp_min(0)
        # Drawn from half a crop before to half a crop behind, then clamped: so beginnings and ends are frequent enough.
        first = (torch.rand(len(inside)).to(inside.device) * (most + crop) - crop / 2).long() if drawn else torch.zeros_like(most)
        rows = torch.minimum(first.clamp_min(0), most)[:, None] + torch.arange(crop, device=inside.device)
        images = batch.values.gather(3, rows[:, None, None].expand(-1, self.spec.parts, self.spec.bands, -1))
        return images, (rows < inside[:, None]).to(images)


def _convolutions(network: nn.Sequential) -> list[Any]:
    """Returns the convolutions between the residual blocks; new blocks add zeros."""
    return [layer for layer in network if isinstance(layer, (nn.Conv1d, nn.ConvTranspose1d))]


class _Block(nn.Module):
    """x + convolutions of its normalised channels, which give zeros in a new block."""

    def __init__(self, width: int):
        super().__init__()
        self.norm, self.inner, self.outer = nn.LayerNorm(width), nn.Conv1d(width, width, 3, padding=1), nn.Conv1d(width, width, 1)
        nn.init.zeros_(self.outer.weight)
        if self.outer.bias is not None:
            nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, width, steps) -> (batch, width, steps)`."""
        return x + self.outer(functional.gelu(self.inner(functional.gelu(self.norm(x.mT).mT))))
