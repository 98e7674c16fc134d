"""The model: time axis, principal components in closed form, and the losses against slow references."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from specs import feature_spec
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.model.base import Batch, Posterior, kl_to_normal
from timbrespace.model.codec.oneshot import OneShot
from timbrespace.model.parts.masked_error import ImageError
from timbrespace.model.parts.streamed_pca import principal_components
from timbrespace.model.parts.timegrid import averaging, interpolation, step_edges
from timbrespace.training.losses import total

grids = st.tuples(st.integers(1, 2000), st.integers(1, 60), st.integers(2, 120))


def model(*, dims: int = 4, coefficients: int = 12, frames: int = 40, bands: int = 8, parts: int = 1, seed: int = 0) -> OneShot:
    torch.manual_seed(seed)
    return OneShot(
        feature_spec(parts, bands, frames, floor=80.0, hop=256),
        dims=dims, coefficients=coefficients, attack=6, steps=14, width=16, depth=1,
    ).eval()  # fmt: skip


# --- the time axis --------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(grids)
def test_edges_cover_every_frame_once(grid: tuple[int, int, int]) -> None:
    frames, attack, steps = grid
    edges = step_edges(frames, attack=attack, steps=steps)
    widths = edges.diff()
    assert edges[0] == 0
    assert edges[-1] == frames
    assert (widths >= 1).all()
    assert (widths[: max(0, min(attack, len(widths) - 1))] == 1).all()
    if steps > attack + 1:  # the attack's frames stand alone whatever is asked
        assert len(widths) <= steps


@settings(max_examples=60, deadline=None)
@given(grids, st.floats(-80, 80))
def test_constants_go_there_and_back(grid: tuple[int, int, int], value: float) -> None:
    frames, attack, steps = grid
    edges = step_edges(frames, attack=attack, steps=steps)
    there, back = averaging(edges), interpolation(edges)
    torch.testing.assert_close(there.sum(0), torch.ones(len(edges) - 1))
    torch.testing.assert_close(back.sum(0), torch.ones(frames))
    constant = torch.full((2, frames), value)
    torch.testing.assert_close(constant @ there @ back, constant, rtol=1e-4, atol=1e-4)


def test_averaging_is_the_mean_of_each_run() -> None:
    edges = torch.tensor([0, 1, 2, 5, 9])
    values = torch.arange(9.0) ** 2
    expected = torch.stack([values[a:b].mean() for a, b in itertools.pairwise(edges)])
    torch.testing.assert_close(values @ averaging(edges), expected)


@settings(max_examples=60, deadline=None)
@given(grids)
def test_lines_come_back_between_the_outer_centres(grid: tuple[int, int, int]) -> None:
    frames, attack, steps = grid
    edges = step_edges(frames, attack=attack, steps=steps)
    line = torch.arange(frames, dtype=torch.float64) / frames
    back = line @ averaging(edges).double() @ interpolation(edges).double()
    centres = (edges[1:] + edges[:-1] - 1) / 2
    inner = slice(math.ceil(centres[0]), math.floor(centres[-1]) + 1)
    torch.testing.assert_close(back[inner], line[inner], rtol=0, atol=1e-5)


# --- principal components ---------------------------------------------------------------------------------------------------


def images(rows: int = 300, cells: int = 60, *, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    strengths = 20 * 0.8 ** torch.arange(cells)
    mixing = torch.linalg.qr(torch.randn(cells, cells, generator=rng))[0]
    return torch.randn(rows, cells, generator=rng) * strengths @ mixing - 30


def components(data: torch.Tensor, count: int, *, batch: int = 37) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    def batches() -> Iterator[torch.Tensor]:
        yield from data.split(batch)

    return principal_components(batches, rows=len(data), count=count)


def test_components_are_those_of_a_full_decomposition() -> None:
    data = images()
    mean, basis, scale = components(data, 10)
    centred = (data - data.mean(0)).double()
    _, singular, rows = np.linalg.svd(centred.numpy(), full_matrices=False)
    torch.testing.assert_close(mean, data.mean(0), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(scale.numpy(), singular[:10] / math.sqrt(len(data)), rtol=1e-3)
    np.testing.assert_allclose(np.abs(basis.double().numpy() @ rows[:10].T), np.eye(10), atol=2e-2)
    torch.testing.assert_close(basis @ basis.T, torch.eye(10), rtol=0, atol=1e-5)
    assert (basis.gather(1, basis.abs().argmax(1, keepdim=True)) > 0).all()


def test_components_do_not_depend_on_batches() -> None:
    data = images()
    for one, other in zip(components(data, 6, batch=7), components(data, 6, batch=300), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_fewer_images_than_components(rows: int) -> None:
    data = images(rows)
    mean, basis, scale = components(data, 12)
    assert basis.shape == (12, 60)
    kept = max(0, rows - 1)
    assert (scale[:kept] > 0).all()
    assert (scale[kept:] == 0).all()
    assert (basis[kept:] == 0).all()
    back = (data - mean) @ basis.T @ basis + mean
    torch.testing.assert_close(back, data, rtol=1e-3, atol=1e-2)


def fitted(data: torch.Tensor) -> OneShot:
    net = model()
    mean, basis, scale = components(data, net.coefficients)
    net.set_codec(mean, basis, scale, torch.tensor([14.0, 1.5]))
    return net


def test_an_untrained_model_is_plain_pca() -> None:
    net = model()
    data = images(400, net.mean.numel(), seed=1)
    net = fitted(data)
    posterior = net.posterior(Batch(net.compress(data), torch.full((len(data),), 9000)))
    found, _ = net.reconstruct(posterior.mean)
    copies = found @ net.basis + net.mean
    reference = PCA(net.dims, svd_solver="full").fit(data.double().numpy())
    expected = reference.inverse_transform(reference.transform(data.double().numpy()))
    np.testing.assert_allclose(copies.detach().numpy(), expected, atol=0.05)
    torch.testing.assert_close(posterior.mean.std(0, correction=0), torch.ones(net.dims), rtol=0.01, atol=0.01)  # whitened


# --- what is beyond the end ------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(steps=st.integers(1, 40), group=st.integers(1, 9), seed=st.integers(0, 99))
def test_image_error_is_the_masked_mean_square(steps: int, group: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    cells, count, batch = 5, 7, 9
    basis = torch.randn(count, cells * steps, generator=rng, dtype=torch.float64)
    found, wanted = torch.randn(2, batch, count, generator=rng, dtype=torch.float64)
    inside = torch.randint(1, steps + 1, (batch,), generator=rng)
    error = ImageError(basis, steps=steps, group=group)(found, wanted, inside)
    for row in range(batch):
        end = min(steps, -(-int(inside[row]) // group) * group)
        image = ((found[row] - wanted[row]) @ basis).reshape(cells, steps)[:, :end]
        assert float(error[row]) == pytest.approx(float(image.square().mean()), rel=1e-9)


def test_what_lies_beyond_the_end_costs_nothing() -> None:
    rng = torch.Generator().manual_seed(0)
    steps, cells = 12, 5
    basis = torch.eye(cells * steps, dtype=torch.float64)
    wanted = torch.randn(2, cells * steps, generator=rng, dtype=torch.float64)
    found = wanted.clone()
    found.reshape(2, cells, steps)[:, :, 8:] += 100.0
    error = ImageError(basis, steps=steps, group=4)(found, wanted, torch.tensor([8, 9]))
    assert error[0] == 0
    assert error[1] > 0


def test_the_error_follows_a_model_that_moves() -> None:
    """A model is evaluated on the CPU and then trained elsewhere; a change of type stands for a change of device."""
    rng = torch.Generator().manual_seed(0)
    moved = fitted(images(cells=8 * 14))
    coefficients, wanted = torch.randn(2, 5, moved.coefficients, generator=rng)
    batch = Batch(wanted, torch.full((5,), 9_000))
    before = moved.loss(coefficients, batch)
    after = moved.double().loss(coefficients.double(), batch._replace(values=wanted.double()))
    assert after.dtype == torch.float64
    torch.testing.assert_close(after.float(), before)


def test_kl_is_that_of_torch() -> None:
    rng = torch.Generator().manual_seed(0)
    posterior = Posterior(torch.randn(6, 5, generator=rng), torch.randn(6, 5, generator=rng))
    normal = torch.distributions.Normal(posterior.mean, (posterior.log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(kl_to_normal(posterior), expected)
    assert not kl_to_normal(Posterior(torch.zeros(1, 5), torch.zeros(1, 5))).any()
    moving = Posterior(*(part.reshape(2, 3, 5).transpose(1, 2) for part in posterior))  # (2, 5, 3): steps count as a sum
    torch.testing.assert_close(kl_to_normal(moving), expected.reshape(2, 3, 5).sum(1))


def test_total_wants_a_weight_for_every_loss() -> None:
    losses = {"kl": torch.tensor([1.0, 2.0]), "length": torch.tensor(5.0)}
    assert total(losses, {"length": 10.0, "kl": 2.0, "more": 7.0}) == 56.0
    for weights in ({"kl": 1.0}, {}):
        with pytest.raises(KeyError, match="no weight"):
            total(losses, weights)


# --- features in, features out ---------------------------------------------------------------------------------------------


def features(batch: int = 3, frames: int = 40) -> torch.Tensor:
    return -60 * torch.rand(batch, 1, 8, frames, generator=torch.Generator().manual_seed(1))


def test_level_and_padding_leave_the_image_alone() -> None:
    net = model()
    short = features(frames=20)
    padded = torch.nn.functional.pad(short, (0, 20), value=-200.0)
    torch.testing.assert_close(net.prepare_features(short), net.prepare_features(padded))
    torch.testing.assert_close(net.prepare_features(short), net.prepare_features(short + 17.0))


def test_decoded_sounds_end_where_they_end() -> None:
    net = fitted(images(200, model().mean.numel()))
    z = torch.randn(4, net.dims, generator=torch.Generator().manual_seed(2))
    lengths = torch.tensor([256 * 10, 256 * 20, 256 * 39, 1])
    decoded = net.decode(z, lengths=lengths)
    assert torch.equal(decoded.lengths, lengths)
    assert decoded.features.shape == (4, 1, 8, 40)
    for row, length in enumerate(lengths):
        beyond = decoded.features[row, :, :, int(length) // 256 + 8 :]
        assert (beyond == -80).all()
    own = net.decode(z)
    assert (own.lengths >= 1).all()
    assert (own.lengths < 40 * 256).all()
    assert own.features.detach().max() <= 0


def test_lengths_of_the_latent_are_clamped() -> None:
    net = fitted(images(200, model().mean.numel()))
    with torch.no_grad():
        net.length_path.bias.fill_(1e6)
        assert (net.decode(torch.zeros(2, net.dims)).lengths == 40 * 256 - 1).all()
        net.length_path.bias.fill_(-1e6)
        assert (net.decode(torch.zeros(2, net.dims)).lengths == 1).all()


def test_wrong_shapes_and_sizes_are_refused() -> None:
    net = model()
    for shape in ((3, 1, 9, 40), (3, 2, 8, 40), (3, 8, 40), (3, 1, 8, 41)):
        with pytest.raises(ShapeError):
            net.encode(torch.zeros(shape), torch.tensor([1, 1, 1]))
    with pytest.raises(ShapeError):
        net.decode(torch.zeros(1, net.dims + 1))
    with pytest.raises(ConfigError, match="dims is 20"):
        model(dims=20)
    with pytest.raises(ConfigError, match="coefficients is 500"):
        model(coefficients=500)


# --- the search for the latent of a given sound ------------------------------------------------------------------------------


def taught(*, refinement_steps: int = 60) -> OneShot:
    """A model with a codec and a decoder that is not linear, and an encoder that knows nothing."""
    one = model(dims=3, coefficients=6, seed=3)
    one.refinement_steps = refinement_steps
    basis = torch.linalg.qr(torch.randn(one.basis.shape[1], 6))[0].T
    one.set_codec(torch.full_like(one.mean, -30.0), basis, torch.full((6,), 60.0), torch.tensor([13.0, 1.0]))
    for block in one.decoder.modules():
        if isinstance(block, torch.nn.Linear):
            torch.nn.init.normal_(block.weight, std=0.1)
    return one


@pytest.mark.parametrize("z", [[0.5, -0.4, 0.3], [-0.6, 0.2, 0.7]])
def test_the_search_finds_the_latent_that_a_sound_was_made_from(z: list[float]) -> None:
    one, lengths = taught(refinement_steps=400), torch.tensor([9_000])
    there = torch.tensor([z])
    one.mean -= (one.reconstruct(there)[0] @ one.basis + one.mean).max()  # its loudest cell reads 0 dB, as those of sounds do
    features = one.decode(there, lengths=torch.tensor([10_239])).features  # whole: nothing is gated
    found = one.refine(features, lengths, torch.zeros(1, 3))
    assert float((found - there).abs().max()) < 0.2 * float(there.abs().max()), "near: going to frames and back blurs a little"


def test_a_search_by_amplitude_comes_nearer_in_amplitude() -> None:
    features, lengths, start = (
        -50 * torch.rand(2, 1, 8, 40, generator=torch.Generator().manual_seed(5)),
        torch.tensor([9_000, 9_000]),
        torch.zeros(2, 3),
    )

    def error(amplitude: float) -> float:
        one = taught(refinement_steps=200)
        one.amplitude = amplitude
        with torch.no_grad():
            found = one.band_images(one.refine(features, lengths, start))[0].clamp_min(-one.floor)
            return float((torch.log1p(4 * 10 ** (found / 20)) - torch.log1p(4 * 10 ** (one._coarse(features) / 20))).square().mean())

    assert error(300.0) < 0.97 * error(0.0)


def test_the_search_is_for_each_sound_alone_and_repeatable() -> None:
    one = taught()
    features, lengths = -40 * torch.rand(3, 1, 8, 40, generator=torch.Generator().manual_seed(1)), torch.tensor([9_000, 300, 1])
    start = torch.zeros(3, 3)
    together = one.refine(features, lengths, start)
    assert torch.equal(together, one.refine(features, lengths, start))
    assert torch.equal(start, torch.zeros(3, 3)), "the guess is not changed"
    for k in range(3):
        alone = one.refine(features[k : k + 1], lengths[k : k + 1], start[k : k + 1])
        torch.testing.assert_close(alone[0], together[k], rtol=1e-3, atol=1e-3)
    assert not together.requires_grad
    assert all(parameter.grad is None for parameter in one.parameters())


def test_what_lies_beyond_the_end_does_not_move_the_search() -> None:
    one, lengths = taught(), torch.tensor([2_000])
    features = -40 * torch.rand(1, 1, 8, 40, generator=torch.Generator().manual_seed(2))
    features[0, 0, 0, 0] = 0.0  # the loudest cell stays the same
    other = features.clone()
    other[..., 12:] = -70.0  # steps behind the one that holds the end
    torch.testing.assert_close(one.refine(features, lengths, torch.zeros(1, 3)), one.refine(other, lengths, torch.zeros(1, 3)))


def test_no_search_is_the_guess() -> None:
    start = torch.ones(1, 3)
    assert torch.equal(taught(refinement_steps=0).refine(torch.zeros(1, 1, 8, 40), torch.tensor([500]), start), start)
