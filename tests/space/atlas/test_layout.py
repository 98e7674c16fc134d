"""Layouts of a map: what stays near, both directions, determinism, methods that are missing."""

import sys

import pytest
import torch

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.space.atlas.layout import METHODS, fit_layout

CHEAP = [name if name != "umap" else pytest.param(name, marks=pytest.mark.slow) for name in METHODS]  # umap compiles for half a minute


def islands(each: int = 30, dims: int = 6, spread: float = 0.05) -> tuple[torch.Tensor, torch.Tensor]:
    """Points around four far corners, and the corner of each."""
    generator = torch.Generator().manual_seed(4)
    corners = 3 * torch.randn(4, dims, generator=generator)
    points = corners.repeat_interleave(each, 0) + spread * torch.randn(4 * each, dims, generator=generator)
    return points, torch.arange(4).repeat_interleave(each)


@pytest.mark.parametrize("name", CHEAP)
def test_groups_stay_together_and_the_map_is_within_its_square(name: str) -> None:
    points, corner = islands()
    layout = fit_layout(points, name)
    assert layout.method == name
    assert layout.positions.abs().max() == pytest.approx(1.0)
    near = torch.cdist(layout.positions, layout.positions).fill_diagonal_(9).argmin(1)
    assert (corner[near] == corner).all()


@pytest.mark.parametrize("name", CHEAP)
def test_the_same_seed_gives_the_same_map(name: str) -> None:
    points, _ = islands(12)
    assert torch.equal(fit_layout(points, name, seed=3).positions, fit_layout(points, name, seed=3).positions)


@pytest.mark.parametrize("name", CHEAP)
def test_a_point_of_the_map_is_placed_where_it_is_and_a_new_one_in_its_group(name: str) -> None:
    points, corner = islands()
    layout = fit_layout(points, name)
    torch.testing.assert_close(layout.place(points[:9]), layout.positions[:9], rtol=0, atol=1e-2)
    fresh = points[::10] + 0.02
    placed = layout.place(fresh)
    assert (corner[torch.cdist(placed, layout.positions).argmin(1)] == corner[::10]).all()


@pytest.mark.parametrize("name", CHEAP)
def test_the_latent_at_a_point_is_that_points_own(name: str) -> None:
    points, _ = islands()
    layout = fit_layout(points, name)
    torch.testing.assert_close(layout.latents_at(layout.positions[5:8]), points[5:8], rtol=0, atol=2e-3)


def test_pca_is_the_projection_on_the_axes_of_largest_variance() -> None:
    generator = torch.Generator().manual_seed(1)
    deviations = torch.tensor([0.1, 5.0, 0.2, 2.0])
    points = torch.randn(4000, 4, generator=generator) * deviations + 7
    layout = fit_layout(points, "pca")
    assert layout.axes is not None
    size = layout.axes.norm(dim=1)
    torch.testing.assert_close((layout.axes / size[:, None]).abs(), torch.eye(4)[[1, 3]], rtol=0, atol=0.02)
    ratio = layout.positions.std(0)
    assert float(ratio[0] / ratio[1]) == pytest.approx(2.5, rel=0.05)
    assert layout.positions.abs().max() == pytest.approx(1.0)


def test_on_a_map_of_pca_any_place_comes_back() -> None:
    points, _ = islands()
    layout = fit_layout(points, "pca")
    places = torch.tensor([[0.0, 0.0], [0.31, -0.7], [-1.2, 0.9]])
    torch.testing.assert_close(layout.place(layout.latents_at(places)), places, rtol=0, atol=1e-4)


def test_known_entries_are_those_of_the_nearest_point_and_never_mixed() -> None:
    points, corner = islands(dims=5)
    labelled = torch.cat([points, torch.eye(4)[corner]], 1)
    for name in ("pca", "tsne"):
        found = fit_layout(labelled, name).latents_at(torch.rand(40, 2) * 2 - 1, known=4)
        assert torch.isin(found[:, -4:], torch.tensor([0.0, 1.0])).all()
        assert (found[:, -4:].sum(1) == 1).all()


def test_long_latents_more_dimensions_than_points_and_few_points_have_maps() -> None:
    generator = torch.Generator().manual_seed(0)
    long = torch.randn(20, 3000, generator=generator)
    for name in ("pca", "tsne"):
        assert torch.isfinite(fit_layout(long, name).positions).all()
    for count in (1, 2, 5):
        layout = fit_layout(long[:count], "tsne")
        assert layout.method == "pca"  # neighbourhoods of so few mean nothing
        assert torch.isfinite(layout.positions).all()
        assert torch.isfinite(layout.place(long[:3])).all()
    same = fit_layout(torch.ones(12, 4), "tsne")
    assert torch.equal(same.positions, torch.zeros(12, 2))
    assert torch.isfinite(same.latents_at(torch.tensor([[0.3, 0.4]]))).all()


def test_of_many_points_the_rest_is_placed_between_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    from timbrespace.space.atlas import layout as module

    monkeypatch.setattr(module, "_MOST", 60)
    points, corner = islands()
    found = fit_layout(points, "tsne").positions
    assert found.shape == (120, 2)
    assert (corner[torch.cdist(found, found).fill_diagonal_(9).argmin(1)] == corner).all()


def test_wrong_methods_and_shapes_are_named() -> None:
    with pytest.raises(ConfigError, match="'som', allowed are tsne, pca, umap"):
        fit_layout(torch.zeros(3, 2), "som")
    for wrong in (torch.zeros(0, 3), torch.zeros(3), torch.full((3, 3), torch.nan)):
        with pytest.raises(ShapeError, match="finite numbers"):
            fit_layout(wrong, "pca")
    layout = fit_layout(islands()[0], "pca")
    with pytest.raises(ShapeError, match=r"\(m, 6\)"):
        layout.place(torch.zeros(2, 5))
    with pytest.raises(ShapeError, match=r"\(m, 2\)"):
        layout.latents_at(torch.tensor([[0.0, torch.inf]]))


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ConfigError, match=r"timbrespace\[map\]"):
        fit_layout(islands()[0], "umap")
