"""Audio from a stream of magnitudes: independent of the grouping of frames, fixed latency, no clicks, exact silence."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.audio.stft import power_spectrogram
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.representation.phase.recover import griffin_lim
from timbrespace.representation.phase.rtpghi import stream_phase
from timbrespace.representation.phase.streaming import MagnitudeStream, stream_audio
from timbrespace.representation.views.bands import Bands
from tiny import RATE, drum

N_FFT, HOP = 512, 128


def magnitude_of(audio: torch.Tensor, *, n_fft: int = N_FFT, hop: int = HOP) -> torch.Tensor:
    return power_spectrogram(audio[None, None], n_fft=n_fft, hop=hop)[0, 0].sqrt()


def tone(hz: float, *, length: int = 16_000) -> torch.Tensor:
    return 0.5 * torch.sin(2 * math.pi * hz / RATE * torch.arange(length, dtype=torch.float64)).float()


DRUM = drum(1)[0, :6_000]
MAGNITUDE = magnitude_of(DRUM)
WHOLE = {
    ahead: torch.cat([(one := MagnitudeStream(n_fft=N_FFT, hop=HOP, look_ahead=ahead)).push(MAGNITUDE), one.flush()])
    for ahead in (True, False)
}


@settings(max_examples=12, deadline=None)
@given(sizes=st.lists(st.integers(0, 9), max_size=20), look_ahead=st.booleans())
def test_audio_does_not_depend_on_the_grouping_of_frames(sizes: list[int], look_ahead: bool) -> None:
    stream = MagnitudeStream(n_fft=N_FFT, hop=HOP, look_ahead=look_ahead)
    pieces, at = [], 0
    for size in [*sizes, MAGNITUDE.shape[1]]:
        piece = MAGNITUDE[:, at : at + size]
        pieces.append(stream.push(piece))
        assert len(pieces[-1]) == piece.shape[1] * HOP  # a block for every frame, from the first one on
        at += piece.shape[1]
    pieces.append(stream.flush())
    assert len(pieces[-1]) == stream.latency
    assert torch.equal(torch.cat(pieces), WHOLE[look_ahead])


@pytest.mark.parametrize("look_ahead", [True, False])
@pytest.mark.parametrize(("n_fft", "hop"), [(512, 128), (512, 256), (384, 128), (256, 32)])
def test_equals_the_whole_sound_offline(n_fft: int, hop: int, look_ahead: bool) -> None:
    magnitude = magnitude_of(DRUM, n_fft=n_fft, hop=hop)
    phase = stream_phase(magnitude, n_fft=n_fft, hop=hop, look_ahead=look_ahead)
    expected = griffin_lim(magnitude, n_fft=n_fft, hop=hop, length=len(DRUM), iterations=0, phase=phase)
    found = stream_audio(magnitude, n_fft=n_fft, hop=hop, length=len(DRUM), look_ahead=look_ahead)
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("look_ahead", [True, False])
def test_measured_latency_is_the_stated_one(look_ahead: bool) -> None:
    click = torch.zeros(8_000)
    click[3_000] = 1.0
    stream = MagnitudeStream(n_fft=N_FFT, hop=64, look_ahead=look_ahead)
    assert stream.latency == N_FFT // 2 + look_ahead * 64
    found = torch.cat([stream.push(magnitude_of(click, hop=64)), stream.flush()])
    assert abs(int(found.abs().argmax()) - 3_000 - stream.latency) <= 4
    assert not found[: stream.latency].any()


@pytest.mark.parametrize("hz", [440.0, 1_234.5, 9_876.5])
@pytest.mark.parametrize("look_ahead", [True, False])
def test_a_pure_tone_stays_pure(hz: float, look_ahead: bool) -> None:
    found = stream_audio(magnitude_of(tone(hz), hop=64), n_fft=N_FFT, hop=64, length=16_000, look_ahead=look_ahead)
    middle = found[4_000:12_192].double()  # a seam in every block of 64 samples would show 689 Hz beside the tone
    spectrum = torch.fft.rfft(middle * torch.signal.windows.blackman(8_192, sym=False, dtype=torch.float64)).abs().square()
    peak = round(hz * 8_192 / RATE)
    side = torch.cat([spectrum[: peak - 6], spectrum[peak + 7 :]])
    assert 10 * math.log10(float(side.max() / spectrum.max())) < -58
    assert float(middle.square().mean().sqrt()) == pytest.approx(0.5 / math.sqrt(2), rel=0.05)
    assert float((found[4_000:12_192].diff()).abs().max()) < 1.05 * 0.5 * 2 * math.pi * hz / RATE  # no jump anywhere


def test_silence_is_exact_and_a_sound_after_it_is_audible() -> None:
    stream = MagnitudeStream(n_fft=N_FFT, hop=HOP)
    assert torch.equal(stream.push(torch.zeros(257, 40)), torch.zeros(40 * HOP))
    assert float(stream.push(MAGNITUDE).abs().max()) > 0.05
    after = stream.push(torch.zeros(257, 40))
    assert not after[N_FFT + HOP :].any()  # the last windows have passed
    assert stream.flush().shape == (stream.latency,)


def test_reset_and_flush_return_to_the_initial_state() -> None:
    stream = MagnitudeStream(n_fft=N_FFT, hop=HOP)
    stream.push(MAGNITUDE[:, :7])
    stream.reset()
    assert torch.equal(torch.cat([stream.push(MAGNITUDE), stream.flush()]), WHOLE[True])
    assert torch.equal(torch.cat([stream.push(MAGNITUDE), stream.flush()]), WHOLE[True])
    assert stream.flush().shape == (0,)
    assert stream.push(MAGNITUDE[:, :0]).shape == (0,)


def test_parallel_streams_are_independent() -> None:
    def run(_: int) -> torch.Tensor:
        stream = MagnitudeStream(n_fft=N_FFT, hop=HOP)
        return torch.cat([*(stream.push(piece) for piece in MAGNITUDE.split(3, dim=1)), stream.flush()])

    with ThreadPoolExecutor(4) as pool:
        assert all(torch.equal(one, WHOLE[True]) for one in pool.map(run, range(8)))


def test_one_stream_pushed_from_many_threads_stays_whole() -> None:
    stream = MagnitudeStream(n_fft=N_FFT, hop=HOP)
    with ThreadPoolExecutor(4) as pool:
        blocks = list(pool.map(lambda _: stream.push(torch.ones(257, 1)), range(40)))
    alone = MagnitudeStream(n_fft=N_FFT, hop=HOP)
    expected = alone.push(torch.ones(257, 40)).view(40, HOP)
    assert sorted(float(block.sum()) for block in blocks) == sorted(float(block.sum()) for block in expected)
    assert torch.equal(stream.flush(), alone.flush())


def test_bands_are_streamed() -> None:
    view = Bands(n_fft=N_FFT, hop=HOP, bands=100)
    level = view.encode(DRUM[None, None])[0, 0]
    spread = partial(view.magnitude, loudest=level.max())
    whole = stream_audio(level, n_fft=N_FFT, hop=HOP, length=len(DRUM), spread=spread)
    stream = MagnitudeStream(n_fft=N_FFT, hop=HOP, spread=spread)
    found = torch.cat([*(stream.push(piece) for piece in level.split(2, dim=1)), stream.flush()])[stream.latency :][: len(DRUM)]
    assert torch.equal(found, whole)
    assert float(whole.square().sum()) == pytest.approx(float(DRUM.square().sum()), rel=0.3)


def test_a_stream_is_faster_than_real_time_in_constant_memory() -> None:
    stream = MagnitudeStream(n_fft=1024, hop=256)
    frames = magnitude_of(tone(440.0, length=44_100), n_fft=1024, hop=256)
    stream.push(frames[:, :8])  # compiles
    size = stream._sum.nbytes + stream._overlap.nbytes
    start = time.process_time()
    stream.push(frames)
    assert time.process_time() - start < 0.5  # s of processor time for one second; measured 0.03
    assert stream._sum.nbytes + stream._overlap.nbytes == size
    assert len(stream._phases._levels) <= 3


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="divisor"):
        MagnitudeStream(n_fft=512, hop=100)
    stream = MagnitudeStream(n_fft=N_FFT, hop=HOP)
    for frames in (torch.ones(257), torch.ones(100, 3), torch.full((257, 1), math.nan), -torch.ones(257, 1), [1.0]):
        with pytest.raises(ShapeError):
            stream.push(frames)
    assert torch.equal(torch.cat([stream.push(MAGNITUDE), stream.flush()]), WHOLE[True])  # what was refused left no trace
    with pytest.raises(ShapeError, match="allowed are 1 to"):
        stream_audio(MAGNITUDE, n_fft=N_FFT, hop=HOP, length=MAGNITUDE.shape[1] * HOP + 1)
