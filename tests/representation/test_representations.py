"""The contract of all representations, whatever their names; exact ones decode to the same samples."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.config.build import build_representation
from timbrespace.config.settings import settings_of
from timbrespace.contracts import ConfigError
from timbrespace.representation.base import Representation
from timbrespace.representation.registry import REPRESENTATIONS
from timbrespace.representation.spectral import Spectral
from timbrespace.representation.views.spectrum import Spectrum
from tiny import drum

NAMES = sorted(REPRESENTATIONS)
EXACT = sorted(name for name, kind in REPRESENTATIONS.items() if kind.exact)
EDGES = [1, 2, 3, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097, 5121]
DATA = {"sample_rate", "channels"}
STFT = sorted(name for name, kind in REPRESENTATIONS.items() if issubclass(kind, Spectral | Spectrum))


def make(name: str, *, channels: int = 1, **keys: Any) -> Representation:
    """A representation with its defaults, but a quick search for phase."""
    if "iterations" in inspect.signature(REPRESENTATIONS[name]).parameters:
        keys.setdefault("iterations", 2)
    return build_representation({"name": name, **keys}, sample_rate=44_100, channels=channels)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def snr_db(wanted: torch.Tensor, found: torch.Tensor) -> float:
    error = (wanted.double() - found.double()).square().sum()
    return float(10 * torch.log10(wanted.double().square().sum() / error.clamp_min(1e-300)))


# --- contract of every representation -------------------------------------------------------------------------------------


def test_all_representations_are_registered() -> None:
    wanted = {
        "bands",
        "waveform",
        "complex",
        "polar",
        "instantaneous-frequency",
        "magnitude",
        "log-stft",
        "mel",
        "spectrum",
        "mdct",
        "constant-q",
    }
    assert wanted <= set(NAMES)
    assert {"complex", "constant-q", "instantaneous-frequency", "mdct", "polar", "waveform"} <= set(EXACT)


@pytest.mark.parametrize(("old", "new"), [("ifreq", "instantaneous-frequency"), ("log", "log-stft")])
def test_old_names_still_work(old: str, new: str) -> None:
    assert type(build_representation({"name": old}, sample_rate=44_100, channels=1)) is REPRESENTATIONS[new]


@pytest.mark.parametrize("name", NAMES)
def test_every_constructor_argument_but_rate_and_channels_is_a_key(name: str) -> None:
    arguments = set(inspect.signature(REPRESENTATIONS[name]).parameters) - DATA
    assert set(settings_of(REPRESENTATIONS[name]).model_fields) == arguments | {"normalisation"}
    for channels in (1, 2):
        view = build_representation({"name": name}, sample_rate=44_100, channels=channels)
        assert type(view) is REPRESENTATIONS[name]
        assert view.parts % channels == 0


@pytest.mark.parametrize("name", NAMES)
def test_decoded_audio_has_the_same_length(name: str) -> None:
    view = make(name)

    @settings(max_examples=12, deadline=None)
    @given(length=st.integers(1, 6000))
    def check(length: int) -> None:
        features = view.encode(noise(1, 1, length))
        assert features.shape == (1, view.parts, view.bands, view.frames(length))
        back = view.decode(features, length=length)
        assert back.shape == (1, 1, length)
        assert torch.isfinite(back).all()
        assert back.abs().max() < 8  # nothing is blown up where windows end

    check()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_edges_of_windows(name: str, channels: int) -> None:
    view = make(name, channels=channels)
    for length in EDGES[:: 2 * channels - 1]:
        audio = noise(1, channels, length, seed=length)
        features = view.encode(audio)
        assert features.shape == (1, view.parts, view.bands, view.frames(length))
        back = view.decode(features, length=length)
        assert back.shape == audio.shape
        assert back.abs().max() < 8


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_silence_is_decoded_as_silence(name: str, channels: int) -> None:
    view = make(name, channels=channels)
    for length in (1, 300, 9000):
        silence = torch.zeros(2, channels, length)
        assert torch.equal(view.decode(view.encode(silence), length=length), silence)


@pytest.mark.parametrize("name", NAMES)
def test_silence_after_the_end_stays_silent(name: str) -> None:
    view = make(name)
    sound = torch.zeros(1, 1, 30_000)
    sound[..., :8000] = drum(1, seconds=1.0)[..., :8000]
    back = view.decode(view.encode(sound), length=30_000)
    window = getattr(view, "n_fft", 4096)
    assert back[..., 8000 + window :].abs().max() < 10 ** (-90 / 20)
    assert back[..., :8000].abs().max() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_audio_beyond_the_lengths_counts_as_silence(name: str) -> None:
    view, audio = make(name), noise(2, 1, 6000)
    cut = audio.clone()
    cut[0, :, 2000:] = 0
    masked = view.encode(audio, lengths=torch.tensor([2000, 6000]))
    assert torch.equal(masked, view.encode(cut))
    assert not torch.equal(masked, view.encode(audio))


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_does_not_depend_on_its_batch(name: str) -> None:
    view = make(name, channels=2)
    audio = noise(3, 2, 5000) * torch.tensor([1.0, 0.01, 0.5])[:, None, None]
    features = view.encode(audio)
    together = view.decode(features, length=5000, seed=5)
    for index in range(3):
        alone = view.decode(features[index : index + 1], length=5000, seed=5)[0]
        assert torch.equal(together[index], alone)
        again = view.decode(view.encode(audio[index : index + 1]), length=5000, seed=5)[0]
        torch.testing.assert_close(again, together[index], rtol=0, atol=1e-3)
    assert view.decode(features[:0], length=5000).shape == (0, 2, 5000)


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_changes_random_phases_only(name: str) -> None:
    # From a random start; PGHI invents phase only where there is next to nothing.
    searches = "method" in settings_of(REPRESENTATIONS[name]).model_fields
    view = make(name, method="fast-griffin-lim") if searches else make(name)
    features = view.encode(drum(1, seconds=0.1)[None])
    length = drum(1, seconds=0.1).shape[-1]
    one, same, other = (view.decode(features, length=length, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not (view.exact and searches)
    if view.exact or searches:
        assert torch.equal(one, other) is view.exact


@pytest.mark.parametrize("name", NAMES)
def test_stereo_is_kept(name: str) -> None:
    view, left = make(name, channels=2), drum(0)[..., :6000]
    both = view.decode(view.encode(torch.cat([left, left])[None]), length=6000)[0]
    torch.testing.assert_close(both[0], both[1], rtol=0, atol=1e-4)
    if view.exact:
        apart = view.decode(view.encode(torch.cat([left, 0 * left])[None]), length=6000)[0]
        assert apart[1].abs().max() == 0


@pytest.mark.parametrize("name", [*NAMES, "spectrum with phase", "spectrum in decibels", "constant-q in polar"])
def test_gradients_reach_the_audio_and_are_finite_in_silence(name: str) -> None:
    named: dict[str, dict[str, Any]] = {
        "spectrum with phase": {"phase": True}, "spectrum in decibels": {"scale": "decibels"}, "constant-q in polar": {"form": "polar"},
    }  # fmt: skip
    view = make(name.split(" ")[0], **named.get(name, {}))
    audio = noise(2, 1, 9000)
    audio[0, :, :6000] = 0
    audio[1] = 0
    plain = view.encode(audio)
    audio.requires_grad_(True)
    features = view.encode(audio)
    torch.testing.assert_close(features.detach(), plain, rtol=1e-5, atol=1e-5)
    (features * noise(*features.shape, seed=1)).sum().backward()
    assert audio.grad is not None
    assert torch.isfinite(audio.grad).all()
    assert audio.grad[0, :, 7000:8500].abs().max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_precision_is_that_of_the_audio_and_half_becomes_single(name: str) -> None:
    view, audio = make(name), noise(1, 1, 3000)
    for given_as, wanted in ((torch.float64, torch.float64), (torch.float16, torch.float32), (torch.bfloat16, torch.float32)):
        features = view.encode(audio.to(given_as))
        assert features.dtype == wanted
        assert view.decode(features, length=3000).dtype == wanted


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("name", NAMES)
def test_another_device(name: str) -> None:
    view, audio = make(name, channels=2), noise(2, 2, 5000)
    features = view.encode(audio.cuda(), lengths=torch.tensor([3000, 5000]))
    assert features.is_cuda
    assert view.decode(features, length=5000).is_cuda


@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        *[(name, {"n_fft": 256, "hop": 512}, "hop is 512; it must be") for name in STFT],
        *[
            (name, {"n_fft": 1024, "hop": 512}, "and at most 256, for instance 256")
            for name in ("complex", "polar", "instantaneous-frequency")
        ],
        *[(name, {"n_fft": 1024, "hop": 1024}, "at most 512") for name in ("bands", "magnitude", "log-stft", "mel")],
        *[(name, {"n_fft": 1023, "hop": 33}, "n_fft is 1023, allowed are even") for name in ("complex", "log-stft", "spectrum")],
        ("log-stft", {"hop": 300}, "hop is 300"),
        ("mel", {"bands": 400}, "would hold none of the 513 bins of n_fft 1024; take .* bands or fewer"),
        ("mel", {"low": 9000, "high": 8000}, "low is 9000 and high 8000 Hz; allowed"),
        ("mel", {"high": 30_000}, "22050 Hz, half the sample rate"),
        ("spectrum", {"bands": 2050}, "bands is 2050, n_fft 4096 has 1 to 2049 bins"),
        ("mdct", {"bands": 7}, "bands is 7, allowed are even"),
        ("mdct", {"window": "hann"}, "window is 'hann'"),
        ("mdct", {"window": "kbd", "alpha": 99}, "alpha is 99"),
        ("magnitude", {"reference": "moon"}, "reference is 'moon'"),
        ("magnitude", {"mu": -1}, "mu is -1"),
        ("waveform", {"block": 0}, "block is 0"),
    ],
)
def test_settings_out_of_range_are_refused(name: str, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        REPRESENTATIONS[name](**keys)
    with pytest.raises(ConfigError, match="is"):
        build_representation({"name": name, **keys}, sample_rate=44_100, channels=1)


def test_the_remedy_for_empty_mel_bands_works() -> None:
    with pytest.raises(ConfigError) as refused:
        make("mel", bands=400)
    most = int(str(refused.value).split("take ")[1].split()[0])
    assert make("mel", bands=most).bands == most
    with pytest.raises(ConfigError):
        make("mel", bands=most + 1)


# --- exact inversion ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", EXACT)
def test_exact_views_decode_to_the_same_samples(name: str, channels: int) -> None:
    view = make(name, channels=channels)
    lengths = EDGES + torch.randint(1, 12_000, (80 // channels,), generator=torch.Generator().manual_seed(channels)).tolist()
    worst = min(
        snr_db(audio, view.decode(view.encode(audio), length=length))
        for length in lengths
        for audio in [noise(1, channels, length, seed=length)]
    )
    assert worst >= 120


@pytest.mark.parametrize(("n_fft", "hop"), [(64, 16), (256, 32), (1000, 200), (2048, 512)])
@pytest.mark.parametrize("name", ["complex", "polar", "instantaneous-frequency"])
def test_exact_on_other_grids(name: str, n_fft: int, hop: int) -> None:
    view = make(name, n_fft=n_fft, hop=hop)
    for length in (1, hop - 1, hop, hop + 1, n_fft - 1, n_fft, n_fft + 1, 5000):
        audio = noise(1, 1, length, seed=length)
        assert snr_db(audio, view.decode(view.encode(audio), length=length)) >= 120


@pytest.mark.parametrize("name", EXACT)
def test_exact_for_long_and_for_quiet_sounds(name: str) -> None:
    view = make(name)
    long = noise(1, 1, 300_000)
    assert snr_db(long, view.decode(view.encode(long), length=300_000)) >= 120
    quiet = 1e-5 * drum(0, seconds=0.2)[None]
    assert snr_db(quiet, view.decode(view.encode(quiet), length=quiet.shape[-1])) >= 120
