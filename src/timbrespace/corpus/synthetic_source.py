"""Clips of a synthetic corpus on their way into a prepared one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import numpy as np

from timbrespace.audio.files import mix
from timbrespace.audio.trim import Piece, make_clip
from timbrespace.contracts import CorpusError
from timbrespace.corpus.fingerprint import fingerprint
from timbrespace.corpus.labels.categories import _by_rule
from timbrespace.corpus.labels.readers.labels import FileLabels
from timbrespace.corpus.rows import labels_fit
from timbrespace.corpus.sources import Made, MadeClip, Shape


def synthetic(
    name: str, shape: Shape, *, seed: int, count: int | None = None, compare: bool = True, rules: Mapping[str, str] | None = None
) -> Iterator[Made]:
    """The clips of a synthetic corpus, unchanged but for their level and channels; of an `as_is` corpus not even that.

    Raises ConfigError for an unknown name or count, CorpusError where a clip cannot be stored.
    """
    from timbrespace.corpus.synthetic import registry as recipes

    as_is = recipes.recipe_of(name).as_is
    number = {} if count is None else {"count": count}
    rate = shape.sample_rate
    for sound in recipes.synthetic_clips(name, seed=seed, sample_rate=rate, **number):
        audio = mix(sound.audio.numpy(), shape.channels)
        labels = dict(sound.labels)
        if not audio.size or not np.isfinite(audio).all() or not labels_fit(labels):
            raise CorpusError(
                f"{name} made a clip that cannot be stored, {sound.name}: no samples, NaN, or labels that are no plain values"
            )
        category = _by_rule(PurePosixPath(f"{sound.name}.wav"), rules or {}) or sound.category
        told = FileLabels(category, sound.instrument, sound.pitch, sound.velocity, labels=labels)
        made = (audio, 0, 0.0) if as_is else make_clip(audio, Piece(0, audio.shape[1]), rate)
        if made is not None:
            clip, first, gain = made
            clips = [MadeClip(clip, first / rate, gain, fingerprint(clip, rate) if compare else None)]
            yield Made(f"{sound.name}.wav", clips, None, rate, sound.audio.shape[0], name=sound.name, labels=told)
