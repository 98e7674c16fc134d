"""The interface of all models: encoding and decoding, and learning by one dict of losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from timbrespace.audio.trim import pad_and_normalise
from timbrespace.contracts import ConfigError
from timbrespace.model.conditioning.base import Conditioning
from timbrespace.model.parts.likelihood import WAVEFORMS
from timbrespace.model.stage import Stage
from timbrespace.noise import Noise
from timbrespace.representation.spec import FeatureKind, FeatureSpec


class Posterior(NamedTuple):
    """A Gaussian for each sound: `mean` and `log_variance`, both `(batch, dims)`, or `(batch, dims, steps)` of a path.

    A log variance of -inf marks a known value, such as a condition.
    """

    mean: Tensor
    log_variance: Tensor


class Decoded(NamedTuple):
    """Decoded sounds: `features (batch, parts, bands, frames)`, loudest cell about 0 dB, and `lengths (batch,)` in samples."""

    features: Tensor
    lengths: Tensor


class Batch(NamedTuple):
    """What a model learns from: `values (batch, …)`, see `Model.compress`, and true `lengths (batch,)` in samples.

    conditions: of the sounds, `(batch, conditions)`, NaN where unknown, see `Conditioning`; None: all are unknown.
    codes: of the sounds, `(batch, *code_shape)`, where they are known already, see `CodeSource.codes`; None: not known.
    """

    values: Tensor
    lengths: Tensor
    conditions: Tensor | None = None
    codes: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Returns the batch on `device`."""
        conditions = None if self.conditions is None else self.conditions.to(device)
        codes = None if self.codes is None else self.codes.to(device)
        return Batch(self.values.to(device), self.lengths.to(device), conditions, codes)


class Evaluation(NamedTuple):
    """How well a model does, without noise: `errors (batch,)` in the model's `unit`, `kl (dims,)` in nats a sound, mean over the batch.

    metrics: further ones of a family, by name, over the batch.
    """

    errors: Tensor
    kl: Tensor
    metrics: dict[str, float] | None = None


class Model(nn.Module, ABC):
    """Encoder, bottleneck and decoder: features to a latent and back.

    Constructor arguments with annotated limits are the keys of a preset. A new family writes `encode`, `decode`, `prepare_features`,
    `posterior`, `forward` and `evaluate`; the rest has defaults that it may override:

        audio ─ prepare_audio ─ Representation.encode ─ prepare_features ─ compress ─ Batch ─ posterior, forward, evaluate
        a given sound ─ infer (encode, refine) ─ z ─ decode ─ features
        a new sound ─ draw ─ z ─ decode ─ features

    Sounds start at their onset. `training.weights` has a weight for every loss of `forward`.
    """

    dims: int
    time_varying: bool = False  # whether z is a path `(batch, dims, steps)` of any number of steps
    stride: int = 1  # frames a step of a path: sounds of n frames have ceil(n / stride) steps, and `decode` gives stride frames a step
    noise_texture: bool = False  # whether new sounds get a noise texture: decoded levels are smoother than real ones

    def __init__(self, spec: FeatureSpec):
        super().__init__()
        self.spec = spec
        self.conditioning = Conditioning()

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

    @property
    def inferred_dims(self) -> int:
        """Entries of the latent that are inferred; the conditions follow them."""
        return self.dims - self.conditioning.size

    # --- encoding and decoding ------------------------------------------------------------------------------------------

    def prepare_audio(self, audio: Tensor) -> Tensor:
        """Returns a sound `(channels, time)` as the representation is to encode it: peak -1 dB, padded with silence to the longest clip."""
        return torch.from_numpy(pad_and_normalise(audio.numpy(), self.spec.samples))

    @abstractmethod
    def encode(self, features: Tensor, lengths: Tensor, conditions: Tensor | None = None) -> Posterior:
        """Returns the posterior of sounds, `(batch, dims)` or `(batch, dims, steps)`.

        features: `(batch, parts, bands, frames)`. lengths: true lengths in samples `(batch,)`. conditions: `(batch, conditions)`, NaN
        where unknown; None: all are unknown.
        """

    @abstractmethod
    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """Returns features `(batch, parts, bands, frames)` and lengths `(batch,)` in samples.

        z: `(batch, dims)` or `(batch, dims, steps)`. lengths: used in place of the model's own. Raises ShapeError for another shape of z.
        """

    def log_lengths(self, z: Tensor) -> Tensor | None:
        """Returns log2 of the decoded lengths in samples `(batch,)` of latents `(batch, dims)`, unrounded, differentiable.

        None for a model that decodes no lengths.
        """
        return None

    def refine(self, features: Tensor, lengths: Tensor, z: Tensor) -> Tensor:
        """Returns latents `(batch, dims)` that decode nearer to given sounds than `z` does; `z` itself for a model without a search."""
        return z

    def infer(
        self, features: Tensor, lengths: Tensor, audio: Tensor, sample_rate: int, *, search: bool = True, known: Tensor | None = None
    ) -> Tensor:  # fmt: skip
        """Returns the latent `(1, dims)` or `(1, dims, steps)` of a given sound: encoded, refined, with its conditions estimated.

        features `(1, parts, bands, frames)`, lengths `(1,)` in samples and audio `(channels, time)`: of the sound. search: False leaves
        out `refine`: some 20 times faster, near enough for comparing sounds. known: conditions `(1, names)` that are known beforehand;
        those with NaN are estimated.
        """
        z = self.encode(features, lengths, known).mean
        return self.refine(features, lengths, z) if search else z

    def project(self, z: Tensor) -> Tensor:
        """Returns the nearest latents to `z (batch, dims, …)` that the decoder has learned: within bounds, or of a codebook."""
        return z

    def draw(self, z: Tensor, noise: Noise, *, temperature: float) -> Tensor:
        """Returns a new latent near a point `z (dims, …)` that was drawn from the latent space. Here: `project`."""
        return self.project(z[None])[0]

    # --- learning -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def prepare_features(self, features: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Returns features `(batch, parts, bands, frames)` as training stores them, `(batch, …)`.

        conditions: `(batch, conditions)`, NaN where unknown; only a model whose conditioning is `required` uses them. Raises ShapeError for
        features of another shape than `spec.shape`.
        """

    def fit_codec(self, batches: Callable[[], Iterator[Tensor]], *, rows: int, lengths: Tensor, seed: int) -> dict[str, Tensor] | None:
        """Returns the state of a codec in closed form, for `load_codec`; None for a model without one.

        batches: gives all `rows` of prepared features in order, `(some, cells)` at a time, at each call. lengths: of the sounds in samples
        `(rows,)`.
        """
        return None

    def load_codec(self, state: Mapping[str, Tensor]) -> None:
        """Sets the codec that `fit_codec` computed."""

    def fit_conditions(self, values: Tensor, conditions: Tensor | None, kinds: Tensor) -> None:
        """Sets what follows from the conditions of the sounds in closed form, of a model with a codec. Here: nothing.

        values: of `compress`, `(rows, …)`. conditions: `(rows, conditions)`, NaN where unknown. kinds: number of the category of each sound
        `(rows,)`.
        """

    def compress(self, features: Tensor) -> Tensor:
        """Returns the values of a Batch, `(batch, …)`, for prepared and stored features `(batch, cells)`. Here: reshaped only.

        Without a codec it is computed for each batch, on the CPU and with the weights before training.
        """
        return features.unflatten(1, self.spec.shape)

    @property
    def storing(self) -> Model:
        """The model whose `prepare_features` and `compress` are used: this one; of a wrapper, the one inside that sees the features."""
        return self

    def initialise(self, batch: Batch) -> None:
        """Sets weights before the first step from training sounds, in closed form (PCA); a model without such a start stays as drawn."""

    def stages(self) -> list[Stage]:
        """Returns the stages in which the model learns."""
        return [Stage("train", self)]

    def use_outer(self, outer: Model) -> None:
        """Takes the weights of a trained model for the first of two stages; they no longer change. Raises ConfigError if there is none."""
        raise ConfigError(f"a model of {len(self.stages())} stage has no outer model that could be trained before; take one in two stages")

    @abstractmethod
    def posterior(self, batch: Batch) -> Posterior:
        """Returns the posterior of the sounds of a batch, `(batch, dims)` or `(batch, dims, steps)`."""

    @abstractmethod
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Returns the losses, means over the batch: scalars `()`, but "kl" `(dims,)` in nats. Noise is drawn on the CPU.

        Training calls the model of each of `stages`: a model with two stages is not called itself.
        """

    @abstractmethod
    def evaluate(self, batch: Batch) -> Evaluation:
        """Returns errors and KL of a batch, without noise."""

    def linear_part(self) -> Model | None:
        """Returns a copy of the model without its networks; None for a model that is nothing without them."""
        return None


def kl_to_normal(posterior: Posterior) -> Tensor:
    """Returns the KL divergence to the unit Gaussian in nats, `(batch, dims)`, summed over the steps of a path.

    Known values (log variance -inf) have a divergence of 0.
    """
    mean, log_variance = posterior
    known = torch.isneginf(log_variance)
    log_variance = log_variance.masked_fill(known, 0.0)
    kl = (0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)).masked_fill(known, 0.0)
    return kl.flatten(2).sum(2) if kl.ndim > 2 else kl


def sample(posterior: Posterior) -> Tensor:
    """Returns one sample, of the shape of the mean. Noise is drawn on the CPU, so it is the same on every device."""
    noise = torch.randn(posterior.mean.shape).to(posterior.mean)
    return posterior.mean + noise * (posterior.log_variance / 2).exp()
