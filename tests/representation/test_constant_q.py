"""The constant-Q representation: a tight frame, its bands, and coefficients against the definition."""

from __future__ import annotations

import math

import pytest
import torch

from timbrespace.contracts import ConfigError
from timbrespace.representation.views.constant_q import ConstantQ, _fast_size, _make_plan

RATE = 44_100
GRIDS = [
    {}, {"bins_per_octave": 24, "low": 110.0, "hop": 128}, {"bins_per_octave": 1, "low": 300.0}, {"hop": 7},
    {"bins_per_octave": 3, "low": 20.0, "hop": 1024}, {"bins_per_octave": 36, "low": 300.0, "hop": 48}, {"form": "polar"},
]  # fmt: skip


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def snr_db(wanted: torch.Tensor, found: torch.Tensor) -> float:
    error = (wanted.double() - found.double()).square().sum()
    return float(10 * torch.log10(wanted.double().square().sum() / error.clamp_min(1e-300)))


def sine(hz: float, samples: int) -> torch.Tensor:
    return torch.sin(2 * math.pi * hz * torch.arange(samples, dtype=torch.float64) / RATE)[None, None]


def magnitude(features: torch.Tensor) -> torch.Tensor:
    return features[0, 0].square().add(features[0, 1].square()).sqrt()


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_inversion_is_exact_and_energy_is_kept(grid: dict, rate: int) -> None:
    view = ConstantQ(**{**grid, **({"hop": 7} if rate == 8_000 else {})}, sample_rate=rate, channels=2)
    for length in (1, 64, 2003):
        audio = noise(2, 2, length, seed=length)
        features = view.encode(audio)
        assert snr_db(audio, view.decode(features, length=length)) >= 120
        if view.form == "complex":  # a tight frame of bound 1
            torch.testing.assert_close(features.square().sum(), audio.square().sum(), rtol=1e-5, atol=0)
    exact = audio.double()
    torch.testing.assert_close(view.decode(view.encode(exact), length=2003), exact, rtol=0, atol=1e-11)


@pytest.mark.parametrize("grid", GRIDS)
def test_windows_are_painless_and_their_squares_sum_to_one(grid: dict) -> None:
    view = ConstantQ(**grid)
    frames = view.frames(2000)
    plan = _make_plan(view.low, view.bins_per_octave, RATE, view.hop, frames)
    used = plan.weights > 0
    bins, bands = plan.bins[used], torch.arange(view.bands).repeat_interleave(frames)[used]
    for band in range(view.bands):
        held = bins[bands == band]
        width = (held.max() - held.min()) * (2 if band in (0, view.bands - 1) else 1)  # those have negative twins
        assert width < frames
    gain = torch.zeros(frames * view.hop // 2 + 1, dtype=torch.float64)
    ends = (bands == 0) | (bands == view.bands - 1)
    weight = plan.weights[used] * math.sqrt(view.hop / 2) * torch.where(ends, 0.5, 1.0).double() ** 0.5
    weight = weight * torch.where((bins == 0) | (bins == len(gain) - 1), 2.0, 1.0)
    gain.index_add_(0, bins, weight.square())
    torch.testing.assert_close(gain, torch.ones_like(gain), rtol=0, atol=1e-12)


def test_the_inverse_is_the_transpose() -> None:
    """The dual frame is the frame itself: <encode x, y> = <x, decode y>."""
    view = ConstantQ(bins_per_octave=4, low=400.0, hop=32)
    audio, features = noise(1, 1, 700).double(), noise(1, 2, view.bands, view.frames(700), seed=1).double()
    there = (view.encode(audio) * features).sum()
    torch.testing.assert_close(there, (audio * view.decode(features, length=700)).sum())


def test_a_coefficient_is_the_filtered_sound() -> None:
    view, audio, band = ConstantQ(bins_per_octave=4, low=400.0, hop=32), noise(1, 1, 900).double(), 9
    found = torch.complex(*view.encode(audio)[0, :, band].unbind())
    frames, lead = len(found), view._lead * view.hop
    below, at, above = (float(view.centres[band + k]) for k in (-1, 0, 1))
    hertz = torch.arange(frames * 32, dtype=torch.float64) * RATE / (frames * 32)
    up, down = (hertz - below) / (at - below), (above - hertz) / (above - at)
    way = torch.minimum(up, down).clamp(0, 1) * math.pi / 2
    window = way.sin() ** 2 / (way.sin() ** 4 + way.cos() ** 4).sqrt() * (hertz > below) * (hertz < above)
    padded = torch.nn.functional.pad(audio[0, 0], (lead, frames * 32 - lead - 900))
    filtered = torch.fft.ifft(torch.fft.fft(padded) * window)  # an analytic signal, of half the amplitude
    torch.testing.assert_close(found, filtered[::32] * math.sqrt(2 * 32), rtol=0, atol=1e-10)


@pytest.mark.parametrize("bins_per_octave", [12, 24])
def test_a_sine_peaks_in_its_band_and_octaves_are_bins_per_octave_apart(bins_per_octave: int) -> None:
    view = ConstantQ(bins_per_octave=bins_per_octave, low=110.0)
    for octave in range(1, 5):
        hz = 110.0 * 2**octave
        level = magnitude(view.encode(sine(hz, 30_000)))
        middle = level[:, level.shape[1] // 2]
        assert int(middle.argmax()) == 1 + octave * bins_per_octave
        assert float(middle.max()) == pytest.approx(math.sqrt(view.hop / 2), rel=1e-2)
        assert view.centres[1 + octave * bins_per_octave] == pytest.approx(hz)
    assert view.axes(100).centres[1] == pytest.approx(110.0)
    assert view.centres[-1] == RATE / 2


def test_a_click_keeps_its_position() -> None:
    view, audio = ConstantQ(), torch.zeros(1, 1, 20_000)
    audio[..., 10_000] = 1
    level = magnitude(view.encode(audio))
    times = torch.from_numpy(view.axes(20_000).times)
    for band in (30, 60, 100):
        assert abs(float(times[level[band].argmax()]) - 10_000 / RATE) <= view.hop / RATE
    assert level[30:, :60].max() < 1e-3 * level.max()  # nothing wraps round to the other end


def test_silence_and_the_ends_of_a_model_s_features() -> None:
    view = ConstantQ(bins_per_octave=4, low=300.0)
    assert view.decode(view.encode(torch.zeros(1, 1, 500)), length=500).abs().max() == 0
    features = view.encode(noise(1, 1, 500))
    assert features[0, 1, [0, -1]].abs().max() == 0
    odd = features.clone()
    odd[0, 1, [0, -1]] = 1.0  # the lowest and the topmost band are real: what a model puts there is left out
    torch.testing.assert_close(view.decode(odd, length=500), view.decode(features, length=500))


def test_gradients_are_right() -> None:
    audio = noise(1, 1, 40).double().requires_grad_(True)
    for form in ("complex", "polar"):
        view = ConstantQ(bins_per_octave=1, low=2000.0, hop=8, form=form)
        part = (lambda x, v=view: v.encode(x)[:, :1]) if form == "polar" else view.encode  # phases jump where they turn over
        assert torch.autograd.gradcheck(part, audio, fast_mode=True)


def test_sizes_of_the_transform_have_fast_ffts() -> None:
    assert [_fast_size(n) for n in (1, 2, 7, 97, 101, 1001)] == [2, 2, 8, 100, 108, 1024]
    view = ConstantQ()
    counts = [view.frames(n) for n in range(1, 60_000, 997)]
    assert counts == sorted(counts)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"low": 400.0}, "use a low of at most 344.531 Hz or a hop of at most 55"),
        ({"low": 20.0, "bins_per_octave": 48}, "responds for 6.9 s, allowed are 4 s; use fewer bins_per_octave or a low of at least 35 Hz"),
        ({"bins_per_octave": 0}, "bins_per_octave is 0, allowed are whole numbers from 1 to 96; the default is 12"),
        ({"form": "real"}, "form is 'real', allowed are 'complex', 'polar'"),
    ],
)
def test_impossible_settings_are_refused(keys: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ConstantQ(**keys)
