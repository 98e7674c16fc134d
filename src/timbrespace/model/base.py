"""What every model promises: to play (there and back) and to learn (one dict of losses)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from timbrespace.audio.trim import pad_and_normalise
from timbrespace.contracts import ConfigError
from timbrespace.model.parts.likelihood import WAVEFORMS
from timbrespace.representation.spec import FeatureKind, FeatureSpec


class Posterior(NamedTuple):
    """Where sounds lie in the latent space: `mean` and `log_variance`, both `(batch, dims)`, or `(batch, dims, steps)` where z moves.

    A log variance of -inf: the value is certain.
    """

    mean: Tensor
    log_variance: Tensor


class Decoded(NamedTuple):
    """What a latent stands for: `features (batch, parts, bands, frames)`, loudest cell about 0 dB, and `lengths (batch,)` in samples."""

    features: Tensor
    lengths: Tensor


class Batch(NamedTuple):
    """What a model learns from: `values (batch, …)` in the model's own form, and true `lengths (batch,)` in samples.

    pitches: MIDI numbers `(batch,)`, NaN where unknown; None: of none. facts: what a `conditional` model is told, `(batch, conditions)`.
    """

    values: Tensor
    lengths: Tensor
    pitches: Tensor | None = None
    facts: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same on `device`."""
        pitches, facts = (None if known is None else known.to(device) for known in (self.pitches, self.facts))
        return Batch(self.values.to(device), self.lengths.to(device), pitches, facts)


class Evaluation(NamedTuple):
    """How well a model does, without noise: `errors (batch,)` in the model's `unit`, `kl (dims,)` in nats a sound, mean over the batch.

    figures: what else a family reports, by name, over the batch.
    """

    errors: Tensor
    kl: Tensor
    figures: dict[str, float] | None = None


class Model(nn.Module, ABC):
    """Encoder + bottleneck + decoder: features ⇄ latent. Constructor arguments are the keys of the preset.

    A sound begins at its onset and comes as `prepare_audio` gives it. To play, a model writes `encode` and `decode` (and `refine`,
    if it can); to learn, `prepare_features` (how a sound is stored), `posterior`, `forward` (the losses) and `evaluate`.
    `training.weights` has a weight for every loss.
    """

    dims: int
    time_varying: bool = False  # whether z moves in time: `(batch, dims, steps)`, any number of steps
    stride: int = 1  # frames a step where it moves: sounds of n frames have ceil(n / stride) steps, and `decode` gives as many frames back
    fixed_length: bool = True  # whether sounds come padded with silence to the longest clip, one size for all
    noise_texture: bool = False  # whether new sounds get the texture of noise: decoded levels are smoother than real ones
    needs_fine_pitch: bool = False  # whether it wants a pitch finer than it is heard, see `audio.pitch.refine_midi`
    pitched = False  # the last number of its latents is a pitch
    known_dims: int = 0  # numbers at the end of its latents that are not inferred but known: a pitch, conditions

    def __init__(self, spec: FeatureSpec):
        super().__init__()
        self.spec = spec

    @classmethod
    def check_features(cls, kind: FeatureKind, settings: Mapping[str, Any]) -> None:
        """Raises ConfigError unless a model of these settings, `name` among them, can learn such features."""
        if settings.get("likelihood") in WAVEFORMS and not kind.plain_samples:
            raise ConfigError(
                f"model.likelihood is {settings['likelihood']!r}, which takes samples of audio, not codes, other views or normalised "
                "features; allowed with it is representation.name waveform with normalisation none; or take another likelihood"
            )

    @property
    def unit(self) -> str:
        """Unit of the errors that the model reports, "dB" or "%"."""
        return self.spec.unit

    def prepare_audio(self, audio: Tensor, samples: int) -> Tensor:
        """A sound `(channels, time)` as this model takes it: with its peak at -1 dB where it is `whole` or `moving`, else as it is.

        samples: of the longest clip, to which `whole` ones are filled up with silence.
        """
        if not self.fixed_length and not self.time_varying:
            return audio
        return torch.from_numpy(pad_and_normalise(audio.numpy(), samples if self.fixed_length else audio.shape[-1]))

    def initialise(self, batch: Batch) -> None:
        """Weights before the first step, out of training sounds spread over all: what needs no learning. By itself, as they were drawn.

        See `model.start`.
        """

    @abstractmethod
    def encode(self, features: Tensor, lengths: Tensor) -> Posterior:
        """`(batch, parts, bands, frames)` and `(batch,)` true lengths in samples -> Posterior `(batch, dims)`, `(batch, dims, steps)`."""

    @abstractmethod
    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """`(batch, dims)` -> features `(batch, parts, bands, frames)` and lengths `(batch,)` in samples; `lengths` asks for others."""

    def refine(self, features: Tensor, lengths: Tensor, z: Tensor) -> Tensor:
        """A latent nearer to a given sound than `encode`'s first guess `z (batch, dims)`, where the model can search; else z itself."""
        return z

    def project(self, z: Tensor) -> Tensor:
        """The latents nearest to `z (batch, dims, …)` that the decoder was made for, where not every one is: in bounds, of a codebook."""
        return z

    def draw(self, z: Tensor, rng: np.random.Generator, *, temperature: float) -> Tensor:
        """A new latent for a point `z (dims, …)` drawn in the space: the nearest, unless the model knows better which go together."""
        return self.project(z[None])[0]

    @abstractmethod
    def prepare_features(self, features: Tensor, pitches: Tensor | None = None) -> Tensor:
        """Features `(batch, parts, bands, frames)` in the form in which training stores them, `(batch, …)`.

        pitches: MIDI numbers `(batch,)`, NaN where unknown; only models that are `pitched` look at them.
        """

    @abstractmethod
    def posterior(self, batch: Batch) -> Posterior:
        """Where the sounds of a batch lie."""

    @abstractmethod
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The losses, means over the batch: scalars, but "kl" `(dims,)`, in nats a sound. Noise is drawn on the CPU."""

    @abstractmethod
    def evaluate(self, batch: Batch) -> Evaluation:
        """The figures of a check: without noise."""


def kl_to_normal(posterior: Posterior) -> Tensor:
    """Kullback-Leibler divergence to the unit Gaussian, closed form, nats a sound and dimension: `(batch, dims)`, summed over steps.

    What is certain (log variance -inf) costs nothing.
    """
    mean, log_variance = posterior
    certain = torch.isneginf(log_variance)
    log_variance = log_variance.masked_fill(certain, 0.0)
    kl = (0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)).masked_fill(certain, 0.0)
    return kl.flatten(2).sum(2) if kl.ndim > 2 else kl


def sample(posterior: Posterior) -> Tensor:
    """One draw, of the shape of the mean. The noise is drawn on the CPU: the same on every device."""
    noise = torch.randn(posterior.mean.shape).to(posterior.mean)
    return posterior.mean + noise * (posterior.log_variance / 2).exp()
