"""Neighbours of instruments: the same sound from file, samples and `Sound`, time-varying latents, conditions, cepstra."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from timbrespace.contracts import TimbrespaceError
from timbrespace.instrument import Instrument
from timbrespace.space.neighbours.cepstra import cepstrum
from timbrespace.space.neighbours.sounds import SoundSet
from tiny import RATE, Tiny, drum


@pytest.fixture(scope="module")
def instrument(tiny: Tiny) -> Instrument:
    return Instrument.load(tiny.file)


def test_one_sound_in_three_forms(instrument: Instrument, tiny: Tiny) -> None:
    audio = instrument.read(tiny.sound)
    by_file, by_samples = instrument.find(tiny.sound, 5), instrument.find(audio, 5)
    assert [match.name for match in by_file] == [match.name for match in by_samples]
    sound = instrument.vary(tiny.sound, 1, amount=0.0)[0]
    assert [match.name for match in instrument.find(sound, 5)] == [match.name for match in by_file]
    assert instrument.find(tiny.sound, 5, by="latent")[0].name == instrument.find(tiny.sound, 5, by="sound")[0].name == by_file[0].name


def test_the_level_does_not_matter(instrument: Instrument) -> None:
    audio = drum(5, seed=3)
    one, other = instrument.find(audio, 8), instrument.find(0.1 * audio, 8)
    assert [match.name for match in one] == [match.name for match in other]
    assert [match.distance for match in one] == pytest.approx([match.distance for match in other], abs=1e-3)


def test_several_and_measured_once(instrument: Instrument, tiny: Tiny) -> None:
    measured = instrument.neighbours.measured(tiny.folder)
    assert isinstance(measured, SoundSet)
    assert instrument.find(tiny.sound, 3, among=measured) == instrument.find(tiny.sound, 3, among=tiny.folder)
    assert len(instrument.find(tiny.sound, among=[drum(1), tiny.other])) == 2
    assert len(instrument.classify([tiny.sound, drum(2)])) == 2
    assert instrument.classify(tiny.sound)[0].named == "kick"
    assert instrument.outliers(tiny.folder)
    assert instrument.clusters(2, among=tiny.folder)
    assert instrument.duplicates(among=[tiny.sound, tiny.sound])[0].same


def test_what_cannot_be_searched(instrument: Instrument, tiny: Tiny) -> None:
    for sound in (torch.zeros(1, RATE), torch.zeros(instrument.dims), torch.full((1, 1000), torch.nan), tiny.folder, Path("absent.wav")):
        with pytest.raises(TimbrespaceError):
            instrument.find(sound)
    with pytest.raises(TimbrespaceError, match="no sounds were given"):
        instrument.find(tiny.sound, among=[])


def test_cepstra() -> None:
    audio = drum(3)
    values = cepstrum(audio, RATE)
    assert values.shape == (40,)
    louder = cepstrum(4 * audio, RATE)
    # A gain of 12.04 dB moves the mean of the first coefficient by that times the root of 40 bands, and nothing else.
    assert float(louder[0] - values[0]) == pytest.approx(12.0412 * 40**0.5, abs=1e-2)
    assert torch.allclose(louder[1:], values[1:], atol=1e-2)
    with pytest.raises(TimbrespaceError):
        Instrument.load("absent.safetensors")
