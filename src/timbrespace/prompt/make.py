"""From a prompt to render requests: understood, refused where it asks for nothing, and followed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from timbrespace.contracts import ConfigError
from timbrespace.prompt.ask import understand
from timbrespace.prompt.choice.choose import choose
from timbrespace.prompt.understand import demand
from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.kinds import kind_of
from timbrespace.synthesis.request import DrawOptions, RenderRequest

if TYPE_CHECKING:
    from timbrespace.prompt.encoder import TextEncoder


class Words(NamedTuple):
    """A prompt and the values given beside it. like: a sound to compare with. encoder: a text encoder of the user's."""

    prompt: str
    like: Source | None = None
    encoder: TextEncoder | None = None


def prompted(
    contents: InstrumentContents, words: Words, count: int, options: DrawOptions, *, seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[RenderRequest]:  # fmt: skip
    """Returns requests of `count` new sounds that fit a prompt. progress: called with the sounds chosen and their number.

    Each recipe says how the prompt was understood, with what could not be followed. Raises ConfigError for a prompt that asks for nothing
    which this instrument can follow.
    """
    if options.centre is not None:
        raise ConfigError("near and a prompt are given; say in the prompt how the sounds differ, and give the sound as `like`")
    name = None
    if words.like is not None:
        given = words.like.given
        name = given.file or "the given sound"
        # Below the root: no folder's name says what it is.
        options = replace(options, kind=kind_of(contents, given.audio, file=Path("/") / given.file if given.file else ""))
    reading = demand(understand(contents, words.prompt, given=name, encoder=words.encoder))
    if options.category is not None and reading.categories and reading.categories != (options.category,):
        asked = " or ".join(reading.categories)
        raise ConfigError(f"the prompt asks for {asked} and the category is {options.category!r}; say it in one of the two places")
    return choose(
        contents, reading, count, options, seed=seed, given=words.like, encoder=words.encoder,
        progress=None if progress is None else lambda done: progress(done, 2 * count),
    )  # fmt: skip
