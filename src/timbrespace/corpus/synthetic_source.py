"""Clips of a synthetic corpus, in the form in which `prepare` stores clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import numpy as np

from timbrespace.audio.files import mix
from timbrespace.audio.trim import Segment, make_clip
from timbrespace.contracts import CorpusError
from timbrespace.corpus.fingerprint import fingerprint
from timbrespace.corpus.labels.categories import category_by_rule
from timbrespace.corpus.labels.readers.labels import FileLabels
from timbrespace.corpus.labels.values import are_labels
from timbrespace.corpus.sources import ClipFormat, PreparedClip, UnitResult
from timbrespace.corpus.synthetic.registry import recipe_of, synthetic_clips


def synthetic_units(
    name: str,
    clip_format: ClipFormat,
    *,
    seed: int,
    count: int | None = None,
    compare: bool = True,
    rules: Mapping[str, str] | None = None,
) -> Iterator[UnitResult]:
    """Yields the clips of the synthetic corpus `name`: trimmed, normalised and mixed; of an `as_is` corpus only mixed.

    rules: name pattern -> category. Raises ConfigError for an unknown name or count, CorpusError for a clip that cannot be stored.
    """
    as_is = recipe_of(name).as_is
    number = {} if count is None else {"count": count}
    rate = clip_format.sample_rate
    for clip in synthetic_clips(name, seed=seed, sample_rate=rate, **number):
        audio = mix(clip.audio.numpy(), clip_format.channels)
        labels = dict(clip.labels)
        if not audio.size or not np.isfinite(audio).all() or not are_labels(labels):
            raise CorpusError(f"{name}: the clip {clip.name} cannot be stored: it has no samples, NaN, or labels that are not plain values")
        category = category_by_rule(PurePosixPath(f"{clip.name}.wav"), rules or {}) or clip.category
        file_labels = FileLabels(category, clip.instrument, clip.pitch, clip.velocity, labels=labels)
        trimmed = (audio, 0, 0.0) if as_is else make_clip(audio, Segment(0, audio.shape[1]), rate)
        if trimmed is not None:
            sound, first, gain = trimmed
            clips = [PreparedClip(sound, first / rate, gain, fingerprint(sound, rate) if compare else None)]
            yield UnitResult(f"{clip.name}.wav", clips, None, rate, clip.audio.shape[0], name=clip.name, labels=file_labels)
