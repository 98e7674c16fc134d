"""Descriptors of decoded levels against those of the audio that the levels are of."""

import math

import pytest
import torch

from timbrespace.audio.describe import NAMES, describe
from timbrespace.representation.views.bands import Bands
from timbrespace.representation.views.log_stft import LogStft
from timbrespace.representation.views.mel import Mel
from timbrespace.space.controls.levels import MEASURED, LevelMeter

RATE = 44_100


def decaying(hz: float | None, t60: float, seconds: float, *, rise: float = 0.0) -> torch.Tensor:
    """A tone, or noise, `(1, 1, time)` that rises in a straight line and decays by 60 dB in `t60` seconds."""
    t = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    noise = torch.randn(len(t), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sound = noise / 4 if hz is None else torch.sin(2 * torch.pi * hz * t)
    shape = 10 ** (-3 * t / t60) * (1.0 if not rise else (t / rise).clamp_max(1.0))
    return (sound * shape).float()[None, None]


SOUNDS = {
    "low tone": decaying(100, 0.5, 0.8),
    "tone": decaying(1000, 0.3, 0.5),
    "noise": decaying(None, 0.4, 0.6),
    "short noise": decaying(None, 0.08, 0.12),
    "slow": decaying(2000, 1.0, 1.2, rise=0.15),
}


@pytest.mark.parametrize("view", [Bands(), LogStft(), Mel()], ids=lambda view: type(view).__name__)
@pytest.mark.parametrize("name", SOUNDS)
def test_levels_are_described_as_their_audio(view: Bands | LogStft | Mel, name: str):
    sound = SOUNDS[name]
    meter = LevelMeter(view.axes(1), floor=view.floor, sample_rate=RATE)
    levels = view.encode(sound)
    found, true = meter(levels, torch.tensor([levels.shape[-1]]))[0], describe(sound[0], RATE)
    for descriptor, tolerance in (("brightness", 0.12), ("decay", 0.15), ("length", 0.15)):  # octaves
        place = NAMES.index(descriptor)
        assert float(found[place]) == pytest.approx(float(true[place]), abs=tolerance), descriptor
    if name == "slow":  # a rise that is longer than the window
        place = NAMES.index("attack")
        assert float(found[place]) == pytest.approx(float(true[place]), abs=0.2)


def test_noise_is_noisier_than_a_tone_and_a_low_tone_has_more_low_end():
    view = Bands()
    meter = LevelMeter(view.axes(1), floor=view.floor, sample_rate=RATE)
    low, tone, noise = (meter(view.encode(SOUNDS[name]), torch.tensor([10_000]))[0] for name in ("low tone", "tone", "noise"))
    flat, deep = NAMES.index("noisiness"), NAMES.index("low_end")
    assert float(noise[flat]) > -1.0
    assert float(noise[flat]) > float(tone[flat]) + 4
    assert float(low[deep]) > -1.0
    assert float(tone[deep]) < -20


def test_what_follows_the_end_is_not_measured():
    view = Bands()
    meter = LevelMeter(view.axes(1), floor=view.floor, sample_rate=RATE)
    levels = view.encode(SOUNDS["tone"])
    longer = torch.cat([levels, torch.zeros_like(levels)], 3)
    frames = torch.tensor([levels.shape[-1]])
    assert torch.allclose(meter(longer, frames), meter(levels, frames), atol=1e-4, equal_nan=True)


def test_gradients_are_slopes():
    """Of every descriptor, along a tilt of the spectrum and of time: against differences."""
    view = Bands()
    meter = LevelMeter(view.axes(1), floor=view.floor, sample_rate=RATE)
    levels, frames = view.encode(SOUNDS["noise"]), torch.tensor([10_000])
    tilts = (torch.linspace(0, 1, levels.shape[2])[:, None], torch.linspace(0, -1, levels.shape[3])[None])
    for tilt in tilts:
        amount = torch.zeros(1, requires_grad=True)
        values = meter(levels + amount * tilt, frames)[0]
        above, below = (meter(levels + step * tilt, frames)[0] for step in (0.05, -0.05))
        for name in MEASURED:
            place = NAMES.index(name)
            (slope,) = torch.autograd.grad(values[place], amount, retain_graph=True)
            assert float(slope) == pytest.approx(float((above - below)[place] / 0.1), abs=0.02), name


def test_what_needs_the_waveform_is_not_measured():
    view = Bands()
    meter = LevelMeter(view.axes(1), floor=view.floor, sample_rate=RATE)
    found = meter(view.encode(SOUNDS["tone"]), torch.tensor([100]))[0]
    assert {name for name, value in zip(NAMES, found.tolist(), strict=True) if math.isnan(value)} == {"pitch", "inharmonicity"}
