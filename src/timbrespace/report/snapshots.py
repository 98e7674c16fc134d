"""Reconstructions of a few sounds during a training: kept at some of its checks, decoded to audio when the training is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from timbrespace.model.base import Decoded

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.training.callbacks import Progress, TrainingContext

_SHARES = (0.0, 0.05, 0.25)  # of all steps; the next check after each is kept


@dataclass(frozen=True)
class Snapshot:
    """The reconstructions at `step`, one per sound: features `(1, parts, bands, frames)` in half precision, lengths `(1,)` in samples."""

    step: int
    decoded: tuple[Decoded, ...]

    def audio(self, index: int, instrument: Instrument) -> Tensor:
        """Returns the reconstruction of sound number `index` as audio `(channels, time)`, peak 1."""
        features, lengths = self.decoded[index]
        view, length = instrument.representation, int(lengths)
        with torch.no_grad():
            audio = view.decode(features.float()[..., : view.frames(length)], length=length, seed=0)[0]
        return audio / audio.abs().max().clamp_min(1e-9)


class Snapshots:
    """Keeps snapshots of a training; `on_start` and `on_progress` are its callbacks. Neither changes what the model learns.

    count: number of validation sounds, spread evenly. rows: their indices in the validation set. The parameters are those of the
    step, not the averaged ones of the finished model.
    """

    def __init__(self, count: int = 3):
        self.count, self.snapshots, self.rows = count, list[Snapshot](), list[int]()
        self._context: TrainingContext | None = None

    def on_start(self, context: TrainingContext) -> None:
        """Chooses the sounds; called before the first step."""
        self._context = context
        validation = len(context.validation)
        self.rows = sorted({k * validation // self.count for k in range(min(self.count, validation))})

    def on_progress(self, progress: Progress) -> None:
        """Keeps the first check of the last stage of training, and the first after some shares of its steps."""
        due = len(self.snapshots)
        if progress.stage != "train" or not progress.metrics or self._context is None or due == len(_SHARES):
            return
        if progress.done < _SHARES[due] * progress.total or progress.done == progress.total:
            return
        model = self._context.model
        training, device = model.training, next(model.parameters()).device
        model.eval()
        decoded = []
        with torch.no_grad():
            for row in self.rows:
                batch = self._context.validation[torch.tensor([row])].to(device)
                output = model.decode(model.posterior(batch).mean, lengths=batch.lengths)
                decoded.append(Decoded(output.features.half().cpu(), output.lengths.cpu()))
        model.train(training)
        self.snapshots.append(Snapshot(progress.done, tuple(decoded)))
