"""What an instrument can be asked for by name: its categories, its training sounds, and the learned words of their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

from timbrespace.corpus.labels import vocabulary as corpus_words
from timbrespace.prompt.lexicon import Phrase, lexicons
from timbrespace.prompt.tokens import words_of

_SUFFIXES = frozenset(["wav", "flac", "aif", "aiff", "aifc", "ogg", "mp3", "caf", "au", "w64", "opus"])
_MOST_NAME_WORDS = 16


@dataclass(frozen=True)
class Vocabulary:
    """The names of an instrument.

    categories: words -> (rank, category); a lower rank wins where two stand together ("synth bass" is a bass). absent: the same of
    categories that it lacks. sounds: words of a training sound's name, with and without its folders -> the numbers of all that are
    called so. names: of the training sounds. learned: words of their names with an effect on the sound. given: name of a sound that
    the user gives beside the prompt; None: none. velocity: whether it knows how hard a sound is played.
    """

    categories: Mapping[Phrase, tuple[int, str]]
    absent: Mapping[Phrase, str]
    sounds: Mapping[Phrase, Sequence[int]] = field(default_factory=dict)
    names: Sequence[str] = ()
    learned: frozenset[str] = frozenset()
    given: str | None = None
    velocity: bool = False
    longest_name: int = 1

    def sound_at(self, words: Sequence[str]) -> tuple[int, Sequence[int]] | None:
        """Returns how many of the first words are the longest name of a training sound (or of the given one), and the sounds called so.

        The given sound has the number -1. None where there is none.
        """
        given = words_of(PurePosixPath(self.given.replace("\\", "/")).stem) if self.given else ()
        for count in range(min(len(words), max(self.longest_name, len(given))), 0, -1):
            part = tuple(words[:count])
            found = [-1] if part == given else self.sounds.get(part)
            if found:
                more = count < len(words) and words[count] in _SUFFIXES
                return count + more, found
        return None


def vocabulary_of(
    categories: Sequence[str], *, names: Sequence[str] = (), learned: frozenset[str] = frozenset(), given: str | None = None,
    velocity: bool = False,
) -> Vocabulary:  # fmt: skip
    """Returns the vocabulary of an instrument: of its own categories all words that a corpus or a prompt knows for them."""
    present: dict[Phrase, tuple[int, str]] = {}
    absent: dict[Phrase, str] = {}
    for phrase, (rank, category) in _known_categories().items():
        if category in categories:
            present[phrase] = (rank, category)
        else:
            absent[phrase] = category
    for category in categories:
        for own in {words_of(category), words_of(f"{category}s")}:
            if own:
                present[own] = (present.get(own, (0, ""))[0], category)
                absent.pop(own, None)
    sounds: dict[Phrase, list[int]] = {}
    for number, name in enumerate(names):
        parts = PurePosixPath(name).parts
        for first in range(len(parts)):
            words = tuple(word for part in parts[first:] for word in words_of(part))[:_MOST_NAME_WORDS]
            if words:
                sounds.setdefault(words, []).append(number)
    longest = max(map(len, sounds), default=1)
    return Vocabulary(present, absent, sounds, names, learned, given, velocity, longest)


@lru_cache(maxsize=1)
def _known_categories() -> dict[Phrase, tuple[int, str]]:
    """Words of categories in all languages -> (rank, category)."""
    found: dict[Phrase, tuple[int, str]] = {}
    ranks = (corpus_words.DRUMS, corpus_words.NOTES, corpus_words.DRUMS_GENERAL, corpus_words.GENERAL)
    rank_of = {category: rank for rank, kinds in reversed(list(enumerate(ranks))) for category in kinds}
    for rank, kinds in reversed(list(enumerate(ranks))):
        for category, text in kinds.items():
            for word in text.split(","):
                for form in (word, f"{word}s", f"{word}es" if word.endswith("sh") else word):
                    found[words_of(form)] = (rank, category)
    for lexicon in lexicons():
        for phrase, roles in lexicon.phrases.items():
            for role in roles:
                if role.kind == "category":
                    found[phrase] = (rank_of.get(role.name, 0), role.name)
    return found
