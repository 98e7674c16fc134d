"""The values of each representation against the STFT, closed forms and plain formulas."""

from __future__ import annotations

import math

import pytest
import torch

from timbrespace.audio.stft import mel_filters, power_spectrogram, spectra, stft
from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.config.presets import load_preset
from timbrespace.contracts import ConfigError
from timbrespace.representation.phase.projection import StftGrid
from timbrespace.representation.registry import REPRESENTATIONS
from timbrespace.representation.views.complex import Complex
from timbrespace.representation.views.log_stft import LogStft
from timbrespace.representation.views.magnitude import Magnitude
from timbrespace.representation.views.mel import Mel
from timbrespace.representation.views.polar import InstantaneousFrequency, Polar
from timbrespace.representation.views.spectrum import Spectrum
from timbrespace.representation.views.waveform import Waveform
from tiny import drum

RATE = 44_100


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def sine(hz: float, samples: int, *, amplitude: float = 1.0) -> torch.Tensor:
    return (amplitude * torch.sin(2 * math.pi * hz * torch.arange(samples, dtype=torch.float64) / RATE)).float()[None, None]


def test_spectra_are_the_stft_frames_first() -> None:
    audio = noise(2, 2, 3333)
    torch.testing.assert_close(spectra(audio, n_fft=256, hop=64).transpose(-1, -2), stft(audio, n_fft=256, hop=64), rtol=1e-4, atol=1e-5)
    for hop in (0, 200):
        with pytest.raises(ConfigError, match=f"hop is {hop}"):
            power_spectrogram(audio, n_fft=256, hop=hop)


def test_waveform_in_blocks() -> None:
    audio = torch.arange(1.0, 11.0)[None, None]
    assert torch.equal(Waveform().encode(audio)[0, 0], audio[0])
    blocks = Waveform(block=4).encode(audio)
    assert blocks[0, 0, :, 1].tolist() == [5.0, 6.0, 7.0, 8.0]
    assert blocks[0, 0, :, 2].tolist() == [9.0, 10.0, 0.0, 0.0]


def test_complex_and_polar_are_the_stft_channel_by_channel() -> None:
    audio = noise(2, 2, 3000)
    wanted = stft(audio, n_fft=1024, hop=256)
    features = Complex(channels=2).encode(audio)
    for part, view in enumerate((wanted[:, 0].real, wanted[:, 0].imag, wanted[:, 1].real, wanted[:, 1].imag)):
        torch.testing.assert_close(features[:, part], view, rtol=1e-4, atol=1e-4)
    features = Polar(channels=2).encode(audio)
    for channel in range(2):
        torch.testing.assert_close(features[:, 2 * channel], wanted[:, channel].abs(), rtol=1e-4, atol=1e-4)
        rebuilt = torch.polar(features[:, 2 * channel], features[:, 2 * channel + 1])
        torch.testing.assert_close(rebuilt, wanted[:, channel], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("hz", [440.0, 3000.0, 9999.0])
def test_instantaneous_frequency_of_a_tone_is_its_frequency(hz: float) -> None:
    view = InstantaneousFrequency()
    features = view.encode(sine(hz, 20_000))[0]
    assert features[1].abs().max() <= 1
    nearest = round(hz * view.n_fft / RATE)
    found = nearest * RATE / view.n_fft + features[1, nearest, 5:-5] * RATE / (2 * view.hop)
    torch.testing.assert_close(found, torch.full_like(found, hz), rtol=0, atol=0.05)


def test_instantaneous_frequency_decodes_values_off_the_grid() -> None:
    view = InstantaneousFrequency()
    features = view.encode(sine(440.0, 20_000, amplitude=0.5))
    near = view.decode(features + 1e-4 * noise(*features.shape), length=20_000)
    assert 0.4 < near[..., 4000:16_000].abs().max() < 0.6
    features.requires_grad_(True)
    view.decode(features, length=20_000).square().sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()
    assert features.grad[:, 1].abs().max() > 0


def test_magnitude_follows_source_b() -> None:
    view = Magnitude()
    assert (view.bands, view.frames(2 * RATE)) == (1025, 87)
    audio = drum(1)[None]
    plain = stft(audio, n_fft=2048, hop=1024).abs() / 512
    kept = torch.where(plain >= 10 ** (-70 / 20), plain, 0.0)
    torch.testing.assert_close(view.encode(audio), torch.log(1 + 8 * kept) / math.log(9), rtol=1e-3, atol=1e-5)
    assert (view.encode(audio) == 0).float().mean() > 0.05
    full_scale = view.encode(sine(100 * RATE / 2048, 30_000))  # in the middle of bin 100
    assert float(full_scale[0, 0, 100, 10]) == pytest.approx(1.0, abs=1e-3)


def test_the_floor_of_magnitude_is_relative_to_full_scale_or_the_peak() -> None:
    tone = sine(1000.0, 20_000)
    for gain, kept in ((1e-3, True), (1e-4, False)):
        assert bool(Magnitude().encode(gain * tone).any()) is kept
    by_peak = Magnitude(reference="peak", mu=0)
    torch.testing.assert_close(by_peak.encode(1e-4 * tone) * 1e4, by_peak.encode(tone), rtol=1e-3, atol=1e-6)
    assert by_peak.decode(by_peak.encode(1e-4 * tone), length=20_000).abs().max() > 0.5e-4


def test_companding_is_undone() -> None:
    audio = drum(1)[None]
    length = audio.shape[-1]
    backs = [
        Magnitude(n_fft=1024, hop=256, iterations=8, mu=mu).decode(
            Magnitude(n_fft=1024, hop=256, mu=mu).encode(audio), length=length, seed=1
        )
        for mu in (0.0, 8.0, 255.0)
    ]
    for back in backs[1:]:
        torch.testing.assert_close(stft(back, n_fft=1024, hop=256).abs(), stft(backs[0], n_fft=1024, hop=256).abs(), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("length", [1023, 2047, 4095, 21_480])
def test_the_end_is_not_amplified_at_half_overlap(length: int) -> None:
    """At hop = n_fft / 2 the last samples lie under the very edge of one window."""
    audio, view = noise(1, 1, length), Magnitude()
    assert view.decode(view.encode(audio), length=length).abs().max() < 2 * audio.abs().max()


def test_log_is_the_level_of_the_stft() -> None:
    audio = torch.cat([drum(0, seconds=0.1)[..., :4000], noise(1, 4000)])[:, None]
    level = 20 * torch.log10(stft(audio, n_fft=1024, hop=256).abs().clamp_min(1e-6))
    for floor in (40.0, 80.0):
        wanted = torch.maximum(level, level.amax((1, 2, 3), keepdim=True) - floor)
        torch.testing.assert_close(LogStft(floor=floor).encode(audio), wanted, rtol=0, atol=0.02)


def test_mel_is_a_mean_over_bins_and_flat_noise_is_flat() -> None:
    power = stft(noise(1, 1, 9000), n_fft=1024, hop=256).abs().square()
    bank = mel_filters(bands=128, n_fft=1024, sample_rate=RATE, low=20.0, high=22_050.0)
    wanted = 10 * torch.log10((bank / bank.sum(1, keepdim=True)) @ power)
    torch.testing.assert_close(Mel(floor=120).encode(noise(1, 1, 9000)), wanted, rtol=0, atol=0.02)
    long = Mel().encode(noise(1, 1, 300_000))[0, 0]
    middle = (10 ** (long / 10)).mean(1)[2:-2]
    assert middle.max() / middle.min() < 1.3


def test_inversion_of_mel_is_better_than_a_pseudo_inverse() -> None:
    view = Mel()
    inverse = torch.linalg.pinv(view.filters)
    for index in range(4):
        power = stft(drum(index)[None], n_fft=1024, hop=256).abs().square()[0]
        bands = view.filters @ power
        found = view.magnitude(10 * torch.log10(bands))
        other = (inverse @ bands).clamp_min(0).sqrt()
        assert (found >= 0).all()
        assert (found - power.sqrt()).norm() < (other - power.sqrt()).norm()
        loud = bands > 1e-8 * bands.max()
        again, again_other = (10 * torch.log10((view.filters @ guess.square()).clamp_min(1e-12) / bands)[loud] for guess in (found, other))
        assert again.square().mean().sqrt() < 0.1  # dB: it explains the bands
        assert again.square().mean() < again_other.square().mean()


def test_a_clip_of_one_window_is_one_spectrum() -> None:
    for phase, values in ((False, 1025), (True, 2050)):
        view = Spectrum(phase=phase)
        features = view.encode(sine(100 * RATE / 4096, 4096))
        assert features.shape[-1] == 1
        assert features.numel() == values
        assert int(features[0, 0, :, 0].argmax()) == 100
    assert Spectrum(bands=1024).encode(noise(1, 1, 100)).shape == (1, 1, 1024, 1)
    assert [Spectrum().frames(n) for n in (1, 4096, 4097, 5120, 5121)] == [1, 1, 2, 2, 3]


def test_spectrum_with_all_bins_and_phase_loses_nothing() -> None:
    view = Spectrum(bands=2049, phase=True)
    for length in (1, 2, 4095, 4096, 4097, 20_000):
        audio = noise(1, 1, length)
        error = (view.decode(view.encode(audio), length=length) - audio).double().norm() / audio.norm()
        assert 20 * math.log10(float(error)) < -115


def test_a_single_spectrum_with_phase_encodes_to_itself_after_decoding() -> None:
    view, audio = Spectrum(phase=True), noise(1, 1, 4096)
    back = view.decode(view.encode(audio), length=4096)
    again = view.decode(view.encode(back), length=4096)
    assert 20 * math.log10(float((again - back).double().norm() / back.norm())) < -115


@pytest.mark.parametrize("phase", [False, True])
def test_spectrum_in_decibels_is_its_magnitude_over_a_floor(phase: bool) -> None:
    tone = sine(1000.0, 6000, amplitude=0.5)
    plain = Spectrum(phase=phase).encode(tone)
    view = Spectrum(phase=phase, scale="decibels", floor=60.0)
    features = view.encode(tone)
    level = 20 * torch.log10(plain[:, :1])
    torch.testing.assert_close(features[:, :1], torch.maximum(level, level.max() - 60), rtol=0, atol=1e-3)
    assert torch.equal(features[:, 1:], plain[:, 1:])
    assert [part.unit for part in view.axes(6000).parts] == ["dB", "rad"][: 1 + phase]
    assert not view.decibels  # a view of dB, but no image of a sound over time for the one-shot model
    if phase:
        fine = Spectrum(phase=True, scale="decibels", floor=120.0, bands=2049)
        back = fine.decode(fine.encode(tone), length=6000)
        assert 20 * math.log10(float((back - tone).norm() / tone.norm())) < -95
    silence = view.encode(torch.zeros(2, 1, 6000))
    assert float(silence[:, 0].min()) == float(silence[:, 0].max()) == -120  # no -inf
    assert view.decode(silence, length=6000).abs().max() == 0
    mixed = view.encode(torch.cat([tone, 0 * tone]))
    assert torch.isfinite(mixed).all()
    torch.testing.assert_close(mixed[:1], features)


def test_a_single_spectrum_without_phase_sounds_steady() -> None:
    """Random phases: the sound's energy lies over the whole window, not in a click at its ends."""
    tones = torch.stack([sine(220.0 * n, 4096, amplitude=0.3 / n) for n in range(1, 51)]).sum(0)
    for scale in ("magnitude", "decibels"):
        view = Spectrum(scale=scale)
        back = view.decode(view.encode(tones), length=4096)
        assert 20 * math.log10(float(back.abs().max() / back.square().mean().sqrt())) < 12  # zero phases: 19 dB
        if scale == "magnitude":
            wanted = view.encode(tones)
            assert (view.encode(back) - wanted).norm() < 0.12 * wanted.norm()


def test_spectrum_without_phase_reconstructs_a_tone() -> None:
    view = Spectrum()
    for length in (4096, 30_000):
        tone = sine(1000.0, length, amplitude=0.5)
        back = view.decode(view.encode(tone), length=length)
        middle = slice(length // 4, -length // 4)
        assert float(back[..., middle].square().mean().sqrt()) == pytest.approx(0.5 / math.sqrt(2), rel=0.15)
        wanted, found = view.encode(tone), view.encode(back)
        assert (found - wanted).norm() < 0.2 * wanted.norm()


@pytest.mark.parametrize(("n_fft", "hop", "length"), [(256, 64, 1), (256, 64, 256), (256, 64, 257), (256, 128, 1000), (256, 256, 999)])
def test_the_grid_of_phase_retrieval_is_that_of_spectrum(n_fft: int, hop: int, length: int) -> None:
    view = Spectrum(n_fft=n_fft, hop=hop, bands=n_fft // 2 + 1)
    audio, options = noise(length).double(), {"n_fft": n_fft, "hop": hop, "length": length, "window": view._window, "centred": False}
    grid, wanted = StftGrid(**options, like=audio, min_overlap=0.0), view._spectra(audio)
    assert grid.frames == view.frames(length)
    torch.testing.assert_close(grid.to_audio(wanted), audio, rtol=0, atol=1e-9)
    torch.testing.assert_close(grid.project(wanted), wanted, rtol=0, atol=1e-9)
    other = torch.polar(wanted.abs(), wanted.angle().flip(0, 1))
    torch.testing.assert_close(grid.project(other), view._spectra(view._to_audio(other, length=length)), rtol=0, atol=1e-9)


def test_overlapping_spectra_get_their_phase_from_pghi() -> None:
    """Nearer to the features than from random phases, on average; what does not overlap starts from those whatever the method."""
    keys = {"n_fft": 1024, "hop": 256, "bands": 513}
    old, new = Spectrum(**keys, method="fast-griffin-lim"), Spectrum(**keys)
    errors = []
    for sound in (drum(index)[None] for index in range(10)):
        wanted = new.encode(sound)
        found = [new.encode(view.decode(wanted, length=sound.shape[-1], seed=1)) for view in (old, new)]
        errors.append([20 * math.log10(float((one - wanted).norm() / wanted.norm())) for one in found])
    before, after = torch.tensor(errors).mean(0)
    assert after < before - 2  # dB; measured 3.9
    for hop, length in ((256, 1024), (1024, 5000)):
        views = [
            Spectrum(n_fft=1024, hop=hop, bands=513, method=method) for method in ("fast-griffin-lim", "pghi+raar", "pghi+griffin-lim")
        ]
        wanted = views[0].encode(drum(1)[None, :, :length])
        one, *same = (view.decode(wanted, length=length, seed=1) for view in views)
        assert all(torch.equal(one, other) for other in same)
        assert not torch.equal(one, views[1].decode(wanted, length=length, seed=2))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("waveform", 44_100), ("complex", 176_745), ("polar", 176_745), ("instantaneous-frequency", 176_745), ("magnitude", 44_143),
        ("log-stft", 88_372), ("mel", 22_050), ("spectrum", 44_143), ("mdct", 44_100), ("bands", 27_735), ("constant-q", 175_290),
    ],
)  # fmt: skip
def test_values_per_second(name: str, values: int) -> None:
    assert REPRESENTATIONS[name]().values_per_second == pytest.approx(values, abs=3)


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_the_one_shot_model_takes_levels_only(name: str) -> None:
    content = {"representation": {"name": name}, "model": {"name": "oneshot", "coefficients": 8, "dims": 4}}
    view = build_representation(content["representation"], sample_rate=RATE, channels=1)
    if view.decibels:
        assert build_model(make_config(content).model, representation=view, samples=20_000).spec.bands == view.bands
        return
    usable = ", ".join(other for other, kind in REPRESENTATIONS.items() if kind.decibels)
    words = f"representation.name is '{name}', and model 'oneshot' learns levels in dB over a floor; allowed with it are {usable}"
    with pytest.raises(ConfigError, match=words):
        make_config(content)
    with pytest.raises(ConfigError, match=words):
        build_model(content["model"], representation=view, samples=20_000)
    with pytest.raises(ConfigError, match=words):
        load_preset(changes=[f"representation={{name: {name}}}"])
