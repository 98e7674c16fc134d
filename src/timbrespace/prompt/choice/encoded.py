"""A text encoder of the user's joined to an instrument: its vectors of the training sounds' names predict their latents."""

from __future__ import annotations

import contextlib
import weakref
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.synthesis.file.contents import InstrumentContents

if TYPE_CHECKING:
    from timbrespace.prompt.encoder import TextEncoder

_FOLDS = 5
_RIDGES = (0.1, 1.0, 10.0, 100.0)  # times the mean variance of a vector; the one with the least held-out error is used
_LARGEST_SIZE = 16_384
_LEAST_GAIN = 0.01  # share of the latents' variance that held-out names must explain


@dataclass(frozen=True)
class EncodedWords:
    """A linear map from text vectors to latents. mean `(size,)` of the vectors, weights `(size, dims)`, centre `(dims,)`: mean of the
    latents, gain: held-out share of their variance."""

    encoder: TextEncoder
    mean: Tensor
    weights: Tensor
    centre: Tensor
    gain: float

    def place(self, text: str) -> Tensor:
        """Returns the latent `(dims,)` of sounds that a text describes. Raises ConfigError for a bad vector."""
        return self.centre + (_vectors(self.encoder, [text])[0] - self.mean) @ self.weights


_kept: weakref.WeakKeyDictionary[object, dict[int, tuple[weakref.ref[object], EncodedWords | None]]] = weakref.WeakKeyDictionary()


def encoded_words(contents: InstrumentContents, encoder: TextEncoder) -> EncodedWords | None:
    """Returns the map of an encoder, fitted to the names of the training sounds; None if it does not predict held-out sounds.

    The names are given to the encoder as text, "snare: Black Pearl snare soft". Raises ConfigError for a stripped instrument and for an
    encoder that returns something else than finite vectors.
    """
    if contents.clips is None:
        raise ConfigError("this instrument was stripped of the names of its sounds: a text encoder has nothing to learn from")
    known = _kept.setdefault(contents.model, {})
    hit = known.get(id(encoder))
    if hit is not None and hit[0]() is encoder:
        return hit[1]
    texts = [
        f"{category}: {spoken(name)}" if category else spoken(name)
        for name, category in zip(contents.clips.names, contents.clips.categories, strict=True)
    ]
    x, y = _vectors(encoder, texts).double(), contents.clips.latents.double()
    found = _fit(encoder, x, y)
    with contextlib.suppress(TypeError):  # an encoder without weak references is fitted each time
        known[id(encoder)] = (weakref.ref(encoder), found)
    return found


def spoken(name: str) -> str:
    """Returns the relative name of a sound as text for an encoder: "The Black Pearl 1.0/PearlSnare-Soft" is "Black Pearl snare soft"."""
    from timbrespace.corpus.labels.categories import parts_of

    words = [part for piece in PurePosixPath(name).parts for part in parts_of(piece) if not part.isdigit()]
    return " ".join(dict.fromkeys(words)) or name


def _vectors(encoder: TextEncoder, texts: list[str]) -> Tensor:
    """Vectors `(texts, size)` of texts. Raises ConfigError."""
    vectors = encoder.encode(texts)
    fits = isinstance(vectors, Tensor) and vectors.ndim == 2 and len(vectors) == len(texts) and 1 <= vectors.shape[1] <= _LARGEST_SIZE
    if not fits or not torch.isfinite(vectors).all():
        found = f"{tuple(vectors.shape)}" if isinstance(vectors, Tensor) else type(vectors).__name__
        raise ConfigError(f"the text encoder returned {found}; a finite tensor ({len(texts)}, size) is needed, size up to {_LARGEST_SIZE}")
    return vectors.detach().cpu().float()


def _fit(encoder: TextEncoder, x: Tensor, y: Tensor) -> EncodedWords | None:
    """Ridge regression with the ridge of the least held-out error."""
    folds = torch.arange(len(x)) % _FOLDS
    if len(x) < 2 * _FOLDS:
        return None
    variance = float((y - y.mean(0)).square().sum())
    best, gain = _RIDGES[0], -1.0
    for ridge in _RIDGES:
        error = 0.0
        for fold in range(_FOLDS):
            inside = folds == fold
            mean, offset = x[~inside].mean(0), y[~inside].mean(0)
            error += float(
                (y[inside] - offset - (x[inside] - mean) @ _weights(x[~inside] - mean, y[~inside] - offset, ridge)).square().sum()
            )
        if 1 - error / max(variance, 1e-12) > gain:
            best, gain = ridge, 1 - error / max(variance, 1e-12)
    if gain < _LEAST_GAIN:
        return None
    mean = x.mean(0)
    return EncodedWords(encoder, mean.float(), _weights(x - mean, y - y.mean(0), best).float(), y.mean(0).float(), gain)


def _weights(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Weights `(size, dims)` of ridge regression, in the smaller of both spaces."""
    strength = ridge * float(x.square().sum(1).mean()) + 1e-9
    if x.shape[0] < x.shape[1]:
        return x.T @ torch.linalg.solve(x @ x.T + strength * torch.eye(len(x), dtype=x.dtype), y)
    return torch.linalg.solve(x.T @ x + strength * torch.eye(x.shape[1], dtype=x.dtype), x.T @ y)
