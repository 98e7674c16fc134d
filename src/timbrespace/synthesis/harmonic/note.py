"""New notes of an instrument: which instruments render them by oscillators, what those need, and rendering."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from timbrespace.audio.pitch import midi_to_hz
from timbrespace.parallel import Pool
from timbrespace.representation.spectral import Spectral
from timbrespace.synthesis.detail_model.ranks import mapped
from timbrespace.synthesis.harmonic.measure import measure_note
from timbrespace.synthesis.harmonic.partials import BinLayout
from timbrespace.synthesis.harmonic.render import render_note
from timbrespace.synthesis.harmonic.traits import NoteModel, Values

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus
    from timbrespace.model.conditioning.base import Conditioning
    from timbrespace.representation.base import Representation
    from timbrespace.synthesis.file.contents import InstrumentContents

MOST_NOTES = 400  # measured, evenly spread over the corpus
_KNEE_DB, _RATIO = -70.0, 2.0  # downward expansion, dB under the loudest cell; at -60 dB the highs of notes are lost


def bin_layout(representation: Representation) -> BinLayout | None:
    """Returns how the bands of a view are made of STFT bins; None for a view whose features are no levels of such bands."""
    bands = representation.band_of_bin() if isinstance(representation, Spectral) and representation.decibels else None
    if bands is None:
        return None
    assert isinstance(representation, Spectral)
    return BinLayout(representation.n_fft, representation.hop, representation.sample_rate, representation.floor, bands)


def fit_notes(
    corpus: Corpus, clips: list[int], latents: Tensor, *, conditioning: Conditioning, representation: Representation, samples: int
) -> NoteModel | None:
    """Returns the traits of an instrument of notes, measured on at most `MOST_NOTES` training clips; None for any other instrument.

    clips: training clips. latents `(clips, dims)`. samples: of the longest clip, samples.
    """
    if bin_layout(representation) is None or conditioning.pitch_of(latents[0]) is None:
        return None
    count = min(len(clips), MOST_NOTES)
    rows = [number * len(clips) // count for number in range(count)]

    def measured(row: int) -> Values:
        pitch = conditioning.pitch_of(latents[row])
        assert pitch is not None
        return measure_note(corpus.audio(clips[row])[:, :samples].mean(0).numpy(), corpus.sample_rate, midi_to_hz(pitch))

    with Pool() as pool:
        traits = list(pool.map(measured, rows))
    return NoteModel.fit(latents[torch.tensor(rows)], traits)


def quiet_as_recorded(features: Tensor, points: Tensor | None, *, floor: float) -> Tensor:
    """Returns levels `(parts, bands, frames)` of a new note whose quiet cells are as quiet as those of recorded notes.

    points `(groups, LEVELS)`: see `NoteModel.levels`. None, for files of earlier versions: they are expanded downwards from -70 dB.
    """
    if points is None:
        return features - (_RATIO - 1) * (_KNEE_DB - features).clamp_min(0)
    return torch.stack([mapped(part, points, floor=floor) for part in features])


def render_new_note(contents: InstrumentContents, features: Tensor, z: Tensor, *, length: int, seed: int, category: str | None) -> Tensor:
    """Returns a new note `(channels, length)` of an instrument with `notes`, from features `(parts, bands, frames)` and their latent."""
    layout, pitch, notes = bin_layout(contents.representation), contents.model.conditioning.pitch_of(z), contents.notes
    assert notes is not None
    assert layout is not None
    assert pitch is not None  # an instrument without a pitch has no `notes`
    levels = quiet_as_recorded(features, notes.levels_of(category), floor=layout.floor)
    return render_note(levels, layout, hertz=midi_to_hz(pitch), traits=notes.of(z), length=length, seed=seed)
