"""Finishing a corpus folder: offsets, manifest, lists, and corpus.json with the figures of the whole."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace.contracts import CLIP_SECONDS, LONGEST_CLIP_SECONDS
from timbrespace.corpus import rows as layout
from timbrespace.corpus.rows import SPLITS, ClipInfo, row_of


def write_figures(
    folder: Path,
    clips: Sequence[ClipInfo],
    offsets: Sequence[int],
    *,
    head: Mapping[str, Any],
    skipped: Sequence[Mapping[str, Any]],
    left_out: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Writes all but the arrays of sound. head: sample_rate, channels, source, layout, options and what else belongs into corpus.json."""
    starts = np.array(offsets, dtype="<i8")
    np.save(folder / layout.OFFSETS, starts)
    digest = hashlib.sha256()
    with (folder / layout.MANIFEST).open("wb") as file:
        for clip in clips:
            line = (json.dumps(row_of(clip), ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
            digest.update(line)
            file.write(line)
    digest.update(starts.tobytes())
    _list(folder / layout.SKIPPED, skipped)
    if left_out:
        _list(folder / layout.LEFT_OUT, left_out)
    seconds = np.array([clip.seconds for clip in clips])
    categories = Counter(clip.category for clip in clips if clip.category is not None)
    instruments = Counter(clip.instrument for clip in clips if clip.instrument is not None)
    splits = Counter(clip.split for clip in clips)
    estimated = sum(clip.pitch is not None and clip.pitch_confidence is not None for clip in clips)
    pitched = sum(clip.pitch is not None for clip in clips)
    whole: dict[str, Any] = {
        "format": layout.FORMAT,
        "version": layout.VERSION,
        **head,
        "clips": len(clips),
        "longest_seconds": float(seconds.max()),
        "clip_seconds": round(float(np.clip(np.quantile(seconds, 0.95), CLIP_SECONDS, LONGEST_CLIP_SECONDS)), 6),
        "categories": dict(sorted(categories.items())),
        "uncategorised": len(clips) - categories.total(),
        "instruments": dict(sorted(instruments.items())),
        "pitches": {"told": pitched - estimated, "estimated": estimated, "none": len(clips) - pitched},
        "groups": len({clip.group for clip in clips}),
        "splits": {name: splits[name] for name in SPLITS},
        "skipped": len(skipped),
        "left_out": len(left_out),
        "fingerprint": digest.hexdigest(),
    }
    text = json.dumps(whole, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    (folder / layout.HEAD).write_bytes(text.encode("utf-8", "replace"))


def _list(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("wb") as file:
        for row in rows:
            file.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
