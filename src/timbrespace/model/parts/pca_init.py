"""PCA initialisation: weights that make a network a linear model before the first step, as far as its layers can be one.

Two units of opposite sign pass a number through an activation unchanged:

    ReLU(x) - ReLU(-x) = x      SiLU, GELU: the same      leaky ReLU of slope a: (1 + a) x

The other units of a layer keep their random weights; the next layer starts with zero weights for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from timbrespace.model.parts.bottleneck import Bottleneck
from timbrespace.model.parts.likelihood import Likelihood, logits
from timbrespace.model.parts.pca import Components, principal, regression

LOG_VARIANCE = -3.0  # of a latent before the first step
_GAINS = {"none": 1.0, "relu": 1.0, "silu": 1.0, "leaky relu": 1.2}
_BOUNDED = 1 / 3  # deviation of a bounded latent, before the tanh
_SMALLEST = 1e-6  # a smaller deviation counts as zero
_STEEPEST = 0.25  # largest slope of a sigmoid


def gain_of(activation: str) -> float:
    """Returns (f(x) - f(-x)) / x of an activation f."""
    return _GAINS[activation]


def carries(likelihood: Likelihood, activation: str = "none", norm: str = "none", *, narrowest: int = 2) -> bool:
    """Returns whether layers with this activation and norm can be a linear model, up to an output that is the expected sound.

    narrowest: channels of the narrowest layer; with an activation a number needs two.
    """
    linear = activation == "none" or (activation in _GAINS and narrowest > 1)
    return linear and norm == "none" and likelihood.kind != "bernoulli"


@torch.no_grad()
def initialise_layers(
    encoder: nn.Sequential, decoder: nn.Sequential, values: Tensor, *, bottleneck: Bottleneck, likelihood: Likelihood,
    sigmoid: bool = False, beside: int = 0,
) -> None:  # fmt: skip
    """Sets two perceptrons to principal component analysis of `values (n, cells)`, with as many components as the layers can pass on.

    The decoder is the regression of the values on the latents of the encoder; sigmoid: of the values before a final sigmoid.
    beside: further inputs of both, before the others; their weights are zero.
    """
    found = principal(values, min(bottleneck.dims, room(encoder), room(decoder)))
    weights, constants = as_latents(found, bottleneck)
    into(encoder, weights, constants, first=beside)
    seen = nn.functional.pad(values, (beside, 0)) if beside else values
    initialise_rest(_linear(encoder)[-1], encoder(seen), found, bottleneck)
    known = bottleneck.posterior(encoder(seen)).mean[:, : len(weights)]
    wanted = logits(values) if sigmoid else likelihood.output_for(values)
    weights, constants, residuals = regression(known, wanted)
    deviations = likelihood.initialise(residuals * (_STEEPEST if sigmoid else 1.0))
    weights = torch.cat([weights, weights.new_zeros(len(deviations), weights.shape[1])])
    out_of(decoder, weights, torch.cat([constants, deviations]), first=beside)


def room(network: nn.Sequential) -> int:
    """Returns how many numbers the hidden layers of a perceptron can pass on unchanged; its inputs without hidden layers."""
    layers = _linear(network)
    return min((layer.out_features // 2 for layer in layers[:-1]), default=layers[-1].in_features)


def into(network: nn.Sequential, weights: Tensor, constants: Tensor, *, first: int = 0) -> None:
    """Sets the first k outputs of a perceptron to `weights (k, inputs) · x + constants (k,)`; the others stay random.

    The activation between its layers is ReLU, SiLU or GELU. first: index of the first of `inputs`; other inputs get zero weights.
    """
    *hidden, last = _linear(network)
    k = len(weights)
    for layer in hidden:
        _read(layer, 0, weights, constants, first)
        _read(layer, k, -weights, -constants, first)
        weights, constants, first = torch.cat([torch.eye(k), -torch.eye(k)], 1), torch.zeros(k), 0
    _read(last, 0, weights, constants, first)


def out_of(network: nn.Sequential, weights: Tensor, constants: Tensor, *, first: int = 0) -> None:
    """Sets a perceptron to `weights (outputs, k) · x + constants (outputs,)` of the k inputs from `first` on; activations as in `into`."""
    *hidden, last = _linear(network)
    k = weights.shape[1]
    for layer in hidden:
        passed = torch.eye(k) if layer is hidden[0] else torch.cat([torch.eye(k), -torch.eye(k)], 1)
        _read(layer, 0, passed, torch.zeros(k), first)
        _read(layer, k, -passed, torch.zeros(k), first)
        first = 0
    paired = torch.cat([weights, -weights], 1) if hidden else weights
    last.weight.zero_()
    _read(last, 0, paired, constants, first)


def as_latents(found: Components, bottleneck: Bottleneck) -> tuple[Tensor, Tensor]:
    """Returns weights `(count, cells)` and constants `(count,)` that map values to components with the deviation a latent should have.

    Deviations are 1 for a prior of unit Gaussians, less for a bounded latent. A plain code has no prior: the strongest component has 1, the
    others keep their proportion, so that an error in the code is as large in the sound.
    """
    weights = found.basis * (_spread(found, bottleneck) / found.scale)[:, None]
    return weights, -(weights @ found.mean)


def _spread(found: Components, bottleneck: Bottleneck) -> Tensor:
    """Returns the deviation that each component should have as a latent, `(count,)`."""
    if bottleneck.kind == "plain":
        return found.scale / found.scale[:1]
    return torch.full_like(found.scale, _BOUNDED if bottleneck.kind == "bounded" else 1.0)


def initialise_rest(layer: Any, numbers: Tensor, found: Components, bottleneck: Bottleneck) -> None:
    """Sets the outputs of an encoder's last layer beyond the components. numbers: the present outputs `(n, width)`.

    Latents without a component stay random, with mean 0 and a deviation no larger than that of the weakest component, so that they do not
    dominate the decoder. Log variances, if any, are set to `LOG_VARIANCE`.
    """
    rest = slice(len(found.scale), bottleneck.dims)
    if len(found.scale) < bottleneck.dims:
        widest = _spread(found, bottleneck).min() if len(found.scale) else torch.ones(())
        shrunk = (widest / numbers[:, rest].std(0, correction=0).clamp_min(_SMALLEST)).clamp_max(1.0)
        layer.weight[rest] *= shrunk.view(-1, *[1] * (layer.weight.ndim - 1))
        layer.bias[rest] = (layer.bias[rest] - numbers[:, rest].mean(0)) * shrunk
    layer.weight[bottleneck.dims :] = 0.0
    layer.bias[bottleneck.dims :] = LOG_VARIANCE


@torch.no_grad()
def initialise_deviations(layer: Any, likelihood: Likelihood, difference: Tensor) -> None:
    """Sets the deviations in the second half of the channels of a last transposed layer, or those of the likelihood, from residuals."""
    deviation = likelihood.initialise(difference.square().mean().sqrt()[None])
    if len(deviation):
        outputs = slice(layer.out_channels // 2, None)
        _by_inputs(layer)[:, outputs] = 0.0
        layer.bias[outputs] = deviation


def _linear(network: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in network if isinstance(layer, nn.Linear)]


def _read(layer: nn.Linear, row: int, weights: Tensor, constants: Tensor, first: int) -> None:
    rows = slice(row, row + len(weights))
    layer.weight[rows] = 0.0
    layer.weight[rows, first : first + weights.shape[1]] = weights
    layer.bias[rows] = constants


@torch.no_grad()
def initialise_blocks(
    down: Sequence[Any], up: Sequence[Any], values: Tensor, *, activation: str = "none", last: bool = False,
    inside: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Sets convolutions and their transposed mirror to principal components of blocks; returns those of the top layer `(n, count, …)`.

    Every layer reads the cells of its stride only, and has as many components as channels (or pairs of channels):

        cells  ▪▪▪▪▪▪▪▪      stride 2: blocks of 2 (in a picture 2 x 2), each its first components
               ╲╱╲╱╲╱╲╱
                ▪ ▪ ▪ ▪       and again

    down: the encoder's layers. up: the decoder's layers. values: `(n, parts, …)`. activation: between layers. last: also after the last
    of `down`. inside: which positions along the last axis belong to the sounds, `(n, frames)`.
    """
    gain, steps, pairs = _GAINS[activation], [], False
    for index, layer in enumerate(down):
        paired = activation != "none" and (last or index < len(down) - 1)
        stride, kernel = tuple(layer.stride), tuple(layer.kernel_size)
        places = [(size + 2 * pad - k) // s + 1 for size, pad, k, s in zip(values.shape[2:], layer.padding, kernel, stride, strict=True)]
        mean = _channel_mean(values, inside)
        if any(k > s and not pad for s, k, pad in zip(stride, kernel, layer.padding, strict=True)):
            mean = torch.zeros_like(
                mean
            )  # the mirror ends in cells outside all blocks, where the mean alone would be a burst after the sound
        blocks = _blocks(values - mean.view(1, -1, *[1] * len(stride)), stride, places)  # (n, places…, channels * stride…)
        if inside is not None:
            inside = _whole(inside, stride[-1], places[-1])
        vectors = blocks.flatten(1, -2) if inside is None else blocks
        chosen = vectors.flatten(0, 1) if inside is None else vectors.flatten(1, -2)[inside]
        basis = principal(chosen, layer.out_channels // (2 if paired else 1), mean=torch.zeros(chosen.shape[1])).basis
        basis = basis if len(basis) else torch.eye(1, chosen.shape[1])  # silence has no components: any direction is as good
        steps.append((basis, mean, stride))
        weights = basis.unflatten(1, (-1, *stride))  # (count, channels, stride…)
        _convolve(layer, weights, -(weights.flatten(2).sum(2) @ mean), gain if pairs else None, paired)
        values, pairs = (blocks @ basis.T).movedim(-1, 1), paired
    for layer, (basis, mean, stride) in zip(up, reversed(steps), strict=True):
        begins, ends = layer is up[0], layer is up[-1]
        weights = basis.unflatten(1, (-1, *stride))
        _transpose(layer, weights, mean, None if begins or activation == "none" else gain, activation != "none" and not ends)
    return values


def _channel_mean(values: Tensor, inside: Tensor | None) -> Tensor:
    if inside is None:
        return values.transpose(0, 1).flatten(1).mean(1)
    return values.movedim(1, -1)[inside].mean(0)  # along time alone


def _whole(inside: Tensor, stride: int, places: int) -> Tensor:
    return inside[:, : places * stride].unflatten(1, (places, stride)).all(2)


def _blocks(values: Tensor, stride: Sequence[int], places: Sequence[int]) -> Tensor:
    """`(n, channels, size…) -> (n, places…, channels * stride…)`; an incomplete last block is filled with zeros."""
    wanted = [place * s for place, s in zip(places, stride, strict=True)]
    padding = [x for have, want in zip(reversed(values.shape[2:]), reversed(wanted), strict=True) for x in (0, want - have)]
    values = nn.functional.pad(values, padding)
    if len(stride) == 1:
        return values.unflatten(2, (places[0], stride[0])).permute(0, 2, 1, 3).flatten(2)
    blocks = values.unflatten(3, (places[1], stride[1])).unflatten(2, (places[0], stride[0]))  # (n, c, h, s, w, s)
    return blocks.permute(0, 2, 4, 1, 3, 5).flatten(3)


def _place(layer: Any, stride: Sequence[int]) -> tuple[slice, ...]:
    """Returns the position of a stride's cells in the kernel: in the middle of a padded kernel, else first."""
    centred = any(layer.padding)
    begins = [(kernel - s) // 2 if centred else 0 for kernel, s in zip(layer.kernel_size, stride, strict=True)]
    return tuple(slice(begin, begin + s) for begin, s in zip(begins, stride, strict=True))


def _convolve(layer: Any, weights: Tensor, constants: Tensor, gain: float | None, paired: bool) -> None:
    count, channels = weights.shape[:2]
    place = _place(layer, weights.shape[2:])
    for sign, rows in ((1, slice(0, count)), (-1, slice(count, 2 * count))):
        if sign < 0 and not paired:
            return
        layer.weight[rows] = 0.0
        layer.weight[(rows, slice(0, channels), *place)] = sign * weights / (gain or 1.0)
        if gain is not None:
            layer.weight[(rows, slice(channels, 2 * channels), *place)] = -sign * weights / gain
        layer.bias[rows] = sign * constants


def _by_inputs(layer: Any) -> Tensor:
    """Returns weights as `(inputs, outputs, …)`, the order of transposed layers."""
    return layer.weight.transpose(0, 1) if isinstance(layer, nn.Conv1d) else layer.weight


def _transpose(layer: Any, weights: Tensor, mean: Tensor, gain: float | None, paired: bool) -> None:
    """Sets a layer that maps `count` numbers (and their opposites) to `channels` (and theirs)."""
    count, channels = weights.shape[:2]
    place = _place(layer, weights.shape[2:])
    kernel = _by_inputs(layer)
    for sign, outputs in ((1, slice(0, channels)), (-1, slice(channels, 2 * channels))):
        if sign < 0 and not paired:
            return
        kernel[:, outputs] = 0.0
        kernel[(slice(0, count), outputs, *place)] = sign * weights / (gain or 1.0)
        if gain is not None:
            kernel[(slice(count, 2 * count), outputs, *place)] = -sign * weights / gain
        layer.bias[outputs] = sign * mean
