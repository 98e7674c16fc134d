"""`transformer`: self-attention along the frames, beside the recurrent autoencoders of source B, which asked for it."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from timbrespace.model.base import Batch
from timbrespace.model.clip.base import Dims
from timbrespace.model.parts.bottleneck import Kind as BottleneckKind
from timbrespace.model.parts.likelihood import Kind as LikelihoodKind
from timbrespace.model.parts.pca import evenly, principal, regression
from timbrespace.model.parts.pca_init import as_latents, initialise_rest
from timbrespace.model.sequence.autoregressive import WholeSequenceModel
from timbrespace.model.sequence.base import SLICES
from timbrespace.representation.spec import FeatureSpec


class Transformer(WholeSequenceModel):
    """A transformer over slices gives controls; a second one over controls gives slices (Vaswani et al. 2017).

        slices ─ linear ─ layers ─ linear ─ controls ─ linear ─ layers ─ linear ─ slices

    Norms precede the layers (Xiong et al. 2020). Both are causal: a frame attends to itself and to the `window - 1` frames before it, so
    that one more frame costs the same at any length. Its place is known from distances only: each head subtracts a slope times the
    distance from its scores (ALiBi, Press et al. 2022), which holds beyond the lengths of training.

    dims: controls a step. width: of both networks. depth: layers of each. heads: of a layer, which divide the width. window: frames that a
    layer can see. The rest: see `SequenceModel`.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        dims: Dims = 4,
        width: Annotated[int, Field(ge=8, le=8_192, multiple_of=8)] = 128,
        depth: Annotated[int, Field(ge=1, le=8)] = 1,
        heads: Annotated[Literal[1, 2, 4, 8], Field()] = 4,
        window: Annotated[int, Field(ge=1, le=4_096)] = 64,
        bottleneck: BottleneckKind = "plain",
        likelihood: LikelihoodKind = "squared",
    ):
        super().__init__(spec, dims=dims, bottleneck=bottleneck, likelihood=likelihood)
        self.reading, self.controls = nn.Linear(spec.cells, width), nn.Linear(width, self.bottleneck.width)
        self.writing, self.slice = nn.Linear(dims, width), nn.Linear(width, spec.cells * self.likelihood.outputs)
        self.encoder = nn.Sequential(*(_Layer(width, heads, window) for _ in range(depth)))
        self.decoder = nn.Sequential(*(_Layer(width, heads, window) for _ in range(depth)))

    @torch.no_grad()
    def initialise(self, batch: Batch) -> None:
        """Sets the controls to principal components of the frames; the layers add nothing at first."""
        for layer in (*self.encoder, *self.decoder):
            for last in (layer.joined, layer.outer):
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)
        found = principal(self.frames_inside(batch), min(self.dims, self.reading.out_features))
        weights, constants = as_latents(found, self.bottleneck)
        count = len(weights)
        self.reading.weight[:count], self.reading.bias[:count] = weights, constants
        self.controls.weight[:count], self.controls.bias[:count] = torch.eye(count, self.reading.out_features), 0.0
        inside = self.inside(batch.lengths)
        rows = evenly(torch.arange(len(inside)), max(1, 4 * SLICES // int(inside.max())))
        inside, frames = inside[rows], int(inside.max())
        images = batch.values[rows][..., :frames]
        counts = torch.arange(frames, device=inside.device) < inside[:, None]
        initialise_rest(self.controls, self.encode_raw(images).mT[counts], found, self.bottleneck)
        self.writing.weight[:count], self.writing.bias[:count] = torch.eye(count, self.dims), 0.0
        z = self.bottleneck.posterior(self.encode_raw(images)).mean.mT[counts]
        weights, constants, residuals = regression(z[:, :count], self.likelihood.output_for(self.slices(images)[counts]))
        self.slice.weight.zero_()
        self.slice.weight[: len(weights), :count] = weights
        self.slice.bias.copy_(torch.cat([constants, self.likelihood.initialise(residuals)]))

    def encode_raw(self, images: Tensor) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, bottleneck.width, frames)`."""
        return self.controls(self.encoder(self.reading(self.slices(images)))).mT

    def decode_raw(self, z: Tensor) -> Tensor:
        """`(batch, dims, steps) -> (batch, likelihood.outputs * parts, bands, steps)`."""
        return self.joined(self.slice(self.decoder(self.writing(z.mT))))


class _Layer(nn.Module):
    """x + attention of its normalised values, then x + two layers of each frame alone. No norm follows: zero layers pass x on."""

    def __init__(self, width: int, heads: int, window: int):
        super().__init__()
        self.heads, self.window = heads, window
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.parts = nn.Linear(width, 3 * width, bias=False)  # queries, keys, values
        self.joined = nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, frames, width) -> (batch, frames, width)`."""
        queries, keys, values = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.parts(self.before(x)).chunk(3, 2))
        x = x + self.joined(attend(queries, keys, values, window=self.window).transpose(1, 2).flatten(2))
        return x + self.outer(functional.gelu(self.inner(self.between(x))))


def attend(queries: Tensor, keys: Tensor, values: Tensor, *, window: int) -> Tensor:
    """Returns causal attention over the last `window` frames with linear biases, all `(batch, heads, frames, size)`.

    Frames are cut into blocks as long as the window, and each attends to its own block and the one before, so that memory grows with the
    frames, not with their square. Head h of n has the slope 2^(-8h / n) (Press et al. 2022, section 3).
    """
    frames = queries.shape[2]
    window = min(window, frames)
    missing = -frames % window
    queries, keys, values = (functional.pad(part, (0, 0, 0, missing)).unflatten(2, (-1, window)) for part in (queries, keys, values))
    earlier_keys, earlier_values = (functional.pad(part[:, :, :-1], (0, 0, 0, 0, 1, 0)) for part in (keys, values))
    keys, values = torch.cat([earlier_keys, keys], 3), torch.cat([earlier_values, values], 3)
    here, there = torch.arange(window, device=queries.device)[:, None], torch.arange(-window, window, device=queries.device)
    distance = (here - there).to(queries)
    heads, blocks = queries.shape[1:3]
    slopes = 2.0 ** (-8 * torch.arange(1, heads + 1, device=queries.device) / heads)
    seen = ((distance >= 0) & (distance < window)).expand(blocks, -1, -1).clone()
    seen[0] &= there >= 0  # the first block has no predecessor
    bias = (-slopes[:, None, None, None] * distance).masked_fill(~seen, -torch.inf)
    found = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias.to(queries))
    return found.flatten(2, 3)[:, :, :frames]
