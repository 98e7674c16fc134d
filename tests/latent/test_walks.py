"""Noise walks: closed forms, bounds, and streams that do not depend on how much of them is read."""

from __future__ import annotations

import numpy as np
import pytest

from timbrespace.latent.walks import fractal, perlin, reflect, uniform_walk
from timbrespace.noise import Noise, Purpose


def stream(path: int = 0) -> Noise:
    return Noise(5, Purpose.WALK, path)


def test_perlin_noise_is_its_formula() -> None:
    gradients = 2 * stream().uniform(4, 2).T - 1
    place, f = 1.25, 0.25
    s = 6 * f**5 - 15 * f**4 + 10 * f**3
    expected = 2 * ((1 - s) * gradients[:, 1] * f + s * gradients[:, 2] * (f - 1))
    assert perlin(stream(), 2, np.array([place, 2.5]))[:, 0] == pytest.approx(expected)


def test_perlin_and_fractal_noise_are_zero_at_whole_places_and_bounded() -> None:
    whole, fine = np.arange(30.0), np.linspace(0, 29, 4001)
    streams = [lambda: [stream(k) for k in range(4)]]
    assert np.abs(perlin(stream(), 8, whole)).max() == 0
    assert np.abs(fractal(streams[0](), 8, whole)).max() == 0
    for walk in (perlin(stream(), 64, fine), fractal(streams[0](), 64, fine)):
        assert 0.3 < np.abs(walk).max() <= 1
    smooth = perlin(stream(), 64, fine)
    assert np.abs(np.diff(smooth, n=2)).max() < 0.05 * np.abs(smooth).max()


def test_one_octave_of_fractal_noise_is_perlin_noise_and_the_second_is_half_as_strong() -> None:
    places = np.linspace(0, 9, 301)
    one, two = perlin(stream(0), 3, places), perlin(stream(1), 3, 2 * places)
    assert np.array_equal(fractal([stream(0)], 3, places), one)
    assert np.allclose(fractal([stream(0), stream(1)], 3, places), (one + two / 2) / 1.5)


def test_a_longer_walk_begins_as_a_shorter_one() -> None:
    short, long = np.linspace(0, 5, 51), np.linspace(0, 50, 501)
    assert np.array_equal(perlin(stream(), 4, long)[:, :51], perlin(stream(), 4, short))
    assert np.array_equal(uniform_walk(stream(), 4, 100, step=0.3)[:, :20], uniform_walk(stream(), 4, 20, step=0.3))


def test_a_uniform_walk_stays_within_its_bounds_and_its_steps() -> None:
    walk = uniform_walk(stream(), 16, 2000, step=0.3)
    assert np.abs(walk).max() <= 1
    assert np.abs(np.diff(walk)).max() <= 0.3
    assert np.abs(walk).max() > 0.95  # it reaches them
    assert (walk[:, 0] == 0).all()
    assert abs(walk.mean()) < 0.1


def test_reflection_folds_any_number_into_the_bounds() -> None:
    assert reflect(np.array([0.5, 1.25, -1.5, 3.0, 2.75, -5.25])) == pytest.approx([0.5, 0.75, -0.5, -1.0, -0.75, -0.75])
