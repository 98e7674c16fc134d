"""The category of a given sound: by its file name, else by the training sounds nearest to it. New sounds near it are named by it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from timbrespace.corpus.labels.categories import categorise, folder_kind
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.novelty import nearest_sounds, neighbours

_VOTES = 5  # nearest training sounds that decide; more than half of them must have the category


class Kind(NamedTuple):
    """A category of the instrument, and what it follows from: "its name" or "its nearest training sounds"."""

    category: str
    by: str


def kind_of(contents: InstrumentContents, audio: Tensor, *, file: Path | str = "") -> Kind | None:
    """Returns the category of a sound `(channels, time)` at the instrument's rate, one of those that the instrument has; else None.

    file: its path; a category in the file's or its folder's name counts first, read as `prepare` reads it. Else more than half of the
    five nearest training sounds must share a category, and the sound must not be unlike all of them (see `novelty.UNLIKE`): a stripped
    instrument goes by the name alone.
    """
    known = contents.space.categories
    path = Path(file)
    folder = path.absolute().parent.name if path.name else ""
    for category in (categorise([path.name], root=folder)[0], folder_kind(folder)) if path.name else ():
        if category in known:
            return Kind(str(category), "its name")
    if contents.clips is None or not len(contents.clips.names) or not audio.any():
        return None
    embeddings = contents.clips.embeddings
    if nearest_sounds([audio], contents.sample_rate, embeddings=embeddings, unit=contents.novelty_unit)[0].is_unlike:
        return None
    nearest = neighbours(audio, contents.sample_rate, embeddings=embeddings, count=_VOTES)
    category, votes = Counter(contents.clips.categories[index] for index in nearest).most_common(1)[0]
    return Kind(category, "its nearest training sounds") if category in known and 2 * votes > len(nearest) else None
