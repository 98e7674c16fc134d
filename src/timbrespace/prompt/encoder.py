"""The place where a bigger text encoder can be plugged in: anything that turns text into a vector of fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class TextEncoder(Protocol):
    """Turns texts into vectors, for `Instrument.understand` and `generate`; a language model of the user's choice, for instance.

    It is fitted to the names of the training sounds once for each instrument and encoder: no word has to occur in a name.
    """

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Returns a vector for each text, `(texts, size)`, float32 and finite. The same text always has the same vector."""
        ...
