"""Checks of the arguments of `prepare`, and the selection of clips: by category or instrument, or the most diverse ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np

from timbrespace.contracts import LONGEST_CLIP_SECONDS, ConfigError
from timbrespace.corpus import format as names
from timbrespace.corpus.cutting import CUTS
from timbrespace.corpus.diversity import Rule, most_diverse
from timbrespace.corpus.labels.readers.labels import FileLabels
from timbrespace.corpus.labels.readers.registry import check_layout
from timbrespace.corpus.labels.values import is_category
from timbrespace.corpus.manifest import Draft
from timbrespace.corpus.sources import ClipFormat
from timbrespace.corpus.writer import keep_rows

DIVERSE_RULES = get_args(Rule)


def check_format(sample_rate: int, channels: int, cut: str, segment_seconds: float, rules: Mapping[str, str] | None) -> ClipFormat:
    """The format of the clips. Raises ConfigError for an argument out of range."""
    if not isinstance(sample_rate, int) or not 8_000 <= sample_rate <= 192_000:
        raise ConfigError(f"sample_rate is {sample_rate!r}, allowed is 8000 to 192000 Hz")
    if channels not in (1, 2):
        raise ConfigError(f"channels is {channels!r}, allowed are 1 (mixed) and 2")
    if cut not in CUTS:
        raise ConfigError(f"cut is {cut!r}, allowed are {', '.join(CUTS)}")
    if not 0.01 <= segment_seconds <= LONGEST_CLIP_SECONDS:
        raise ConfigError(f"segment_seconds is {segment_seconds!r}, allowed is 0.01 to {LONGEST_CLIP_SECONDS:g} s")
    for pattern, category in (rules or {}).items():
        if not pattern.strip() or not is_category(category):
            raise ConfigError(f"the rule {category!r} = {pattern!r} needs a plain category and a pattern, such as kick=*bd*")
    return ClipFormat(sample_rate, channels, cut, float(segment_seconds))


def check_selection(
    layout: str, only: Sequence[str], count: int | None, diverse: int | None, rule: str, *, synthetic_name: str | None
) -> None:
    """Raises ConfigError for an argument that is unknown, out of range, or does not fit the source."""
    check_layout(layout)
    if isinstance(only, str) or not all(isinstance(name, str) and name.strip() for name in only):
        raise ConfigError(f"only is {only!r}, a list of categories or instruments is needed, such as ['violin', 'flute']")
    if synthetic_name is None and count is not None:
        raise ConfigError(f"count is {count!r}, which is for synthetic corpora; for a folder use diverse, the number of clips to keep")
    if synthetic_name is not None and layout not in ("auto", "folder"):
        raise ConfigError(f"layout is {layout!r}, which is for folders; {synthetic_name} is synthetic")
    if diverse is not None and (isinstance(diverse, bool) or not isinstance(diverse, int) or diverse < 2):
        raise ConfigError(f"diverse is {diverse!r}, a whole number from 2 is needed")
    if rule not in DIVERSE_RULES:
        raise ConfigError(f"diverse_rule is {rule!r}, allowed are {', '.join(DIVERSE_RULES)}")


@dataclass
class LabelFilter:
    """Keeps files by category or instrument. only: the names to keep; empty: all. seen: how often each name was seen."""

    only: Sequence[str]
    seen: Counter[str] = field(default_factory=Counter)

    def accepts(self, labels: FileLabels) -> bool:
        """Whether a file with these labels is kept; counts its names."""
        names = {name for name in (labels.category, labels.instrument) if name is not None}
        self.seen.update(names)
        return not self.only or bool({_plain(name) for name in self.only} & {_plain(name) for name in names})

    def check_seen(self, source: Path | str) -> None:
        """Raises ConfigError for a name of `only` that no file has; to be called after the last file."""
        present = {_plain(name) for name in self.seen}
        for name in self.only:
            if _plain(name) not in present:
                known = ", ".join(name for name, _ in self.seen.most_common(30))
                raise ConfigError(f"only is {name!r}, the categories and instruments in {source} are {known or 'none'}")


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()


def keep_most_diverse(folder: Path, draft: Draft, count: int, rule: str, *, store_stft: bool) -> None:
    """Keeps the `count` most diverse clips, by their fingerprints, in `folder` and `draft`, and lists the others as left out."""
    if count >= len(draft.clips):
        return
    prints = np.stack([clip.fingerprint for clip in draft.clips if clip.fingerprint is not None])
    kept = sorted(most_diverse(prints, count, rule=rule).tolist())  # type: ignore[arg-type]
    chosen = set(kept)
    draft.left_out += [
        {"file": clip.file, "start_s": clip.start_s, "reason": f"not among the {count} most diverse"}
        for i, clip in enumerate(draft.clips)
        if i not in chosen
    ]
    draft.offsets = keep_rows(folder / names.AUDIO, draft.offsets, kept)
    if store_stft:
        draft.stft_offsets = keep_rows(folder / names.STFT, draft.stft_offsets, kept)
    draft.clips = [draft.clips[i] for i in kept]
