"""Writes a corpus from clips that are already prepared, of other corpora or of any other origin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace.corpus import format as names
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.format import ClipInfo
from timbrespace.corpus.summary import write_summary
from timbrespace.corpus.writer import ArrayWriter, new_folder


@dataclass(frozen=True)
class MergedClip:
    """A clip of the corpus to be written: its manifest line, and a function that gives its audio `(channels, time)` float32."""

    info: ClipInfo
    audio: Callable[[], np.ndarray]


def clips_of(corpus: Corpus, indices: Iterable[int] | None = None) -> list[MergedClip]:
    """The clips `indices` of a corpus (None: all), with their names, labels and splits; their audio is read when it is written."""
    chosen = range(len(corpus)) if indices is None else indices
    return [MergedClip(corpus.clips[i], lambda i=i: corpus.audio(i).numpy()) for i in chosen]  # type: ignore[misc]


def write_merged(
    out: Path, clips: Sequence[MergedClip], *, head: Mapping[str, Any], skipped: Sequence[Mapping[str, Any]] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:  # fmt: skip
    """Writes the corpus `out` of `clips` in their order, one in memory at a time, and opens it. What `out` holds is replaced.

    A name that an earlier clip has gets a number: "kick 01 (2)"; so does its group, so that clips of two corpora share no group by chance.
    head: sample_rate, channels, source, layout, options and other entries of corpus.json. Raises TimbrespaceError.
    """
    rows: list[ClipInfo] = []
    taken: set[str] = set()
    offsets = [0]
    with new_folder(out, force=True) as folder:
        with ArrayWriter(folder / names.AUDIO, (head["channels"],), "<f4") as writer:
            for number, clip in enumerate(clips):
                writer.append(clip.audio().T)
                offsets.append(writer.rows)
                name = _free_name(clip.info.name, taken)
                taken.add(name)
                group = clip.info.group if name == clip.info.name else f"{clip.info.group} of {name}"
                rows.append(replace(clip.info, id=number, name=name, group=group))
                if progress is not None:
                    progress(number + 1, len(clips))
        write_summary(folder, rows, offsets, head=head, skipped=skipped)
    return Corpus.open(out)


def _free_name(name: str, taken: set[str]) -> str:
    """`name`, or with the first number from 2 on under which it is not taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free
