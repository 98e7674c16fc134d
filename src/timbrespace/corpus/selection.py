"""What `prepare` is asked for: settings within their ranges, categories that are wanted, the most diverse clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from timbrespace.contracts import LONGEST_CLIP_SECONDS, ConfigError
from timbrespace.corpus import rows as places
from timbrespace.corpus.cutting import CUTS
from timbrespace.corpus.labels.readers.labels import FileLabels
from timbrespace.corpus.labels.readers.registry import check_layout
from timbrespace.corpus.manifest import Draft
from timbrespace.corpus.sources import Shape
from timbrespace.corpus.writer import keep_rows

DIVERSE_RULES = ("mean", "nearest")


def check_shape(sample_rate: int, channels: int, cut: str, segment_seconds: float, rules: Mapping[str, str] | None) -> Shape:
    """What is to be made of every file. Raises ConfigError for what is out of range."""
    if not isinstance(sample_rate, int) or not 8_000 <= sample_rate <= 192_000:
        raise ConfigError(f"sample_rate is {sample_rate!r}, allowed is 8000 to 192000 Hz")
    if channels not in (1, 2):
        raise ConfigError(f"channels is {channels!r}, allowed are 1 (mixed) and 2")
    if cut not in CUTS:
        raise ConfigError(f"cut is {cut!r}, allowed are {', '.join(CUTS)}")
    if not 0.01 <= segment_seconds <= LONGEST_CLIP_SECONDS:
        raise ConfigError(f"segment_seconds is {segment_seconds!r}, allowed is 0.01 to {LONGEST_CLIP_SECONDS:g} s")
    for pattern, category in (rules or {}).items():
        if not pattern.strip() or not places.label(category):
            raise ConfigError(f"the rule {category!r} = {pattern!r} needs a plain category and a pattern, such as kick=*bd*")
    return Shape(sample_rate, channels, cut, float(segment_seconds))


def check_choice(
    layout: str, only: Sequence[str], count: int | None, diverse: int | None, rule: str, *, synthetic_name: str | None
) -> None:
    """Raises ConfigError for a choice that is unknown, out of range, or does not fit the source."""
    check_layout(layout)
    if isinstance(only, str) or not all(isinstance(name, str) and name.strip() for name in only):
        raise ConfigError(f"only is {only!r}, a list of categories or instruments is needed, such as ['violin', 'flute']")
    if synthetic_name is None and count is not None:
        raise ConfigError(f"count is {count!r}, which is for synthetic corpora; of a folder, diverse keeps so many clips")
    if synthetic_name is not None and layout not in ("auto", "folder"):
        raise ConfigError(f"layout is {layout!r}, which is for folders; {synthetic_name} is synthesised")
    if diverse is not None and (isinstance(diverse, bool) or not isinstance(diverse, int) or diverse < 2):
        raise ConfigError(f"diverse is {diverse!r}, a whole number from 2 on is needed")
    if rule not in DIVERSE_RULES:
        raise ConfigError(f"diverse_rule is {rule!r}, allowed are {', '.join(DIVERSE_RULES)}")


@dataclass
class Wanted:
    """Which categories and instruments are kept; none named: all."""

    only: Sequence[str]
    seen: Counter[str] = field(default_factory=Counter)

    def keeps(self, labels: FileLabels) -> bool:
        """Is a file with these labels wanted?"""
        names = {name for name in (labels.category, labels.instrument) if name is not None}
        self.seen.update(names)
        return not self.only or bool({_plain(name) for name in self.only} & {_plain(name) for name in names})

    def check(self, source: Path | str) -> None:
        """Raises ConfigError for a name that no file had; call it when all were seen."""
        there = {_plain(name) for name in self.seen}
        for name in self.only:
            if _plain(name) not in there:
                known = ", ".join(name for name, _ in self.seen.most_common(30))
                raise ConfigError(f"only is {name!r}, the categories and instruments in {source} are {known or 'none'}")


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()


def keep_diverse(folder: Path, draft: Draft, count: int, rule: str, *, store_stft: bool) -> None:
    """Keeps the `count` most diverse clips, by their fingerprints, and notes the others as left out."""
    from timbrespace.corpus.diversity import most_diverse

    if count >= len(draft.clips):
        return
    prints = np.stack([clip.print for clip in draft.clips])  # type: ignore[misc]
    kept = sorted(most_diverse(prints, count, rule=rule).tolist())  # type: ignore[arg-type]
    chosen = set(kept)
    draft.left_out += [
        {"file": clip.file, "start_s": clip.start_s, "reason": f"not among the {count} most diverse"}
        for i, clip in enumerate(draft.clips)
        if i not in chosen
    ]
    draft.offsets = keep_rows(folder / places.AUDIO, draft.offsets, kept)
    if store_stft:
        draft.stft_offsets = keep_rows(folder / places.STFT, draft.stft_offsets, kept)
    draft.clips = [draft.clips[i] for i in kept]
