"""The measures against closed forms: known gains, tilts, ramps, decays and grains."""

import math

import pytest
import torch

from timbrespace.audio import distance as m
from timbrespace.audio.analysis import BANDS, mel_bands, power_spectra
from timbrespace.audio.embedding import EMBEDDING_DIMS, embedding
from timbrespace.audio.stft import istft, mel_filters, stft
from timbrespace.contracts import ShapeError

RATE = 44100
ALL = (m.log_mel_error, m.sound_error, m.attack_error_ms, m.decay_error_percent, m.grain_error)


def noise(count: int = 1, seconds: float = 1.5, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(count, 1, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def hit(t60: float, seconds: float = 1.5, seed: int = 0) -> torch.Tensor:
    t = torch.arange(round(seconds * RATE)) / RATE
    return noise(1, seconds, seed) * 10 ** (-3 * t / t60)


@pytest.mark.parametrize("gain", [0.01, 0.5, 3.0, -1.0])
def test_a_copy_at_another_level_has_no_error(gain):
    sound = hit(0.5)
    for measure in ALL:
        assert float(measure(sound, gain * sound)[0]) < 2e-3, measure.__name__


def test_without_matching_a_gain_is_the_error():
    sound = noise()  # stationary: every cell is far over the floor
    assert float(m.log_mel_error(sound, 2 * sound, match_level=False)[0]) == pytest.approx(6.0206, abs=1e-3)


def test_a_known_lift_of_some_frames_after_matching_the_rest():
    # The last quarter of the time 6.02 dB up: the median gain is 0, a quarter of the cells is 6.02 dB off: RMSE 6.02 / 2.
    sound = noise()
    lifted = sound.clone()
    lifted[..., sound.shape[-1] * 3 // 4 :] *= 2
    assert float(m.log_mel_error(sound, lifted)[0]) == pytest.approx(6.0206 / 2, abs=0.05)


def test_a_tilt_in_frequency():
    # A slope of 0 … 12 dB over the mel bands, matched by its median: uniform in ±6 dB, RMSE 6 / √3.
    sound = noise()
    spectrum = stft(sound, n_fft=1024, hop=256)
    centres = BANDS
    bank = mel_filters(bands=centres, n_fft=1024, sample_rate=RATE, low=20.0, high=22050.0)
    band = (bank * torch.arange(centres)[:, None]).sum(0) / bank.sum(0).clamp_min(1e-9)
    tilt = 10 ** (band / (centres - 1) * 12 / 20)
    tilted = istft(spectrum * tilt[:, None], n_fft=1024, hop=256, length=sound.shape[-1])
    assert float(m.log_mel_error(sound, tilted)[0]) == pytest.approx(6 / math.sqrt(3), rel=0.06)


def test_cells_far_under_the_peak_have_no_say_in_the_gain():
    # A loud third, then two thirds 50 dB under it; the copy has the quiet part 10 dB up. Matched by the loud part alone.
    sound = noise()
    third = sound.shape[-1] // 3
    sound[..., third:] *= 10 ** (-50 / 20)
    copy = sound.clone()
    copy[..., third:] *= 10 ** (10 / 20)
    assert float(m.log_mel_error(sound, copy)[0]) == pytest.approx(10 * math.sqrt(2 / 3), rel=0.05)


def test_a_copy_that_stops_early_is_matched_where_it_sounds():
    sound = noise()
    copy = 0.2 * sound[..., : sound.shape[-1] // 3]
    silent = float(m.log_mel_error(sound, torch.zeros_like(sound))[0])
    assert float(m.log_mel_error(sound, copy)[0]) == pytest.approx(silent * math.sqrt(2 / 3), rel=0.02)
    # The same when it ends in what is silence to the ear, not in zeros.
    ended = torch.cat([copy, 1e-6 * noise(1, 1.0, seed=4)], dim=-1)[..., : sound.shape[-1]]
    assert float(m.log_mel_error(sound, ended)[0]) == pytest.approx(silent * math.sqrt(2 / 3), rel=0.02)


def test_the_error_is_a_mean_within_a_sound_not_over_the_batch():
    sounds = noise(2)
    copies = sounds.clone()
    copies[1] *= 4
    assert m.log_mel_error(sounds, copies, match_level=False).tolist() == pytest.approx([0, 12.041], abs=1e-3)


def test_silence_as_a_copy_scores_the_sound_over_its_floor():
    sound = noise()
    level = 10 * torch.log10(mel_bands(power_spectra(sound[:, 0]), bands=BANDS))
    over = (level - (level.max() - 80)).clamp_min(0)
    assert float(m.log_mel_error(sound, torch.zeros_like(sound))[0]) == pytest.approx(float(over.square().mean().sqrt()), rel=1e-4)


def test_sound_error_leaves_out_what_lies_beyond_the_length():
    short = noise(1, 0.3)
    padded = torch.nn.functional.pad(short, (0, RATE))
    copy = padded.clone()
    copy[..., : short.shape[-1] // 2] *= 2
    lengths = torch.tensor([short.shape[-1]])
    whole, inside = m.log_mel_error(padded, copy, lengths=lengths), m.sound_error(padded, copy, lengths=lengths)
    share = (short.shape[-1] // 256 + 1) / (1 + round(1.5 * RATE) // 256)
    assert float(whole / inside) == pytest.approx(math.sqrt(share), rel=0.02)
    # A tail that is wrong only after the end is heard by the first measure alone.
    tail = padded + torch.cat([torch.zeros(1, 1, short.shape[-1] + 1000), 0.05 * noise(1, 1.0, seed=9)], dim=-1)[..., : padded.shape[-1]]
    assert float(m.log_mel_error(padded, tail, lengths=lengths)) > 20
    assert float(m.sound_error(padded, tail, lengths=lengths)) < 0.1


def test_what_lies_beyond_the_lengths_of_originals_is_silence():
    sound = noise(1, 0.2)
    dirty = torch.cat([sound, noise(1, 0.2, seed=5)], dim=-1)
    lengths = torch.tensor([sound.shape[-1]])
    for measure in ALL:
        assert float(measure(dirty, sound, lengths=lengths)) < 1e-3, measure.__name__


def test_attack_error_in_milliseconds():
    t = torch.arange(RATE)
    tone = torch.sin(2 * torch.pi * 2000 * t / RATE)
    sharp, slow = ((t / (s * RATE)).clamp_max(1) * tone for s in (0.02, 0.05))
    assert float(m.attack_error_ms(sharp[None, None], slow[None, None])) == pytest.approx(0.8 * 30, abs=0.5)


def test_decay_error_in_percent():
    assert float(m.decay_error_percent(hit(0.2), hit(0.3, seed=1))) == pytest.approx(50, abs=8)
    assert float(m.decay_error_percent(hit(0.2), torch.zeros(1, 1, 1000))) == pytest.approx(100, abs=0.1)


def test_grain_tells_noise_from_mush_and_from_tones():
    sound = noise()
    # An impulse train of one a frame is flat in every frame: no grain at all.
    mush = torch.zeros_like(sound)
    mush[..., ::1024] = 1
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(sound.shape[-1]) / RATE)[None, None]
    assert float(m.grain_error(sound, noise(seed=7))) < 0.05
    assert 1.5 < float(m.grain_error(sound, mush)) < 2.6
    comb = sum(torch.sin(2 * torch.pi * 690 * (k + 0.5) * torch.arange(sound.shape[-1]) / RATE) for k in range(31))
    assert float(m.grain_error(sound, comb[None, None])) > 5
    assert float(m.noisy_share(sound)) > 0.95
    assert float(m.noisy_share(tone)) < 0.5


def test_lists_batches_channels_and_chunks_agree():
    lengths = [3000, 20000, 1, 44100] * 12  # more than one chunk
    sounds = [noise(2, 1.0, seed=k)[:, 0, :n] for k, n in enumerate(lengths)]  # two channels each
    copies = [0.9 * sound + 0.01 * noise(2, 1.0, seed=99)[:, 0, : sound.shape[-1]] for sound in sounds]
    padded, copied = (torch.stack([torch.nn.functional.pad(x, (0, 44100 - x.shape[-1])) for x in each]) for each in (sounds, copies))
    for measure in ALL:
        one = measure(sounds, copies)
        assert one.shape == (len(sounds),)
        assert one.dtype == torch.float32
        assert torch.allclose(one, measure(padded, copied, lengths=torch.tensor(lengths)), atol=2e-3), measure.__name__
        assert torch.allclose(one[5:6], measure(sounds[5:6], copies[5:6]), atol=2e-3)


@pytest.mark.parametrize("measure", ALL)
def test_silence_and_single_samples_give_numbers(measure):
    click, silent, sound = torch.ones(1, 1), torch.zeros(1, 500), hit(0.1)[0]
    pairs = [(a, b) for a in (click, silent, sound) for b in (click, silent, sound)]
    found = measure([a for a, _ in pairs], [b for _, b in pairs])
    assert torch.isfinite(found).all()
    assert torch.allclose(found[[0, 4, 8]], torch.zeros(3), atol=1e-5)


def test_mismatched_inputs_are_refused():
    with pytest.raises(ShapeError, match="2 originals and 1 reconstructions"):
        m.log_mel_error(noise(2), noise(1))
    with pytest.raises(ShapeError, match="lengths"):
        m.log_mel_error([noise()[0]], [noise()[0]], lengths=torch.tensor([5]))
    with pytest.raises(ShapeError, match="NaN"):
        embedding([torch.full((1, 10), torch.nan)])
    with pytest.raises(ShapeError, match="channels, time"):
        embedding([torch.zeros(10)])


def test_other_sample_rates_measure_the_same():
    t = torch.arange(48000) / 48000
    soft, loud = (torch.sin(2 * torch.pi * 500 * t) * torch.exp(-k * t) for k in (5.0, 6.0))
    t = torch.arange(RATE) / RATE
    soft_44, loud_44 = (torch.sin(2 * torch.pi * 500 * t) * torch.exp(-k * t) for k in (5.0, 6.0))
    found = m.log_mel_error([soft[None]], [loud[None]], sample_rate=48000)
    assert float(found) == pytest.approx(float(m.log_mel_error([soft_44[None]], [loud_44[None]])), rel=0.03)


def test_embedding_ignores_level_leading_silence_padding_and_company():
    sounds = [hit(0.2)[0], hit(0.6, seed=1)[0], torch.sin(torch.arange(30000) * 0.05)[None]]
    points = embedding(sounds)
    assert points.shape == (3, EMBEDDING_DIMS)
    assert EMBEDDING_DIMS <= 72
    assert torch.allclose(points[1:2], embedding(sounds[1:2]), atol=1e-4)
    louder = embedding([0.05 * torch.nn.functional.pad(sound, (0, 4000)) for sound in sounds])
    assert torch.allclose(points, louder, atol=0.02)
    late = embedding([torch.nn.functional.pad(sound, (3001, 0)) for sound in sounds])
    nearest = torch.cdist(late, points)
    assert (nearest.argmin(1) == torch.arange(3)).all()
    assert float(nearest.diagonal().max()) < 0.1 * float(torch.cdist(points, points)[0, 1:].min())


def test_embedding_distance_is_in_decibels_and_tells_kinds_apart():
    kicks = [torch.sin(2 * torch.pi * f * torch.arange(20000) / RATE)[None] * torch.exp(-torch.arange(20000) / 4000) for f in (55, 60, 65)]
    hats = [hit(0.1, 0.4, seed=s)[0] for s in range(3)]
    points = embedding(kicks + hats)
    apart = torch.cdist(points, points)
    assert float(apart[:3, :3].max()) < float(apart[:3, 3:].min())
    assert float(apart[3:, 3:].max()) < float(apart[:3, 3:].min())
    # One sound at twice the tail level (6.02 dB from 150 ms on): four of eight segments, so 6.02 · √(4/8) and a little duration.
    sound = noise(1, 2.0)[0]
    other = sound.clone()
    other[:, round(0.15 * RATE) :] *= 2
    moved = embedding([sound, other])[:, :64]
    # Levels are relative to the loudest cell, which rises too; the movement between head and tail is what stays.
    assert float((moved[0] - moved[1]).norm()) == pytest.approx(6.02 * math.sqrt(0.5), abs=0.7)


def test_embedding_of_silence_and_one_sample_is_finite():
    assert torch.isfinite(embedding([torch.zeros(1, 1), torch.zeros(1, 9000), torch.ones(1, 1)])).all()


def test_five_hundred_clips_in_seconds():
    import time

    sounds = noise(100)
    start = time.process_time()
    m.log_mel_error(sounds, sounds * 0.5)
    assert time.process_time() - start < 8  # half a second; wide, for slow machines
