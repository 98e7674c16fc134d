"""An instrument of notes from end to end: the pitch asked for, the file, and files without traits of notes."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shell import Shell
from timbrespace.audio.pitch import midi_to_hz, refine_pitch
from timbrespace.contracts import InstrumentFileError
from timbrespace.instrument import Instrument
from timbrespace.synthesis.harmonic.traits import EARLIER_TRAITS, TRAITS, NoteModel
from tiny import Tiny


@pytest.mark.parametrize("pitch", [50.0, 60.0, 66.5])
def test_new_notes_have_the_pitch_that_is_asked_for(notes: Instrument, pitch: float) -> None:
    hertz = float(midi_to_hz(pitch))
    for sound in notes.generate(4, seed=3, pitch=pitch):
        found = refine_pitch(sound.audio.mean(0), sound.sample_rate, near=hertz)
        assert abs(1200 * math.log2(found / hertz)) < 3.0  # cents


def test_traits_are_fitted_saved_and_give_the_same_notes(notes: Instrument, tmp_path: Path) -> None:
    assert notes.contents.notes is not None
    assert tuple(notes.contents.notes.weights.shape) == (1 + notes.dims, TRAITS)
    assert notes.contents.notes.levels is not None
    assert len(notes.contents.notes.levels) == 1 + len(notes.contents.notes.categories)
    for strip in (False, True):
        path = tmp_path / f"{strip}.safetensors"
        notes.save(path, strip=strip)
        again = Instrument.load(path)
        assert torch.equal(again.generate(1, seed=5)[0].audio, notes.generate(1, seed=5)[0].audio)


def test_a_file_without_traits_renders_as_before(notes: Instrument) -> None:
    """As files of earlier versions: by a phase search, and of the same latents."""
    old = Instrument(replace(notes.contents, notes=None))
    one, other = old.generate(1, seed=5)[0], notes.generate(1, seed=5)[0]
    assert one.latent is not None
    assert other.latent is not None
    assert torch.allclose(one.latent, other.latent, atol=1e-5)  # two engines may have drawn them
    assert not torch.equal(one.audio, other.audio)


def test_damaged_traits_are_refused(notes: Instrument, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    for weights in (torch.zeros(3, TRAITS), torch.full((1 + notes.dims, TRAITS), math.nan)):
        bad = Instrument(replace(notes.contents, notes=NoteModel(weights)))
        bad.save(path, force=True)
        with pytest.raises(InstrumentFileError, match=r"notes\.weights"):
            Instrument.load(path)
    assert notes.contents.notes is not None
    assert notes.contents.notes.levels is not None
    for levels in (notes.contents.notes.levels[:, :-1], notes.contents.notes.levels + 1_000):
        Instrument(replace(notes.contents, notes=replace(notes.contents.notes, levels=levels))).save(path, force=True)
        with pytest.raises(InstrumentFileError, match=r"notes\.levels"):
            Instrument.load(path)


def test_traits_of_an_earlier_version_still_open_and_sound(notes: Instrument, tmp_path: Path) -> None:
    """One noise share for the whole note, no map of levels."""
    assert notes.contents.notes is not None
    earlier = NoteModel(notes.contents.notes.weights[:, :EARLIER_TRAITS].contiguous())
    Instrument(replace(notes.contents, notes=earlier)).save(tmp_path / "earlier.safetensors")
    again = Instrument.load(tmp_path / "earlier.safetensors")
    assert again.contents.notes is not None
    assert again.contents.notes.levels is None
    assert torch.isfinite(again.generate(1, seed=5)[0].audio).all()


def test_traits_of_notes_in_an_instrument_without_pitch_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    instrument = Instrument.load(tiny.file)
    Instrument(replace(instrument.contents, notes=NoteModel(torch.zeros(1 + instrument.dims, TRAITS)))).save(tmp_path / "bad.safetensors")
    with pytest.raises(InstrumentFileError, match="knows no pitch"):
        Instrument.load(tmp_path / "bad.safetensors")


def test_info_says_how_new_notes_are_made(notes: Instrument, tmp_path: Path, shell: Shell) -> None:
    for instrument, words in ((notes, "partials and noise"), (Instrument(replace(notes.contents, notes=None)), "noise texture")):
        path = tmp_path / f"{words}.safetensors"
        instrument.save(path)
        assert words in shell("info", path)
