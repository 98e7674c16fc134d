"""Conditioning: known properties of a sound as the last entries of its latent. Here: none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus

ConditionValues = Mapping[str, str | float]  # condition -> label or number


class Fixed(NamedTuple):
    """What a request fixes of the latents of new sounds.

    last: the wanted value of the last entry, or a function that moves the drawn value to the one used; the other entries are drawn given
    it. entries: values by place from the end, -1 being the last. played: as `last` and `entries`, of an entry that does not choose the
    kind of sound: the same sound, played otherwise.
    """

    last: float | Callable[[float], float] | None = None
    entries: Mapping[int, float] = {}
    played: Mapping[int, float | Callable[[float], float]] = {}


class Conditioning:
    """No conditioning; the base of the others.

    Conditions of sounds are tensors `(batch, len(names))`, NaN where unknown; in a latent they take the last `size` entries.
    """

    names: tuple[str, ...] = ()
    size: int = 0
    played: int | None = None  # entry, from the end, that says how a sound is played and not which it is
    required: bool = False  # whether features are prepared by the conditions: a sound of unknown ones teaches nothing

    def describe(self) -> list[str]:
        """Returns what a request can name, such as "category: kick, snare" and "brightness: 200 to 9000"."""
        return []

    def request(self, wanted: ConditionValues | None, *, category: str | None, pitch: float | None, velocity: float | None = None) -> Fixed:
        """Returns what a request fixes. wanted: conditions by name; category, pitch (MIDI number), velocity: asked for by themselves.

        Raises ConfigError where this instrument does not know a condition, or not such a value.
        """
        if wanted:
            raise ConfigError(
                f"conditions {', '.join(wanted)} are asked for, and this instrument takes none; train one with --preset conditional "
                "or another preset that has model.conditions"
            )
        if pitch is not None:
            raise ConfigError(f"pitch is {pitch:g}, and this instrument was learned from sounds without a pitch; leave it out")
        if velocity is not None:
            raise ConfigError(f"velocity is {velocity:g}, and this instrument was learned from sounds without velocities; leave it out")
        return Fixed()

    def pitch_of(self, z: Tensor) -> float | None:
        """Returns the MIDI number of the pitch that a latent `(dims,)` holds; None without one."""
        return None

    def note_of(self, z: Tensor) -> int | None:
        """Returns the nearest whole MIDI number of the pitch that a latent `(dims,)` holds; None without one."""
        pitch = self.pitch_of(z)
        return None if pitch is None else round(pitch)

    def of_clips(self, corpus: Corpus, clips: Sequence[int]) -> Tensor | None:
        """Returns the conditions of clips `(clips, names)`, from the corpus's labels or measured; None without conditioning."""
        return None

    def of_sound(self, audio: Tensor, sample_rate: int) -> Tensor:
        """Returns the conditions of one sound `(channels, time)` as far as they can be measured, `(1, names)`."""
        return torch.full((1, len(self.names)), torch.nan)

    def shifted(self, conditions: Tensor, semitones: Sequence[tuple[float, float]]) -> Tensor:
        """Returns conditions `(rows, names)` after pitch shifts of the sounds; semitones: two shifts a row, which add up."""
        return conditions

    @property
    def measured(self) -> dict[int, str]:
        """Columns of conditions that are measured from audio, by column; a variation of a clip is measured anew."""
        return {}

    @property
    def measured_entries(self) -> dict[int, str]:
        """Entries of a latent, counted from its end (-1 is the last), that hold a number measured from audio -> its name."""
        return {}
