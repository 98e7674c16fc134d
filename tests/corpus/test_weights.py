"""Clips of one long file count together like a few sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from hits import RATE, hit
from timbrespace.corpus.doctor.doctor import doctor
from timbrespace.corpus.prepare import prepare
from timbrespace.corpus.prepared.weights import clip_weights, counted_clips, long_files, weights_of


@pytest.mark.parametrize(
    ("one_shots", "long", "counts_as"),
    [(87, 60, 4.0), (40, 60, 4.0), (39, 60, 4.0), (19, 60, 2.0), (12, 60, 1.3), (3, 60, 1.0), (87, 5, 4.0)],
)
def test_a_long_file_counts_like_a_few_sounds(one_shots: int, long: int, counts_as: float) -> None:
    weights = clip_weights([*map(str, range(one_shots)), *["rain"] * long])
    assert weights[:one_shots] == [1.0] * one_shots
    assert sum(weights[one_shots:]) == pytest.approx(counts_as)
    assert len(set(weights[one_shots:])) == 1


@pytest.mark.parametrize(
    "counts", [[1] * 50, [1] * 50 + [4], [60], [60, 50], [30, 12, 40, 45, 33], [1], []], ids=lambda counts: f"{counts[:3]}{len(counts)}"
)
def test_nothing_changes_where_no_file_is_long(counts: list[int]) -> None:
    files = [str(file) for file, count in enumerate(counts) for _ in range(count)]
    weights = clip_weights(files)
    assert weights == [1.0] * len(files)
    assert counted_clips(range(0, len(files), 2), files, weights) == list(range(0, len(files), 2))
    assert long_files(files, weights) is None


def test_no_limit() -> None:
    assert clip_weights([*"abcdefgh", *"z" * 90], limit=None) == [1.0] * 98


def test_counted_clips_are_spread_evenly() -> None:
    files = [*map(str, range(60)), *["rain"] * 40, *["pad"] * 8]
    weights = clip_weights(files)
    counted = counted_clips(range(len(files)), files, weights)
    assert counted[:60] == list(range(60))
    assert counted[60:64] == [65, 75, 85, 95]  # the middles of four parts
    assert [i - 100 for i in counted[64:]] == [1, 3, 5, 7]
    few = counted_clips([70, 71, 72], files, weights)
    assert few == [71]  # three of forty weigh 0.3 together: one is left


def test_doctor_says_how_many_clips_a_long_file_would_be_and_prepare_agrees(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(10):
        soundfile.write(folder / f"k{k}.wav", hit(0.2 + 0.02 * k, seed=k), RATE)
    soundfile.write(folder / "rain.wav", 0.1 * np.random.default_rng(0).standard_normal(30 * RATE), RATE)
    soundfile.write(folder / "seven.wav", np.concatenate([hit(3.0, seed=31), hit(3.5, seed=32)]), RATE)
    report = doctor(folder)
    corpus = prepare(folder, tmp_path / "c")
    assert report.clips == len(corpus)
    assert report.clips_by_file["rain.wav"] == sum(clip.file == "rain.wav" for clip in corpus.clips) == 15
    (finding,) = [one for one in report.findings if one.kind == "long files"]
    assert (finding.count, finding.what, finding.files) == (
        1,
        f"is long, and would be 15 of all {len(corpus)} clips",
        ["rain.wav: 15 clips"],
    )
    assert sum(weight for clip, weight in zip(corpus.clips, weights_of(corpus.clips), strict=True) if clip.file == "rain.wav") == (
        pytest.approx(1.2)
    )
    assert "count like 1 sound " in finding.do


def test_doctor_is_silent_about_one_shots(good: Path) -> None:
    report = doctor(good)
    assert report.clips == 3
    assert not report.clips_by_file
    assert "long files" not in {finding.kind for finding in report.findings}
