"""The base of sequence models, whose latent varies in time: they encode sounds of any length and decode the same length."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.audio.trim import pad_and_normalise
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.model.base import Batch, Decoded, Evaluation, Model, Posterior
from timbrespace.model.clip.base import to_image, to_levels
from timbrespace.model.parts.bottleneck import Bottleneck
from timbrespace.model.parts.likelihood import WAVEFORMS, Likelihood
from timbrespace.model.parts.pca import evenly
from timbrespace.representation.spec import FeatureSpec

SLICES = 8_000  # used for initialisation, at most


class SequenceModel(Model):
    """An autoencoder along the frames, `stride` of them a latent step. A new family writes `encode_raw`, `decode_raw` and `excerpt`.

        frames   0  1  2  3  4  5  6  7  8  9        n frames
        steps    └── 0 ───┘  └── 1 ───┘  └─ 2        ceil(n / stride) steps

    An image of levels in dB is 0 at the floor and 1 at the sound's loudest cell; of other features, it is the features. Losses are means
    over the frames inside the sounds; frames beyond their end are left out. The KL is in nats a frame, so that its weight does not depend
    on the length.

    spec: of the features. dims: latent size a step. bottleneck: see `Bottleneck`; likelihood: see `Likelihood`.
    """

    time_varying = True

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        dims: int,
        bottleneck: str,
        likelihood: str,
    ):
        super().__init__(spec)
        if likelihood in WAVEFORMS:
            raise ConfigError(f"model.likelihood is {likelihood!r}, which holds a whole waveform; a model of frames needs another")
        self.dims = dims
        self.bottleneck, self.likelihood = Bottleneck(bottleneck, dims), Likelihood(likelihood)
        self.noise_texture = spec.floor is not None

    @abstractmethod
    def encode_raw(self, images: Tensor) -> Tensor:
        """Returns the encoder's outputs: `(batch, parts, bands, frames) -> (batch, bottleneck.width, ceil(frames / stride))`."""

    @abstractmethod
    def decode_raw(self, z: Tensor) -> Tensor:
        """Returns the decoder's outputs: `(batch, dims, steps) -> (batch, likelihood.outputs * parts, bands, steps * stride)`."""

    @abstractmethod
    def excerpt(self, batch: Batch, *, drawn: bool) -> tuple[Tensor, Tensor]:
        """Returns an excerpt of a batch: images `(batch, parts, bands, some)`, and 1 for frames that count, else 0, `(batch, some)`.

        drawn: at random, for training; else always the same, for `evaluate`.
        """

    def prepare_audio(self, audio: Tensor) -> Tensor:
        """Returns a sound `(channels, time)` with its peak at -1 dB, as long as it is."""
        return torch.from_numpy(pad_and_normalise(audio.numpy(), audio.shape[-1]))

    def prepare_features(self, features: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Returns images `(batch, parts, bands, frames)` of features of up to the longest clip's frames, padded with silence to them."""
        images = self.relative(features)
        if images.shape[3] > self.spec.frames:
            raise ShapeError(f"features have {images.shape[3]} frames, the longest training clip has {self.spec.frames}")
        return functional.pad(images, (0, self.spec.frames - images.shape[3]))

    def relative(self, features: Tensor) -> Tensor:
        """Returns images of features `(batch, parts, bands, frames)` of any length, of the same shape. Raises ShapeError."""
        if features.ndim != 4 or tuple(features.shape[1:3]) != (self.spec.parts, self.spec.bands) or not features.shape[3]:
            raise ShapeError(f"features must be (batch, {self.spec.parts}, {self.spec.bands}, frames), not {tuple(features.shape)}")
        return features if self.spec.floor is None else to_image(features, floor=self.spec.floor)

    def project(self, z: Tensor) -> Tensor:
        """Returns the nearest latents to `z (batch, dims, steps)` that the bottleneck can give."""
        return self.bottleneck.project(z)

    def encode(self, features: Tensor, lengths: Tensor, conditions: Tensor | None = None) -> Posterior:
        """Returns the Posterior `(batch, dims, ceil(frames / stride))` of features `(batch, parts, bands, frames)` of any length."""
        return self.bottleneck.posterior(self.encode_raw(self.relative(features)))

    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """Returns features `(batch, parts, bands, steps * stride)` of latents `(batch, dims, steps)`, and `lengths (batch,)` in samples.

        lengths: those of the steps by default.
        """
        if z.ndim != 3 or z.shape[1] != self.dims or not z.shape[2]:
            raise ShapeError(f"a latent must be (batch, {self.dims}, steps) with one step or more, not {tuple(z.shape)}")
        features = self.likelihood.mean(self.decode_raw(self.project(z)))
        if self.spec.floor is not None:
            features = to_levels(features, floor=self.spec.floor)
        if lengths is None:
            lengths = torch.full((len(z),), longest_length(z.shape[2] * self.stride, self.spec.frames_of), device=z.device)
        return Decoded(features, lengths)

    def frames_inside(self, batch: Batch) -> Tensor:
        """Returns frames `(some, parts * bands)` from inside the sounds of a batch, spread over all."""
        inside = self.inside(batch.lengths)
        frames = torch.arange(batch.values.shape[3], device=inside.device)
        rows, places = (frames < inside[:, None]).nonzero(as_tuple=True)
        chosen = evenly(torch.arange(len(rows)), SLICES)
        return batch.values[rows[chosen], :, :, places[chosen]].flatten(1)

    def posterior(self, batch: Batch) -> Posterior:
        """Returns the Posterior `(batch, dims, steps)` of images `(batch, parts, bands, frames)`, with steps beyond a sound's end."""
        return self.bottleneck.posterior(self.encode_raw(batch.values))

    def inside(self, lengths: Tensor) -> Tensor:
        """Returns the frames of sounds of `lengths (batch,)` samples, `(batch,)`, at most the longest clip's."""
        return torch.tensor([min(self.spec.frames, self.spec.frames_of(max(1, int(length)))) for length in lengths], device=lengths.device)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Returns the losses a frame: "reconstruction", see `Likelihood`, and "kl" `(dims,)` in nats."""
        images, counts = self.excerpt(batch, drawn=True)
        posterior = self.bottleneck.posterior(self.encode_raw(images))
        output = self.decode_raw(self.bottleneck.draw(posterior))[..., : images.shape[3]]
        each = self.likelihood.loss(by_frame(output), by_frame(images)).unflatten(0, (len(images), -1))
        losses = {"reconstruction": (each * counts).sum() / counts.sum()}
        return losses | ({"kl": self.kl(posterior, counts)} if "kl" in self.bottleneck.losses(posterior) else {})

    def evaluate(self, batch: Batch) -> Evaluation:
        """Returns errors over an excerpt: root mean square in dB, or in % of the sound's root mean square (of silence: 100 %); and KL."""
        images, counts = self.excerpt(batch, drawn=False)
        posterior = self.bottleneck.posterior(self.encode_raw(images))
        decoded = self.likelihood.mean(self.decode_raw(posterior.mean)[..., : images.shape[3]])
        squares = ((decoded - images).square().mean((1, 2)) * counts).sum(1)
        if self.spec.floor is not None:
            errors = self.spec.floor * (squares / counts.sum(1)).sqrt()
        else:
            sizes = (images.square().mean((1, 2)) * counts).sum(1)
            errors = 100 * torch.where(sizes > 0, squares / sizes.clamp_min(1e-20), 1.0).sqrt()
        return Evaluation(errors, self.kl(posterior, counts))

    def kl(self, posterior: Posterior, counts: Tensor) -> Tensor:
        """Returns the KL `(dims,)` in nats a frame over the steps with a frame of `counts (batch, frames)`; zeros without a Gaussian."""
        if self.bottleneck.kind != "gaussian":
            return posterior.mean.new_zeros(self.dims)
        mean, log_variance = posterior
        each = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        padded = functional.pad(counts, (0, -counts.shape[1] % self.stride))
        steps = padded.unflatten(1, (-1, self.stride)).amax(2)[:, None]
        return (each * steps).sum((0, 2)) / (steps.sum() * self.stride)


def by_frame(images: Tensor) -> Tensor:
    """Returns frames as a batch: `(batch, parts, bands, frames) -> (batch * frames, parts, bands)`."""
    return images.permute(0, 3, 1, 2).flatten(0, 1)


def longest_length(frames: int, frames_of: Callable[[int], int]) -> int:
    """Returns the largest number of samples with at most `frames` frames; 1 where even one sample has more."""
    low, high = 1, 2
    while frames_of(high) <= frames:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if frames_of(middle) <= frames else (low, middle)
    return low
