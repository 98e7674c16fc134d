"""How far instruments are apart: whether their recordings are decoded better by their own voice than by the others."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.voices.model import CELLS, VoiceModel

LEAST = 0.8  # share below which two instruments sound alike: two recordings of one violin have 0.68, violin and flute 1.0
_WINDOW = 172  # frames, 1 s
_MOST = 20_000  # frames of one instrument


@torch.no_grad()
def separation(model: VoiceModel, data: list[tuple[Tensor, Tensor, Tensor]]) -> list[tuple[int, int, float]]:
    """Returns for each pair of instruments the share of their seconds that their own voice decodes better: 0.5 if nothing differs.

    data: levels, cells that hold one, and conditions of each instrument's frames, `(frames, …)` each. Latents are those that the
    conditions let expect, so that nothing of the timbre comes from the frames themselves.
    """
    errors = []
    for levels, there, conditions in data:
        count = min(len(levels), _MOST)
        count = max(1, count // _WINDOW) * _WINDOW if count >= _WINDOW else count
        some = slice(0, count)
        found = []
        for place in model.places:
            rows = place.expand(count, -1)
            mean, _ = model.expect(conditions[some], rows)
            error = ((model.decode(mean, conditions[some], rows) - levels[some]).abs() * there[some]).sum(1) / CELLS
            found.append(error.view(-1, min(_WINDOW, count)).mean(1))
        errors.append(torch.stack(found))
    pairs = []
    for one in range(len(errors)):
        for other in range(one):
            better = [errors[one][one] < errors[one][other], errors[other][other] < errors[other][one]]
            pairs.append((other, one, float(torch.stack([share.float().mean() for share in better]).mean())))
    return pairs
