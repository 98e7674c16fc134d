"""Finds the files of an instrument's training sounds again: in the folder or corpus that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from timbrespace.audio.files import find_audio
from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.format import HEAD
from timbrespace.corpus.manifest import names_without_suffix
from timbrespace.corpus.sources import named_files
from timbrespace.paths import is_file, is_folder
from timbrespace.space.neighbours.measure import Measuring, Named, Progress, measure
from timbrespace.space.neighbours.sounds import SoundSet
from timbrespace.synthesis.file.contents import InstrumentContents


def training_files(sounds: SoundSet, folders: Sequence[Path]) -> dict[str, Named]:
    """Returns training sounds by name, as far as folders of sounds or corpora hold them.

    A part of a file that was cut (`name#2`) has the path of the whole file in a folder, and its own samples in a corpus.
    """
    wanted, found = set(sounds.names), dict[str, Named]()
    for folder in folders:
        if is_file(folder / HEAD):
            corpus = Corpus.open(folder)
            for index, clip in enumerate(corpus.clips):
                if clip.name in wanted:
                    found.setdefault(clip.name, Named(clip.name, clip.category, audio=corpus.audio(index), rate=corpus.sample_rate))
        elif is_folder(folder):
            files = named_files(find_audio(folder, problems=[]), folder)
            whole = dict(zip(names_without_suffix([file for _, file in files]), (path for path, _ in files), strict=True))
            for name in wanted:
                path = whole.get(name.partition("#")[0])
                if path is not None:
                    found.setdefault(name, Named(name, path=path))
    return found


def located(sounds: SoundSet, folder: Path) -> dict[str, Named]:
    """Returns `training_files` of a folder that the user names. Raises ConfigError where it holds none of them."""
    if not is_folder(folder):
        raise ConfigError(f"{folder} is not a folder; give the folder that the instrument was trained on")
    found = training_files(sounds, [folder])
    if not found:
        raise ConfigError(
            f"{folder} holds none of the {len(sounds)} training sounds, such as {sounds.names[0]!r}; "
            "give the folder that the instrument was trained on"
        )
    return found


def with_cepstra(
    contents: InstrumentContents, sounds: SoundSet, files: dict[str, Named], *, progress: Progress | None = None
) -> SoundSet | None:
    """Returns the training sounds whose samples can be read, with the cepstra of the baseline; None if there are none.

    Parts of files are used only where their own samples are known.
    """
    rows, named = [], []
    for row, name in enumerate(sounds.names):
        one = files.get(name)
        if one is not None and (one.audio is not None or "#" not in name):
            rows.append(row)
            named.append(replace(one, name=str(row)))
    try:
        read = measure(contents, named, Measuring(cepstra=True), problems=[], progress=progress)
    except TimbrespaceError:
        return None
    if not len(read):
        return None
    return replace(sounds.only([int(name) for name in read.names]), cepstra=read.cepstra)
