"""Near-duplicates and layers stay together; the split is by group, stratified, seeded and never leaves validation empty."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from hits import RATE, hit, save
from timbrespace.corpus import fingerprint as fingerprints
from timbrespace.corpus.fingerprint import fingerprint, near_pairs
from timbrespace.corpus.grouping import connected_components, layer_pairs
from timbrespace.corpus.labels.names import layer_key
from timbrespace.corpus.prepare import prepare
from timbrespace.corpus.splits import assign_splits


def test_near_duplicates_share_a_group(tmp_path):
    for i in range(20):
        save(tmp_path / "in" / f"{'abcdefghijklmnopqrst'[i]}.wav", hit(0.4, seed=i))
    again = np.concatenate([np.zeros(700), 0.4 * hit(0.4, seed=5)])
    soundfile.write(tmp_path / "in" / "zz.ogg", again, RATE)
    corpus = prepare(tmp_path / "in", tmp_path / "c")
    group = {c.name: c.group for c in corpus.clips}
    assert group["zz"] == group["f"]
    assert len(set(group.values())) == 20
    by_group = defaultdict(set)
    for clip in corpus.clips:
        by_group[clip.group].add(clip.split)
    assert all(len(splits) == 1 for splits in by_group.values())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(2, 60))
def test_near_pairs_joins_what_comparing_all_would_join(seed, count):
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 1, (count, 3)).astype(np.float32) @ rng.normal(0, 0.3, (3, 30)).astype(np.float32)
    points = points[rng.integers(0, count, count)]  # some rows twice
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    truth = np.argwhere(np.triu(distance < 1.0, 1))
    assert connected_components(count, near_pairs(points)).tolist() == connected_components(count, truth).tolist()


def test_many_near_pairs_are_replaced_by_fewer_that_join_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    points = (rng.normal(0, 0.05, (300, 30)) + 5.0 * rng.integers(0, 3, (300, 1))).astype(np.float32)  # three sounds a hundred times each
    whole = near_pairs(points)
    monkeypatch.setattr(fingerprints, "_MOST_PAIRS", 500)
    monkeypatch.setattr(fingerprints, "_CANDIDATES", 400)
    monkeypatch.setattr(fingerprints, "_COMPARED", 64)
    few = near_pairs(points)
    assert len(whole) > 10_000
    assert len(few) < 1_000
    components = connected_components(300, few).tolist()
    assert components == connected_components(300, whole).tolist()
    assert len(set(components)) == 3


def test_fingerprint_ignores_level_and_rate_but_not_the_sound():
    import soxr

    sound = hit(0.5, seed=3).astype(np.float32)
    one = fingerprint(sound[None], RATE)
    assert np.linalg.norm(one - fingerprint(0.1 * sound[None], RATE)) < 0.05
    assert np.linalg.norm(one - fingerprint(soxr.resample(sound, RATE, 48000)[None], 48000)) < 1.0
    assert np.linalg.norm(one - fingerprint(hit(0.5, seed=4).astype(np.float32)[None], RATE)) > 2.0


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=2, max_size=80), seed=st.integers(0, 5), kinds=st.integers(1, 4))
def test_split_by_group(sizes, seed, kinds):
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    categories = [f"k{int(g[1:]) % kinds}" for g in groups]
    splits = assign_splits(groups, categories, seed=seed)
    assert splits == assign_splits(groups, categories, seed=seed)
    where = defaultdict(set)
    for group, name in zip(groups, splits, strict=True):
        where[group].add(name)
    assert all(len(names) == 1 for names in where.values())
    counts = Counter(splits)
    assert counts["train"] >= 1
    assert counts["validation"] >= 1
    if len(groups) < 10:
        assert counts["test"] == 0
        assert counts["validation"] == min(sizes)
    if len(groups) >= 100:
        assert 0.04 < counts["validation"] / len(groups) < 0.16
        assert 0.04 < counts["test"] / len(groups) < 0.16


def test_split_is_stratified_and_seeded():
    groups = [f"g{i}" for i in range(400)]
    categories = ["kick"] * 200 + ["snare"] * 150 + ["hat"] * 50
    splits = assign_splits(groups, categories, seed=0)
    for kind, total in (("kick", 200), ("snare", 150), ("hat", 50)):
        inside = Counter(s for s, c in zip(splits, categories, strict=True) if c == kind)
        assert abs(inside["validation"] - 0.1 * total) <= 2
        assert abs(inside["test"] - 0.1 * total) <= 2
    assert splits != assign_splits(groups, categories, seed=1)


def test_tiny_splits():
    assert assign_splits(["a"], [None]) == ["train"]
    assert sorted(assign_splits(["a", "b"], [None, None])) == ["train", "validation"]
    assert assign_splits(["a", "a"], [None, None]) == ["train", "validation"]
    assert assign_splits(["a"] * 20, [None] * 20) == ["train"] * 16 + ["validation"] * 2 + ["test"] * 2


def test_a_single_group_is_split_by_sound_where_sounds_repeat() -> None:
    assert assign_splits(["a"] * 8, [None] * 8, sounds=[0, 1, 2, 3, 0, 1, 2, 3]) == (["train"] * 3 + ["validation"]) * 2
    assert assign_splits(["a"] * 8, [None] * 8, sounds=[0] * 8) == ["train"] * 8
    assert assign_splits(["a"] * 20, [None] * 20, sounds=list(range(20))) == assign_splits(["a"] * 20, [None] * 20)
    splits = assign_splits(["a"] * 40, [None] * 40, sounds=[i // 2 for i in range(40)])
    assert splits == ["train"] * 32 + ["validation"] * 4 + ["test"] * 4


def test_many_numbered_files_are_no_layers():
    few = [("d", *layer_key(f"Snare_{i}")) for i in range(4)]
    many = [("d", *layer_key(f"Kick {i:02d}")) for i in range(40)]
    said = [("d", *layer_key(f"Tom-v{10 * i:03d}")) for i in range(1, 12)]
    assert len(set(connected_components(4, layer_pairs(few)).tolist())) == 1
    assert len(set(connected_components(40, layer_pairs(many)).tolist())) == 40
    assert len(set(connected_components(11, layer_pairs(said)).tolist())) == 1
    assert len(layer_pairs([("a", "x", True), ("b", "x", True)])) == 0
