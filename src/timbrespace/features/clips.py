"""Clips of files, of a prepared corpus or of a synthetic corpus, with one interface: a name and audio that is read when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.audio.files import log_remarks, mix, probe, read_array, resample_array
from timbrespace.audio.trim import shorten
from timbrespace.contracts import AudioFileError, ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from timbrespace.corpus.corpus import Corpus


@dataclass(frozen=True)
class Clip:
    """One sound whose audio is read when needed.

    name: relative POSIX name without suffix. source: its origin, as written in headers. rate: Hz. load: returns audio and its rate.
    samples: length at `rate`, None if unknown before reading. labels: metadata. path: its file, if it has one.
    """

    name: str
    source: str
    rate: int
    load: Callable[[], tuple[np.ndarray, int]] = field(repr=False)
    samples: int | None = None
    labels: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def seconds(self) -> float | None:
        """Length in s, None if unknown before reading."""
        return None if self.samples is None else self.samples / self.rate

    def read(self, *, sample_rate: int, channels: int, samples: int | None = None) -> tuple[Tensor, int]:
        """Returns audio float32 `(channels, time)` and its length without padding, samples.

        samples: cut (with a short fade) or zero-padded to this length. Raises AudioFileError, CorpusError.
        """
        import torch

        audio, rate = self.load()
        audio = resample_array(mix(audio, channels), rate, sample_rate)
        if samples is None:
            return torch.from_numpy(audio), audio.shape[-1]
        audio = shorten(audio, samples, sample_rate)
        length = audio.shape[-1]
        return torch.from_numpy(np.pad(audio, ((0, 0), (0, samples - length)))), length


def clips_of_files(jobs: Sequence[tuple[Path, str]], *, channels: int, skipped: list[dict[str, str]]) -> Iterator[Clip]:
    """Yields the clips of (path, relative name without suffix) pairs; files that cannot be opened are appended to `skipped`."""
    for path, name in jobs:
        try:
            info = probe(path)
        except AudioFileError as error:
            skipped.append({"file": str(path), "reason": str(error).removeprefix(f"{path}: ")})
            continue
        log_remarks(path, info)
        source = name + path.suffix if PurePosixPath(name).name == path.stem else str(PurePosixPath(name).with_name(path.name))
        load = partial(read_array, path, channels=channels, info=info)
        yield Clip(name, source, info.sample_rate, load, info.frames, {}, path)


def clips_of_corpus(corpus: Corpus) -> Iterator[Clip]:
    """Yields the clips of a prepared corpus; labels are the rows of its manifest."""
    from timbrespace.corpus.format import manifest_row

    for index, info in enumerate(corpus.clips):

        def load(index: int = index) -> tuple[np.ndarray, int]:
            return corpus.audio(index).numpy(), corpus.sample_rate

        yield Clip(info.name, info.file, corpus.sample_rate, load, corpus.samples(index), manifest_row(info))


def clips_of_synthesiser(name: str, *, count: int | None, seed: int, sample_rate: int) -> Iterator[Clip]:
    """Yields the sounds of a synthetic corpus, neither trimmed nor normalised. Raises ConfigError for an unknown name."""
    from timbrespace.corpus.synthetic.registry import synthetic_clips

    for clip in synthetic_clips(name, count=count, seed=seed, sample_rate=sample_rate):
        audio = clip.audio.numpy()

        def load(audio: np.ndarray = audio) -> tuple[np.ndarray, int]:
            return audio, sample_rate

        labels = {"name": clip.name, "category": clip.category, "labels": dict(clip.labels)}
        yield Clip(clip.name, name, sample_rate, load, audio.shape[-1], labels)


def samples_for(seconds: float | None, sample_rate: int) -> int | None:
    """Returns `seconds` in samples, None for None. Raises ConfigError unless it is one sample to one day."""
    if seconds is None:
        return None
    if not 0 < seconds <= 86_400 or round(seconds * sample_rate) < 1:
        raise ConfigError(f"--seconds is {seconds:g}, allowed are one sample to 86400 s; for instance 1.5")
    return round(seconds * sample_rate)
