"""PGHI: accurate on tones, chirps and clicks, seeded, and equal in a stream."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from timbrespace.audio.stft import stft
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.representation.phase.pghi import GAMMA, gamma_of, integrate_phase
from timbrespace.representation.phase.recover import METHODS, griffin_lim, recover_phase
from timbrespace.representation.phase.rtpghi import PhaseStream, stream_phase
from tiny import RATE, drum

N_FFT, HOP = 1024, 128


def tone(hz: float = 1234.5, *, length: int = 12_000) -> torch.Tensor:
    return 0.5 * torch.sin(2 * math.pi * hz / RATE * torch.arange(length, dtype=torch.float64)).float()


def chirp(*, length: int = 24_000) -> torch.Tensor:
    time = torch.arange(length, dtype=torch.float64) / RATE
    return 0.5 * torch.sin(2 * math.pi * (500 * time + 0.5 * 12_000 * time**2)).float()  # 500 Hz to 7 kHz


def click(*, length: int = 8_000) -> torch.Tensor:
    audio = torch.zeros(length)
    audio[4_321] = 1.0
    return audio


def magnitude_of(audio: torch.Tensor, *, hop: int = HOP) -> torch.Tensor:
    return stft(audio[None, None], n_fft=N_FFT, hop=hop)[0, 0].abs()


def convergence_db(magnitude: torch.Tensor, audio: torch.Tensor, *, hop: int = HOP) -> float:
    return float(20 * torch.log10((magnitude_of(audio, hop=hop) - magnitude).norm() / magnitude.norm()))


def recovered_db(audio: torch.Tensor, *, hop: int = HOP, **options: object) -> float:
    magnitude = magnitude_of(audio, hop=hop)
    return convergence_db(magnitude, recover_phase(magnitude, n_fft=N_FFT, hop=hop, length=len(audio), **options), hop=hop)


@pytest.mark.parametrize(
    ("audio", "hop", "bound"),
    [
        *[(tone(), hop, bound) for hop, bound in ((512, -22), (256, -28), (128, -30))],
        *[(chirp(), hop, bound) for hop, bound in ((512, -14), (256, -24), (128, -26))],
        *[(click(), hop, bound) for hop, bound in ((256, -15), (128, -20))],  # at 512 only two frames see it
    ],
)
def test_pghi_without_iterations_is_better_than_random_phase(audio: torch.Tensor, hop: int, bound: float) -> None:
    assert recovered_db(audio, hop=hop, method="pghi") < bound
    assert recovered_db(audio, hop=hop, method="fast-griffin-lim", iterations=0) > bound + 3  # it is the phase that makes it


def test_phase_steps_are_those_of_the_true_phase() -> None:
    audio = chirp()
    spectrum = stft(audio[None, None], n_fft=N_FFT, hop=HOP)[0, 0]
    phase = integrate_phase(spectrum.abs(), n_fft=N_FFT, hop=HOP)
    loud = spectrum.abs() > 0.3 * spectrum.abs().max()
    for axis in (0, 1):  # along bins, along frames
        both = loud.narrow(axis, 1, loud.shape[axis] - 1) & loud.narrow(axis, 0, loud.shape[axis] - 1)
        wrong = torch.diff(phase - spectrum.angle(), dim=axis)[both]
        wrong = torch.remainder(wrong + math.pi, 2 * math.pi) - math.pi
        assert both.sum() > 100
        assert wrong.abs().median() < 0.1


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_pghi_is_a_better_initial_phase(index: int) -> None:
    audio = drum(index, seconds=0.3)[0]
    random = recovered_db(audio, method="fast-griffin-lim", iterations=16)
    assert recovered_db(audio, method="pghi+griffin-lim", iterations=16) < random - 1
    assert recovered_db(audio) < recovered_db(audio, method="griffin-lim") - 5


def test_deterministic_and_seeded() -> None:
    audio = drum(1)[0]
    magnitude = magnitude_of(audio)
    one, same, other = (integrate_phase(magnitude, n_fft=N_FFT, hop=HOP, tolerance=1e-2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    trusted = magnitude > 1e-2 * magnitude.max()
    assert not torch.equal(one[~trusted], other[~trusted])
    assert one.min() >= 0
    assert one.max() <= 2 * math.pi
    state = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    integrate_phase(magnitude, n_fft=N_FFT, hop=HOP)
    assert torch.equal(state[0], torch.random.get_rng_state())
    assert np.array_equal(state[1], np.random.get_state()[1])


@pytest.mark.parametrize("method", METHODS)
def test_silence_one_frame_and_the_shortest(method: str) -> None:
    silent = torch.zeros(N_FFT // 2 + 1, 9)
    assert torch.equal(recover_phase(silent, n_fft=N_FFT, hop=HOP, length=8 * HOP, method=method), torch.zeros(8 * HOP))
    for length in (1, HOP - 1, HOP):
        audio = tone(length=length) + 0.1
        found = recover_phase(magnitude_of(audio), n_fft=N_FFT, hop=HOP, length=length, method=method)
        assert found.shape == (length,)
        assert torch.isfinite(found).all()
        assert found.abs().max() > 0


def test_silence_around_a_sound_stays_silent() -> None:
    audio = torch.zeros(16_000)
    audio[6_000:9_000] = drum(1)[0, :3_000]
    found = recover_phase(magnitude_of(audio), n_fft=N_FFT, hop=HOP, length=16_000)
    assert found[:4_900].abs().max() == 0
    assert found[10_200:].abs().max() == 0


def test_sounds_of_a_batch_are_independent() -> None:
    sounds = torch.stack([drum(index)[0, :4_000] for index in (0, 1, 2, 3)])
    magnitude = torch.stack([magnitude_of(sound) for sound in sounds]).reshape(2, 2, N_FFT // 2 + 1, -1)
    found = recover_phase(magnitude, n_fft=N_FFT, hop=HOP, length=4_000, iterations=2)
    assert found.shape == (2, 2, 4_000)
    assert torch.equal(found[1, 0], recover_phase(magnitude[1, 0], n_fft=N_FFT, hop=HOP, length=4_000, iterations=2))


def test_griffin_lim_keeps_the_true_phase() -> None:
    spectrum = stft(drum(1)[None], n_fft=N_FFT, hop=HOP)[0, 0]
    length = drum(1).shape[-1]
    found = griffin_lim(spectrum.abs(), n_fft=N_FFT, hop=HOP, length=length, iterations=1, phase=spectrum.angle())
    torch.testing.assert_close(found, drum(1)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("look_ahead", [True, False])
def test_a_stream_equals_the_whole_sound_for_any_grouping_of_frames(look_ahead: bool) -> None:
    magnitude = magnitude_of(drum(1)[0])
    options = {"n_fft": N_FFT, "hop": HOP, "look_ahead": look_ahead, "seed": 5}
    whole = stream_phase(magnitude, **options)
    assert whole.shape == magnitude.shape
    stream = PhaseStream(**options)
    for sizes in ([1] * magnitude.shape[1], [2, 1, 7, magnitude.shape[1] - 10]):
        pieces = [stream.push(piece) for piece in magnitude.split(sizes, dim=1)]
        assert [piece.shape[1] for piece in pieces] == [sizes[0] - look_ahead, *sizes[1:]]
        assert torch.equal(torch.cat([*pieces, stream.flush()], dim=1), whole)  # and flush starts anew
    assert stream.flush().shape == (N_FFT // 2 + 1, 0)


@pytest.mark.parametrize(("audio", "bound"), [(tone(), -26), (chirp(), -24)], ids=["tone", "chirp"])
@pytest.mark.parametrize("look_ahead", [True, False])
def test_a_stream_is_accurate(audio: torch.Tensor, bound: float, look_ahead: bool) -> None:
    magnitude = magnitude_of(audio)
    phase = stream_phase(magnitude, n_fft=N_FFT, hop=HOP, look_ahead=look_ahead)
    found = griffin_lim(magnitude, n_fft=N_FFT, hop=HOP, length=len(audio), iterations=0, phase=phase)
    assert convergence_db(magnitude, found) < bound


def test_a_stream_is_causal() -> None:
    magnitude = magnitude_of(drum(1)[0])
    changed = magnitude.clone()
    changed[:, 12:] = 0.3
    for look_ahead, same in ((True, 11), (False, 12)):
        one, other = (stream_phase(m, n_fft=N_FFT, hop=HOP, look_ahead=look_ahead)[:, :same] for m in (magnitude, changed))
        assert torch.equal(one, other)


def test_a_stream_of_silence_is_finite() -> None:
    phase = stream_phase(torch.zeros(N_FFT // 2 + 1, 5), n_fft=N_FFT, hop=HOP)
    assert phase.shape == (N_FFT // 2 + 1, 5)
    assert torch.isfinite(phase).all()


def test_gamma_is_that_of_the_nearest_gaussian() -> None:
    time = (np.arange(4096) - 2048) / 4096
    shapes = {
        "hann": 0.5 + 0.5 * np.cos(2 * np.pi * time),
        "hamming": 0.54 + 0.46 * np.cos(2 * np.pi * time),
        "blackman": 0.42 + 0.5 * np.cos(2 * np.pi * time) + 0.08 * np.cos(4 * np.pi * time),
    }
    assert set(shapes) == set(GAMMA)
    for name, shape in shapes.items():
        shares = np.linspace(0.1, 0.4, 601)
        errors = [np.square(np.exp(-np.pi * time**2 / share) - shape).sum() for share in shares]
        assert gamma_of(name, n_fft=10) / 100 == pytest.approx(shares[np.argmin(errors)], rel=0.06)
    assert gamma_of(123.0, n_fft=10) == 123.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": "magic"}, "pghi"),
        ({"iterations": -1}, "0 or more"),
        ({"method": "pghi", "iterations": 3}, "pghi\\+raar"),
        ({"method": "griffin-lim", "momentum": 0.5}, "fast-griffin-lim"),
        ({"momentum": math.nan}, "under 1"),
        ({"hop": 300}, "divisor"),
        ({"hop": 1024}, "divisor"),
        ({"n_fft": 1000}, "divisor|bins"),
        ({"length": 3 * HOP + 128}, "frames"),
        ({"magnitude": torch.full((513, 4), math.nan)}, "NaN"),
        ({"magnitude": -torch.ones(513, 4)}, "negative"),
        ({"magnitude": torch.ones(513)}, "bins, frames"),
        ({"magnitude": torch.ones(513, 4, dtype=torch.int32)}, "int32"),
    ],
)
def test_invalid_arguments_are_refused(change: dict[str, object], words: str) -> None:
    given = {"magnitude": torch.ones(513, 4), "n_fft": N_FFT, "hop": HOP, "length": 3 * HOP} | change
    with pytest.raises((ConfigError, ShapeError), match=words):
        recover_phase(given.pop("magnitude"), **given)


def test_refuses_an_unknown_window_or_tolerance() -> None:
    with pytest.raises(ConfigError, match="blackman, hamming, hann"):
        integrate_phase(torch.ones(513, 4), n_fft=N_FFT, hop=HOP, window="kaiser")
    with pytest.raises(ConfigError, match="samples²"):
        gamma_of(-1.0, n_fft=N_FFT)
    with pytest.raises(ConfigError, match="tolerance"):
        PhaseStream(n_fft=N_FFT, hop=HOP, tolerance=1.0)


def test_compiles_without_a_folder_for_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    from timbrespace import compiled

    asked = []

    def njit(signature: str, *, nogil: bool, cache: bool = False) -> Callable[[Callable[..., int]], Callable[..., int]]:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(compiled, "njit", njit)
    assert compiled.compiled("int64(int64)")(lambda x: x + 1)(2) == 3
    assert asked == [True, False]
