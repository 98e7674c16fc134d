"""The transform keeps every length and every sample, and the mel filters are the Slaney ones."""

import pytest
import torch

from timbrespace.audio.arrays.spectra import mel_frequencies
from timbrespace.audio.stft import istft, mel_filters, stft
from timbrespace.contracts import ConfigError, ShapeError


def snr_db(wanted: torch.Tensor, found: torch.Tensor) -> float:
    wanted, found = wanted.double(), found.double()
    return float(10 * torch.log10(wanted.square().sum() / (wanted - found).square().sum().clamp_min(1e-300)))


@pytest.mark.parametrize(("n_fft", "hop"), [(1024, 256), (512, 128), (2048, 512), (1024, 100)])
def test_round_trip_keeps_edge_lengths(n_fft, hop):
    generator = torch.Generator().manual_seed(n_fft + hop)
    lengths = [1, 2, 3, hop - 1, hop, hop + 1, n_fft - 1, n_fft, n_fft + 1, 10 * hop - 1, 10 * hop]
    lengths += torch.randint(1, 9000, (6,), generator=generator).tolist()
    for length in lengths:
        audio = torch.randn(2, 2, length, generator=generator)
        spectrum = stft(audio, n_fft=n_fft, hop=hop)
        assert spectrum.shape == (2, 2, n_fft // 2 + 1, 1 + length // hop)
        back = istft(spectrum, n_fft=n_fft, hop=hop, length=length)
        assert back.shape == audio.shape
        assert snr_db(audio, back) >= 120, length


def test_half_overlap_never_fails_and_stays_close():
    generator = torch.Generator().manual_seed(0)
    for length in (1, 511, 1023, 1535, 4095, 4096):  # the worst ends at hop 512
        audio = torch.randn(1, 1, length, generator=generator)
        back = istft(stft(audio, n_fft=1024, hop=512), n_fft=1024, hop=512, length=length)
        assert torch.isfinite(back).all()
        assert snr_db(audio[..., :-8], back[..., :-8]) >= 80 if length > 8 else snr_db(audio, back) >= 80


def test_a_sine_lies_in_its_bin_with_the_windows_gain():
    n = torch.arange(8192)
    spectrum = stft(torch.cos(2 * torch.pi * 64 * n / 1024)[None, None], n_fft=1024, hop=256)
    middle = spectrum[0, 0, :, 16].abs()
    assert int(middle.argmax()) == 64
    assert float(middle[64]) == pytest.approx(1024 / 4, rel=1e-4)  # Hann sums to n / 2, a cosine has half on each side
    assert float(middle[65]) == pytest.approx(1024 / 8, rel=1e-3)


def test_gradients_flow_through_both():
    audio = torch.randn(1, 1, 700, requires_grad=True)
    istft(stft(audio, n_fft=256, hop=64), n_fft=256, hop=64, length=700).sum().backward()
    assert torch.allclose(audio.grad, torch.ones_like(audio), atol=1e-4)


def test_bad_shapes_and_hops_are_refused():
    audio = torch.zeros(1, 1, 1000)
    spectrum = stft(audio, n_fft=256, hop=64)
    with pytest.raises(ShapeError, match="length 1100"):
        istft(spectrum, n_fft=256, hop=64, length=1100)
    with pytest.raises(ShapeError, match="bins"):
        istft(spectrum, n_fft=512, hop=64, length=1000)
    with pytest.raises(ConfigError, match="hop"):
        stft(audio, n_fft=256, hop=129)
    with pytest.raises(ShapeError):
        stft(audio[0], n_fft=256, hop=64)


def test_mel_filters_equal_librosas():
    filters = pytest.importorskip("librosa").filters
    for bands, n_fft in ((128, 1024), (40, 1024), (256, 2048)):
        wanted = torch.as_tensor(filters.mel(sr=44100, n_fft=n_fft, n_mels=bands, fmin=20.0, fmax=22050.0))
        found = mel_filters(bands=bands, n_fft=n_fft, sample_rate=44100, low=20.0, high=22050.0)
        assert torch.allclose(found, wanted, atol=1e-7)


def test_mel_scale_has_its_known_points():
    hz = torch.from_numpy(mel_frequencies(43, low=0.0, high=6400.0))  # mel 0 … 42
    assert float(hz[15]) == pytest.approx(1000.0)
    assert float(hz[1]) == pytest.approx(200 / 3)
    assert float(hz[42]) == pytest.approx(6400.0)
