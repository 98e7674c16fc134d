"""Normalised features: shifted and scaled by what a corpus shows, so that models see numbers of one size.

    features  --(x - shift) / scale-->  what the model sees  --x * scale + shift-->  features

The statistics are fitted in one pass over the training sounds, whatever their number, and travel with the instrument.
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
_CONSTANT = 1e-6  # deviation, as a share of all features' own, under which a band counts as constant


@dataclass(frozen=True)
class Normaliser:
    """An affine map of features and its way back.

    kind: 'standard' takes the corpus to mean 0 and deviation 1, 'band' every part and band of it. 'range' takes levels and magnitudes to
    0…1, and what lies around 0 (samples, phases) to -1…1 with 0 where it is: moved, quiet values would lose their last bits. Parts of
    one kind share figures, so that real and imaginary part, or left and right, keep their proportion.
    shift, scale: `(parts, bands, 1)` for 'band', `(parts, 1, 1)` otherwise; finite, scale above 0. Raises ConfigError.
    """

    kind: str
    shift: Tensor
    scale: Tensor

    def __post_init__(self) -> None:
        if check_kind(self.kind) == "none":
            raise ConfigError("the normalisation 'none' is no normaliser; leave it out")
        for name, tensor in self.state().items():
            if tensor.ndim != 3 or tensor.shape[-1] != 1 or (self.kind != "band" and tensor.shape[1] != 1):
                wanted = "(parts, bands, 1)" if self.kind == "band" else "(parts, 1, 1)"
                raise ConfigError(f"{name} of the normalisation {self.kind!r} has the shape {tuple(tensor.shape)}, {wanted} is needed")
            if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
                raise ConfigError(f"{name} of the normalisation {self.kind!r} holds values that are no finite numbers; fit it again")
        if self.shift.shape != self.scale.shape:
            raise ConfigError(f"shift {tuple(self.shift.shape)} and scale {tuple(self.scale.shape)} of a normalisation must have one shape")
        if not (self.scale > 0).all():
            raise ConfigError(f"the scale of the normalisation {self.kind!r} is {float(self.scale.min()):g} somewhere; it must be above 0")

    def apply(self, features: Tensor) -> Tensor:
        """`(…, parts, bands, frames)`, same shape out."""
        return (features - self.shift.to(features)) / self.scale.to(features)

    def undo(self, features: Tensor) -> Tensor:
        """The way back, `(…, parts, bands, frames)`."""
        return features * self.scale.to(features) + self.shift.to(features)

    def state(self) -> dict[str, Tensor]:
        """shift and scale, for an instrument file."""
        return {"shift": self.shift, "scale": self.scale}


class Moments:
    """Count, mean, squared deviations, least and most of every part and band, over any number of sounds (Chan, Golub, LeVeque 1979).

    Float64, `(parts, bands)` each: memory does not grow, and what comes early weighs as much as what comes late.
    """

    def __init__(self, parts: int, bands: int):
        self.count = 0
        self.mean, self.squares = (torch.zeros(parts, bands, dtype=torch.float64) for _ in range(2))
        self.least, self.most = (torch.full((parts, bands), sign * torch.inf, dtype=torch.float64) for sign in (1, -1))

    def update(self, features: Tensor, *, frames: Tensor | None = None) -> None:
        """Takes `(batch, parts, bands, frames)` in. frames: how many of them count, `(batch,)`; the rest is padding. Raises ShapeError."""
        shape = tuple(self.mean.shape)
        if features.ndim != 4 or tuple(features.shape[1:3]) != shape:
            raise ShapeError(f"features must be (batch, {shape[0]}, {shape[1]}, frames), not {tuple(features.shape)}")
        if not torch.isfinite(features).all():
            raise ShapeError("features hold NaN or infinite values, which have no mean; drop the sound that they come from")
        counts = [features.shape[-1]] * len(features) if frames is None else [int(count) for count in frames]
        if len(counts) != len(features) or any(not 0 <= count <= features.shape[-1] for count in counts):
            raise ShapeError(f"frames must be {len(features)} numbers from 0 to {features.shape[-1]}, one a sound")
        for sound, count in zip(features.detach(), counts, strict=True):
            if not count:
                continue
            values = sound[..., :count].to("cpu", torch.float64)
            mean = values.mean(-1)
            off = mean - self.mean
            total = self.count + count
            self.squares += (values - mean[..., None]).square().sum(-1) + off.square() * (self.count * count / total)
            self.mean += off * (count / total)
            self.count = total
            self.least, self.most = torch.minimum(self.least, values.amin(-1)), torch.maximum(self.most, values.amax(-1))

    def normaliser(self, kind: str, *, kinds: Sequence[str] | None = None) -> Normaliser:
        """The normaliser of what was seen; what is constant is shifted to 0 and keeps its scale. Raises ConfigError.

        kinds: of every part, as `axes` names them; without, all parts are magnitudes.
        """
        check_kind(kind)
        if not self.count:
            raise ConfigError("no sound was seen; a normalisation is fitted on at least one")
        kinds = tuple(kinds or ["magnitude"] * len(self.mean))
        variance = self.squares / self.count
        shift, scale = (torch.empty(*self.mean.shape, 1, dtype=torch.float64) for _ in range(2))
        for one in sorted(set(kinds)):
            parts = torch.tensor([k for k, other in enumerate(kinds) if other == one])
            middle, least, most = self.mean[parts].mean(), self.least[parts].min(), self.most[parts].max()
            deviation = (variance[parts] + (self.mean[parts] - middle).square()).mean().sqrt()
            if kind == "band":
                here, width = self.mean[parts, :, None], variance[parts, :, None].sqrt()
            elif kind == "standard":
                here, width = middle, deviation
            elif one in _AROUND_ZERO:
                here, width = torch.zeros_like(middle), torch.maximum(most, -least)
            else:
                here, width = least, most - least
            shift[parts], scale[parts] = here, torch.where(width > _CONSTANT * deviation, width, 1.0)
        if kind != "band":
            shift, scale = shift[:, :1], scale[:, :1]
        return Normaliser(kind, shift.float(), scale.float())  # single precision, as an instrument file keeps them


class Normalised(Representation):
    """Any representation with its features normalised; to be fitted (or loaded) before use.

    view: the representation inside. Parts, bands, frames, axes' frequencies and times, and exactness are its own; levels in dB are none any
    more.
    """

    def __init__(self, view: Representation, kind: str, *, normaliser: Normaliser | None = None):
        if isinstance(view, Normalised):
            raise ConfigError(f"the representation is normalised already ({view.kind}); give the plain one, its `view`")
        super().__init__(sample_rate=view.sample_rate, channels=view.channels)
        if check_kind(kind) == "none":
            raise ConfigError("the normalisation 'none' needs no wrapper; use the representation itself")
        self.view: Representation = view
        self.kind: str = kind
        self.normaliser: Normaliser | None = None
        self.parts, self.bands, self.exact = view.parts, view.bands, view.exact
        if normaliser is not None:
            self.set(normaliser)

    def set(self, normaliser: Normaliser) -> None:
        """Takes a fitted normaliser. Raises ConfigError when it is of another kind or shape."""
        wanted = (self.parts, self.bands, 1) if self.kind == "band" else (self.parts, 1, 1)
        if normaliser.kind != self.kind or tuple(normaliser.shift.shape) != wanted:
            found = f"of kind {normaliser.kind!r} and shape {tuple(normaliser.shift.shape)}"
            raise ConfigError(f"the normaliser is {found}, {self.kind!r} of {wanted} is needed")
        self.normaliser = normaliser

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes the tensors of `state`, strictly. Raises ConfigError."""
        if set(state) != {"shift", "scale"}:
            raise ConfigError(f"the normalisation's tensors are {', '.join(sorted(state)) or 'missing'}; shift and scale are needed")
        self.set(Normaliser(self.kind, state["shift"].float(), state["scale"].float()))

    def state(self) -> dict[str, Tensor]:
        """shift and scale. Raises ConfigError when it was not fitted."""
        return self._fitted().state()

    def fit(self, sounds: Iterable[Tensor]) -> Normalised:
        """Fits itself to sounds `(channels, time)`, one pass, one in memory at a time. Raises ShapeError, ConfigError (none given)."""
        moments = Moments(self.parts, self.bands)
        with torch.no_grad():
            for audio in sounds:
                moments.update(self.view.encode(audio[None]))
        self.set(moments.normaliser(self.kind, kinds=[part.kind for part in self.view.axes(1).parts]))
        return self

    def frames(self, samples: int) -> int:
        """Those of the view."""
        return self.view.frames(samples)

    def axes(self, length: int) -> Axes:
        """Those of the view; the parts are plain numbers."""
        axes = self.view.axes(length)
        meaning = "within 0 to 1, or -1 to 1 around 0, over the corpus" if self.kind == "range" else "mean 0, deviation 1 over the corpus"
        parts = tuple(part._replace(unit="", meaning=meaning, kind="signed", turn=0.0) for part in axes.parts)
        return replace(axes, parts=parts)

    def spec(self, samples: int) -> FeatureSpec:
        """Returns the spec of the view, its features no levels in dB any more."""
        spec = self.view.spec(samples)
        return replace(spec, kind=spec.kind._replace(normalisation=self.kind), floor=None)

    def _encode(self, audio: Tensor) -> Tensor:
        return self._fitted().apply(self.view._encode(audio))

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        return self.view._decode(self._fitted().undo(features), length=length, seed=seed)

    def _fitted(self) -> Normaliser:
        if self.normaliser is None:
            raise ConfigError(f"the normalisation {self.kind!r} is not fitted yet; call fit with the training sounds, or load its tensors")
        return self.normaliser


def normalised(view: Representation, kind: str) -> Representation:
    """The view itself for 'none', otherwise wrapped and to be fitted. Raises ConfigError."""
    return view if check_kind(kind) == "none" else Normalised(view, kind)


def check_kind(kind: str) -> str:
    """Raises ConfigError unless there is such a normalisation; returns it."""
    if kind not in KINDS:
        raise ConfigError(f"representation.normalisation is {kind!r:.60}, allowed are {', '.join(KINDS)}; none leaves features as they are")
    return kind
