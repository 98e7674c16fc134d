"""Notes of known partials: features in, audio out."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from timbrespace.representation.views.bands import Bands
from timbrespace.representation.views.log_stft import LogStft
from timbrespace.synthesis.harmonic.note import bin_layout
from timbrespace.synthesis.harmonic.partials import partial_frequencies, separate
from timbrespace.synthesis.harmonic.render import render_note
from timbrespace.synthesis.harmonic.traits import ZONES, NoteTraits

RATE = 44_100
QUIET = np.full(len(ZONES) - 1, 1e-6)
STEADY = NoteTraits(QUIET, QUIET, 0.0, 0.0, 5.0)


def tone(hertz: float, amplitudes: list[float], length: int) -> Tensor:
    """A note `(1, 1, length)` with the given partials."""
    time = torch.arange(length, dtype=torch.float64) / RATE
    return sum(a * torch.sin(2 * math.pi * (k + 1) * hertz * time + k) for k, a in enumerate(amplitudes)).float()[None, None]  # type: ignore[union-attr]


def amplitude(wave: Tensor, hertz: float) -> float:
    """The amplitude of a partial in the middle of a wave."""
    part = wave[0, len(wave[0]) // 4 : 3 * len(wave[0]) // 4].double().numpy()
    window = np.hanning(len(part))
    return float(2 * np.abs(np.sum(part * window * np.exp(-2j * np.pi * hertz * np.arange(len(part)) / RATE))) / window.sum())


@pytest.mark.parametrize("view", [Bands(), LogStft()], ids=["bands", "log-stft"])
@pytest.mark.parametrize("hertz", [233.1, 440.0, 1_234.5])
def test_partials_keep_their_levels_and_places(view: Bands | LogStft, hertz: float) -> None:
    amplitudes = [0.5, 0.25, 0.3, 0.05]
    sound = tone(hertz, amplitudes, RATE)
    features = view.encode(sound)[0]
    features = features - features.amax()
    layout = bin_layout(view)
    assert layout is not None
    made = render_note(features, layout, hertz=hertz, traits=STEADY, length=RATE, seed=1)
    assert made.shape == (1, RATE)
    levels = np.array([amplitude(made, (k + 1) * hertz) for k in range(4)])
    np.testing.assert_allclose(20 * np.log10(levels / levels[0]), 20 * np.log10(np.array(amplitudes) / 0.5), atol=1.0)
    # One partial alone: the spectrum peaks within a cent of its frequency.
    spectrum = np.abs(np.fft.rfft(made[0].double().numpy() * np.hanning(RATE), 16 * RATE))
    peak = spectrum[: int(1.5 * hertz) * 16].argmax() / 16
    assert abs(1200 * math.log2(peak / hertz)) < 1.0


def test_power_is_kept() -> None:
    view, hertz = Bands(), 300.0
    sound = tone(hertz, [1 / (k + 1) for k in range(30)], RATE)
    features = view.encode(sound)[0, 0]
    layout = bin_layout(view)
    assert layout is not None
    parts = separate(features - features.max(), layout, hertz=hertz, traits=STEADY)
    total = (10 ** ((features - features.max()) / 10) * layout.widths[:, None]).sum()
    inside = slice(4, -4)
    assert float(parts.partials[:, inside].sum()) == pytest.approx(float(total), rel=0.06)
    assert float(parts.noise[:, 20:-20].sum()) < 1e-3 * float(total)


def test_noise_of_a_note_has_the_asked_share() -> None:
    view, hertz = Bands(), 300.0
    layout = bin_layout(view)
    assert layout is not None
    features = view.encode(tone(hertz, [1 / (k + 1) for k in range(30)], 2 * RATE))[0]
    traits = STEADY._replace(noise=np.full(len(ZONES) - 1, 0.1), attack=np.full(len(ZONES) - 1, 0.1))
    made = render_note(features - features.amax(), layout, hertz=hertz, traits=traits, length=2 * RATE, seed=3)
    steady = render_note(features - features.amax(), layout, hertz=hertz, traits=STEADY, length=2 * RATE, seed=3)
    power = np.square(np.abs(np.fft.rfft(made[0].double().numpy() * np.blackman(2 * RATE))))
    bins = np.fft.rfftfreq(2 * RATE, 1 / RATE)
    inside = (bins > 450) & (bins < 5_000)
    between = inside & (np.abs(bins - hertz * np.round(bins / hertz)) > 20)
    share = power[between].mean() * inside.sum() / power[inside].sum()
    assert 10 * abs(math.log10(share / 0.1)) < 1.5  # dB
    assert not torch.equal(made, steady)


def test_noise_of_the_attack_ends_with_it() -> None:
    view, hertz = Bands(), 300.0
    layout = bin_layout(view)
    assert layout is not None
    features = view.encode(tone(hertz, [1 / (k + 1) for k in range(30)], RATE))[0, 0]
    parts = separate(features - features.max(), layout, hertz=hertz, traits=STEADY._replace(attack=np.full(len(ZONES) - 1, 0.3)))
    quiet = separate(features - features.max(), layout, hertz=hertz, traits=STEADY)
    frames = torch.arange(features.shape[1]) * layout.hop / RATE
    gain = parts.noise.sum(0) / quiet.noise.sum(0)
    assert float(gain[(frames > 0.02) & (frames < 0.04)].min()) > 3
    torch.testing.assert_close(parts.noise[:, frames > 0.16], quiet.noise[:, frames > 0.16])


@pytest.mark.parametrize("cents", [4.0, 15.0])
def test_the_pitch_wanders_as_far_as_asked(cents: float) -> None:
    view, hertz, length = Bands(), 440.0, 8 * RATE
    layout = bin_layout(view)
    assert layout is not None
    features = view.encode(tone(hertz, [1.0], length))[0]
    traits = STEADY._replace(wander=cents, rate=4.0)
    made = render_note(features - features.amax(), layout, hertz=hertz, traits=traits, length=length, seed=5)[0].double().numpy()
    phase = np.unwrap(np.angle(np.fft.ifft(np.fft.fft(made) * (np.fft.fftfreq(length, 1 / RATE) > 0))))
    course = 1200 * np.log2(np.diff(phase)[RATE:-RATE:100] * RATE / (2 * math.pi) / hertz)
    assert course.std() == pytest.approx(cents, rel=0.3)


@pytest.mark.parametrize("length", [1, 100, 1_024, 5_000])
def test_any_length_and_the_same_seed_the_same_note(length: int) -> None:
    view = Bands()
    layout = bin_layout(view)
    assert layout is not None
    features = view.encode(tone(440.0, [1.0, 0.5], length))[0]
    features = features - features.amax()
    traits = NoteTraits(np.full(len(ZONES) - 1, 0.05), QUIET, 1.0, 8.0, 5.0)
    one, again, other = (render_note(features, layout, hertz=440.0, traits=traits, length=length, seed=seed) for seed in (1, 1, 2))
    assert one.shape == (1, length)
    assert torch.isfinite(one).all()
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_silence_stays_silent() -> None:
    view = Bands()
    layout = bin_layout(view)
    assert layout is not None
    features = torch.full((1, view.bands, view.frames(4_000)), -view.floor)
    assert float(render_note(features, layout, hertz=300.0, traits=STEADY, length=4_000, seed=1).abs().max()) == 0.0


@pytest.mark.parametrize("right", [1.0, 0.25, 0.0])
def test_stereo_keeps_the_balance(right: float) -> None:
    view = Bands(channels=2)
    layout = bin_layout(view)
    assert layout is not None
    left = tone(440.0, [1.0, 0.5], RATE)[0]
    features = view.encode(torch.cat([left, right * left])[None])[0]
    made = render_note(features - features.amax(), layout, hertz=440.0, traits=STEADY, length=RATE, seed=1)
    assert made.shape == (2, RATE)
    level = made.square().mean(1).sqrt()
    assert float(level[1] / level[0]) == pytest.approx(right, abs=0.03)


def test_partials_stop_under_half_the_rate() -> None:
    assert float(partial_frequencies(1_000.0, RATE)[-1]) < RATE / 2
    assert len(partial_frequencies(30_000.0, RATE)) == 1
    assert len(partial_frequencies(20.0, RATE)) <= 160


@pytest.mark.parametrize("ratio", [2.41, 3.5, 5.27])
def test_a_partial_that_is_no_multiple_stays_a_line_at_its_place(ratio: float) -> None:
    """As bells have them."""
    view, hertz = Bands(), 440.0
    layout = bin_layout(view)
    assert layout is not None
    time = torch.arange(RATE, dtype=torch.float64) / RATE
    line = 0.3 * torch.sin(2 * math.pi * ratio * hertz * time) * torch.exp(-2 * time)
    sound = tone(hertz, [1.0, 0.3], RATE) + line.float()[None, None]
    features = view.encode(sound)[0]
    made = render_note(features - features.amax(), layout, hertz=hertz, traits=STEADY, length=RATE, seed=1)[0].double().numpy()
    spectrum, bins = np.abs(np.fft.rfft(made * np.hanning(RATE), 8 * RATE)), np.arange(4 * RATE + 1) / 8
    near = np.abs(bins - ratio * hertz) < 60
    place = bins[near][spectrum[near].argmax()]
    assert abs(place - ratio * hertz) < 6.0  # Hz; a bin has 43
    true = np.abs(np.fft.rfft(sound[0, 0].double().numpy() * np.hanning(RATE), 8 * RATE))
    scale = spectrum[np.abs(bins - hertz) < 20].max() / true[np.abs(bins - hertz) < 20].max()
    assert 20 * abs(math.log10(spectrum[near].max() / true[near].max() / scale)) < 2.0  # dB


def test_a_pitch_beyond_half_the_sample_rate_leaves_noise() -> None:
    view = Bands(n_fft=256, hop=64, bands=40, sample_rate=8_000)
    layout = bin_layout(view)
    assert layout is not None
    features = view.encode(torch.randn(1, 1, 4_000, generator=torch.Generator().manual_seed(0)))[0]
    made = render_note(features - features.max(), layout, hertz=4_500.0, traits=STEADY, length=4_000, seed=0)
    assert torch.isfinite(made).all()
