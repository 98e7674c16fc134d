"""What a model made of a few sounds while it learned: kept at some of the checks of a training, turned into audio when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from timbrespace.model.base import Decoded

if TYPE_CHECKING:
    from timbrespace.synthesis.instrument import Instrument
    from timbrespace.training.train import Report, TrainingContext

_SHARES = (0.0, 0.05, 0.25)  # of the steps, from which the next check is kept


@dataclass(frozen=True)
class Snapshot:
    """At `step`: for each of the sounds, features `(1, parts, bands, frames)` in half precision, and lengths `(1,)` in samples."""

    step: int
    made: tuple[Decoded, ...]

    def audio(self, place: int, instrument: Instrument) -> Tensor:
        """What sound number `place` sounded like, `(channels, time)`, peak 1."""
        features, lengths = self.made[place]
        view, length = instrument.representation, int(lengths)
        with torch.no_grad():
            audio = view.decode(features.float()[..., : view.frames(length)], length=length, seed=0)[0]
        return audio / audio.abs().max().clamp_min(1e-9)


class Snapshots:
    """Give `ready` and `watch` to a training: neither changes what it learns.

    count: validation sounds looked at, spread evenly. rows: which they are. The parameters are those of the moment, not yet averaged.
    """

    def __init__(self, count: int = 3):
        self.count, self.taken, self.rows = count, list[Snapshot](), list[int]()
        self._ready: TrainingContext | None = None

    def ready(self, ready: TrainingContext) -> None:
        """Before the first step."""
        self._ready = ready
        most = len(ready.validation)
        self.rows = sorted({k * most // self.count for k in range(min(self.count, most))})

    def watch(self, report: Report) -> None:
        """At every report: keeps the first check of the last stage of learning, and the first ones past some shares of its steps."""
        due = len(self.taken)
        if report.stage != "train" or not report.figures or self._ready is None or due == len(_SHARES):
            return
        if report.done < _SHARES[due] * report.total or report.done == report.total:
            return
        model = self._ready.model
        learning, device = model.training, next(model.parameters()).device
        model.eval()
        made = []
        with torch.no_grad():
            for row in self.rows:
                batch = self._ready.validation[torch.tensor([row])].to(device)
                found = model.decode(model.posterior(batch).mean, lengths=batch.lengths)
                made.append(Decoded(found.features.half().cpu(), found.lengths.cpu()))
        model.train(learning)
        self.taken.append(Snapshot(report.done, tuple(made)))
