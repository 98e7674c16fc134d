"""The `bands` representation: any length, the STFT of `audio.stft`, silence, and the error of a round trip."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.audio.distance import log_mel_error
from timbrespace.audio.stft import power_spectrogram, stft
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.representation.views.bands import Bands, band_edges
from tiny import drum

QUICK = Bands(iterations=2)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=15, deadline=None)
@given(length=st.integers(1, 5000))
def test_decoded_audio_has_the_same_length(length: int) -> None:
    features = QUICK.encode(noise(1, 1, length))
    assert features.shape == (1, 1, QUICK.bands, QUICK.frames(length))
    back = QUICK.decode(features, length=length)
    assert back.shape == (1, 1, length)
    assert torch.isfinite(back).all()


@pytest.mark.parametrize("length", [1, 2, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 5121])
@pytest.mark.parametrize("channels", [1, 2])
def test_edges_of_frames(length: int, channels: int) -> None:
    bands = Bands(iterations=2, channels=channels)
    features = bands.encode(noise(2, channels, length))
    assert features.shape == (2, channels, bands.bands, 1 + length // 256)
    assert bands.decode(features, length=length).shape == (2, channels, length)


@pytest.mark.parametrize(("n_fft", "hop"), [(1024, 256), (512, 256), (256, 32)])
def test_power_is_that_of_the_projects_stft(n_fft: int, hop: int) -> None:
    audio = noise(2, 1, 3333)
    expected = stft(audio, n_fft=n_fft, hop=hop).abs().square()
    torch.testing.assert_close(power_spectrogram(audio, n_fft=n_fft, hop=hop), expected, rtol=1e-4, atol=1e-5)


def test_a_band_holds_the_mean_power_of_its_bins() -> None:
    bands = Bands(bands=30, floor=120)
    audio = noise(1, 1, 4000)
    power = stft(audio, n_fft=1024, hop=256).abs().square()[0, 0]
    level = bands.encode(audio)[0, 0]
    for band in range(bands.bands):
        low, high = int(bands.edges[band]), int(bands.edges[band + 1])
        torch.testing.assert_close(level[band], 10 * torch.log10(power[low:high].mean(0)), rtol=0, atol=1e-2)


@settings(max_examples=30, deadline=None)
@given(bins=st.integers(33, 2049), share=st.floats(0.05, 1.0))
def test_edges_partition_the_bins(bins: int, share: float) -> None:
    wanted = max(8, int(bins * share))
    edges = band_edges(bins, wanted)
    widths = edges.diff()
    assert edges[0] == 0
    assert edges[-1] == bins
    assert (widths >= 1).all()
    assert len(widths) <= wanted
    assert len(widths) >= 0.8 * wanted
    assert (widths[:-1].diff() >= 0).all()  # the last takes what is left


def test_round_trip_of_drums_is_close() -> None:
    originals = [drum(index, seconds=0.4) for index in range(5)]
    bands = Bands()
    copies = [bands.decode(bands.encode(sound[None]), length=sound.shape[-1])[0] for sound in originals]
    errors = log_mel_error(originals, copies)
    assert errors.mean() < 1.5
    assert errors.max() < 3.0
    worse = Bands(bands=12)
    coarse = [worse.decode(worse.encode(sound[None]), length=sound.shape[-1])[0] for sound in originals]
    assert log_mel_error(originals, coarse).mean() > errors.mean() + 0.5  # the bound can be missed


def test_level_of_the_round_trip_is_that_of_the_sound() -> None:
    for gain in (1.0, 0.01):
        sound = gain * drum(0)
        back = Bands().decode(Bands().encode(sound[None]), length=sound.shape[-1])[0]
        assert 0.8 < float(back.square().mean().sqrt() / sound.square().mean().sqrt()) < 1.2


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("length", [1, 300, 5000])
def test_silence_stays_silence(length: int, channels: int) -> None:
    bands = Bands(channels=channels)
    features = bands.encode(torch.zeros(1, channels, length))
    assert torch.equal(bands.decode(features, length=length), torch.zeros(1, channels, length))


def test_silence_after_the_end_stays_silent() -> None:
    sound = torch.zeros(1, 1, 44_100)
    sound[..., :8000] = drum(1, seconds=1.0)[..., :8000]
    back = Bands().decode(Bands().encode(sound), length=44_100)
    assert float(back[..., 8000 + 1024 :].abs().max()) < 10 ** (-90 / 20)
    assert float(back[..., :8000].abs().max()) > 0.1


def test_lengths_are_respected() -> None:
    audio = noise(2, 1, 6000)
    lengths = torch.tensor([2000, 6000])
    cut = audio.clone()
    cut[0, :, 2000:] = 0
    assert torch.equal(QUICK.encode(audio, lengths=lengths), QUICK.encode(cut))
    assert not torch.equal(QUICK.encode(audio), QUICK.encode(cut))


def test_a_sound_does_not_depend_on_its_batch() -> None:
    audio = torch.stack([drum(0, seconds=0.05), drum(1, seconds=0.05), drum(3, seconds=0.05)])
    features = QUICK.encode(audio)
    together = QUICK.decode(features, length=audio.shape[-1], seed=5)
    for index in range(3):
        alone = QUICK.encode(audio[index : index + 1])
        torch.testing.assert_close(features[index], alone[0], rtol=0, atol=1e-3)
        assert torch.equal(together[index], QUICK.decode(features[index : index + 1], length=audio.shape[-1], seed=5)[0])


def test_stereo_is_middle_and_side() -> None:
    bands = Bands(channels=2)
    left = drum(0)
    both = torch.cat([left, left])[None]
    features = bands.encode(both)
    assert float(features[0, 1].max()) == pytest.approx(float(features.max()) - 80.0, abs=1e-3)  # no side in a centred sound
    back = bands.decode(features, length=left.shape[-1])
    assert torch.equal(back[0, 0], back[0, 1])
    only_left = bands.decode(bands.encode(torch.cat([left, 0 * left])[None]), length=left.shape[-1])[0]
    assert only_left[0].square().sum() > only_left[1].square().sum()


def test_seed_changes_the_phase_only() -> None:
    sound = drum(1)[None]
    view = Bands(method="fast-griffin-lim", iterations=4)
    features = view.encode(sound)
    one, two = view.decode(features, length=sound.shape[-1], seed=1), view.decode(features, length=sound.shape[-1], seed=2)
    assert not torch.equal(one, two)
    assert torch.equal(one, view.decode(features, length=sound.shape[-1], seed=1))
    assert log_mel_error(one, two).item() < 6


@pytest.mark.parametrize("shape", [(1, 1, 5), (1, 161, 5), (1, 1, 161, 4), (1, 2, 161, 5), (1, 1, 160, 5)])
def test_features_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="features must be"):
        Bands().decode(torch.zeros(shape), length=1024)


@pytest.mark.parametrize("audio", [torch.zeros(1, 2, 100), torch.zeros(1, 100), torch.zeros(1, 1, 0), torch.full((1, 1, 9), torch.nan)])
def test_invalid_audio_is_refused(audio: torch.Tensor) -> None:
    with pytest.raises(ShapeError):
        Bands().encode(audio)


@pytest.mark.parametrize(
    "setting", [{"hop": 300}, {"hop": 1024}, {"bands": 514}, {"channels": 3}, {"channels": 0}, {"n_fft": 1024, "hop": 1000}]
)
def test_settings_out_of_range_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Bands(**setting)  # type: ignore[arg-type]
