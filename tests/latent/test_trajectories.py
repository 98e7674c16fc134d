"""Trajectories: paths resampled and restored, stretched without a slower attack, drawn with the envelopes of the corpus."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from timbrespace.latent.trajectories import POINTS, Trajectories, resample_path, restore_path, stretch_path, stretch_positions
from timbrespace.noise import Noise, Purpose


def test_resampling_keeps_slow_changes_and_looks_closely_at_the_onset() -> None:
    for steps in (1, 2, 5, 32, 400):
        time = torch.linspace(0, 1, steps)
        path = torch.stack([torch.full_like(time, 3.0), 1 - time])
        back = restore_path(resample_path(path), stretch_positions(steps, steps))
        assert back.shape == path.shape
        torch.testing.assert_close(back, path, rtol=0, atol=0.08)
    spike = torch.zeros(1, 400)
    spike[0, :4] = 1
    assert resample_path(spike)[0, 0] > 0.9  # the onset is looked at closely
    assert resample_path(spike)[0, 10] == 0


def test_a_longer_sound_has_no_slower_attack() -> None:
    path = torch.arange(100.0)[None]
    longer, shorter = stretch_path(path, 300, attack=10), stretch_path(path, 40, attack=10)
    torch.testing.assert_close(longer[0, :11], path[0, :11])
    torch.testing.assert_close(shorter[0, :11], path[0, :11])
    for stretched in (longer, shorter):
        assert (stretched.diff() > 0).all()
        assert float(stretched[0, -1]) == pytest.approx(99, abs=1e-3)
    assert stretch_path(path, 100) is path
    assert stretch_path(path, 1).tolist() == [[0.0]]
    assert stretch_path(path[:, :1], 3).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("clips", [2, 3, 30])
def test_new_paths_have_the_corpus_envelopes(clips: int) -> None:
    rng = np.random.default_rng(0)
    lengths = [int(n) for n in rng.integers(5_000, 40_000, clips)]
    paths = [torch.stack([torch.linspace(1, 0, n // 500) * (1 + k / clips), torch.zeros(n // 500)]) for k, n in enumerate(lengths)]
    trajectories, space = Trajectories.fit(paths, lengths, ["a"] * clips)
    assert trajectories.mean.shape == (2, POINTS)
    assert space.means.shape[1] == len(trajectories.scale) + 1
    for _ in range(5):
        coordinates, label = space.draw(Noise(0, Purpose.LATENT))
        assert label == "a"
        path = trajectories.path(coordinates)
        assert path[0, 0] > path[0, 16] > path[0, -1]  # it decays as all paths of the corpus
        assert path[1].abs().max() < 0.1
        assert 1 <= trajectories.length(coordinates) <= 1.51 * max(lengths)
    assert torch.equal(trajectories.around(paths[0], Noise(0, Purpose.LATENT), amount=0.0), paths[0])
    moved = trajectories.around(paths[0], Noise(1, Purpose.LATENT), amount=1.0) - paths[0]
    assert moved.abs().max() > 0
    assert moved.diff(dim=1).abs().max() < moved.abs().max()  # slow
