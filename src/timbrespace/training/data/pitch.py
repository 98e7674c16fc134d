"""Whether a corpus is one of notes, and how high its clips sound."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.audio.pitch import estimate_midi, refine_midi
from timbrespace.config.schema import Config
from timbrespace.corpus.corpus import Corpus
from timbrespace.model.base import Model
from timbrespace.model.parts.pitch import MARGIN
from timbrespace.parallel import Pool

LEAST_SHARE = 0.75  # of the training clips that have a pitch, from which a corpus is one of notes
FEWEST_CLIPS, FEWEST_NOTES = 16, 3
NARROWEST = 4.0  # semitones; the range of a model is never narrower
_NEAR = 1.0  # semitone; a sound this near its label is out of tune, one farther off has another idea of its octave


def with_notes(config: Config, pitches: Sequence[float | None]) -> Config:
    """The settings with `model.notes` decided where they say auto: the range of the training clips' pitches, or None: too few have one.

    The range is widened where variations shift them by more than an axis allows for. pitches: of the training clips, MIDI numbers or None.
    """
    if config.model.get("notes") != "auto":
        return config
    known = [pitch for pitch in pitches if pitch is not None]
    notes: list[float] | None = None
    if len(known) >= max(FEWEST_CLIPS, LEAST_SHARE * len(pitches)) and len({round(pitch) for pitch in known}) >= FEWEST_NOTES:
        augmentation = config.training.augmentation
        shift = max(kind.semitones * (kind.chance > 0) for kind in (augmentation.pitch, augmentation.transpose))
        low, high = min(known) - max(0.0, shift - MARGIN), max(known) + max(0.0, shift - MARGIN)
        wider = max(0.0, NARROWEST - (high - low)) / 2
        notes = [round(max(0.0, low - wider), 2), round(min(127.0, high + wider), 2)]
    return config.model_copy(update={"model": config.model | {"notes": notes}})


def clip_pitches(corpus: Corpus, clips: Sequence[int], model: Model) -> Tensor:
    """Pitches of clips as MIDI numbers `(clips,)`, NaN where unknown, as exactly as the model wants them.

    Labels name the key; how the sound is tuned is heard.
    """

    def one(index: int) -> float:
        clip = corpus.clips[index]
        if clip.pitch is None:
            return math.nan
        estimated = clip.pitch_confidence is not None
        if estimated and not model.needs_fine_pitch:
            return clip.pitch
        audio, pitch = corpus.audio(index).numpy(), clip.pitch
        if not estimated:
            heard = estimate_midi(audio, corpus.sample_rate)[0]
            pitch = heard if heard is not None and abs(heard - pitch) < _NEAR else pitch
        return refine_midi(audio, corpus.sample_rate, pitch) if model.needs_fine_pitch else pitch

    with Pool() as pool:
        return torch.tensor(list(pool.map(one, clips)), dtype=torch.float32)
