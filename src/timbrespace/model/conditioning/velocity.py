"""Conditioning on the velocity: the entry of a latent before the pitch, or the last one of a model without pitch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.model.conditioning.base import Conditioning, ConditionValues, Fixed
from timbrespace.model.conditioning.pitch import PitchConditioning

LEAST, MOST = 1, 127
_HALF = 1.5  # entry of a latent at either end of the learned range: even velocities then have a deviation of about 1
_BEYOND = 1.5  # times that, to which the sound follows a velocity outside the range


class VelocityRange:
    """The range of velocities of a model, and the scale of the velocity in its latents. Raises ConfigError."""

    def __init__(self, *, lowest: float, highest: float):
        if not LEAST <= lowest < highest <= MOST:
            raise ConfigError(
                f"model.velocity is {lowest:g} to {highest:g}, allowed are two rising velocities from {LEAST} to {MOST}, auto, or null"
            )
        self.lowest, self.highest = lowest, highest

    def standard(self, velocity: Tensor) -> Tensor:
        """Returns velocities `(batch,)` as a latent holds them, `(batch, 1)`: -1.5 … 1.5 over the range; unknown (NaN) is 0, the middle."""
        middle, half = (self.lowest + self.highest) / 2, (self.highest - self.lowest) / 2
        return ((velocity - middle) * (_HALF / half)).nan_to_num(0.0)[:, None]

    def velocity(self, standard: float) -> float:
        """Returns the velocity of an entry of a latent."""
        return (self.lowest + self.highest) / 2 + standard * (self.highest - self.lowest) / 2 / _HALF

    @staticmethod
    def held(standard: Tensor) -> Tensor:
        """Returns entries `(batch, 1)` as the networks see them: held a quarter of the range beyond either end."""
        return standard.clamp(-_HALF * _BEYOND, _HALF * _BEYOND)


class VelocityConditioning(Conditioning):
    """The velocity, 1 to 127, and after it the pitch of a model of notes.

    velocities: their range and scale in the latent. pitch: None for sounds without a pitch. A velocity is known by labels alone; it is
    not estimated from a sound.
    """

    def __init__(self, velocities: VelocityRange, pitch: PitchConditioning | None):
        self.velocities, self.pitch = velocities, pitch
        self.rest = pitch or Conditioning()
        self.names = ("velocity", *self.rest.names)
        self.size = len(self.names)
        self.played = -self.size
        self.required = self.rest.required

    def describe(self) -> list[str]:
        """Returns the learned range, such as "velocity: 50 to 120"."""
        return [f"velocity: {self.velocities.lowest:g} to {self.velocities.highest:g}"]

    def request(self, wanted: ConditionValues | None, *, category: str | None, pitch: float | None, velocity: float | None = None) -> Fixed:
        """Returns the velocity and what the pitch fixes. Without a velocity, the nearest whole one to the drawn. Raises ConfigError."""
        wanted = dict(wanted or {})
        if "velocity" in wanted:
            if velocity is not None:
                raise ConfigError(f"velocity is given twice, {velocity:g} and the condition {wanted['velocity']}; give it once")
            velocity = _number(wanted.pop("velocity"))
        fixed = self.rest.request(wanted, category=category, pitch=pitch)
        if velocity is None:
            return fixed._replace(played={-self.size: self.whole})
        if not LEAST <= velocity <= MOST:
            low, high = self.velocities.lowest, self.velocities.highest
            raise ConfigError(f"velocity is {velocity:g}, allowed is {LEAST} to {MOST}; it was learned from {low:g} to {high:g}")
        return fixed._replace(played={-self.size: self._standard(velocity)})

    def whole(self, value: float) -> float:
        """Returns the entry of a latent moved to the nearest whole velocity within the learned range."""
        velocity = min(max(self.velocities.velocity(value), self.velocities.lowest), self.velocities.highest)
        return self._standard(round(velocity))

    def _standard(self, velocity: float) -> float:
        return float(self.velocities.standard(torch.tensor([float(velocity)])))

    def pitch_of(self, z: Tensor) -> float | None:
        """Returns the MIDI number of the pitch that a latent `(dims,)` holds; None for sounds without a pitch."""
        return self.rest.pitch_of(z)

    def velocity_of(self, z: Tensor) -> float:
        """Returns the velocity that a latent `(dims,)` holds."""
        return self.velocities.velocity(float(z[-self.size]))

    def of_clips(self, corpus: Corpus, clips: Sequence[int]) -> Tensor:
        """Returns velocities, and pitches of a model of notes, `(clips, names)`; NaN where unknown."""
        known = (corpus.clips[index].velocity for index in clips)
        velocities = torch.tensor([math.nan if velocity is None else float(velocity) for velocity in known])[:, None]
        pitches = self.rest.of_clips(corpus, clips)
        return velocities if pitches is None else torch.cat([velocities, pitches], 1)

    def of_sound(self, audio: Tensor, sample_rate: int) -> Tensor:
        """Returns `(1, names)` of a sound `(channels, time)`: NaN for the velocity, and the estimated pitch."""
        return torch.cat([torch.tensor([[math.nan]]), self.rest.of_sound(audio, sample_rate)], 1)

    def shifted(self, conditions: Tensor, semitones: Sequence[tuple[float, float]]) -> Tensor:
        """Returns conditions `(rows, names)` with the pitch moved by the shifts."""
        return torch.cat([conditions[:, :1], self.rest.shifted(conditions[:, 1:], semitones)], 1)


def _number(value: str | float) -> float:
    try:
        return float(value)
    except ValueError:
        raise ConfigError(f"velocity is {value!r}, allowed is a number from {LEAST} to {MOST}") from None
