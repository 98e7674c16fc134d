"""`frame-vae`: single frames as points of the latent space (source E); a sound is a path of points."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.model.base import Batch
from timbrespace.model.clip.base import Dims
from timbrespace.model.clip.dense import Widths
from timbrespace.model.parts.bottleneck import Kind as BottleneckKind
from timbrespace.model.parts.layers import perceptron
from timbrespace.model.parts.likelihood import Kind as LikelihoodKind
from timbrespace.model.parts.pca_init import initialise_layers
from timbrespace.model.sequence.base import SequenceModel
from timbrespace.representation.spec import FeatureSpec

_CHECKED = 8  # frames of a sound in `evaluate`, evenly spread


class FrameVAE(SequenceModel):
    """Frame -> encoder layers -> point -> decoder layers -> frame, ReLU between; frames are coded independently.

    A training step uses one random frame from inside each sound of the batch: as many spectra as sounds. In dB, frames of one sound share
    the level of its loudest cell.

    dims: latent size. encoder, decoder: widths of the hidden layers. The rest: see `SequenceModel`.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        dims: Dims = 8,
        encoder: Widths = (400,),
        decoder: Widths = (400,),
        bottleneck: BottleneckKind = "gaussian",
        likelihood: LikelihoodKind = "gaussian",
    ):
        super().__init__(spec, dims=dims, bottleneck=bottleneck, likelihood=likelihood)
        self.encoder = perceptron(spec.cells, *encoder, self.bottleneck.width)
        self.decoder = perceptron(dims, *decoder, spec.cells * self.likelihood.outputs)

    def initialise(self, batch: Batch) -> None:
        """Sets the layers to principal components of the frames, see `initialise_layers`."""
        initialise_layers(self.encoder, self.decoder, self.frames_inside(batch), bottleneck=self.bottleneck, likelihood=self.likelihood)

    def encode_raw(self, images: Tensor) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, bottleneck.width, frames)`."""
        return self.encoder(images.flatten(1, 2).mT).mT

    def decode_raw(self, z: Tensor) -> Tensor:
        """`(batch, dims, steps) -> (batch, likelihood.outputs * parts, bands, steps)`."""
        return self.decoder(z.mT).mT.unflatten(1, (self.likelihood.outputs * self.spec.parts, self.spec.bands))

    def excerpt(self, batch: Batch, *, drawn: bool) -> tuple[Tensor, Tensor]:
        """Returns one random frame a sound, or a few evenly spread over it for `evaluate`; all of them count."""
        inside = self.inside(batch.lengths)
        count = 1 if drawn else min(_CHECKED, batch.values.shape[3])
        places = torch.rand(len(inside), 1) if drawn else ((torch.arange(count) + 0.5) / count).expand(len(inside), count)
        rows = (places.to(inside.device) * inside[:, None]).long().clamp_max(batch.values.shape[3] - 1)
        images = batch.values.gather(3, rows[:, None, None].expand(-1, self.spec.parts, self.spec.bands, -1))
        return images, torch.ones_like(rows, dtype=images.dtype)
