"""`magnitude` with a hop that does not divide the window, and without the top bin: source D's 1024 x 128."""

from __future__ import annotations

import pytest
import torch

from timbrespace.contracts import ConfigError
from timbrespace.representation.views.magnitude import Magnitude


def test_five_seconds_at_hop_862_are_an_image_of_1024_x_128() -> None:
    view = Magnitude(n_fft=2048, hop=862, bands=1024, floor=100, mu=10_000, sample_rate=22_050)
    time = torch.arange(5 * 22_050) / 22_050
    audio = (0.3 * torch.sin(2 * torch.pi * 440 * time))[None, None]
    features = view.encode(audio)
    assert features.shape == (1, 1, 1024, 128)
    made = view.decode(features, length=audio.shape[-1])
    assert made.shape == audio.shape
    again = view.encode(made)
    inner = (..., slice(3, -3))
    assert float((again - features)[inner].abs().mean()) < 0.25 * float(features[inner].mean())
    assert float(made.std()) == pytest.approx(float(audio.std()), rel=0.1)
    axes = view.axes(audio.shape[-1])
    assert axes.frames == 128


@pytest.mark.parametrize("length", [1, 861, 862, 5_000])
def test_any_length(length: int) -> None:
    view = Magnitude(n_fft=2048, hop=862, bands=1024, sample_rate=22_050, channels=2)
    audio = 0.1 * torch.randn(2, 2, length, generator=torch.Generator().manual_seed(0))
    features = view.encode(audio)
    assert features.shape == (2, *view.spec(length).shape)
    assert view.decode(features, length=length).shape == audio.shape


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="divisor"):
        Magnitude(n_fft=2048, hop=862, method="pghi+raar")
    with pytest.raises(ConfigError, match="at most 1024"):
        Magnitude(n_fft=2048, hop=1_100)
    with pytest.raises(ConfigError, match="bands is 1026"):
        Magnitude(n_fft=2048, bands=1026)
    assert Magnitude().bands == 1025
