"""Measures of distributions and reconstruction tables against closed forms."""

import json
import math

import numpy as np
import pytest
import torch

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.evaluation import distribution as c
from timbrespace.evaluation import reconstruction as r
from timbrespace.evaluation import rows


def gauss(count: int, dims: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dims))


def test_frechet_of_shifted_and_scaled_points_is_exact():
    x = gauss(400) @ np.diag([1, 2, 3, 4, 1, 1, 1, 1])
    shift = np.arange(8.0)
    assert c.frechet_distance(x, x) == pytest.approx(0, abs=1e-8)
    assert c.frechet_distance(x, x + shift) == pytest.approx(float(np.square(shift).sum()))
    spread = np.trace(np.cov(x, rowvar=False))
    centred = x - x.mean(0)
    assert c.frechet_distance(centred, 3 * centred) == pytest.approx(4 * spread)  # (3 - 1)² trace


def test_frechet_of_known_gaussians_and_its_symmetry():
    x, y = gauss(20000, 3, seed=1), gauss(20000, 3, seed=2) * [1, 2, 3] + [1, 0, 0]
    assert c.frechet_distance(x, y) == pytest.approx(1 + 0 + 1 + 4, rel=0.05)
    assert c.frechet_distance(x, y) == pytest.approx(c.frechet_distance(y, x))


def test_frechet_with_fewer_points_than_dims_is_finite():
    assert math.isfinite(c.frechet_distance(gauss(5, 60), gauss(6, 60, seed=1)))


def test_density_and_coverage_of_known_sets():
    line = np.arange(20.0)[:, None]  # the ball of an inner point reaches its two neighbours on each side (k = 4)
    assert c.density_coverage(np.array([[10.0]]), line, neighbours=4) == pytest.approx((5 / 4, 5 / 20))
    assert c.density_coverage(line, line, neighbours=4)[1] == 1
    assert c.density_coverage(line + 1000, line, neighbours=4) == (0, 0)
    assert c.density_coverage(np.repeat(line[:10], 2, axis=0), line, neighbours=4)[1] == pytest.approx(12 / 20)


def test_density_and_coverage_of_one_distribution():
    x, y = gauss(600, 4), gauss(600, 4, seed=1)
    density, coverage = c.density_coverage(x, y)
    assert density == pytest.approx(1, abs=0.1)
    assert coverage == pytest.approx(1 - 2.0**-5, abs=0.03)  # Naeem et al. 2020, eq. 11: 1 - (1/2)^k for equal numbers
    outlier = np.concatenate([y, [[1000.0] * 4]])
    far = c.density_coverage(np.full((10, 4), 500.0), outlier)
    assert far[0] == pytest.approx(1 / 5)  # in the outlier's ball alone: precision would be 1
    assert c.precision_recall(np.full((10, 4), 500.0) + gauss(10, 4), outlier)[0] == 1
    with pytest.raises(ConfigError, match="neighbours is 7, allowed is 1 to 4"):
        c.density_coverage(x, y[:5], neighbours=7)


def test_precision_and_recall_of_subsets():
    real = gauss(200)
    assert c.precision_recall(real, real) == (1.0, 1.0)
    low = real[real[:, 0] < 0]
    precision, recall = c.precision_recall(low, real)
    assert precision == 1.0
    assert recall < 0.9
    assert c.precision_recall(real + 100, real) == (0.0, 0.0)
    spread = np.concatenate([real[:100], real[:100] + 100])
    assert c.precision_recall(spread, real)[0] == pytest.approx(0.5)
    with pytest.raises(ConfigError, match="neighbours"):
        c.precision_recall(real[:3], real)


@pytest.mark.parametrize(("neighbours", "share"), [(1, 1 / 3), (2, 2 / 3)])
def test_precision_of_points_on_a_line(neighbours, share):
    # Real points at 0 … 9: the last one's ball has radius 1 with one neighbour and 2 with two.
    made = np.array([[4.5], [10.5], [13.0]])
    assert c.precision_recall(made, np.arange(10.0)[:, None], neighbours=neighbours)[0] == pytest.approx(share)


def test_two_sample_accuracy_of_same_and_of_far_sets():
    same = np.mean([c.two_sample_accuracy(gauss(200, seed=k), gauss(200, seed=k + 50)) for k in range(3)])
    assert 0.43 < same < 0.57
    assert c.two_sample_accuracy(gauss(200), gauss(200, seed=1) + 5) > 0.99
    # The spread differs, the mean does not: a straight line could not tell.
    assert c.two_sample_accuracy(gauss(200), 3 * gauss(200, seed=1)) > 0.9


def test_copies_have_novelty_zero_and_real_sounds_one():
    train, held, fresh = gauss(300), gauss(100, seed=1), gauss(100, seed=2)
    assert c.novelty(train[:50], train, held) == 0
    assert c.novelty(fresh, train, held) == pytest.approx(1, abs=0.15)
    assert c.novelty(held, train, held) == 1
    assert c.novelty(fresh, held, held) == math.inf


def test_near_duplicates_names_each_later_point_once():
    x = gauss(1100, 6) * 100
    x[700] = x[3] + 0.1
    x[900] = x[700] + 0.1
    assert c.near_duplicates(x, threshold=1.0) == [(3, 700), (700, 900)]


def test_nearest_is_exact_over_blocks():
    x = gauss(1200)
    index, distance = c.nearest(x, x)
    assert (index == np.arange(1200)).all()
    assert distance.max() == 0


def test_compare_real_sounds_copies_and_distant_sounds():
    real = 20 * gauss(900, 6)  # far enough apart that none is a double by chance
    train, held, more = real[:400], real[400:650], torch.tensor(real[650:])
    fair = c.compare(more, held, training=train, count=200, splits=3)
    assert fair["n"] == 200
    assert fair["frechet_ratio"] == pytest.approx(1, abs=0.5)
    assert abs(fair["accuracy"] - 0.5) < 0.1
    assert abs(fair["real_accuracy"] - 0.5) < 0.1
    assert fair["recall"] == pytest.approx(fair["real_recall"], abs=0.1)
    assert fair["novelty"] == pytest.approx(1, abs=0.15)
    copier = c.compare(np.concatenate([train[:150]] * 2), held, training=train, splits=2)
    assert {key: copier[key] for key in ("novelty", "copies", "duplicates", "real_copies")} == {
        "novelty": 0,
        "copies": 1,
        "duplicates": 0.5,
        "real_copies": 0,
    }
    stranger = c.compare(more + 60, held, training=train, count=200, splits=2)
    assert stranger["frechet_ratio"] > 20
    assert stranger["accuracy"] > 0.95
    assert stranger["recall"] < 0.1
    json.dumps([fair, copier, stranger])


def test_compare_is_repeatable_and_works_without_training_sounds():
    a, b = gauss(60), gauss(60, seed=1)
    one, two = (c.compare(a, b, splits=2, seed=4) for _ in range(2))
    assert one == two
    assert one["n"] == 30
    assert one["novelty"] is None
    assert c.compare(a, b, splits=2, seed=5) != one
    with pytest.raises(ShapeError, match="too few"):
        c.compare(a[:3], b)
    with pytest.raises(ShapeError, match="dims"):
        c.compare(a, b[:, :4])
    with pytest.raises(ShapeError, match="NaN"):
        c.compare(np.full((9, 2), np.nan), b)


def drum(seed: int, seconds: float = 0.3, t60: float = 0.2) -> torch.Tensor:
    t = torch.arange(round(seconds * 44100)) / 44100
    return torch.randn(1, len(t), generator=torch.Generator().manual_seed(seed)) * 0.2 * 10 ** (-3 * t / t60)


def test_table_orders_a_perfect_reconstruction_the_nearest_the_mean_and_silence():
    training = [drum(k, t60=0.1 + 0.1 * (k % 3)) for k in range(6)] + [torch.sin(torch.arange(40000) * 0.02)[None]]
    originals = [drum(20, t60=0.1), drum(21, t60=0.3), training[6] * 0.3]
    reconstructions = {"same": [0.5 * sound for sound in originals], **rows.control_rows(originals, training)}
    table = r.reconstruction_table(reconstructions, originals, resamples=200)
    assert list(table) == ["same", "silence", "mean of the corpus", "nearest training sound"]
    assert all(table["same"][key]["mean"] < 0.01 for key in r.MEASURES)
    error = {name: row["sound_db"]["mean"] for name, row in table.items()}
    assert error["nearest training sound"] < error["mean of the corpus"] < error["silence"]
    assert table["silence"]["decay_percent"]["mean"] == pytest.approx(100)
    assert table["silence"]["grain_db"]["count"] <= table["silence"]["log_mel_db"]["count"] == 3
    assert torch.equal(reconstructions["nearest training sound"][2], training[6])
    text = r.markdown_table(table).splitlines()
    assert len(text) == 6
    assert text[2].startswith("| same | 0.00 (0.00–0.00)")
    assert {line.count("|") for line in text} == {7}


def test_bootstrap_interval_is_that_of_the_mean():
    values = torch.tensor(np.random.default_rng(0).normal(5, 2, size=400))
    found = r.summary(values, resamples=2000, seed=1)
    assert found["mean"] == pytest.approx(float(values.mean()))
    half = 1.96 * float(values.std()) / 20
    assert found["high"] - found["mean"] == pytest.approx(half, rel=0.15)
    assert found["mean"] - found["low"] == pytest.approx(half, rel=0.15)
    assert found == r.summary(values, resamples=2000, seed=1)
    assert r.summary(torch.tensor([1.0, math.nan, 3.0]))["count"] == 2
    assert r.summary(torch.tensor([math.nan]))["count"] == 0


def test_mean_of_the_corpus_has_the_mean_log_spectrum():
    # Two gains of one sound: levels are made equal first, so their mean is the sound itself, up to its phase.
    sound = drum(1)
    mean = rows.corpus_mean([sound], [sound, 0.1 * sound])
    assert float(r.distance.log_mel_error([sound], mean)) < 3
    with pytest.raises(ShapeError):
        rows.corpus_mean([sound], [])
