"""Is the detail of a new sound that of a training sound? Detail alone is compared: what a latent decodes to is taken away first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from timbrespace.evaluation.distribution import nearest
from timbrespace.synthesis.detail.timing import timing_of
from timbrespace.synthesis.encoding import encode
from timbrespace.synthesis.texture import floor_of

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus
    from timbrespace.synthesis.file.contents import InstrumentContents

_FRAMES = 48  # from the attack on, at unchanged speed: grain that is borrowed is found again
_AUDIBLE_DB = -60.0  # decoded cells under it count as without detail
_MOST_DB = 25.0

Encoded = tuple[Tensor, Tensor | None]  # a sound (channels, time) and its latent, None where it has to be encoded


@torch.no_grad()
def detail_points(contents: InstrumentContents, sounds: Sequence[Encoded]) -> Tensor:
    """Returns the detail of sounds in dB, `(n, bands × 48)`: levels minus decoded levels, without their median, in the audible cells.

    Distances between rows are RMS values over the cells.
    """
    view, rows = contents.representation, []
    floor, bands = floor_of(view), view.spec(contents.samples).bands
    for audio, latent in sounds:
        z = encode(contents, audio[:, : contents.samples]).z if latent is None else latent
        levels = view.encode(contents.model.prepare_audio(audio[:, : contents.samples])[None])[0]
        levels = (levels - levels.amax()).clamp_min(-floor)
        decoded = contents.model.decode(z[None].float(), lengths=torch.tensor([min(audio.shape[1], contents.samples)])).features[0]
        decoded = decoded[..., : levels.shape[-1]].clamp_min(-floor)
        detail, used = (levels - decoded)[0].clamp(-_MOST_DB, _MOST_DB), decoded[0] > _AUDIBLE_DB
        detail = torch.where(used, detail - (detail[used].median() if bool(used.any()) else 0.0), 0.0)
        attack = timing_of(levels, hop=int(getattr(view, "hop", 1)), sample_rate=contents.sample_rate).attack
        row, part = torch.zeros(bands, _FRAMES), detail[:, attack : attack + _FRAMES]
        row[:, : part.shape[1]] = part
        rows.append(row.flatten() / (bands * _FRAMES) ** 0.5)
    return torch.stack(rows)


class Details:
    """The detail of a corpus's training sounds, and how far that of other real sounds is from it."""

    def __init__(self, contents: InstrumentContents, corpus: Corpus, training: Sequence[int], held_out: Sequence[int]):
        assert contents.clips is not None
        self.contents = contents
        latents: list[Tensor | None] = list(contents.clips.latents)
        self.training = detail_points(contents, [(corpus.audio(i), z) for i, z in zip(training, latents, strict=True)])
        held = detail_points(contents, [(corpus.audio(i), None) for i in held_out])
        self.unit = float(np.median(nearest(held, self.training)[1]))
        groups = np.array([corpus.clips[i].group for i in training])
        apart = torch.cdist(self.training, self.training).numpy()
        apart[groups[:, None] == groups[None]] = np.inf
        self.bound = float(np.percentile(apart.min(1)[np.isfinite(apart.min(1))], 1))  # nearest real sounds of other groups

    def measures(self, sounds: Sequence[Encoded]) -> dict[str, float]:
        """Returns `detail_novelty`, the median distance to the nearest training detail over that of held-out sounds, and
        `detail_nearest`, the least distance over the 1st percentile of real sounds of different groups: 1 or more is no copy.
        """  # fmt: skip
        distances = nearest(detail_points(self.contents, sounds), self.training)[1]
        return {"detail_novelty": float(np.median(distances)) / self.unit, "detail_nearest": float(distances.min()) / self.bound}
