"""Drums of the corpus `synthetic:drums`: which kind each index has, and the clip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from timbrespace.contracts import SAMPLE_RATE
from timbrespace.corpus.synthetic import drums, drums_metal
from timbrespace.corpus.synthetic.base import SyntheticClip
from timbrespace.corpus.synthetic.drum_parts import ParameterSampler, Wave, ending

# One round of twenty drums: the kind of sound i depends on i alone, for any number of sounds.
ROUND = (
    *("kick", "snare", "hat", "tom", "kick", "snare", "hat", "clap", "cymbal", "kick"),
    *("snare", "hat", "rim", "tom", "kick", "snare", "hat", "clap", "cymbal", "cowbell"),
)
VOICES: dict[str, Callable[[ParameterSampler], Wave]] = {
    "kick": drums.kick,
    "snare": drums.snare,
    "tom": drums.tom,
    "clap": drums.clap,
    "rim": drums.rim,
    "cowbell": drums.cowbell,
    "hat": drums_metal.hat,
    "cymbal": drums_metal.cymbal,
}


def synthetic_drum(index: int, *, seed: int = 0, sample_rate: int = SAMPLE_RATE) -> SyntheticClip:
    """Drum number `index` of the corpus with this `seed`, independent of all other drums. Lasts 0.05 … 1.8 s, peak -1 dB."""
    turn, place = divmod(index, len(ROUND))
    kind = ROUND[place]
    number = turn * ROUND.count(kind) + ROUND[:place].count(kind) + 1
    sampler = ParameterSampler.for_clip(seed, index, sample_rate)
    wave = ending(VOICES[kind](sampler), sample_rate)
    labels: dict[str, float | int | str] = {"kind": kind, **sampler.labels, "seconds": round(wave.size / sample_rate, 4)}
    audio = torch.from_numpy(wave.astype(np.float32))[None]
    return SyntheticClip(f"{kind}/{kind} {number:03d}", kind, audio, labels)


def drum_wave(place: int, sampler: ParameterSampler) -> Wave:
    """A drum of the kind at `place` of a round of twenty, drawn by `sampler`: `(time,)`, not trimmed or normalised."""
    return VOICES[ROUND[place]](sampler)
