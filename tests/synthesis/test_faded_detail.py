"""What a variation puts in place of the detail that fades: nothing of a silent background, no noise in place of partials."""

from __future__ import annotations

import math

import pytest
import torch

from timbrespace.audio.distance import log_mel_error
from timbrespace.instrument import Instrument
from timbrespace.noise import Noise, Purpose
from timbrespace.synthesis.detail.blend import fluctuation, near_lines, over_bands
from timbrespace.synthesis.detail.features import mixed_features
from timbrespace.synthesis.detail.given import given_sound
from timbrespace.synthesis.detail.mix import length_of
from timbrespace.synthesis.detail.source import Source, analyse
from timbrespace.synthesis.detail.timing import Timing, elsewhere
from timbrespace.synthesis.request import vary
from tiny import RATE

LINES = (5000.0, 5300.0, 5600.0)


def analysed(instrument: Instrument, audio: torch.Tensor) -> Source:
    return analyse(instrument.contents, given_sound(instrument.contents, audio))


def chime(seconds: float = 0.6) -> torch.Tensor:
    """Decaying lines, several in one band of the view, `(1, time)`."""
    time = torch.arange(round(seconds * RATE)) / RATE
    lines = sum(torch.sin(2 * math.pi * hertz * time + k) for k, hertz in enumerate(LINES))
    assert isinstance(lines, torch.Tensor)
    return (0.2 * lines * torch.exp(-4 * time))[None]


def power_at(audio: torch.Tensor, hertz: float) -> float:
    """Power in dB in a band of 20 Hz around a frequency, of 0.3 s after the attack."""
    part = audio[0, round(0.05 * RATE) : round(0.35 * RATE)]
    power = torch.fft.rfft(part * torch.hann_window(len(part))).abs().square()
    hertz_of = torch.arange(len(power)) * (RATE / len(part))
    return float(10 * torch.log10(power[(hertz_of - hertz).abs() < 10].sum()))


def test_fluctuation_read_elsewhere() -> None:
    values = torch.arange(100.0).expand(2, 3, 100)
    found, share = elsewhere(values, Timing(100, 4, 16), Noise(3, Purpose.DETAIL))
    assert torch.equal(found[0, 0], found[1, 2])  # all bands at the same frame
    assert torch.equal(found[..., :20], values[..., :20])
    assert share[:21].max() == 0
    assert share[40:].min() == 1
    assert found.min() >= 0
    assert bool((found[0, 0, 20:].diff().abs() <= 1).all())  # at unchanged speed, back and forth
    assert not torch.equal(found, values)
    short, none = elsewhere(values[..., :8], Timing(8, 4, 16), Noise(3, Purpose.DETAIL))
    assert torch.equal(short, values[..., :8])
    assert not none.any()


def test_fluctuation_of_noise() -> None:
    noise = torch.randn(1, 40, 200, generator=torch.Generator().manual_seed(0))
    assert float(fluctuation(2 * noise).mean()) == pytest.approx(2 * (8 / 9) ** 0.5, rel=0.03)
    comb = torch.zeros(1, 45, 30)
    comb[:, ::9] = 9
    assert float(over_bands(comb)[0, 20, 15]) == pytest.approx(1)
    assert float(near_lines((comb > 0).float())[0, 10:30].min()) == 1
    assert float(near_lines(torch.zeros(1, 45, 30)).max()) == 0


def test_lines_are_steady_and_noise_is_not(instrument: Instrument) -> None:
    generator = torch.Generator().manual_seed(1)
    hiss = torch.randn(1, RATE // 2, generator=generator) * torch.exp(-4 * torch.arange(RATE // 2) / RATE)
    for audio, low, high in ((chime(), 0.85, 1.0), (0.2 * hiss, 0.0, 0.25)):
        detail = analysed(instrument, audio).detail
        assert detail is not None
        loud = detail.features > -40
        loud[..., :6], loud[..., -6:] = False, False
        assert low <= float(detail.steady[loud].mean()) <= high


def test_a_line_stays_a_line(instrument: Instrument) -> None:
    for sound in instrument.vary(chime(), 3, amount=0.3):
        lines, gaps = (sum(power_at(sound.audio, hertz + offset) for hertz in LINES[:2]) / 2 for offset in (0.0, 150.0))
        assert lines - gaps > 30


def test_silence_stays_silent(instrument: Instrument) -> None:
    source = analysed(instrument, chime())
    assert source.detail is not None
    floor = -instrument.representation.floor
    for request in vary(instrument.contents, source, 4, amount=0.6, seed=0, name="chime"):
        assert request.mix is not None
        length = length_of(instrument.contents, request.mix, request.z)
        features = mixed_features(instrument.contents, request.mix, request.z, length, seed=request.seed).features
        above = features[features > floor]
        assert float(features.max()) == 0
        assert float(above.min()) > floor
        top = features[:, -20:]  # bands without any energy in the given sound
        assert bool((source.detail.features[:, -20:, 8:] == floor).all())
        assert bool((top[..., 8:] == floor).all())


def test_no_jump_near_the_sound_itself(instrument: Instrument) -> None:
    original = torch.nn.functional.pad(chime(), (300, 0))
    away = [log_mel_error([original], [instrument.vary(original, 1, amount=amount)[0].audio])[0] for amount in (0, 0.01, 0.1, 0.3)]
    assert away[0] == 0
    assert float(away[1]) < 0.3
    assert away == sorted(away)
