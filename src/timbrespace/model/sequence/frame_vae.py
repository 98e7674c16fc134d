"""`frame-vae`: single frames as points of the latent space (source E); a sound is a path of points."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from timbrespace.model.base import Batch, Decoded
from timbrespace.model.clip.base import Dims
from timbrespace.model.clip.dense import Widths
from timbrespace.model.parts.bottleneck import Kind as BottleneckKind
from timbrespace.model.parts.layers import perceptron
from timbrespace.model.parts.likelihood import FAITHFUL, deviations_apart
from timbrespace.model.parts.pca_init import initialise_layers
from timbrespace.model.sequence.base import SequenceModel
from timbrespace.representation.spec import FeatureSpec

LikelihoodKind = Annotated[Literal["squared", "mean squared", "absolute", "gaussian", "faithful gaussian", "sigma", "bernoulli"], Field()]
Unit = Annotated[float | None, Field(gt=0, le=1e6)]
_CHECKED = 8  # frames of a sound in `evaluate`, evenly spread


class FrameVAE(SequenceModel):
    """Frame -> encoder layers -> point -> decoder layers -> frame, ReLU between; frames are coded independently.

    A training step uses one random frame from inside each sound of the batch: as many spectra as sounds. In dB, frames of one sound share
    the level of its loudest cell.

    dims: latent size. encoder, decoder: widths of the hidden layers. unit: the size of a feature value that is 1 to the networks.
    level: "peak" scales each sound to a peak of -1 dB, which clips of most corpora have; "kept" leaves its level, for corpora whose levels
    differ. Training replaces None and "auto" by values for its corpus, see `training.data.levels`; without training they are 1 and "peak".
    The rest: see `SequenceModel`.
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
        unit: Unit = None,
        level: Annotated[Literal["auto", "peak", "kept"], Field()] = "auto",
    ):
        super().__init__(spec, dims=dims, bottleneck=bottleneck, likelihood=likelihood)
        self.unit_size, self.level = 1.0 if unit is None else unit, level
        self.encoder = perceptron(spec.cells, *encoder, self.bottleneck.width)
        self.decoder = perceptron(dims, *decoder, spec.cells * self.likelihood.outputs)

    def prepare_audio(self, audio: Tensor) -> Tensor:
        """Returns a sound `(channels, time)`, as long as it is, with its peak at -1 dB unless its level is kept."""
        return audio if self.level == "kept" else super().prepare_audio(audio)

    def relative(self, features: Tensor) -> Tensor:
        """Returns images of features `(batch, parts, bands, frames)` of any length in `unit`, of the same shape. Raises ShapeError."""
        return super().relative(features) / self.unit_size

    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """Returns features `(batch, parts, bands, steps)` of latents `(batch, dims, steps)`, and `lengths (batch,)` in samples."""
        decoded = super().decode(z, lengths=lengths)
        return decoded._replace(features=decoded.features * self.unit_size)

    def initialise(self, batch: Batch) -> None:
        """Sets the layers to principal components of the frames, see `initialise_layers`."""
        initialise_layers(self.encoder, self.decoder, self.frames_inside(batch), bottleneck=self.bottleneck, likelihood=self.likelihood)

    def encode_raw(self, images: Tensor) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, bottleneck.width, frames)`."""
        return self.encoder(images.flatten(1, 2).mT).mT

    def decode_raw(self, z: Tensor) -> Tensor:
        """`(batch, dims, steps) -> (batch, likelihood.outputs * parts, bands, steps)`."""
        if self.likelihood.kind == FAITHFUL:
            *hidden, last = self.decoder
            assert isinstance(last, nn.Linear)
            output = deviations_apart(last, nn.Sequential(*hidden)(z.mT))
        else:
            output = self.decoder(z.mT)
        return output.mT.unflatten(1, (self.likelihood.outputs * self.spec.parts, self.spec.bands))

    def excerpt(self, batch: Batch, *, drawn: bool) -> tuple[Tensor, Tensor]:
        """Returns one random frame a sound, or a few evenly spread over it for `evaluate`; all of them count."""
        inside = self.inside(batch.lengths)
        count = 1 if drawn else min(_CHECKED, batch.values.shape[3])
        places = torch.rand(len(inside), 1) if drawn else ((torch.arange(count) + 0.5) / count).expand(len(inside), count)
        rows = (places.to(inside.device) * inside[:, None]).long().clamp_max(batch.values.shape[3] - 1)
        images = batch.values.gather(3, rows[:, None, None].expand(-1, self.spec.parts, self.spec.bands, -1))
        return images, torch.ones_like(rows, dtype=images.dtype)
