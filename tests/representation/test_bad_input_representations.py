"""Every representation refuses invalid audio, settings and features; the error has the value, the allowed values and a remedy."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.representation.registry import REPRESENTATIONS
from timbrespace.representation.spectral import Spectral
from timbrespace.representation.views.spectrum import Spectrum
from timbrespace.validation import arguments_schema

NAMES = sorted(REPRESENTATIONS)
STFT = [name for name in NAMES if issubclass(REPRESENTATIONS[name], Spectral | Spectrum)]
LIMITED = [(name, key) for name in NAMES for key in arguments_schema(REPRESENTATIONS[name].__init__).model_fields]


def make(name: str, **keys: Any) -> Any:
    if "iterations" in inspect.signature(REPRESENTATIONS[name]).parameters:
        keys.setdefault("iterations", 1)
    return REPRESENTATIONS[name](**keys)


@pytest.mark.parametrize(("name", "key"), LIMITED)
def test_constructors_refuse_values_out_of_range(name: str, key: str) -> None:
    field = arguments_schema(REPRESENTATIONS[name].__init__).model_fields[key]
    kind = field.annotation
    limits = {limit: getattr(item, limit) for item in field.metadata for limit in ("ge", "le") if hasattr(item, limit)}
    wrong: list[Any] = [None, [1], np.ones(2), 1 + 2j]
    if kind is bool:
        wrong += [1, "true", np.int64(1)]
    elif kind in (int, float):
        wrong += [float("nan"), float("inf"), True, np.bool_(True), "64"]
        wrong += [limits["ge"] - 1, -1e9] if "ge" in limits else []
        wrong += [limits["le"] + 1] if "le" in limits else []
        wrong += [64.5, np.float32(64)] if kind is int else [np.float32("nan")]
    else:
        wrong += ["", "nothing", 1]
    for value in wrong:
        with pytest.raises(ConfigError, match=rf"^{key} is .*allowed are .*; the default is"):
            make(name, **{key: value})


@pytest.mark.parametrize("name", NAMES)
def test_invalid_sample_rates_and_channels_are_refused(name: str) -> None:
    for rate in (0, -44_100, 44.1, 44_100.0, 7_999, 192_001, "44100", None, True):
        with pytest.raises(ConfigError, match=r"sample_rate is .* 8000 to 192000 Hz; resample"):
            make(name, sample_rate=rate)
    for channels in (0, 3, -1, 1.0, True, "2", None):
        with pytest.raises(ConfigError, match=r"channels is .*allowed are 1"):
            make(name, channels=channels)


@pytest.mark.parametrize("name", STFT)
def test_hops_that_do_not_divide_the_window_are_refused(name: str) -> None:
    for hop in (0, -256):
        with pytest.raises(ConfigError, match=f"hop is {hop}, allowed are whole numbers from"):
            make(name, hop=hop)
    if name == "magnitude":  # which takes others for Griffin-Lim
        with pytest.raises(ConfigError, match="hop is 512; it must be at most 128"):
            make(name, n_fft=256, hop=512)
    else:
        for hop in (512, 100):
            with pytest.raises(ConfigError, match=f"hop is {hop}; it must be a divisor of n_fft 256"):
                make(name, n_fft=256, hop=hop)
    with pytest.raises(ConfigError, match="n_fft is 1023, allowed are even numbers"):
        make(name, n_fft=1023, hop=33)


@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        ("bands", {"bands": 600}, "bands is 600, but n_fft 1024 has only 513 bins; use fewer"),
        ("spectrum", {"n_fft": 256, "hop": 64, "bands": 200}, "bands is 200, n_fft 256 has 1 to 129 bins; use fewer"),
        ("mel", {"low": 900.0, "high": 800.0}, "low is 900 and high 800 Hz; allowed is"),
        ("mel", {"sample_rate": 8000, "high": 5000.0}, "high 5000 Hz; allowed is .* 4000 Hz, half the sample rate"),
        ("mdct", {"bands": 101}, "bands is 101, allowed are even numbers"),
        (
            "constant-q",
            {"sample_rate": 8000, "low": 65.4},
            "low is 65.4 Hz at a hop of 64.*a low of at most 62.5 Hz or a hop of at most 61",
        ),
    ],
)
def test_impossible_bands_are_refused(name: str, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make(name, **keys)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("audio", "words"),
    [
        (torch.zeros(1, 1, 0), "no samples"),
        (torch.zeros(100), r"shape \(batch, channels, time\), not \(100,\); add dimensions"),
        (torch.zeros(1, 100), "shape"),
        (torch.zeros(1, 1, 1, 9), "shape"),
        (torch.zeros(1, 3, 9), "3 channels, 1 expected; mix"),
        (torch.zeros(1, 1, 9, dtype=torch.int64), "floating point.*int64; divide"),
        (torch.zeros(1, 1, 9, dtype=torch.bool), "floating point.*bool"),
        (torch.zeros(1, 1, 9, dtype=torch.complex64), "floating point.*complex64"),
        (np.zeros((1, 1, 9), dtype=np.float32), "torch.Tensor.*not ndarray; use torch.as_tensor"),
        (torch.tensor([[[0.0, -torch.inf]]]), "NaN or infinite"),
        (torch.full((1, 1, 9), torch.nan), "NaN or infinite"),
        (None, "not NoneType"),
    ],
)
def test_invalid_audio_is_refused(name: str, audio: Any, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        make(name).encode(audio)


@pytest.mark.parametrize("name", NAMES)
def test_invalid_lengths_are_refused(name: str) -> None:
    view, audio = make(name), torch.zeros(2, 1, 100)
    for lengths in (
        [0, 100], [100, 101], [-3, 100], [1], 5, [[1, 2]], [1.0, 2.0], torch.tensor([5.0, 5.0]), torch.tensor([True, True]),
        torch.ones(2, dtype=torch.complex64),
        ["a", "b"], [None, 1], {}, [[1], [2, 3]],
    ):  # fmt: skip
        with pytest.raises(ShapeError, match="lengths must"):
            view.encode(audio, lengths=lengths)
    assert torch.equal(view.encode(audio, lengths=np.array([100, 100])), view.encode(audio))


@pytest.mark.parametrize("name", NAMES)
def test_invalid_features_lengths_and_seeds_are_refused(name: str) -> None:
    view = make(name)
    good = view.encode(torch.zeros(1, 1, 700))
    for features in (good.numpy(), good[0], good[:, :, :-1], good[..., :-1], "features", good[:, :0], torch.cat([good, good], 1), None):
        if isinstance(features, torch.Tensor) and features.shape == good.shape:
            continue
        with pytest.raises(ShapeError, match=r"features must be \(batch, "):
            view.decode(features, length=700)
    with pytest.raises(ShapeError, match="NaN"):
        view.decode(good * torch.nan, length=700)
    for dtype in (torch.int64, torch.bool, torch.complex64):
        with pytest.raises(ShapeError, match="floating point"):
            view.decode(good.to(dtype), length=700)
    for length in (0, -1, 700.0, "700", None, True, float("nan")):
        with pytest.raises(ShapeError, match="whole number of at least 1"):
            view.decode(good, length=length)
    for seed in (-1, 2**63, 1.5, None, "1"):
        with pytest.raises(ConfigError, match="seed is"):
            view.decode(good, length=700, seed=seed)
    assert view.decode(good, length=np.int64(700), seed=np.int64(3)).shape == (1, 1, 700)


@pytest.mark.parametrize("name", NAMES)
def test_huge_features_never_become_infinite_audio(name: str) -> None:
    view = make(name)
    for size in (1e3, 3e38):
        features = torch.full((1, view.parts, view.bands, view.frames(700)), size)
        try:
            audio = view.decode(features, length=700)
        except ShapeError as error:
            assert "too large for finite audio" in str(error)  # noqa: PT017
        else:
            assert torch.isfinite(audio).all()


@pytest.mark.parametrize("name", NAMES)
def test_one_sample_and_an_empty_batch(name: str) -> None:
    view = make(name)
    assert view.decode(view.encode(torch.ones(1, 1, 1)), length=1).shape == (1, 1, 1)
    assert view.encode(torch.zeros(0, 1, 50)).shape == (0, view.parts, view.bands, view.frames(50))


@pytest.mark.parametrize("name", NAMES)
def test_encoding_a_batch_in_pieces_gives_the_same_features(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    view, audio = make(name), torch.randn(5, 1, 2000, generator=torch.Generator().manual_seed(0))
    whole = view.encode(audio)
    monkeypatch.setattr("timbrespace.representation.base._CPU_BATCH_SAMPLES", 4500)
    pieces = view.encode(audio)
    torch.testing.assert_close(pieces, whole, rtol=1e-4, atol=1e-4)
    assert pieces.shape == whole.shape
    alone = torch.cat([view.encode(sound[None]) for sound in audio])
    torch.testing.assert_close(pieces, alone, rtol=1e-4, atol=1e-4)


# Settings that make a view small. One that is not listed is tested with its defaults.
SMALL: dict[str, dict[str, Any]] = {
    "bands": {"n_fft": 64, "hop": 16, "bands": 20, "floor": 120.0}, "log-stft": {"n_fft": 64, "hop": 16, "floor": 120.0},
    "mel": {"n_fft": 64, "hop": 16, "bands": 8, "floor": 120.0}, "complex": {"n_fft": 64, "hop": 16}, "polar": {"n_fft": 64, "hop": 16},
    "magnitude": {"n_fft": 64, "hop": 16, "floor": 160.0}, "spectrum": {"n_fft": 64, "hop": 16, "bands": 33}, "mdct": {"bands": 16},
    "waveform": {"block": 4}, "constant-q": {"bins_per_octave": 1, "low": 2000.0, "hop": 8},
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_encode_are_right(name: str) -> None:
    view = REPRESENTATIONS[name](**SMALL.get(name, {}))
    audio = torch.randn(1, 1, 100, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_(True)
    parts = [k for k, part in enumerate(view.axes(100).parts) if part.kind != "cyclic"]  # phases jump where they turn over
    assert torch.autograd.gradcheck(lambda x: view.encode(x)[:, parts], audio, fast_mode=True)


@pytest.mark.parametrize("name", NAMES)
def test_double_precision_is_kept(name: str) -> None:
    view = make(name)
    audio = 0.3 * torch.randn(1, 1, 3000, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    double, single = view.encode(audio), view.encode(audio.float())
    assert double.dtype == torch.float64
    if view.exact and name != "instantaneous-frequency":  # whose phases lie on a grid of 2^24 steps
        torch.testing.assert_close(view.decode(double, length=3000), audio, rtol=0, atol=1e-10)
    else:
        torch.testing.assert_close(double[:, :1].float(), single[:, :1], rtol=1e-2, atol=1e-2)
