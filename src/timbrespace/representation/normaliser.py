"""Statistics of features over a corpus, and the affine map that normalises features with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, ShapeError

Kind = Literal["none", "range", "standard", "band"]
KINDS: tuple[str, ...] = get_args(Kind)
_AROUND_ZERO = ("signed", "cyclic")  # kinds of parts, see `axes`
_CONSTANT = 1e-6  # a band counts as constant if its deviation is under this share of that of all features


@dataclass(frozen=True)
class Normaliser:
    """An affine map of features and its inverse.

    kind: 'standard' gives mean 0 and standard deviation 1 over the corpus, 'band' in every part and band. 'range' maps levels and
    magnitudes to 0 to 1, and signed quantities (samples, phases) to -1 to 1 without a shift, which would cost quiet values precision. Parts
    of one kind share statistics, so that real and imaginary part, or left and right, keep their proportion.
    shift, scale: `(parts, bands, 1)` for 'band', else `(parts, 1, 1)`; finite, scale over 0. Raises ConfigError.
    """

    kind: str
    shift: Tensor
    scale: Tensor

    def __post_init__(self) -> None:
        if check_kind(self.kind) == "none":
            raise ConfigError("the normalisation is 'none', which needs no normaliser; leave it out")
        for name, tensor in self.state().items():
            if tensor.ndim != 3 or tensor.shape[-1] != 1 or (self.kind != "band" and tensor.shape[1] != 1):
                expected = "(parts, bands, 1)" if self.kind == "band" else "(parts, 1, 1)"
                raise ConfigError(f"{name} of the normalisation {self.kind!r} has the shape {tuple(tensor.shape)}, {expected} is needed")
            if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
                raise ConfigError(f"{name} of the normalisation {self.kind!r} holds values that are not finite numbers; fit it again")
        if self.shift.shape != self.scale.shape:
            raise ConfigError(
                f"shift {tuple(self.shift.shape)} and scale {tuple(self.scale.shape)} of a normalisation must have the same shape"
            )
        if not (self.scale > 0).all():
            raise ConfigError(
                f"the scale of the normalisation {self.kind!r} is {float(self.scale.min()):g} at its smallest; it must be over 0"
            )

    def apply(self, features: Tensor) -> Tensor:
        """Returns normalised features: `(…, parts, bands, frames)`, same shape."""
        return (features - self.shift.to(features)) / self.scale.to(features)

    def undo(self, features: Tensor) -> Tensor:
        """Returns features for normalised ones: `(…, parts, bands, frames)`, same shape."""
        return features * self.scale.to(features) + self.shift.to(features)

    def state(self) -> dict[str, Tensor]:
        """Returns shift and scale, the tensors of an instrument file."""
        return {"shift": self.shift, "scale": self.scale}


class Moments:
    """Running count, mean, variance, minimum and maximum of every part and band (Chan, Golub & LeVeque 1979).

    Float64 `(parts, bands)` each: memory does not grow with the number of sounds, and early and late sounds weigh the same.
    """

    def __init__(self, parts: int, bands: int):
        self.count = 0
        self.mean, self.squares = (torch.zeros(parts, bands, dtype=torch.float64) for _ in range(2))
        self.minimum, self.maximum = (torch.full((parts, bands), sign * torch.inf, dtype=torch.float64) for sign in (1, -1))

    def update(self, features: Tensor, *, frames: Tensor | None = None) -> None:
        """Adds features `(batch, parts, bands, frames)`. frames: `(batch,)`, how many are not padding; default: all. Raises ShapeError."""
        shape = tuple(self.mean.shape)
        if features.ndim != 4 or tuple(features.shape[1:3]) != shape:
            raise ShapeError(f"features must be (batch, {shape[0]}, {shape[1]}, frames), not {tuple(features.shape)}")
        if not torch.isfinite(features).all():
            raise ShapeError("features hold NaN or infinite values, which have no mean; leave that sound out")
        counts = [features.shape[-1]] * len(features) if frames is None else [int(count) for count in frames]
        if len(counts) != len(features) or any(not 0 <= count <= features.shape[-1] for count in counts):
            raise ShapeError(f"frames must be {len(features)} numbers from 0 to {features.shape[-1]}, one per sound")
        for sound, count in zip(features.detach(), counts, strict=True):
            if not count:
                continue
            values = sound[..., :count].to("cpu", torch.float64)
            mean = values.mean(-1)
            difference = mean - self.mean
            total = self.count + count
            self.squares += (values - mean[..., None]).square().sum(-1) + difference.square() * (self.count * count / total)
            self.mean += difference * (count / total)
            self.count = total
            self.minimum = torch.minimum(self.minimum, values.amin(-1))
            self.maximum = torch.maximum(self.maximum, values.amax(-1))

    def normaliser(self, kind: str, *, kinds: Sequence[str] | None = None) -> Normaliser:
        """Returns a normaliser from these statistics. Constant features are shifted to 0 and not scaled. Raises ConfigError.

        kinds: of the parts, see `axes.Part`; default: all are magnitudes.
        """
        check_kind(kind)
        if not self.count:
            raise ConfigError("there are no sounds; a normalisation is fitted to at least one")
        kinds = tuple(kinds or ["magnitude"] * len(self.mean))
        variance = self.squares / self.count
        shift, scale = (torch.empty(*self.mean.shape, 1, dtype=torch.float64) for _ in range(2))
        for part_kind in sorted(set(kinds)):
            parts = torch.tensor([k for k, other in enumerate(kinds) if other == part_kind])
            mean, minimum, maximum = self.mean[parts].mean(), self.minimum[parts].min(), self.maximum[parts].max()
            deviation = (variance[parts] + (self.mean[parts] - mean).square()).mean().sqrt()
            if kind == "band":
                origin, width = self.mean[parts, :, None], variance[parts, :, None].sqrt()
            elif kind == "standard":
                origin, width = mean, deviation
            elif part_kind in _AROUND_ZERO:
                origin, width = torch.zeros_like(mean), torch.maximum(maximum, -minimum)
            else:
                origin, width = minimum, maximum - minimum
            shift[parts], scale[parts] = origin, torch.where(width > _CONSTANT * deviation, width, 1.0)
        if kind != "band":
            shift, scale = shift[:, :1], scale[:, :1]
        return Normaliser(kind, shift.float(), scale.float())  # single precision, as an instrument file keeps them


def check_kind(kind: str) -> str:
    """Returns `kind`. Raises ConfigError if it is unknown."""
    if kind not in KINDS:
        raise ConfigError(f"representation.normalisation is {kind!r:.60}, allowed are {', '.join(KINDS)}; the default is none")
    return kind
