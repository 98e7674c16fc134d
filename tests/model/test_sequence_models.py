"""Models whose latent moves in time, and paths: any length in, the same length out. Instruments: see `test_time_varying_instrument`."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from timbrespace.config.build import build_model, build_representation
from timbrespace.config.presets import load_preset, presets
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.model.base import Batch
from timbrespace.model.sequence.base import SequenceModel, longest_length
from tiny import NARROW, RATE, drum


def model_of(preset: str, *, samples: int = 20_000, **changes: Any) -> tuple[SequenceModel, Any]:
    """An untrained model and its representation."""
    config = load_preset(preset, changes=(*NARROW[preset], *(f"{key}={value}" for key, value in changes.items())))
    view = build_representation(config.representation, sample_rate=RATE, channels=1)
    if hasattr(view, "fit"):
        view.fit([drum(0), drum(1)])
    torch.manual_seed(0)
    model = build_model(config.model, representation=view, samples=samples)
    assert isinstance(model, SequenceModel)
    return model.eval(), view


# --- models -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", NARROW)
def test_frames_and_steps(preset: str) -> None:
    model, view = model_of(preset)
    for length in (1, 63, 64, 1_000, 4_096, 4_097, 9_999, 60_000):
        frames = view.frames(length)
        z = model.encode(view.encode(drum(1).repeat(1, 8)[None, :, :length]), torch.tensor([length])).mean
        assert z.shape == (1, 4, math.ceil(frames / model.stride))
        decoded = model.decode(z)
        assert decoded.features.shape == (1, model.spec.parts, model.spec.bands, z.shape[2] * model.stride)
        most = int(decoded.lengths[0])
        assert math.ceil(view.frames(most) / model.stride) == z.shape[2]
        assert math.ceil(view.frames(most + 1) / model.stride) == z.shape[2] + 1
        assert torch.isfinite(decoded.features).all()
    for wrong in (torch.zeros(1, 4), torch.zeros(1, 3, 5), torch.zeros(1, 4, 0)):
        with pytest.raises(ShapeError, match="a latent must be"):
            model.decode(wrong)
    for features in (torch.zeros(1, 1, 3, 5), torch.zeros(1, model.spec.bands, 5)):
        with pytest.raises(ShapeError, match="features must be"):
            model.encode(features, torch.tensor([1]))


@pytest.mark.parametrize("preset", ["spectra", "spectra-bernoulli", "spectra-mdct"])
def test_a_frame_knows_nothing_of_its_neighbours(preset: str) -> None:
    model, _ = model_of(preset)
    features = torch.rand(1, model.spec.parts, model.spec.bands, 6)
    other = features.clone()
    other[..., 3] = torch.rand(model.spec.bands)
    one, two = (model.encode(values, torch.tensor([9_000])).mean for values in (features, other))
    changed = (one != two).any(1)[0]
    assert changed.tolist() == [False, False, False, True, False, False]
    torch.testing.assert_close(model.encode(features[..., 3:4], torch.tensor([4_096])).mean[..., 0], one[..., 3], rtol=1e-4, atol=1e-5)


def test_a_sequence_reaches_only_so_far() -> None:
    model, _ = model_of("sequence", samples=400_000)
    images = torch.rand(1, 1, model.spec.bands, 800)
    other = images.clone()
    other[..., 400] += 1
    changed = (model.encode_raw(images) != model.encode_raw(other)).any(1)[0].nonzero()[:, 0]
    assert 50 in changed
    assert 0 < len(changed) < 20


@pytest.mark.parametrize("preset", NARROW)
def test_what_lies_beyond_the_end_is_not_learned(preset: str) -> None:
    model, view = model_of(preset, samples=40_000)
    lengths = torch.tensor([6_000, 20_000, 40_000, 1])
    sounds = [drum(k).repeat(1, 4)[:, : int(n)] for k, n in enumerate(lengths)]
    values = torch.cat([model.prepare_features(view.encode(sound[None])) for sound in sounds])
    inside = [view.frames(int(n)) for n in lengths]
    assert model.inside(lengths).tolist() == inside
    spoilt = values.clone()
    for row, frames in enumerate(inside):
        spoilt[row, ..., -(-frames // model.stride) * model.stride + 64 :] = 50.0  # beyond what a step inside can see
    for drawn in (True, False):
        torch.manual_seed(3)
        images, counts = model.excerpt(Batch(values, lengths), drawn=drawn)
        assert images.shape[-1] == counts.shape[1]
        assert (counts.sum(1) > 0).all()
        for row, frames in enumerate(inside):
            assert counts[row].sum() <= max(frames, 8)
    torch.manual_seed(3)
    losses = model(Batch(values, lengths))
    torch.manual_seed(3)
    again = model(Batch(spoilt, lengths))
    assert losses.keys() == {"reconstruction", "kl"}
    assert losses["kl"].shape == (4,)
    for name, loss in losses.items():
        assert torch.isfinite(loss).all()
        torch.testing.assert_close(loss, again[name], rtol=1e-4, atol=1e-5)
    assert torch.equal(model.evaluate(Batch(values, lengths)).errors, model.evaluate(Batch(values, lengths)).errors)


def test_a_batch_of_sounds_is_as_many_spectra() -> None:
    model, view = model_of("spectra", samples=40_000)
    values = model.prepare_features(view.encode(torch.randn(5, 1, 40_000)))
    seen = set()
    for seed in range(40):
        torch.manual_seed(seed)
        images, counts = model.excerpt(Batch(values, torch.full((5,), 40_000)), drawn=True)
        assert images.shape == (5, 1, 200, 1)
        assert counts.shape == (5, 1)
        seen |= {int((values[0] == images[0]).all((0, 1)).nonzero()[0])}
    assert len(seen) > view.frames(40_000) // 2


def test_silence_and_errors_in_percent() -> None:
    model, _ = model_of("spectra", samples=4_096)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    values = torch.stack([torch.zeros(1, 200, 1), torch.ones(1, 200, 1)])
    assert model.evaluate(Batch(values, torch.tensor([4_096, 4_096]))).errors.tolist() == [100.0, 100.0]  # all that is there is missed


def test_the_longest_length() -> None:
    for frames in (1, 2, 3, 50):
        length = longest_length(frames, lambda n: 1 + max(0, -(-(n - 4_096) // 1_024)))
        assert length == 4_096 + (frames - 1) * 1_024
    assert longest_length(1, lambda n: 1 + -(-n // 64)) == 1  # one sample has two frames already


def test_wrong_settings_are_told() -> None:
    assert set(NARROW) <= set(presets())
    with pytest.raises(ConfigError, match=r"model\.stride"):
        load_preset("sequence", changes=("model.stride=3",))
    with pytest.raises(ConfigError, match="likelihood"):
        model_of("spectra", **{"model.likelihood": "mu-law"})
