"""Conditioning on the pitch: the last entry of a latent, for models whose features are aligned by it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.audio.pitch import refine_midi
from timbrespace.audio.pitch_estimation import estimate_midi
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.model.conditioning.base import Conditioning, ConditionValues, Fixed
from timbrespace.model.parts.pitch import MARGIN, OCTAVE, NoteRange
from timbrespace.parallel import Pool

_BEYOND = OCTAVE  # semitones outside the learned range that may be asked for
_LADDER = 3.0  # semitones between candidates where no pitch was found
_SURE = 0.9  # confidence from which the octave of a pitch is not doubted
_NEAR = 1.0  # semitone; an estimate this near a label is its tuning, one farther off another octave


class PitchConditioning(Conditioning):
    """One condition, the pitch as a MIDI number.

    axis: the range of pitches and their scale in the latent. fine: refine estimates to a fraction of a cent, for waveforms.
    """

    names = ("pitch",)
    size = 1
    required = True

    def __init__(self, axis: NoteRange, *, fine: bool = False):
        self.axis, self.fine = axis, fine

    def request(self, wanted: ConditionValues | None, *, category: str | None, pitch: float | None, velocity: float | None = None) -> Fixed:
        """Returns the pitch as the last entry; without one, the nearest tempered note to the drawn pitch. Raises ConfigError."""
        super().request(wanted, category=category, pitch=None, velocity=velocity)  # refuses unknown conditions
        if pitch is None:
            return Fixed(last=self.tempered)
        low, high = max(0.0, self.axis.lowest - _BEYOND), min(127.0, self.axis.highest + _BEYOND)
        if not low <= pitch <= high:
            raise ConfigError(f"pitch is {pitch:g}, allowed are MIDI numbers from {low:g} to {high:g}: its range and an octave beyond")
        return Fixed(last=float(self.axis.standard(torch.tensor([float(pitch)]))))

    def tempered(self, value: float) -> float:
        """Returns the entry of a latent moved to the nearest note of equal temperament within the learned range."""
        midi = float(self.axis.midi(torch.tensor([[value]])))
        note = min(max(round(midi), round(self.axis.lowest)), round(self.axis.highest))
        return float(self.axis.standard(torch.tensor([float(note)])))

    def pitch_of(self, z: Tensor) -> float | None:
        """Returns the MIDI number of the pitch that a latent `(dims,)` holds."""
        return float(self.axis.midi(z[None, -1:]))

    def of_clips(self, corpus: Corpus, clips: Sequence[int]) -> Tensor:
        """Returns MIDI numbers `(clips, 1)`, NaN where unknown. Labels give the key, an estimate its tuning."""

        def one(index: int) -> float:
            clip = corpus.clips[index]
            if clip.pitch is None:
                return math.nan
            estimated = clip.pitch_confidence is not None
            if estimated and not self.fine:
                return clip.pitch
            audio, pitch = corpus.audio(index).numpy(), clip.pitch
            if not estimated:
                estimate = estimate_midi(audio, corpus.sample_rate)[0]
                pitch = estimate if estimate is not None and abs(estimate - pitch) < _NEAR else pitch
            return refine_midi(audio, corpus.sample_rate, pitch) if self.fine else pitch

        with Pool() as pool:
            return torch.tensor(list(pool.map(one, clips)), dtype=torch.float32)[:, None]

    def of_sound(self, audio: Tensor, sample_rate: int) -> Tensor:
        """Returns the estimated MIDI number `(1, 1)` of a sound `(channels, time)`, NaN where it has no clear pitch."""
        midi, _ = estimate_midi(audio.numpy(), sample_rate)
        return torch.tensor([[math.nan if midi is None else self._refined(audio, sample_rate, midi)]])

    def candidates(self, audio: Tensor, sample_rate: int) -> list[float]:
        """Returns MIDI numbers that a sound `(channels, time)` may have, the likeliest first.

        An estimate, with its octaves where it is not sure; without an estimate, pitches over the whole range.
        """
        midi, confidence = estimate_midi(audio.numpy(), sample_rate)
        if midi is None:
            steps = int((self.axis.highest - self.axis.lowest) / _LADDER)
            return [self.axis.middle, *(self.axis.lowest + _LADDER * step for step in range(1, steps))]
        midi = self._refined(audio, sample_rate, midi)
        octaves = (midi - OCTAVE, midi + OCTAVE) if confidence < _SURE else ()
        return [midi, *(pitch for pitch in octaves if self.axis.lowest - MARGIN <= pitch <= self.axis.highest + MARGIN)]

    def shifted(self, conditions: Tensor, semitones: Sequence[tuple[float, float]]) -> Tensor:
        """Returns pitches `(rows, 1)` moved by the shifts."""
        return torch.tensor([[pitch + one + other] for pitch, (one, other) in zip(conditions[:, 0].tolist(), semitones, strict=True)])

    def _refined(self, audio: Tensor, sample_rate: int, midi: float) -> float:
        return refine_midi(audio.numpy(), sample_rate, midi) if self.fine else midi
