"""Search, duplicates, outliers, clusters and classification on sounds whose neighbours are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from made import blobs, made

from timbrespace.audio.describe import DESCRIPTORS, NAMES
from timbrespace.contracts import ConfigError
from timbrespace.space.neighbours import duplicates as duplicates_module
from timbrespace.space.neighbours.classify import Classifier
from timbrespace.space.neighbours.clusters import clusters
from timbrespace.space.neighbours.duplicates import duplicates
from timbrespace.space.neighbours.metric import Metric, nearest
from timbrespace.space.neighbours.outliers import outliers
from timbrespace.space.neighbours.search import search
from timbrespace.space.neighbours.validate import cross_validate, groups_of
from timbrespace.space.neighbours.words import comparative, differences, unusual


def line(count: int) -> torch.Tensor:
    return torch.arange(float(count))[:, None]


class TestMetric:
    def test_one_is_the_median_distance_of_two_sounds(self) -> None:
        points, kinds = blobs([30, 30, 30])
        sounds = made(points, categories=kinds)
        for by in ("all", "sound", "latent"):
            assert float(torch.pdist(Metric.fit(sounds, by=by).points(sounds)).median()) == pytest.approx(1.0)

    def test_does_not_depend_on_the_units_of_embedding_and_latent(self) -> None:
        points, _ = blobs([20, 20])
        sounds = made(points)
        other = made(points)
        other.latents.mul_(1000.0)
        assert torch.allclose(Metric.fit(sounds).points(sounds), Metric.fit(other).points(other), atol=1e-4)

    def test_categories_bring_their_sounds_together(self) -> None:
        # The first coordinate tells the categories apart and hardly varies; the second is large and tells nothing.
        random = torch.Generator().manual_seed(1)
        points = torch.randn(80, 2, generator=random) * torch.tensor([0.1, 10.0])
        kinds = ["a", "b"] * 40
        points[:, 0] += torch.tensor([0.0, 1.0]).repeat(40)

        def precision(sounds: object) -> float:
            place = Metric.fit(sounds).points(sounds)  # type: ignore[arg-type]
            _, indices = nearest(place, place, 5, same=True)
            return float((indices % 2 == torch.arange(80)[:, None] % 2).double().mean())

        assert precision(made(points)) < 0.7
        assert precision(made(points, categories=kinds)) > 0.95

    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_few_and_equal_sounds(self, count: int) -> None:
        sounds = made(torch.zeros(count, 2), categories=["a"] * count)
        points = Metric.fit(sounds).points(sounds)
        assert torch.isfinite(points).all()
        assert float(points.abs().max()) == 0.0

    def test_unknown_block(self) -> None:
        with pytest.raises(ConfigError, match="all, sound, latent"):
            Metric.fit(made(line(3)), by="ear")


class TestNearest:
    def test_against_all_distances(self) -> None:
        random = torch.Generator().manual_seed(2)
        points, others = torch.randn(7, 3, generator=random).double(), torch.randn(50, 3, generator=random).double()
        distances, indices = nearest(points, others, 4)
        expected = (points[:, None] - others[None]).norm(dim=2).sort(dim=1)
        assert torch.allclose(distances, expected.values[:, :4])
        assert torch.equal(indices, expected.indices[:, :4])

    def test_a_sound_is_not_its_own_neighbour(self) -> None:
        points = line(5).double()
        _, indices = nearest(points, points, 9, same=True)
        assert indices.shape == (5, 4)
        assert indices[0].tolist() == [1, 2, 3, 4]

    def test_more_than_there_are(self) -> None:
        assert nearest(line(2).double(), line(3).double(), 10)[1].shape == (2, 3)


class TestSearch:
    def test_a_sound_of_the_corpus_finds_itself_first(self) -> None:
        points, kinds = blobs([10, 10])
        corpus = made(points, categories=kinds)
        metric = Metric.fit(corpus)
        for row, found in enumerate(search(metric, corpus, corpus, 3)):
            assert (found[0].index, found[0].distance, found[0].similarity) == (row, 0.0, 100.0)
            assert [match.distance for match in found] == sorted(match.distance for match in found)

    def test_same_leaves_the_sound_out_also_within_a_category(self) -> None:
        points, kinds = blobs([4, 5])
        corpus = made(points, categories=kinds)
        found = search(Metric.fit(corpus), corpus, corpus, 10, category="a", same=True)
        assert [len(one) for one in found] == [3] * 4 + [4] * 5
        assert all(match.category == "a" and match.index != row for row, one in enumerate(found) for match in one)

    def test_words_for_the_difference(self) -> None:
        descriptors = torch.zeros(4, len(NAMES))
        descriptors[:, NAMES.index("brightness")] = torch.tensor([10.0, 10.0, 13.0, 10.2])
        corpus = made(line(4), descriptors=descriptors)
        found = {match.index: match.differences for match in search(Metric.fit(corpus), corpus.only([0]), corpus, 4)[0]}
        assert found == {0: (), 1: (), 2: ("much brighter",), 3: ()}

    @pytest.mark.parametrize("count", [0, -1, 10_001, 2.0, True])
    def test_refuses_counts(self, count: int) -> None:
        corpus = made(line(3))
        with pytest.raises(ConfigError, match="allowed is 1 to 10000"):
            search(Metric.fit(corpus), corpus, corpus, count)

    def test_refuses_an_unknown_category(self) -> None:
        corpus = made(line(3), categories=["kick", "snare", None])
        with pytest.raises(ConfigError, match="kick, snare"):
            search(Metric.fit(corpus), corpus, corpus, category="gong")


class TestDuplicates:
    def test_sets_by_distance(self) -> None:
        points = torch.tensor([[0.0], [0.05], [10], [10.6], [11.2], [50], [60], [60]])
        found = duplicates(made(points))
        assert [(one.rows, one.same) for one in found] == [((6, 7), True), ((0, 1), True), ((2, 3, 4), False)]
        assert found[2].distance == pytest.approx(0.6, abs=1e-5)
        assert [one.rows for one in duplicates(made(points), within=0.5)] == [(6, 7), (0, 1)]

    def test_many_equal_sounds_in_small_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(duplicates_module, "_BLOCK", 64)
        random = np.random.default_rng(0)
        kinds = random.integers(0, 7, 60)
        found = duplicates(made(torch.from_numpy(5.0 * kinds[:, None]).float()))
        assert sorted(one.rows for one in found) == sorted(tuple(np.flatnonzero(kinds == k).tolist()) for k in range(7))

    def test_one_sound_and_none(self) -> None:
        assert duplicates(made(line(1))) == []
        assert duplicates(made(torch.zeros(0, 1))) == []

    @pytest.mark.parametrize("within", [0.0, -1.0, 11.0, math.nan])
    def test_refuses_thresholds(self, within: float) -> None:
        with pytest.raises(ConfigError, match="allowed is over 0 to 10 dB"):
            duplicates(made(line(2)), within=within)


class TestOutliers:
    def test_the_strange_sound_is_first_and_says_why(self) -> None:
        random = torch.Generator().manual_seed(3)
        points = torch.randn(60, 3, generator=random)
        descriptors = torch.randn(60, len(NAMES), generator=random)
        points[7] = 15.0
        descriptors[7, NAMES.index("decay")] = 9.0
        first, second, *_ = outliers(Metric.fit(made(points)), made(points, descriptors=descriptors))
        assert (first.name, first.is_outlier, first.beyond) == ("sound 7", True, 100.0)
        assert first.reasons[0] == "more ringing than all of the corpus"
        assert not second.is_outlier

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("more", [True, False])
    def test_each_descriptor_is_named(self, name: str, more: bool) -> None:
        others = torch.linspace(-1, 1, 201)[:, None].expand(201, len(NAMES))
        values = torch.zeros(len(NAMES))
        values[NAMES.index(name)] = 0.985 if more else -0.985  # beyond 199 of 201
        assert unusual(values, others) == [f"{comparative(name, more=more)} than 99 % of the corpus"]
        values[NAMES.index(name)] = 0.9 if more else -0.9
        assert unusual(values, others) == []

    def test_an_unusual_member_of_its_category(self) -> None:
        descriptors = torch.randn(60, len(NAMES), generator=torch.Generator().manual_seed(5)) * 0.1
        column = NAMES.index("brightness")
        descriptors[30:, column] += 5.0
        descriptors[0] = 0.0
        descriptors[0, column] = 4.9  # usual in the corpus, not for a kick
        points = torch.randn(60, 3, generator=torch.Generator().manual_seed(6))
        sounds = made(points, categories=["kick"] * 30 + ["hat"] * 30, descriptors=descriptors)
        (one,) = [one for one in outliers(Metric.fit(sounds), sounds) if one.name == "sound 0"]
        assert one.reasons == ("brighter than all of the category kick",)

    def test_given_sounds_against_a_corpus(self) -> None:
        points, _ = blobs([40])
        corpus = made(points)
        given = made(torch.cat([points[:1] + 0.1, torch.full((1, 3), 90.0)]), names=["usual", "strange"])
        first, second = outliers(Metric.fit(corpus), given, corpus)
        assert (first.name, first.is_outlier, second.name, second.is_outlier) == ("strange", True, "usual", False)

    @pytest.mark.parametrize("count", [1, 2, 4])
    def test_few_sounds(self, count: int) -> None:
        found = outliers(Metric.fit(made(line(count))), made(line(count)))
        assert len(found) == count
        assert not found[0].is_outlier

    def test_no_words_for_what_is_not_defined(self) -> None:
        others = torch.full((20, len(NAMES)), torch.nan)
        assert unusual(torch.ones(len(NAMES)), others) == []
        assert differences(torch.ones(len(NAMES)), torch.full((len(NAMES),), torch.nan), torch.ones(len(NAMES))) == []


class TestClusters:
    @pytest.mark.parametrize("counts", [[40], [30, 30], [40, 20, 30], [25, 25, 25, 25]])
    def test_finds_the_groups(self, counts: list[int]) -> None:
        points, kinds = blobs(counts)
        found = clusters(Metric.fit(made(points)), made(points))
        assert sorted(len(one.rows) for one in found) == sorted(counts)
        assert all(len({kinds[row] for row in one.rows}) == 1 for one in found)

    def test_given_number_and_examples(self) -> None:
        points, kinds = blobs([20, 20])
        found = clusters(Metric.fit(made(points)), made(points, categories=kinds), 2)
        for one in found:
            members = points[list(one.rows)]
            medoid = int(torch.cdist(members, members).mean(1).argmin())
            assert one.examples[0] == one.names[medoid] == one.names[0]
            assert len(set(one.examples)) == 3
            assert set(one.categories.values()) == {20}
            assert one.title in ("a", "b")

    def test_what_is_common(self) -> None:
        points, _ = blobs([30, 30])
        descriptors = torch.randn(60, len(NAMES), generator=torch.Generator().manual_seed(7)) * 0.1
        descriptors[:30, NAMES.index("length")] += 2.0
        found = clusters(Metric.fit(made(points)), made(points, descriptors=descriptors), 2)
        words = {min(one.rows): one.words for one in found}
        assert words[0][0].endswith(DESCRIPTORS["length"].more)
        assert words[30][0].endswith(DESCRIPTORS["length"].less)

    def test_equal_sounds_are_one_cluster(self) -> None:
        (one,) = clusters(Metric.fit(made(torch.zeros(9, 2))), made(torch.zeros(9, 2)))
        assert len(one.rows) == 9

    @pytest.mark.parametrize("count", [0, 65, 4, 2.5])
    def test_refuses_numbers(self, count: int) -> None:
        with pytest.raises(ConfigError, match="3 different sounds"):
            clusters(Metric.fit(made(line(3))), made(line(3)), count)


class TestRecognition:
    def test_separable_categories(self) -> None:
        points, kinds = blobs([20, 20, 20])
        sounds = made(points, categories=kinds)
        assert [one.category for one in Classifier.fit(sounds).classify(sounds)] == kinds
        result = cross_validate(sounds, groups=np.arange(60))
        assert (result.accuracy, result.named, result.baseline_accuracy) == (1.0, result.found, None)
        assert result.right == {"a": (20, 20), "b": (20, 20), "c": (20, 20)}

    def test_a_group_is_never_in_training_and_test(self) -> None:
        # Every group has its own place, so that a sound can only be recognised by others of its group.
        random = torch.Generator().manual_seed(8)
        centres = torch.randn(20, 40, generator=random) * 30
        points = centres.repeat_interleave(5, 0) + torch.randn(100, 40, generator=random) * 0.01
        kinds = [str(k % 4) for k in range(20) for _ in range(5)]
        groups = np.repeat(np.arange(20), 5)
        assert cross_validate(made(points, categories=kinds), groups=groups).accuracy < 0.6
        assert cross_validate(made(points, categories=kinds), groups=np.arange(100)).accuracy > 0.7

    def test_confidence_is_the_share_that_is_right(self) -> None:
        random = torch.Generator().manual_seed(9)
        kinds = ["a", "b"] * 150
        points = torch.randn(300, 1, generator=random) + torch.tensor([[-0.8], [0.8]]).repeat(150, 1)
        result = cross_validate(made(points, categories=kinds), groups=np.arange(300))
        assert 0.7 < result.accuracy < 0.9
        assert np.mean(result.confidences) == pytest.approx(result.accuracy, abs=0.03)

    def test_the_baseline_is_of_the_same_sounds(self) -> None:
        points, kinds = blobs([12, 12])
        sounds = made(points, categories=kinds)
        cepstra = torch.nn.functional.pad(points[:, :1], (0, 39))
        result = cross_validate(type(sounds)(**{**vars(sounds), "cepstra": cepstra}), groups=np.arange(24))
        assert result.baseline == {"a": (12, 12), "b": (12, 12)}

    def test_categories_of_one_group_are_not_tried(self) -> None:
        points, kinds = blobs([12, 12, 6])
        result = cross_validate(made(points, categories=kinds), groups=[*range(24), *[99] * 6])
        assert result.untried == ("c",)
        assert set(result.right) == {"a", "b"}

    @pytest.mark.parametrize("kinds", [[None] * 6, ["a"] * 6, ["a", "a", "b", "b", "c", "c"]])
    def test_too_few_categories(self, kinds: list[str | None]) -> None:
        with pytest.raises(ConfigError, match="two such categories"):
            cross_validate(made(line(6), categories=kinds), groups=range(6))
        with pytest.raises(ConfigError, match="two such categories"):
            Classifier.fit(made(line(6), categories=kinds))

    def test_kits_are_groups(self) -> None:
        names = [f"kit {k}/{kind} {n}" for k in range(3) for kind in ("kick", "snare") for n in range(4)]
        by, groups = groups_of(
            made(line(24) * 50, names=names, categories=["kick"] * 4 + ["snare"] * 4 + (["kick"] * 4 + ["snare"] * 4) * 2)
        )
        assert by == "kit"
        assert groups.tolist() == [k for k in range(3) for _ in range(8)]

    def test_folders_of_categories_are_no_groups(self) -> None:
        names = ["kick/a_060_050", "kick/a_060_090", "kick/b", "kick/b copy", "snare/c#1", "snare/c#2", "hat/d", "hat/e"]
        points = torch.tensor([[0.0], [50], [100], [100], [200], [250], [300], [350]])
        by, groups = groups_of(made(points, names=names, categories=["kick"] * 4 + ["snare"] * 2 + ["hat"] * 2))
        assert by == "hit"
        assert groups.tolist() == [0, 0, 2, 2, 4, 4, 6, 7]
