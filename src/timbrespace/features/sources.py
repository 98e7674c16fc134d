"""The clips that `represent` is given: sound files and folders, a prepared corpus, or a synthetic corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from timbrespace.audio.resampling import HIGHEST_RATE, LOWEST_RATE
from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.corpus.corpus import Corpus, is_corpus
from timbrespace.corpus.sources import named_files
from timbrespace.corpus.synthetic.registry import SYNTHETIC_PREFIX, recipe_of
from timbrespace.features.clips import Clip, clips_of_corpus, clips_of_files, clips_of_synthesiser
from timbrespace.outputs import output_paths

_SYNTHETIC_SECONDS = 2.0  # synthetic clips are at most this long


@dataclass
class Sources:
    """The clips to represent, and where their outputs go.

    clips: called once per pass. sample_rate (Hz), channels: of the features. skipped: {"file", "reason"} of unreadable files. count,
    longest_seconds: of the clips. bases: clip name -> output path without suffix; None if names are not known yet. inputs: the files read.
    """

    clips: Callable[[], Iterable[Clip]]
    sample_rate: int
    channels: int
    skipped: list[dict[str, str]]
    count: int = 0
    longest_seconds: float = 0.0
    bases: dict[str, Path] | None = None
    inputs: tuple[Path, ...] = ()


def find_sources(names: list[str], out: Path, *, channels: int | None, rate: int | None, count: int | None, seed: int) -> Sources:
    """Returns the clips of files and folders, of one corpus, or of one synthetic corpus; reads only the headers of sound files.

    out: output folder. count, seed: of a synthetic corpus. Raises ConfigError, AudioFileError, CorpusError.
    """
    if channels not in (None, 1, 2):
        raise ConfigError(f"--channels is {channels}, allowed are 1 and 2; the default is 1, or that of the corpus")
    if rate is not None and not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise ConfigError(f"--rate is {rate}, allowed are {LOWEST_RATE} to {HIGHEST_RATE} Hz; the default is {SAMPLE_RATE}")
    corpora = [name for name in names if name.startswith(SYNTHETIC_PREFIX) or is_corpus(name)]
    if corpora and len(names) > 1:
        raise ConfigError(f"{corpora[0]} is a corpus and must be the only source; give files and folders, or one corpus")
    if corpora and corpora[0].startswith(SYNTHETIC_PREFIX):
        return _synthetic(corpora[0], channels=channels, rate=rate, count=count, seed=seed)
    if count is not None:
        raise ConfigError("--count is for a synthetic corpus; leave it out for files and prepared corpora")
    if corpora:
        return _corpus(corpora[0], out, channels=channels, rate=rate)
    return _files([Path(name) for name in names], out, channels=channels, rate=rate)


def _synthetic(name: str, *, channels: int | None, rate: int | None, count: int | None, seed: int) -> Sources:
    sample_rate = rate or SAMPLE_RATE
    clips = partial(clips_of_synthesiser, name, count=count, seed=seed, sample_rate=sample_rate)
    return Sources(clips, sample_rate, channels or 1, [], count or recipe_of(name).count, _SYNTHETIC_SECONDS)


def _corpus(name: str, out: Path, *, channels: int | None, rate: int | None) -> Sources:
    corpus = Corpus.open(name)
    if out.resolve().is_relative_to(corpus.path.resolve()):
        raise ConfigError(f"--out is {out}, which is inside the corpus {corpus.path}; choose another folder")
    clips = list(clips_of_corpus(corpus))
    bases = {clip.name: out / clip.name for clip in clips}
    longest = max(clip.seconds or 0.0 for clip in clips)
    default_channels = corpus.channels if corpus.channels in (1, 2) else 1
    return Sources(lambda: clips, rate or corpus.sample_rate, channels or default_channels, [], len(clips), longest, bases)


def _files(paths: list[Path], out: Path, *, channels: int | None, rate: int | None) -> Sources:
    problems: list[tuple[Path, str]] = []
    pairs = output_paths(paths, out, problems=problems)
    skipped = [{"file": str(path), "reason": reason} for path, reason in problems]
    named = {name: (path, base) for (path, base), (_, name) in zip(pairs, named_files([base for _, base in pairs], out), strict=True)}
    clips = list(clips_of_files([(path, name) for name, (path, _) in named.items()], channels=channels or 1, skipped=skipped))
    longest = max((clip.seconds or 0.0 for clip in clips), default=0.0)
    bases = {name: base for name, (_, base) in named.items()}
    inputs = tuple(path for path, _ in pairs)
    return Sources(lambda: clips, rate or SAMPLE_RATE, channels or 1, skipped, len(clips), longest, bases, inputs)
