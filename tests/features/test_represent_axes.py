"""The axes of representations: a tone is in the band of its frequency, a click in the frame of its time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timbrespace.config.build import build_representation
from timbrespace.representation.base import Representation
from timbrespace.representation.registry import REPRESENTATIONS

RATE = 44_100
SPECTRAL = [name for name, kind in REPRESENTATIONS.items() if kind().axes(1).band_unit == "Hz"]
SINGLE_BINS = {"complex", "polar", "instantaneous-frequency", "log-stft", "magnitude", "spectrum", "constant-q"}


def build(name: str, channels: int = 1, rate: int = RATE, **more: object) -> Representation:
    return build_representation({"name": name, **more}, sample_rate=rate, channels=channels)


def strength(view: Representation, audio: torch.Tensor) -> np.ndarray:
    """How strong every cell is, `(bands, frames)`, whatever the view holds."""
    values = view.encode(audio[None])[0].double().numpy()
    kinds = [part.kind for part in view.axes(audio.shape[-1]).parts]
    if kinds[0] in ("level", "magnitude"):
        return values[0]
    return np.sqrt(sum(part**2 for part, kind in zip(values, kinds, strict=True) if kind == "signed"))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_axes_match_the_shape_of_the_features(name: str, channels: int) -> None:
    view = build(name, channels)
    for length in (1, 100, 4096, 30_001):
        axes = view.axes(length)
        assert axes.shape == tuple(view.encode(torch.zeros(1, channels, length)).shape[1:])
        assert axes.band_unit in ("Hz", "s", "")
        assert len(axes.lower) == len(axes.upper) == len(axes.centres) == view.bands
        assert (axes.lower <= axes.centres).all()
        assert (axes.centres <= axes.upper + 1e-9).all()
        assert (np.diff(axes.centres) > 0).all()
        assert axes.step_s > 0
        assert len(axes.times) == view.frames(length)
    names = [part.name for part in axes.parts]
    assert len(set(names)) == len(names)
    assert all(name.startswith(("left ", "right ", "middle ", "side ")) == (channels == 2) for name in names)
    assert all(part.meaning for part in axes.parts)
    if axes.band_unit == "Hz":
        assert axes.lower[0] >= 0
        assert axes.upper[-1] <= RATE / 2 + 1e-6


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_axes_are_plain_json(name: str) -> None:
    import json

    output = json.loads(json.dumps(build(name, 2).axes(5000).to_dict(), allow_nan=False))
    assert output["frames"]["count"] == build(name, 2).frames(5000)
    assert {"name", "unit", "meaning", "kind"} <= set(output["parts"][0])


@pytest.mark.parametrize("name", SPECTRAL)
@settings(max_examples=12, deadline=None)
@given(hertz=st.floats(150, 7_900), rate=st.sampled_from([44_100, 32_000]))
@example(hertz=6_999.0, rate=44_100)
def test_a_tone_is_in_the_band_of_its_frequency(name: str, hertz: float, rate: int) -> None:
    view = build(name, rate=rate)
    time = torch.arange(rate, dtype=torch.float64) / rate
    tone = (0.5 * torch.sin(2 * math.pi * hertz * time))[None].float()
    axes = view.axes(tone.shape[-1])
    inside = (axes.times > 0.3) & (axes.times < 0.7)
    found = strength(view, tone)[:, inside]
    band = int((10 ** (found / 10) if axes.parts[0].kind == "level" else found**2).mean(1).argmax())
    tolerance = axes.upper[band] - axes.lower[band]  # a tone at an edge may be stronger in the next band: in mdct that depends on phase
    if name in SINGLE_BINS:
        tolerance = 1e-6
    elif name in ("mel", "bands"):  # levels are means per bin: of two bands that share a tone at their edge, the narrower is louder
        tolerance = rate / view.n_fft / 2
    assert axes.lower[band] - tolerance <= hertz <= axes.upper[band] + tolerance


@pytest.mark.parametrize("name", [*SPECTRAL, "waveform"])
@pytest.mark.parametrize("place", [9_000, 15_555, 21_003])
def test_a_click_is_in_the_nearest_frame(name: str, place: int) -> None:
    view = build(name, **({"block": 100} if name == "waveform" else {}))
    click = torch.zeros(1, 30_000)
    click[0, place] = 1
    axes = view.axes(30_000)
    found = strength(view, click)
    power = 10 ** (found / 10) if axes.parts[0].kind == "level" else found**2
    frame = int(power.sum(0).argmax())
    assert abs(axes.times[frame] - place / RATE) <= axes.step_s / 2 + 1e-9
    if name == "waveform":
        band = int(power[:, frame].argmax())
        assert axes.times[frame] + axes.centres[band] == pytest.approx(place / RATE, abs=1e-9)


def test_units() -> None:
    assert build("waveform").axes(9).band_unit == "s"
    assert {"bands", "mel", "mdct"} | SINGLE_BINS <= set(SPECTRAL)
    parts = {name: build(name).axes(1000).parts for name in REPRESENTATIONS}
    assert [part.unit for part in parts["polar"]] == ["", "rad"]
    assert parts["instantaneous-frequency"][1].unit == "half turns a hop"
    assert parts["mel"][0].unit == parts["bands"][0].unit == parts["log-stft"][0].unit == "dB"
    assert [part.name for part in build("complex", 2).axes(9).parts] == ["left real", "left imaginary", "right real", "right imaginary"]
    assert [part.name for part in build("mel", 2).axes(9).parts] == ["middle level", "side level"]
    sine = torch.sin(2 * math.pi * (RATE / 1024 * 40) * torch.arange(RATE) / RATE)[None]
    for name in ("complex", "polar", "magnitude", "spectrum"):
        view = build(name)
        reads = float(view.axes(RATE).parts[0].meaning.removeprefix("a full-scale sine reads ").split(";")[0])
        assert float(strength(view, sine)[:, 20:50].max()) == pytest.approx(reads, rel=0.02), name
