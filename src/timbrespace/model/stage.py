"""The stages in which a model learns: one for most, two where a model is trained, frozen, and its codes learned by another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from timbrespace.model.base import Batch, Model


class CodeSource(Protocol):
    """What turns encoded sounds into the codes that a later stage learns."""

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of the codes of one sound."""

    def raw_codes(self, batch: Batch) -> Tensor:
        """Returns codes before standardisation, `(batch, *code_shape)`."""

    def codes(self, batch: Batch) -> Batch:
        """Returns standardised codes of the sounds of a batch, as the later stage learns them."""

    def set_codes(self, mean: Tensor, deviation: Tensor) -> None:
        """Sets mean and deviation of the codes over the corpus, both of `code_shape`."""


class Stage(NamedTuple):
    """One stage of learning.

    name: in the card, in the checkpoint's name where there are two stages, and in progress reports, where the last stage is "train".
    model: the model, or the part of it, that learns. share: of the time or epochs. codes: makes the values that the stage learns, from
    what the stage before has learned; None: encoded sounds. A model has one stage, or two; then the second has codes.
    trained: the model was trained before, and nothing of it is to change; of two stages the first one.
    """

    name: str
    model: Model
    share: float = 1.0
    codes: CodeSource | None = None
    trained: bool = False
