"""Normalised features: shifted and scaled by statistics of a corpus, so that models see values of similar size.

    features  --(x - shift) / scale-->  normalised features  --x * scale + shift-->  features

The statistics are fitted in one pass over the training sounds and are saved in the instrument file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.representation.axes import Axes
from timbrespace.representation.base import Representation
from timbrespace.representation.spec import FeatureSpec

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

        kinds: of the parts, see `axes.View`; default: all are magnitudes.
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


class Normalised(Representation):
    """A representation with normalised features. It must be fitted, or its statistics loaded, before use.

    view: the representation without normalisation; parts, bands, frames, frequencies, times and `exact` are the same, `decibels` is False.
    """

    def __init__(self, view: Representation, kind: str, *, normaliser: Normaliser | None = None):
        if isinstance(view, Normalised):
            raise ConfigError(f"the representation is already normalised ({view.kind}); give its `view`")
        super().__init__(sample_rate=view.sample_rate, channels=view.channels)
        if check_kind(kind) == "none":
            raise ConfigError("the normalisation is 'none', which needs no Normalised; use the representation itself")
        self.view: Representation = view
        self.kind: str = kind
        self.normaliser: Normaliser | None = None
        self.parts, self.bands, self.exact = view.parts, view.bands, view.exact
        if normaliser is not None:
            self.set(normaliser)

    def set(self, normaliser: Normaliser) -> None:
        """Sets a fitted normaliser. Raises ConfigError when its kind or shape differs."""
        expected = (self.parts, self.bands, 1) if self.kind == "band" else (self.parts, 1, 1)
        if normaliser.kind != self.kind or tuple(normaliser.shift.shape) != expected:
            given = f"of kind {normaliser.kind!r} and shape {tuple(normaliser.shift.shape)}"
            raise ConfigError(f"the normaliser is {given}, {self.kind!r} of shape {expected} is needed")
        self.normaliser = normaliser

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Sets the tensors of `state()`. Raises ConfigError unless they are shift and scale."""
        if set(state) != {"shift", "scale"}:
            raise ConfigError(f"the normalisation's tensors are {', '.join(sorted(state)) or 'missing'}; shift and scale are needed")
        self.set(Normaliser(self.kind, state["shift"].float(), state["scale"].float()))

    def state(self) -> dict[str, Tensor]:
        """Returns shift and scale. Raises ConfigError if not fitted."""
        return self._fitted().state()

    def fit(self, sounds: Iterable[Tensor]) -> Normalised:
        """Fits to sounds `(channels, time)` in one pass, one in memory at a time, and returns itself. Raises ShapeError, ConfigError."""
        moments = Moments(self.parts, self.bands)
        with torch.no_grad():
            for audio in sounds:
                moments.update(self.view.encode(audio[None]))
        self.set(moments.normaliser(self.kind, kinds=[part.kind for part in self.view.axes(1).parts]))
        return self

    def frames(self, samples: int) -> int:
        """Returns the frames of the view."""
        return self.view.frames(samples)

    def axes(self, length: int) -> Axes:
        """Returns the axes of the view with dimensionless parts."""
        axes = self.view.axes(length)
        meaning = "within 0 to 1, or -1 to 1 around 0, over the corpus" if self.kind == "range" else "mean 0, deviation 1 over the corpus"
        parts = tuple(part._replace(unit="", meaning=meaning, kind="signed", turn=0.0) for part in axes.parts)
        return replace(axes, parts=parts)

    def spec(self, samples: int) -> FeatureSpec:
        """Returns the spec of the view, its features no levels in dB any more."""
        spec = self.view.spec(samples)
        return replace(spec, kind=spec.kind._replace(normalisation=self.kind), floor=None)

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, parts, bands, frames)`."""
        return self._fitted().apply(self.view._encode(audio))

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        """`(parts, bands, frames) -> (channels, length)`."""
        return self.view._decode(self._fitted().undo(features), length=length, seed=seed)

    def _fitted(self) -> Normaliser:
        if self.normaliser is None:
            raise ConfigError(f"the normalisation {self.kind!r} is not fitted; call fit with the training sounds, or load its tensors")
        return self.normaliser


def normalised(view: Representation, kind: str) -> Representation:
    """Returns the view for 'none', else a `Normalised` that is not fitted. Raises ConfigError."""
    return view if check_kind(kind) == "none" else Normalised(view, kind)


def check_kind(kind: str) -> str:
    """Returns `kind`. Raises ConfigError if it is unknown."""
    if kind not in KINDS:
        raise ConfigError(f"representation.normalisation is {kind!r:.60}, allowed are {', '.join(KINDS)}; the default is none")
    return kind
