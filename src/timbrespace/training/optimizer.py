"""AdamW, and on a CPU a way to take its steps in wide layers block by block, without ever storing their gradients.

A step of a layer of millions of weights with few sounds waits for memory: its gradient is written, read and written again to be clipped,
read again to be used. But the gradient of a linear layer is a product of two thin matrices, its inputs x `(sounds, in)` and what comes
back to its outputs g `(sounds, out)`:

    G = gᵀ x        |G|² = Σ (g gᵀ) ∘ (x xᵀ)        rows k…l of G = gᵀ[k…l] x

so that its norm takes no gradient at all, and a block of rows can be made, used and forgotten while it is in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.adamw import adamw

from timbrespace.config import Training

CLIPPED = 5.0  # the norm of all gradients together, at most
_WIDE = 2**20  # weights of a layer that no cache next to a core holds
_BLOCK = 2**19  # weights of a block: with its gradient and moments it is in the cache
_DEAR = 10  # times cheaper than the gradient its norm must be

Pairs = list[tuple[Tensor, Tensor]]


def make_optimizer(model: nn.Module, settings: Training, *, fabric: Fabric) -> Optimizer:
    """AdamW over all parameters with the rate and decay of `settings`.

    On a CPU its pass over memory is one instead of nine; wide layers learn in blocks where one process learns in full precision.
    """
    here = fabric.device.type == "cpu"  # elsewhere half precision with clipped gradients does not go with one pass
    plain = not here or fabric.world_size > 1 or fabric.strategy.precision.precision != "32-true" or settings.compiled
    layers = [] if plain else wide_layers(model, settings.batch)
    return Optimizer(model, layers, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=here)


def wide_layers(model: nn.Module, batch: int) -> list[nn.Linear]:
    """Linear layers that learn and whose gradients of `batch` sounds are worth not storing."""
    layers = [layer for layer in model.modules() if type(layer) is nn.Linear and layer.weight.requires_grad]
    wide = [layer for layer in layers if layer.weight.numel() >= max(_WIDE, _DEAR * batch * (layer.in_features + layer.out_features))]
    return [layer for layer in wide if layer.bias is not None and layer.bias.requires_grad]  # else nothing may come back to a first layer


def clip_gradients(fabric: Fabric, module: Any, optimizer: Optimizer) -> None:
    """Shrinks all gradients together to a norm of at most 5; one that is not finite stays so, which the next check tells in words."""
    if optimizer.layers:
        optimizer.clip(CLIPPED)
    else:  # which knows of gradients in half precision, and of those that other processes hold
        fabric.clip_gradients(module, optimizer, max_norm=CLIPPED, error_if_nonfinite=False)


class Optimizer(torch.optim.AdamW):
    """AdamW that takes the steps of some linear layers in blocks; its state is that of AdamW.

    layers: of `model`, with biases; their weights get no `grad` from what runs inside `in_blocks`. Other options as AdamW has them.
    """

    def __init__(self, model: nn.Module, layers: list[nn.Linear], **options: Any):
        super().__init__(model.parameters(), **options)
        self.layers = layers
        self._pairs: dict[nn.Linear, Pairs] = {}

    @contextmanager
    def in_blocks(self) -> Iterator[None]:
        """Around the forward and the backward pass."""
        with ExitStack() as after:
            for layer in self.layers:
                layer.weight.requires_grad_(False)
                after.callback(layer.weight.requires_grad_, True)
                after.callback(layer.register_forward_hook(self._listen).remove)
            yield

    def _listen(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer, nn.Linear)
        pairs, x = self._pairs.setdefault(layer, []), inputs[0].detach().reshape(-1, layer.in_features)
        if output.requires_grad:
            output.register_hook(lambda gradient: pairs.append((x, gradient.reshape(-1, layer.out_features))))

    @torch.no_grad()
    def clip(self, most: float) -> Tensor:
        """Shrinks all gradients together to a norm of `most`, and gives what it was; as `torch.nn.utils.clip_grad_norm_`."""
        stored = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        squares = [torch.nn.utils.get_total_norm(stored).square()]
        for pairs in filter(None, self._pairs.values()):
            x, gradient = _joined(pairs)
            squares.append(((gradient @ gradient.T) * (x @ x.T)).sum().clamp_min(0))
        norm = torch.stack(squares).sum().sqrt()
        shrunk = (most / (norm + 1e-6)).clamp(max=1.0)
        torch._foreach_mul_(stored, shrunk)
        for pairs in self._pairs.values():
            pairs[:] = [(x, gradient * shrunk) for x, gradient in pairs]
        return norm

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Of all parameters that have a gradient."""
        loss = super().step(closure)
        for layer, pairs in self._pairs.items():
            if pairs:
                self._step(layer.weight, *_joined(pairs))
        return loss

    def _step(self, weight: Tensor, x: Tensor, gradient: Tensor) -> None:
        group, state = self.param_groups[0], self.state[weight]
        if not state:
            state |= {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(weight), "exp_avg_sq": torch.zeros_like(weight)}
        gradient = gradient.T.contiguous()
        # A block reads all of x: more rows than sounds, lest that be most of what is read.
        rows = max(_BLOCK // weight.shape[1], len(x))
        options = {name: group[name] for name in ("lr", "weight_decay", "eps", "amsgrad", "maximize")}
        beta1, beta2 = group["betas"]
        for start in range(0, len(weight), rows):
            block = slice(start, start + rows)
            adamw(
                params=[weight[block]], grads=[gradient[block] @ x], exp_avgs=[state["exp_avg"][block]],
                exp_avg_sqs=[state["exp_avg_sq"][block]], max_exp_avg_sqs=[], state_steps=[state["step"].clone()],
                fused=True, beta1=beta1, beta2=beta2, **options,
            )  # fmt: skip
        state["step"] += 1

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets all gradients."""
        super().zero_grad(set_to_none)
        self._pairs.clear()


def _joined(pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Inputs `(rows, in)` and gradients of outputs `(rows, out)` of all calls of a layer, one below the other."""
    x, gradient = (torch.cat(parts) if len(parts) > 1 else parts[0] for parts in zip(*pairs, strict=True))
    return x, gradient
