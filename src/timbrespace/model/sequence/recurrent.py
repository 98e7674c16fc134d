"""`recurrent`, `recurrent-clip`: recurrent encoder and decoder (RNN, GRU, LSTM) along the frames (source B)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from timbrespace.model.base import Batch, Posterior
from timbrespace.model.clip.base import Dims, ImageModel
from timbrespace.model.parts.bottleneck import Kind as BottleneckKind
from timbrespace.model.parts.likelihood import Kind as LikelihoodKind
from timbrespace.model.parts.pca import evenly, principal, regression
from timbrespace.model.parts.pca_init import as_latents, initialise_rest
from timbrespace.model.sequence.autoregressive import WholeSequenceModel
from timbrespace.model.sequence.base import SLICES
from timbrespace.representation.spec import FeatureSpec

_CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
# Bias of each gate, in the order of the weights, so that a unit passes its input on; None: the input itself.
_GATES: dict[str, tuple[float | None, ...]] = {"RNN_TANH": (None,), "GRU": (0.0, -6.0, None), "LSTM": (6.0, -6.0, None, 6.0)}
_SMALL = 0.05
Cell = Annotated[Literal["rnn", "gru", "lstm"], Field()]
Width = Annotated[int, Field(ge=1, le=8_192)]
Depth = Annotated[int, Field(ge=1, le=8)]


class Recurrent(WholeSequenceModel):
    """A recurrent network over slices, whose states give controls; a second one over controls, whose states give slices.

    The states replace the previous slice of `autoregressive`, so training and use are the same, without teacher forcing.
    dims: controls a step. cell: rnn, gru or lstm. width, depth: of both networks. The rest: see `SequenceModel`.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        dims: Dims = 4,
        cell: Cell = "gru",
        width: Width = 128,
        depth: Depth = 1,
        bottleneck: BottleneckKind = "plain",
        likelihood: LikelihoodKind = "squared",
    ):
        super().__init__(spec, dims=dims, bottleneck=bottleneck, likelihood=likelihood)
        self.encoder = _CELLS[cell](spec.cells, width, depth, batch_first=True)
        self.controls = nn.Linear(width, self.bottleneck.width)
        self.decoder = _CELLS[cell](dims, width, depth, batch_first=True)
        self.slice = nn.Linear(width, spec.cells * self.likelihood.outputs)

    @torch.no_grad()
    def initialise(self, batch: Batch) -> None:
        """Sets the controls to principal components of the frames; the first units of both networks pass their input on."""
        found = principal(self.frames_inside(batch), min(self.dims, self.encoder.hidden_size))
        weights, constants = as_latents(found, self.bottleneck)
        pass_on(self.encoder, weights, constants)
        count = len(weights)
        self.controls.weight[:count], self.controls.bias[:count] = 0.0, 0.0
        self.controls.weight[:count, :count] = torch.eye(count) / _SMALL
        inside = self.inside(batch.lengths)
        rows = evenly(torch.arange(len(inside)), max(1, 4 * SLICES // int(inside.max())))  # states take more memory than frames
        inside, frames = inside[rows], int(inside.max())
        images = batch.values[rows][..., :frames]
        counts = torch.arange(frames, device=inside.device) < inside[:, None]
        numbers = self.controls(self.encoder(self.slices(images))[0])
        initialise_rest(self.controls, numbers[counts], found, self.bottleneck)
        pass_on(self.decoder, torch.eye(count), torch.zeros(count))
        z = self.bottleneck.posterior(self.encode_raw(images)).mean
        states = self.decoder(z.mT)[0][..., :count][counts]
        weights, constants, residuals = regression(states, self.likelihood.output_for(self.slices(images)[counts]))
        deviations = self.likelihood.initialise(residuals)
        self.slice.weight.zero_()
        self.slice.weight[: len(weights), :count] = weights
        self.slice.bias.copy_(torch.cat([constants, deviations]))

    def encode_raw(self, images: Tensor) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, bottleneck.width, frames)`."""
        return self.controls(self.encoder(self.slices(images))[0]).mT

    def decode_raw(self, z: Tensor) -> Tensor:
        """`(batch, dims, steps) -> (batch, likelihood.outputs * parts, bands, steps)`."""
        return self.joined(self.slice(self.decoder(z.mT)[0]))


def pass_on(memory: nn.RNNBase, weights: Tensor, constants: Tensor) -> None:
    """Sets the first k units of a recurrent network's last layer to about `_SMALL` times `weights (k, inputs) · x + constants (k,)`.

    Small, because a tanh is linear there; the gates pass the input and forget the state.
    """
    k, width = len(weights), memory.hidden_size
    weights, constants = _SMALL * weights, _SMALL * constants
    for layer in range(memory.num_layers):
        inputs, states, bias, more = (getattr(memory, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        for gate, constant in enumerate(_GATES[memory.mode]):
            units = slice(gate * width, gate * width + k)
            inputs[units], states[units], bias[units], more[units] = 0.0, 0.0, constant or 0.0, 0.0
            if constant is None:
                inputs[units, : weights.shape[1]], bias[units] = weights, constants
        weights, constants = torch.eye(k), torch.zeros(k)


class RecurrentClip(ImageModel):
    """The latent is made from the encoder's state at the sound's end; the decoder gets it as initial state and as input of every frame.

    dims: latent size. cell, width, depth: see `Recurrent`. The rest: see `ImageModel`.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        dims: Dims = 16,
        cell: Cell = "gru",
        width: Width = 256,
        depth: Depth = 1,
        bottleneck: BottleneckKind = "gaussian",
        likelihood: LikelihoodKind = "squared",
    ):
        super().__init__(spec, dims=dims, bottleneck=bottleneck, likelihood=likelihood)
        self.states = 2 if cell == "lstm" else 1
        self.encoder = _CELLS[cell](spec.cells, width, depth, batch_first=True)
        self.last = nn.Linear(width, self.bottleneck.width)
        self.first = nn.Linear(dims, self.states * depth * width)
        self.decoder = _CELLS[cell](dims, width, depth, batch_first=True)
        self.slice = nn.Linear(width, spec.cells * self.likelihood.outputs)

    def posterior(self, batch: Batch) -> Posterior:
        """Returns the Posterior `(batch, dims)` of images `(batch, parts, bands, frames)`, from the states at the true ends."""
        states = self.encoder(batch.values.flatten(1, 2).mT)[0]
        frames = states.shape[1]
        ends = (batch.lengths.to(states.device) * frames / self.spec.samples).ceil().long().clamp(1, frames) - 1
        return self.bottleneck.posterior(self.last(states[torch.arange(len(states), device=states.device), ends]))

    def encode_raw(self, images: Tensor) -> Tensor:
        """Returns the encoder's outputs for sounds of full length: `(batch, parts, bands, frames) -> (batch, bottleneck.width)`."""
        return self.last(self.encoder(images.flatten(1, 2).mT)[0][:, -1])

    def decode_raw(self, z: Tensor) -> Tensor:
        """`(batch, dims) -> (batch, likelihood.outputs * parts, bands, frames)`."""
        parts, bands, frames = self.spec.shape
        # (batch, states * depth * width) -> (states, depth, batch, width)
        initial = torch.tanh(self.first(z)).unflatten(1, (self.states, self.decoder.num_layers, -1)).permute(1, 2, 0, 3).contiguous()
        inputs = z[:, None].expand(-1, frames, -1)
        outputs = self.slice(self.decoder(inputs, initial[0] if self.states == 1 else (initial[0], initial[1]))[0])
        return outputs.mT.unflatten(1, (self.likelihood.outputs * parts, bands))
