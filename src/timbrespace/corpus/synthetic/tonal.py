"""A small parametric synthesiser of pitched notes: plucked and bowed strings, winds, bells, with exact pitch and velocity."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from timbrespace.audio.pitch import midi_to_hz
from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.corpus.synthetic.base import SyntheticClip
from timbrespace.corpus.synthetic.sampler import ParameterSampler, Wave
from timbrespace.corpus.synthetic.tonal_parts import Articulation, finish
from timbrespace.corpus.synthetic.tonal_strings import bowed, plucked
from timbrespace.corpus.synthetic.tonal_winds import bell, blown

FAMILIES: dict[str, Callable[[ParameterSampler, Articulation, str], Wave]] = {
    "plucked": plucked,
    "bowed": bowed,
    "blown": blown,
    "bell": bell,
}

# Family -> instrument -> lowest and highest pitch (MIDI), shortest and longest note (s).
INSTRUMENTS: dict[str, dict[str, tuple[int, int, float, float]]] = {
    "plucked": {"nylon": (40, 79, 0.6, 2.0), "steel": (40, 84, 0.7, 2.0), "muted": (40, 79, 0.3, 0.7)},
    "bowed": {"viol": (55, 88, 0.5, 2.0), "cello": (43, 72, 0.6, 2.0)},
    "blown": {"flute": (60, 91, 0.4, 1.9), "reed": (50, 84, 0.4, 1.9), "brass": (46, 77, 0.4, 1.9)},
    "bell": {"handbell": (60, 91, 0.9, 2.0), "chime": (60, 84, 0.9, 2.0), "glass": (67, 96, 0.6, 1.8)},
}


def note(
    index: int, *, seed: int = 0, sample_rate: int = SAMPLE_RATE, pitch: int | None = None, velocity: int | None = None
) -> SyntheticClip:
    """Note number `index` of the corpus with this `seed`, independent of all other notes. Lasts 0.3 … 2 s, peak -1 dB.

    pitch (MIDI number 24 … 108) and velocity (1 … 127) replace the drawn values; all other parameters stay the same. None: the
    drawn value. Raises ConfigError.
    """
    for what, value, low, high in (("pitch", pitch, 24, 108), ("velocity", velocity, 1, 127)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high):
            raise ConfigError(f"{what} of a note is {value!r}, allowed is a whole number from {low} to {high}")
    number, place = divmod(index, len(FAMILIES))
    family = list(FAMILIES)[place]
    instrument = list(INSTRUMENTS[family])[number % len(INSTRUMENTS[family])]
    lowest, highest, shortest, longest = INSTRUMENTS[family][instrument]
    sampler = ParameterSampler.for_clip(seed, index, sample_rate)
    drawn = int(sampler.rng.integers(lowest, highest + 1)), int(sampler.rng.integers(1, 128))
    pitch, velocity = pitch if pitch is not None else drawn[0], velocity if velocity is not None else drawn[1]
    hertz = midi_to_hz(pitch)
    seconds = round(sampler.log_uniform("seconds", shortest, longest), 4)
    wave = finish(FAMILIES[family](sampler, Articulation(hertz, velocity / 127, seconds), instrument), sample_rate)
    labels: dict[str, float | int | str] = {"kind": family, "style": instrument, **sampler.labels}
    labels["seconds"] = round(wave.size / sample_rate, 4)
    # With the number in the name, two notes of the same pitch and velocity are not grouped as layers of one instrument.
    name = f"{family}/{instrument}-{number + 1:04d}_{pitch:03d}_{velocity:03d}"
    audio = torch.from_numpy(wave.astype(np.float32))[None]
    return SyntheticClip(name, family, audio, labels, float(pitch), velocity, instrument)
