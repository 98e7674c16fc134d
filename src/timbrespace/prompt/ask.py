"""A prompt to one instrument: its vocabulary, and what a text encoder adds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from timbrespace.contracts import ConfigError
from timbrespace.latent.name_words import NameWords
from timbrespace.prompt.learned import fit_name_words
from timbrespace.prompt.reading import Reading
from timbrespace.prompt.understand import read_prompt
from timbrespace.prompt.vocabulary import vocabulary_of
from timbrespace.synthesis.file.contents import InstrumentContents

if TYPE_CHECKING:
    from timbrespace.prompt.encoder import TextEncoder

_STRIPPED = "this instrument was stripped of its training sounds: words of their names, and comparisons with them, are not known"


def understand(contents: InstrumentContents, prompt: str, *, given: str | None = None, encoder: TextEncoder | None = None) -> Reading:
    """Returns how an instrument understands a prompt. given: name of a sound that is given beside it, to compare with.

    encoder: reads the whole prompt too, if it says anything about this instrument's sounds, see `encoded.EncodedWords`. Raises
    ConfigError for an invalid prompt.
    """
    clips = contents.clips
    vocabulary = vocabulary_of(
        contents.space.categories,
        names=() if clips is None else clips.names,
        learned=frozenset(name_words_of(contents).words),
        given=given,
        velocity=knows_velocity(contents),
    )
    reading = read_prompt(prompt, vocabulary)
    if clips is None and reading.unknown:
        reading = replace(reading, notes=(*reading.notes, _STRIPPED))
    if encoder is not None:
        from timbrespace.prompt.choice.encoded import encoded_words

        said = encoded_words(contents, encoder) is not None
        note = "the text encoder says nothing about the sounds of this instrument: its vectors of their names predict none of them"
        reading = replace(reading, encoded=said, notes=reading.notes if said else (*reading.notes, note))
    if reading.compared is not None and reading.compared.clip is not None and clips is not None:
        reading = replace(reading, compared=replace(reading.compared, category=clips.categories[reading.compared.clip]))
    return reading


def name_words_of(contents: InstrumentContents) -> NameWords:
    """Returns the learned words of an instrument's names: those of its file, in older files computed; none of a stripped one."""
    if contents.name_words is not None:
        return contents.name_words
    if contents.clips is None:
        return NameWords.none(contents.model.dims)
    return fit_name_words(contents.clips.names, contents.clips.categories, contents.clips.latents)


def knows_velocity(contents: InstrumentContents) -> bool:
    """Whether an instrument knows how hard its sounds are played."""
    try:
        contents.model.conditioning.request(None, category=None, pitch=None, velocity=64.0)
    except ConfigError:
        return False
    return True
