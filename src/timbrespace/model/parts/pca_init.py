"""Where learning begins: weights that make a network the linear model that its layers can hold, so that training adds to it.

Layers with an activation between them pass a number on unchanged by two units that stand opposite each other:

    ReLU(x) - ReLU(-x) = x      SiLU, GELU: the same      leaky ReLU of slope a: (1 + a) x

What the units of a layer do not need for that keeps its random weights, but nothing behind listens to it yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from timbrespace.model.parts.bottleneck import Bottleneck
from timbrespace.model.parts.likelihood import Likelihood, logits
from timbrespace.model.parts.pca import Components, principal, regression

LOG_VARIANCE = -3.0  # of a latent at the start
_GAINS = {"none": 1.0, "relu": 1.0, "silu": 1.0, "leaky relu": 1.2}
_BOUNDED = 1 / 3  # deviation of a latent that has bounds, before they are drawn
_SMALLEST = 1e-6  # spread that counts as none
_STEEPEST = 0.25  # slope of a sigmoid


def gain_of(activation: str) -> float:
    """f(x) - f(-x) over x."""
    return _GAINS[activation]


def carries(likelihood: Likelihood, activation: str = "none", norm: str = "none", *, narrowest: int = 2) -> bool:
    """Whether a linear model passes through layers with these between them, to an output that stands for the sound itself.

    narrowest: channels of the narrowest layer; with an activation a number takes two.
    """
    linear = activation == "none" or (activation in _GAINS and narrowest > 1)
    return linear and norm == "none" and likelihood.kind != "bernoulli"


@torch.no_grad()
def initialise_layers(
    encoder: nn.Sequential, decoder: nn.Sequential, values: Tensor, *, bottleneck: Bottleneck, likelihood: Likelihood,
    sigmoid: bool = False, beside: int = 0,
) -> None:  # fmt: skip
    """Makes two perceptrons principal component analysis of `values (n, cells)`: as many components as fit through, and back.

    The way back is the regression of the values on what the encoder then says of them, before the sigmoid where there is one (`sigmoid`).
    beside: inputs of both that stand before the others and are not listened to.
    """
    found = principal(values, min(bottleneck.dims, room(encoder), room(decoder)))
    weights, constants = as_latents(found, bottleneck)
    into(encoder, weights, constants, first=beside)
    seen = nn.functional.pad(values, (beside, 0)) if beside else values
    initialise_rest(_linear(encoder)[-1], encoder(seen), found, bottleneck)
    known = bottleneck.posterior(encoder(seen)).mean[:, : len(weights)]
    wanted = logits(values) if sigmoid else likelihood.output_for(values)
    weights, constants, missed = regression(known, wanted)
    deviations = likelihood.initialise(missed * (_STEEPEST if sigmoid else 1.0))
    weights = torch.cat([weights, weights.new_zeros(len(deviations), weights.shape[1])])
    out_of(decoder, weights, torch.cat([constants, deviations]), first=beside)


def room(network: nn.Sequential) -> int:
    """Numbers that pass through the hidden layers of a perceptron unchanged; with none hidden, any count."""
    layers = _linear(network)
    return min((layer.out_features // 2 for layer in layers[:-1]), default=layers[-1].in_features)


def into(network: nn.Sequential, weights: Tensor, constants: Tensor, *, first: int = 0) -> None:
    """Makes the first k outputs of a perceptron `weights (k, inputs) · x + constants (k,)`; its others go on as they are.

    Between its layers stands ReLU, SiLU or GELU.
    first: where in the input the `inputs` begin; what lies beside them is not listened to.
    """
    *hidden, last = _linear(network)
    k = len(weights)
    for layer in hidden:
        _read(layer, 0, weights, constants, first)
        _read(layer, k, -weights, -constants, first)
        weights, constants, first = torch.cat([torch.eye(k), -torch.eye(k)], 1), torch.zeros(k), 0
    _read(last, 0, weights, constants, first)


def out_of(network: nn.Sequential, weights: Tensor, constants: Tensor, *, first: int = 0) -> None:
    """Makes a perceptron with the same between `weights (outputs, k) · x + constants (outputs,)` of the k inputs from `first` on."""
    *hidden, last = _linear(network)
    k = weights.shape[1]
    for layer in hidden:
        passed = torch.eye(k) if layer is hidden[0] else torch.cat([torch.eye(k), -torch.eye(k)], 1)
        _read(layer, 0, passed, torch.zeros(k), first)
        _read(layer, k, -passed, torch.zeros(k), first)
        first = 0
    listened = torch.cat([weights, -weights], 1) if hidden else weights
    last.weight.zero_()
    _read(last, 0, listened, constants, first)


def as_latents(found: Components, bottleneck: Bottleneck) -> tuple[Tensor, Tensor]:
    """Weights `(count, cells)` and constants `(count,)` that give components with the deviation that a latent should have.

    1 each for a prior of unit Gaussians, less where there are bounds. A plain code has no prior: its strongest component has 1, the others
    as much less as they matter less, so that an error in the code is one in the sound.
    """
    weights = found.basis * (_spread(found, bottleneck) / found.scale)[:, None]
    return weights, -(weights @ found.mean)


def _spread(found: Components, bottleneck: Bottleneck) -> Tensor:
    """Deviation that each component should have as a latent, `(count,)`."""
    if bottleneck.kind == "plain":
        return found.scale / found.scale[:1]
    return torch.full_like(found.scale, _BOUNDED if bottleneck.kind == "bounded" else 1.0)


def initialise_rest(layer: Any, numbers: Tensor, found: Components, bottleneck: Bottleneck) -> None:
    """The outputs of an encoder's last layer beyond the components found; numbers: what all are now, `(n, width)`.

    Latents that no component is left for stay random, about 0 and spread no wider than the weakest of the others, or a decoder would hear
    them louder than those that tell something. Log variances, where there are any, are all `LOG_VARIANCE`.
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
    """Deviations that a last transposed layer gives in its second half of channels, or those of the likelihood itself."""
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
    """Makes convolutions and their transposed mirror principal components of blocks, of components of blocks …: `(n, count, …)` at the top.

    Every layer sees the cells of its stride and nothing of its neighbours' yet, as many components as it has channels (or pairs of them):

        cells  ▪▪▪▪▪▪▪▪      stride 2: blocks of 2 (in a picture 2 x 2), each its first components
               ╲╱╲╱╲╱╲╱
                ▪ ▪ ▪ ▪       and again

    down: the layers from the sound on, up: the mirror, from the top on. values `(n, parts, …)`; activation between layers, last: after
    the last of `down` too. inside: which places along the last axis count, `(n, frames)`.
    """
    gain, steps, pairs = _GAINS[activation], [], False
    for index, layer in enumerate(down):
        paired = activation != "none" and (last or index < len(down) - 1)
        stride, kernel = tuple(layer.stride), tuple(layer.kernel_size)
        places = [(size + 2 * pad - k) // s + 1 for size, pad, k, s in zip(values.shape[2:], layer.padding, kernel, stride, strict=True)]
        mean = _channel_mean(values, inside)
        if any(k > s and not pad for s, k, pad in zip(stride, kernel, layer.padding, strict=True)):
            mean = torch.zeros_like(mean)  # the mirror ends in cells of no block, which would show it alone: a burst after the sound
        blocks = _blocks(values - mean.view(1, -1, *[1] * len(stride)), stride, places)  # (n, places…, channels * stride…)
        if inside is not None:
            inside = _whole(inside, stride[-1], places[-1])
        vectors = blocks.flatten(1, -2) if inside is None else blocks
        chosen = vectors.flatten(0, 1) if inside is None else vectors.flatten(1, -2)[inside]
        basis = principal(chosen, layer.out_channels // (2 if paired else 1), mean=torch.zeros(chosen.shape[1])).basis
        basis = basis if len(basis) else torch.eye(1, chosen.shape[1])  # of silence: any direction will do
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
    """`(n, channels, size…) -> (n, places…, channels * stride…)`; where a last block is not there in full, zeros."""
    wanted = [place * s for place, s in zip(places, stride, strict=True)]
    padding = [x for have, want in zip(reversed(values.shape[2:]), reversed(wanted), strict=True) for x in (0, want - have)]
    values = nn.functional.pad(values, padding)
    if len(stride) == 1:
        return values.unflatten(2, (places[0], stride[0])).permute(0, 2, 1, 3).flatten(2)
    blocks = values.unflatten(3, (places[1], stride[1])).unflatten(2, (places[0], stride[0]))  # (n, c, h, s, w, s)
    return blocks.permute(0, 2, 4, 1, 3, 5).flatten(3)


def _place(layer: Any, stride: Sequence[int]) -> tuple[slice, ...]:
    """Where in a kernel the cells of its own stride lie: in the middle of those that also reach to their neighbours, else first."""
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
    """Weights `(inputs, outputs, …)`, as those of transposed layers lie."""
    return layer.weight.transpose(0, 1) if isinstance(layer, nn.Conv1d) else layer.weight


def _transpose(layer: Any, weights: Tensor, mean: Tensor, gain: float | None, paired: bool) -> None:
    """The layer gives `channels` numbers (and their opposites), out of `count` (and theirs)."""
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
