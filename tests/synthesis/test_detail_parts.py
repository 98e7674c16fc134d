"""The parts of detail: alignment in time and pitch, blends, even steps, and a phase search that starts at a given sound."""

from __future__ import annotations

import math

import pytest
import torch

from timbrespace.representation.phase.start import Start
from timbrespace.representation.registry import REPRESENTATIONS
from timbrespace.representation.spectral import Spectral
from timbrespace.synthesis.detail.blend import blend, grain_gain, hold_background, slow_part, taper_end
from timbrespace.synthesis.detail.mix import between_levels, kept_at
from timbrespace.synthesis.detail.spacing import even_positions, step_sizes, steps_by_segment
from timbrespace.synthesis.detail.timing import Timing, between, positions, read_grain, read_smooth, timing_of
from tiny import drum

VIEWS = sorted(name for name, view in REPRESENTATIONS.items() if view.starts_near)


# --- time ---------------------------------------------------------------------------------------------------------------------


def test_attacks_meet_at_unchanged_speed_and_tails_end_together() -> None:
    source, target = Timing(100, 10, 24), Timing(150, 30, 24)
    at = positions(source, target)
    assert at[30] == 10
    assert torch.equal(at[: 30 + 24].diff(), torch.ones(53, dtype=torch.float64))
    assert at[-1] == 99
    assert bool((at.diff() > 0).all())
    assert int((at < 0).sum()) == 20  # the source begins later
    tail = at[30 + 24 :].diff()
    assert torch.allclose(tail, torch.full_like(tail, (99 - 34) / (149 - 54)))


@pytest.mark.parametrize("frames", [1, 2, 3, 40])
def test_a_sound_aligned_with_itself_is_itself(frames: int) -> None:
    levels = torch.randn(2, 5, frames)
    timing = timing_of(levels, hop=256, sample_rate=44_100)
    at = positions(timing, timing)
    assert torch.equal(at, torch.arange(frames, dtype=torch.float64))
    assert torch.equal(read_smooth(levels, at), levels)
    assert torch.equal(read_grain(levels, timing, timing), levels)


def test_timing_finds_the_attack() -> None:
    levels = torch.full((1, 8, 50), -60.0)
    levels[..., 7:] = torch.linspace(0, -40, 43)
    timing = timing_of(levels, hop=256, sample_rate=44_100)
    assert (timing.frames, timing.attack, timing.held) == (50, 7, 24)
    assert between(timing, Timing(80, 2, 24), 0.5, 60) == Timing(60, 4, 24)
    assert between(timing, timing, 0.0, 3).attack == 2  # within a very short sound


def test_grain_is_read_at_unchanged_speed_back_and_forth() -> None:
    frames = torch.arange(40.0)[None, None]
    source = Timing(40, 2, 8)
    found = read_grain(frames, source, Timing(120, 5, 8))[0, 0]
    assert torch.equal(found[3:43], frames[0, 0])
    assert torch.equal(found[43:72], torch.arange(38.0, 9.0, -1))
    assert torch.equal(found[72:101], torch.arange(11.0, 40.0))
    shorter = read_grain(frames, source, Timing(20, 1, 8))[0, 0]
    assert torch.equal(shorter, torch.arange(1.0, 21.0))
    swell = torch.full((1, 8, 50), -60.0)
    swell[..., 2:] = torch.linspace(-40, 0, 48)
    assert timing_of(swell, hop=256, sample_rate=44_100).attack <= 10  # a swell is not all attack


# --- blends -------------------------------------------------------------------------------------------------------------------


def test_small_residuals_blend_in_db_and_partials_in_power() -> None:
    cells = torch.tensor([4.0, 40.0, -40.0, -30.0])
    other = torch.tensor([0.0, 0.0, -40.0, 0.0])
    half = blend(cells, other, 0.5)
    assert half[0] == 2
    assert float(half[1]) == pytest.approx(10 * math.log10(0.5 * (1e4 + 1)), abs=1e-3)  # 37 dB, not 20
    assert half[2] == -40
    assert half[3] == -15  # nothing of a background is lifted to 3 dB under the other
    assert torch.equal(blend(cells, other, 0.0), cells)
    assert torch.equal(blend(cells, other, 1.0), other)
    torch.testing.assert_close(blend(cells, cells, 0.3), cells)


def test_blended_grain_keeps_its_size() -> None:
    one, two = torch.randn(2, 1, 100, 200, generator=torch.Generator().manual_seed(0))
    mixed = torch.lerp(one, two, 0.5) * grain_gain(one, two, 0.5)
    assert float(mixed.std()) == pytest.approx(1, abs=0.02)
    assert grain_gain(one, one, 0.5) == pytest.approx(1, abs=1e-6)
    assert grain_gain(one, two, 0.0) == 1
    assert grain_gain(0 * one, two, 0.5) == 1
    assert float(slow_part(one).std()) == pytest.approx(1 / 3, abs=0.02)


def test_backgrounds_stay_under_those_of_the_given_sounds() -> None:
    levels, loudest = torch.tensor([-60.0, -20.0, -60.0]), torch.tensor([-80.0, -80.0, -62.0])
    assert hold_background(levels, loudest, floor=-90.0).tolist() == [-74.0, -20.0, -60.0]
    assert hold_background(levels, loudest, floor=-80.0).tolist() == [-80.0, -20.0, -60.0]  # silence stays silent
    background, partial = taper_end(torch.tensor([[-60.0] * 11, [-5.0] * 11]), 1.0)
    assert background[0] == -60
    assert float(background[-1]) == pytest.approx(-60 - 30 - 15)
    assert bool((partial[:-1] == -5).all())
    assert float(partial[-1]) == pytest.approx(-20)
    assert torch.equal(taper_end(background, 0.0), background)


# --- steps ------------------------------------------------------------------------------------------------------------------------


def test_even_steps_of_a_path_that_jumps() -> None:
    def features(position: float) -> torch.Tensor:
        return torch.full((1, 2, 3), -40.0 + 30 * math.tanh(20 * (position - 0.3)))

    even = torch.linspace(0, 1, 8).tolist()
    found = even_positions(features, 0.0, 1.0, 8, floor=-80)
    assert found[0] == 0
    assert found[-1] == 1
    assert sorted(found) == found
    uneven, better = (step_sizes([features(place) for place in places], floor=-80) for places in (even, found))
    assert uneven.max() / uneven.mean() > 3
    assert better.max() / better.mean() < 1.3


def test_the_beginning_counts_more_than_a_long_end() -> None:
    silent, start, end = torch.full((3, 1, 4, 1000), -80.0)
    start[..., :10], end[..., -10:] = -40.0, -40.0
    even, weighted = (step_sizes([silent, start, silent, end], floor=-80, early=early) for early in (math.inf, 40.0))
    assert even[0] == pytest.approx(even[2]) == pytest.approx(40 * 0.01**0.5)
    assert weighted[0] > 3 * weighted[2] > 0


def test_a_path_that_does_not_change_has_even_positions() -> None:
    same = torch.zeros(1, 2, 3)
    assert even_positions(lambda _: same, 0.0, 1.0, 5, floor=-80) == [0, 0.25, 0.5, 0.75, 1]
    assert even_positions(lambda _: same, 1.0, 2.0, 2, floor=-80) == [1, 2]
    assert steps_by_segment([1.0, 3.0], 9) == [2, 6]
    assert steps_by_segment([1e-6, 3.0], 4) == [1, 2]


def test_distance_lets_go_of_detail() -> None:
    kept = [kept_at(distance) for distance in (0, 1e-3, 0.3, 1, 4)]
    assert kept[0] == 1
    assert kept == sorted(kept, reverse=True)
    assert kept[1] > 0.9999
    assert kept[-1] < 0.02
    assert between_levels([1.0, 0.25], 0.5) == 0.5
    assert between_levels([0.3], 0.0) == 0.3


# --- phase ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", VIEWS)
def test_a_search_that_starts_at_the_sound_stays_there(name: str, channels: int) -> None:
    view = REPRESENTATIONS[name](channels=channels)
    assert isinstance(view, Spectral)
    sound = drum(1)[:, 300:].expand(channels, -1).clone()
    if channels == 2:
        sound[1] *= 0.5
    features = view.encode(sound[None])[0]
    length = sound.shape[1]
    known = features > features.max() - view.floor + 3
    start = Start(view.spectra_of(sound), torch.zeros_like(features), known)
    again = view.decode_from(features, start, length=length, seed=0)
    assert again.shape == sound.shape
    error = 20 * torch.log10((again - sound).norm() / sound.norm())
    assert float(error) < (-20 if name == "mel" else -40)  # bins outside the mel bands are silent
    softer = view.decode_from(features - 6.0, start._replace(gain=torch.full_like(features, -6.0)), length=length, seed=0)
    torch.testing.assert_close(softer, again * 10 ** (-6 / 20), rtol=0, atol=2e-3)
    nothing = view.decode_from(features, start._replace(known=torch.zeros_like(known)), length=length, seed=0)
    torch.testing.assert_close(nothing, view.decode(features[None], length=length, seed=0)[0], rtol=0, atol=1e-5)
