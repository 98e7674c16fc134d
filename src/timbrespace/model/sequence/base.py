"""What models share whose latent moves in time: any length goes in, the same length comes out."""

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

SLICES = 8_000  # that a model begins with, at most


class SequenceModel(Model):
    """An autoencoder along the frames, `stride` of them a latent step; a new family writes `numbers`, `output` and `excerpt`.

        frames   0  1  2  3  4  5  6  7  8  9        n frames
        steps    └── 0 ───┘  └── 1 ───┘  └─ 2        ceil(n / stride) steps

    The image of a view in dB is 0 at the floor and 1 at the sound's loudest cell; of any other view, the features as they are. Losses
    are a mean over the frames inside the sounds, what lies beyond their end counts nowhere; the KL is in nats a frame, so that it
    weighs the same whatever the length.

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
        """The encoder: `(batch, parts, bands, frames) -> (batch, bottleneck.width, ceil(frames / stride))`."""

    @abstractmethod
    def decode_raw(self, z: Tensor) -> Tensor:
        """The decoder: `(batch, dims, steps) -> (batch, likelihood.outputs * parts, bands, steps * stride)`."""

    @abstractmethod
    def excerpt(self, batch: Batch, *, drawn: bool) -> tuple[Tensor, Tensor]:
        """What is looked at of a batch: images `(batch, parts, bands, some)` and which frames of it count, `(batch, some)`.

        drawn: anew in each step of training; else always the same, for a check.
        """

    def prepare_audio(self, audio: Tensor) -> Tensor:
        """Returns a sound `(channels, time)` with its peak at -1 dB, as long as it is."""
        return torch.from_numpy(pad_and_normalise(audio.numpy(), audio.shape[-1]))

    def prepare_features(self, features: Tensor, conditions: Tensor | None = None) -> Tensor:
        """`(batch, parts, bands, up to the longest clip's frames)` -> the same, filled up with silence to the longest clip's."""
        images = self.relative(features)
        if images.shape[3] > self.spec.frames:
            raise ShapeError(f"features have {images.shape[3]} frames, the longest training clip has {self.spec.frames}")
        return functional.pad(images, (0, self.spec.frames - images.shape[3]))

    def relative(self, features: Tensor) -> Tensor:
        """`(batch, parts, bands, frames)`, features in, images out; the same shape."""
        if features.ndim != 4 or tuple(features.shape[1:3]) != (self.spec.parts, self.spec.bands) or not features.shape[3]:
            raise ShapeError(f"features must be (batch, {self.spec.parts}, {self.spec.bands}, frames), not {tuple(features.shape)}")
        return features if self.spec.floor is None else to_image(features, floor=self.spec.floor)

    def project(self, z: Tensor) -> Tensor:
        """The latents nearest to `z (batch, dims, steps)` that the bottleneck could have given."""
        return self.bottleneck.project(z)

    def encode(self, features: Tensor, lengths: Tensor, conditions: Tensor | None = None) -> Posterior:
        """`(batch, parts, bands, frames)` of any length -> Posterior `(batch, dims, ceil(frames / stride))`."""
        return self.bottleneck.posterior(self.encode_raw(self.relative(features)))

    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """`(batch, dims, steps)` -> features `(batch, parts, bands, steps * stride)` and `lengths (batch,)` in samples.

        lengths: as long as the steps last unless asked for others.
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
        """Slices `(some, parts * bands)` of the sounds of a batch, spread over all that lie inside them."""
        inside = self.inside(batch.lengths)
        frames = torch.arange(batch.values.shape[3], device=inside.device)
        rows, places = (frames < inside[:, None]).nonzero(as_tuple=True)
        chosen = evenly(torch.arange(len(rows)), SLICES)
        return batch.values[rows[chosen], :, :, places[chosen]].flatten(1)

    def posterior(self, batch: Batch) -> Posterior:
        """Images `(batch, parts, bands, frames)` -> Posterior `(batch, dims, steps)`, steps beyond a sound's end included."""
        return self.bottleneck.posterior(self.encode_raw(batch.values))

    def inside(self, lengths: Tensor) -> Tensor:
        """How many frames sounds of `lengths (batch,)` samples have, `(batch,)`, at most the longest clip's."""
        return torch.tensor([min(self.spec.frames, self.spec.frames_of(max(1, int(length)))) for length in lengths], device=lengths.device)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """reconstruction as `Likelihood` says and kl `(dims,)` in nats, both a frame; see `Model`."""
        images, counts = self.excerpt(batch, drawn=True)
        posterior = self.bottleneck.posterior(self.encode_raw(images))
        output = self.decode_raw(self.bottleneck.draw(posterior))[..., : images.shape[3]]
        each = self.likelihood.loss(by_frame(output), by_frame(images)).unflatten(0, (len(images), -1))
        losses = {"reconstruction": (each * counts).sum() / counts.sum()}
        return losses | ({"kl": self.kl(posterior, counts)} if "kl" in self.bottleneck.losses(posterior) else {})

    def evaluate(self, batch: Batch) -> Evaluation:
        """Errors over the frames looked at: root mean square in dB, or in % of the sound's own root mean square (silence: 100 %)."""
        images, counts = self.excerpt(batch, drawn=False)
        posterior = self.bottleneck.posterior(self.encode_raw(images))
        found = self.likelihood.mean(self.decode_raw(posterior.mean)[..., : images.shape[3]])
        squares = ((found - images).square().mean((1, 2)) * counts).sum(1)
        if self.spec.floor is not None:
            errors = self.spec.floor * (squares / counts.sum(1)).sqrt()
        else:
            sizes = (images.square().mean((1, 2)) * counts).sum(1)
            errors = 100 * torch.where(sizes > 0, squares / sizes.clamp_min(1e-20), 1.0).sqrt()
        return Evaluation(errors, self.kl(posterior, counts))

    def kl(self, posterior: Posterior, counts: Tensor) -> Tensor:
        """`(dims,)` in nats a frame, over the steps that hold a frame of `counts (batch, frames)`; zeros where nothing is drawn."""
        if self.bottleneck.kind != "gaussian":
            return posterior.mean.new_zeros(self.dims)
        mean, log_variance = posterior
        each = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        padded = functional.pad(counts, (0, -counts.shape[1] % self.stride))
        steps = padded.unflatten(1, (-1, self.stride)).amax(2)[:, None]
        return (each * steps).sum((0, 2)) / (steps.sum() * self.stride)


def by_frame(images: Tensor) -> Tensor:
    """`(batch, parts, bands, frames) -> (batch * frames, parts, bands)`: every frame a sound of its own."""
    return images.permute(0, 3, 1, 2).flatten(0, 1)


def longest_length(frames: int, frames_of: Callable[[int], int]) -> int:
    """The most samples that have no more than `frames` frames; 1 where even one sample has more."""
    low, high = 1, 2
    while frames_of(high) <= frames:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if frames_of(middle) <= frames else (low, middle)
    return low
