"""From frames to audio without a seam: steady tones stay steady over the borders of searches and windows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from timbrespace.contracts import SAMPLE_RATE
from timbrespace.representation.base import Representation
from timbrespace.representation.views.bands import Bands
from timbrespace.representation.views.log_stft import LogStft
from timbrespace.representation.views.magnitude import Magnitude
from timbrespace.representation.views.mel import Mel
from timbrespace.representation.views.spectrum import Spectrum
from timbrespace.synthesis.transfer import render
from timbrespace.synthesis.transfer.feed import ArrayFeed
from timbrespace.synthesis.transfer.overlap import Made, Overlapped, fades
from timbrespace.synthesis.transfer.render import Near, audio_of_frames
from timbrespace.synthesis.transfer.views import silenced, silent_frames
from timbrespace.synthesis.transfer.windows import even_windows

HERTZ = (440.7, 1_320.3)
SECONDS = 4.0


def tone(channels: int = 1) -> Tensor:
    time = torch.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    one = sum(level * torch.sin(2 * math.pi * hertz * time) for level, hertz in zip((0.3, 0.2), HERTZ, strict=True))
    return torch.stack([one, 0.5 * one][:channels])


def besides(audio: Tensor) -> tuple[float, float]:
    """The loudest line beside the tones, and all beside them, in dB under them: what a modulation adds."""
    wave = audio[0, 8_192:-8_192].double().numpy()
    power = np.abs(np.fft.rfft(wave * np.blackman(len(wave)))) ** 2
    hertz = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE)
    far = np.all([np.abs(hertz - one) > 25 for one in HERTZ], axis=0)
    return 10 * math.log10(power[far].max() / power.max()), 10 * math.log10(power[far].sum() / power.sum())


def in_windows(view: Representation, features: Tensor, samples: int, *, near: Tensor | None = None) -> Tensor:
    """The audio of features that were cut into windows, and joined again."""
    hop: int = view.hop
    windows = even_windows(samples, size=128 * hop if hop < 1_000 else 32 * hop, overlap=8 * hop)

    def made() -> Iterator[Made]:
        for window in windows:
            first = window.start // hop
            count = (window.stop - window.start) // hop if window.fade_out else features.shape[-1] - first
            yield Made(first, features[..., first : first + count], fades(window, count, hop=hop))

    stream = Overlapped(made(), silent_frames(view, 1))
    start = None if near is None else Near([ArrayFeed(near.numpy())])
    return torch.cat(list(audio_of_frames(view, stream, samples, near=start, seed=0)), 1)


@pytest.mark.parametrize("view", [Bands(), Mel(), LogStft(), Magnitude(), Spectrum()], ids=lambda view: type(view).__name__)
def test_a_steady_tone_has_no_seam(view: Representation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_SECONDS", 0.7)
    audio = tone()
    features = view.encode(audio[None])[0]
    whole = view.decode(features[None], length=audio.shape[1])[0]
    joined = in_windows(view, silenced(view, features), audio.shape[1])
    assert joined.shape == audio.shape
    line, rest = besides(joined)
    whole_line, whole_rest = besides(whole)
    assert line < whole_line + 6
    assert rest < max(whole_rest + 4, -45)
    assert float(joined.diff().abs().max()) < 1.15 * float(whole.diff().abs().max())


def test_the_phases_of_the_recording_itself_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_SECONDS", 0.7)
    view, audio = Bands(), tone(2)
    view = Bands(channels=2)
    joined = in_windows(view, silenced(view, view.encode(audio[None])[0]), audio.shape[1], near=audio)
    assert besides(joined)[0] < -60
    inside = slice(2_048, -2_048)
    error = (joined - audio)[:, inside]
    assert float(error.square().mean()) < 1e-4 * float(audio.square().mean())


@pytest.mark.parametrize(
    "view", [Bands(iterations=4), Spectrum(iterations=4), Magnitude(iterations=4)], ids=lambda view: type(view).__name__
)
def test_given_samples_stay_as_they_are(view: Representation) -> None:
    audio = tone()[:, :40_000]
    features = view.encode(audio[None])
    past = audio[:, :9_000]
    made = view.decode(features, length=40_000, past=past)[0]
    assert torch.equal(made[:, :9_000], past)
    silent = view.decode(silent_like(view, features), length=40_000, past=past)[0]
    assert torch.equal(silent[:, :9_000], past)


def silent_like(view: Representation, features: Tensor) -> Tensor:
    return torch.full_like(features, -200.0) if view.decibels else torch.zeros_like(features)


def test_a_gain_of_features_is_a_gain_of_audio() -> None:
    audio = tone()[:, :20_000]
    for view in (Bands(), Mel(), LogStft(), Magnitude(floor=120.0), Spectrum(), Spectrum(scale="decibels")):
        features = view.encode(audio[None])
        louder = view.scaled(features, torch.tensor(1.5))
        expected = view.encode(1.5 * audio[None])
        loud = features > features.max() - (40 if view.decibels or getattr(view, "scale", "") == "decibels" else 0.5 * features.max())
        assert torch.allclose(louder[loud], expected[loud], rtol=1e-3, atol=1e-3), type(view).__name__
