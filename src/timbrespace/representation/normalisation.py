"""Normalised features: shifted and scaled by statistics of a corpus, so that models see values of similar size.

    features  --(x - shift) / scale-->  normalised features  --x * scale + shift-->  features

The statistics are fitted in one pass over the training sounds and are saved in the instrument file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.representation.axes import Axes
from timbrespace.representation.base import Representation
from timbrespace.representation.normaliser import Moments, Normaliser, check_kind
from timbrespace.representation.spec import FeatureSpec


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
        self.parts, self.bands, self.exact, self.continues = view.parts, view.bands, view.exact, view.continues
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
        """Returns the spec of the view without `floor`: normalised features are not in dB."""
        spec = self.view.spec(samples)
        return replace(spec, kind=spec.kind._replace(normalisation=self.kind), floor=None)

    def magnitudes(self, features: Tensor) -> tuple[Tensor, float, float] | None:
        """See `Representation.magnitudes`: `(parts, bands, frames) -> (bins, frames)`."""
        return self.view.magnitudes(self._fitted().undo(features))

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, parts, bands, frames)`."""
        return self._fitted().apply(self.view._encode(audio))

    def undo(self, features: Tensor) -> Tensor:
        """Returns the features of the view without normalisation, of the same shape."""
        return self._fitted().undo(features)

    def _decode(self, features: Tensor, *, length: int, seed: int, **more: Tensor) -> Tensor:
        """`(parts, bands, frames) -> (channels, length)`. more: see `decode`."""
        return self.view._decode(self._fitted().undo(features), length=length, seed=seed, **more)

    def _fitted(self) -> Normaliser:
        if self.normaliser is None:
            raise ConfigError(f"the normalisation {self.kind!r} is not fitted; call fit with the training sounds, or load its tensors")
        return self.normaliser


def normalised(view: Representation, kind: str) -> Representation:
    """Returns the view for 'none', else a `Normalised` that is not fitted. Raises ConfigError."""
    return view if check_kind(kind) == "none" else Normalised(view, kind)
