"""Levels of moving notes by the number of the partial, not by frequency: those of notes of different pitch are of the same things.

    levels of a key, at its own pitch  ->  partials, noise, lines  ->  cells in dB  --(blended along the path)-->  oscillators and noise

         partials 1 … K of the fundamental
cells =  noise in every band
         lines: partials that are no multiples, as bells have them, at fixed ratios to the fundamental
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio.pitch import midi_to_hz
from timbrespace.audio.pitch_estimation import hz_to_midi
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.harmonic.note import bin_layout
from timbrespace.synthesis.harmonic.partials import BinLayout, Parts, partial_frequencies, separate
from timbrespace.synthesis.harmonic.traits import NoteTraits, Values
from timbrespace.synthesis.moving.plan import Key, Moving

_SAME_LINE = 0.03  # of the ratio: lines of two keys that are one
_MOST_LINES = 32
_TOP = 0.98  # of half the sample rate: partials above it are silent
_LEAST_POWER = 1e-12
MOST_FRAMES = 600  # of a held note that are separated
_EVEN_FROM = 8.0  # the partial from which on the change of one counts less, as there are more in an octave
_NOISE_WEIGHT = 0.5  # of all noise, beside all partials


class KeyNote(NamedTuple):
    """The fundamental of a key in Hz, and its traits."""

    hertz: float
    traits: NoteTraits


def key_note(contents: InstrumentContents, key: Key) -> KeyNote:
    """Returns the fundamental and the traits of a key: between those measured of its given notes, else those of its latent."""
    assert contents.notes is not None
    unknown = contents.notes.of(key.z)
    pitch = contents.model.conditioning.pitch_of(key.z)
    hertz = midi_to_hz(60.0 if pitch is None else pitch)
    if key.mix is None or key.mix.kept < 1:
        return KeyNote(hertz, unknown)
    notes = [None if source.detail is None else source.detail.note for source in key.mix.sources]
    found = [note for note in notes if note is not None]
    if len(found) < len(notes):
        return KeyNote(hertz, unknown)
    weights = np.array(key.mix.weights)

    def between(values: Sequence[Values]) -> Values:
        return np.asarray(np.exp(sum(weight * np.log(np.maximum(value, 1e-9)) for weight, value in zip(weights, values, strict=True))))

    own = [note.traits for note in found]
    flutter, wander, rate = (
        float(weights @ np.array(values))
        for values in ([one.flutter for one in own], [one.wander for one in own], [one.rate for one in own])
    )
    traits = NoteTraits(between([one.noise for one in own]), between([one.attack for one in own]), flutter, wander, rate)
    return KeyNote(float(between([np.array([note.hertz]) for note in found])[0]), traits)


class NoteCells:
    """The cells of all keys of a moving note.

    notes: one a key. partials: how many. ratios `(lines,)`: frequencies of the lines in fundamentals. layout: of the view.
    """

    def __init__(self, contents: InstrumentContents, moving: Moving, levels: Sequence[Tensor]):
        """levels: of every key, dB `(parts, bands, frames)`, in which the lines are searched for."""
        layout = bin_layout(contents.representation)
        assert layout is not None
        self.layout: BinLayout = layout
        self.notes = [key_note(contents, key) for key in moving.keys]
        self.partials = max(len(partial_frequencies(note.hertz, layout.sample_rate)) for note in self.notes)
        own = [k for k, key in enumerate(moving.keys) if key.mix is not None and key.mix.own is not None]
        last = len(moving.keys) - 1
        self.ratios = self._lines([levels[k] for k in own or (0, last // 2, last)], [self.notes[k] for k in own or (0, last // 2, last)])

    def _lines(self, levels: Sequence[Tensor], notes: Sequence[KeyNote]) -> Tensor:
        found: list[tuple[float, float]] = []  # power, ratio
        for level, note in zip(levels, notes, strict=True):
            for part in level:
                parts = separate(part - part.max(), self.layout, hertz=note.hertz, traits=note.traits)
                found += zip(parts.lines.sum(1).tolist(), (parts.places / note.hertz).tolist(), strict=True)
        ratios: list[float] = []
        for _, ratio in sorted(found, reverse=True):
            if len(ratios) < _MOST_LINES and all(abs(ratio / other - 1) > _SAME_LINE for other in ratios):
                ratios.append(ratio)
        return torch.tensor(ratios, dtype=torch.float64)

    @property
    def pitches(self) -> Tensor:
        """MIDI numbers of the keys `(keys,)`."""
        return torch.tensor([hz_to_midi(note.hertz) for note in self.notes], dtype=torch.float64)

    @property
    def weights(self) -> Tensor:
        """How much the change of a cell counts `(cells,)`: as in bands that are even in log frequency."""
        numbers = torch.cat([torch.arange(1, self.partials + 1), self.ratios.clamp_min(1)])
        bands = self.layout.hertz / self.notes[0].hertz
        centres = torch.zeros(len(self.layout.widths)).index_add_(0, self.layout.band_of_bin, bands) / self.layout.widths
        noise = self.layout.widths * (_EVEN_FROM / centres.clamp_min(1e-3)).clamp_max(1.0)
        tonal = (_EVEN_FROM / numbers).clamp_max(1.0)
        return torch.cat(
            [tonal[: self.partials], noise / noise.sum() * tonal[: self.partials].sum() * _NOISE_WEIGHT, tonal[self.partials :]]
        )

    def __call__(self, levels: Sequence[Tensor], bottom: float, at: Tensor | None = None) -> Tensor:
        """Returns cells in dB `(keys, parts, cells, frames)` of the levels of all keys, each `(parts, bands, frames)`.

        bottom: dB, of silence. at: times of the frames in hops `(frames,)`; None: one after the other.
        """
        return torch.stack([self._of(level, note, bottom, at) for level, note in zip(levels, self.notes, strict=True)])

    def _of(self, levels: Tensor, note: KeyNote, bottom: float, at: Tensor | None) -> Tensor:
        """The cells of one key `(parts, cells, frames)`."""
        loudest, layout = float(levels.max()), self.layout
        widths, found = layout.widths.to(levels), []
        for part in levels:
            parts = separate(part - loudest, layout, hertz=note.hertz, traits=note.traits, places=self.ratios * note.hertz, at=at)
            partials = torch.nn.functional.pad(parts.partials, (0, 0, 0, self.partials - len(parts.partials)))
            noise = levels.new_zeros(len(widths), levels.shape[-1]).index_add_(0, layout.band_of_bin, parts.noise) / widths[:, None]
            found.append(torch.cat([partials, noise, parts.lines]))
        return (10 * torch.log10(torch.stack(found).clamp_min(_LEAST_POWER)) + loudest).clamp_min(bottom)

    def parts(self, cells: Tensor, hertz: Values) -> list[Parts]:
        """Returns the parts of a note of cells in dB `(parts, cells, frames)`, its fundamental in Hz `(frames,)`; a line at its ratio."""
        power = torch.where(cells > float(cells.max()) - self.layout.floor - 10, 10 ** (cells / 10), 0.0)
        bands = len(self.layout.widths)
        numbers = torch.cat([torch.arange(1, self.partials + 1, dtype=torch.float64), self.ratios])
        audible = (numbers[:, None] * torch.from_numpy(hertz) < _TOP * self.layout.sample_rate / 2).to(power)
        return [
            Parts(
                part[: self.partials] * audible[: self.partials],
                part[self.partials : self.partials + bands][self.layout.band_of_bin],
                part[self.partials + bands :] * audible[self.partials :],
                self.ratios,
            )
            for part in power
        ]
