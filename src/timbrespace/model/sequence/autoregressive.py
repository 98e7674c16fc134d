"""`autoregressive`: an autoencoder over time steps; the previous and the current slice to a few controls, and back (source B)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from timbrespace.model.base import Batch
from timbrespace.model.clip.base import Dims
from timbrespace.model.clip.dense import Widths
from timbrespace.model.parts.bottleneck import Kind as BottleneckKind
from timbrespace.model.parts.layers import perceptron
from timbrespace.model.parts.likelihood import Kind as LikelihoodKind
from timbrespace.model.parts.pca_init import initialise_layers
from timbrespace.model.sequence.base import SequenceModel, by_frame
from timbrespace.representation.spec import FeatureSpec


class WholeSequenceModel(SequenceModel):
    """The base of sequence models with memory of earlier frames: they are trained on whole sounds, from the first frame to the end."""

    def excerpt(self, batch: Batch, *, drawn: bool) -> tuple[Tensor, Tensor]:
        """Returns whole sounds, up to the longest of the batch, and 1 for the frames inside each sound."""
        inside = self.inside(batch.lengths)
        frames = int(inside.max())
        counts = torch.arange(frames, device=inside.device) < inside[:, None]
        return batch.values[..., :frames], counts.to(batch.values)

    def slices(self, images: Tensor) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, frames, parts * bands)`."""
        return images.flatten(1, 2).mT

    def joined(self, outputs: Tensor) -> Tensor:
        """`(batch, steps, likelihood.outputs * parts * bands) -> (batch, likelihood.outputs * parts, bands, steps)`."""
        return outputs.mT.unflatten(1, (self.likelihood.outputs * self.spec.parts, self.spec.bands))


class Autoregressive(WholeSequenceModel):
    """Controls of a step = MLP(previous slice, slice); slice = MLP(previous decoded slice, controls). Silence precedes the first slice.

    dims: controls a step. encoder, decoder: widths of the hidden layers, ReLU between. teacher_forcing: share of the steps in which the
    decoder is trained with the true previous slice instead of its own output. With 1 all steps are computed at once; only 0 trains the
    use in `decode` and `evaluate`, which always use the decoded slice. The rest: see `SequenceModel`.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        dims: Dims = 4,
        encoder: Widths = (256, 64),
        decoder: Widths = (64, 256),
        teacher_forcing: Annotated[float, Field(ge=0, le=1)] = 0.0,
        bottleneck: BottleneckKind = "plain",
        likelihood: LikelihoodKind = "squared",
    ):
        super().__init__(spec, dims=dims, bottleneck=bottleneck, likelihood=likelihood)
        cells = spec.cells
        self.teacher_forcing = teacher_forcing
        self.encoder = perceptron(2 * cells, *encoder, self.bottleneck.width)
        self.decoder = perceptron(cells + dims, *decoder, cells * self.likelihood.outputs)

    def initialise(self, batch: Batch) -> None:
        """Sets the layers to principal components of the frames, see `initialise_layers`, with zero weights for the previous slice."""
        initialise_layers(
            self.encoder, self.decoder, self.frames_inside(batch), bottleneck=self.bottleneck, likelihood=self.likelihood,
            beside=self.spec.parts * self.spec.bands,
        )  # fmt: skip

    def encode_raw(self, images: Tensor) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, bottleneck.width, frames)`."""
        slices = self.slices(images)
        return self.encoder(torch.cat([_before(slices), slices], 2)).mT

    def decode_raw(self, z: Tensor) -> Tensor:
        """Returns the decoder's outputs, without teacher forcing: `(batch, dims, steps) -> (batch, outputs * parts, bands, steps)`."""
        return self._run(z, None)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Returns the losses of `SequenceModel`: reconstruction `()` and kl `(dims,)`.

        In a share `teacher_forcing` of the steps the input is the true previous slice.
        """
        if not self.teacher_forcing:
            return super().forward(batch)
        images, counts = self.excerpt(batch, drawn=True)
        posterior = self.bottleneck.posterior(self.encode_raw(images))
        output = self._run(self.bottleneck.draw(posterior), images)
        each = self.likelihood.loss(by_frame(output), by_frame(images)).unflatten(0, (len(images), -1))
        losses = {"reconstruction": (each * counts).sum() / counts.sum()}
        return losses | ({"kl": self.kl(posterior, counts)} if "kl" in self.bottleneck.losses(posterior) else {})

    def step(self, previous: Tensor, controls: Tensor) -> Tensor:
        """Returns the outputs of one step, `(…, outputs * parts * bands)`, from a slice `(…, parts * bands)` and controls `(…, dims)`."""
        return self.decoder(torch.cat([previous, controls], -1))

    def decoded_slice(self, output: Tensor) -> Tensor:
        """Returns the slice `(batch, parts * bands)` of an output of `step`, as the input of the next step."""
        slices = self.likelihood.mean(output)
        return slices if self.spec.floor is None else slices.clamp(0, 1)

    def _run(self, z: Tensor, images: Tensor | None) -> Tensor:
        controls = z.mT
        true = None if images is None else _before(self.slices(images))
        if true is not None and self.teacher_forcing == 1:
            return self.joined(self.step(true, controls))
        forced = (torch.rand(controls.shape[:2]) < self.teacher_forcing).to(z.device) if true is not None else None  # drawn on the CPU
        previous, outputs = z.new_zeros(len(z), self.spec.parts * self.spec.bands), []
        for k in range(controls.shape[1]):
            if true is not None and forced is not None:
                previous = torch.where(forced[:, k, None], true[:, k], previous)
            outputs.append(self.step(previous, controls[:, k]))
            previous = self.decoded_slice(outputs[-1])
        return self.joined(torch.stack(outputs, 1))


def _before(slices: Tensor) -> Tensor:
    """Returns `(batch, frames, cells)` with each slice replaced by the one before it, the first by silence."""
    return torch.cat([torch.zeros_like(slices[:, :1]), slices[:, :-1]], 1)
