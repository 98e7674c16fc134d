"""The text files of a corpus folder: offsets, manifest, lists of skipped and left-out files, and corpus.json with the counts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace.contracts import CLIP_SECONDS, LONGEST_CLIP_SECONDS
from timbrespace.corpus import format as names
from timbrespace.corpus.format import SPLITS, ClipInfo, manifest_row


def write_summary(
    folder: Path,
    clips: Sequence[ClipInfo],
    offsets: Sequence[int],
    *,
    head: Mapping[str, Any],
    skipped: Sequence[Mapping[str, Any]],
    left_out: Sequence[Mapping[str, Any]] = (),
    remarks: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Writes every file of a corpus but the audio and STFT arrays.

    head: sample_rate, channels, source, layout, options and any other entries of corpus.json.
    """
    starts = np.array(offsets, dtype="<i8")
    np.save(folder / names.OFFSETS, starts)
    digest = hashlib.sha256()
    with (folder / names.MANIFEST).open("wb") as file:
        for clip in clips:
            line = (json.dumps(manifest_row(clip), ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
            digest.update(line)
            file.write(line)
    digest.update(starts.tobytes())
    _write_lines(folder / names.SKIPPED, skipped)
    if remarks:
        _write_lines(folder / names.REMARKS, remarks)
    if left_out:
        _write_lines(folder / names.LEFT_OUT, left_out)
    seconds = np.array([clip.seconds for clip in clips])
    categories = Counter(clip.category for clip in clips if clip.category is not None)
    instruments = Counter(clip.instrument for clip in clips if clip.instrument is not None)
    splits = Counter(clip.split for clip in clips)
    estimated = sum(clip.pitch is not None and clip.pitch_confidence is not None for clip in clips)
    pitched = sum(clip.pitch is not None for clip in clips)
    content: dict[str, Any] = {
        "format": names.FORMAT,
        "version": names.VERSION,
        **head,
        "clips": len(clips),
        "longest_seconds": float(seconds.max()),
        "clip_seconds": round(float(np.clip(np.quantile(seconds, 0.95), CLIP_SECONDS, LONGEST_CLIP_SECONDS)), 6),
        "categories": dict(sorted(categories.items())),
        "uncategorised": len(clips) - categories.total(),
        "instruments": dict(sorted(instruments.items())),
        "pitches": {"labelled": pitched - estimated, "estimated": estimated, "none": len(clips) - pitched},
        "groups": len({clip.group for clip in clips}),
        "splits": {name: splits[name] for name in SPLITS},
        "skipped": len(skipped),
        "left_out": len(left_out),
        "fingerprint": digest.hexdigest(),
    }
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    (folder / names.HEAD).write_bytes(text.encode("utf-8", "replace"))


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("wb") as file:
        for row in rows:
            file.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
