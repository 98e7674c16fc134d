"""The error of a linear codec's images, from its coefficients alone."""

from __future__ import annotations

import torch
from torch import Tensor


class ImageError:
    """Mean squared error a cell, dB², over the cells inside each sound, computed from coefficients without making images.

    With d the difference of coefficients and B_s the part of the basis for step s of the time axis, the squared error of
    the first k steps is Σ_{s<k} |d B_s|² = d G_k dᵀ, G_k = Σ_{s<k} B_s B_sᵀ: one small matrix for each end, computed once. Ends are
    rounded up to whole groups of `group` steps. Cells beyond a sound's end are left out.

    basis: `(coefficients, parts * bands * steps)`.
    """

    def __init__(self, basis: Tensor, *, steps: int, group: int = 4):
        self.group = group
        cells = basis.reshape(len(basis), -1, steps)
        self.cells_a_step = cells.shape[1]
        gram = basis.new_zeros(len(basis), len(basis))
        self.grams, self.ends = [], [*range(group, steps, group), steps]
        for end in self.ends:
            part = cells[:, :, max(0, end - group) if end % group == 0 else end - end % group : end].flatten(1)
            gram = gram + part @ part.T
            self.grams.append(gram)

    def fits(self, basis: Tensor) -> bool:
        """Returns whether the matrices are on the device of `basis` and of its type."""
        return self.grams[0].device == basis.device and self.grams[0].dtype == basis.dtype

    def __call__(self, found: Tensor, wanted: Tensor, inside: Tensor) -> Tensor:
        """Returns errors `(batch,)` in dB². found, wanted: `(batch, coefficients)`. inside: steps of each sound `(batch,)`."""
        difference = found - wanted
        groups = (torch.div(inside + self.group - 1, self.group, rounding_mode="floor") - 1).clamp(0, len(self.ends) - 1)
        order = torch.argsort(groups, stable=True)
        errors = []
        for group, rows in zip(*_runs(groups[order]), strict=True):
            d, order = difference[order[:rows]], order[rows:]
            errors.append(((d @ self.grams[group]) * d).sum(1) / (self.ends[group] * self.cells_a_step))
        back = torch.argsort(torch.argsort(groups, stable=True), stable=True)
        return torch.cat(errors)[back]


def _runs(sorted_values: Tensor) -> tuple[list[int], list[int]]:
    values, counts = torch.unique_consecutive(sorted_values, return_counts=True)
    return values.tolist(), counts.tolist()
