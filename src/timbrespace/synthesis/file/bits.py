"""Weights of fewer bits in an instrument file: halves, or 8 bits with one scale a row."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, InstrumentFileError
from timbrespace.synthesis.file.layout import HALF_PRECISION, MODEL, REST, SCALE

_MOST = 127  # of 8 bits
_LARGEST_HALF = 65_504.0
_FIRST = 32  # components that vary most: what 8 bits leave of them is kept too


def with_bits(tensors: Mapping[str, Tensor], bits: int) -> dict[str, Tensor]:
    """Returns the tensors of a file, the matrices of its model with fewer bits: half the size of single precision, or a quarter.

    bits: 16: halves. 8: whole numbers from -127 to 127, and beside each tensor `NAME` a tensor `NAME.scale (rows,)`: row k is the whole
    numbers times scale k. The first 32 principal components have a second such tensor, `NAME.rest`, which is added. Decoded levels then
    differ by about 0.001 and 0.04 dB (root mean square). The density stays as it is, so that a seed draws the same latents.
    Raises ConfigError for other bits.
    """
    if bits not in (8, 16):
        raise ConfigError(f"bits is {bits!r}, allowed are 16 and 8, or None for weights as they were trained")
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not name.startswith(MODEL) or tensor.ndim < 2 or not tensor.is_floating_point():
            found[name] = tensor
        elif bits == 16:
            found[name] = tensor.clamp(-_LARGEST_HALF, _LARGEST_HALF).half()
        else:
            found |= _in_bytes(name, tensor)
            if name.removeprefix(MODEL) in HALF_PRECISION:
                found |= _in_bytes(name + REST, (tensor.float() - _in_floats(name, found))[:_FIRST])
    return found


def restored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors of a file, those of 8 bits as floats. Raises InstrumentFileError for scales or rests that do not fit."""
    eight = {name for name, tensor in tensors.items() if tensor.dtype == torch.int8}
    rests = {name for name in eight if name.endswith(REST) and name.removesuffix(REST) in eight}
    own = {name + SCALE for name in eight}
    found = {name: tensor for name, tensor in tensors.items() if name not in own | rests}
    for name in sorted(eight - rests):
        if name + SCALE not in tensors:
            continue  # whole numbers, which no instrument has: refused by its name
        found[name] = _in_floats(name, tensors)
        if name + REST in rests:
            rest = _in_floats(name + REST, tensors)
            if len(rest) > len(found[name]) or rest.shape[1:] != found[name].shape[1:]:
                raise InstrumentFileError(f"{name}{REST} is {tuple(rest.shape)} for {tuple(found[name].shape)}; the file is damaged")
            found[name][: len(rest)] += rest
    return found


def _in_bytes(name: str, tensor: Tensor) -> dict[str, Tensor]:
    rows = tensor.float().flatten(1)
    scale = rows.abs().amax(1) / _MOST
    whole = (rows / torch.where(scale > 0, scale, 1.0)[:, None]).round().clamp(-_MOST, _MOST)
    return {name: whole.to(torch.int8).reshape(tensor.shape), name + SCALE: scale}


def _in_floats(name: str, tensors: Mapping[str, Tensor]) -> Tensor:
    """Whole numbers times their scales. Raises InstrumentFileError."""
    rows, scale = tensors[name], tensors.get(name + SCALE, torch.empty(0))
    fits = rows.ndim > 0 and scale.is_floating_point() and tuple(scale.shape) == (len(rows),)
    if not fits or not bool((scale.isfinite() & (scale >= 0)).all()):
        raise InstrumentFileError(f"{name}{SCALE} does not fit {name} of {tuple(rows.shape)}; the file is damaged")
    return rows.float() * scale.float().reshape(-1, *[1] * (rows.ndim - 1))
