"""`vq`: a sound as a small grid of codes of learned codebooks (VQ-VAE; source B planned one)."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from timbrespace.contracts import ConfigError
from timbrespace.model.base import Batch, Evaluation, Posterior
from timbrespace.model.clip.base import ImageModel
from timbrespace.model.parts.code_prior import CodePrior
from timbrespace.model.parts.codebook import Codebook
from timbrespace.model.parts.likelihood import Kind as LikelihoodKind
from timbrespace.model.parts.pca import evenly, principal, regression
from timbrespace.model.parts.pca_init import as_latents
from timbrespace.noise import Noise
from timbrespace.representation.spec import FeatureSpec

_MOST_NUMBERS = 1_024
_RUNS, _WINDOWS = 8_000, 1 << 25  # runs, and values in them, used for initialisation, at most


class VectorQuantised(ImageModel):
    """A vector-quantised autoencoder (VQ-VAE): runs of `patch` frames, convolutions over the runs, `codebooks` codes a run, and decoding.

    Decoded runs overlap their neighbours. The latent is the flat grid of codes: `(batch, dims)`, dims = runs * codebooks * code_dims.
    `decode` quantises its input to the nearest codes. `draw` finds codes near a point that are likely together, by a prior that is trained
    beside the autoencoder and does not change its codes.

    patch: frames a run. codebooks: codes a run. codebook_size: codes of each. code_dims: numbers a code; with few, all codes are used.
    width, depth: of the networks. decay: of the moving averages of the codes. prior: width of the prior. The rest: see `ImageModel`.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        patch: Annotated[int, Field(ge=1, le=4_096)] = 24,
        codebooks: Annotated[int, Field(ge=1, le=64)] = 4,
        codebook_size: Annotated[int, Field(ge=2, le=8_192)] = 256,
        code_dims: Annotated[int, Field(ge=1, le=256)] = 3,
        width: Annotated[int, Field(ge=1, le=8_192)] = 256,
        depth: Annotated[int, Field(ge=0, le=32)] = 2,
        decay: Annotated[float, Field(gt=0, lt=1)] = 0.99,
        prior: Annotated[int, Field(ge=1, le=4_096)] = 128,
        likelihood: LikelihoodKind = "mean squared",
    ):
        runs = math.ceil(spec.frames / patch)
        dims = runs * codebooks * code_dims
        if dims > _MOST_NUMBERS:
            longest = _MOST_NUMBERS // (codebooks * code_dims)
            least = f"model.patch from {math.ceil(spec.frames / longest)}" if longest else f"{_MOST_NUMBERS} numbers a run"
            raise ConfigError(
                f"{runs} runs of model.codebooks={codebooks} codes with model.code_dims={code_dims} are {dims} numbers a sound, "
                f"allowed are {_MOST_NUMBERS}; with clips of {spec.frames} frames take {least}, or fewer codebooks or code_dims"
            )
        super().__init__(spec, dims=dims, bottleneck="plain", likelihood=likelihood)
        cells = spec.cells
        self.patch, self.grid, self.width = patch, (runs, codebooks, code_dims), width
        self.codebook = Codebook(codebooks=codebooks, size=codebook_size, code_dims=code_dims, decay=decay)
        self.prior = CodePrior(positions=runs * codebooks, size=codebook_size, code_dims=code_dims, width=prior)
        self.encoder = nn.Sequential(
            nn.Conv1d(cells, width, patch, stride=patch), *(Mixing(width) for _ in range(depth)), nn.Conv1d(width, codebooks * code_dims, 1)
        )
        self.decoder = nn.Sequential(
            nn.Conv1d(codebooks * code_dims, width, 1),
            *(Mixing(width) for _ in range(depth)),
            nn.Conv1d(width, 2 * patch * cells * self.likelihood.outputs, 1),
        )

    @torch.no_grad()
    def initialise(self, batch: Batch) -> None:
        """Sets the encoder to principal components of runs, and the decoder to the regression of runs and half their neighbours on them."""
        runs, codebooks, code_dims = self.grid
        inside = self._counted(batch.lengths) > 0
        around, half = functional.pad(batch.values.flatten(1, 2), (self.patch // 2, runs * self.patch)), self.patch // 2
        # (batch, runs, cells, 2 * patch): run k, its frames from `half` on, with half of each neighbour
        windows = around.unfold(2, 2 * self.patch, self.patch)[:, :, :runs].transpose(1, 2)
        chosen = evenly(inside.nonzero()[:, 0], min(_RUNS, max(1, _WINDOWS // windows[0, 0].numel())))
        seen = windows[chosen // runs, chosen % runs]
        found = principal(seen[..., half : half + self.patch].flatten(1), min(codebooks * code_dims, self.width))
        weights, constants = as_latents(found, self.bottleneck)
        count = len(weights)
        encoder: list[Any] = list(self.encoder)
        decoder: list[Any] = list(self.decoder)
        for layer in encoder + decoder:
            if isinstance(layer, Mixing):
                nn.init.zeros_(layer.outer.weight)
                nn.init.zeros_(layer.outer.bias)  # type: ignore[arg-type]
        first, last, reader = encoder[0], encoder[-1], decoder[-1]
        # Codes are coded runs, spread evenly over all of them.
        coded_runs = seen[..., half : half + self.patch].flatten(1) @ weights.T + constants
        chosen = evenly(torch.arange(len(coded_runs)), self.codebook.counts.shape[1])
        chosen = chosen[torch.arange(self.codebook.counts.shape[1]) % len(chosen)]
        padded = functional.pad(coded_runs[chosen], (0, codebooks * code_dims - count))
        self.codebook.initialise(padded.unflatten(1, (codebooks, code_dims)).transpose(0, 1))
        first.weight[:count], first.bias[:count] = weights.unflatten(1, (-1, self.patch)), constants
        _pass(last, count)
        _pass(decoder[0], count)
        weights, constants, residuals = regression(coded_runs, self.likelihood.output_for(seen.flatten(1)))
        deviations = self.likelihood.initialise(residuals)
        reader.weight.zero_()
        reader.weight[: len(weights), :count, 0] = weights
        reader.bias.copy_(torch.cat([constants, deviations]))

    def encode_raw(self, images: Tensor) -> Tensor:
        """Returns codes before quantisation: `(batch, parts, bands, frames) -> (batch, dims)`."""
        missing = self.grid[0] * self.patch - self.spec.shape[2]
        found = self.encoder(functional.pad(images.flatten(1, 2), (0, missing)))
        return found.transpose(1, 2).flatten(1)

    def decode_raw(self, z: Tensor) -> Tensor:
        """Returns the decoder's outputs, `(batch, dims) -> (batch, likelihood.outputs * parts, bands, frames)`, without quantising z."""
        parts, bands, frames = self.spec.shape
        runs = self.decoder(z.unflatten(1, (self.grid[0], -1)).transpose(1, 2))
        runs = runs.unflatten(1, (-1, 2 * self.patch))  # (batch, outputs * cells, 2 * patch, runs), each run twice as long as its patch
        return overlapped(runs, frames).unflatten(1, (self.likelihood.outputs * parts, bands))

    def project(self, z: Tensor) -> Tensor:
        """Returns z quantised to the nearest codes: `(batch, dims) -> (batch, dims)`."""
        return self._codes(self._indices(z))

    @torch.no_grad()
    def draw(self, z: Tensor, noise: Noise, *, temperature: float) -> Tensor:
        """Returns codes `(dims,)` near a point `z (dims,)` that are likely by the prior.

        Distances count relative to the quantisation error of the encoder's outputs. temperature: 0 gives the likeliest code at each
        position; higher values also give rarer and more distant codes.
        """
        runs, _, _ = self.grid
        book = self.codebook
        evidence = -book.distances(z.unflatten(0, self.grid)) / (2 * book.spread.clamp_min(1e-9)[:, None])
        vectors = book.vectors.repeat(runs, 1, 1)
        indices = self.prior.draw(vectors, evidence.flatten(0, 1), noise, temperature=temperature)
        return self._codes(indices.view(runs, -1))[0]

    def posterior(self, batch: Batch) -> Posterior:
        """Returns the codes of the sounds as a Posterior without noise, `(batch, dims)`."""
        return self.bottleneck.posterior(self.project(self.encode_raw(batch.values)))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Returns the losses, scalars `()`, and updates the codebooks in training.

        reconstruction `()`: see `Likelihood`. commitment `()`: mean squared distance from the encoder's outputs to their codes.
        prior `()`: nats a code.
        """
        numbers = self.encode_raw(batch.values)
        if self.training:
            self.codebook.learn(numbers.detach().unflatten(1, self.grid).flatten(0, 1), self._counted(batch.lengths))
        indices = self._indices(numbers.detach())
        codes = self._codes(indices).detach()
        output = self.decode_raw(
            numbers + (codes - numbers).detach()
        )  # straight-through estimator: the gradient passes the quantisation unchanged
        return {
            "reconstruction": self.likelihood.loss(output, batch.values).mean(),
            "commitment": (numbers - codes).square().mean(),
            "prior": self._prior_loss(codes, indices),
        }

    def evaluate(self, batch: Batch) -> Evaluation:
        """Returns errors as in `ImageModel`, and metrics: `Codebook.metrics` and "prior nats a code", ln(codebook_size) by chance."""
        numbers = self.encode_raw(batch.values)
        indices = self._indices(numbers)
        codes = self._codes(indices)
        errors = self.errors(codes, batch.values)
        metrics = self.codebook.metrics(indices, self._counted(batch.lengths)) | {
            "prior nats a code": float(self._prior_loss(codes, indices).detach())
        }
        return Evaluation(errors, codes.new_zeros(self.dims), metrics)

    def _counted(self, lengths: Tensor) -> Tensor:
        """Returns 1 for the runs that train the codes, else 0, `(batch * runs,)`: those inside a sound and one after it.

        Otherwise most runs would be the silence after short sounds.
        """
        reached = (lengths * self.spec.shape[2] / (self.spec.samples * self.patch)).ceil() + 1
        return (torch.arange(self.grid[0], device=lengths.device) < reached[:, None]).float().flatten()

    def _indices(self, z: Tensor) -> Tensor:
        """`(batch, dims) -> (batch * runs, books)`."""
        return self.codebook.nearest(z.unflatten(1, self.grid).flatten(0, 1))

    def _codes(self, indices: Tensor) -> Tensor:
        """`(batch * runs, books) -> (batch, dims)`."""
        return self.codebook.look_up(indices).reshape(-1, self.dims)

    def _prior_loss(self, codes: Tensor, indices: Tensor) -> Tensor:
        return self.prior.loss(codes.unflatten(1, (-1, self.grid[2])), indices.reshape(len(codes), -1))


def _pass(layer: Any, count: int) -> None:
    """Sets the first outputs of a layer to its first inputs."""
    layer.weight[:count], layer.bias[:count] = 0.0, 0.0
    layer.weight[:count, :count, 0] = torch.eye(count)


class Mixing(nn.Module):
    """x + convolutions over three neighbouring runs."""

    def __init__(self, width: int):
        super().__init__()
        self.inner, self.outer = nn.Conv1d(width, width, 3, padding=1), nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, width, runs)`, the same shape."""
        return x + self.outer(functional.gelu(self.inner(functional.gelu(x))))


def overlapped(runs: Tensor, frames: int) -> Tensor:
    """Returns overlapping runs added: `(batch, channels, 2 * patch, runs) -> (batch, channels, frames)`.

    Run k of patch p covers its frames p·k … p·(k + 1) and half a patch of each neighbour, weighted by a triangle. The weights at a frame
    sum to 1.
    """
    patch, count = runs.shape[2] // 2, runs.shape[3]
    fade = (torch.arange(patch, device=runs.device, dtype=runs.dtype) + 0.5) / patch
    window = torch.cat([fade, fade.flip(0)])
    faded = runs * window[:, None]
    early, late = faded[:, :, :patch], faded[:, :, patch:]
    total = functional.pad(early, (0, 1)) + functional.pad(late, (1, 0))  # (batch, channels, patch, runs + 1)
    weight = functional.pad(fade[:, None].expand(-1, count), (0, 1)) + functional.pad(fade.flip(0)[:, None].expand(-1, count), (1, 0))
    whole = (total / weight).transpose(2, 3).flatten(2)
    start = patch // 2
    return whole[..., start : start + frames]
