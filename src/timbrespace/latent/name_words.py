"""Words of file and folder names that say something about the sound: how each of them moves a latent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError

MOST_WORDS = 1_024  # that are learned of a corpus
LONGEST_WORD = 64  # characters


@dataclass(frozen=True)
class NameWords:
    """The learned words of a corpus. Only words that predict held-out sounds better than chance are among them.

    words: lower case. counts: of the sounds with each word. categories: of most sounds with the word, None where they are mixed.
    effects `(words, dims)`: how the latent of a sound with the word differs from the mean of its category, other words held fixed.
    gains `(words,)`: the share of the held-out variance about the category's mean that the word explains, on its own sounds.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]
    categories: tuple[str | None, ...]
    effects: Tensor
    gains: Tensor

    @classmethod
    def none(cls, dims: int) -> NameWords:
        """Returns a model of no words: nothing in the names says anything about the sounds."""
        return cls((), (), (), torch.zeros(0, dims), torch.zeros(0))

    def __len__(self) -> int:
        return len(self.words)

    def effect(self, word: str) -> Tensor:
        """Returns how a word moves the latent, `(dims,)`. Raises ConfigError for a word that was not learned."""
        if word not in self.words:
            known = ", ".join(sorted(self.words)[:20]) or "none"
            raise ConfigError(f"{word!r:.80} is no learned word of this instrument's names; there are: {known}")
        return self.effects[self.words.index(word)]

    def category(self, word: str) -> str | None:
        """Returns the category of most sounds with the word; None where they are mixed or the word is unknown."""
        return self.categories[self.words.index(word)] if word in self.words else None

    # --- as a file stores them --------------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """Returns the tensors: effects `(words, dims)` and gains `(words,)`."""
        return {"effects": self.effects, "gains": self.gains}

    def rows(self) -> list[list[str | int | None]]:
        """Returns (word, count, category) of each word as plain JSON values."""
        return [list(row) for row in zip(self.words, self.counts, self.categories, strict=True)]

    @classmethod
    def load(cls, tensors: dict[str, Tensor], rows: object, *, dims: int) -> NameWords:
        """Returns the model of what `tensors` and `rows` gave. Raises ConfigError unless they fit each other."""
        effects, gains = tensors.get("effects"), tensors.get("gains")
        fits = isinstance(rows, list) and len(rows) <= MOST_WORDS and all(map(_is_row, rows))
        if not fits or set(tensors) != {"effects", "gains"} or effects is None or gains is None:
            raise ConfigError("the words of its names are damaged")
        words: Sequence[tuple[str, int, str | None]] = [tuple(row) for row in rows] if isinstance(rows, list) else []
        if effects.shape != (len(words), dims) or gains.shape != (len(words),) or len({word for word, _, _ in words}) != len(words):
            raise ConfigError(f"{len(words)} words of names have effects {tuple(effects.shape)}, ({len(words)}, {dims}) expected")
        columns = tuple(zip(*words, strict=True)) if words else ((), (), ())
        return cls(columns[0], columns[1], columns[2], effects.float(), gains.float())


def _is_row(row: object) -> bool:
    if not isinstance(row, list) or len(row) != 3:
        return False
    word, count, category = row
    return (
        isinstance(word, str)
        and 0 < len(word) <= LONGEST_WORD
        and isinstance(count, int)
        and not isinstance(count, bool)
        and count > 0
        and isinstance(category, str | None)
    )
