"""The way from one given sound to another, through others if given, in even steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from timbrespace.latent.paths import line
from timbrespace.synthesis import sequences
from timbrespace.synthesis.detail.features import mixed_features
from timbrespace.synthesis.detail.mix import Mix, length_of
from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.detail.spacing import even_positions, step_sizes, steps_by_segment
from timbrespace.synthesis.file.contents import InstrumentContents

_EARLY_SECONDS = 1.0  # a step is measured on the whole sound; the part at this time counts half


class SoundPath:
    """Points between given sounds. A position is 0 at the first sound, 1 at the second, and so on.

    seed: of new detail.
    """

    def __init__(self, contents: InstrumentContents, sources: Sequence[Source], *, seed: int):
        self.contents, self.sources, self.seed = contents, sources, seed
        self.keeps_detail = all(source.detail is not None for source in sources)

    def mix(self, position: float) -> Mix:
        """Returns the two given sounds around a position, and the share of the second."""
        first = min(int(position), len(self.sources) - 2)
        return Mix((self.sources[first], self.sources[first + 1]), position - first, limited=True)

    def latent(self, position: float) -> tuple[Tensor, int | None]:
        """Returns the latent `(dims,)` or `(dims, steps)` and, of a path, its length in samples: on a straight line between neighbours."""
        mix = self.mix(position)
        a, b = (source.encoded for source in mix.sources)
        if self.contents.model.time_varying:
            return sequences.blend(self.contents, (a.z, a.length), (b.z, b.length), mix.share)
        return (b.z if mix.share == 1 else a.z * (1 - mix.share) + b.z * mix.share), None

    def features(self, position: float) -> Tensor:
        """Returns the features in dB `(parts, bands, frames)` at a position."""
        mix, (z, length) = self.mix(position), self.latent(position)
        length = length_of(self.contents, mix, z) if length is None else length
        return mixed_features(self.contents, mix, z, length, seed=self.seed).features

    def even(self, steps: int) -> list[float]:
        """Returns `steps` positions from end to end, as far apart as the sounds there differ.

        Every given sound is among them if there are as many steps. Instruments without detail get positions in even steps.
        """
        corners, last = list(range(len(self.sources))), len(self.sources) - 1
        if not self.keeps_detail or steps < len(corners):
            return line(torch.arange(last + 1, dtype=torch.float64)[:, None], steps)[:, 0].tolist()
        view: Any = self.contents.representation
        options = {"floor": -view.floor, "early": _EARLY_SECONDS * self.contents.sample_rate / view.hop}
        counts = [steps - 1]
        if last > 1:
            sizes = step_sizes([self.features(float(corner)) for corner in corners], **options)
            counts = steps_by_segment([max(float(size), 1e-6) for size in sizes], steps)
        places: list[float] = [0.0]
        for corner, count in enumerate(counts):
            places += even_positions(self.features, float(corner), float(corner + 1), count + 1, **options)[1:]
        return places
