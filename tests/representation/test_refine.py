"""Projection to bands, RAAR and refinement on the samples: each must reduce the error."""

from __future__ import annotations

import pytest
import torch

from timbrespace.audio.distance import grain_error, sound_error
from timbrespace.audio.stft import spectra
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.representation.base import Representation
from timbrespace.representation.phase.griffin_lim import fast_griffin_lim
from timbrespace.representation.phase.projection import StftGrid, power_limits, project_to_bands, project_to_bins
from timbrespace.representation.phase.raar import raar
from timbrespace.representation.phase.refine import refine
from timbrespace.representation.views.bands import Bands
from timbrespace.representation.views.log_stft import LogStft
from timbrespace.representation.views.magnitude import Magnitude
from timbrespace.representation.views.mel import Mel
from tiny import drum

SOUNDS = [drum(index, seconds=0.3) for index in range(4)]


def back(view: Representation, sound: torch.Tensor) -> torch.Tensor:
    return view.decode(view.encode(sound[None]), length=sound.shape[-1])[0]


def noise(length: int) -> torch.Tensor:
    return 0.3 * torch.randn(1, length, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("kind", [Bands, Mel, LogStft])
def test_raar_with_bands_is_more_accurate(kind: type[Bands]) -> None:
    old, new = ([back(kind(method=method), sound) for sound in SOUNDS] for method in ("pghi+griffin-lim", "pghi+raar"))
    assert sound_error(SOUNDS, new).mean() < sound_error(SOUNDS, old).mean() - 0.02


def test_noise_keeps_its_grain_where_bands_are_wide() -> None:
    sound = noise(30_000)
    smooth, grainy = (grain_error([sound], [back(Bands(bands=80, method=method), sound)]) for method in ("pghi+griffin-lim", "pghi+raar"))
    assert smooth > 1.0  # the same level in every bin of a band
    assert grainy < 0.5 * smooth


def test_projection_to_bands_keeps_the_distribution_within_a_band() -> None:
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.view_as_complex(torch.randn(3, 6, 2, generator=generator))
    member = torch.tensor([0, 1, 1, 2, 2, 2])
    wanted = torch.tensor([[4.0, 1.0, 0.0], [9.0, 0.0, 1.0], [0.0, 0.0, 2.0]])  # (bands, frames)
    most = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1e-6, 0.0], [1e9, 0.0, 0.0]])

    def gather(power: torch.Tensor) -> torch.Tensor:
        return torch.zeros(3, 3).index_add_(1, member, power)

    agreed = project_to_bands(wanted, most, gather=gather, spread=lambda ratio: ratio[:, member])(spectrum)
    power = gather(agreed.abs().square()).T
    known = torch.tensor([[True, True, True], [True, False, True], [False, True, True]])
    torch.testing.assert_close(power[known], wanted[known])
    assert float(power[1, 1]) == pytest.approx(1e-6, rel=1e-3)  # cut to the most it may be
    torch.testing.assert_close(agreed[0, 3:], spectrum[0, 3:])  # under the most it may be: left alone
    torch.testing.assert_close((agreed / spectrum)[0, 1], (agreed / spectrum)[0, 2])


def test_limits_of_cells_on_the_floor() -> None:
    level = torch.tensor([[0.0, -80.0], [-80.0, -80.0]])
    wanted, most = power_limits(level, above_floor=level > -70)
    torch.testing.assert_close(wanted, torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    torch.testing.assert_close(most, torch.tensor([[0.0, 0.0], [1e-8, 0.0]]))  # beside a heard cell; not in a silent frame


def test_a_consistent_spectrum_is_a_fixed_point() -> None:
    sound = drum(1)[:, :4_000].double()
    spectrum = spectra(sound[None], n_fft=256, hop=64)[0, 0]
    grid, project = StftGrid(n_fft=256, hop=64, length=4_000, like=sound), project_to_bins(spectrum.abs())
    torch.testing.assert_close(raar(spectrum, project, grid, iterations=3, relaxation=0.9), spectrum, atol=1e-9, rtol=0)
    torch.testing.assert_close(fast_griffin_lim(spectrum, project, grid, iterations=3, momentum=0.9), spectrum, atol=1e-9, rtol=0)
    torch.testing.assert_close(grid.to_audio(spectrum), sound[0], atol=1e-9, rtol=0)


@pytest.mark.parametrize("view", [Bands, LogStft, Mel, Magnitude])
def test_refinement_reduces_the_error_of_the_features(view: type[Bands]) -> None:
    plain, finer = view(iterations=8), view(iterations=8, refine=12)
    for sound in SOUNDS[1:3]:
        features = plain.encode(sound[None])
        apart = [(one.encode(back(one, sound)[None]) - features).square().mean().sqrt() for one in (plain, finer)]
        assert apart[1] < 0.95 * apart[0]


def test_refinement_is_repeatable_and_sounds_are_independent() -> None:
    view = Bands(iterations=4, refine=4, channels=2)
    sounds = torch.stack([torch.cat([drum(k, seconds=0.05), 0.5 * drum(k + 1, seconds=0.05)]) for k in (0, 1)])
    features = view.encode(sounds)
    together = view.decode(features, length=sounds.shape[-1], seed=3)
    assert torch.equal(together, view.decode(features, length=sounds.shape[-1], seed=3))
    assert torch.equal(together[1:], view.decode(features[1:], length=sounds.shape[-1], seed=3))
    with torch.no_grad():  # as whoever calls may have set it
        assert torch.equal(together[:1], view.decode(features[:1], length=sounds.shape[-1], seed=3))


@pytest.mark.parametrize("view", [Bands, LogStft, Mel, Magnitude])
def test_silence_after_a_sound_stays_silent(view: type[Bands]) -> None:
    sound = torch.zeros(1, 20_000)
    sound[:, :6_000] = drum(1)[:, :6_000]
    for refine_steps in (0, 5):
        options = {} if view is Magnitude else {"iterations": 8}
        assert float(back(view(refine=refine_steps, **options), sound)[:, 6_000 + view().n_fft :].abs().max()) < 10 ** (-90 / 20)
    silent = view(refine=3)
    assert torch.equal(back(silent, torch.zeros(1, 5_000)), torch.zeros(1, 5_000))


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="50 is usual"):
        refine(torch.ones(1, 9), torch.ones(1, 5, 1), encode=lambda audio: audio, decibels=True, steps=-1)
    with pytest.raises(ShapeError, match="channels, time"):
        refine(torch.ones(9), torch.ones(1, 5, 1), encode=lambda audio: audio, decibels=True, steps=1)
    with pytest.raises(ConfigError, match="refine"):
        Bands(refine=-1)
