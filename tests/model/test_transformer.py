"""Attention along the frames: by hand, its window, places from distances alone, and any length in parts."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from specs import feature_spec
from timbrespace.model.base import Batch
from timbrespace.model.sequence.transformer import Transformer, attend

SPEC = feature_spec(1, 6, 9, floor=80.0, samples=90, frames_of=lambda samples: 1 + samples // 10)


def model(**more: int) -> Transformer:
    torch.manual_seed(0)
    return Transformer(SPEC, **{"dims": 3, "width": 16, "heads": 2, "window": 5, **more}).eval()  # type: ignore[arg-type]


def by_hand(queries: Tensor, keys: Tensor, values: Tensor, window: int) -> Tensor:
    """The definition, frame by frame: softmax of scores minus slope times distance over the frames of the window."""
    result = torch.zeros_like(values)
    _, heads, frames, size = queries.shape
    for head in range(heads):
        slope = 2.0 ** (-8 * (head + 1) / heads)
        for t in range(frames):
            first = max(0, t - window + 1)
            scores = keys[:, head, first : t + 1] @ queries[:, head, t, :, None] / math.sqrt(size)
            scores = scores[..., 0] - slope * (t - torch.arange(first, t + 1))
            result[:, head, t] = (scores.softmax(1)[..., None] * values[:, head, first : t + 1]).sum(1)
    return result


@pytest.mark.parametrize(("frames", "window"), [(1, 5), (4, 5), (5, 5), (13, 5), (20, 5), (7, 1), (6, 100)])
def test_attention_in_blocks_is_attention_by_hand(frames: int, window: int) -> None:
    queries, keys, values = torch.randn(3, 2, 4, frames, 3, generator=torch.Generator().manual_seed(frames))
    torch.testing.assert_close(attend(queries, keys, values, window=window), by_hand(queries, keys, values, window))


@pytest.mark.parametrize("depth", [1, 2])
def test_a_frame_depends_on_the_window_of_each_layer_and_on_nothing_else(depth: int) -> None:
    net, z = model(depth=depth), torch.randn(1, 3, 30, requires_grad=True)
    net.decode_raw(z)[..., 20].sum().backward()
    assert z.grad is not None
    reached = torch.nonzero(z.grad[0].abs().sum(0))[:, 0].tolist()
    assert reached == list(range(20 - depth * 4, 21))


def test_places_are_distances_so_that_a_later_passage_is_decoded_alike() -> None:
    net, passage = model(), torch.randn(1, 3, 12)
    early, late = torch.cat([torch.randn(1, 3, 7), passage], 2), torch.cat([torch.randn(1, 3, 500), passage], 2)
    one, other = net.decode_raw(early)[..., -8:], net.decode_raw(late)[..., -8:]  # the first 4 frames also see what was before
    torch.testing.assert_close(one, other)


def test_frames_in_parts_are_those_of_the_whole() -> None:
    net, z = model(depth=2), torch.randn(2, 3, 41)
    whole, reach = net.decode_raw(z), 8
    parts = [net.decode_raw(z[..., max(0, t - reach) : t + 1])[..., -1:] for t in range(41)]
    torch.testing.assert_close(torch.cat(parts, 3), whole)


def test_it_starts_as_principal_components_without_memory() -> None:
    net = model(depth=2)
    values = torch.rand(20, 1, 6, 9, generator=torch.Generator().manual_seed(0))
    batch = Batch(values, torch.full((20,), 89))
    net.initialise(batch)
    frames = values[:, 0].permute(0, 2, 1).flatten(0, 1)
    left = (frames - frames.mean(0)).square().sum() - torch.linalg.svdvals(frames - frames.mean(0))[:3].square().sum()
    with torch.no_grad():
        missed = (net.decode_raw(net.posterior(batch).mean) - values).square().sum()
        mixed = net.encode_raw(values[..., torch.randperm(9)])
    torch.testing.assert_close(missed, left, rtol=1e-3, atol=0)
    torch.testing.assert_close(mixed.sort(2).values, net.encode_raw(values).sort(2).values)
