"""Updates a corpus: files that have not changed are taken from it, all others are read; the result is that of a new `prepare`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from timbrespace import __version__
from timbrespace.contracts import ConfigError, CorpusError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.corpus.prepared.unchanged import Changes, Unchanged
from timbrespace.corpus.synthetic.registry import SYNTHETIC_PREFIX


def update(
    source: Path | str, out: Path | str, *, workers: int | None = None, progress: Callable[[int, int], None] | None = None
) -> tuple[Corpus, Changes]:
    """Prepares the folder `source` again as the corpus `out`, with the options that it was made with, and opens it.

    Only files that are new or have changed are read: a file is the same if its size and time of change are, or its content is. The result
    equals that of a new `prepare` with these options, and replaces the old corpus when it is complete. Files with an unusable part are
    read again. Also returns what has changed.

    Raises CorpusError for a corpus that cannot be updated (synthetic, made by another version, limited to the most diverse clips), or if
    none of its files is in the folder; otherwise like `prepare`.
    """
    corpus = Corpus.open(out)
    options = _options(corpus, source)
    unchanged = Unchanged(corpus)
    del corpus  # its files are closed by `unchanged`
    return prepare(source, out, **options, force=True, unchanged=unchanged, workers=workers, progress=progress), unchanged.changes


def _options(corpus: Corpus, source: Path | str) -> dict[str, Any]:
    """The options that a corpus was made with. Raises CorpusError if it cannot be updated, ConfigError for a synthetic source."""
    head, path = corpus.head, corpus.path
    if str(source).startswith(SYNTHETIC_PREFIX):
        raise ConfigError(f"{source} is synthetic and does not change; an update is for a folder of sounds")
    if head.get("layout") == "synthetic" or "continued" in head:
        raise CorpusError(f"{path} was not prepared from a folder of sounds, so that it cannot be updated from one; give another --out")
    options = dict(head["options"])
    if options.get("diverse") is not None:
        raise CorpusError(
            f"{path} holds the {options['diverse']} most diverse clips, but not the others, with which new ones must be compared; "
            "prepare it again with --force, without --update"
        )
    if head.get("made_with") != f"timbrespace {__version__}":
        raise CorpusError(
            f"{path} was made with {head.get('made_with', 'an earlier version')}, this is timbrespace {__version__}, which may prepare "
            "files otherwise; prepare it again with --force, without --update"
        )
    names = ("cut", "segment_seconds", "rules", "seed", "layout", "only", "pitch", "pitch_names")
    return {
        **{name: options[name] for name in names},
        "sample_rate": corpus.sample_rate,
        "channels": corpus.channels,
        "store_stft": "stft" in head,
    }
