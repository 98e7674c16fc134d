"""The mixture of Gaussians over the latents: fitting, drawing, and corpora of one or two sounds."""

from __future__ import annotations

import pytest
import torch

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.latent.paths import line
from timbrespace.latent.space import LatentSpace
from timbrespace.noise import Noise, Purpose


def two_kinds(count: int = 600) -> tuple[torch.Tensor, list[str | None]]:
    """Two Gaussians of known mean and spread: 'a' twice as common as 'b'."""
    rng = torch.Generator().manual_seed(0)
    a = torch.randn(2 * count, 3, generator=rng) * torch.tensor([0.5, 1.0, 0.1]) + torch.tensor([10.0, 0.0, 0.0])
    b = torch.randn(count, 3, generator=rng) * torch.tensor([0.5, 1.0, 0.1]) + torch.tensor([-10.0, 5.0, 1.0])
    return torch.cat([a, b]), ["a"] * (2 * count) + ["b"] * count


def draws(space: LatentSpace, count: int, **options: object) -> tuple[torch.Tensor, list[str | None]]:
    noise = Noise(1, Purpose.LATENT)
    found = [space.draw(noise, **options) for _ in range(count)]  # type: ignore[arg-type]
    return torch.stack([z for z, _ in found]), [label for _, label in found]


def test_draws_have_the_statistics_of_the_corpus() -> None:
    points, kinds = two_kinds()
    space = LatentSpace.fit(points, kinds)
    assert float(space.weights.sum()) == pytest.approx(1.0, abs=1e-5)
    drawn, labels = draws(space, 4000)
    assert labels.count("a") / len(labels) == pytest.approx(2 / 3, abs=0.03)
    for kind in "ab":
        real = points[[k == kind for k in kinds]]
        new = drawn[[label == kind for label in labels]]
        torch.testing.assert_close(new.mean(0), real.mean(0), rtol=0, atol=0.12)
        assert (new.std(0) / real.std(0) > 0.8).all()
        assert (new.std(0) / real.std(0) < 1.5).all()


def test_components_keep_to_one_category() -> None:
    points, kinds = two_kinds()
    space = LatentSpace.fit(points, kinds)
    assert space.categories == ["a", "b"]
    for mean, label in zip(space.means, space.labels, strict=True):
        assert (mean[0] > 0) == (label == "a")


def test_draws_of_a_category_have_that_category() -> None:
    points, kinds = two_kinds()
    space = LatentSpace.fit(points, kinds)
    drawn, labels = draws(space, 200, category="b")
    assert set(labels) == {"b"}
    assert (drawn[:, 0] < -5).all()
    with pytest.raises(ConfigError, match="'c', this instrument has a, b"):
        draws(space, 1, category="c")
    with pytest.raises(ConfigError, match="had no categories"):
        draws(LatentSpace.fit(points, [None] * len(points)), 1, category="a")


def test_temperature_scales_the_spread() -> None:
    points, _ = two_kinds()
    points = points[:5]  # one component
    space = LatentSpace.fit(points, ["a"] * 5)
    assert len(space.labels) == 1
    cold, _ = draws(space, 20, temperature=0.0)
    assert torch.equal(cold, space.means.expand(20, -1))
    one, _ = draws(space, 3000, temperature=1.0)
    two, _ = draws(space, 3000, temperature=2.0)
    torch.testing.assert_close((two - space.means).std(0), 2 * (one - space.means).std(0), rtol=1e-3, atol=1e-3)


def test_sounds_without_a_category_are_drawn_too() -> None:
    points, _ = two_kinds(50)
    kinds: list[str | None] = [None] * 100 + ["b"] * 50
    space = LatentSpace.fit(points, kinds)
    assert space.categories == ["b"]
    assert set(draws(space, 200)[1]) == {None, "b"}


@pytest.mark.parametrize("clips", [1, 2, 3, 7])
@pytest.mark.parametrize("own_kind", [True, False])
def test_very_small_corpora(clips: int, own_kind: bool) -> None:
    points = torch.randn(clips, 32, generator=torch.Generator().manual_seed(3))
    kinds: list[str | None] = [f"kind {k}" if own_kind else None for k in range(clips)]
    space = LatentSpace.fit(points, kinds)
    drawn, _ = draws(space, 50)
    assert torch.isfinite(drawn).all()
    assert (drawn.std(0) > 0).all()
    if own_kind:
        assert sorted(space.categories) == sorted(k for k in kinds if k)
        for k, label in enumerate(space.labels):
            torch.testing.assert_close(space.means[k], points[kinds.index(label)])


def test_equal_sounds_do_not_break_the_fit() -> None:
    space = LatentSpace.fit(torch.ones(20, 4), ["a"] * 20)
    assert torch.isfinite(draws(space, 10)[0]).all()


def test_fit_and_draw_are_deterministic() -> None:
    points, kinds = two_kinds(100)
    one, two = LatentSpace.fit(points, kinds, seed=3), LatentSpace.fit(points, kinds, seed=3)
    assert torch.equal(one.means, two.means)
    assert torch.equal(one.factors, two.factors)
    assert torch.equal(draws(one, 20)[0], draws(two, 20)[0])


def test_around_has_the_pooled_spread() -> None:
    points, kinds = two_kinds()
    space = LatentSpace.fit(points, kinds)
    noise = Noise(0, Purpose.LATENT)
    centre = torch.tensor([1.0, 2.0, 3.0])
    assert torch.equal(space.around(centre, noise, amount=0.0), centre)
    near = torch.stack([space.around(centre, noise, amount=1.0) for _ in range(3000)])
    torch.testing.assert_close(near.mean(0), centre, rtol=0, atol=0.1)
    covariance = space.shared @ space.shared.T
    torch.testing.assert_close(torch.cov(near.T), covariance, rtol=0.2, atol=0.05)


# --- lines ------------------------------------------------------------------------------------------------------------------


def test_lines_pass_through_their_corners() -> None:
    corners = torch.tensor([[0.0, 0.0], [1.0, 2.0], [5.0, 2.0]])
    points = line(corners, 9)
    assert points.shape == (9, 2)
    assert torch.equal(points[0], corners[0])
    assert torch.equal(points[4], corners[1])
    assert torch.equal(points[8], corners[2])
    torch.testing.assert_close(points[2], torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(points[6], torch.tensor([3.0, 2.0]))


def test_a_line_of_two_points_is_even() -> None:
    points = line(torch.tensor([[0.0], [7.0]]), 8)
    torch.testing.assert_close(points[:, 0], torch.arange(8.0))
    assert torch.equal(line(torch.tensor([[0.0], [7.0]]), 1), torch.tensor([[0.0]]))
    assert torch.equal(line(torch.tensor([[0.0], [7.0]]), 2), torch.tensor([[0.0], [7.0]]))


def test_a_line_needs_two_points() -> None:
    for points, steps in ((torch.zeros(1, 3), 4), (torch.zeros(3), 4), (torch.zeros(2, 3), 0)):
        with pytest.raises(ShapeError, match="a line needs"):
            line(points, steps)


def test_an_anonymous_space_has_no_component_of_a_single_sound() -> None:
    latents = torch.randn(40, 4, generator=torch.Generator().manual_seed(0)) * 0.3
    categories: list[str | None] = ["kick"] * 20 + ["snare"] * 16 + ["gong", "bell", "bell", None]
    latents[36:] += 5
    space = LatentSpace.fit(latents, categories)
    assert "gong" in space.categories
    open_space = space.anonymous(40)
    assert open_space.categories == ["kick", "snare"]
    assert float(open_space.weights.sum()) == pytest.approx(1, abs=1e-5)
    nearest = torch.cdist(open_space.means, latents).min()
    assert float(torch.cdist(space.means, latents).min()) < 1e-4 < float(nearest)
    assert space.anonymous(40).draw(Noise(0, Purpose.LATENT))[0].isfinite().all()
    few = LatentSpace.fit(latents[:2], [None, None])
    assert few.anonymous(2) is few  # nothing would be left
    assert open_space.means.is_contiguous()
    assert open_space.factors.is_contiguous()  # as when read from a file, or products would round otherwise


def test_an_anonymous_space_draws_other_components_as_before() -> None:
    latents = torch.randn(40, 4, generator=torch.Generator().manual_seed(0)) * 0.3
    for last, kinds in ((4, ["gong", "bell", "bell", None]), (1, ["gong"])):  # merged, and too few to be merged
        space = LatentSpace.fit(latents, [*["kick"] * 20, *["snare"] * (20 - last), *kinds])
        shared = space.anonymous(40)
        same = 0
        for seed in range(60):
            (one, kind), (other, shared_kind) = (some.draw(Noise(seed, Purpose.LATENT)) for some in (space, shared))
            if kind in ("kick", "snare"):
                assert torch.equal(one, other)
                assert kind == shared_kind
                same += 1
            else:
                assert shared_kind in (None, "kick", "snare")
                assert not torch.equal(one, other)
        assert same > 40


def test_around_a_point_of_known_coordinates() -> None:
    covariance = torch.tensor([[4.01, 2.0], [2.0, 1.0]])  # the first is twice the second, and 0.1 of its own
    shared = torch.linalg.cholesky(covariance)
    point = torch.tensor([5.0, 3.0])
    space = LatentSpace(torch.ones(1), torch.zeros(1, 2), shared[None], shared, (None,))
    free, held = (torch.stack([space.around(point, Noise(0, k), amount=1.0, known=n) - point for k in range(2000)]) for n in (0, 1))
    assert float(held[:, 1].abs().max()) == pytest.approx(0, abs=1e-5)
    assert float(held[:, 0].std()) == pytest.approx(0.1, rel=0.05)
    assert float(free[:, 0].std()) == pytest.approx(2, rel=0.05)


def test_a_category_follows_how_it_is_played() -> None:
    generator = torch.Generator().manual_seed(0)
    played = torch.randn(80, 1, generator=generator).clamp(-1.5, 1.5)
    own = torch.randn(80, 2, generator=generator)
    steep = torch.cat([own[:, :1] + 2 * played, own[:, 1:], played], 1)
    level = torch.cat([own, played], 1)
    space = LatentSpace.fit(torch.cat([steep, level]), ["steep"] * 80 + ["level"] * 80, played=-1)
    plain = LatentSpace.fit(torch.cat([steep, level]), ["steep"] * 80 + ["level"] * 80)
    for category, wanted in (("steep", 2.0), ("level", 0.0)):
        low, high = (space.draw(Noise(1, 5), category=category, played={-1: value})[0] for value in (-1.0, 1.0))
        assert ((high - low) / 2)[0] == pytest.approx(wanted, abs=0.25)
        assert float(space.slope(category, -1)[0]) == pytest.approx(wanted, abs=0.25)
        assert float(space.slope(category, -1)[2]) == pytest.approx(1)
    assert not space.slope("other", -1).any()
    assert float(plain.slope("steep", -1)[0]) < 1.5  # within small components, shrunk to the covariance of all
    torch.testing.assert_close(space.factors[:, -1].norm(dim=1), plain.factors[:, -1].norm(dim=1), rtol=1e-3, atol=0)
